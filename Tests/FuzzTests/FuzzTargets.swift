import BFD
import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

/// What libFuzzer feeds (`make fuzz`), and what the corpus is run through in every test run: a function per codec that
/// takes any bytes.
///
/// Nothing may trap, hang or remember without bound. Where a decoder accepts bytes, encoding and decoding again gives
/// the same value.
enum FuzzTargets {
    static let all: [(name: String, run: @Sendable (RawSpan) -> Void)] = [
        ("framer", framer), ("open", open), ("update", update), ("notification", notification), ("refresh", refresh),
        ("bfd", bfd), ("session", session),
    ]

    /// A stream in portions: the first byte says how large they are.
    static func framer(_ bytes: RawSpan) {
        guard !bytes.isEmpty else { return }
        let first = bytes[0]
        func cut(_ portion: Int) -> (messages: [[UInt8]], error: NotificationMessage?) {
            var framer = MessageFramer()
            if first & 1 != 0 { framer.maximumLength = MessageSize.extended }
            var messages: [[UInt8]] = []
            var offset = 1
            while offset < bytes.byteCount {
                let end = min(bytes.byteCount, offset + portion)
                do throws(NotificationMessage) {
                    try framer.consume(bytes.part(offset, end - offset)) { _, message in
                        messages.append(Array(message))
                        return true
                    }
                } catch {
                    return (messages, error)
                }
                precondition(framer.bufferedCount <= MessageSize.extended, "the framer remembers too much")
                offset = end
            }
            return (messages, nil)
        }
        let whole = cut(bytes.byteCount)
        let parts = cut(Int(first >> 1) + 1)
        precondition(whole.messages == parts.messages, "messages depend on the portions")
    }

    private static func framed(_ type: UInt8, _ bytes: RawSpan) -> [UInt8] {
        let body = [UInt8](bytes.part(0, min(bytes.byteCount, 65535 - 19)))
        let length = body.count + 19
        return [UInt8](repeating: 0xFF, count: 16) + [UInt8(length >> 8), UInt8(length & 255), type] + body
    }

    static func open(_ bytes: RawSpan) {
        framed(1, bytes).withBytes { raw in
            guard let message = try? OpenMessage(message: raw) else { return }
            var configuration = SessionConfiguration(
                localAS: ASNumber(64512), remoteAS: nil, localIdentifier: BGPIdentifier(rawValue: 1))
            configuration.role = .customer
            configuration.restart.longLivedStaleTime = 10
            configuration.addPath.receives = true
            configuration.addPath.sends = true
            configuration.offersExtendedNextHop = true
            if let session = try? OpenNegotiation.negotiate(message, configuration) {
                precondition(
                    session.holdTime == .zero || session.holdTime >= .seconds(3), "hold time \(session.holdTime)")
                precondition(session.keepaliveTime >= .seconds(1), "keepalives faster than one a second")
            }
            let again = message.encoded()
            precondition(again.withBytes { try? OpenMessage(message: $0) } == message, "an OPEN changes on its way")
        }
    }

    /// The first byte is the session: internal, AS of four bytes, path identifiers, IPv6 next hops.
    static func update(_ bytes: RawSpan) {
        guard !bytes.isEmpty else { return }
        let bits = bytes[0]
        var addPath: AddressFamilySet = []
        if bits & 4 != 0 { addPath.insert(.ipv4) }
        if bits & 8 != 0 { addPath.insert(.ipv6) }
        let context = AttributeContext(
            isInternal: bits & 1 != 0, isFourOctetAS: bits & 2 != 0, addPath: addPath,
            hasExtendedNextHop: bits & 16 != 0)
        framed(2, bytes.part(1, bytes.byteCount - 1)).withBytes { raw in
            guard raw.byteCount >= 23, let update = try? UpdateMessage(message: raw),
                let block = try? AttributeBlock(update.attributes, context)
            else { return }
            let plain = block.gathered.isEmpty ? Array(block.plain) : block.gathered
            let decoded = plain.withBytes { UpdateValidation.decode($0, context) }
            guard decoded.action == nil else { return }
            // What we intern is a fixed point of decoding.
            let canonical = decoded.attributes.encoded()
            guard canonical.count < 60_000 else { return }
            let internally = AttributeContext(isInternal: true, isFourOctetAS: true)
            let again = canonical.withBytes { UpdateValidation.decode($0, internally) }
            precondition(again.faults.isEmpty, "our own encoding has faults: \(again.faults)")
            precondition(again.attributes.encoded() == canonical, "the canonical form is no fixed point")
        }
    }

