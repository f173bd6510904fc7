import BFD
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import NetTypes
import Node
import Planning
import Resources
import StatusAPI

/// What is wrong now, whole: from what the daemon knows, and from the last examination of the host.
extension StatusBuilder {
    /// Peers that are named one by one.
    private static let mostPeers = 32
    /// Own blocks that a peer's announcements are judged by, and peers that are judged.
    private static let judgedBlocks = 8
    private static let judgedPeers = 256

    /// Without `since`. `status`: all of it but its findings. Work: one short look at each peer, pod and own prefix.
    func findings(_ status: DaemonStatus) -> [Finding] {
        let plan = core.peering.plan
        var findings = (plan.problems + plan.alarms).map { Finding(.fault, $0) }
        findings += core.addressFindings.map { Finding(.fault, $0) }
        if plan.missedChanges { findings.append(Finding(.fault, .nodeGone(node: status.node))) }
        if let (limit, closed) = core.transport.recentRefusals(now: core.now) {
            findings.append(Finding(.fault, .connectionsRefused(limit: limit, closed: closed)))
        }
        for (_, cause) in core.health.listeners.sorted(by: { $0.key < $1.key }) {
            findings.append(Finding(.degraded, cause))
        }
        if core.plane.isStarting { findings.append(Finding(.degraded, .starting)) }
        findings += peerFindings(status)
        findings += blockFindings(status)
        findings += core.plane.findings()
        findings += prefixFindings(status)
        findings += core.health.examination.filter { $0.severity != .fine }
        return findings + plan.remarks.map { Finding(.note, $0) }
    }

    private func peerFindings(_ status: DaemonStatus) -> [Finding] {
        var findings: [Finding] = []
        var expectedDown = 0
        for held in status.peersHeldDown {
            var severity = Finding.Severity.fault
            if case .shutdown = held.reason {
                severity = .note
                expectedDown += 1
            }
            findings.append(
                Finding(severity, .peerHeldDown(peer: held.name, address: held.address, reason: held.reason)))
        }
        let wanted = status.peersConfigured - expectedDown
        if status.peersConfigured == 0 {
            findings.append(Finding(.degraded, .noPeerConfigured))
        } else if status.peersEstablished < wanted {
            let severity = status.peersEstablished == 0 ? Finding.Severity.fault : .degraded
            let down = wanted - status.peersEstablished
            findings.insert(Finding(severity, .peersDown(count: down, of: status.peersConfigured)), at: 0)
            findings += named(severity)
        }
        if status.load.peersTooSlow > 0 {
            findings.append(
                Finding(
                    .degraded,
                    .peersTooSlow(count: status.load.peersTooSlow, slowest: status.load.slowestPeer ?? "")))
        }
        return findings + bfdFindings()
    }

    /// Peers that are not up, one by one.
    private func named(_ severity: Finding.Severity) -> [Finding] {
        var down: [PeerIndex] = []
        core.speaker.visitPeers { peer in
            if !peer.isEstablished { down.append(peer.index) }
            return down.count < StatusBuilder.mostPeers
        }
        return down.compactMap { core.speaker.snapshot($0) }.flatMap { snapshot -> [Finding] in
            guard let details = core.peering.peers.details(snapshot.index) else { return [] }
            let session = snapshot.settings.session
            let errors = details.history.lastErrors(isUp: false)
            func reason(_ event: PeerHistory.Event?) -> PeerDownReason? {
                event.map { PeerDownReason($0, remoteAS: session.remoteAS, localAS: session.localAS) }
            }
            return [
                Finding(
                    severity,
                    .peerDown(
                        peer: details.planned.name, address: "\(snapshot.settings.peerAddress)",
                        state: PeerState(snapshot.state), reason: reason(errors.error), since: reason(errors.since)))
            ]
                + limit(snapshot, details.planned)
                + refusals(details.planned, address: "\(snapshot.settings.peerAddress)")
        }
    }

    private func limit(_ snapshot: PeerSnapshot, _ peer: PlannedPeer) -> [Finding] {
        guard snapshot.hasReachedLimit else { return [] }
        return [
            Finding(
                .degraded,
                .prefixLimitReached(
                    peer: peer.name, address: "\(snapshot.settings.peerAddress)",
                    limit: snapshot.settings.maximumPrefixes.limit,
                    restartsIn: snapshot.limitRestart.map { Int(max(.zero, $0 - core.now).inSeconds.rounded(.up)) }))
        ]
    }

