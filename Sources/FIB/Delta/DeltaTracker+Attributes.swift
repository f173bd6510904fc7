import NetTypes

/// What many routes share, interned: by how they lead out, a route is a number.
extension DeltaTracker {
    mutating func value(of route: FIBRoute) -> Value {
        Value(attributes: attributesID(route) + 1)
    }

    mutating func attributesID(_ route: FIBRoute) -> UInt32 {
        // Neighboring routes mostly share theirs, storage included.
        let last = Int(lastAttributes)
        if attributeSets[last].nextHops == route.nextHops, attributeSets[last].placement == route.placement,
            attributeSets[last].metric == route.metric, attributeSets[last].kind == route.kind
        {
            return lastAttributes
        }
        return attributesID(RouteAttributes(of: route))
    }

    mutating func attributesID(_ attributes: RouteAttributes) -> UInt32 {
        if let known = attributesIDs[attributes] {
            lastAttributes = known
            return known
        }
        let id = UInt32(attributeSets.count)
        attributeSets.append(attributes)
        attributesIDs[attributes] = id
        lastAttributes = id
        return id
    }

    /// Lets the ways go that no route has any more. Cost: the number of routes; seldom, because as many as are left
    /// have to come before the next time.
    mutating func compactAttributes() {
        // States of batches under way stand elsewhere.
        guard plannedBatches.isEmpty, !isDumping else { return }
        var isUsed = [Bool](repeating: false, count: attributeSets.count)
        isUsed[0] = true
        for family in 0..<2 {
            for state in families[family].states {
                for value in [state.desired, state.kernel] where value.isPresent {
                    isUsed[Int(value.attributes - 1)] = true
                }
            }
        }
        var renumbered = [UInt32](repeating: 0, count: attributeSets.count)
        var left: [RouteAttributes] = []
        for id in attributeSets.indices where isUsed[id] {
            renumbered[id] = UInt32(left.count)
            left.append(attributeSets[id])
        }
        for family in 0..<2 {
            for slot in families[family].states.indices {
                let wanted = families[family].states[slot].desired.attributes
                if wanted != 0 { families[family].states[slot].desired.attributes = renumbered[Int(wanted - 1)] + 1 }
                let present = families[family].states[slot].kernel.attributes
                if present != 0 { families[family].states[slot].kernel.attributes = renumbered[Int(present - 1)] + 1 }
            }
        }
        attributeSets = left
        attributesIDs = Dictionary(uniqueKeysWithValues: left.enumerated().map { ($1, UInt32($0)) })
        lastAttributes = 0
        attributesLimit = max(fewAttributes, 2 * attributeSets.count)
    }

    /// Ways that are known, for a test of what is kept.
    package var attributesCount: Int { attributeSets.count }

    func table(_ value: Value) -> UInt32 {
        value.isPresent ? attributeSets[Int(value.attributes - 1)].table : Ownership.mainTable
    }
    func metric(_ value: Value) -> UInt32 { value.isPresent ? attributeSets[Int(value.attributes - 1)].metric : 0 }
    func kind(_ value: Value) -> FIBRouteKind {
        value.isPresent ? attributeSets[Int(value.attributes - 1)].kind : .unicast
    }
    func key(_ prefix: Prefix, _ value: Value) -> Key {
        Key(prefix: prefix, metric: metric(value), table: table(value))
    }
    /// True where the kernel would keep the two in one place.
    func sharePlace(_ a: Value, _ b: Value) -> Bool { a == b || metric(a) == metric(b) && table(a) == table(b) }

    func route(_ prefix: Prefix, _ value: Value) -> FIBRoute? {
        guard value.isPresent else { return nil }
        return attributeSets[Int(value.attributes - 1)].route(prefix)
    }
}
