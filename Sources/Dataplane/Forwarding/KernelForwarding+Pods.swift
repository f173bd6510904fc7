import FIB
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
import Planning

/// Pods whose routes need more than to be wanted: those that Felix writes, those of an earlier process, and those that
/// moved.
extension KernelForwarding {
    /// A host route on a pod's interface that Felix wrote (contract 2.7).
    func observe(_ route: ForeignRoute, isThere: Bool) {
        guard settings.programming == .remote, route.prefix.isHost, route.routeProtocol == settings.felixProtocol,
            route.nextHops.count == 1,
            route.nextHops[0].gateway == nil, let name = interfaces[route.nextHops[0].interface]?.name,
            state.interfacePrefixes.contains(where: name.hasPrefix)
        else { return }
        let metric = route.metric == 0 ? FIBRoute.normalMetric : route.metric
        local.observe(
            route.prefix,
            isThere ? FIBRoute(prefix: route.prefix, kind: .unicast, metric: metric, nextHops: route.nextHops) : nil)
        needsNextHopRefresh = true
    }

    /// The pods' routes of an earlier process that nobody wants: a pod whose interface is up is alive, whatever the
    /// resources do not say yet.
    func adoptPods(_ wait: RestartWait) {
        var routes: [FIBRoute] = []
        delta.forEachOwn { prefix, wanted, present in
            guard wanted == nil, wait.missing[prefix.family.index] == .nobody, delta.isWaiting(prefix), prefix.isHost,
                let present, present.kind == .unicast,
                present.nextHops.count == 1, present.nextHops[0].gateway == nil,
                let interface = interfaces[present.nextHops[0].interface], interface.isUp,
                state.interfacePrefixes.contains(where: interface.name.hasPrefix)
            else { return }
            routes.append(present)
        }
        local.adopt(routes)
        // Wanted before anything may be deleted.
        for route in routes { delta.setDesired(route.prefix, route) }
        if !routes.isEmpty {
            logger.warning(
                "pods with routes of an earlier process and no endpoint: their interfaces are up, so their routes stay",
                metadata: ["routes": "\(routes.count)"])
        }
    }

    /// Guests of live migrations that have spoken on this host (contract 2.7).
    func hearGuests() {
        // A frame that a guest sends costs little, and may come in any number: what waits longer is as good.
        for _ in 0..<KernelForwarding.guestBudget {
            guard let heard = guests?.receive() else { return }
            guard let announcement = GuestAnnouncement.parse(heard.frame),
                let interface = interfaces[InterfaceIndex(rawValue: heard.interface)]
            else { continue }
            for name in local.heard(announcement, on: interface) {
                logger.notice(
                    "the guest of a live migration has arrived",
                    metadata: ["endpoint": "\(name)", "interface": "\(interface.name)"])
            }
        }
    }

    /// Hears guests while one is expected, and only then.
    func expectGuests() {
        let awaits = local.awaitsGuests
        guard awaits != hearsGuests else { return }
        hearsGuests = awaits
        if awaits, let guestSocketError {
            logger.error("a live migration's target waits", metadata: ["reason": "\(guestSocketError)"])
        }
        do throws(SystemError) { try guests?.listen(awaits) } catch {
            guestSocketError = "no guest can be heard: \(error)"
            logger.error("cannot listen for guests", metadata: ["reason": "\(error)"])
        }
    }

    /// The connections of a pod's address are forgotten where the address is reached by another way now, or not here
    /// any more (contract 2.7, 'cleanup').
    func followPods(_ batch: FIBBatch, _ failed: [FIBFailure]) {
        guard settings.programming.includesPods, !state.endpoints.isEmpty || !podInterfaces.isEmpty else { return }
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
        if !moved.isEmpty { conntrack?.flush(moved) }
    }
}
