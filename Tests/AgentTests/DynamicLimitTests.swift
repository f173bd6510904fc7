import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import NodeDaemon
import Planning
import Resources
import Synchronization
import Testing

@testable import Node
@testable import Transport

/// `maxDynamicPeers` of a listenRange, where it is lowered while peers are there.
@Suite struct DynamicLimitTests {
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }
    private struct Handler: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) {
            let text =
                "\(event.message) "
                + "\((event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " "))"
            lines.all.withLock { $0.append(text) }
        }
    }

    private static func loaded(_ limit: Int, range: String = "10.0.0.0/24") -> LoadedConfiguration {
        let parsed = ResourceParser.parse(
            """
            apiVersion: projectcalico.org/v3
            kind: Node
            metadata: {name: n}
            spec: {bgp: {ipv4Address: 10.0.0.1/24}}
            ---
            apiVersion: projectcalico.org/v3
            kind: BGPPeer
            metadata: {name: dyn}
            spec: {listenRange: \(range), asNumber: 64512, maxDynamicPeers: \(limit)}
            """, file: "x.yaml")
        #expect(parsed.problems.isEmpty)
        return LoadedConfiguration(
            resources: ResourceSet([parsed], files: ["x.yaml"], previous: ResourceSet()), secrets: Secrets())
    }

    private static func address(_ last: Int) -> IPAddress { IPAddress(v4: 0x0A00_0000 + UInt32(last)) }

    /// NOTIFICATIONs that were sent, by peer: code and subcode.
    private static func notifications(_ speaker: inout Speaker) -> [PeerIndex: [UInt8]] {
        var result: [PeerIndex: [UInt8]] = [:]
        for action in speaker.takeActions() {
            guard case .send(let peer, _, let buffer) = action else { continue }
            let bytes = [UInt8](buffer.bytes)
            if bytes[18] == 3 { result[peer] = Array(bytes[19...20]) }
        }
        return result
    }

    @Test
    func
        `a lowered limit closes those without a session, then the newest, with Cease_8 and one line, and keeps the others`()
        throws
    {
        let now = Instant(nanoseconds: 1_000_000_000)
        let lines = Lines()
        let logger = Logger(label: "test") { _ in Handler(lines: lines) }
        var speaker = Speaker(
            identity: Self.identity, tracksNextHops: false, maximumPaths: 16, recordsChanges: false, seed: 1, now: now)
        let (transport, plane) = (try Transport(openFiles: 1024), NoForwarding())
        let peering = Peering(
            node: "n", isReflector: true, identity: Self.identity, first: Self.loaded(5), logger: logger)
        peering.apply(
            ResourceChange(whole: Self.loaded(5)), speaker: &speaker, plane: plane, transport: transport, now: now)
        var peers: [Int: PeerIndex] = [:]
        for last in [9, 3, 7, 5, 4] {
            let found = peering.peer(for: Self.address(last), &speaker, now: now)
            let peer = try #require(found)
            peers[last] = peer
            let isAdmitted = speaker.admitsIncoming(peer, now: now)
            #expect(isAdmitted)
            speaker.connected(peer, .passive, local: Self.address(1), now: now)
            // The second one has a connection, and no session yet.
            if last == 3 { continue }
            let open = OpenMessage(
                asNumber: ASNumber(64512), holdTime: 90, identifier: BGPIdentifier(rawValue: UInt32(last)),
                capabilities: [.multiprotocol(AFISAFI(.ipv4)), .fourOctetAS(ASNumber(64512))])
            open.encoded().withBytes { speaker.received(peer, .passive, bytes: $0, now: now) }
            KeepaliveMessage.encoded.withBytes { speaker.received(peer, .passive, bytes: $0, now: now) }
            let isUp = speaker.isEstablished(peer)
            #expect(isUp)
        }
        let sixth = peering.peer(for: Self.address(11), &speaker, now: now)
        #expect(sixth == nil)
        _ = speaker.takeActions()
        lines.all.withLock { $0 = [] }
        peering.apply(
            ResourceChange(whole: Self.loaded(2)), speaker: &speaker, plane: plane, transport: transport, now: now)
        let sent = Self.notifications(&speaker)
        #expect(
            sent
                == Dictionary([3, 5, 4].compactMap { last in peers[last].map { ($0, [6, 8]) } }) { first, _ in first })
        let left = speaker.peerIndices
        #expect(Set(left) == Set([9, 7].compactMap { peers[$0] }))
        let found = lines.all.withLock { $0 }
        #expect(found.count == 1 && found[0].hasSuffix("closed=3 limit=2 range=10.0.0.0/24"), "\(found)")
        // The limit holds for who comes next, and nothing more happens without a change.
        let third = peering.peer(for: Self.address(12), &speaker, now: now)
        #expect(third == nil)
        peering.apply(
            ResourceChange(whole: Self.loaded(2)), speaker: &speaker, plane: plane, transport: transport, now: now)
        let again = Self.notifications(&speaker)
        #expect(again.isEmpty)
        peering.apply(
            ResourceChange(whole: Self.loaded(3)), speaker: &speaker, plane: plane, transport: transport, now: now)
        let after = peering.peer(for: Self.address(12), &speaker, now: now)
        #expect(after != nil)
    }
}
