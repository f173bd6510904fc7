package import BGPRouting
package import NetTypes

/// What the outside knows of the way to a peer, beside what the operator declared.
package struct PeerReach: Sendable, Hashable {
    /// The peer is on one of our links; nil where that is not known.
    package var isOnLink: Bool?
    /// By family index: our address on the link by which the session runs; nil where it has none, or is not known.
    package var addresses: [IPAddress?]
    /// All our addresses on the link that we share with the peer, link-local ones too; empty where we share none, or it
    /// is not known.
    package var shared: Set<IPAddress>

    package init(isOnLink: Bool? = nil, addresses: [IPAddress?] = [nil, nil], shared: Set<IPAddress> = []) {
        self.isOnLink = isOnLink
        self.addresses = addresses
        self.shared = shared
    }
}

/// Where addresses of our own are known from, beside our ends of the sessions.
package enum OwnAddressSource: Int, Sendable, Hashable, CaseIterable {
    /// Interfaces of this host.
    case kernel
    /// The Node object, and the listeners: known in every mode.
    case configuration
}

/// Our own addresses, which are never the next hop of a route that we use (RFC 4271 6.3).
struct OwnAddresses: Sendable {
    /// By source.
    var known = [Set<IPAddress>](repeating: [], count: OwnAddressSource.allCases.count)
    /// Our ends of sessions, with how many peers have each. They stay when a session is over: the address is not gone
    /// with it.
    private var ends: [IPAddress: Int] = [:]

    var all: Set<IPAddress> { known.reduce(into: Set(ends.keys)) { $0.formUnion($1) } }

    /// A peer's session has another end. Returns whether an address came or went.
    mutating func replace(_ old: IPAddress?, _ new: IPAddress?) -> Bool {
        guard old != new else { return false }
        var hasChanged = false
        if let new {
            hasChanged = ends[new] == nil
            ends[new, default: 0] += 1
        }
        if let old, let count = ends[old] {
            ends[old] = count > 1 ? count - 1 : nil
            hasChanged = hasChanged || count == 1
        }
        return hasChanged
    }
}

// MARK: Links and addresses
extension Speaker {
    /// All addresses of our own that a source knows.
    package mutating func setOwnAddresses(_ addresses: Set<IPAddress>, of source: OwnAddressSource) {
        guard ownAddresses.known[source.rawValue] != addresses else { return }
        ownAddresses.known[source.rawValue] = addresses
        applyOwnAddresses()
    }

    /// Blocks of this node.
    package mutating func setOwnBlocks(_ blocks: [Prefix]) {
        var policy = rib.importPolicy
        policy.ownBlocks = blocks
        rib.setImportPolicy(policy)
    }

    private mutating func applyOwnAddresses() {
        var policy = rib.importPolicy
        policy.ownAddresses = ownAddresses.all
        rib.setImportPolicy(policy)
    }

    /// Our end of the session that has come up, or of none any more.
    mutating func setEnd(_ index: PeerIndex, _ end: IPAddress?) {
        let old = peers[index.index]?.connection.sessionEnd
        peers[index.index]?.connection.sessionEnd = end
        if ownAddresses.replace(old, end) { applyOwnAddresses() }
    }

    /// What is known of the way to a peer: before its session comes up, and whenever it changes. A running session's
    /// next hops follow.
    package mutating func setReach(_ index: PeerIndex, _ reach: PeerReach) {
        guard let peer = peers[index.index], peer.reach != reach else { return }
        peer.reach = reach
        refreshProfiles(index)
    }

    /// Our address as the next hop of a family's routes: what the operator declared, our end of the session, our
    /// address on its link, the Node's.
    func ownNextHop(_ family: AddressFamily, _ peer: SpeakerPeer) -> IPAddress? {
        let settings = peer.settings
        if let declared = settings.nextHop.declared[family.index] { return declared }
        // On an unnumbered link nothing but the link-local address is sure to be reachable; and tunnels lead to Nodes
        // by their own addresses.
        if settings.address.scope != 0 || settings.isNode { return settings.nextHop.addresses[family.index] }
        if let end = peer.connection.sessionEnd, end.family == family, end.scope == 0, !end.isLoopback { return end }
        return peer.reach.addresses[family.index] ?? settings.nextHop.addresses[family.index]
    }

    /// Our link-local address that goes beside an IPv6 next hop. RFC 2545 3: it does if and only if we share a subnet
    /// with the peer and with whom the next hop means, so not beside a declared next hop that is not our address on
    /// that link.
    func linkLocalNextHop(beside nextHop: IPAddress?, _ peer: SpeakerPeer) -> IPAddress? {
        if peer.settings.address.scope != 0 { return peer.settings.nextHop.linkLocal }
        guard let nextHop, peer.reach.shared.contains(nextHop) else { return nil }
        return peer.reach.shared.filter { $0.family == .ipv6 && $0.isLinkLocal }.min()
    }

    /// RFC 4271 6.3: what next hops are taken from a peer.
    func nextHopRule(_ peer: SpeakerPeer, isInternal: Bool) -> NextHopRule {
        guard !isInternal, let isOnLink = peer.reach.isOnLink else { return .any }
        return isOnLink && !peer.settings.isMultihop ? .onLink : .routed
    }
}
