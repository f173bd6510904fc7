import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 90 to 122: decision, reflection, refresh, ADD-PATH, restarts, dissemination
extension Conformance {
    private static let reflecting: @Sendable (inout PeerSettings) -> Void = { $0.isClient = true }

    /// A reflector with two clients and two others.
    private static func reflector() throws -> (Wire, clients: [Wire.Remote], others: [Wire.Remote]) {
        let wire = Wire(cluster: 0x0909_0909)
        let clients = [wire.add(2, reflecting), wire.add(3, reflecting)]
        let others = [wire.add(4), wire.add(5)]
        for remote in clients + others { try wire.establish(remote) }
        for remote in clients + others { remote.inbox = [] }
        return (wire, clients, others)
    }

    static func graceful(
        _ time: UInt16 = 120, restarting: Bool = false, notification: Bool = false, preserved: Bool = true, families: [AddressFamily] = [.ipv4, .ipv6]
    ) -> Capability {
        .gracefulRestart(
            GracefulRestartCapability(
                restarting: restarting, notification: notification, restartTime: time,
                families: families.map { .init(AFISAFI($0), forwardingPreserved: preserved) }))
    }
    static func longLived(_ time: UInt32 = 1000, preserved: Bool = true) -> Capability {
        .longLivedGracefulRestart([LongLivedFamily(AFISAFI(.ipv4), forwardingPreserved: preserved, staleTime: time)])
    }

