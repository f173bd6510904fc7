/// Why a field or an object is accepted and has no effect on this node as it stands.
///
/// In JSON an object with one member, as for other reasons. Fields are named as in the resources.
package enum IdleReason: Codable, Sendable, Hashable {
    // MARK: Peers

    /// Another object is the peer at these addresses (global peers come first, then the names decide).
    case otherPeerHas(targets: NameList, owner: String)
    /// The peer is passive, and others at its address are connected to: what comes in from there is taken for it.
    case takesEveryConnection(address: String, others: NameList)
    case meshIsOff
    case matchesNoNode
    case noSuchNode
    case noWorkloadPeer
    /// No localWorkloadPeering address is set.
    case noAddressForPods
    /// These pods have addresses only of a family that has no localWorkloadPeering address: the field that is missing.
    case podsHaveNoPeer(pods: NameList, missing: String)
    case noListenRange
    case peerConnects
    case peerConnectsInAnyCase
    case noKeepalives
    case gracefulRestartNotOn
    case gracefulRestartOff
    case actionNotRestart
    case peerIsNoNode
    case exportIsOwn
    case sessionIsInternal
    case nextHopKept
    case nextHopIsOurs
    case notReflected
    /// `IPv4` or `IPv6`.
    case familyNotCarried(family: String)
    /// Another BGPPeer of the same address has another gateway.
    case otherGateway(owner: String, address: String, gateway: String)
    case reflectorWritesNoRoutes
    case filterNotUsed

    // MARK: Configuration

    /// The object is neither default nor node.NAME.
    case nameNotUsed
    /// A configuration of one node has fields that are read of default only.
    case onlyFieldsOfOneNode
    case massWithdrawalIsOff
    case communityNotUsed(name: String)
    /// No IPPool has this field, so that no tunnel is wanted.
    case noPoolHas(field: String)

    // MARK: Services

    case entryWithoutCIDR
    /// Single addresses of external and load-balancer ranges are announced for a Service that has them.
    case addressNeedsService(addresses: NameList)
    case excludedFromServices(label: String)
}

/// The first names of a list that a thousand nodes may make long.
package struct NameList: Codable, Sendable, Hashable, Comparable {
    /// At most three.
    package var first: [String]
    /// How many are left out.
    package var more: Int

    package init(_ names: [String]) {
        first = Array(names.prefix(3))
        more = names.count - first.count
    }

    package var count: Int { first.count + more }

    package static func < (left: NameList, right: NameList) -> Bool {
        left.first.lexicographicallyPrecedes(right.first)
    }
}
