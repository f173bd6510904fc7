package import NetTypes

/// All of a route but its prefix: what many routes share.
package struct RouteAttributes: Sendable, Hashable {
    /// Sorted; empty for a blackhole.
    package var nextHops: [FIBNextHop]
    /// Nil for the main table without a source.
    package var placement: RoutePlacement?
    package var metric: UInt32
    package var kind: FIBRouteKind

    package init(
        nextHops: [FIBNextHop], placement: RoutePlacement? = nil, metric: UInt32 = 0, kind: FIBRouteKind = .unicast
    ) {
        self.nextHops = nextHops
        self.placement = placement
        self.metric = metric
        self.kind = kind
    }

    package init(of route: FIBRoute) {
        self.init(nextHops: route.nextHops, placement: route.placement, metric: route.metric, kind: route.kind)
    }

    package var table: UInt32 { placement?.table ?? Ownership.mainTable }
    package var source: IPAddress? { placement?.source }
    package func route(_ prefix: Prefix) -> FIBRoute {
        FIBRoute(prefix: prefix, kind: kind, metric: metric, nextHops: nextHops, placement: placement)
    }
}
