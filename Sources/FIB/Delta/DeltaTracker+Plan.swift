package import NetTypes

/// The difference, in batches: what is asked of the kernel, and what its answers mean.
extension DeltaTracker {
    /// So many dirty IPv4 prefixes are taken far from one another: neighbors, written or deleted one after the other,
    /// have the kernel's trie resize the same nodes again and again (`docs/decisions/0015-routes-far-apart.md`).
    static let many = 2048
    /// But not where fewer than one in so many prefixes is dirty: finding them would cost more.
    private static let leastShare = 64

    private struct Planned {
        var entry: FIBBatch.Entry
        var place: Place
    }

    /// The operations that bring at most `budget` dirty prefixes into step: exceptions before the blackholes that they
    /// are exceptions to, additions before deletions.
    package mutating func plan(budget: Int, now: Instant) -> FIBBatch {
        requeueFailures(now)
        if interning.sets.count > interning.limit { compactAttributes() }
        var batch = FIBBatch()
        var hosts: [Planned] = []
        var networks: [Planned] = []
        var blackholes: [Planned] = []
        var deletions: [Planned] = []
        networks.reserveCapacity(min(budget, dirtyCount))
        deletions.reserveCapacity(min(budget, dirtyCount))
        var left = budget
        var urgentCursor = 0
        var hasMany = true
        while left > 0, urgentCursor < queue.urgent.count || queue.cursor < queue.entries.count {
            let next: DirtyEntry
            if urgentCursor < queue.urgent.count {
                next = queue.urgent[urgentCursor]
                urgentCursor += 1
            } else if hasMany, let any = nextOfMany() {
                next = any
            } else {
                hasMany = false
                next = queue.entries[queue.cursor]
                queue.cursor += 1
            }
            let (slot, family) = (next.slot, next.family)
            let state = families[family].states[slot]
            // One that was taken before its turn, urgent or of many, stands in the queue still.
            guard state.isDirty else { continue }
            left -= 1
            // What the kernel has of it is known only after the acknowledgement.
            if state.isInFlight {
                queue.deferred.append(next)
                continue
            }
            // A dirty slot is never given back, so its prefix is still the one that was marked.
            families[family].states[slot].isDirty = false
            families[family].dirtyCount -= 1
            guard let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot)) else { continue }
            let wanted = state.desired
            let present = state.kernel
            if wanted.isPresent, wanted != present {
                let replaces = present.isPresent && sharePlace(present, wanted)
                let isMain = table(wanted) == Ownership.mainTable
                let other = replaces || !isMain ? nil : foreign.find(prefix, metric: metric(wanted))
                if let other, other.predecessor == nil {
                    fail(prefix, reason: .foreignRoute(routeProtocol: other.routeProtocol), now: now)
                    // What we have in another place leads elsewhere, and would go before the foreign one.
                    if present.isPresent {
                        deletions.append(planned(prefix, .delete, slot: slot, value: present, into: &batch))
                    }
                } else {
                    // One message: there is no moment without a route between a predecessor's and ours.
                    let action: FIBBatch.Action = replaces || other != nil ? .replace : .add
                    let operation = planned(prefix, action, slot: slot, value: wanted, into: &batch)
                    if kind(wanted) == .blackhole {
                        blackholes.append(operation)
                    } else if prefix.isHost {
                        hosts.append(operation)
                    } else {
                        networks.append(operation)
                    }
                }
            }
            // A route with another metric or table goes as surplus, once the wanted one is there.
            if present.isPresent, !wanted.isPresent, !state.isFound {
                deletions.append(planned(prefix, .delete, slot: slot, value: present, into: &batch))
            }
            if !state.isFound, !surplus.isEmpty {
                for key in surplus where key.prefix == prefix {
                    let attributes = attributesID(
                        RouteAttributes(
                            nextHops: [], placement: RoutePlacement(table: key.table, source: nil), metric: key.metric))
                    deletions.append(
                        planned(prefix, .delete, slot: slot, value: Value(attributes: attributes + 1), into: &batch))
                }
            }
            if wanted == present, !failures.isEmpty { failures[prefix] = nil }
            if !wanted.isPresent && !present.isPresent { release(prefix, slot) }
        }
        queue.urgent.removeFirst(urgentCursor)
        if queue.cursor == queue.entries.count || dirtyCount == 0 {
            queue.entries.removeAll(keepingCapacity: queue.entries.count < 65536)
            queue.cursor = 0
            queue.scanSlot = 0
        }
        let count = hosts.count + networks.count + blackholes.count + deletions.count
        guard count > 0 else { return batch }
        var places: [Place] = []
        batch.entries.reserveCapacity(count)
        places.reserveCapacity(count)
        for part in [hosts, networks, blackholes, deletions] {
            for operation in part {
                batch.entries.append(operation.entry)
                places.append(operation.place)
                families[operation.entry.prefix.family].states[Int(operation.place.slot)].isInFlight = true
            }
        }
        for place in places { batches.numbers[Int(place.value.attributes - 1)] = 0 }
        batches.planned.append(places)
        return batch
    }

    /// An entry of the batch, whose way is there once.
    @inline(__always)
    private mutating func planned(
        _ prefix: Prefix, _ action: FIBBatch.Action, slot: Int, value: Value, into batch: inout FIBBatch
    ) -> Planned {
        let attributes = Int(value.attributes - 1)
        while batches.numbers.count <= attributes { batches.numbers.append(0) }
        if batches.numbers[attributes] == 0 {
            batch.attributeSets.append(interning.sets[attributes])
            batches.numbers[attributes] = UInt32(batch.attributeSets.count)
        }
        return Planned(
            entry: FIBBatch.Entry(prefix: prefix, attributes: batches.numbers[attributes] - 1, action: action),
            place: Place(slot: UInt32(slot), value: value))
    }

    /// Where many IPv4 prefixes are dirty, the next one in the order of their numbers' bits reversed: first every
    /// 2^k-th, then those halfway between, and so on. The kernel's trie grows evenly that way; and routes go in the
    /// order in which they came, which is that of their places in the kernel's memory.
    private mutating func nextOfMany() -> DirtyEntry? {
        let family = AddressFamily.ipv4
        let size = families[family].states.count
        guard families[family].dirtyCount > max(DeltaTracker.many, size / DeltaTracker.leastShare) else { return nil }
        let highest = 1 << (Int.bitWidth - 1 - (size - 1).leadingZeroBitCount)
        // Once around, and every number was met.
        for _ in 0..<(2 * highest) {
            var slot = queue.scanSlot
            // Counting with the bits reversed: the carry goes down.
            var bit = highest
            while slot & bit != 0 {
                slot &= ~bit
                bit >>= 1
            }
            slot |= bit
            queue.scanSlot = slot
            if slot < size, families[family].states[slot].isDirty, !families[family].states[slot].isInFlight {
                return DirtyEntry(slot: slot, family: .ipv4)
            }
        }
        return nil
    }

    /// What the kernel answered to the oldest batch of `plan`. A batch without operations is not acknowledged.
    package mutating func acknowledge(_ batch: FIBBatch, _ failed: [FIBFailure], now: Instant) {
        if batch.isEmpty { return }
        var refusals: [Int: FIBFailure] = [:]
        for failure in failed { refusals[failure.index] = failure }
        precondition(
            batches.planned.first?.count == batch.count, "batches are acknowledged in the order of their plans")
        let places = batches.planned.removeFirst()
        for position in places.indices {
            families[batch.entries[position].prefix.family].states[Int(places[position].slot)].isInFlight = false
        }
        queue.entries += queue.deferred
        queue.deferred = []
        for position in places.indices {
            let entry = batch.entries[position]
            let (slot, value) = (Int(places[position].slot), places[position].value)
            let refusal = refusals.isEmpty ? nil : refusals[position]
            switch entry.action {
            // It was gone: add it with the next batch.
            case .replace where refusal?.saysAbsent ?? false:
                kernelLost(entry.prefix, metric: metric(value), table: table(value))
                tookOver(entry.prefix, value)
                if families[entry.prefix.family].states[slot].desired.isPresent { markDirty(entry.prefix, slot) }
            case .add, .replace: if refusal == nil { written(entry.prefix, slot, value: value) }
            // Deleting what is absent is success.
            case .delete: if refusal?.saysAbsent ?? true { deleted(entry.prefix, slot, value: value) }
            }
        }
        // Of several operations on one prefix those that succeeded must not hide the one that failed.
        for failure in failed {
            let entry = batch.entries[failure.index]
            if entry.action == .add || !failure.saysAbsent {
                fail(entry.prefix, reason: .kernelError(failure.error), now: now)
            }
        }
    }

    private mutating func written(_ prefix: Prefix, _ slot: Int, value: Value) {
        let family = prefix.family
        let old = families[family].states[slot].kernel
        if !old.isPresent {
            kernelCount += 1
        } else if !sharePlace(old, value) {
            surplus.insert(key(prefix, old))
            markDirty(prefix, slot)
        }
        families[family].states[slot].kernel = value
        tookOver(prefix, value)
        noteChange(family, slot)
        if !failures.isEmpty { failures[prefix] = nil }
        if families[family].states[slot].desired != value { markDirty(prefix, slot) }
    }

    /// `value`: what stood in the place that is empty now.
    private mutating func deleted(_ prefix: Prefix, _ slot: Int, value: Value) {
        if !surplus.isEmpty { surplus.remove(key(prefix, value)) }
        let family = prefix.family
        if families[family].states[slot].kernel.isPresent, sharePlace(families[family].states[slot].kernel, value) {
            families[family].states[slot].kernel = Value()
            forgetFound(family, slot)
            noteChange(family, slot)
            kernelCount -= 1
        }
        if !failures.isEmpty { failures[prefix] = nil }
        let state = families[family].states[slot]
        if state.desired.isPresent {
            if state.desired != state.kernel { markDirty(prefix, slot) }
        } else if !state.kernel.isPresent && !state.isDirty {
            release(prefix, slot)
        }
    }

    // MARK: Failures

    /// When a route that failed is tried again.
    package var nextRetry: Instant? { failures.isEmpty ? nil : failures.values.map(\.retryAt).min() }

    /// Something that errors depend on changed (an interface came up, say): everything that failed is tried now.
    package mutating func retryFailures() {
        for prefix in Array(failures.keys) {
            failures[prefix]?.retryAt = .zero
        }
    }

    private mutating func fail(_ prefix: Prefix, reason: FIBSkipReason, now: Instant) {
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
}
