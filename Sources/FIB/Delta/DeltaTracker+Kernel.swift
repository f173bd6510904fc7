package import NetTypes

/// Which of our routes the kernel has: from notifications, dumps and audits, and from what became of a group of next
/// hops.
extension DeltaTracker {
    // MARK: The kernel speaks

    /// A route of ours is in the kernel: from a dump, or because somebody wrote or altered it, which is put right and
    /// counted.
    package mutating func kernelHas(_ route: FIBRoute) {
        let prefix = route.prefix
        let family = prefix.family
        let slot = insert(prefix)
        let value = self.value(of: route)
        let known = families[family].states[slot].kernel
        let wanted = families[family].states[slot].desired
        if known.isPresent, !sharePlace(known, value) {
            // Two of ours in different places: the wanted one is the route, the other is surplus.
            let isTheRoute = wanted.isPresent && sharePlace(wanted, value)
            surplus.insert(key(prefix, isTheRoute ? known : value))
            markDirty(prefix, slot)
            if !isTheRoute { return }
        } else if !known.isPresent {
            kernelCount += 1
        }
        if adoption.isActive, !wanted.isPresent, !families[family].states[slot].isFound {
            families[family].states[slot].isFound = true
            waitingCount += 1
        }
        guard known != value else { return }
        if known == wanted && wanted.isPresent && !adoption.isDumping { repairCount += 1 }
        families[family].states[slot].kernel = value
        noteChange(family, slot)
        if !adoption.isDumping, value != wanted { markDirty(prefix, slot) }
    }

    /// A route of ours is gone, though we did not ask for it.
    package mutating func kernelLost(_ prefix: Prefix, metric: UInt32, table: UInt32 = Ownership.mainTable) {
        guard let slot = index(prefix) else { return }
        let gone = Key(prefix: prefix, metric: metric, table: table)
        if !surplus.isEmpty, surplus.remove(gone) != nil { return }
        let family = prefix.family
        guard families[family].states[slot].kernel.isPresent, key(prefix, families[family].states[slot].kernel) == gone
        else { return }
        families[family].states[slot].kernel = Value()
        forgetFound(family, slot)
        noteChange(family, slot)
        kernelCount -= 1
        if families[family].states[slot].desired.isPresent { repairCount += 1 }
        markDirty(prefix, slot)
    }

    /// Groups have other members now, and with them every route of ours that named one. What is wanted follows when BGP
    /// has decided: nothing is written back before that.
    package mutating func kernelChanged(_ before: [FIBNextHop], to after: [FIBNextHop]) {
        var replaced: [UInt32: UInt32] = [:]
        for id in interning.sets.indices where interning.sets[id].nextHops == before {
            var attributes = interning.sets[id]
            attributes.nextHops = after
            replaced[UInt32(id) + 1] = attributesID(attributes) + 1
        }
        guard !replaced.isEmpty else { return }
        for family in AddressFamily.allCases {
            for slot in families[family].states.indices {
                guard let attributes = replaced[families[family].states[slot].kernel.attributes] else { continue }
                families[family].states[slot].kernel.attributes = attributes
                noteChange(family, slot)
            }
        }
    }

