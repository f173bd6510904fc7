public import NetTypes
import Synchronization

/// A slot of a path in `PathTable`.
public struct PathIndex: TableIndex {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// One route as a peer announced it.
public struct Path: Sendable {
    /// The next path of the same prefix, + 1; 0 ends the list.
    var next: UInt32
    /// What the decision sees: what was received, as import policy changed it.
    public var attributes: AttributeHandle
    /// What the peer sent. The same handle where policy changed nothing; then the path has one reference to it, else
    /// one to each.
    public var received: AttributeHandle
    /// The peer's (RFC 7911); 0 without it.
    public var pathID: UInt32
    public var peer: PeerIndex
    public var flags: Flags

    public struct Flags: OptionSet, Sendable, Hashable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// The selected path: always the first of its prefix's list.
        public static let best = Flags(rawValue: 1)
        /// Equal to the best one through the interior cost: a member of the ECMP set.
        public static let multipath = Flags(rawValue: 2)
        /// Kept for a restarting peer (RFC 4724 4.2).
        public static let stale = Flags(rawValue: 4)
        /// Learned from an external peer.
        public static let external = Flags(rawValue: 8)
        /// Not sent again since the peer began a refresh (RFC 7313).
        public static let refreshing = Flags(rawValue: 16)
        /// Kept beyond the restart time (RFC 9494).
        public static let longLived = Flags(rawValue: 32)
        /// Traffic to the prefix is to be dropped (RFC 7999).
        public static let blackhole = Flags(rawValue: 64)
        static let reasonShift: UInt16 = 8
        /// What import policy decides.
        static let verdictMask = Flags(rawValue: 0xFF00 | Flags.blackhole.rawValue)
        var verdict: Flags { intersection(.verdictMask) }
    }

    /// Why import found the path ineligible; nil for an eligible one.
    public var ineligible: IneligibleReason? { IneligibleReason(rawValue: UInt8(flags.rawValue >> Flags.reasonShift)) }

    static func flags(external: Bool, ineligible: IneligibleReason?, blackhole: Bool = false) -> Flags {
        Flags(
            rawValue: (external ? Flags.external.rawValue : 0) | (blackhole ? Flags.blackhole.rawValue : 0)
                | UInt16(ineligible?.rawValue ?? 0) << Flags.reasonShift)
    }
}

/// Why a path takes no part in the decision.
public enum IneligibleReason: UInt8, Sendable, Hashable, CaseIterable {
    /// RFC 4271 9.1.2: our AS is in the AS_PATH.
    case ownASInPath = 1
    /// RFC 4456 8: our identifier is the ORIGINATOR_ID.
    case ownOriginatorID
    /// RFC 4456 8: our cluster id is in the CLUSTER_LIST.
    case ownClusterID
    /// `import: safe` refuses a default route.
    case defaultRoute
    /// `import: safe` refuses what lies inside a block of this node.
    case insideOwnBlock
    /// `import: safe` refuses prefixes that are never routed: loopback, link-local, multicast and the like.
    case martian
    /// RFC 4271 5.1.3: the next hop is our own address.
    case nextHopIsOurselves
    /// A rule of the peer's import filters.
    case rejectedByFilter
    /// RFC 9234 5: the route was only for customers and comes from one, or from another peer's.
    case routeLeak
    /// RFC 4271 9.1.2.1. Found at decision time, never stored.
    case nextHopUnreachable
    /// RFC 4271 6.3: the external peer is on one of our links, and the next hop is on none. Found at decision time,
    /// never stored.
    case nextHopOffLink
    /// The next hop of an external peer is off the link, and only a default route leads there. Found at decision time,
    /// never stored.
    case nextHopByDefault
}

/// All paths of one family, of every peer, in one table: the Adj-RIBs-In, and with the flags `best` and `multipath` the
/// Loc-RIB.
///
/// A prefix has a list of paths; the selected one is its head. Paths are slots in one array, linked by index: 20 bytes
/// each, no object per route. Per prefix 4 bytes more, beside the prefix table's own.
public struct PathTable: ~Copyable {
    /// What has an atomic in it is lent by its address; without, a method that only reads would be given a copy of the
    /// whole struct on the stack.
    private let lentByAddress = Atomic<Bool>(true)
    private var prefixes: PrefixTable
    /// First path + 1 by prefix index; 0: none.
    private var heads: [UInt32] = []
    public private(set) var paths: [Path] = []
    private var freePaths: [PathIndex] = []
    /// Prefixes to decide, in the order in which they changed, each once.
    private var dirty: [PrefixIndex] = []
    private var dirtyCursor = 0
    private var isDirty: [Bool] = []
    /// Paths by peer index.
    private var pathCounts: [Int] = []

