import BGPMessages
package import BGPRouting
import FIB
package import NetTypes
import Planning
import StatusAPI

/// Loc-RIB to desired routes: which of BGP's routes go into the kernel, by which way, table and source, and which stay
/// though BGP has lost them.
extension Forwarder {
    package mutating func take<View: RouteView & ~Copyable>(
        _ changes: [LocRIBChange], _ routes: borrowing View, now: Instant
    ) {
        var cache = HopCache()
        var withdrawn: [FIBRoute] = []
        for change in changes {
            if local.wants(change.prefix) {
                choose(change.prefix, routes)
                continue
            }
            let route = learned(change.prefix, change.index, routes: routes, cache: &cache)
            if route == nil, breaker.percent > 0, isCluster(change.prefix), let known = delta.desired(change.prefix),
                isKept(known)
            {
                withdrawn.append(known)
            } else if route != nil {
                breaker.forget(change.prefix)
            }
            delta.setDesired(change.prefix, route)
        }
        guard !withdrawn.isEmpty else { return }
        keep(withBreaker { $0.withdrawn(withdrawn, remaining: $1.clusterRoutes, now: now) })
    }

    /// What neighboring prefixes mostly share: their attributes and peer, and the pools that they lie in.
    struct HopCache {
        var handle: AttributeHandle?
        var peer: PeerIndex?
        var pool: Int?
        var placedPool: Int?
        var hops: [FIBNextHop] = []
        var metric: UInt32 = 0
        var placement = NodeState.Placement()
    }

    /// The local route or BGP's: this node's own pod wins, unless BGP says by a lower metric that the pod is being
    /// moved to another node.
    package mutating func choose<View: RouteView & ~Copyable>(_ prefix: Prefix, _ routes: borrowing View) {
        var cache = HopCache()
        let index = routes.find(prefix)
        let other = index.flatMap { learned(prefix, $0, routes: routes, cache: &cache) }
        if other != nil { breaker.forget(prefix) }
        if local.isObserved(prefix) {
            delta.setDesired(prefix, nil)
        } else if let own = local.desired[prefix], own.metric <= other?.metric ?? .max {
            unprogrammed[prefix] = nil
            breaker.forget(prefix)
            delta.setDesired(prefix, own, isUrgent: true)
        } else {
            delta.setDesired(prefix, other)
        }
    }

    /// Asks for every learned route of a family again: what is programmed at all has changed.
    package mutating func takeAll<View: RouteView & ~Copyable>(_ family: AddressFamily, _ routes: borrowing View) {
        var cache = HopCache()
        for index in PrefixIndex.all(below: routes.prefixCapacity(family)) {
            guard let prefix = routes.prefix(at: index, family) else { continue }
            if local.wants(prefix) {
                choose(prefix, routes)
            } else if breaker.held[prefix] == nil {
                delta.setDesired(prefix, learned(prefix, index, routes: routes, cache: &cache))
            }
        }
    }

    /// The route that BGP wants for a prefix; nil for none.
    private mutating func learned<View: RouteView & ~Copyable>(
        _ prefix: Prefix, _ index: PrefixIndex, routes: borrowing View, cache: inout HopCache
    ) -> FIBRoute? {
        if !unprogrammed.isEmpty { unprogrammed[prefix] = nil }
        guard settings.programming.includesLearned, let best = routes.bestPath(index, prefix.family),
            best.peer != .local
        else { return nil }
        if state.foreignPools.contains(where: { $0.contains(prefix) }) { return nil }
        let pool = tunnels.encapsulation.pool(of: prefix)
        let placedPool = state.placement.pools.firstIndex { $0.cidr.contains(prefix) }
        if cache.handle != best.attributes || cache.pool != pool || cache.peer != best.peer
            || cache.placedPool != placedPool
        {
            cache.handle = best.attributes
            cache.pool = pool
            cache.peer = best.peer
            cache.placedPool = placedPool
            cache.hops = hops(best.attributes, pool, prefix: prefix, routes: routes)
            cache.metric = metric(best.attributes, family: prefix.family, routes: routes)
            cache.placement = placement(best.peer, placedPool, family: prefix.family, routes: routes)
            // The reason is entered for every prefix.
            if cache.hops.isEmpty { cache.handle = nil }
        }
        if best.flags.contains(.blackhole) {
            // RFC 7999 2: what is sent to the prefix is dropped here.
            unprogrammed[prefix] = nil
            return FIBRoute(
                prefix: prefix, kind: .blackhole, metric: cache.metric, nextHops: [],
                table: cache.placement.table ?? Ownership.mainTable)
        }
        var all = cache.hops
        if routes.isMultipath(index, prefix.family) {
            all = []
            for member in routes.multipath(index, prefix.family) {
                for hop in hops(member, pool, prefix: prefix, routes: routes) where !all.contains(hop) {
                    all.append(hop)
                }
            }
            if all.count > settings.maximumPaths { all = Array(all.prefix(settings.maximumPaths)) }
            if !all.isEmpty { unprogrammed[prefix] = nil }
        }
        guard !all.isEmpty else { return nil }
        return FIBRoute(
            prefix: prefix, kind: .unicast, metric: cache.metric, nextHops: all,
            table: cache.placement.table ?? Ownership.mainTable, source: cache.placement.source)
    }