    static let decisions: [Item] = [
        Item(90, "our own AS in the path: kept, not selected; numAllowedLocalASNumbers allows so many", "RFC 4271 9.1.2") {
            for (allowed, isUsed) in [(0, false), (1, true)] {
                let (wire, remote) = try pair(as: 65000) { $0.importSettings.allowedOwnAS = allowed }
                wire.announce(remote, ["10.9.0.0/24"], path: [65000, 64512])
                try require(wire.paths("10.9.0.0/24").count == 1 && (wire.best("10.9.0.0/24") != nil) == isUsed, "allowed \(allowed)")
            }
        },
        Item(91, "an unreachable next hop: not selected until it is resolved", "RFC 4271 9.1.2.1") {
            let wire = Wire(tracksNextHops: true)
            let remote = wire.add(2)
            try wire.establish(remote)
            wire.announce(remote, ["10.9.0.0/24"])
            try require(wire.best("10.9.0.0/24") == nil, "selected")
            wire.speaker.rib.changeNextHops([RIB.NextHopState(address: remote.address, isReachable: true, cost: 1)])
            wire.run()
            try require(wire.best("10.9.0.0/24") != nil, "not selected")
        },
        Item(92, "the order of the steps", "RFC 4271 9.1.2.2, 4456 9") {
            // What makes the second peer's route better, though everything before the step is equal and the first has the lower address.
            for step in ["LOCAL_PREF", "AS_PATH", "ORIGIN", "MED"] {
                let wire = Wire()
                let a = wire.add(2)
                let b = wire.add(3)
                try wire.establish(a)
                try wire.establish(b)
                func route(_ last: UInt8, origin: UInt8 = 0, path: [UInt32] = [7], pref: UInt32 = 100, med: UInt32 = 0) -> [UInt8] {
                    Octets.update(
                        Octets.attribute(0x40, 1, [origin]) + Octets.asPath(path) + Octets.nextHop(last) + Octets.med(med) + Octets.localPref(pref), nlri: target)
                }
                switch step {
                case "LOCAL_PREF":
                    wire.send(a, route(2))
                    wire.send(b, route(3, path: [7, 7, 7], pref: 101))
                case "AS_PATH":
                    wire.send(a, route(2, path: [7, 8]))
                    wire.send(b, route(3, origin: 2))
                case "ORIGIN":
                    wire.send(a, route(2, origin: 1))
                    wire.send(b, route(3, med: 9))
                default:
                    wire.send(a, route(2, med: 5))
                    wire.send(b, route(3, med: 4))
                }
                try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), step)
            }
            let wire = Wire()
            let inside = wire.add(2)
            let outside = wire.add(3, as: 65003)
            try wire.establish(inside)
            try wire.establish(outside)
            wire.announce(inside, ["10.9.0.0/24"], path: [65003])
            wire.announce(outside, ["10.9.0.0/24"])
            try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "external before internal")
            let tie = Wire()
            let low = tie.add(9)
            low.identifier = 1
            let high = tie.add(3)
            try tie.establish(low)
            try tie.establish(high)
            tie.announce(high, ["10.9.0.0/24"])
            tie.announce(low, ["10.9.0.0/24"])
            try require(tie.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.9"), "lowest identifier")
            tie.announce(high, ["10.9.0.0/24"], Octets.attribute(0x80, 9, [0, 0, 0, 1]))
            try require(tie.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "ORIGINATOR_ID, then the lowest address")
            tie.announce(high, ["10.9.0.0/24"], Octets.attribute(0x80, 9, [0, 0, 0, 1]) + Octets.attribute(0x80, 10, [7, 7, 7, 7]))
            try require(tie.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.9"), "shortest CLUSTER_LIST")
        },
        Item(93, "MED among neighbours of one AS only, whatever the order of arrival", "RFC 4271 9.1.2.2 c") {
            let routes: [(UInt32, UInt32, UInt32)] = [(2, 65001, 10), (3, 65001, 5), (4, 65002, 7)]
            var winners: Set<String> = []
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let wire = Wire()
                let remotes = try routes.map { route in
                    let remote = wire.add(route.0)
                    try wire.establish(remote)
                    return remote
                }
                for index in order { wire.announce(remotes[index], ["10.9.0.0/24"], Octets.med(routes[index].2), path: [routes[index].1]) }
                winners.insert("\(wire.best("10.9.0.0/24")?.nextHop ?? .any(.ipv4))")
            }
            try require(winners == ["10.0.0.3"], "\(winners)")
        },
        Item(94, "a missing MED is 0", "RFC 4271 9.1.2.2 c") {
            let wire = Wire()
            let a = wire.add(2)
            let b = wire.add(3)
            try wire.establish(a)
            try wire.establish(b)
            wire.announce(a, ["10.9.0.0/24"], Octets.med(1), path: [7])
            wire.announce(b, ["10.9.0.0/24"], path: [7])
            try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "MED 1 wins")
        },
        Item(95, "a long-lived stale route loses to any other, before LOCAL_PREF", "RFC 9494 4.4") {
            let wire = Wire()
            let a = wire.add(2)
            let b = wire.add(3)
            try wire.establish(a)
            try wire.establish(b)
            wire.send(a, Octets.update(Octets.origin + Octets.asPath([]) + Octets.nextHop(2) + Octets.localPref(900) + Octets.communities(.llgrStale), nlri: target))
            wire.announce(b, ["10.9.0.0/24"])
            try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "the stale one wins")
        },
        Item(96, "when the best route goes the next best is told, without a withdrawal between", "RFC 4271 9.1.3") {
            let (wire, clients, others) = try reflector()
            wire.announce(clients[0], ["10.9.0.0/24"])
            wire.announce(others[0], ["10.9.0.0/24"])
            clients[1].inbox = []
            wire.send(clients[0], Octets.update(withdrawn: target))
            let updates = try wire.told(clients[1])
            try require(updates.count == 1 && updates[0].withdrawn.isEmpty && updates[0].attributes.nextHop == IPAddress("10.0.0.4"), "\(updates.count) UPDATEs")
        },
        Item(97, "paths that are equal through the interior cost share traffic, one is told", "RFC 4271 9.1.2.2, SPEC maximumPaths") {
            let wire = Wire(cluster: 9, maximumPaths: 4)
            let remotes = [2, 3, 4].map { wire.add($0, reflecting) }
            for remote in remotes { try wire.establish(remote) }
            for remote in remotes.prefix(2) { wire.announce(remote, ["10.9.0.0/24"]) }
            let index = try require(wire.speaker.rib.tables[0].find(prefix("10.9.0.0/24")), "no route")
            try require(wire.speaker.rib.multipath(index, .ipv4).count == 2, "no ECMP")
            let told = try wire.told(remotes[2])
            try require(told.count == 1 && told[0].announced.count == 1, "\(told.count) told")
        },
        Item(98, "a client's routes go to all, a non-client's to clients only", "RFC 4456 6") {
            let (wire, clients, others) = try reflector()
            wire.announce(clients[0], ["10.1.0.0/24"])
            wire.announce(others[0], ["10.2.0.0/24"])
            for (remote, first, second) in [(clients[1], true, true), (others[1], true, false), (others[0], true, false), (clients[0], false, true)] {
                let announced = try wire.told(remote).flatMap(\.announced).map(\.prefix)
                try require(announced.contains(prefix("10.1.0.0/24")) == first && announced.contains(prefix("10.2.0.0/24")) == second, "\(remote.address): \(announced)")
            }
        },
        Item(99, "reflection adds ORIGINATOR_ID where there is none and prepends our cluster id", "RFC 4456 8") {
            let (wire, clients, _) = try reflector()
            wire.announce(clients[0], ["10.1.0.0/24"])
            let first = try require(try wire.last(clients[1], "10.1.0.0/24"), "not told").attributes
            try require(first.originatorID?.rawValue == 0x0A00_0002 && first.clusterList.map(\.rawValue) == [0x0909_0909], "\(first.clusterList)")
            wire.announce(clients[0], ["10.1.0.0/24"], Octets.attribute(0x80, 9, [7, 7, 7, 7]) + Octets.attribute(0x80, 10, [8, 8, 8, 8]))
            let second = try require(try wire.last(clients[1], "10.1.0.0/24"), "not told").attributes
            try require(second.originatorID?.rawValue == 0x0707_0707 && second.clusterList.map(\.rawValue) == [0x0909_0909, 0x0808_0808], "\(second.clusterList)")
        },
        Item(100, "our identifier as ORIGINATOR_ID, our cluster id in CLUSTER_LIST: not used", "RFC 4456 8") {
            let (wire, clients, _) = try reflector()
            wire.announce(clients[0], ["10.1.0.0/24"], Octets.attribute(0x80, 9, [10, 0, 0, 1]))
            wire.announce(clients[0], ["10.2.0.0/24"], Octets.attribute(0x80, 10, [1, 1, 1, 1, 9, 9, 9, 9]))
            try require(wire.best("10.1.0.0/24") == nil && wire.best("10.2.0.0/24") == nil && wire.isUp(clients[0]), "used")
        },
        Item(101, "NEXT_HOP, AS_PATH, LOCAL_PREF and MED of a reflected route are unchanged, with next hop self too", "RFC 4456 10") {
            let wire = Wire(cluster: 9)
            let a = wire.add(2, reflecting)
            let b = wire.add(3) {
                $0.isClient = true
                $0.nextHopMode = .itself
            }
            try wire.establish(a)
            try wire.establish(b)
            wire.send(a, Octets.update(Octets.origin + Octets.asPath([7, 8]) + Octets.nextHop(77) + Octets.med(5) + Octets.localPref(321), nlri: target))
            let told = try require(try wire.last(b, "10.9.0.0/24"), "not told").attributes
            try require(
                told.nextHop == IPAddress("10.0.0.77") && told.asPath == ASPath([7, 8]) && told.localPref == 321 && told.multiExitDisc == 5, "\(told)")
        },
        Item(102, "ORIGINATOR_ID and CLUSTER_LIST never leave the AS", "RFC 4271 5") {
            let wire = Wire(cluster: 9)
            let a = wire.add(2, reflecting)
            let b = wire.add(3, as: 65003) { $0.exportMode = .all }
            try wire.establish(a)
            try wire.establish(b)
            wire.announce(a, ["10.9.0.0/24"], Octets.attribute(0x80, 9, [7, 7, 7, 7]) + Octets.attribute(0x80, 10, [8, 8, 8, 8]))
            let types = try require(try wire.last(b, "10.9.0.0/24"), "not told").types
            try require(!types.contains(9) && !types.contains(10), "\(types)")
        },
        Item(
            103, "two reflectors, of one cluster and of two: no loop, no lost route, few messages", "RFC 4456 8",
            .lab("two reflectors of one cluster or of two: no loop, no lost route")),
        Item(104, "a ROUTE-REFRESH is answered with the whole table; for another family it is ignored", "RFC 2918 4") {
            let (wire, remote) = try pair { $0.session.families = .ipv4 }
            wire.originate("10.65.0.0/26")
            wire.originate("10.65.1.0/26")
            remote.inbox = []
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4)).encoded())
            try require(try wire.told(remote).flatMap(\.announced).count == 2, "not the whole table")
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv6)).encoded())
            try require(remote.inbox.isEmpty && wire.isUp(remote), "answered")
        },
        Item(105, "BoRR before and EoRR after what is told again; a peer's BoRR marks, its EoRR removes; before End-of-RIB it is ignored", "RFC 7313 4") {
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
            try require(wire.paths("10.1.0.0/24").allSatisfy { !$0.flags.contains(.refreshing) }, "BoRR as often as the peer likes")
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
        Item(106, "BoRR or EoRR of another length → N(7,1) with the whole message; an unknown subtype is ignored", "RFC 7313 5") {
            for body in [[0, 1, 1, 1, 0], [0, 1, 2]] as [[UInt8]] {
                let (wire, remote) = try pair(Wire.usual + [.enhancedRouteRefresh]) { _ in }
                let octets = Octets.message(5, body)
                wire.send(remote, octets)
                try wire.expectNotification(remote, 7, 1, data: octets)
            }
            let (wire, remote) = try pair(Wire.usual + [.enhancedRouteRefresh]) { _ in }
            wire.send(remote, RouteRefreshMessage(AFISAFI(.ipv4), subtype: 9).encoded())
            try require(wire.isUp(remote) && remote.inbox.isEmpty, "answered")
        },
        Item(107, "path identifiers only where the send and receive bits of both sides agree; another value is not understood", "RFC 7911 4") {
            func told(_ value: UInt8) throws -> Bool {
                let wire = Wire()
                let remote = wire.add(2) {
                    $0.session.sendsAddPath = true
                    $0.session.receivesAddPath = true
                }
                wire.connect(remote)
                wire.send(remote, open(parameters: parameter(capability(1, [0, 1, 0, 1]) + as4 + capability(69, [0, 1, 1, value]))))
                wire.send(remote, Octets.keepalive)
                try require(wire.isUp(remote), "value \(value)")
                remote.inbox = []
                wire.originate("10.65.0.0/26")
                let sent = try require(remote.inbox.first { $0[18] == 2 }, "nothing told")
                // An identifier before the prefix, or the end of LOCAL_PREF.
                return Array(sent.suffix(9)) == [0, 0, 0, 1, 26, 10, 65, 0, 0]
            }
            for (value, expected) in [(1, true), (3, true), (2, false), (0, false), (4, false)] as [(UInt8, Bool)] {
                try require(try told(value) == expected, "send/receive \(value)")
            }
        },
        Item(108, "the same prefix and identifier replace, an unknown identifier withdraws nothing; ours are stable and our own", "RFC 7911 2, 5") {
            let wire = Wire(cluster: 9)
            let source = wire.add(2) {
                $0.isClient = true
                $0.session.receivesAddPath = true
            }
            let taker = wire.add(3) {
                $0.isClient = true
                $0.session.sendsAddPath = true
            }
            let both: [Capability] = [.addPath([AddPathFamily(AFISAFI(.ipv4), receives: true, sends: true)])]
            try wire.establish(source, Wire.usual + both)
            try wire.establish(taker, Wire.usual + both)
            taker.inbox = []
            func path(_ id: UInt32, med: UInt32) -> [UInt8] { Octets.update(mandatory(Octets.med(med)), nlri: Octets.u32(id) + target) }
            wire.send(source, path(7, med: 1))
            wire.send(source, path(8, med: 2))
            try require(wire.paths("10.9.0.0/24").count == 2, "not two")
            let first = try wire.told(taker, addPath: .ipv4).flatMap(\.announced)
            try require(Set(first.map(\.pathID)).count == 2 && first.allSatisfy { $0.pathID != 0 }, "\(first)")
            wire.send(source, path(7, med: 3))
            try require(wire.paths("10.9.0.0/24").count == 2, "added")
            let again = try wire.told(taker, addPath: .ipv4)
            try require(again.count == 1 && first.contains(again[0].announced[0]), "the identifier changed")
            wire.send(source, Octets.update(withdrawn: Octets.u32(99) + target))
            try require(wire.paths("10.9.0.0/24").count == 2, "an unknown one withdraws")
            wire.send(source, Octets.update(withdrawn: Octets.u32(8) + target))
            let gone = try wire.told(taker, addPath: .ipv4).flatMap(\.withdrawn)
            try require(gone.count == 1 && first.contains(gone[0]) && gone[0] != again[0].announced[0], "\(gone)")
        },
        Item(109, "the best path is among those that are sent", "RFC 7911 5") {
            let wire = Wire(cluster: 9)
            let sources = [2, 3, 4, 5].map { wire.add($0, reflecting) }
            let taker = wire.add(9) {
                $0.isClient = true
                $0.session.sendsAddPath = true
                $0.addPathLimit = 2
            }
            for source in sources { try wire.establish(source) }
            try wire.establish(taker, Wire.usual + [.addPath([AddPathFamily(AFISAFI(.ipv4), receives: true, sends: false)])])
            var told: Set<OutboundNLRI> = []
            for (index, source) in sources.enumerated() {
                wire.send(source, Octets.update(Octets.origin + Octets.asPath([]) + Octets.nextHop(UInt8(2 + index)) + Octets.localPref(UInt32(100 + index)), nlri: target))
                for update in try wire.told(taker, addPath: .ipv4) {
                    told.subtract(update.withdrawn)
                    told.formUnion(update.announced)
                }
                let best = try require(wire.speaker.rib.tables[0].find(prefix("10.9.0.0/24")).flatMap { wire.speaker.rib.tables[0].best($0) }, "no best")
                try require(best.peer == source.index && told.count == min(2, index + 1), "\(told.count) told")
                try require(wire.speaker.rib.isAnnounced(prefix("10.9.0.0/24"), to: taker.index), "not announced")
            }
            let last = try require(told.map(\.pathID).max(), "none")
            let slots = wire.paths("10.9.0.0/24")
            try require(slots.count == 4 && last > 0, "\(slots.count)")
        },
    ]

    static let restarts: [Item] = [
        Item(110, "a new connection of a peer with graceful restart replaces the old one, which gets no NOTIFICATION", "RFC 4724 4.2") {
            let (wire, remote) = try pair(Wire.usual + [graceful()]) { _ in }
            wire.announce(remote, ["10.9.0.0/24"])
            try require(wire.connect(remote), "refused")
            try require(remote.inbox.allSatisfy { $0[18] != 3 } && wire.best("10.9.0.0/24") != nil, "\(remote.inbox.map { Wire.text($0) })")
        },
        Item(111, "the routes of a lost peer are kept as stale, older stale ones go, and their preference does not change", "RFC 4724 4.2") {
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
            try require(wire.paths("10.8.0.0/24").isEmpty && wire.best("10.9.0.0/24") != nil, "the older stale route stays")
        },
        Item(112, "not back in the restart time: gone. Back without F, the family or the capability: gone at once", "RFC 4724 4.2") {
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
        Item(113, "End-of-RIB removes what is still stale; ours follows the first table of each family, an empty one too", "RFC 4724 4.2") {
            let (wire, remote) = try pair(Wire.usual + [graceful()]) { _ in }
            wire.announce(remote, ["10.9.0.0/24", "10.8.0.0/24"])
            wire.lose(remote)
            wire.connect(remote)
            remote.inbox = []
            wire.send(remote, wire.openOctets(remote, Wire.usual + [graceful()]))
            wire.send(remote, Octets.keepalive)
            try require(remote.inbox.suffix(2).allSatisfy { $0[18] == 2 && ($0.count == 23 || $0.count == 29) }, "no End-of-RIB of ours")
            wire.announce(remote, ["10.9.0.0/24"])
            wire.send(remote, Octets.update())
            try require(wire.best("10.9.0.0/24") != nil && wire.paths("10.8.0.0/24").isEmpty, "stale routes stay")
        },
        Item(114, "restarting: R in the first OPEN only, transit is not declared complete before the peers' End-of-RIB or a deadline", "RFC 4724 4.1") {
            let wire = Wire(cluster: 9, restart: RestartState(isRestarting: true, preservedFamilies: .all))
            let a = wire.add(2, reflecting)
            let b = wire.add(3, reflecting)
            func restartingBit(_ remote: Wire.Remote) throws -> Bool {
                let octets = try require(remote.inbox.last { $0[18] == 1 }, "no OPEN")
                let open = try octets.withBytes { raw in
                    do throws(NotificationMessage) { return try OpenMessage(message: raw) } catch { throw Deviation("\(error)") }
                }
                for case .gracefulRestart(let value) in open.capabilities { return value.restarting }
                throw Deviation("no capability 64")
            }
            wire.connect(a)
            try require(try restartingBit(a), "R is missing")
            wire.send(a, wire.openOctets(a, Wire.usual + [graceful()]))
            wire.send(a, Octets.keepalive)
            try wire.establish(b, Wire.usual + [graceful()])
            try require(a.inbox.allSatisfy { $0.count != 23 || $0[18] != 2 }, "End-of-RIB before the peers'")
            for remote in [a, b] { for octets in [Octets.update(), Octets.update(Octets.unreach6([]))] { wire.send(remote, octets) } }
            try require(a.inbox.contains { $0.count == 23 && $0[18] == 2 }, "no End-of-RIB after the peers'")
            wire.lose(a)
            wire.connect(a)
            try require(!(try restartingBit(a)), "R in a later OPEN")
        },
        Item(115, "with N on both sides hold timer and NOTIFICATION keep routes, a hard reset does not", "RFC 8538 4") {
            for (octets, keeps) in [(NotificationMessage(.cease, 6), true), (NotificationMessage(.cease, 9), false), (NotificationMessage(.updateMessage, 1), true)] {
                let (wire, remote) = try pair(Wire.usual + [graceful(notification: true)]) { _ in }
                wire.announce(remote, ["10.9.0.0/24"])
                wire.send(remote, octets.encoded())
                try require((wire.best("10.9.0.0/24") != nil) == keeps, "\(octets)")
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
        Item(116, "when both sides restart at once, peers with R are not waited for; the others only until the deadline", "RFC 4724 4.1") {
            for (isRestarting, wait) in [(true, 0.0), (false, 61)] {
                let wire = Wire(cluster: 9, restart: RestartState(isRestarting: true, preservedFamilies: .all))
                let a = wire.add(2, reflecting)
                wire.connect(a)
                wire.send(a, wire.openOctets(a, Wire.usual + [graceful(restarting: isRestarting)]))
                wire.send(a, Octets.keepalive)
                let isTold = { a.inbox.contains { $0.count == 23 && $0[18] == 2 } }
                if wait > 0 {
                    wire.advance(50, alive: [a])
                    try require(!isTold(), "a peer without R is not waited for")
                }
                wire.advance(wait - 50, alive: [a])
                try require(isTold(), "R \(isRestarting): still waiting")
            }
        },
        Item(
            117, "after the restart time routes are marked LLGR_STALE and the last choice, not told to peers without RFC 9494; NO_LLGR goes; nothing without capability 64",
            "RFC 9494 4.2 to 4.5"
        ) {
            let wire = Wire(cluster: 9)
            let able: (inout PeerSettings) -> Void = {
                $0.isClient = true
                $0.session.longLivedStaleTime = 1000
            }
            let a = wire.add(2, able)
            let knows = wire.add(3, able)
            let plain = wire.add(4, reflecting)
            try wire.establish(a, Wire.usual + [graceful(60), longLived(500)])
            try wire.establish(knows, Wire.usual + [graceful(), longLived()])
            try wire.establish(plain)
            wire.announce(a, ["10.9.0.0/24"])
            wire.announce(a, ["10.8.0.0/24"], Octets.communities(.noLLGR))
            (knows.inbox, plain.inbox) = ([], [])
            wire.lose(a)
            wire.advance(61, alive: [knows, plain])
            try require(wire.best("10.9.0.0/24")?.communities == [.llgrStale] && wire.paths("10.8.0.0/24").isEmpty, "not marked, or NO_LLGR kept")
            try require(try wire.last(knows, "10.9.0.0/24")?.attributes.communities == [.llgrStale], "not told with the community")
            try require(try wire.told(plain).contains { $0.withdrawn.contains { $0.prefix == prefix("10.9.0.0/24") } }, "told to a peer without RFC 9494")
            wire.advance(498, alive: [knows, plain])
            try require(wire.best("10.9.0.0/24") != nil, "gone early")
            wire.advance(4, alive: [knows, plain])
            try require(wire.best("10.9.0.0/24") == nil, "kept for too long")
            let (bare, remote) = try pair(Wire.usual + [longLived()]) { $0.session.longLivedStaleTime = 1000 }
            bare.announce(remote, ["10.9.0.0/24"])
            bare.lose(remote)
            try require(bare.best("10.9.0.0/24") == nil, "LLGR without capability 64")
        },
        Item(118, "the long-lived timer is not started anew by restarts before the peer has told its table", "RFC 9494 4.2") {
            let (wire, remote) = try pair(Wire.usual + [graceful(10), longLived(100)]) { $0.session.longLivedStaleTime = 1000 }
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
        Item(119, "with an interval set, announcements of a prefix are that far apart, the last choice is told, withdrawals do not wait", "RFC 4271 9.2.1.1") {
            let wire = Wire(cluster: 9)
            let source = wire.add(2, reflecting)
            let taker = wire.add(3) {
                $0.isClient = true
                $0.minimumInterval = .seconds(30)
            }
            try wire.establish(source)
            try wire.establish(taker)
            wire.announce(source, ["10.9.0.0/24"], Octets.med(1))
            try require(try wire.last(taker, "10.9.0.0/24")?.attributes.multiExitDisc == 1, "the first one waits")
            for med in 2...4 as ClosedRange<UInt32> { wire.announce(source, ["10.9.0.0/24"], Octets.med(med)) }
            // With a jitter of a quarter (RFC 4271 10).
            wire.advance(22, alive: [source, taker])
            try require(try wire.told(taker).isEmpty, "told early")
            wire.advance(9, alive: [source, taker])
            let told = try wire.told(taker)
            try require(told.count == 1 && told[0].attributes.multiExitDisc == 4, "\(told.map { $0.attributes.multiExitDisc ?? 0 })")
            wire.send(source, Octets.update(withdrawn: target))
            try require(try wire.told(taker).contains { !$0.withdrawn.isEmpty }, "the withdrawal waits")
        },
        Item(120, "the same selection again sends nothing, and what was never told is not withdrawn", "RFC 4271 9.2") {
            let (wire, clients, _) = try reflector()
            wire.announce(clients[0], ["10.9.0.0/24"])
            clients[1].inbox = []
            wire.announce(clients[0], ["10.9.0.0/24"])
            wire.send(clients[0], Octets.update(withdrawn: Octets.nlri(prefix("10.7.0.0/24"))))
            try require(try wire.told(clients[1]).isEmpty, "told again")
        },
        Item(121, "a peer that stops reading delays nobody and has a bound on its memory", "promise of SPEC, 'limit on every queue'") {
            let (wire, clients, _) = try reflector()
            wire.speaker.setBacklogged(clients[1].index, true)
            wire.announce(clients[0], (0..<200).map { "10.9.\($0).0/24" })
            try require(try wire.told(clients[1]).isEmpty, "told in spite of its full queue")
            wire.send(clients[0], Octets.update(withdrawn: Octets.nlri(prefix("10.9.7.0/24"))))
            wire.speaker.setBacklogged(clients[1].index, false)
            wire.run()
            let announced = try wire.told(clients[1]).flatMap(\.announced).map(\.prefix)
            try require(announced.count == 199 && !announced.contains(prefix("10.9.7.0/24")), "\(announced.count) after it read again")
        },
        Item(122, "the whole table precedes End-of-RIB", "RFC 4724 2") {
            let wire = Wire()
            for i in 0..<3000 as Range<UInt32> { wire.speaker.rib.originate(Prefix(IPAddress(v4: 0x0B00_0000 + i * 256), length: 24), ownRoute()) }
            wire.run()
            let remote = wire.add(2)
            wire.connect(remote)
            wire.send(remote, wire.openOctets(remote))
            wire.send(remote, Octets.keepalive)
            let marker = try require(remote.inbox.firstIndex { $0.count == 23 && $0[18] == 2 }, "no End-of-RIB")
            let before = try remote.inbox[..<marker].filter { $0[18] == 2 }.map { try Told($0) }.flatMap(\.announced).count
            try require(before == 3000, "\(before) before End-of-RIB")
        },
    ]
}
