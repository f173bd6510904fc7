import BGPRouting
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import NetTypes
import Planning
import Resources
import StatusAPI

/// `apusctl status`, and the readiness that follows from it. Work: the peers, the update groups, and this node's own
/// prefixes.
extension StatusBuilder {
    func status() -> DaemonStatus {
        let counts = loop.core.speaker.counts
        let snapshots = loop.core.speaker.peerIndices.compactMap { loop.core.speaker.snapshot($0) }
        let identity = loop.core.speaker.identity
        let isReflector = loop.settings.isReflector
        var status = DaemonStatus(
            version: apusVersion, mode: isReflector ? .reflector : .agent, node: loop.core.peering.node,
            routerID: "\(identity.identifier)",
            asNumber: identity.localAS.rawValue,
            clusterID: isReflector || identity.clusterID != identity.identifier ? "\(identity.clusterID)" : nil,
            uptime: (loop.core.now - loop.meter.started).inSeconds, userID: Privileges.userID,
            capabilities: Privileges.capabilityNames,
            programsRoutes: loop.core.plane.programsRoutes && !loop.settings.isDryRun, dryRun: loop.settings.isDryRun,
            peersEstablished: snapshots.count { $0.session != nil },
            peersConfigured: snapshots.count + loop.core.peering.plan.held.count,
            prefixesIPv4: counts.prefixes[0], prefixesIPv6: counts.prefixes[1], pathsIPv4: counts.paths[0],
            pathsIPv6: counts.paths[1],
            attributeSets: counts.attributeSets, updateGroups: counts.groupMembers.count,
            routesWanted: 0,
            routesInKernel: 0, routesMissing: 0, routesRepaired: 0, ownPrefixes: [],
            problems: loop.core.peering.loaded.resources.problems.map(\.description) + loop.core.peering.plan.alarms
                + [loop.transport.refusalProblem(now: loop.core.now)].compactMap { $0 },
            peersHeldDown: loop.core.peering.plan.held.map {
                HeldPeer(name: $0.planned.name, address: targetText($0.planned.target), reason: $0.reason)
            },
            isHealthy: false)
        status.load = load(snapshots, counts)
        loop.core.plane.fill(&status)
        status.isHealthy = status.problems.isEmpty && status.unreadiness(isStarting: loop.core.plane.isStarting) == nil
        return status
    }

    private func load(_ snapshots: [PeerSnapshot], _ counts: RouteCounts) -> LoadStatus {
        var load = LoadStatus()
        load.clientsEstablished = snapshots.count { $0.session != nil && $0.settings.isClient }
        load.groupMembers = counts.groupMembers
        for snapshot in snapshots {
            let queued = loop.transport.queuedBytes(snapshot.index)
            load.queuedBytes += queued
            if queued > load.slowestPeerQueuedBytes {
                load.slowestPeerQueuedBytes = queued
                load.slowestPeer = loop.core.peering.name(snapshot.index)
            }
            if snapshot.isBacklogged { load.peersTooSlow += 1 }
        }
        load.prefixesUndecided = counts.undecided
        load.prefixesUntold = counts.unsent
        load.keepaliveLatestSeconds = Double(loop.meter.keepalives.latest) / 1e9
        load.lateKeepalives = loop.meter.keepalives.lateCount
        load.pathMemory = counts.pathMemory
        load.attributeMemory = counts.attributeMemory
        load.groupMemory = counts.groupMemory
        return load
    }

    private func targetText(_ target: PlannedPeer.Target) -> String {
        switch target {
        case .address(let address): "\(address)"
        case .range(let range): "\(range)"
        case .interface(let name): name
        }
    }

    func readiness() -> ReadinessReport {
        ReadinessReport(unreadiness: status().unreadiness(isStarting: loop.core.plane.isStarting))
    }
}
