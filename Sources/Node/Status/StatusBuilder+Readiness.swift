import BGPRouting
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import NetTypes
import Planning
import Resources
import StatusAPI

/// `apusctl status`, and the readiness that follows from it. Work: one short look at each peer and update group, and
/// this node's own prefixes.
extension StatusBuilder {
    func status() -> DaemonStatus {
        let counts = loop.core.speaker.counts
        let (load, peers) = load(counts)
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
            peersEstablished: peers.established,
            peersConfigured: peers.configured + loop.core.peering.plan.held.count,
            prefixesIPv4: counts.prefixes[0], prefixesIPv6: counts.prefixes[1], pathsIPv4: counts.paths[0],
            pathsIPv6: counts.paths[1],
            attributeSets: counts.attributeSets, updateGroups: counts.groupMembers.count,
            routesWanted: 0,
            routesInKernel: 0, routesMissing: 0, routesRepaired: 0, ownPrefixes: [],
            problems: loop.core.peering.plan.problems + loop.core.peering.plan.alarms
                + [loop.transport.refusalProblem(now: loop.core.now)].compactMap { $0 },
            peersHeldDown: loop.core.peering.plan.held,
            isHealthy: false)
        status.load = load
        status.remarks = loop.core.peering.plan.remarks
        status.otherObjects = loop.core.peering.loaded.resources.others.count
        loop.core.plane.fill(&status)
        loop.core.speaker.judgeAnnouncements(&status.ownPrefixes)
        status.isHealthy = status.problems.isEmpty && status.unreadiness(isStarting: loop.core.plane.isStarting) == nil
        return status
    }

    private func load(_ counts: RouteCounts) -> (load: LoadStatus, peers: (configured: Int, established: Int)) {
        var load = LoadStatus()
        load.groupMembers = counts.groupMembers
        var peers = (configured: 0, established: 0)
        var slowest: PeerIndex?
        loop.core.speaker.visitPeers { peer in
            peers.configured += 1
            if peer.isEstablished {
                peers.established += 1
                if peer.isClient { load.clientsEstablished += 1 }
            }
            let queued = loop.transport.queuedBytes(peer.index)
            load.queuedBytes += queued
            if queued > load.slowestPeerQueuedBytes {
                load.slowestPeerQueuedBytes = queued
                slowest = peer.index
            }
            if peer.isBacklogged { load.peersTooSlow += 1 }
            return true
        }
        load.slowestPeer = slowest.map { loop.core.peering.name($0) }
        load.prefixesUndecided = counts.undecided
        load.prefixesUntold = counts.unsent
        load.keepaliveLatestSeconds = Double(loop.meter.keepalives.latest) / 1e9
        load.lateKeepalives = loop.meter.keepalives.lateCount
        load.pathMemory = counts.pathMemory
        load.attributeMemory = counts.attributeMemory
        load.groupMemory = counts.groupMemory
        return (load, peers)
    }

    func readiness() -> ReadinessReport {
        ReadinessReport(unreadiness: status().unreadiness(isStarting: loop.core.plane.isStarting))
    }
}
