package import NetTypes

/// Why a wanted route is not in the kernel.
package enum FIBSkipReason: Sendable, Hashable {
    /// Somebody else's route with the same prefix and metric is in the way; it is not fought.
    case foreignRoute(routeProtocol: UInt8)
    /// The kernel refused; tried again with back-off.
    case kernelError(Int32)
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
/// Problems it exists for: routes that others delete or alter must be put back; routes of an earlier process must be
/// adopted, not rewritten, and not removed before the picture is whole, while what this process wrote goes at once; a
/// foreign route must never be touched; an error must stay with the route that caused it and be tried again without a
/// storm.
///
/// A prefix is *dirty* while its two states may differ; the work per turn is bounded by taking a limited number of
/// dirty prefixes. Ways (all of a route but its prefix) are interned: a route costs about 30 bytes with both states.
package struct DeltaTracker: ~Copyable {
    struct Value: Sendable, Hashable {
        /// Position in `ways` + 1; 0: no route.
        var attributes: UInt32 = 0
        var isPresent: Bool { attributes != 0 }
    }

    /// All that is known of a prefix, in eight bytes: prefixes are looked at in no order, and each look costs one line
    /// of memory.
    struct State: Sendable {
        /// The way in 31 bits, and in the highest one whether the two states may differ.
        private var wanted: UInt32 = 0
        /// The way in 30 bits; in the highest one whether an operation on it is planned and not acknowledged, in the
        /// next one whether it was found at the start.
        private var present: UInt32 = 0
        private static let mark: UInt32 = 1 << 31
        private static let found: UInt32 = 1 << 30

        var desired: Value {
            get { Value(attributes: wanted & ~State.mark) }
            set { wanted = wanted & State.mark | newValue.attributes }
        }
        var kernel: Value {
            get { Value(attributes: present & ~(State.mark | State.found)) }
            set { present = present & (State.mark | State.found) | newValue.attributes }
        }
        var isDirty: Bool {
            get { wanted & State.mark != 0 }
            set { wanted = newValue ? wanted | State.mark : wanted & ~State.mark }
        }
        var isInFlight: Bool {
            get { present & State.mark != 0 }
            set { present = newValue ? present | State.mark : present & ~State.mark }
        }
        /// The kernel had it before this process, and nobody has wanted anything of the prefix since.
        var isFound: Bool {
            get { present & State.found != 0 }
            set { present = newValue ? present | State.found : present & ~State.found }
        }
    }

    struct Family: ~Copyable {
        var prefixes: PrefixTable
        /// By the number that `prefixes` gave a prefix.
        var states: [State] = []
        /// How many of them are dirty.
        var dirtyCount = 0
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

    var families: PerFamily<Family>
    /// Prefixes whose route in the kernel may differ from what is wanted.
    struct DirtyQueue {
        var entries: [DirtyEntry] = []
        var cursor = 0
        /// The number that `nextOfMany` returned last.
        var scanSlot = 0
        /// Dirty prefixes that go before the others. They stand in `entries` too, and are looked at once.
        var urgent: [DirtyEntry] = []
        /// Dirty prefixes that wait for the acknowledgement of an operation on them.
        var deferred: [DirtyEntry] = []
    }
    var queue = DirtyQueue()
    struct DirtyEntry: Sendable {
        /// The slot, and in the highest bit the family: 0 for IPv4.
        private let packed: UInt32
        init(slot: Int, family: AddressFamily) { packed = UInt32(slot) | UInt32(family.index) << 31 }
        var slot: Int { Int(packed & 0x7FFF_FFFF) }
        var family: AddressFamily { packed >> 31 == 0 ? .ipv4 : .ipv6 }
    }
    /// Sets of attributes by number: many routes share few of them.
    struct AttributeSets {
        var sets: [RouteAttributes] = [RouteAttributes(nextHops: [])]
        /// Beyond so many ways those that no route has any more are let go.
        var limit: Int
        let few: Int
        var ids: [RouteAttributes: UInt32] = [RouteAttributes(nextHops: []): 0]
        var last: UInt32 = 0
    }
    var interning: AttributeSets
    /// Batches that were planned.
    struct Batches {
        /// Batches that `plan` returned and nobody has acknowledged yet, in order: where each operation's states stand,
        /// so that acknowledging looks nothing up.
        var planned: [[Place]] = []
        /// While a batch is planned: the number that it gave a way, + 1.
        var numbers: [UInt32] = []
    }
    var batches = Batches()
    struct Place {
        var slot: UInt32
        var value: Value
    }
    var failures: [Prefix: Failure] = [:]
    /// Routes of ours beside the one that `kernel` holds: another metric or table. They go.
    var surplus: Set<Key> = []
    package internal(set) var foreign: ForeignRoutes
    /// Dumps of the kernel's routes, at the start and for audits.
    struct Adoption {
        /// Until the first dump is complete, what the kernel has was there before this process: it is kept until it is
        /// wanted or released.
        var isActive = true
        var isDumping = false
        var findings = 0
    }
    var adoption = Adoption()
    /// Routes that were found at the start and wait for being wanted or released.
    package internal(set) var waitingCount = 0
    package internal(set) var isAuditing = false
    package internal(set) var desiredCount = 0
    package internal(set) var kernelCount = 0
    /// Own routes that somebody else removed or altered and that were put back.
    package internal(set) var repairCount = 0
    /// Routes of predecessors that ours have replaced.
    package internal(set) var takenOverCount = 0
    /// A list of everything that the kernel has is being read.
    package var isDumping: Bool { adoption.isDumping }

    /// `fewAttributes`: so many different ways are kept without asking whether a route still has them.
    package init(seed: UInt64, fewAttributes: Int = 4096) {
        interning = AttributeSets(limit: fewAttributes, few: fewAttributes)
        families = PerFamily { Family(prefixes: PrefixTable(family: $0, seed: seed)) }
        foreign = ForeignRoutes(seed: seed)
    }

    // MARK: Desired

    /// Wants a route, or with nil none. Returns whether that changed anything. `isUrgent`: it goes before all others,
    /// as a pod's route does while a full table is being written.
    @discardableResult
    package mutating func setDesired(_ prefix: Prefix, _ route: FIBRoute?, isUrgent: Bool = false) -> Bool {
        let value = route.map { self.value(of: $0) } ?? Value()
        let family = prefix.family
        guard let slot = value.isPresent ? insert(prefix) : index(prefix) else { return false }
        let old = families[family].states[slot].desired
        guard old != value else { return false }
        desiredCount += (value.isPresent ? 1 : 0) - (old.isPresent ? 1 : 0)
        families[family].states[slot].desired = value
        // From now on the prefix is what this process makes of it: it waits no more, not even when it is withdrawn
        // again.
        if value.isPresent { forgetFound(family, slot) }
        if !failures.isEmpty { failures[prefix] = nil }
        markDirty(prefix, slot)
        if isUrgent, queue.entries.count - queue.cursor > 1 {
            queue.urgent.append(DirtyEntry(slot: slot, family: prefix.family))
        }
        return true
    }

    package func desired(_ prefix: Prefix) -> FIBRoute? {
        index(prefix).flatMap { route(prefix, families[prefix.family].states[$0].desired) }
    }
    /// The wanted route of the longest prefix that holds a prefix whole and is not the prefix itself.
    package func desired(around prefix: Prefix) -> FIBRoute? {
        let family = prefix.family
        let found = families[family].prefixes.longestMatch(prefix.address) { index in
            families[family].states[Int(index)].desired.isPresent
                && families[family].prefixes.prefix(at: index).map { $0.length < prefix.length } ?? false
        }
        return found.flatMap { families[family].prefixes.prefix(at: $0) }.flatMap { desired($0) }
    }
    package func kernel(_ prefix: Prefix) -> FIBRoute? {
        index(prefix).flatMap { route(prefix, families[prefix.family].states[$0].kernel) }
    }
    package func skipReason(_ prefix: Prefix) -> FIBSkipReason? { failures[prefix]?.reason }

    /// True where the kernel has acknowledged exactly what is wanted.
    package func isInstalled(_ prefix: Prefix) -> Bool {
        guard let slot = index(prefix) else { return false }
        let wanted = families[prefix.family].states[slot].desired
        return wanted.isPresent && wanted == families[prefix.family].states[slot].kernel
    }

    /// Prefixes whose two states may differ.
    package var dirtyCount: Int { families[.ipv4].dirtyCount + families[.ipv6].dirtyCount }
    /// True where `plan` would have something to look at.
    package var canPlan: Bool { queue.cursor < queue.entries.count && dirtyCount > 0 }
    package var failureCount: Int { failures.count }

    // MARK: Found at the start

    /// Lets routes go that were found at the start and that nobody has wanted since: those that a predicate names.
    /// Returns how many. Cost: the number of routes.
    @discardableResult
    package mutating func releaseFound(where mayGo: (FIBRoute) -> Bool = { _ in true }) -> Int {
        var count = 0
        guard waitingCount > 0 else { return 0 }
        for family in AddressFamily.allCases {
            for slot in families[family].states.indices where families[family].states[slot].isFound {
                guard let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot)),
                    let route = route(prefix, families[family].states[slot].kernel), mayGo(route)
                else { continue }
                forgetFound(family, slot)
                markDirty(prefix, slot)
                count += 1
            }
        }
        return count
    }

    /// Whether the kernel's route of a prefix was found at the start and waits.
    package func isWaiting(_ prefix: Prefix) -> Bool {
        index(prefix).map { families[prefix.family].states[$0].isFound } ?? false
    }

    mutating func forgetFound(_ family: AddressFamily, _ slot: Int) {
        guard families[family].states[slot].isFound else { return }
        families[family].states[slot].isFound = false
        waitingCount -= 1
    }

    /// Every prefix that is wanted or that the kernel has of ours, with both states.
    package func forEachOwn(_ body: (Prefix, FIBRoute?, FIBRoute?) -> Void) {
        for family in AddressFamily.allCases {
            for slot in 0..<families[family].states.count {
                guard let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot)) else { continue }
                let wanted = families[family].states[slot].desired
                let present = families[family].states[slot].kernel
                if wanted.isPresent || present.isPresent { body(prefix, route(prefix, wanted), route(prefix, present)) }
            }
        }
    }

    /// The same in pieces, for one family: see `PrefixTable.visit`.
    package func visitOwn(
        _ family: AddressFamily, overlapping wanted: Prefix?, from start: Int, budget: inout Int,
        _ body: (Prefix, FIBRoute?, FIBRoute?) -> Bool
    ) -> Int? {
        families[family].prefixes.visit(overlapping: wanted, from: start, budget: &budget) { index, prefix in
            let desired = families[family].states[Int(index)].desired
            let present = families[family].states[Int(index)].kernel
            guard desired.isPresent || present.isPresent else { return true }
            return body(prefix, route(prefix, desired), route(prefix, present))
        }
    }

    /// Some of the routes that are not in the kernel as wanted; work: `most` entries of each kind of reason, however
    /// many there are.
    package func examplesOfMissing(most: Int) -> [Prefix] {
        var result = Array(failures.keys.prefix(most))
        for entry in queue.entries[queue.cursor...].prefix(most) {
            let state = families[entry.family].states[entry.slot]
            guard state.desired.isPresent, state.desired != state.kernel,
                let prefix = families[entry.family].prefixes.prefix(at: PrefixIndex(entry.slot)),
                !result.contains(prefix)
            else { continue }
            result.append(prefix)
        }
        return result
    }

    // MARK: Storage

    /// Gives back the memory of routes that are gone. False, and nothing is done, while anything is dirty or under way,
    /// or a list of the kernel's is being read. Cost: a walk over the tables.
    package mutating func trim() -> Bool {
        guard queue.cursor >= queue.entries.count, queue.urgent.isEmpty, queue.deferred.isEmpty,
            batches.planned.isEmpty,
            AddressFamily.allCases.allSatisfy({
                families[$0].before.isEmpty && families[$0].audit.isEmpty
                    && families[$0].dirtyCount == 0
            })
        else { return false }
        for family in AddressFamily.allCases {
            families[family].prefixes.trim()
            families[family].states = Array(
                families[family].states.prefix(families[family].prefixes.capacity))
        }
        foreign.trim()
        compactAttributes()
        queue.entries = []
        queue.cursor = 0
        queue.scanSlot = 0
        queue.urgent = []
        queue.deferred = []
        batches.planned = []
        return true
    }

    func index(_ prefix: Prefix) -> Int? { families[prefix.family].prefixes.find(prefix).map(Int.init) }

    mutating func insert(_ prefix: Prefix) -> Int {
        let family = prefix.family
        let slot = Int(families[family].prefixes.insert(prefix))
        while families[family].states.count <= slot {
            families[family].states.append(State())
        }
        return slot
    }

    mutating func release(_ prefix: Prefix, _ slot: Int) {
        guard !families[prefix.family].states[slot].isDirty,
            !families[prefix.family].states[slot].isInFlight,
            surplus.isEmpty || !surplus.contains(where: { $0.prefix == prefix })
        else { return }
        if !failures.isEmpty { failures[prefix] = nil }
        forgetFound(prefix.family, slot)
        families[prefix.family].prefixes.remove(PrefixIndex(slot))
    }

    mutating func markDirty(_ prefix: Prefix, _ slot: Int) {
        guard !families[prefix.family].states[slot].isDirty else { return }
        families[prefix.family].states[slot].isDirty = true
        families[prefix.family].dirtyCount += 1
        queue.entries.append(DirtyEntry(slot: slot, family: prefix.family))
    }
}
