package import NetTypes

/// How a BGP next hop is reached.
package struct NextHopResolution: Sendable, Hashable {
    /// Empty: unreachable.
    package var nextHops: [FIBNextHop]
    /// The metric of the route that leads there; 0 for a connected subnet.
    package var cost: UInt32
    package var place: Place

    /// By what kind of route it is reached.
    package enum Place: UInt8, Sendable, Hashable {
        /// It is on one of our links, or a pod of this node.
        case onLink
        case routed
        /// Nothing but a default route leads there.
        case byDefault
    }

    package init(nextHops: [FIBNextHop], cost: UInt32, place: Place = .routed) {
        self.nextHops = nextHops
        self.cost = cost
        self.place = place
    }
    package static let unreachable = NextHopResolution(nextHops: [], cost: 0)
    package var isReachable: Bool { !nextHops.isEmpty }
}

/// A next hop that is reached otherwise than before.
package struct NextHopChange: Sendable, Hashable {
    package var address: IPAddress
    package var before: NextHopResolution
    package var resolution: NextHopResolution
}

/// Next-hop tracking (RFC 4271 9.1.2.1): which BGP next hops are in use, and through which of the kernel's routes each
/// is reached. Apus's own routes are never taken for it, so that resolution cannot go in circles.
package struct NextHopTable: Sendable {
    /// Gateways of our own static routes to next hops; our routes are otherwise not asked.
    package var statics: [IPAddress: IPAddress] = [:]
    /// Addresses of local pods, which are reached by our own host routes.
    package var locals: [IPAddress: InterfaceIndex] = [:]
    private var tracked: [IPAddress: NextHopResolution] = [:]

    package init() {}

    package subscript(address: IPAddress) -> NextHopResolution? { tracked[address] }
    package var count: Int { tracked.count }

    /// Begins to track a next hop and returns how it is reached now.
    package mutating func track(_ address: IPAddress, interfaces: InterfaceTable, routes: borrowing ForeignRoutes)
        -> NextHopResolution
    {
        let resolution = resolve(address, interfaces: interfaces, routes: routes)
        tracked[address] = resolution
        return resolution
    }

    /// Gives back the memory of next hops that are gone.
    package mutating func trim() { tracked = tracked.filter { _ in true } }

    package mutating func untrack(_ address: IPAddress) { tracked[address] = nil }

    /// Resolves everything again and returns what changed.
    package mutating func refresh(_ interfaces: InterfaceTable, _ routes: borrowing ForeignRoutes) -> [NextHopChange] {
        var changed: [NextHopChange] = []
        for (address, old) in tracked {
            let new = resolve(address, interfaces: interfaces, routes: routes)
            if new != old {
                tracked[address] = new
                changed.append(NextHopChange(address: address, before: old, resolution: new))
            }
        }
        return changed
    }

    /// Ways out that a change took away and that no next hop has any more.
    package func dead(_ changes: [NextHopChange]) -> Set<FIBNextHop> {
        var gone: Set<FIBNextHop> = []
        for change in changes {
            gone.formUnion(change.before.nextHops.filter { !change.resolution.nextHops.contains($0) })
        }
        guard !gone.isEmpty else { return [] }
        for resolution in tracked.values { gone.subtract(resolution.nextHops) }
        return gone
    }

    /// Through its static route where there is one, else by the kernel's routes.
    package func resolve(_ address: IPAddress, interfaces: InterfaceTable, routes: borrowing ForeignRoutes)
        -> NextHopResolution
    {
        if let interface = locals[address], interfaces[interface]?.isUsable ?? false {
            return NextHopResolution(
                nextHops: [FIBNextHop(gateway: address, interface: interface, isOnlink: true)], cost: 0, place: .onLink)
        }
        guard let gateway = statics[address] else {
            return NextHopTable.resolve(address, interfaces: interfaces, routes: routes)
        }
        var result = NextHopTable.resolve(gateway, interfaces: interfaces, routes: routes)
        if result.place == .onLink { result.place = .routed }
        return result
    }

    /// A connected subnet: the next hop itself, `onlink`. A route with a gateway: that gateway. Else unreachable.
    package static func resolve(_ address: IPAddress, interfaces: InterfaceTable, routes: borrowing ForeignRoutes)
        -> NextHopResolution
    {
        if interfaces.owns(address) { return .unreachable }
        if address.scope != 0 {
            // On the link that its scope names (RFC 8950 next hops of unnumbered sessions).
            let index = InterfaceIndex(rawValue: Int32(bitPattern: address.scope))
            guard interfaces[index]?.isUsable ?? false else { return .unreachable }
            return NextHopResolution(
                nextHops: [FIBNextHop(gateway: address.unscoped, interface: index, isOnlink: true)], cost: 0,
                place: .onLink)
        }
        guard let route = routes.longestMatch(address) else { return .unreachable }
        // RFC 4271 6.3: a host's address. The kernel refuses the subnet's own and its broadcast address.
        if route.isConnected, !route.prefix.isHostAddress(address) { return .unreachable }
        var nextHops: [FIBNextHop] = []
        for hop in route.nextHops {
            guard let interface = interfaces[hop.interface], interface.isUsable, !interfaces.isIgnored(interface.name)
            else { continue }
            nextHops.append(FIBNextHop(gateway: hop.gateway ?? address, interface: hop.interface, isOnlink: true))
        }
        let hasNoGateway = route.nextHops.allSatisfy { $0.gateway == nil }
        return NextHopResolution(
            nextHops: nextHops.sorted(), cost: hasNoGateway ? 0 : max(1, route.metric),
            place: route.isConnected ? .onLink : route.prefix.isDefault ? .byDefault : .routed)
    }
}