    static func notification(_ bytes: RawSpan) {
        framed(3, bytes).withBytes { raw in
            guard let message = NotificationMessage(message: raw) else { return }
            precondition(
                !message.description.isEmpty && !message.description.contains("\n"), "a peer's text forges a line")
            precondition(message.encoded().count <= MessageSize.standard, "a NOTIFICATION beyond 4096 bytes")
        }
    }

    static func refresh(_ bytes: RawSpan) {
        framed(5, bytes).withBytes { raw in
            _ = RouteRefreshMessage.hasInvalidLength(raw)
            guard let message = RouteRefreshMessage(message: raw) else { return }
            precondition(message.encoded() == Array(raw), "a ROUTE-REFRESH changes on its way")
        }
    }

    static func bfd(_ bytes: RawSpan) {
        var session = BFDSession(BFDConfiguration(), discriminator: 7, seed: 1, now: .zero)
        var now = Instant.zero
        var offset = 0
        var actions: [BFDSession.Action] = []
        while bytes.byteCount - offset >= BFDPacket.length {
            let packet = BFDPacket(bytes.part(offset, BFDPacket.length))
            offset += BFDPacket.length
            now = now + .milliseconds(100)
            actions.removeAll()
            session.handleTimeout(now: now, &actions)
            guard let packet else { continue }
            precondition(packet.encoded().withBytes { BFDPacket($0) } == packet, "a BFD packet changes on its way")
            session.receive(packet, now: now, &actions)
        }
    }

    /// A whole speaker with a session that is up: any bytes of the peer.
    static func session(_ bytes: RawSpan) {
        let identity = AttributeTable.Identity(
            localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))
        var speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 4, recordsChanges: false, seed: 1, now: .zero)
        var configuration = SessionConfiguration(
            localAS: ASNumber(64512), remoteAS: ASNumber(64512), localIdentifier: BGPIdentifier(rawValue: 1))
        configuration.isPassive = true
        configuration.addPath.receives = true
        configuration.offersExtendedNextHop = true
        configuration.restart.longLivedStaleTime = 10
        var settings = PeerSettings(name: "p", address: IPAddress(v4: 0x0A00_0002), session: configuration)
        settings.isClient = true
        settings.nextHop.addresses = [IPAddress(v4: 1), IPAddress(high: 1, low: 1)]
        let peer = speaker.addPeer(settings, now: .zero)
        _ = speaker.admitsIncoming(peer, now: .zero)
        speaker.connected(peer, .passive, now: .zero)
        let open =
            OpenMessage(
                asNumber: ASNumber(64512), holdTime: 90, identifier: BGPIdentifier(rawValue: 2),
                capabilities: [
                    .multiprotocol(AFISAFI(.ipv4)), .multiprotocol(AFISAFI(.ipv6)), .fourOctetAS(ASNumber(64512)),
                    .routeRefresh, .enhancedRouteRefresh,
                    .extendedNextHop([AFISAFI(.ipv4)]),
                    .addPath([AddPathFamily(AFISAFI(.ipv6), receives: true, sends: true)]),
                ]
            ).encoded() + KeepaliveMessage.encoded
        open.withBytes { speaker.received(peer, .passive, bytes: $0, now: .zero) }
        speaker.received(peer, .passive, bytes: bytes, now: .zero)
        for _ in 0..<64 where speaker.decide(budget: 1000) {}
        for _ in 0..<64 where speaker.export(replayBudget: 1000, now: .zero) {}
        _ = speaker.takeActions()
        speaker.removePeer(peer, now: .zero)
        for _ in 0..<64 where speaker.decide(budget: 1000) {}
        for _ in 0..<64 where speaker.export(replayBudget: 1000, now: .zero) {}
        precondition(speaker.counts.attributeSets == 0, "attribute sets stay after their peer is gone")
        precondition(
            speaker.counts.paths[0] + speaker.counts.paths[1] == 0,
            "paths stay after their peer is gone")
    }
}
