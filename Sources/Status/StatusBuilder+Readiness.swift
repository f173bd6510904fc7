import BGPRouting
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import NetTypes
import Node
import Planning
import Resources
package import StatusAPI

/// `apusctl status`, and the readiness that follows from it. Work: one short look at each peer and update group, and
/// this node's own prefixes.
extension StatusBuilder {
    func status() -> DaemonStatus {
        let counts = core.speaker.counts
        let (load, peers) = load(counts)
        let identity = core.speaker.identity
        let isReflector = mode.isReflector
        var status = DaemonStatus(
            version: apusVersion, mode: isReflector ? .reflector : .agent, node: core.peering.node,
            routerID: "\(identity.identifier)",
            asNumber: identity.localAS.rawValue,
            clusterID: isReflector || identity.clusterID != identity.identifier ? "\(identity.clusterID)" : nil,
            uptime: (core.now - meter.started).inSeconds, userID: Privileges.userID,
            capabilities: Privileges.capabilityNames,
            programsRoutes: core.plane.programsRoutes && !mode.isDryRun, dryRun: mode.isDryRun,
            peersEstablished: peers.established,
            peersConfigured: peers.configured + core.peering.plan.held.count,
            prefixesIPv4: counts.prefixes[0], prefixesIPv6: counts.prefixes[1], pathsIPv4: counts.paths[0],
            pathsIPv6: counts.paths[1],
            attributeSets: counts.attributeSets, updateGroups: counts.groupMembers.count,
            routesWanted: 0,
            routesInKernel: 0, routesMissing: 0, routesRepaired: 0, ownPrefixes: [],
            peersHeldDown: core.peering.plan.held.map { HeldPeer($0) },
            isHealthy: false)
        status.load = load
        status.otherObjects = core.peering.loaded.resources.others.count
        core.plane.fill(&status)
        core.speaker.judgeAnnouncements(&status.ownPrefixes)
        status.findings = core.health.observe(
            findings(status), now: core.now, wallClock: wallClockSeconds())
        status.isHealthy = !status.findings.contains { $0.severity.isUnhealthy }
        return status
    }

    private func load(_ counts: RouteCounts) -> (load: LoadStatus, peers: (configured: Int, established: Int)) {
        var load = LoadStatus()
        load.groupMembers = counts.groupMembers
        var peers = (configured: 0, established: 0)
        var slowest: PeerIndex?
        core.speaker.visitPeers { peer in
            peers.configured += 1
            if peer.isEstablished {
                peers.established += 1
                if peer.isClient { load.clientsEstablished += 1 }
            }
            let queued = core.transport.queuedBytes(peer.index)
            load.queuedBytes += queued
            if queued > load.slowestPeerQueuedBytes {
                load.slowestPeerQueuedBytes = queued
                slowest = peer.index
            }
            if peer.isBacklogged { load.peersTooSlow += 1 }
            return true
        }
        load.slowestPeer = slowest.map { core.peering.peers.name($0) }
        load.prefixesUndecided = counts.undecided
        load.prefixesUnsent = counts.unsent
        load.keepaliveLatestSeconds = Double(meter.keepalives.latest) / 1e9
        load.lateKeepalives = meter.keepalives.lateCount
        load.pathMemory = counts.pathMemory
        load.attributeMemory = counts.attributeMemory
        load.groupMemory = counts.groupMemory
        return (load, peers)
    }

    /// Why this node is not ready; nil where it is.
    package func unreadiness() -> Unreadiness? { status().unreadiness(isStarting: core.plane.isStarting) }
}