    public init(family: AddressFamily, seed: UInt64) {
        self.family = family
        prefixes = PrefixTable(family: family, seed: seed)
    }

    public let family: AddressFamily
    /// Prefixes that have a path, or had one until the last decision.
    public var prefixCount: Int { prefixes.count }
    /// One more than the highest prefix index in use.
    public var prefixCapacity: Int { prefixes.capacity }
    public func find(_ prefix: Prefix) -> PrefixIndex? { prefixes.find(prefix) }
    public func prefix(at index: PrefixIndex) -> Prefix? { prefixes.prefix(at: index) }
    /// Visits prefixes in pieces: see `PrefixTable.visit`.
    public func visit(
        overlapping wanted: Prefix?, from start: Int, budget: inout Int, _ body: (PrefixIndex, Prefix) -> Bool
    ) -> Int? {
        prefixes.visit(overlapping: wanted, from: start, budget: &budget, body)
    }
    /// The longest prefix with a path that covers an address.
    public func longestMatch(_ address: IPAddress) -> PrefixIndex? { prefixes.longestMatch(address) }
    public var pathCount: Int { paths.count - freePaths.count }
    /// Paths that a peer has announced, eligible or not.
    public func pathCount(of peer: PeerIndex) -> Int { peer.index < pathCounts.count ? pathCounts[peer.index] : 0 }
    /// Prefixes that wait for a decision.
    public var dirtyCount: Int { dirty.count - dirtyCursor }

    // MARK: Writing

    public enum Change: Sendable {
        /// The same path with the same attributes was there.
        case none
        case added
        /// What was there; the table's references to its attributes pass to the caller.
        case replaced(Path)
        /// The peer has `pathsPerPrefix` other paths of the prefix already (RFC 7911 leaves the number open; memory and
        /// time do not).
        case refused
    }

    /// Paths of one prefix that one peer may announce.
    public static let pathsPerPrefix = 256

    /// Adds or replaces a peer's path. The caller passes its references to the attributes in, except on `.none` and
    /// `.refused`.
    public mutating func update(
        _ prefix: Prefix, _ peer: PeerIndex, pathID: UInt32, attributes: AttributeHandle, received: AttributeHandle,
        flags: Path.Flags
    ) -> Change {
        let index = prefixes.insert(prefix)
        growArrays()
        var cursor = heads[Int(index)]
        var others = 0
        while cursor != 0 {
            let slot = Int(cursor - 1)
            if paths[slot].peer == peer {
                if paths[slot].pathID == pathID {
                    let old = paths[slot]
                    let kept = old.flags.intersection([.best, .multipath])
                    paths[slot].flags = flags.union(kept)
                    if old.attributes == attributes, old.received == received, old.flags.verdict == flags.verdict {
                        return .none
                    }
                    paths[slot].attributes = attributes
                    paths[slot].received = received
                    markDirty(index)
                    return .replaced(old)
                }
                others += 1
            }
            cursor = paths[slot].next
        }
        guard others < PathTable.pathsPerPrefix else { return .refused }
        let path = Path(next: 0, attributes: attributes, received: received, pathID: pathID, peer: peer, flags: flags)
        // The head stays first, because it is the selected path until the next decision.
        let slot = allocate(path)
        if heads[Int(index)] == 0 {
            heads[Int(index)] = slot.link
        } else {
            let head = Int(heads[Int(index)] - 1)
            paths[Int(slot)].next = paths[head].next
            paths[head].next = slot.link
        }
        count(peer, +1)
        markDirty(index)
        return .added
    }

    /// Removes a peer's path. The table's references to its attributes pass to the caller. Nil where there is none.
    public mutating func remove(_ prefix: Prefix, _ peer: PeerIndex, pathID: UInt32) -> Path? {
        guard let index = prefixes.find(prefix) else { return nil }
        return unlink(index) { $0.peer == peer && $0.pathID == pathID }
    }

    /// Removes the first path of a prefix that satisfies the condition.
    private mutating func unlink(_ index: PrefixIndex, where condition: (Path) -> Bool) -> Path? {
        var previous: Int?
        var cursor = heads[Int(index)]
        while cursor != 0 {
            let slot = Int(cursor - 1)
            let path = paths[slot]
            if condition(path) {
                if let previous { paths[previous].next = path.next } else { heads[Int(index)] = path.next }
                if retiresPaths { retired.append((PathIndex(slot), index)) } else { freePaths.append(PathIndex(slot)) }
                count(path.peer, -1)
                markDirty(index)
                return path
            }
            previous = slot
            cursor = path.next
        }
        return nil
    }