    /// What the kernel drops that fits a peer which is down.
    private func refusals(_ peer: PlannedPeer, address: String) -> [Finding] {
        core.health.recentRefusals(now: core.now).compactMap { reason -> SegmentRefusal? in
            switch reason {
            case .unexpectedSignature: peer.password == nil ? .unexpectedSignature : nil
            case .missingSignature: peer.password != nil ? .missingSignature : nil
            case .wrongSignature: peer.password != nil ? .wrongSignature : nil
            case .ttlTooSmall: peer.options.ttlSecurity != nil ? .ttlTooSmall : nil
            }
        }.sorted { $0.rawValue < $1.rawValue }.map {
            Finding(.degraded, .segmentsRefused(peer: peer.name, address: address, reason: $0))
        }
    }

    /// Sessions that are up, and whose BFD is not.
    private func bfdFindings() -> [Finding] {
        core.peering.peers.failedBFD(most: StatusBuilder.mostPeers).compactMap { peer, address, name, state in
            guard core.speaker.isEstablished(peer) else { return nil }
            return Finding(.degraded, .bfdDown(peer: name, address: "\(address)", state: BFDSessionState(state)))
        }
    }

    /// Peers that are up and have none of the node's blocks, though others may.
    private func blockFindings(_ status: DaemonStatus) -> [Finding] {
        var findings: [Finding] = []
        for family in AddressFamily.allCases {
            let blocks = status.ownPrefixes.filter { $0.kind == .block && $0.mayBeAnnounced }
                .compactMap { Prefix($0.prefix) }.filter { $0.family == family }.prefix(StatusBuilder.judgedBlocks)
            guard !blocks.isEmpty else { continue }
            var verdicts = Array(blocks.compactMap { core.speaker.find($0) }.map { GroupVerdicts(of: $0, family) })
            var peers: [PeerLoad] = []
            core.speaker.visitPeers { peer in
                if peer.sessionFamilies.contains(family), !peer.isClient { peers.append(peer) }
                return peers.count < StatusBuilder.judgedPeers
            }
            for peer in peers {
                var first: NotAnnouncedReason?
                var isSentOne = verdicts.isEmpty
                for index in verdicts.indices where !isSentOne {
                    if let reason = core.speaker.reasonNotAnnounced(to: peer, family, &verdicts[index]) {
                        first = first ?? reason
                        // It is on its way, or comes from the peer itself.
                        if reason == .undecided || reason == .splitHorizon { isSentOne = true }
                    } else {
                        isSentOne = true
                    }
                }
                guard !isSentOne, let first, let details = core.peering.peers.details(peer.index) else { continue }
                findings.append(
                    Finding(
                        .degraded,
                        .peerSentNoBlocks(
                            peer: details.planned.name, address: "\(peer.address)", blocks: blocks.count,
                            reason: first)))
            }
        }
        return findings
    }

    /// Own prefixes that no peer has, though one should.
    private func prefixFindings(_ status: DaemonStatus) -> [Finding] {
        status.ownPrefixes.filter { !$0.isAnnounced }.prefix(StatusBuilder.mostPeers).compactMap { own in
            guard let reason = own.reason else { return nil }
            let severity: Finding.Severity? =
                switch reason {
                case .exportDisabled: nil
                // Said of the peers already.
                case .noPeer where status.peersConfigured == 0: nil
                case .noPeer: .note
                case .keptBack: .degraded
                // Said of the address.
                case .addressOnNoInterface: nil
                case .aboutToBeAnnounced, .notInKernel, .noSession: .fault
                }
            return severity.map { Finding($0, .prefixNotAnnounced(prefix: own.prefix, reason: reason)) }
        }
    }
}

extension OwnPrefixStatus {
    /// Its route is in the kernel, and it is policy alone that keeps it from peers.
    fileprivate var mayBeAnnounced: Bool {
        if case .keptBack? = reason { return true }
        return isAnnounced
    }
}
