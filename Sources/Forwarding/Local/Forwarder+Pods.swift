package import FIB
package import NetTypes
import Planning

/// Pods whose routes need more than to be wanted: those that Felix writes, those of an earlier process, and those that
/// moved.
extension Forwarder {
    /// A host route on a pod's interface that Felix wrote (contract 2.7).
    mutating func observe(_ route: ForeignRoute, isThere: Bool) {
        guard settings.programming == .remote, route.prefix.isHost, route.routeProtocol == settings.felixProtocol,
            route.nextHops.count == 1,
            route.nextHops[0].gateway == nil, let name = interfaces[route.nextHops[0].interface]?.name,
            state.interfacePrefixes.contains(where: name.hasPrefix)
        else { return }
        let metric = route.metric == 0 ? FIBRoute.normalMetric : route.metric
        local.observe(
            route.prefix,
            isThere ? FIBRoute(prefix: route.prefix, kind: .unicast, metric: metric, nextHops: route.nextHops) : nil)
        pending.nextHopRefresh = true
    }

    /// The pods' routes of an earlier process that nobody wants: a pod whose interface is up is alive, whatever the
    /// resources do not say yet.
    mutating func adoptPods(_ wait: RestartWait) {
        var routes: [FIBRoute] = []
        delta.forEachOwn { prefix, wanted, present in
            guard wanted == nil, wait.missing[prefix.family.index] == .nobody, delta.isWaiting(prefix), prefix.isHost,
                let present, present.kind == .unicast,
                present.nextHops.count == 1, present.nextHops[0].gateway == nil,
                let interface = interfaces[present.nextHops[0].interface], interface.isUp,
                state.interfacePrefixes.contains(where: interface.name.hasPrefix),
                !local.isClaimed(prefix, on: interface.name)
            else { return }
            routes.append(present)
        }
        local.adopt(routes)
        // Wanted before anything may be deleted.
        for route in routes { delta.setDesired(route.prefix, route) }
        if !routes.isEmpty { reports.append(.podsWithoutEndpoints(routes.count)) }
    }

    /// A frame came in by an interface: guests of live migrations may have arrived (contract 2.7).
    package mutating func heard(_ frame: ArraySlice<UInt8>, on index: InterfaceIndex) {
        guard let announcement = GuestAnnouncement.parse(frame), let interface = interfaces[index] else { return }
        for name in local.heard(announcement, on: interface) {
            reports.append(.guestArrived(endpoint: name, interface: interface.name))
        }
    }

    /// The connections of a pod's address are forgotten where the address is reached by another way now, or not here
    /// any more (contract 2.7, 'cleanup').
    private mutating func movedPods(_ batch: FIBBatch, _ failed: [FIBFailure]) -> [IPAddress] {
        guard settings.programming.includesPods, !local.endpoints.isEmpty || !podInterfaces.isEmpty else { return [] }
        var moved: [IPAddress] = []
        let failedAt = Set(failed.map(\.index))
        for (index, entry) in batch.entries.enumerated() where entry.prefix.isHost && !failedAt.contains(index) {
            let address = entry.prefix.address
            if entry.action == .delete {
                // The old place of a route that has another metric now is no move.
                if delta.desired(entry.prefix) == nil, podInterfaces.removeValue(forKey: address) != nil {
                    moved.append(address)
                }
            } else {
                let hop = batch.attributeSets[Int(entry.attributes)].nextHops.first
                let before = podInterfaces[address]
                if let before, before != hop?.interface { moved.append(address) }
                podInterfaces[address] = hop?.gateway == nil ? hop?.interface : nil
            }
        }
        return moved
    }

    /// What became of a batch. Returns the pods' addresses whose connections are to be forgotten.
    package mutating func acknowledge(_ batch: FIBBatch, _ failed: [FIBFailure], now: Instant) -> [IPAddress] {
        // Something of ours is there that we did not know of.
        if failed.contains(where: { $0.error == KernelError.exists }) { pending.dump = true }
        delta.acknowledge(batch, failed, now: now)
        return movedPods(batch, failed)
    }
}