    /// Removes a peer's paths of which `condition` is true, and returns them; the table's references to their
    /// attributes pass to the caller.
    public mutating func removeAll(of peer: PeerIndex, where condition: (Path) -> Bool) -> [Path] {
        guard pathCount(of: peer) > 0 else { return [] }
        var removed: [Path] = []
        for index in 0..<heads.count where heads[index] != 0 {
            while let path = unlink(PrefixIndex(index), where: { $0.peer == peer && condition($0) }) {
                removed.append(path)
            }
        }
        return removed
    }

    /// Sets or clears a flag of all paths of a peer that takes no part in the decision.
    public mutating func mark(_ peer: PeerIndex, _ flag: Path.Flags, isSet: Bool) {
        guard pathCount(of: peer) > 0 else { return }
        for head in heads {
            var cursor = head
            while cursor != 0 {
                let slot = Int(cursor - 1)
                if paths[slot].peer == peer {
                    if isSet { paths[slot].flags.insert(flag) } else { paths[slot].flags.remove(flag) }
                }
                cursor = paths[slot].next
            }
        }
    }

    /// What policy makes of a path that is there.
    public struct Reevaluation {
        public var prefix: PrefixIndex
        public var path: PathIndex
        public var attributes: AttributeHandle
        public var flags: Path.Flags
    }

    /// Records new verdicts; marks their prefixes. The caller passes a reference to the new attributes in, and gets
    /// that to the old ones back.
    public mutating func reevaluate(_ item: Reevaluation) -> AttributeHandle {
        let slot = Int(item.path)
        let old = paths[slot].attributes
        let kept = paths[slot].flags.subtracting(.verdictMask)
        paths[slot].attributes = item.attributes
        paths[slot].flags = kept.union(item.flags.verdict)
        markDirty(item.prefix)
        return old
    }

    // MARK: Path identifiers of ours (RFC 7911)

    /// Set while some update group sends path identifiers, which are made of path slots: a slot is then not used again
    /// before every group knows that its path is gone.
    public var retiresPaths = false {
        didSet {
            guard !retiresPaths else { return }
            freePaths += retired.map(\.path)
            retired = []
        }
    }
    /// Slots of paths that are gone, with the prefix that they were of.
    public private(set) var retired: [(path: PathIndex, prefix: PrefixIndex)] = []

    /// True where the prefix waits for a decision.
    public func isWaiting(_ index: PrefixIndex) -> Bool { isDirty[Int(index)] }

    /// Every group knows of the retired paths of prefixes that are decided: their slots may be used again.
    public mutating func releaseRetired() {
        guard !retired.isEmpty else { return }
        var rest: [(path: PathIndex, prefix: PrefixIndex)] = []
        for item in retired { if isDirty[Int(item.prefix)] { rest.append(item) } else { freePaths.append(item.path) } }
        retired = rest
    }

    public mutating func markDirty(_ index: PrefixIndex) {
        guard !isDirty[Int(index)] else { return }
        isDirty[Int(index)] = true
        dirty.append(index)
    }

    // MARK: Deciding

    /// The next prefix to decide.
    public mutating func takeDirty() -> PrefixIndex? {
        guard dirtyCursor < dirty.count else { return nil }
        let index = dirty[dirtyCursor]
        dirtyCursor += 1
        if dirtyCursor == dirty.count {
            dirty.removeAll(keepingCapacity: dirty.count < 65536)
            dirtyCursor = 0
        }
        isDirty[Int(index)] = false
        return index
    }

    /// The paths of a prefix, the selected one first where there is one.
    public func pathIndices(_ index: PrefixIndex, into list: inout [PathIndex]) {
        list.removeAll(keepingCapacity: true)
        guard Int(index) < heads.count else { return }
        var cursor = heads[Int(index)]
        while let path = PathIndex(link: cursor) {
            list.append(path)
            cursor = paths[Int(path)].next
        }
    }

    /// The first path and whether it is the only one: the case that needs no list.
    public func single(_ index: PrefixIndex) -> PathIndex? {
        guard let head = PathIndex(link: heads[Int(index)]), paths[Int(head)].next == 0 else { return nil }
        return head
    }

    /// The slot of the selected path of a prefix.
    public func bestIndex(_ index: PrefixIndex) -> PathIndex? {
        guard Int(index) < heads.count, let head = PathIndex(link: heads[Int(index)]),
            paths[Int(head)].flags.contains(.best)
        else { return nil }
        return head
    }

