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
        let rib = countRIB()
        let snapshots = loop.speaker.peerIndices.compactMap { loop.speaker.snapshot($0) }
        let identity = loop.speaker.rib.identity
        let isReflector = loop.settings.isReflector
        var status = DaemonStatus(
            version: apusVersion, mode: isReflector ? .reflector : .agent, node: loop.peering.node,
            routerID: "\(identity.identifier)",
            asNumber: identity.localAS.rawValue,
            clusterID: isReflector || identity.clusterID != identity.identifier ? "\(identity.clusterID)" : nil,
            uptime: (loop.now - loop.started).inSeconds, userID: Privileges.userID,
            capabilities: Privileges.capabilityNames,
            programsRoutes: loop.plane.programsRoutes && !loop.settings.isDryRun, dryRun: loop.settings.isDryRun,
            peersEstablished: snapshots.count { $0.session != nil },
            peersConfigured: snapshots.count + loop.peering.held.count,
            prefixesIPv4: rib.prefixes[0], prefixesIPv6: rib.prefixes[1], pathsIPv4: rib.paths[0],
            pathsIPv6: rib.paths[1],
            attributeSets: loop.speaker.rib.attributes.count, updateGroups: loop.speaker.rib.groups.count { $0 != nil },
            routesWanted: 0,
            routesInKernel: 0, routesMissing: 0, routesRepaired: 0, ownPrefixes: [],
            problems: loop.peering.loaded.resources.problems.map(\.description) + loop.peering.alarms
                + [loop.transport.refusalProblem(now: loop.now)].compactMap { $0 },
            peersHeldDown: loop.peering.held.map {
                HeldPeer(name: $0.planned.name, address: targetText($0.planned.target), reason: $0.reason)
            },
            isHealthy: false)
        status.load = load(snapshots)
        loop.plane.fill(&status)
        status.isHealthy = status.problems.isEmpty && status.unreadiness(isStarting: loop.plane.isStarting) == nil
        return status
    }

    private func load(_ snapshots: [PeerSnapshot]) -> LoadStatus {
        var load = LoadStatus()
        load.clientsEstablished = snapshots.count { $0.session != nil && $0.settings.isClient }
        load.groupMembers = loop.speaker.rib.groups.compactMap { $0?.members.count }.sorted(by: >)
        for snapshot in snapshots {
            let queued = loop.transport.queuedBytes(snapshot.index)
            load.queuedBytes += queued
            if queued > load.slowestPeerQueuedBytes {
                load.slowestPeerQueuedBytes = queued
                load.slowestPeer = loop.peering.name(snapshot.index)
            }
            if snapshot.isBacklogged { load.peersTooSlow += 1 }
        }
        load.prefixesUndecided = loop.speaker.rib.dirtyCount
        load.prefixesUntold = loop.speaker.rib.groups.reduce(0) { $0 + ($1?.pendingCount ?? 0) }
        load.keepaliveLatestSeconds = Double(loop.keepaliveLatest) / 1e9
        load.lateKeepalives = loop.lateKeepalives
        load.pathMemory = AddressFamily.allCases.reduce(0) { $0 + loop.speaker.rib.tables[$1.index].memory }
        load.attributeMemory = loop.speaker.rib.attributes.memory
        load.groupMemory = loop.speaker.rib.groupMemory
        return load
    }

    private func targetText(_ target: PlannedPeer.Target) -> String {
        switch target {
        case .address(let address): "\(address)"
        case .range(let range): "\(range)"
        case .interface(let name): name
        }
    }

    private func countRIB() -> (prefixes: [Int], paths: [Int]) {
        (
            AddressFamily.allCases.map { loop.speaker.rib.tables[$0.index].prefixCount },
            AddressFamily.allCases.map { loop.speaker.rib.tables[$0.index].pathCount }
        )
    }

    func readiness() -> ReadinessReport {
        ReadinessReport(unreadiness: status().unreadiness(isStarting: loop.plane.isStarting))
    }
}
