import NetTypes

/// Where a next hop lies, by the kernel's routes that are not ours.
public struct NextHopPlace: Sendable, Hashable {
    public enum Reach: UInt8, Sendable, Hashable {
        /// Nobody judges next hops here.
        case unknown
        /// On one of our links, or a pod of this node.
        case onLink
        /// Behind a gateway.
        case routed
        /// Nothing but a default route leads there.
        case byDefault
    }
    public var reach: Reach
    /// It is the address of a Node.
    public var isNode: Bool

    public init(_ reach: Reach, isNode: Bool = false) {
        self.reach = reach
        self.isNode = isNode
    }
    public static let unknown = NextHopPlace(.unknown)
}

/// Which next hops are accepted from a peer (RFC 4271 6.3): from an external peer one hop away, its own address
/// and addresses on one of our links.
public enum NextHopRule: UInt8, Sendable, Hashable {
    /// Internal peers, and where links are not known.
    case any
    /// The peer is one hop away. Differs from RFC 4271 6.3 b: a Node's address is taken too, because fabrics keep the
    /// next hop between racks.
    case onLink
    /// The peer is several hops away, or declared to be: any next hop to which something better than a default route
    /// leads.
    case routed

    func judge(_ hop: IPAddress, _ place: NextHopPlace, peer: IPAddress) -> IneligibleReason? {
        // The session shows that the peer's own address is reached.
        if self == .any || place.reach == .unknown || place.reach == .onLink || hop == peer { return nil }
        if self == .onLink && !place.isNode { return .nextHopOffLink }
        return place.reach == .byDefault ? .nextHopByDefault : nil
    }
}
