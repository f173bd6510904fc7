public import BGPMessages
public import NetTypes

/// What import refuses of a peer (apus.resources(5), `import`).
public enum ImportMode: String, Sendable, Hashable {
    /// No default route, nothing inside our own blocks, nothing that is never routed.
    case safe
    case all
}

/// What a peer's routes meet on their way in. A change of it judges what is there again; no session is touched.
public struct ImportSettings: Sendable, Hashable {
    public var mode = ImportMode.safe
    /// How often our own AS may occur in a path (contract 2.3, `numAllowedLocalASNumbers`).
    public var allowedOwnAS = 0
    public var filter = RouteFilter()
    /// RFC 7999: routes with BLACKHOLE are installed as such and go no further.
    public var acceptsBlackhole = false
    /// The AS that we are to this peer, where it is not that of the node.
    public var localAS: ASNumber?
    /// RFC 9234; nil: no role was agreed on.
    public var role: BGPRole?

    public init() {}

    /// Nothing is asked but what the node's own policy asks of every peer.
    var isPlain: Bool { filter.isEmpty && localAS == nil && role == nil && !acceptsBlackhole }
}

/// Judges a path when it arrives, and again when the policy or the own blocks change.
public struct ImportPolicy: Sendable, Hashable {
    /// Blocks that this node owns.
    public var ownBlocks: [Prefix] = []
    /// Our own addresses: no next hop of a route that we install (RFC 4271 5.1.3).
    public var ownAddresses: Set<IPAddress> = []

    public init() {}

    /// What an attribute set alone decides: the same for every prefix of an UPDATE.
    public func judge(_ key: DecisionKey, nextHop: IPAddress?, allowedOwnAS: Int) -> IneligibleReason? {
        if Int(key.ownASCount) > allowedOwnAS { return .ownASInPath }
        if key.flags.contains(.ownOriginator) { return .ownOriginatorID }
        if key.flags.contains(.ownCluster) { return .ownClusterID }
        if let nextHop, ownAddresses.contains(nextHop) { return .nextHopIsOurselves }
        return nil
    }

    /// What the prefix decides.
    public func judge(_ prefix: Prefix, mode: ImportMode, isInternal: Bool) -> IneligibleReason? {
        // RFC 4271 6.3: a multicast prefix is ignored whatever the mode.
        if prefix.address.isMulticast { return .martian }
        guard mode == .safe else { return nil }
        if prefix.isDefault { return .defaultRoute }
        if ImportPolicy.isMartian(prefix) { return .martian }
        for block in ownBlocks where block.contains(prefix) {
            // An address that moved to another node is announced as a host route from inside our block; only our own AS
            // may do that.
            if isInternal && prefix.isHost && !block.isHost { continue }
            return .insideOwnBlock
        }
        return nil
    }

    /// RFC 9234 section 5, ingress: true for a route leak.
    static func isLeak(_ onlyToCustomer: ASNumber, role: BGPRole, remoteAS: ASNumber) -> Bool {
        switch role {
        // The peer is our customer, or our client at a route server.
        case .provider, .rs: true
        case .peer: onlyToCustomer != remoteAS
        case .customer, .rsClient: false
        }
    }

    /// This network, loopback, link-local, multicast and reserved (RFC 6890); for IPv6 also unspecified and mapped.
    public static func isMartian(_ prefix: Prefix) -> Bool {
        let martians = prefix.family == .ipv4 ? martians4 : martians6
        return martians.contains { $0.contains(prefix) }
    }

    private static let martians4 = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"]
        .compactMap { Prefix($0) }
    private static let martians6 = ["::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8"].compactMap { Prefix($0) }
}