    /// The ways out of a path: as its next hop resolves, or through the tunnel that the pool at a position wants.
    private mutating func hops<View: RouteView & ~Copyable>(
        _ handle: AttributeHandle, _ pool: Int?, prefix: Prefix, routes: borrowing View
    ) -> [FIBNextHop] {
        guard let address = routes.nextHop(of: handle), let resolution = nextHops[address] else {
            return []
        }
        guard let pool, resolution.isReachable else { return resolution.nextHops }
        switch tunnels.encapsulation.verdict(pool: pool, nextHop: address) {
        case .plain: return resolution.nextHops
        case .tunnel(let kind, let endpoint):
            guard let device = tunnels.usable[kind] else {
                unprogrammed[prefix] = .tunnel(reason: tunnels.failure(kind) ?? .notUp(device: kind.deviceName))
                return []
            }
            return [FIBNextHop(gateway: endpoint.gateway, interface: device, isOnlink: true)]
        case .noEndpoint(let kind):
            unprogrammed[prefix] = .nextHopIsNoNode(tunnel: kind.name, nextHop: "\(address)")
            return []
        }
    }

    /// Contract 2.6: LOCAL_PREF carries the metric of an address that is being moved (live migration), or what
    /// `setPriority` says.
    private func metric<View: RouteView & ~Copyable>(
        _ handle: AttributeHandle, family: AddressFamily, routes: borrowing View
    ) -> UInt32 {
        let carried = RoutePriority.priority(ofLocalPref: routes.localPref(of: handle))
        return carried == RoutePriority.normal ? settings.normalMetrics[family.index] : carried
    }

    /// Table and source: the peer's before the pool's before FelixConfiguration's.
    private mutating func placement<View: RouteView & ~Copyable>(
        _ peer: PeerIndex, _ pool: Int?, family: AddressFamily, routes: borrowing View
    ) -> NodeState.Placement {
        var result = NodeState.Placement()
        if !state.placement.peers.isEmpty {
            if peerPlacements[peer] == nil, let address = routes.address(of: peer) {
                peerPlacements[peer] =
                    state.placement.peers.first { $0.isOf(address) }?.placement ?? NodeState.Placement()
            }
            result = peerPlacements[peer] ?? result
        }
        if result.source?.family != family { result.source = nil }
        if let pool {
            result.table = result.table ?? state.placement.pools[pool].placement.table
            result.source = result.source ?? state.placement.pools[pool].placement.source
        }
        result.source = result.source ?? state.placement.sources[family.index]
        return result
    }

    // MARK: What is kept though BGP has lost it

    /// Learned routes inside our pools that are wanted now.
    private var clusterRoutes: Int {
        var count = 0
        delta.forEachOwn { prefix, wanted, _ in
            if wanted?.kind == .unicast, isCluster(prefix), !local.wants(prefix) { count += 1 }
        }
        return count
    }

    private func isCluster(_ prefix: Prefix) -> Bool { state.pools.contains { $0.contains(prefix) } }

    /// A route of the cluster whose way is still there.
    private func isKept(_ route: FIBRoute) -> Bool {
        route.kind == .unicast && isCluster(route.prefix) && !state.foreignPools.contains { $0.contains(route.prefix) }
            && route.nextHops.allSatisfy { isAlive($0) }
    }

    /// True while packets can leave by it.
    private func isAlive(_ hop: FIBNextHop) -> Bool {
        guard let gateway = hop.gateway, let interface = interfaces[hop.interface],
            interface.isUsable || interface.tunnel != nil && interface.isUp
        else { return false }
        let underlay = tunnels.usable.first { $0.value == hop.interface }.flatMap { kind, _ in
            tunnels.encapsulation.endpoints[kind]?.values.first { $0.gateway == gateway }?.underlay
        }
        return NextHopTable.resolve(underlay ?? gateway, interfaces: interfaces, routes: delta.foreign).isReachable
            || gateway.isLinkLocal
    }

    /// Changes the breaker by what the rest says.
    private mutating func withBreaker<R>(_ body: (inout WithdrawBreaker, borrowing Forwarder) -> R) -> R {
        var taken = WithdrawBreaker()
        swap(&taken, &breaker)
        defer { swap(&taken, &breaker) }
        return body(&taken, self)
    }

    private mutating func keep(_ routes: [FIBRoute]) {
        guard !routes.isEmpty else { return }
        for route in routes { delta.setDesired(route.prefix, route) }
        reports.append(.massWithdrawal(held: breaker.held.count))
    }

    /// A restart ended without the peers' routes, whether they never came or said that they have none: what the kernel
    /// has of the cluster's stays, where it is more than may go at once.
    mutating func keepUnwanted(_ wait: RestartWait, _ now: Instant) {
        var unwanted: [FIBRoute] = []
        var wanted = 0
        delta.forEachOwn { prefix, desired, present in
            guard isCluster(prefix) else { return }
            if desired != nil {
                if !local.wants(prefix) { wanted += 1 }
            } else if let present, delta.isWaiting(prefix), present.kind == .unicast,
                present.nextHops.allSatisfy({ $0.gateway != nil && isAlive($0) })
            {
                if wait.mayGo(present) { unwanted.append(present) } else { wanted += 1 }
            }
        }
        keep(breaker.withdrawn(unwanted, remaining: wanted, now: now))
    }

    /// Next hops changed: routes that are kept go where their way is dead.
    mutating func releaseDead() {
        guard breaker.isTripped else { return }
        let released = withBreaker { breaker, forwarder in
            breaker.release(where: { !$0.nextHops.allSatisfy { forwarder.isAlive($0) } })
        }
        for prefix in released { delta.setDesired(prefix, nil) }
    }

    /// Gives back the memory of routes that are gone. False, and nothing is done, while routes are to be written.
    package mutating func trim(now: Instant) -> Bool {
        breaker.expire(now: now)
        nextHops.trim()
        return delta.trim()
    }

    /// Lets routes go that were kept when nearly all were withdrawn at once. Returns how many.
    package mutating func releaseHeld<View: RouteView & ~Copyable>(_ routes: borrowing View) -> Int {
        let released = breaker.release()
        for prefix in released { choose(prefix, routes) }
        return released.count
    }
}
