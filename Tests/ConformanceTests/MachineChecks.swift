import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 29 to 47: state machine, timers
extension Conformance {
    static func session(
        as number: UInt32 = 64512, hold: UInt16 = 90, _ capabilities: [Capability] = Wire.usual,
        _ change: (inout PeerSettings) -> Void = { _ in }
    ) throws -> (Wire, Wire.Remote) {
        let wire = Wire()
        let remote = wire.add(2, as: number, change)
        try wire.establish(remote, hold: hold, capabilities)
        return (wire, remote)
    }

    static let restartCapability = Capability.gracefulRestart(
        GracefulRestartCapability(
            restarting: false, notification: false, restartTime: 120,
            families: [
                .init(AFISAFI(.ipv4), forwardingPreserved: true), .init(AFISAFI(.ipv6), forwardingPreserved: true),
            ]))

    /// Two connections at once, both in OpenConfirm. Answers the sides that were closed.
    private static func collision(localID: UInt32 = 0x0A00_0001, peerID: UInt32, peerAS: UInt32 = 64512) throws -> (
        Wire, Wire.Remote
    ) {
        let wire = Wire()
        let remote = wire.add(2, as: peerAS) { $0.session.isPassive = false }
        remote.identifier = peerID
        try require(remote.dialled == 1, "we do not connect")
        wire.connect(remote, .active)
        wire.connect(remote, .passive)
        remote.side = .active
        wire.send(remote, wire.openBytes(remote), side: .active)
        wire.send(remote, wire.openBytes(remote), side: .passive)
        return (wire, remote)
    }