    /// Looks at every prefix again: for what was changed without being marked.
    package mutating func markDifferences() {
        for family in AddressFamily.allCases {
            for slot in families[family].states.indices
            where families[family].states[slot].desired != families[family].states[slot].kernel {
                if let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot)) {
                    markDirty(prefix, slot)
                }
            }
        }
    }

    /// `replaces`: it took the place of whatever was there, ours included; the kernel says nothing else of that.
    package mutating func foreignAdded(_ route: ForeignRoute, replaces: Bool = false) {
        foreign.insert(route)
        if replaces { kernelLost(route.prefix, metric: route.metric) }
    }

    /// A foreign route went: what it was in the way of is tried again.
    package mutating func foreignRemoved(_ route: ForeignRoute) {
        foreign.remove(route)
        if case .foreignRoute? = failures[route.prefix]?.reason, let slot = index(route.prefix) {
            failures[route.prefix] = nil
            markDirty(route.prefix, slot)
        }
    }

    /// Routes of predecessors that nothing of ours waits to replace any more: those of prefixes that are not wanted, or
    /// that have the wanted route already, beside theirs. Cost: a walk over the foreign routes.
    package func removableOfPredecessors() -> [ForeignRoute] {
        guard foreign.takeableCount > 0 else { return [] }
        var result: [ForeignRoute] = []
        for family in AddressFamily.allCases {
            var budget = Int.max
            _ = foreign.visit(family, from: 0, budget: &budget) { route in
                guard route.predecessor != nil else { return }
                if desired(route.prefix) == nil || isInstalled(route.prefix) { result.append(route) }
            }
        }
        return result
    }

    /// A predecessor's route stays after all: from now on it is foreign as any other.
    package mutating func leave(_ route: ForeignRoute) {
        guard foreign.find(route.prefix, metric: route.metric)?.routeProtocol == route.routeProtocol else { return }
        var left = route
        left.predecessor = nil
        foreign.insert(left)
    }

    /// Our route stands where a predecessor's stood, which the kernel says nothing of.
    mutating func tookOver(_ prefix: Prefix, _ value: Value) {
        guard foreign.takeableCount > 0, table(value) == Ownership.mainTable,
            let replaced = foreign.find(prefix, metric: metric(value)), replaced.predecessor != nil
        else { return }
        foreign.remove(replaced)
        takenOverCount += 1
    }

    /// A dump of the kernel's table begins, or begins again: what it does not mention is gone.
    package mutating func beginDump() {
        cancelAudit()
        let isAgain = adoption.isDumping
        adoption.isDumping = true
        surplus = []
        kernelCount = 0
        for family in AddressFamily.allCases {
            if !isAgain { families[family].before = families[family].states.map(\.kernel) }
            for slot in 0..<families[family].states.count { families[family].states[slot].kernel = Value() }
        }
        foreign.removeAll()
    }

    /// The dump is complete. Own routes that it did not mention are missing.
    package mutating func endDump() {
        adoption.isDumping = false
        adoption.isActive = false
        for family in AddressFamily.allCases {
            for slot in 0..<families[family].states.count {
                guard let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot)) else { continue }
                let before = slot < families[family].before.count ? families[family].before[slot] : Value()
                let wanted = families[family].states[slot].desired
                let present = families[family].states[slot].kernel
                if !present.isPresent { forgetFound(family, slot) }
                if before.isPresent, before == wanted, present != wanted { repairCount += 1 }
                if present != wanted { markDirty(prefix, slot) }
            }
            families[family].before = []
        }
        for (prefix, failure) in failures {
            if case .foreignRoute = failure.reason, let slot = index(prefix) {
                failures[prefix] = nil
                markDirty(prefix, slot)
            }
        }
    }

    // MARK: Audit

    /// An audit begins: the kernel's routes are read in slices, while all else goes on, to find what notifications
    /// missed.
    package mutating func beginAudit() {
        for family in AddressFamily.allCases {
            families[family].audit = [AuditMark](repeating: .unseen, count: families[family].states.count)
        }
        isAuditing = true
    }

    /// The kernel's list has a route of ours.
    package mutating func auditSaw(_ route: FIBRoute) {
        guard isAuditing else { return }
        let family = route.prefix.family
        if let slot = index(route.prefix), slot < families[family].audit.count {
            let known = families[family].states[slot].kernel
            if families[family].audit[slot] == .changed || families[family].states[slot].isInFlight { return }
            if known == value(of: route) {
                families[family].audit[slot] = .seen
                return
            }
            if !surplus.isEmpty, surplus.contains(Key(prefix: route.prefix, metric: route.metric, table: route.table)) {
                return
            }
        } else if let slot = index(route.prefix),
            families[family].states[slot].kernel.isPresent || families[family].states[slot].isInFlight
        {
            return
        }
        adoption.findings += 1
        kernelHas(route)
    }

    /// The list is complete. Returns how many routes it found missing, altered or unknown.
    package mutating func endAudit() -> Int {
        guard isAuditing else { return 0 }
        for family in AddressFamily.allCases {
            for slot in families[family].audit.indices where families[family].audit[slot] == .unseen {
                let known = families[family].states[slot].kernel
                guard known.isPresent, !families[family].states[slot].isInFlight,
                    let prefix = families[family].prefixes.prefix(at: PrefixIndex(slot))
                else { continue }
                adoption.findings += 1
                kernelLost(prefix, metric: metric(known), table: table(known))
            }
        }
        cancelAudit()
        defer { adoption.findings = 0 }
        return adoption.findings
    }

    /// The list cannot be trusted.
    package mutating func cancelAudit() {
        isAuditing = false
        for family in AddressFamily.allCases { families[family].audit = [] }
    }

    mutating func noteChange(_ family: AddressFamily, _ slot: Int) {
        if isAuditing, slot < families[family].audit.count { families[family].audit[slot] = .changed }
    }
}
