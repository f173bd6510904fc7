public import BGPMessages
public import NetTypes

/// The routing tables for those who only read: forwarding and status.
///
/// Positions (`PrefixIndex`, `PathIndex`, `AttributeHandle`) are valid until the tables change, that is for one phase
/// of a turn. Every function costs what one prefix costs, unless it says otherwise.
public protocol RouteView: ~Copyable {
    /// The position of a prefix that has a path.
    func find(_ prefix: Prefix) -> PrefixIndex?
    /// The longest prefix that covers an address. Cost: the lengths of prefixes that occur.
    func longestMatch(_ address: IPAddress) -> PrefixIndex?
    /// Nil for a position that is free.
    func prefix(at index: PrefixIndex, _ family: AddressFamily) -> Prefix?
    /// Positions below this one may hold a prefix.
    func prefixCapacity(_ family: AddressFamily) -> Int
    /// The selected path; nil where none is eligible.
    func bestPath(_ index: PrefixIndex, _ family: AddressFamily) -> Path?
    /// More than one path is selected (ECMP).
    func isMultipath(_ index: PrefixIndex, _ family: AddressFamily) -> Bool
    /// The attribute sets of the selected paths, that of the best one first.
    func multipath(_ index: PrefixIndex, _ family: AddressFamily) -> [AttributeHandle]
    /// Nil for our own routes, which have none.
    func nextHop(of handle: AttributeHandle) -> IPAddress?
    /// LOCAL_PREF as the decision takes it (RFC 4271 9.1.1).
    func localPref(of handle: AttributeHandle) -> UInt32
    /// The address of a peer that is configured.
    func address(of peer: PeerIndex) -> PeerAddress?
    /// No prefix waits for a decision.
    var isDecided: Bool { get }

    /// Peers that are configured.
    var peerIndices: [PeerIndex] { get }
    /// The peer has sent everything it has of a family, or never will.
    func isSynchronized(_ peer: PeerIndex, _ family: AddressFamily, now: Instant) -> Bool
    /// The peer sends routes with its own address as next hop alone: a member of the mesh.
    func announcesOnlyItself(_ peer: PeerIndex) -> Bool
}

/// How much the tables hold.
public struct RouteCounts: Sendable, Hashable {
    /// Prefixes and paths, by family index.
    public var prefixes = [0, 0]
    public var paths = [0, 0]
    public var attributeSets = 0
    /// Prefixes that wait for a decision.
    public var undecided = 0
    /// Changes that update groups have not been sent.
    public var unsent = 0
    /// Members of each update group, the largest first.
    public var groupMembers: [Int] = []
    /// Bytes that are reserved.
    public var pathMemory = 0
    public var attributeMemory = 0
    public var groupMemory = 0

    public init() {}
}

extension RIB {
    /// Cost: the number of update groups.
    public var counts: RouteCounts {
        var counts = RouteCounts()
        for family in AddressFamily.allCases {
            counts.prefixes[family.index] = tables[family].prefixCount
            counts.paths[family.index] = tables[family].pathCount
            counts.pathMemory += tables[family].memory
        }
        counts.attributeSets = attributes.count
        counts.attributeMemory = attributes.memory
        counts.undecided = dirtyCount
        for case let group? in groups {
            counts.groupMembers.append(group.members.count)
            counts.unsent += group.pendingCount
            counts.groupMemory += group.memory
        }
        counts.groupMembers.sort(by: >)
        return counts
    }
}

/// One path of a prefix, with what the decision and the policies made of it.
public struct ExplainedPath: Sendable {
    public let path: Path
    public let attributes: PathAttributes
    /// Why the path takes no part in the decision; nil for an eligible one.
    public let ineligible: IneligibleReason?
    /// The step that decided for it; nil for any but the best one.
    public let bestReason: BestPathReason?
    /// The import rule that decided on it, by its label.
    public let importRule: String?
    /// Of a path that another one was preferred to: at which step, whose that one is, and what each has there.
    public let loss: Loss?

    public struct Loss: Sendable {
        public let step: BestPathReason
        public let rival: PeerIndex
        public let own: DecisionValue
        public let other: DecisionValue
    }
}

extension RIB {
    /// The paths of a prefix that `isWanted` is true of, the best one first. Only their attributes are decoded.
    public func explainedPaths(
        _ index: PrefixIndex, _ family: AddressFamily, where isWanted: (Path) -> Bool = { _ in true }
    ) -> [ExplainedPath] {
        guard let prefix = tables[family].prefix(at: index) else { return [] }
        var list: [PathIndex] = []
        tables[family].pathIndices(index, into: &list)
        let wanted = list.filter { isWanted(tables[family].paths[Int($0)]) }
        guard !wanted.isEmpty else { return [] }
        let outcome = explain(index, family)
        let losses = losses(index, family)
        return wanted.map { slot in
            let path = tables[family].paths[Int(slot)]
            return ExplainedPath(
                path: path, attributes: attributes.attributes(path.attributes), ineligible: ineligibility(path),
                bestReason: path.flags.contains(.best) ? outcome?.reason : nil,
                importRule: importRule(prefix, path)?.label,
                loss: losses[slot].map { loss in
                    ExplainedPath.Loss(
                        step: loss.step, rival: tables[family].paths[Int(loss.rival)].peer, own: loss.own,
                        other: loss.other)
                })
        }
    }
}

extension RIB {
    /// Prefixes, or paths with their identifiers, that a peer's update group has been sent.
    public func announcedCount(to peer: PeerIndex, _ family: AddressFamily) -> Int {
        guard let group = peers[peer]?.groups[family.index] else { return 0 }
        return groups[group]?.announcedCount ?? 0
    }
}
