import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 90 to 103: decision, reflection
extension Conformance {
    static let reflecting: @Sendable (inout PeerSettings) -> Void = { $0.isClient = true }

    /// A reflector with two clients and two others.
    static func reflector() throws -> (Wire, clients: [Wire.Remote], others: [Wire.Remote]) {
        let wire = Wire(cluster: 0x0909_0909)
        let clients = [wire.add(2, reflecting), wire.add(3, reflecting)]
        let others = [wire.add(4), wire.add(5)]
        for remote in clients + others { try wire.establish(remote) }
        for remote in clients + others { remote.inbox = [] }
        return (wire, clients, others)
    }

    static let decisions: [Item] = [
        Item(
            90, "our own AS in the path: kept, not selected; numAllowedLocalASNumbers allows so many", "RFC 4271 9.1.2"
        ) {
            for (allowed, isUsed) in [(0, false), (1, true)] {
                let (wire, remote) = try pair(as: 65000) { $0.importSettings.allowedOwnAS = allowed }
                wire.announce(remote, ["10.9.0.0/24"], path: [65000, 64512])
                try require(
                    wire.paths("10.9.0.0/24").count == 1 && (wire.best("10.9.0.0/24") != nil) == isUsed,
                    "allowed \(allowed)")
            }
        },
        Item(91, "an unreachable next hop: not selected until it is resolved", "RFC 4271 9.1.2.1") {
            let wire = Wire(tracksNextHops: true)
            let remote = wire.add(2)
            try wire.establish(remote)
            wire.announce(remote, ["10.9.0.0/24"])
            try require(wire.best("10.9.0.0/24") == nil, "selected")
            wire.speaker.changeNextHops([RIB.NextHopState(address: remote.address, isReachable: true, cost: 1)])
            wire.run()
            try require(wire.best("10.9.0.0/24") != nil, "not selected")
        },
        Item(92, "the order of the steps", "RFC 4271 9.1.2.2, 4456 9") {
            // What makes the second peer's route better, though everything before the step is equal and the first has
            // the lower address.
            for step in ["LOCAL_PREF", "AS_PATH", "ORIGIN", "MED"] {
                let wire = Wire()
                let a = wire.add(2)
                let b = wire.add(3)
                try wire.establish(a)
                try wire.establish(b)
                func route(_ last: UInt8, origin: UInt8 = 0, path: [UInt32] = [7], pref: UInt32 = 100, med: UInt32 = 0)
                    -> [UInt8]
                {
                    WireBytes.update(
                        WireBytes.attribute(0x40, 1, [origin]) + WireBytes.asPath(path) + WireBytes.nextHop(last)
                            + WireBytes.med(med) + WireBytes.localPref(pref), nlri: target)
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
            tie.announce(high, ["10.9.0.0/24"], WireBytes.attribute(0x80, 9, [0, 0, 0, 1]))
            try require(
                tie.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "ORIGINATOR_ID, then the lowest address")
            tie.announce(
                high, ["10.9.0.0/24"],
                WireBytes.attribute(0x80, 9, [0, 0, 0, 1]) + WireBytes.attribute(0x80, 10, [7, 7, 7, 7]))
            try require(tie.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.9"), "shortest CLUSTER_LIST")
        },
        Item(93, "MED among neighbors of one AS only, whatever the order of arrival", "RFC 4271 9.1.2.2 c") {
            let routes: [(UInt32, UInt32, UInt32)] = [(2, 65001, 10), (3, 65001, 5), (4, 65002, 7)]
            var winners: Set<String> = []
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let wire = Wire()
                let remotes = try routes.map { route in
                    let remote = wire.add(route.0)
                    try wire.establish(remote)
                    return remote
                }
                for index in order {
                    wire.announce(
                        remotes[index], ["10.9.0.0/24"], WireBytes.med(routes[index].2), path: [routes[index].1])
                }
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
            wire.announce(a, ["10.9.0.0/24"], WireBytes.med(1), path: [7])
            wire.announce(b, ["10.9.0.0/24"], path: [7])
            try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "MED 1 wins")
        },
        Item(95, "a long-lived stale route loses to any other, before LOCAL_PREF", "RFC 9494 4.4") {
            let wire = Wire()
            let a = wire.add(2)
            let b = wire.add(3)
            try wire.establish(a)
            try wire.establish(b)
            wire.send(
                a,
                WireBytes.update(
                    WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(2) + WireBytes.localPref(900)
                        + WireBytes.communities(.llgrStale), nlri: target))
            wire.announce(b, ["10.9.0.0/24"])
            try require(wire.best("10.9.0.0/24")?.nextHop == IPAddress("10.0.0.3"), "the stale one wins")
        },
        Item(96, "when the best route goes the next best is sent, without a withdrawal between", "RFC 4271 9.1.3") {
            let (wire, clients, others) = try reflector()
            wire.announce(clients[0], ["10.9.0.0/24"])
            wire.announce(others[0], ["10.9.0.0/24"])
            clients[1].inbox = []
            wire.send(clients[0], WireBytes.update(withdrawn: target))
            let updates = try wire.sent(clients[1])
            try require(
                updates.count == 1 && updates[0].withdrawn.isEmpty
                    && updates[0].attributes.nextHop == IPAddress("10.0.0.4"), "\(updates.count) UPDATEs")
        },
        Item(
            97, "paths that are equal through the interior cost share traffic, one is sent",
            "RFC 4271 9.1.2.2, maximumPaths"
        ) {
            let wire = Wire(cluster: 9, maximumPaths: 4)
            let remotes = [2, 3, 4].map { wire.add($0, reflecting) }
            for remote in remotes { try wire.establish(remote) }
            for remote in remotes.prefix(2) { wire.announce(remote, ["10.9.0.0/24"]) }
            let index = try require(wire.speaker.find(prefix("10.9.0.0/24")), "no route")
            try require(wire.speaker.multipath(index, .ipv4).count == 2, "no ECMP")
            let sent = try wire.sent(remotes[2])
            try require(sent.count == 1 && sent[0].announced.count == 1, "\(sent.count) sent")
        },
        Item(98, "a client's routes go to all, a non-client's to clients only", "RFC 4456 6") {
            let (wire, clients, others) = try reflector()
            wire.announce(clients[0], ["10.1.0.0/24"])
            wire.announce(others[0], ["10.2.0.0/24"])
            for (remote, first, second) in [
                (clients[1], true, true), (others[1], true, false), (others[0], true, false), (clients[0], false, true),
            ] {
                let announced = try wire.sent(remote).flatMap(\.announced).map(\.prefix)
                try require(
                    announced.contains(prefix("10.1.0.0/24")) == first
                        && announced.contains(prefix("10.2.0.0/24")) == second, "\(remote.address): \(announced)")
            }
        },
        Item(99, "reflection adds ORIGINATOR_ID where there is none and prepends our cluster id", "RFC 4456 8") {
            let (wire, clients, _) = try reflector()
            wire.announce(clients[0], ["10.1.0.0/24"])
            let first = try require(try wire.last(clients[1], "10.1.0.0/24"), "not sent").attributes
            try require(
                first.originatorID?.rawValue == 0x0A00_0002 && first.clusterList.map(\.rawValue) == [0x0909_0909],
                "\(first.clusterList)")
            wire.announce(
                clients[0], ["10.1.0.0/24"],
                WireBytes.attribute(0x80, 9, [7, 7, 7, 7]) + WireBytes.attribute(0x80, 10, [8, 8, 8, 8]))
            let second = try require(try wire.last(clients[1], "10.1.0.0/24"), "not sent").attributes
            try require(
                second.originatorID?.rawValue == 0x0707_0707
                    && second.clusterList.map(\.rawValue) == [0x0909_0909, 0x0808_0808], "\(second.clusterList)")
        },
        Item(100, "our identifier as ORIGINATOR_ID, our cluster id in CLUSTER_LIST: not used", "RFC 4456 8") {
            let (wire, clients, _) = try reflector()
            wire.announce(clients[0], ["10.1.0.0/24"], WireBytes.attribute(0x80, 9, [10, 0, 0, 1]))
            wire.announce(clients[0], ["10.2.0.0/24"], WireBytes.attribute(0x80, 10, [1, 1, 1, 1, 9, 9, 9, 9]))
            try require(
                wire.best("10.1.0.0/24") == nil && wire.best("10.2.0.0/24") == nil && wire.isUp(clients[0]), "used")
        },
        Item(
            101, "NEXT_HOP, AS_PATH, LOCAL_PREF and MED of a reflected route are unchanged, with next hop self too",
            "RFC 4456 10"
        ) {
            let wire = Wire(cluster: 9)
            let a = wire.add(2, reflecting)
            let b = wire.add(3) {
                $0.isClient = true
                $0.nextHop.mode = .itself
            }
            try wire.establish(a)
            try wire.establish(b)
            wire.send(
                a,
                WireBytes.update(
                    WireBytes.origin + WireBytes.asPath([7, 8]) + WireBytes.nextHop(77) + WireBytes.med(5)
                        + WireBytes.localPref(321),
                    nlri: target))
            let sent = try require(try wire.last(b, "10.9.0.0/24"), "not sent").attributes
            try require(
                sent.nextHop == IPAddress("10.0.0.77") && sent.asPath == ASPath([7, 8]) && sent.localPref == 321
                    && sent.multiExitDisc == 5, "\(sent)")
        },
        Item(102, "ORIGINATOR_ID and CLUSTER_LIST never leave the AS", "RFC 4271 5") {
            let wire = Wire(cluster: 9)
            let a = wire.add(2, reflecting)
            let b = wire.add(3, as: 65003) { $0.exportMode = .all }
            try wire.establish(a)
            try wire.establish(b)
            wire.announce(
                a, ["10.9.0.0/24"],
                WireBytes.attribute(0x80, 9, [7, 7, 7, 7]) + WireBytes.attribute(0x80, 10, [8, 8, 8, 8]))
            let types = try require(try wire.last(b, "10.9.0.0/24"), "not sent").types
            try require(!types.contains(9) && !types.contains(10), "\(types)")
        },
        Item(
            103, "two reflectors, of one cluster and of two: no loop, no lost route, few messages", "RFC 4456 8",
            .lab("two reflectors of one cluster or of two: no loop, no lost route")),
    ]
}
