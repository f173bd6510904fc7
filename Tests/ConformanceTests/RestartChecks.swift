import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 110 to 118: restarts
extension Conformance {
    static func graceful(
        _ time: UInt16 = 120, restarting: Bool = false, notification: Bool = false, preserved: Bool = true,
        families: [AddressFamily] = [.ipv4, .ipv6]
    ) -> Capability {
        .gracefulRestart(
            GracefulRestartCapability(
                restarting: restarting, notification: notification, restartTime: time,
                families: families.map { .init(AFISAFI($0), forwardingPreserved: preserved) }))
    }
    static func longLived(_ time: UInt32 = 1000, preserved: Bool = true) -> Capability {
        .longLivedGracefulRestart([LongLivedFamily(AFISAFI(.ipv4), forwardingPreserved: preserved, staleTime: time)])
    }

    static let restarts: [Item] = [
        Item(
            110, "a new connection of a peer with graceful restart replaces the old one, which gets no NOTIFICATION",
            "RFC 4724 4.2"
        ) {
            let (wire, remote) = try pair(Wire.usual + [graceful()]) { _ in }
            wire.announce(remote, ["10.9.0.0/24"])
            try require(wire.connect(remote), "refused")
            try require(
                remote.inbox.allSatisfy { $0[18] != 3 } && wire.best("10.9.0.0/24") != nil,
                "\(remote.inbox.map { Wire.text($0) })")
        },
        Item(
            111,
            "the routes of a lost peer are kept as stale, older stale ones go, and their preference does not change",
            "RFC 4724 4.2"
        ) {
            let wire = Wire()
            let a = wire.add(2)
            let b = wire.add(3)
            try wire.establish(a, Wire.usual + [graceful()])
            try wire.establish(b)
            wire.announce(b, ["10.9.0.0/24"])
            wire.announce(a, ["10.9.0.0/24", "10.8.0.0/24"])
            wire.lose(a)
            try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.2"), "another preference")
            try require(wire.paths("10.8.0.0/24").first?.flags.contains(.stale) ?? false, "not stale")
            try wire.establish(a, Wire.usual + [graceful()])
            wire.announce(a, ["10.9.0.0/24"])
            wire.lose(a)
            try require(
                wire.paths("10.8.0.0/24").isEmpty && wire.best("10.9.0.0/24") != nil, "the older stale route stays")
        },
        Item(
            112, "not back in the restart time: gone. Back without F, the family or the capability: gone at once",
            "RFC 4724 4.2"
        ) {
            let (late, remote) = try pair(Wire.usual + [graceful(60)]) { _ in }
            late.announce(remote, ["10.9.0.0/24"])
            late.lose(remote)
            late.advance(59)
            try require(late.best("10.9.0.0/24") != nil, "gone early")
            late.advance(2)
            try require(late.best("10.9.0.0/24") == nil, "kept")
            for again in [[graceful(preserved: false)], [graceful(families: [.ipv6])], []] as [[Capability]] {
                let (wire, peer) = try pair(Wire.usual + [graceful()]) { _ in }
                wire.announce(peer, ["10.9.0.0/24"])
                wire.lose(peer)
                try wire.establish(peer, Wire.usual + again)
                try require(wire.paths("10.9.0.0/24").isEmpty, "\(again)")
            }
        },
        Item(
            113,
            "End-of-RIB removes what is still stale; ours follows the first table of each family, an empty one too",
            "RFC 4724 4.2"
        ) {
            let (wire, remote) = try pair(Wire.usual + [graceful()]) { _ in }
            wire.announce(remote, ["10.9.0.0/24", "10.8.0.0/24"])
            wire.lose(remote)
            wire.connect(remote)
            remote.inbox = []
            wire.send(remote, wire.openBytes(remote, Wire.usual + [graceful()]))
            wire.send(remote, WireBytes.keepalive)
            try require(
                remote.inbox.suffix(2).allSatisfy { $0[18] == 2 && ($0.count == 23 || $0.count == 29) },
                "no End-of-RIB of ours")
            wire.announce(remote, ["10.9.0.0/24"])
            wire.send(remote, WireBytes.update())
            try require(wire.best("10.9.0.0/24") != nil && wire.paths("10.8.0.0/24").isEmpty, "stale routes stay")
        },
        Item(
            114,
            "restarting: R in the first OPEN only, transit is not declared complete before the peers' End-of-RIB "
                + "or a deadline",
            "RFC 4724 4.1"
        ) {
            let wire = Wire(cluster: 9, restart: RestartState(isRestarting: true, preservedFamilies: .all))
            let a = wire.add(2, reflecting)
            let b = wire.add(3, reflecting)
            func restartingBit(_ remote: Wire.Remote) throws -> Bool {
                let bytes = try require(remote.inbox.last { $0[18] == 1 }, "no OPEN")
                let open = try bytes.withBytes { raw in
                    do throws(NotificationMessage) { return try OpenMessage(message: raw) } catch {
                        throw Deviation("\(error)")
                    }
                }
                for case .gracefulRestart(let value) in open.capabilities { return value.restarting }
                throw Deviation("no capability 64")
            }
            wire.connect(a)
            try require(try restartingBit(a), "R is missing")
            wire.send(a, wire.openBytes(a, Wire.usual + [graceful()]))
            wire.send(a, WireBytes.keepalive)
            try wire.establish(b, Wire.usual + [graceful()])
            try require(a.inbox.allSatisfy { $0.count != 23 || $0[18] != 2 }, "End-of-RIB before the peers'")
            for remote in [a, b] {
                for bytes in [WireBytes.update(), WireBytes.update(WireBytes.unreach6([]))] { wire.send(remote, bytes) }
            }
            try require(a.inbox.contains { $0.count == 23 && $0[18] == 2 }, "no End-of-RIB after the peers'")
            wire.lose(a)
            wire.connect(a)
            try require(!(try restartingBit(a)), "R in a later OPEN")
        },
        Item(115, "with N on both sides hold timer and NOTIFICATION keep routes, a hard reset does not", "RFC 8538 4") {
            for (bytes, keeps) in [
                (NotificationMessage(.cease, 6), true), (NotificationMessage(.cease, 9), false),
                (NotificationMessage(.updateMessage, 1), true),
            ] {
                let (wire, remote) = try pair(Wire.usual + [graceful(notification: true)]) { _ in }
                wire.announce(remote, ["10.9.0.0/24"])
                wire.send(remote, bytes.encoded())
                try require((wire.best("10.9.0.0/24") != nil) == keeps, "\(bytes)")
            }
            let (plain, other) = try pair(Wire.usual + [graceful()]) { _ in }
            plain.announce(other, ["10.9.0.0/24"])
            plain.send(other, NotificationMessage(.cease, 4).encoded())
            try require(plain.best("10.9.0.0/24") == nil, "without N")
            let (ours, peer) = try pair(Wire.usual + [graceful(notification: true)]) { _ in }
            ours.speaker.removePeer(peer.index, now: ours.now)
            ours.run()
            try ours.expectNotification(peer, 6, 9, data: [6, 3], "our own")
        },
        Item(
            116, "when both sides restart at once, peers with R are not waited for; the others only until the deadline",
            "RFC 4724 4.1"
        ) {
            for (isRestarting, wait) in [(true, 0.0), (false, 61)] {
                let wire = Wire(cluster: 9, restart: RestartState(isRestarting: true, preservedFamilies: .all))
                let a = wire.add(2, reflecting)
                wire.connect(a)
                wire.send(a, wire.openBytes(a, Wire.usual + [graceful(restarting: isRestarting)]))
                wire.send(a, WireBytes.keepalive)
                let isSent = { a.inbox.contains { $0.count == 23 && $0[18] == 2 } }
                if wait > 0 {
                    wire.advance(50, alive: [a])
                    try require(!isSent(), "a peer without R is not waited for")
                }
                wire.advance(wait - 50, alive: [a])
                try require(isSent(), "R \(isRestarting): still waiting")
            }
        },
        Item(
            117,
            "after the restart time routes are marked LLGR_STALE and the last choice, not sent to peers without "
                + "RFC 9494; NO_LLGR goes; nothing without capability 64",
            "RFC 9494 4.2 to 4.5"
        ) {
            let wire = Wire(cluster: 9)
            let able: (inout PeerSettings) -> Void = {
                $0.isClient = true
                $0.session.restart.longLivedStaleTime = 1000
            }
            let a = wire.add(2, able)
            let knows = wire.add(3, able)
            let plain = wire.add(4, reflecting)
            try wire.establish(a, Wire.usual + [graceful(60), longLived(500)])
            try wire.establish(knows, Wire.usual + [graceful(), longLived()])
            try wire.establish(plain)
            wire.announce(a, ["10.9.0.0/24"])
            wire.announce(a, ["10.8.0.0/24"], WireBytes.communities(.noLLGR))
            (knows.inbox, plain.inbox) = ([], [])
            wire.lose(a)
            wire.advance(61, alive: [knows, plain])
            try require(
                wire.best("10.9.0.0/24")?.communities == [.llgrStale] && wire.paths("10.8.0.0/24").isEmpty,
                "not marked, or NO_LLGR kept")
            try require(
                try wire.last(knows, "10.9.0.0/24")?.attributes.communities == [.llgrStale],
                "not sent with the community")
            try require(
                try wire.sent(plain).contains { $0.withdrawn.contains { $0.prefix == prefix("10.9.0.0/24") } },
                "sent to a peer without RFC 9494")
            wire.advance(498, alive: [knows, plain])
            try require(wire.best("10.9.0.0/24") != nil, "gone early")
            wire.advance(4, alive: [knows, plain])
            try require(wire.best("10.9.0.0/24") == nil, "kept for too long")
            let (bare, remote) = try pair(Wire.usual + [longLived()]) { $0.session.restart.longLivedStaleTime = 1000 }
            bare.announce(remote, ["10.9.0.0/24"])
            bare.lose(remote)
            try require(bare.best("10.9.0.0/24") == nil, "LLGR without capability 64")
        },
        Item(
            118, "the long-lived timer is not started anew by restarts before the peer has sent its table",
            "RFC 9494 4.2"
        ) {
            let (wire, remote) = try pair(Wire.usual + [graceful(10), longLived(100)]) {
                $0.session.restart.longLivedStaleTime = 1000
            }
            wire.announce(remote, ["10.9.0.0/24"])
            wire.lose(remote)
            wire.advance(60)
            try wire.establish(remote, Wire.usual + [graceful(10), longLived(100)])
            wire.lose(remote)
            wire.advance(45)
            try require(wire.best("10.9.0.0/24") != nil, "gone early")
            wire.advance(10)
            try require(wire.best("10.9.0.0/24") == nil, "the timer began anew")
        },
    ]
}
