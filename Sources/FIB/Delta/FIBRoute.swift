package import NetTypes

/// One way out of a route.
package struct FIBNextHop: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Nil: the destination is on the link.
    package var gateway: IPAddress?
    package var interface: InterfaceIndex
    /// RTNH_F_ONLINK: the gateway is on the link though no prefix says so.
    package var isOnlink: Bool

    package init(gateway: IPAddress?, interface: InterfaceIndex, isOnlink: Bool) {
        self.gateway = gateway
        self.interface = interface
        self.isOnlink = isOnlink
    }

    package static func < (a: FIBNextHop, b: FIBNextHop) -> Bool {
        if a.interface != b.interface { return a.interface < b.interface }
        switch (a.gateway, b.gateway) {
        case (nil, nil): return false
        case (nil, _): return true
        case (_, nil): return false
        case (let x?, let y?): return x < y
        }
    }

    package var description: String {
        (gateway.map { "via \($0) " } ?? "") + "dev \(interface)" + (isOnlink ? " onlink" : "")
    }
}

/// What happens to a packet that a route matches.
package enum FIBRouteKind: UInt8, Sendable, Hashable {
    case unicast
    /// Dropped silently: the unused addresses of an own block.
    case blackhole
}

/// A route as Apus wants it in the kernel, or found it there.
package struct FIBRoute: Sendable, Hashable, CustomStringConvertible {
    package var prefix: Prefix
    package var kind: FIBRouteKind
    /// Kernel priority; lower wins (contract: 1024, 512 elevated).
    package var metric: UInt32
    /// Sorted; empty for a blackhole. More than one: ECMP.
    package var nextHops: [FIBNextHop]
    /// Nil for the main table without a source, which nearly all routes have: a route stays small.
    package private(set) var placement: RoutePlacement?

    package init(
        prefix: Prefix, kind: FIBRouteKind, metric: UInt32, nextHops: [FIBNextHop], table: UInt32 = Ownership.mainTable,
        source: IPAddress? = nil
    ) {
        self.init(
            prefix: prefix, kind: kind, metric: metric, nextHops: nextHops.count > 1 ? nextHops.sorted() : nextHops,
            placement: RoutePlacement(table: table, source: source))
    }

    /// `nextHops`: sorted already.
    init(prefix: Prefix, kind: FIBRouteKind, metric: UInt32, nextHops: [FIBNextHop], placement: RoutePlacement?) {
        self.prefix = prefix
        self.kind = kind
        self.metric = metric
        self.nextHops = nextHops
        self.placement = placement
    }

    /// Kernel table; 254 is the main one.
    package var table: UInt32 {
        get { placement?.table ?? Ownership.mainTable }
        set { placement = RoutePlacement(table: newValue, source: source) }
    }
    /// RTA_PREFSRC: the source address that this host itself uses; nil leaves the choice to the kernel.
    package var source: IPAddress? {
        get { placement?.source }
        set { placement = RoutePlacement(table: table, source: newValue) }
    }

    package static let normalMetric: UInt32 = 1024
    package static let elevatedMetric: UInt32 = 512

    package var description: String {
        "\(kind == .blackhole ? "blackhole " : "")\(prefix) metric \(metric)"
            + nextHops.map { " " + $0.description }.joined()
            + (table == Ownership.mainTable ? "" : " table \(table)") + (source.map { " src \($0)" } ?? "")
    }
}

/// Table and source address of a route that has one of its own.
package final class RoutePlacement: Sendable, Hashable {
    package let table: UInt32
    package let source: IPAddress?

    /// Nil for the main table without a source.
    package init?(table: UInt32, source: IPAddress?) {
        guard table != Ownership.mainTable || source != nil else { return nil }
        self.table = table
        self.source = source
    }

    package static func == (a: RoutePlacement, b: RoutePlacement) -> Bool {
        a === b || a.table == b.table && a.source == b.source
    }
    package func hash(into hasher: inout Hasher) {
        hasher.combine(table)
        hasher.combine(source)
    }
}

/// A route of somebody else: never changed, but it may be in the way, and next hops are resolved through it. Only one
/// that a predecessor left behind may be replaced and removed, where the operator has asked for that.
package struct ForeignRoute: Sendable, Hashable {
    package var prefix: Prefix
    package var metric: UInt32
    /// RTA_PROTOCOL: who wrote it.
    package var routeProtocol: UInt8
    /// Empty for blackhole, unreachable and the like.
    package var nextHops: [FIBNextHop]
    /// Whose route may be taken over; nil for all that is never touched.
    package var predecessor: Predecessor?

    package init(prefix: Prefix, metric: UInt32, routeProtocol: UInt8, nextHops: [FIBNextHop]) {
        self.prefix = prefix
        self.metric = metric
        self.routeProtocol = routeProtocol
        self.nextHops = nextHops
    }
}