    /// The selected path of a prefix.
    public func best(_ index: PrefixIndex) -> Path? {
        guard Int(index) < heads.count, heads[Int(index)] != 0 else { return nil }
        let path = paths[Int(heads[Int(index)] - 1)]
        return path.flags.contains(.best) ? path : nil
    }

    /// Records the decision: `best` goes to the head of the list, `multipath` are the members of the ECMP set with it.
    public mutating func select(_ index: PrefixIndex, best: PathIndex?, multipath: [PathIndex]) {
        var cursor = heads[Int(index)]
        var previous: Int?
        while cursor != 0 {
            let slot = Int(cursor - 1)
            let next = paths[slot].next
            paths[slot].flags.subtract([.best, .multipath])
            if PathIndex(slot) == best, let before = previous {
                paths[before].next = next
                paths[slot].next = heads[Int(index)]
                heads[Int(index)] = UInt32(slot) + 1
            } else {
                previous = slot
            }
            cursor = next
        }
        guard let best else { return }
        paths[Int(best)].flags.insert(.best)
        for member in multipath { paths[Int(member)].flags.insert(.multipath) }
    }

    /// The same for a prefix with one path: it is selected, or nothing is. Allocates nothing.
    public mutating func selectOnly(_ path: PathIndex, isEligible: Bool) {
        if isEligible {
            paths[Int(path)].flags.formUnion([.best, .multipath])
        } else {
            paths[Int(path)].flags.subtract([.best, .multipath])
        }
    }

    /// True where the selected path shares traffic with others.
    public func isMultipath(_ index: PrefixIndex) -> Bool {
        guard Int(index) < heads.count, heads[Int(index)] != 0 else { return false }
        var cursor = paths[Int(heads[Int(index)] - 1)].next
        while cursor != 0 {
            if paths[Int(cursor - 1)].flags.contains(.multipath) { return true }
            cursor = paths[Int(cursor - 1)].next
        }
        return false
    }

    /// True where the prefix has no path at all.
    public func hasNoPath(_ index: PrefixIndex) -> Bool { Int(index) >= heads.count || heads[Int(index)] == 0 }

    /// See `PrefixTable.prefetch`.
    func prefetch(_ prefix: Prefix) -> UInt32 { prefixes.prefetch(prefix) }
    func prefetch(_ index: PrefixIndex) -> UInt32 { prefixes.prefetch(index) }

    /// Gives a prefix without paths back. The caller has informed everyone who addresses arrays by its index.
    public mutating func releaseIfEmpty(_ index: PrefixIndex) -> Bool {
        guard heads[Int(index)] == 0, !isDirty[Int(index)] else { return false }
        prefixes.remove(index)
        if prefixes.count == 0 { releaseAll() }
        return true
    }

    /// Bytes of memory, what is reserved for growth included.
    public var memory: Int {
        prefixes.memory + heads.capacity * 4 + isDirty.capacity + dirty.capacity * 4 + paths.capacity
            * MemoryLayout<Path>.stride + freePaths.capacity * 4
    }

    /// Gives back what a table that shrank does not need, as `PrefixTable.trim` does. Prefix indices and path slots in
    /// use stay as they are. Only while nothing is to be decided and no path is retired.
    mutating func trim() {
        guard dirtyCount == 0, retired.isEmpty else { return }
        prefixes.trim()
        heads = Array(heads.prefix(prefixes.capacity))
        isDirty = Array(isDirty.prefix(prefixes.capacity))
        dirty = []
        dirtyCursor = 0
        var isUsed = [Bool](repeating: true, count: paths.count)
        for slot in freePaths { isUsed[Int(slot)] = false }
        let end = isUsed.lastIndex(of: true).map { $0 + 1 } ?? 0
        paths = Array(paths[..<end])
        freePaths = freePaths.filter { Int($0) < end }.sorted(by: >)
    }

    // MARK: Storage

    private mutating func allocate(_ path: Path) -> PathIndex {
        if let slot = freePaths.popLast() {
            paths[Int(slot)] = path
            return slot
        }
        paths.append(path)
        return PathIndex(paths.count - 1)
    }

    private mutating func growArrays() {
        while heads.count < prefixes.capacity {
            heads.append(0)
            isDirty.append(false)
        }
    }

    private mutating func count(_ peer: PeerIndex, _ delta: Int) {
        while pathCounts.count <= peer.index { pathCounts.append(0) }
        pathCounts[peer.index] += delta
    }

    /// An emptied table gives its memory back.
    private mutating func releaseAll() {
        guard dirtyCount == 0 else { return }
        dirty = []
        dirtyCursor = 0
        heads = []
        isDirty = []
        paths = []
        freePaths = []
        retired = []
    }
}
