package import NetTypes

/// Which routes go through a tunnel (contract 2.7): by the pool that a prefix lies in, and by whether its next hop
/// shares our subnet.
package struct Encapsulation: Sendable, Hashable {
    package struct Pool: Sendable, Hashable {
        package var cidr: Prefix
        package var kind: TunnelKind
        /// `CrossSubnet`: only where the next hop is not on our own subnet.
        package var isCrossSubnet: Bool
        package init(cidr: Prefix, kind: TunnelKind, isCrossSubnet: Bool) {
            self.cidr = cidr
            self.kind = kind
            self.isCrossSubnet = isCrossSubnet
        }
    }

    package var pools: [Pool]
    /// Other nodes by the address that is the next hop of their routes.
    package var endpoints: [TunnelKind: [IPAddress: TunnelEndpoint]]
    /// This node's subnets by family index; nil without an address of the family.
    package var subnets: [Prefix?]

    package init(
        pools: [Pool] = [], endpoints: [TunnelKind: [IPAddress: TunnelEndpoint]] = [:], subnets: [Prefix?] = [nil, nil]
    ) {
        self.pools = pools
        self.endpoints = endpoints
        self.subnets = subnets
    }

    package enum Verdict: Sendable, Hashable {
        /// As the kernel's routes lead.
        case plain
        case tunnel(TunnelKind, TunnelEndpoint)
        /// The pool wants a tunnel, and there is none to this next hop.
        case noEndpoint(TunnelKind)
    }

    /// The pool whose routes are looked at, by position; nil for prefixes outside of all encapsulated pools.
    package func pool(of prefix: Prefix) -> Int? { pools.firstIndex { $0.cidr.contains(prefix) } }

    /// `pool`: a position that `pool(of:)` answered.
    package func verdict(pool: Int, nextHop: IPAddress) -> Verdict {
        let pool = pools[pool]
        if pool.isCrossSubnet, subnets[nextHop.family.index]?.contains(nextHop) ?? false { return .plain }
        if let endpoint = endpoints[pool.kind]?[nextHop] { return .tunnel(pool.kind, endpoint) }
        // Any host that takes protocol 4 can be the other end.
        if pool.kind == .ipip, nextHop.family == .ipv4 {
            return .tunnel(.ipip, TunnelEndpoint(underlay: nextHop, gateway: nextHop, mac: nil))
        }
        return .noEndpoint(pool.kind)
    }
}
