import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 104 to 109: ROUTE-REFRESH, ADD-PATH
extension Conformance {
    static let refreshes: [Item] = [
        Item(104, "a ROUTE-REFRESH is answered with the whole table; for another family it is ignored", "RFC 2918 4") {
            let (wire, remote) = try pair { $0.session.families = .ipv4 }
            wire.originate("10.65.0.0/26")
            wire.originate("10.65.1.0/26")
            remote.inbox = []
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4)).encoded())
            try require(try wire.sent(remote).flatMap(\.announced).count == 2, "not the whole table")
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv6)).encoded())
            try require(remote.inbox.isEmpty && wire.isUp(remote), "answered")
        },
        Item(
            105,
            "BoRR before and EoRR after what is sent again; a peer's BoRR marks, its EoRR removes; before "
                + "End-of-RIB it is ignored",
            "RFC 7313 4"
        ) {
            let (wire, remote) = try pair(Wire.usual + [.enhancedRouteRefresh]) { _ in }
            wire.originate("10.65.0.0/26")
            remote.inbox = []
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4)).encoded())
            try require(remote.inbox.map { $0[18] } == [5, 2, 5], "\(remote.inbox.map { Wire.text($0) })")
            try require(remote.inbox[0][21] == 1 && remote.inbox[2][21] == 2, "subtypes")
            wire.announce(remote, ["10.1.0.0/24", "10.2.0.0/24"])
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 1).encoded())
            wire.announce(remote, ["10.1.0.0/24"])
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 2).encoded())
            try require(wire.best("10.1.0.0/24") != nil && wire.paths("10.2.0.0/24").isEmpty, "EoRR")
            // A second one within a second costs nothing.
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 1).encoded())
            try require(
                wire.paths("10.1.0.0/24").allSatisfy { !$0.flags.contains(.refreshing) },
                "BoRR as often as the peer likes")
            wire.advance(2, alive: [remote])
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 1).encoded())
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 2).encoded())
            try require(wire.paths("10.1.0.0/24").isEmpty, "the next refresh")
            let (early, other) = try pair(Wire.usual + [.enhancedRouteRefresh, graceful()]) { _ in }
            early.announce(other, ["10.1.0.0/24"])
            early.send(other, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 1).encoded())
            early.send(other, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 2).encoded())
            try require(early.best("10.1.0.0/24") != nil, "BoRR before End-of-RIB counts")
        },
        Item(
            106, "BoRR or EoRR of another length → N(7,1) with the whole message; an unknown subtype is ignored",
            "RFC 7313 5"
        ) {
            for body in [[0, 1, 1, 1, 0], [0, 1, 2]] as [[UInt8]] {
                let (wire, remote) = try pair(Wire.usual + [.enhancedRouteRefresh]) { _ in }
                let bytes = WireBytes.message(5, body)
                wire.send(remote, bytes)
                try wire.expectNotification(remote, 7, 1, data: bytes)
            }
            let (wire, remote) = try pair(Wire.usual + [.enhancedRouteRefresh]) { _ in }
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 9).encoded())
            try require(wire.isUp(remote) && remote.inbox.isEmpty, "answered")
        },
        Item(
            107,
            "path identifiers only where the send and receive bits of both sides agree; another value is not "
                + "understood",
            "RFC 7911 4"
        ) {
            func isAnnounced(_ value: UInt8) throws -> Bool {
                let wire = Wire()
                let remote = wire.add(2) {
                    $0.session.addPath.sends = true
                    $0.session.addPath.receives = true
                }
                wire.connect(remote)
                wire.send(
                    remote,
                    open(parameters: parameter(capability(1, [0, 1, 0, 1]) + as4 + capability(69, [0, 1, 1, value]))))
                wire.send(remote, WireBytes.keepalive)
                try require(wire.isUp(remote), "value \(value)")
                remote.inbox = []
                wire.originate("10.65.0.0/26")
                let sent = try require(remote.inbox.first { $0[18] == 2 }, "nothing sent")
                // An identifier before the prefix, or the end of LOCAL_PREF.
                return Array(sent.suffix(9)) == [0, 0, 0, 1, 26, 10, 65, 0, 0]
            }
            for (value, expected) in [(1, true), (3, true), (2, false), (0, false), (4, false)] as [(UInt8, Bool)] {
                try require(try isAnnounced(value) == expected, "send/receive \(value)")
            }
        },
        Item(
            108,
            "the same prefix and identifier replace, an unknown identifier withdraws nothing; ours are stable and "
                + "our own",
            "RFC 7911 2, 5"
        ) {
            let wire = Wire(cluster: 9)
            let source = wire.add(2) {
                $0.isClient = true
                $0.session.addPath.receives = true
            }
            let taker = wire.add(3) {
                $0.isClient = true
                $0.session.addPath.sends = true
            }
            let both: [Capability] = [.addPath([AddPathFamily(AFISAFI(.ipv4), receives: true, sends: true)])]
            try wire.establish(source, Wire.usual + both)
            try wire.establish(taker, Wire.usual + both)
            taker.inbox = []
            func path(_ id: UInt32, med: UInt32) -> [UInt8] {
                WireBytes.update(mandatory(WireBytes.med(med)), nlri: WireBytes.u32(id) + target)
            }
            wire.send(source, path(7, med: 1))
            wire.send(source, path(8, med: 2))
            try require(wire.paths("10.9.0.0/24").count == 2, "not two")
            let first = try wire.sent(taker, addPath: .ipv4).flatMap(\.announced)
            try require(Set(first.map(\.pathID)).count == 2 && first.allSatisfy { $0.pathID != 0 }, "\(first)")
            wire.send(source, path(7, med: 3))
            try require(wire.paths("10.9.0.0/24").count == 2, "added")
            let again = try wire.sent(taker, addPath: .ipv4)
            try require(again.count == 1 && first.contains(again[0].announced[0]), "the identifier changed")
            wire.send(source, WireBytes.update(withdrawn: WireBytes.u32(99) + target))
            try require(wire.paths("10.9.0.0/24").count == 2, "an unknown one withdraws")
            wire.send(source, WireBytes.update(withdrawn: WireBytes.u32(8) + target))
            let gone = try wire.sent(taker, addPath: .ipv4).flatMap(\.withdrawn)
            try require(gone.count == 1 && first.contains(gone[0]) && gone[0] != again[0].announced[0], "\(gone)")
        },
        Item(109, "the best path is among those that are sent", "RFC 7911 5") {
            let wire = Wire(cluster: 9)
            let sources = [2, 3, 4, 5].map { wire.add($0, reflecting) }
            let taker = wire.add(9) {
                $0.isClient = true
                $0.session.addPath.sends = true
                $0.addPathLimit = 2
            }
            for source in sources { try wire.establish(source) }
            try wire.establish(
                taker, Wire.usual + [.addPath([AddPathFamily(AFISAFI(.ipv4), receives: true, sends: false)])])
            var sent: Set<OutboundNLRI> = []
            for (index, source) in sources.enumerated() {
                wire.send(
                    source,
                    WireBytes.update(
                        WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(UInt8(2 + index))
                            + WireBytes.localPref(UInt32(100 + index)), nlri: target))
                for update in try wire.sent(taker, addPath: .ipv4) {
                    sent.subtract(update.withdrawn)
                    sent.formUnion(update.announced)
                }
                let best = try require(
                    wire.speaker.find(prefix("10.9.0.0/24")).flatMap {
                        wire.speaker.bestPath($0, .ipv4)
                    }, "no best")
                try require(best.peer == source.index && sent.count == min(2, index + 1), "\(sent.count) sent")
                try require(wire.speaker.isAnnounced(prefix("10.9.0.0/24"), to: taker.index), "not announced")
            }
            let last = try require(sent.map(\.pathID).max(), "none")
            let slots = wire.paths("10.9.0.0/24")
            try require(slots.count == 4 && last > 0, "\(slots.count)")
        },
    ]
}
