import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
package import ForwardingPlane
package import NetTypes
package import Node
package import Planning
package import Resources
import Status
import StatusAPI

/// What a forecast goes by, collected by the routing thread a page a turn: the resources in force, the sessions, and
/// what the peers have sent.
package struct PlanRound: Sendable {
    package private(set) var loaded: LoadedConfiguration
    package let context: PeeringDecision.Context
    /// Addresses of the peers whose sessions are up.
    package private(set) var established: Set<IPAddress> = []
    private var sessions: [PeerIndex: PlayedPeers.Session] = [:]
    /// Where to go on: first among the peers, then in the table. Nil once all is there.
    private var nextPeer: Int? = 0
    private var cursor: PageCursor? = .start
    package var isComplete: Bool { cursor == nil }
    /// More routes than this are not played: their attributes stand in memory twice.
    package private(set) var isTooLarge = false
    private var count = 0
    private static let mostRoutes = 200_000

    package init(_ core: NodeCore) {
        loaded = core.peering.loaded
        context = core.peering.context
    }

    /// Peers of a page.
    private static let peersOfPage = 256

    private mutating func takePeers(_ core: NodeCore, from start: Int) {
        var up: [PeerIndex] = []
        var looked = 0
        nextPeer = core.speaker.visitPeers(from: start) { peer in
            guard looked < PlanRound.peersOfPage else { return false }
            looked += 1
            if peer.isEstablished { up.append(peer.index) }
            return true
        }
        for index in up {
            guard let snapshot = core.speaker.snapshot(index), let session = snapshot.session else { continue }
            var played = PlayedSession(name: snapshot.settings.name)
            played.isEstablished = true
            played.address = snapshot.settings.address.unscoped
            played.neighborAS = session.remoteAS
            played.neighborID = session.remoteIdentifier
            played.families = session.families
            played.source = core.transport.localAddress(index)
            sessions[index] = PlayedPeers.Session(session: played)
            established.insert(snapshot.settings.address)
        }
    }

    /// The next page. Work: `limit`, or 256 peers.
    package mutating func goOn(_ core: NodeCore, _ limit: PageLimit = PageLimit(rows: 256)) {
        if let nextPeer { return takePeers(core, from: nextPeer) }
        guard let start = cursor else { return }
        cursor = nil
        var budget = limit.places
        var rows = 0
        var found: [(PeerIndex, PlayedRoute)] = []
        for family in AddressFamily.allCases where family.index >= start.section {
            let place = family.index == start.section ? start.place : 0
            let next = core.speaker.visitRoutes(family, overlapping: nil, from: place, budget: &budget) {
                index, prefix in
                guard rows < limit.rows else { return false }
                for path in core.speaker.explainedPaths(index, family) where path.path.peer != .local {
                    var route = PlayedRoute(prefix: prefix, source: "")
                    route.attributes = core.speaker.attributes(of: path.path.received)
                    found.append((path.path.peer, route))
                    rows += 1
                }
                return true
            }
            if let next {
                cursor = PageCursor(section: family.index, place: next)
                break
            }
        }
        for (peer, route) in found { sessions[peer]?.received.append(route) }
        count += found.count
        if count > PlanRound.mostRoutes {
            cursor = nil
            isTooLarge = true
        }
    }

    /// The peers that are there; those that are not are taken to come up as their objects say.
    func played(with wanted: [PeeringDecision]) -> PlayedPeers {
        var result = PlayedPeers()
        result.sessions = sessions.sorted { $0.key.index < $1.key.index }.map(\.value)
        for planned in wanted.flatMap(\.peers).map(\.planned) {
            guard case .address(let address) = planned.target,
                !result.sessions.contains(where: { $0.session.address == address.unscoped })
            else { continue }
            var played = PlayedSession(name: planned.name)
            played.isEstablished = true
            played.address = address.unscoped
            played.neighborAS = planned.remoteAS ?? planned.localAS
            played.families = planned.families
            result.sessions.append(PlayedPeers.Session(session: played))
        }
        return result
    }
}
