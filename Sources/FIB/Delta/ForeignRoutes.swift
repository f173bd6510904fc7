package import NetTypes

/// Routes of the kernel's main table that are not ours: for conflicts, and to resolve next hops.
package struct ForeignRoutes: ~Copyable, Sendable {
    private var tables: InlineArray<2, PrefixTable>
    private var routes: [[[ForeignRoute]]] = [[], []]
    package private(set) var count = 0
    /// How many of them may be taken over.
    package private(set) var takeableCount = 0
    private let seed: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        tables = InlineArray { PrefixTable(family: AddressFamily.allCases[$0], seed: seed) }
    }

    package mutating func insert(_ route: ForeignRoute) {
        let family = route.prefix.family.index
        let slot = Int(tables[family].insert(route.prefix))
        while routes[family].count <= slot { routes[family].append([]) }
        if let known = routes[family][slot].firstIndex(where: { $0.metric == route.metric }) {
            if routes[family][slot][known].predecessor != nil { takeableCount -= 1 }
            routes[family][slot][known] = route
        } else {
            routes[family][slot].append(route)
            routes[family][slot].sort { $0.metric < $1.metric }
            count += 1
        }
        if route.predecessor != nil { takeableCount += 1 }
    }

    package mutating func remove(_ route: ForeignRoute) {
        let family = route.prefix.family.index
        guard let index = tables[family].find(route.prefix) else { return }
        routes[family][Int(index)].removeAll { known in
            guard known.metric == route.metric, known.routeProtocol == route.routeProtocol else { return false }
            count -= 1
            if known.predecessor != nil { takeableCount -= 1 }
            return true
        }
        if routes[family][Int(index)].isEmpty { tables[family].remove(index) }
    }

    /// Gives back the memory of routes that are gone.
    package mutating func trim() {
        for family in AddressFamily.allCases {
            tables[family.index].trim()
            routes[family.index] = Array(routes[family.index].prefix(tables[family.index].capacity))
        }
    }

    package mutating func removeAll() { self = ForeignRoutes(seed: seed) }

    package func find(_ prefix: Prefix, metric: UInt32) -> ForeignRoute? {
        guard let index = tables[prefix.family.index].find(prefix) else { return nil }
        return routes[prefix.family.index][Int(index)].first { $0.metric == metric }
    }

    /// Visits the routes of a family in pieces, of at most `budget` prefixes together: see `PrefixTable.visit`.
    package func visit(_ family: AddressFamily, from start: Int, budget: inout Int, _ body: (ForeignRoute) -> Void)
        -> Int?
    {
        tables[family.index].visit(overlapping: nil, from: start, budget: &budget) { index, _ in
            for route in routes[family.index][Int(index)] { body(route) }
            return true
        }
    }

    /// The route that the kernel would take for an address: longest prefix, then lowest metric.
    package func longestMatch(_ address: IPAddress) -> ForeignRoute? {
        let family = address.family.index
        guard let index = tables[family].longestMatch(address, where: { !routes[family][Int($0)].isEmpty }) else {
            return nil
        }
        return routes[family][Int(index)].first
    }
}
