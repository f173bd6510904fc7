import BGPMessages
import FIB
import NetTypes
import Planning
package import Rehearsal
package import StatusAPI

/// Calico's state and what Apus came to, side by side.
///
/// Metrics and protocol numbers of routes are not compared (`--take-over` replaces routes whatever theirs are), nor is
/// `onlink`, nor which side opens a connection: BIRD does not say.
package struct Comparison {
    private let calico: PlayedPeers
    private let outcome: RehearsedNode.Outcome
    private let host: HostCopy
    package private(set) var differences: [ShadowDifference] = []
    package private(set) var announcements = 0
    package private(set) var routes = 0

    package init(_ calico: PlayedPeers, _ outcome: RehearsedNode.Outcome, on host: HostCopy) {
        self.calico = calico
        self.outcome = outcome
        self.host = host
        compareSessions()
        let established = calico.sessions.filter(\.session.isEstablished)
        for (index, session) in established.enumerated() {
            compareReceived(session, outcome.refused[index])
            compareAnnounced(session, outcome.announced[index])
        }
        compareRoutes()
        differences.sort()
    }

    // MARK: Sessions

    private mutating func compareSessions() {
        var unmatched = calico.sessions.map(\.session)
        for peer in outcome.peers {
            let matches = unmatched.filter { Comparison.isPeer($0, peer.planned) }
            // Of two daemons at one address BIRD shows no port: the AS tells them apart, where it does.
            let session = matches.first { $0.neighborAS == peer.planned.remoteAS } ?? matches.first
            guard let session else {
                // Nobody need be there for a range, and who is there is matched with it.
                if case .range = peer.planned.target { continue }
                differences.append(
                    ShadowDifference(
                        .session, peer: peer.planned.text, calico: nil,
                        apus: "\(peer.planned.name)\(peer.planned.remoteAS.map { ", AS \($0)" } ?? "")",
                        reason: peer.holdReason.map { .heldDown(reason: $0) }))
                continue
            }
            if case .range(let range) = peer.planned.target {
                unmatched.removeAll { $0.address.map { range.contains(Prefix(host: $0)) } ?? false }
            } else if let position = unmatched.firstIndex(of: session) {
                unmatched.remove(at: position)
            }
            compare(session, peer)
        }
        for session in unmatched {
            let address = session.address.map { "\($0)" } ?? session.name
            differences.append(
                ShadowDifference(
                    .session, peer: address,
                    calico: "\(session.name)\(session.neighborAS.map { ", AS \($0)" } ?? "")", apus: nil))
        }
    }

    private static func isPeer(_ session: PlayedSession, _ planned: PlannedPeer) -> Bool {
        switch planned.target {
        case .address(let address): session.address == address.unscoped
        case .range(let range): session.address.map { range.contains(Prefix(host: $0)) } ?? false
        case .interface(let name): session.interface == name
        }
    }

    private mutating func compare(_ session: PlayedSession, _ peer: PeeringDecision.Peer) {
        let address = session.address.map { "\($0)" } ?? session.name
        if let reason = peer.holdReason {
            differences.append(
                ShadowDifference(
                    .session, peer: address, field: "state", calico: session.isEstablished ? "up" : "down",
                    apus: "down", reason: .heldDown(reason: reason)))
        }
        func note(_ field: String, calico theirs: String, apus ours: String) {
            guard theirs != ours else { return }
            differences.append(
                ShadowDifference(.session, peer: address, field: field, calico: theirs, apus: ours))
        }
        if let theirs = session.neighborAS, let ours = peer.planned.remoteAS {
            note("AS", calico: "\(theirs)", apus: "\(ours)")
        }
        if let theirs = session.localAS { note("local AS", calico: "\(theirs)", apus: "\(peer.planned.localAS)") }
        note("families", calico: Comparison.names(session.families), apus: Comparison.names(peer.planned.families))
    }

    private static func names(_ families: AddressFamilySet) -> String {
        families.families.map(\.name).joined(separator: ", ")
    }

    // MARK: Routes of peers

    private mutating func compareReceived(_ session: PlayedPeers.Session, _ refused: [Prefix: ShadowReason]) {
        for (prefix, reason) in refused {
            differences.append(
                ShadowDifference(
                    .received, peer: session.session.address.map { "\($0)" }, prefix: "\(prefix)", calico: "accepted",
                    apus: "refused", reason: reason))
        }
    }

    private mutating func compareAnnounced(_ session: PlayedPeers.Session, _ ours: [Prefix: PathAttributes]) {
        let peer = session.session.address.map { "\($0)" }
        let theirs = Dictionary(session.sent.map { ($0.prefix, $0.attributes) }) { first, _ in first }
        announcements += theirs.count
        for prefix in Set(theirs.keys).union(ours.keys) {
            func note(_ field: String?, calico theirs: String?, apus ours: String?) {
                guard theirs != ours else { return }
                differences.append(
                    ShadowDifference(
                        .announced, peer: peer, prefix: "\(prefix)", field: field, calico: theirs, apus: ours))
            }
            guard let their = theirs[prefix], let our = ours[prefix] else {
                note(nil, calico: theirs[prefix].map { _ in "announced" }, apus: ours[prefix].map { _ in "announced" })
                continue
            }
            note(
                "communities", calico: Comparison.list(their.communities.sorted()),
                apus: Comparison.list(our.communities.sorted()))
            note(
                "large communities", calico: Comparison.list(their.largeCommunities.map(\.description).sorted()),
                apus: Comparison.list(our.largeCommunities.map(\.description).sorted()))
            // Only internal peers are sent it, and BIRD shows what its filter set.
            if let theirs = their.localPref, let ours = our.localPref {
                note("LOCAL_PREF", calico: "\(theirs)", apus: "\(ours)")
            }
        }
    }

    private static func list(_ values: [some CustomStringConvertible]) -> String {
        values.isEmpty ? "none" : values.map(\.description).joined(separator: " ")
    }

    // MARK: The kernel

    private mutating func compareRoutes() {
        // Peers may send a link-local next hop beside the global one: both lead to the same neighbor.
        var global: [IPAddress: IPAddress] = [:]
        for route in calico.sessions.flatMap(\.received) {
            if let linkLocal = route.linkLocalNextHop, let hop = route.attributes.nextHop {
                global[linkLocal.unscoped] = hop
            }
        }
        func text(_ hops: [FIBNextHop]) -> String {
            let texts = hops.map { hop in
                let gateway = hop.gateway.map { global[$0.unscoped] ?? $0.unscoped }
                return (gateway.map { "via \($0) " } ?? "") + "dev \(host.interfaceName(hop.interface))"
            }
            return hops.isEmpty ? "blackhole" : Set(texts).sorted().joined(separator: ", ")
        }
        // Of several at one prefix the kernel takes those of the lowest metric.
        var theirs: [Prefix: (metric: UInt32, hops: [FIBNextHop])] = [:]
        for route in host.calico {
            if let known = theirs[route.prefix], known.metric < route.metric { continue }
            let isSame = theirs[route.prefix]?.metric == route.metric
            theirs[route.prefix] = (
                route.metric, (isSame ? theirs[route.prefix]?.hops ?? [] : []) + route.nextHops
            )
        }
        routes = theirs.count
        let ours = Dictionary(outcome.routes.map { ($0.prefix, $0) }) { $0.metric < $1.metric ? $0 : $1 }
        for prefix in Set(theirs.keys).union(ours.keys) {
            let (their, our) = (theirs[prefix].map { text($0.hops) }, ours[prefix].map { text($0.nextHops) })
            guard their != our else { continue }
            differences.append(
                ShadowDifference(
                    .route, prefix: "\(prefix)", field: their != nil && our != nil ? "next hops" : nil, calico: their,
                    apus: our))
        }
    }
}

extension PlannedPeer {
    /// Where the peer is.
    fileprivate var text: String {
        switch target {
        case .address(let address): "\(PeerAddress(address, port: port))"
        case .range(let range): "\(range)"
        case .interface(let name): name
        }
    }
}
