public import NetTypes

/// The number of a next hop in `NextHopRegistry`.
public struct NextHopIndex: TableIndex {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Every next hop that some attribute set names, with what the outside says of it (RFC 4271 9.1.2.1).
///
/// The registry resolves nothing itself: it lists new next hops, and is given whether each is reachable and at what
/// cost.
public struct NextHopRegistry: Sendable {
    public struct Entry: Sendable {
        public var address: IPAddress
        public var isReachable: Bool
        /// Interior cost (RFC 4271 9.1.2.2 e).
        public var cost: UInt32
        /// Where it leads out, for filters; empty where nobody said.
        public var interface: String
        public var place = NextHopPlace.unknown
        var references: UInt32
    }

    /// Index 0 stands for this speaker itself: the next hop of own routes, always reachable.
    public static let itself = NextHopIndex(rawValue: 0)

    public private(set) var entries: [Entry]
    private var indices: [IPAddress: NextHopIndex] = [:]
    private var free: [NextHopIndex] = []
    /// Next hops that nobody has judged yet; drained by the caller of `takeUnresolved`.
    private var unresolved: [NextHopIndex] = []
    /// Next hops whose last user went; drained by the caller of `takeReleased`.
    private var released: [IPAddress] = []
    private let assumesReachable: Bool

    /// `assumesReachable`: no tracking, every next hop counts as reachable at cost 0 (`nextHopTracking: none`).
    init(assumesReachable: Bool) {
        self.assumesReachable = assumesReachable
        entries = [Entry(address: .any(.ipv4), isReachable: true, cost: 0, interface: "", references: 1)]
    }

    mutating func retain(_ address: IPAddress) -> NextHopIndex {
        if let index = indices[address] {
            entries[Int(index)].references += 1
            return index
        }
        let entry = Entry(address: address, isReachable: assumesReachable, cost: 0, interface: "", references: 1)
        let index: NextHopIndex
        if let reused = free.popLast() {
            index = reused
            entries[Int(index)] = entry
        } else {
            index = NextHopIndex(entries.count)
            entries.append(entry)
        }
        indices[address] = index
        if !assumesReachable { unresolved.append(index) }
        return index
    }

    mutating func release(_ index: NextHopIndex) {
        guard index != NextHopRegistry.itself else { return }
        entries[Int(index)].references -= 1
        guard entries[Int(index)].references == 0 else { return }
        let address = entries[Int(index)].address
        indices[address] = nil
        free.append(index)
        if !assumesReachable { released.append(address) }
    }

    /// Next hops in use.
    public var count: Int { indices.count }

    /// Gives back what a table that shrank does not need. Indices in use stay as they are.
    mutating func trim() {
        let end = (entries.lastIndex { $0.references > 0 } ?? 0) + 1
        entries = Array(entries[..<end])
        free = free.filter { Int($0) < end }.sorted(by: >)
        // A copy with room for what is there.
        indices = indices.filter { _ in true }
        if unresolved.isEmpty { unresolved = [] }
        if released.isEmpty { released = [] }
    }

    public func index(of address: IPAddress) -> NextHopIndex? { indices[address] }

    /// Next hops to resolve, each once.
    mutating func takeUnresolved() -> [IPAddress] {
        defer { unresolved.removeAll(keepingCapacity: true) }
        return unresolved.filter { entries[Int($0)].references > 0 }.map { entries[Int($0)].address }
    }

    /// Next hops that need no tracking any more.
    mutating func takeReleased() -> [IPAddress] {
        defer { released.removeAll(keepingCapacity: true) }
        return released.filter { indices[$0] == nil }
    }

    /// True where anything changed, so that the prefixes that use the next hop are to be decided again.
    mutating func set(_ state: RIB.NextHopState) -> NextHopIndex? {
        guard let index = indices[state.address] else { return nil }
        let old = entries[Int(index)]
        guard
            old.isReachable != state.isReachable || old.cost != state.cost || old.interface != state.interface
                || old.place != state.place
        else { return nil }
        entries[Int(index)].isReachable = state.isReachable
        entries[Int(index)].cost = state.cost
        entries[Int(index)].interface = state.interface
        entries[Int(index)].place = state.place
        return index
    }
}
