import NetTypes

/// Who writes the routes of a host that goes back to Calico: what an agent left in the kernel is rewritten as theirs
/// (`apusd cleanup --leave-to`), so that they find it as if they had ended and started again.
///
/// Side by side it does not work: BIRD writes the same prefix with the same metric, and the kernel refuses it (EEXIST)
/// for as long as ours is there; and with ours removed first the packets are lost until BIRD's next scan.
package struct Heirs: Sendable, Hashable {
    package var names: Set<Predecessor>
    /// RTA_PROTOCOL of Felix's host routes.
    package var deviceProtocol: UInt8
    /// Metric of their routes; nil where it is that of ours.
    package var metric: UInt32?

    package init(_ names: Set<Predecessor> = [], deviceProtocol: UInt8 = 3, metric: UInt32? = nil) {
        self.names = names
        self.deviceProtocol = deviceProtocol
        self.metric = metric
    }

    /// A route of ours as an heir has it. The kernel makes 1024 of metric 0 for IPv6 (`IP6_RT_PRIO_USER`).
    package func inherited(_ route: FIBRoute) -> FIBRoute {
        var result = route
        if let metric { result.metric = metric == 0 && route.prefix.family == .ipv6 ? 1024 : metric }
        return result
    }

    /// An heir of a route, and RTA_PROTOCOL of its routes.
    package struct Heir: Sendable, Hashable {
        package var name: Predecessor
        package var routeProtocol: UInt8
    }

    /// Who of the heirs would have written a route of ours; nil for nobody. BIRD: own blocks and what has a gateway;
    /// Felix: host routes of pods, and what goes through VXLAN. `interface`: of its first next hop. Neither has a
    /// table but the main one.
    package func heir(of route: FIBRoute, by interface: Interface?) -> Heir? {
        guard route.table == Ownership.mainTable else { return nil }
        let isVXLAN =
            if case .vxlan = interface?.tunnel { true } else { false }
        let heir =
            if isVXLAN {
                Heir(name: .felix, routeProtocol: TakeOver.felixProtocol)
            } else if route.kind == .unicast, route.nextHops.allSatisfy({ $0.gateway == nil }) {
                Heir(name: .felix, routeProtocol: deviceProtocol)
            } else {
                Heir(name: .bird, routeProtocol: TakeOver.birdProtocol)
            }
        return names.contains(heir.name) ? heir : nil
    }
}