    static let machine: [Item] = [
        Item(
            29, "our OPEN has capability 1 for each family, 2, 65, 64 with graceful restart, and one instance of 69",
            "RFC 4760 8, 7911 4"
        ) {
            let wire = Wire()
            let remote = wire.add(2) {
                $0.session.addPath.receives = true
                $0.session.addPath.sends = true
            }
            wire.connect(remote)
            let sent = try require(remote.inbox.first, "no OPEN")
            let open = try sent.withBytes { raw in
                do throws(NotificationMessage) { return try OpenMessage(message: raw) } catch {
                    throw Deviation("\(error)")
                }
            }
            for code in [1, 2, 64, 65, 69, 70] as [UInt8] {
                try require(open.capabilities.contains { $0.code.rawValue == code }, "without \(code)")
            }
            try require(open.capabilities.count { $0.code == .multiprotocol } == 2, "families")
            try require(open.capabilities.count { $0.code == .addPath } == 1, "several instances of 69")
            guard case .addPath(let list)? = open.capabilities.first(where: { $0.code == .addPath }) else {
                throw Deviation("69")
            }
            try require(list.count == 2 && list.allSatisfy { $0.sendReceive == 3 }, "69 has \(list)")
        },
        Item(
            30, "a TCP connection of a configured peer gets our OPEN, and four minutes for its own",
            "RFC 4271 8.2.2, 10"
        ) {
            let wire = Wire()
            let remote = wire.add(2)
            wire.connect(remote)
            try require(
                remote.inbox.map { $0[18] } == [1] && wire.state(remote) == .openSent,
                "\(remote.inbox.map { Wire.text($0) })")
            remote.inbox = []
            wire.advance(239)
            try require(wire.state(remote) == .openSent, "given up early")
            wire.advance(2)
            try wire.expectNotification(remote, 4, 0)
        },
        Item(31, "a message of the wrong state → N(5,1), N(5,2), N(5,3) with its type", "RFC 6608 4") {
            for (bytes, type) in [
                (WireBytes.keepalive, 4), (WireBytes.update(), 2), (WireBytes.message(5, [0, 1, 0, 1]), 5),
            ]
                as [([UInt8], UInt8)]
            {
                let wire = Wire()
                let remote = wire.add(2)
                wire.connect(remote)
                wire.send(remote, bytes)
                try wire.expectNotification(remote, 5, 1, data: [type], "OpenSent")
            }
            for type in [1, 2] as [UInt8] {
                let wire = Wire()
                let remote = wire.add(2)
                wire.connect(remote)
                wire.send(remote, wire.openBytes(remote))
                wire.send(remote, type == 1 ? wire.openBytes(remote) : WireBytes.update())
                try wire.expectNotification(remote, 5, 2, data: [type], "OpenConfirm")
            }
            let (wire, remote) = try session()
            wire.send(remote, wire.openBytes(remote))
            try wire.expectNotification(remote, 5, 3, data: [1], "Established")
        },
        Item(
            32, "hold timer expiry → N(4,0); the peer's routes go, or graceful restart begins with N on both sides",
            "RFC 4271 6.5, 8538 3"
        ) {
            for keeps in [false, true] {
                let graceful = Capability.gracefulRestart(
                    GracefulRestartCapability(
                        restarting: false, notification: keeps, restartTime: 120,
                        families: [.init(AFISAFI(.ipv4), forwardingPreserved: true)]))
                let (wire, remote) = try session(hold: 9, Wire.usual + [graceful])
                wire.announce(remote, ["10.9.0.0/24"])
                wire.advance(10)
                try wire.expectNotification(remote, 4, 0)
                try require((wire.best("10.9.0.0/24") != nil) == keeps, keeps ? "routes gone" : "routes kept")
            }
        },
        Item(33, "KEEPALIVE and UPDATE restart the hold timer", "RFC 4271 8.2.2") {
            for bytes in [WireBytes.keepalive, WireBytes.update(withdrawn: WireBytes.nlri(prefix("10.0.0.0/8")))] {
                let (wire, remote) = try session(hold: 9)
                for _ in 0..<10 {
                    wire.advance(8)
                    wire.send(remote, bytes)
                }
                try require(wire.isUp(remote), "expired")
            }
        },
        Item(
            34, "keepalives go on in time while a large table loads and the configuration changes", "RFC 4271 4.4",
            .lab(
                "a keepalive is never late while a table of 200,000 routes loads and the resources change "
                    + "(conformance 34)"
            )),
        Item(35, "ConnectRetry is configurable; it, keepalives and MRAI have jitter of 0.75 to 1", "RFC 4271 10") {
            var waits: Set<Double> = []
            let dialling = Wire()
            let absent = dialling.add(2) {
                $0.session.isPassive = false
                $0.session.connectRetryTime = .seconds(20)
            }
            for attempt in 1...10 {
                dialling.speaker.connectionFailed(absent.index, .active, now: dialling.now)
                dialling.run()
                var waited = 0.0
                while absent.dialled == attempt, waited < 30 {
                    dialling.advance(0.1)
                    waited += 0.1
                }
                try require(waited >= 14.9 && waited <= 20.2, "retried after \(waited) s of 20")
                waits.insert(waited)
            }
            try require(waits.count > 3, "no jitter of ConnectRetry: \(waits)")
            let (wire, remote) = try session()
            var gaps: Set<Int> = []
            var last = 0
            for tenth in 1..<3000 {
                wire.advance(0.1)
                if tenth % 100 == 0 { wire.send(remote, WireBytes.keepalive) }
                if remote.inbox.contains(where: { $0[18] == 4 }) {
                    if last > 0 { gaps.insert(tenth - last) }
                    last = tenth
                    remote.inbox = []
                }
            }
            try require(
                gaps.count > 3 && gaps.allSatisfy { (224...301).contains($0) },
                "keepalives are \(gaps.sorted()) tenths of a second apart")
            var intervals: Set<Int> = []
            for start in 0..<6 {
                let (slow, taker) = try session { $0.minimumInterval = .seconds(40) }
                slow.advance(Double(start))
                slow.originate("10.65.0.0/26")
                slow.originate("10.65.0.0/26") { $0.multiExitDisc = 1 }
                taker.inbox = []
                var tenths = 0
                while taker.inbox.allSatisfy({ $0[18] != 2 }), tenths < 500 {
                    slow.advance(0.1, alive: [taker])
                    tenths += 1
                    if tenths % 100 == 0 { slow.send(taker, WireBytes.keepalive) }
                }
                intervals.insert(tenths)
            }
            try require(
                intervals.count > 2 && intervals.allSatisfy { (299...402).contains($0) },
                "MRAI of 40 s: \(intervals.sorted()) tenths of a second")
        },
        Item(
            36, "of two connections in OpenConfirm the one of the higher identifier survives, the other gets N(6,7)",
            "RFC 4271 6.8"
        ) {
            for (peerID, survivor) in [(0x0A00_0002, PeerFSM.Side.passive), (0x0900_0002, .active)]
                as [(UInt32, PeerFSM.Side)]
            {
                let (wire, remote) = try collision(peerID: peerID)
                try require(remote.closed == [survivor.other], "closed \(remote.closed)")
                let lost = survivor == .active ? remote.other : remote.inbox
                try require(lost.last.map { $0[18] == 3 && $0[19] == 6 && $0[20] == 7 } ?? false, "no N(6,7)")
                wire.send(remote, WireBytes.keepalive, side: survivor)
                try require(wire.isUp(remote), "the survivor does not come up")
            }
        },
        Item(37, "with equal identifiers the connection of the higher AS survives", "RFC 6286 2.3") {
            for (peerAS, survivor) in [(65000, PeerFSM.Side.passive), (100, .active)] as [(UInt32, PeerFSM.Side)] {
                let (_, remote) = try collision(peerID: 0x0A00_0001, peerAS: peerAS)
                try require(remote.closed == [survivor.other], "closed \(remote.closed)")
            }
        },
        Item(38, "a new connection beside a session that is up is refused", "RFC 4271 6.8") {
            let (wire, remote) = try session()
            try require(!wire.speaker.admitsIncoming(remote.index, now: wire.now) && wire.isUp(remote), "taken")
        },
        Item(
            39,
            "a connection from an address that is no peer is closed, and leaves nothing behind after 10,000 of them",
            "RFC 4486 3",
            .lab("ten thousand connections from an address that is no peer leave nothing behind (conformance 39)")),
        Item(
            40, "too many prefixes → N(6,1) with AFI, SAFI and the limit; warning only keeps the session", "RFC 4486 4"
        ) {
            let (wire, remote) = try session { $0.maximumPrefixes.limit = 2 }
            wire.announce(remote, ["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"])
            try wire.expectNotification(remote, 6, 1, data: [0, 1, 1, 0, 0, 0, 2])
            let (warned, other) = try session {
                $0.maximumPrefixes.limit = 2
                $0.maximumPrefixes.action = .warn
            }
            warned.announce(other, ["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"])
            try require(warned.isUp(other) && warned.paths("10.3.0.0/24").count == 1, "reset")
            try require(other.events.contains(.maximumPrefixesReached(.ipv4, limit: 2, action: .warn)), "no warning")
        },
        Item(
            41, "shutdown N(6,2) and reset N(6,4) with up to 255 bytes of UTF-8; what is no UTF-8 is not interpreted",
            "RFC 9003 2 to 4"
        ) {
            let (wire, remote) = try session()
            wire.speaker.resetPeer(remote.index, .administrativeReset("maintenance"), now: wire.now)
            wire.run()
            try wire.expectNotification(remote, 6, 4, data: [11] + Array("maintenance".utf8))
            let long = NotificationMessage.administrativeShutdown(String(repeating: "ü", count: 200))
            try require(long.data.count <= 256 && long.data[0] == 254, "\(long.data.count) bytes")
            try require(NotificationMessage.administrativeShutdown().data.isEmpty, "an empty text")
            try require(
                NotificationMessage(.cease, 2, data: [2, 0xC3, 0x28]).shutdownCommunication == nil,
                "broken UTF-8 is interpreted")
            try require(NotificationMessage(.cease, 2, data: [0]).shutdownCommunication == nil, "length zero")
        },
        Item(42, "a peer that is taken away hears N(6,3), one whose settings changed N(6,6)", "RFC 4486 3") {
            let (wire, remote) = try session()
            wire.speaker.removePeer(remote.index, now: wire.now)
            wire.run()
            try wire.expectNotification(remote, 6, 3)
            let (changed, other) = try session()
            var settings = try require(changed.speaker.settings(other.index), "settings")
            settings.session.families = .ipv4
            changed.speaker.updatePeer(other.index, settings, now: changed.now)
            changed.run()
            try changed.expectNotification(other, 6, 6)
        },
        Item(
            43,
            "a peer that takes nothing for 8 minutes or twice the hold time is given up with N(8,0), the others "
                + "are not",
            "RFC 9687"
        ) {
            let wire = Wire()
            let stuck = wire.add(2)
            let fine = wire.add(3)
            try wire.establish(stuck)
            try wire.establish(fine)
            wire.speaker.setSendBlocked(stuck.index, .passive, isBlocked: true, now: wire.now)
            wire.advance(479, alive: [stuck, fine])
            try require(wire.isUp(stuck), "too early")
            wire.advance(2, alive: [stuck, fine])
            try wire.expectNotification(stuck, 8, 0)
            try require(wire.isUp(fine), "the other one too")
        },
        Item(44, "nothing follows a NOTIFICATION", "RFC 4271 6") {
            let (wire, remote) = try session()
            wire.originate("10.65.0.0/26")
            wire.send(remote, WireBytes.message(255))
            wire.originate("10.65.1.0/26")
            wire.advance(60)
            try wire.expectNotification(remote, 1, 3)
            try require(remote.inbox.last?[18] == 3, "\(remote.inbox.map { Wire.text($0) })")
        },
        Item(45, "a passive peer never connects", "RFC 4271 8.1.1") {
            let wire = Wire()
            let remote = wire.add(2)
            wire.advance(1000)
            try require(remote.dialled == 0, "\(remote.dialled) times")
        },
        Item(
            46, "with another TCP MD5 key no OPEN is ever seen; a change of the key concerns that peer alone",
            "RFC 2385",
            .lab(
                "a password that changes on both sides within the hold time keeps the session, and a wrong one lets "
                    + "nothing through (RFC 2385)"
            )),
        Item(
            47, "GTSM: packets from further away are ignored, ours have TTL 255, those of the handshake too",
            "RFC 5082 3",
            .lab(
                "a passive listener completes the handshake of FRR with ttl-security, and its SYN-ACK has TTL 255 "
                    + "only while a peer asks for it"
            )),
    ]
}
