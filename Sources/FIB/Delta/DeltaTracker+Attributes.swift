import NetTypes

/// What many routes share, interned: by how they lead out, a route is a number.
extension DeltaTracker {
    mutating func value(of route: FIBRoute) -> Value {
        Value(attributes: attributesID(route) + 1)
    }

    mutating func attributesID(_ route: FIBRoute) -> UInt32 {
        // Neighboring routes mostly share theirs, storage included.
        let last = Int(interning.last)
        if interning.sets[last].nextHops == route.nextHops, interning.sets[last].placement == route.placement,
            interning.sets[last].metric == route.metric, interning.sets[last].kind == route.kind
        {
            return interning.last
        }
        return attributesID(RouteAttributes(of: route))
    }

    mutating func attributesID(_ attributes: RouteAttributes) -> UInt32 {
        if let known = interning.ids[attributes] {
            interning.last = known
            return known
        }
        let id = UInt32(interning.sets.count)
        interning.sets.append(attributes)
        interning.ids[attributes] = id
        interning.last = id
        return id
    }

    /// Lets the ways go that no route has any more. Cost: the number of routes; seldom, because as many as are left
    /// have to come before the next time.
    mutating func compactAttributes() {
        // States of batches under way stand elsewhere.
        guard batches.planned.isEmpty, !adoption.isDumping else { return }
        var isUsed = [Bool](repeating: false, count: interning.sets.count)
        isUsed[0] = true
        for family in AddressFamily.allCases {
            for state in families[family].states {
                for value in [state.desired, state.kernel] where value.isPresent {
                    isUsed[Int(value.attributes - 1)] = true
                }
            }
        }
        var renumbered = [UInt32](repeating: 0, count: interning.sets.count)
        var left: [RouteAttributes] = []
        for id in interning.sets.indices where isUsed[id] {
            renumbered[id] = UInt32(left.count)
            left.append(interning.sets[id])
        }
        for family in AddressFamily.allCases {
            for slot in families[family].states.indices {
                let wanted = families[family].states[slot].desired.attributes
                if wanted != 0 { families[family].states[slot].desired.attributes = renumbered[Int(wanted - 1)] + 1 }
                let present = families[family].states[slot].kernel.attributes
                if present != 0 { families[family].states[slot].kernel.attributes = renumbered[Int(present - 1)] + 1 }
            }
        }
        interning.sets = left
        interning.ids = Dictionary(uniqueKeysWithValues: left.enumerated().map { ($1, UInt32($0)) })
        interning.last = 0
        interning.limit = max(interning.few, 2 * interning.sets.count)
    }

    /// Ways that are known, for a test of what is kept.
    package var attributesCount: Int { interning.sets.count }

    func table(_ value: Value) -> UInt32 {
        value.isPresent ? interning.sets[Int(value.attributes - 1)].table : Ownership.mainTable
    }
    func metric(_ value: Value) -> UInt32 { value.isPresent ? interning.sets[Int(value.attributes - 1)].metric : 0 }
    func kind(_ value: Value) -> FIBRouteKind {
        value.isPresent ? interning.sets[Int(value.attributes - 1)].kind : .unicast
    }
    func key(_ prefix: Prefix, _ value: Value) -> Key {
        Key(prefix: prefix, metric: metric(value), table: table(value))
    }
    /// True where the kernel would keep the two in one place.
    func sharePlace(_ a: Value, _ b: Value) -> Bool { a == b || metric(a) == metric(b) && table(a) == table(b) }

    func route(_ prefix: Prefix, _ value: Value) -> FIBRoute? {
        guard value.isPresent else { return nil }
        return interning.sets[Int(value.attributes - 1)].route(prefix)
    }
}
