import NetTypes

/// What many routes share, interned: by how they lead out, a route is a number.
extension DeltaTracker {
    mutating func value(of route: FIBRoute) -> Value {
        Value(way: wayID(route) + 1)
    }

    mutating func wayID(_ route: FIBRoute) -> UInt32 {
        // Neighboring routes mostly share theirs, storage included.
        let last = Int(lastWay)
        if ways[last].nextHops == route.nextHops, ways[last].placement == route.placement,
            ways[last].metric == route.metric, ways[last].kind == route.kind
        {
            return lastWay
        }
        return wayID(RouteWay(of: route))
    }

    mutating func wayID(_ way: RouteWay) -> UInt32 {
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

    /// Lets the ways go that no route has any more. Cost: the number of routes; seldom, because as many as are left
    /// have to come before the next time.
    mutating func compactWays() {
        // States of batches under way stand elsewhere.
        guard plannedBatches.isEmpty, !isDumping else { return }
        var isUsed = [Bool](repeating: false, count: ways.count)
        isUsed[0] = true
        for family in 0..<2 {
            for state in families[family].states {
                for value in [state.desired, state.kernel] where value.isPresent { isUsed[Int(value.way - 1)] = true }
            }
        }
        var renumbered = [UInt32](repeating: 0, count: ways.count)
        var left: [RouteWay] = []
        for id in ways.indices where isUsed[id] {
            renumbered[id] = UInt32(left.count)
            left.append(ways[id])
        }
        for family in 0..<2 {
            for slot in families[family].states.indices {
                let wanted = families[family].states[slot].desired.way
                if wanted != 0 { families[family].states[slot].desired.way = renumbered[Int(wanted - 1)] + 1 }
                let present = families[family].states[slot].kernel.way
                if present != 0 { families[family].states[slot].kernel.way = renumbered[Int(present - 1)] + 1 }
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
    func kind(_ value: Value) -> FIBRouteKind { value.isPresent ? ways[Int(value.way - 1)].kind : .unicast }
    func key(_ prefix: Prefix, _ value: Value) -> Key {
        Key(prefix: prefix, metric: metric(value), table: table(value))
    }
    /// True where the kernel would keep the two in one place.
    func sharePlace(_ a: Value, _ b: Value) -> Bool { a == b || metric(a) == metric(b) && table(a) == table(b) }

    func route(_ prefix: Prefix, _ value: Value) -> FIBRoute? {
        guard value.isPresent else { return nil }
        return ways[Int(value.way - 1)].route(prefix)
    }
}
