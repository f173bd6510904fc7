import BGPMessages
import BGPRouting
import BGPSpeaker
import NetTypes
import StatusAPI

/// The paths of a page that a query is about, and what it has cost to find them.
///
/// What is asked of an attribute set is decided once for all paths with that set.
struct RouteSelection {
    private let query: RouteQuery
    private let peer: PeerIndex?
    /// In places of a `PageLimit`, beside those of the walk: one for each path that was looked at, `decoding` for each
    /// set that was decoded. Nothing where everything is wanted: then rows bound the page.
    private(set) var cost = 0
    private var verdicts: [SetOfSource: Bool] = [:]
    /// Decoding a set takes as long as so many steps of a walk.
    private static let decoding = 16

    private struct SetOfSource: Hashable {
        var handle: AttributeHandle
        var source: PeerIndex
    }

    /// `peer`: whom the query names.
    init(_ query: RouteQuery, of peer: PeerIndex?) {
        self.query = query
        self.peer = peer
    }

    /// False where the peer has no route of a family: nothing is looked at.
    func mayFind(_ family: AddressFamily, _ speaker: borrowing Speaker) -> Bool {
        guard let peer else { return true }
        return query.side == .advertised ? speaker.isSentTo(peer, family) : speaker.receivedCount(peer, family) > 0
    }

    /// The rows of a prefix.
    mutating func rows(_ prefix: Prefix, at index: PrefixIndex, in speaker: borrowing Speaker) -> [RouteStatus] {
        if let peer, query.side == .advertised { return advertised(prefix, at: index, to: peer, in: speaker) }
        guard peer != nil || query.isBestOnly || asksForSet else { return speaker.routeStatus(prefix, index) }
        var selection = self
        let found = speaker.explainedPaths(index, prefix.family) { path in
            selection.cost += 1
            if let peer = selection.peer, path.peer != peer { return false }
            if query.isBestOnly, !path.flags.contains(.best) { return false }
            return selection.accepts(isReceived ? path.received : path.attributes, of: path.peer, speaker)
        }
        self = selection
        cost += found.count * RouteSelection.decoding
        return found.filter { peer == nil || query.side != .accepted || $0.ineligible == nil }.map {
            speaker.routeStatus(prefix, $0, isReceived: isReceived)
        }
    }

    private var isReceived: Bool { peer != nil && query.side == .received }
    private var asksForSet: Bool { query.community != nil || query.originAS != nil }

    private mutating func advertised(
        _ prefix: Prefix, at index: PrefixIndex, to peer: PeerIndex, in speaker: borrowing Speaker
    ) -> [RouteStatus] {
        var selection = self
        let found = speaker.advertisedPaths(index, prefix.family, to: peer) { handle, source in
            selection.cost += 1
            return selection.accepts(handle, of: source, speaker)
        }
        self = selection
        cost += found.count * RouteSelection.decoding
        let isBehind = speaker.isBacklogged(peer)
        return found.filter { !query.isBestOnly || $0.isBest }.map { path in
            var row = speaker.routeStatus(prefix, path.attributes, from: path.source)
            row.isBest = path.isBest
            row.pathID = path.pathID == 0 ? nil : path.pathID
            row.isWaiting = path.isWaiting || isBehind
            return row
        }
    }

    /// Whether a set has what the query asks of it. What export changes in a set is neither its communities nor the AS
    /// that originated the route.
    private mutating func accepts(
        _ handle: AttributeHandle, of source: PeerIndex, _ speaker: borrowing Speaker
    ) -> Bool {
        guard asksForSet else { return true }
        let key = SetOfSource(handle: handle, source: source)
        if let known = verdicts[key] { return known }
        cost += RouteSelection.decoding
        let attributes = speaker.attributes(of: handle)
        var isWanted = true
        if let community = query.community {
            isWanted = RouteSelection.communities(attributes).contains(community)
        }
        if let wanted = query.originAS {
            let path = attributes.asPath ?? ASPath()
            let origin = path.segments.isEmpty ? speaker.identity.localAS : path.originAS
            isWanted = isWanted && origin?.rawValue == wanted
        }
        verdicts[key] = isWanted
        return isWanted
    }

    /// The communities of a route, plain ones first, as text.
    static func communities(_ attributes: PathAttributes) -> [String] {
        attributes.communities.map(\.description) + attributes.largeCommunities.map(\.description)
    }
}
