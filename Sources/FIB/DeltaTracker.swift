package import NetTypes

/// Why a wanted route is not in the kernel.
package enum FIBSkipReason: Sendable, Hashable {
    /// Somebody else's route with the same prefix and metric is in the way; it is not fought.
    case foreignRoute(routeProtocol: UInt8)
    /// The kernel refused; tried again with back-off.
    case kernelError(Int32)

    package var text: String {
        switch self {
        case .foreignRoute(let number): "a route of protocol \(number) is in the way"
        case .kernelError(let code): "kernel error \(code)"
        }
    }
}

/// Desired state, the kernel's state, and the difference: pure memory.
///
/// ```
///      desired                kernel (ours)            kernel (foreign)
///   ┌────────────┬──────────────────┬────────────┐   ┌──────────────────┐
///   │  to add    │ in step, or      │ to delete  │   │ in the way of    │
///   │            │ to replace       │            │   │ a desired route  │
///   └────────────┴──────────────────┴────────────┘   └──────────────────┘
/// ```
/// Problems it exists for: routes that others delete or alter must be put back; routes of an earlier process must be adopted, not
/// rewritten; nothing may be removed before the picture is whole; a foreign route must never be touched; an error must stay with the route
/// that caused it and be tried again without a storm.
///
/// A prefix is *dirty* while its two states may differ; the work per turn is bounded by taking a limited number of dirty prefixes.
/// Ways (all of a route but its prefix) are interned: a route costs about 30 bytes with both states.
package struct DeltaTracker: ~Copyable {
    struct Value: Sendable, Hashable {
        /// Position in `ways` + 1; 0: no route.
        var way: UInt32 = 0
        var isPresent: Bool { way != 0 }
    }

    /// Lent in place: see `FamilyTables` of the routing core.
    struct Families: ~Copyable {
        private let base: UnsafeMutablePointer<Family>
        init(seed: UInt64) {
            base = .allocate(capacity: AddressFamily.allCases.count)
            for family in AddressFamily.allCases { (base + family.index).initialize(to: Family(prefixes: PrefixTable(family: family, seed: seed))) }
        }
        deinit {
            base.deinitialize(count: AddressFamily.allCases.count)
            base.deallocate()
        }
        subscript(index: Int) -> Family {
            @inline(__always) unsafeAddress {
                precondition(index >= 0 && index < 2, "no such family")
                return UnsafePointer(base + index)
            }
            @inline(__always) unsafeMutableAddress {
                precondition(index >= 0 && index < 2, "no such family")
                return base + index
            }
        }
    }

    struct Family: ~Copyable {
        var prefixes: PrefixTable
        var desired: [Value] = []
        var kernel: [Value] = []
        var isDirty: [Bool] = []
        /// An operation on it is planned and not acknowledged.
        var isInFlight: [Bool] = []
        /// The kernel's state before the dump that is going on.
        var before: [Value] = []
        /// What the audit that is going on has made of each: empty while there is none.
        var audit: [AuditMark] = []
        init(prefixes: consuming PrefixTable) { self.prefixes = prefixes }
    }

    enum AuditMark: UInt8, Sendable {
        case unseen
        /// The kernel's list had it as it is known.
        case seen
        /// It changed since the audit began: what the list says of it may be older.
        case changed
    }

    struct Failure: Sendable {
        var reason: FIBSkipReason
        var attempts: Int
        var retryAt: Instant
    }

    /// Where the kernel keeps a route: one of a prefix, metric and table.
    struct Key: Sendable, Hashable {
        var prefix: Prefix
        var metric: UInt32
        var table: UInt32
    }

    /// What many routes share, interned.
    struct Way: Sendable, Hashable {
        var nextHops: [FIBNextHop]
        var placement: RoutePlacement?
        var metric: UInt32 = 0
        var kind = FIBRouteKind.unicast
        var table: UInt32 { placement?.table ?? Ownership.mainTable }
    }

    var families: Families
    var dirty: [DirtyEntry] = []
    struct DirtyEntry: Sendable {
        /// The slot, and the family's index in the highest bit.
        private let packed: UInt32
        init(slot: Int, family: AddressFamily) { packed = UInt32(slot) | UInt32(family.index) << 31 }
        var slot: Int { Int(packed & 0x7FFF_FFFF) }
        var family: Int { Int(packed >> 31) }
    }
    private var dirtyCursor = 0
    /// Dirty prefixes that go before the others. They stand in `dirty` too, and are looked at once.
    private var urgent: [DirtyEntry] = []
    private var scatterState: UInt64
    /// Beyond so many dirty prefixes those that are to go are taken in no order: neighbours, deleted one after the other, have the kernel's trie
    /// resize the same nodes again and again. 100,000 routes leave in half of the time.
    private static let scatterThreshold = 8192
    var ways: [Way] = [Way(nextHops: [])]
    /// Beyond so many ways those that no route has any more are let go.
    private var wayLimit: Int
    private let fewWays: Int
    /// Batches that `plan` answered and nobody has acknowledged yet, in order: where each operation's states stand, so that acknowledging looks
    /// nothing up.
    private var plannedBatches: [[Place]] = []
    /// Dirty prefixes that wait for the acknowledgement of an operation on them.
    private var deferred: [DirtyEntry] = []
    struct Place {
        var slot: UInt32
        var value: Value
    }
    struct Planned {
        var operation: FIBOperation
        var place: Place
        init(_ operation: FIBOperation, _ slot: Int, _ value: Value) {
            self.operation = operation
            place = Place(slot: UInt32(slot), value: value)
        }
    }
    private var wayIDs: [Way: UInt32] = [Way(nextHops: []): 0]
    private var lastWay: UInt32 = 0
    var failures: [Prefix: Failure] = [:]
    /// Routes of ours beside the one that `kernel` holds: another metric or table. They go.
    var surplus: Set<Key> = []
    package internal(set) var foreign: ForeignRoutes
    /// Deletion is off until the picture is whole: a restarted process adopts.
    package internal(set) var isDeletionAllowed = false
    var isDumping = false
    package internal(set) var isAuditing = false
    var auditFindings = 0
    package internal(set) var desiredCount = 0
    package internal(set) var kernelCount = 0
    /// Own routes that somebody else removed or altered and that were put back.
    package internal(set) var repairCount = 0

    /// `fewWays`: so many different ways are kept without asking whether a route still has them.
    package init(seed: UInt64, fewWays: Int = 4096) {
        self.fewWays = fewWays
        wayLimit = fewWays
        scatterState = seed | 1
        families = Families(seed: seed)
        foreign = ForeignRoutes(seed: seed)
    }

    // MARK: Desired

    /// Wants a route, or with nil none. Answers whether that changed anything. `isUrgent`: it goes before all others, as a pod's route does
    /// while a full table is being written.
    @discardableResult
    package mutating func setDesired(_ prefix: Prefix, _ route: FIBRoute?, isUrgent: Bool = false) -> Bool {
        let value = route.map { self.value(of: $0) } ?? Value()
        let family = prefix.family.index
        guard let slot = value.isPresent ? insert(prefix) : index(prefix) else { return false }
        let old = families[family].desired[slot]
        guard old != value else { return false }
        desiredCount += (value.isPresent ? 1 : 0) - (old.isPresent ? 1 : 0)
        families[family].desired[slot] = value
        if !failures.isEmpty { failures[prefix] = nil }
        markDirty(prefix, slot)
        if isUrgent, dirty.count - dirtyCursor > 1 { urgent.append(DirtyEntry(slot: slot, family: prefix.family)) }
        return true
    }

    package func desired(_ prefix: Prefix) -> FIBRoute? { index(prefix).flatMap { route(prefix, families[prefix.family.index].desired[$0]) } }
    package func kernel(_ prefix: Prefix) -> FIBRoute? { index(prefix).flatMap { route(prefix, families[prefix.family.index].kernel[$0]) } }
    package func skipReason(_ prefix: Prefix) -> FIBSkipReason? { failures[prefix]?.reason }

    /// True where the kernel has acknowledged exactly what is wanted.
    package func isInstalled(_ prefix: Prefix) -> Bool {
        guard let slot = index(prefix) else { return false }
        let wanted = families[prefix.family.index].desired[slot]
        return wanted.isPresent && wanted == families[prefix.family.index].kernel[slot]
    }

    /// Prefixes whose two states may differ.
    package var dirtyCount: Int { dirty.count - dirtyCursor + deferred.count }
    /// True where `plan` would have something to look at.
    package var canPlan: Bool { dirtyCursor < dirty.count }
    package var failureCount: Int { failures.count }

    /// From now on routes of ours that nobody wants are deleted.
    package mutating func allowDeletion() {
        guard !isDeletionAllowed else { return }
        isDeletionAllowed = true
        var unwanted: [Prefix] = []
        forEachOwn { prefix, desired, _ in if desired == nil { unwanted.append(prefix) } }
        for prefix in unwanted { if let slot = index(prefix) { markDirty(prefix, slot) } }
        for key in surplus { if let slot = index(key.prefix) { markDirty(key.prefix, slot) } }
    }

    /// Every prefix that is wanted or that the kernel has of ours, with both states.
    package func forEachOwn(_ body: (Prefix, FIBRoute?, FIBRoute?) -> Void) {
        for family in AddressFamily.allCases {
            for slot in 0..<families[family.index].desired.count {
                guard let prefix = families[family.index].prefixes.prefix(at: PrefixIndex(slot)) else { continue }
                let wanted = families[family.index].desired[slot]
                let present = families[family.index].kernel[slot]
                if wanted.isPresent || present.isPresent { body(prefix, route(prefix, wanted), route(prefix, present)) }
            }
        }
    }

    // MARK: The difference

    /// The operations that bring at most `budget` dirty prefixes into step: exceptions before the blackholes that they are exceptions to,
    /// additions before deletions.
    package mutating func plan(budget: Int, now: Instant) -> [FIBOperation] {
        requeueFailures(now)
        if ways.count > wayLimit { compactWays() }
        var hosts: [Planned] = []
        var networks: [Planned] = []
        var blackholes: [Planned] = []
        var deletions: [Planned] = []
        networks.reserveCapacity(min(budget, dirtyCount))
        deletions.reserveCapacity(min(budget, dirtyCount))
        var left = budget
        var urgentCursor = 0
        while left > 0, urgentCursor < urgent.count || dirtyCursor < dirty.count {
            let entry: DirtyEntry
            if urgentCursor < urgent.count {
                entry = urgent[urgentCursor]
                urgentCursor += 1
            } else {
                scatter()
                entry = dirty[dirtyCursor]
                dirtyCursor += 1
            }
            let (slot, family) = (entry.slot, entry.family)
            left -= 1
            // An urgent prefix stands in the queue twice, and is looked at once.
            guard families[family].isDirty[slot] else { continue }
            // What the kernel has of it is known only after the acknowledgement.
            if families[family].isInFlight[slot] {
                deferred.append(entry)
                continue
            }
            // A dirty slot is never given back, so its prefix is still the one that was marked.
            families[family].isDirty[slot] = false
            guard let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot)) else { continue }
            let wanted = families[family].desired[slot]
            let present = families[family].kernel[slot]
            if let wantedRoute = route(prefix, wanted), wanted != present {
                let replaces = present.isPresent && sharePlace(present, wanted)
                if !replaces, wantedRoute.table == Ownership.mainTable, let other = foreign.find(prefix, metric: wantedRoute.metric) {
                    fail(prefix, .foreignRoute(routeProtocol: other.routeProtocol), now)
                    // What we have in another place leads elsewhere, and would go before the foreign one.
                    if present.isPresent, isDeletionAllowed {
                        deletions.append(Planned(.delete(prefix, metric: metric(present), table: table(present)), slot, present))
                    }
                } else {
                    let operation = Planned(replaces ? .replace(wantedRoute) : .add(wantedRoute), slot, wanted)
                    if wantedRoute.kind == .blackhole {
                        blackholes.append(operation)
                    } else if prefix.isHost {
                        hosts.append(operation)
                    } else {
                        networks.append(operation)
                    }
                }
            }
            // A route with another metric or table goes as surplus, once the wanted one is there.
            if present.isPresent, !wanted.isPresent, isDeletionAllowed {
                deletions.append(Planned(.delete(prefix, metric: metric(present), table: table(present)), slot, present))
            }
            if isDeletionAllowed, !surplus.isEmpty {
                for key in surplus where key.prefix == prefix {
                    deletions.append(Planned(.delete(prefix, metric: key.metric, table: key.table), slot, Value()))
                }
            }
            if wanted == present, !failures.isEmpty { failures[prefix] = nil }
            if !wanted.isPresent && !present.isPresent { release(prefix, slot) }
        }
        urgent.removeFirst(urgentCursor)
        if dirtyCursor == dirty.count {
            dirty.removeAll(keepingCapacity: dirty.count < 65536)
            dirtyCursor = 0
        }
        let planned: [Planned]
        if hosts.isEmpty && blackholes.isEmpty && networks.isEmpty {
            planned = deletions
        } else if hosts.isEmpty && blackholes.isEmpty && deletions.isEmpty {
            planned = networks
        } else {
            planned = hosts + networks + blackholes + deletions
        }
        if planned.isEmpty { return [] }
        for entry in planned { families[entry.operation.prefix.family.index].isInFlight[Int(entry.place.slot)] = true }
        plannedBatches.append(planned.map(\.place))
        return planned.map(\.operation)
    }

    /// Brings any of the dirty prefixes to the front, where there are many and the first one is to go.
    @inline(__always)
    private mutating func scatter() {
        let count = dirty.count - dirtyCursor
        guard count > DeltaTracker.scatterThreshold else { return }
        // What is to be added is taken as it comes: there the kernel gains less than we lose by looking at the tables in no order.
        let front = dirty[dirtyCursor]
        guard !families[front.family].desired[front.slot].isPresent else { return }
        // xorshift64: the order need not be good, only not theirs.
        scatterState ^= scatterState << 13
        scatterState ^= scatterState >> 7
        scatterState ^= scatterState << 17
        let other = dirtyCursor + Int(truncatingIfNeeded: (scatterState >> 33) % UInt64(count))
        dirty.swapAt(dirtyCursor, other)
    }

    /// What the kernel answered to the oldest batch of `plan`. A batch without operations is not acknowledged.
    package mutating func acknowledge(_ operations: [FIBOperation], _ failed: [FIBFailure], now: Instant) {
        if operations.isEmpty { return }
        var errors: [Int: Int32] = [:]
        for failure in failed { errors[failure.index] = failure.error }
        precondition(plannedBatches.first?.count == operations.count, "batches are acknowledged in the order of their plans")
        let planned = plannedBatches.removeFirst()
        for (operation, place) in zip(operations, planned) { families[operation.prefix.family.index].isInFlight[Int(place.slot)] = false }
        dirty += deferred
        deferred = []
        for position in planned.indices {
            let slot = Int(planned[position].slot)
            switch operations[position] {
            case .add(let route), .replace(let route):
                if let error = errors.isEmpty ? nil : errors[position] {
                    if case .replace = operations[position], error == KernelError.noEntry || error == KernelError.noSuchProcess {
                        // It was gone: add it with the next batch.
                        kernelLost(route.prefix, metric: route.metric, table: route.table)
                    } else {
                        fail(route.prefix, .kernelError(error), now)
                    }
                } else {
                    written(route.prefix, slot, planned[position].value)
                }
            case .delete(let prefix, let metric, let table):
                // Deleting what is absent is success.
                if let error = errors.isEmpty ? nil : errors[position], error != KernelError.noSuchProcess, error != KernelError.noEntry {
                    fail(prefix, .kernelError(error), now)
                } else {
                    deleted(slot, Key(prefix: prefix, metric: metric, table: table))
                }
            }
        }
    }

    /// When a route that failed is tried again.
    package var nextRetry: Instant? { failures.isEmpty ? nil : failures.values.map(\.retryAt).min() }

    /// Something that errors depend on changed (an interface came up, say): everything that failed is tried now.
    package mutating func retryFailures() {
        for prefix in Array(failures.keys) {
            failures[prefix]?.retryAt = .zero
        }
    }

    private mutating func written(_ prefix: Prefix, _ slot: Int, _ value: Value) {
        let family = prefix.family.index
        let old = families[family].kernel[slot]
        if !old.isPresent {
            kernelCount += 1
        } else if !sharePlace(old, value) {
            surplus.insert(key(prefix, old))
            markDirty(prefix, slot)
        }
        families[family].kernel[slot] = value
        noteChange(family, slot)
        if !failures.isEmpty { failures[prefix] = nil }
        if families[family].desired[slot] != value { markDirty(prefix, slot) }
    }

    private mutating func deleted(_ slot: Int, _ gone: Key) {
        if !surplus.isEmpty { surplus.remove(gone) }
        let prefix = gone.prefix
        let family = prefix.family.index
        if families[family].kernel[slot].isPresent, key(prefix, families[family].kernel[slot]) == gone {
            families[family].kernel[slot] = Value()
            noteChange(family, slot)
            kernelCount -= 1
        }
        if !failures.isEmpty { failures[prefix] = nil }
        if families[family].desired[slot].isPresent {
            if families[family].desired[slot] != families[family].kernel[slot] { markDirty(prefix, slot) }
        } else if !families[family].kernel[slot].isPresent && !families[family].isDirty[slot] {
            release(prefix, slot)
        }
    }

    private mutating func fail(_ prefix: Prefix, _ reason: FIBSkipReason, _ now: Instant) {
        let attempts = (failures[prefix]?.attempts ?? 0) + 1
        // 100 ms, doubled to 30 s: long enough not to storm, short enough to follow an interface that is being set up.
        let wait = min(Duration.milliseconds(100) * (1 << min(attempts - 1, 9)), .seconds(30))
        failures[prefix] = Failure(reason: reason, attempts: attempts, retryAt: now + wait)
    }

    private mutating func requeueFailures(_ now: Instant) {
        guard !failures.isEmpty else { return }
        for (prefix, failure) in failures where failure.retryAt <= now {
            if let slot = index(prefix) { markDirty(prefix, slot) } else { failures[prefix] = nil }
        }
    }

    // MARK: Storage

    func index(_ prefix: Prefix) -> Int? { families[prefix.family.index].prefixes.find(prefix).map(Int.init) }

    mutating func insert(_ prefix: Prefix) -> Int {
        let family = prefix.family.index
        let slot = Int(families[family].prefixes.insert(prefix))
        while families[family].desired.count <= slot {
            families[family].desired.append(Value())
            families[family].kernel.append(Value())
            families[family].isDirty.append(false)
            families[family].isInFlight.append(false)
        }
        return slot
    }

    private mutating func release(_ prefix: Prefix, _ slot: Int) {
        guard !families[prefix.family.index].isDirty[slot], !families[prefix.family.index].isInFlight[slot], surplus.isEmpty || !surplus.contains(where: { $0.prefix == prefix })
        else { return }
        if !failures.isEmpty { failures[prefix] = nil }
        families[prefix.family.index].prefixes.remove(PrefixIndex(slot))
    }

    mutating func markDirty(_ prefix: Prefix, _ slot: Int) {
        guard !families[prefix.family.index].isDirty[slot] else { return }
        families[prefix.family.index].isDirty[slot] = true
        dirty.append(DirtyEntry(slot: slot, family: prefix.family))
    }

    mutating func value(of route: FIBRoute) -> Value {
        Value(way: wayID(route) + 1)
    }

    private mutating func wayID(_ route: FIBRoute) -> UInt32 {
        // Neighbouring routes mostly share theirs, storage included.
        let last = Int(lastWay)
        if ways[last].nextHops == route.nextHops, ways[last].placement == route.placement, ways[last].metric == route.metric, ways[last].kind == route.kind { return lastWay }
        return wayID(Way(nextHops: route.nextHops, placement: route.placement, metric: route.metric, kind: route.kind))
    }

    mutating func wayID(_ way: Way) -> UInt32 {
        if let known = wayIDs[way] {
            lastWay = known
            return known
        }
        let id = UInt32(ways.count)
        ways.append(way)
        wayIDs[way] = id
        lastWay = id
        return id
    }

    /// Lets the ways go that no route has any more. Cost: the number of routes; seldom, because as many as are left have to come before the next time.
    private mutating func compactWays() {
        // States of batches under way stand elsewhere.
        guard plannedBatches.isEmpty, !isDumping else { return }
        var isUsed = [Bool](repeating: false, count: ways.count)
        isUsed[0] = true
        for family in 0..<2 {
            for value in families[family].desired where value.isPresent { isUsed[Int(value.way - 1)] = true }
            for value in families[family].kernel where value.isPresent { isUsed[Int(value.way - 1)] = true }
        }
        var renumbered = [UInt32](repeating: 0, count: ways.count)
        var left: [Way] = []
        for id in ways.indices where isUsed[id] {
            renumbered[id] = UInt32(left.count)
            left.append(ways[id])
        }
        for family in 0..<2 {
            for slot in families[family].desired.indices {
                let wanted = families[family].desired[slot].way
                if wanted != 0 { families[family].desired[slot].way = renumbered[Int(wanted - 1)] + 1 }
                let present = families[family].kernel[slot].way
                if present != 0 { families[family].kernel[slot].way = renumbered[Int(present - 1)] + 1 }
            }
        }
        ways = left
        wayIDs = Dictionary(uniqueKeysWithValues: left.enumerated().map { ($1, UInt32($0)) })
        lastWay = 0
        wayLimit = max(fewWays, 2 * ways.count)
    }

    /// Ways that are known, for a test of what is kept.
    package var wayCount: Int { ways.count }

    func table(_ value: Value) -> UInt32 { value.isPresent ? ways[Int(value.way - 1)].table : Ownership.mainTable }
    func metric(_ value: Value) -> UInt32 { value.isPresent ? ways[Int(value.way - 1)].metric : 0 }
    func key(_ prefix: Prefix, _ value: Value) -> Key { Key(prefix: prefix, metric: metric(value), table: table(value)) }
    /// True where the kernel would keep the two in one place.
    func sharePlace(_ a: Value, _ b: Value) -> Bool { a == b || metric(a) == metric(b) && table(a) == table(b) }

    func route(_ prefix: Prefix, _ value: Value) -> FIBRoute? {
        guard value.isPresent else { return nil }
        let way = ways[Int(value.way - 1)]
        return FIBRoute(prefix: prefix, kind: way.kind, metric: way.metric, nextHops: way.nextHops, placement: way.placement)
    }
}
