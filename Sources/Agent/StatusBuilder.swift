import BFD
import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import LinuxIO
import NetTypes
import Resources
import StatusAPI
import Synchronization

/// Answers questions from the loop's state, on the loop's thread. Long tables are answered in pages, so that no question holds a turn up.
struct StatusBuilder {
    private static let pageSize = 2000
    let loop: RoutingLoop

    func answer(_ question: StatusQuestion) -> StatusAnswer {
        var answer = StatusAnswer()
        switch question {
        case .status: answer.status = status()
        case .peers: answer.peers = peers()
        case .peer(let wanted):
            let found = peers().filter { $0.address == wanted || $0.name == wanted || $0.name.hasSuffix("/\(wanted)") }
            if found.isEmpty { answer.error = "no peer has the address or name \(wanted)" } else { answer.peers = found }
        case .routes(let wanted, let start): (answer.routes, answer.next) = routes(wanted, from: start)
        case .endpoints: answer.endpoints = loop.plane.endpointStatus()
        case .fib(let wanted, let start): (answer.fib, answer.next) = loop.plane.fibStatus(wanted, from: start, limit: StatusBuilder.pageSize)
        case .why(let wanted): why(wanted, &answer)
        case .doctor: answer.findings = examine()
        case .order: answer.error = "an order, not a question"
        }
        return answer
    }

    // MARK: doctor

    private func examine() -> [Finding] {
        let status = status()
        var findings: [Finding] = []
        for problem in loop.peering.loaded.resources.problems { findings.append(Finding(.fault, "resources", problem.description)) }
        for alarm in loop.peering.alarms { findings.append(Finding(.fault, "resources", alarm)) }
        for held in status.peersHeldDown { findings.append(Finding(.warning, "peers", "\(held.name) \(held.address) is kept down: \(held.reason)")) }
        if status.peersConfigured == 0 {
            findings.append(Finding(.warning, "peers", "none is configured: no route comes or goes"))
        } else if status.peersEstablished < status.peersConfigured {
            findings.append(
                Finding(
                    status.peersEstablished == 0 ? .fault : .warning, "peers",
                    "\(status.peersConfigured - status.peersEstablished) of \(status.peersConfigured) are not established; apusctl peers says why"))
        } else {
            findings.append(Finding(.fine, "peers", "all \(status.peersConfigured) are established"))
        }
        return findings + loop.plane.examine()
    }

    // MARK: status

    private func status() -> DaemonStatus {
        let rib = countRIB()
        let snapshots = loop.speaker.peerIndices.compactMap { loop.speaker.snapshot($0) }
        let identity = loop.speaker.rib.identity
        let isReflector = loop.settings.isReflector
        var status = DaemonStatus(
            version: apusVersion, mode: isReflector ? "reflector" : "agent", node: loop.peering.node, routerID: "\(identity.identifier)",
            asNumber: identity.localAS.rawValue, clusterID: isReflector || identity.clusterID != identity.identifier ? "\(identity.clusterID)" : nil,
            uptime: (loop.now - loop.started).inSeconds, userID: Privileges.userID, capabilities: Privileges.capabilityNames,
            programsRoutes: loop.plane.programsRoutes && !loop.settings.isDryRun, dryRun: loop.settings.isDryRun,
            peersEstablished: snapshots.count { $0.session != nil }, peersConfigured: snapshots.count + loop.peering.held.count,
            prefixesIPv4: rib.prefixes[0], prefixesIPv6: rib.prefixes[1], pathsIPv4: rib.paths[0], pathsIPv6: rib.paths[1],
            attributeSets: loop.speaker.rib.attributes.count, updateGroups: loop.speaker.rib.groups.count { $0 != nil }, routesWanted: 0,
            routesInKernel: 0, routesMissing: 0, routesRepaired: 0, ownPrefixes: [],
            problems: loop.peering.loaded.resources.problems.map(\.description) + loop.peering.alarms + [loop.transport.refusalProblem(now: loop.now)].compactMap { $0 },
            peersHeldDown: loop.peering.held.map { HeldPeer(name: $0.planned.name, address: targetText($0.planned.target), reason: $0.reason) },
            isHealthy: false)
        status.load = load(snapshots)
        loop.plane.fill(&status)
        status.isHealthy = status.problems.isEmpty && unreadiness(status).isEmpty
        return status
    }

    private func load(_ snapshots: [PeerSnapshot]) -> LoadStatus {
        var load = LoadStatus()
        load.clientsEstablished = snapshots.count { $0.session != nil && $0.settings.isClient }
        load.groupMembers = loop.speaker.rib.groups.compactMap { $0?.members.count }.sorted(by: >)
        for snapshot in snapshots {
            let queued = loop.transport.queuedBytes(snapshot.index)
            load.queuedOctets += queued
            if queued > load.slowestPeerQueuedOctets {
                load.slowestPeerQueuedOctets = queued
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

    /// Readiness: my routes are in my kernel, and at one upstream at least (SPEC, promise 8). A dead remote node is no reason.
    private func unreadiness(_ status: DaemonStatus) -> String {
        if loop.plane.isStarting { return "starting" }
        if status.routesMissing > 0 { return "\(status.routesMissing) routes are not in the kernel" }
        if let waiting = status.ownPrefixes.first(where: { !$0.isAnnounced && !$0.reason.contains("disableBGPExport") }) {
            return "\(waiting.prefix) is not announced: \(waiting.reason)"
        }
        if status.peersConfigured > 0 && status.peersEstablished == 0 { return "no peer is established" }
        return ""
    }

    // MARK: peers

    private func peers() -> [PeerStatus] {
        loop.speaker.peerIndices.compactMap { loop.speaker.snapshot($0) }.compactMap { snapshot -> PeerStatus? in
            guard let details = loop.peering.details(snapshot.index) else { return nil }
            let session = snapshot.session
            var lastError = snapshot.lastDownReason?.description
            if session == nil, let code = details.connectError { lastError = errorText(code) }
            func counts(_ values: [Int]) -> [String: Int] {
                var result: [String: Int] = [:]
                for family in AddressFamily.allCases where snapshot.settings.session.families.contains(family) {
                    result[family.name.lowercased()] = values[family.index]
                }
                return result
            }
            return PeerStatus(
                name: details.planned.name, address: "\(snapshot.settings.address)", port: details.planned.port, type: details.planned.origin.rawValue,
                isDynamic: details.isDynamic, remoteAS: (session?.remoteAS ?? snapshot.settings.session.remoteAS)?.rawValue,
                state: snapshot.state.rawValue, since: details.since, lastError: lastError, isReflectorClient: snapshot.settings.isClient,
                routerID: session.map { "\($0.remoteIdentifier)" }, holdTime: session?.holdTime.inSeconds,
                families: (session?.families ?? []).families.map { $0.name.lowercased() }, capabilities: session.map(capabilities) ?? [],
                prefixesReceived: counts(snapshot.received), prefixesAnnounced: counts(snapshot.announced),
                staleFamilies: snapshot.staleFamilies.families.map { $0.name.lowercased() }, messagesReceived: snapshot.counters.messagesReceived,
                updatesReceived: snapshot.counters.updatesReceived, timesEstablished: snapshot.counters.establishedCount,
                treatedAsWithdraw: snapshot.counters.treatedAsWithdraw, queuedBytes: loop.transport.queuedBytes(snapshot.index),
                localAS: snapshot.settings.session.localAS.rawValue, bfd: details.bfd.map { $0.state.name }, interface: details.link)
        }.sorted { (IPAddress($0.address) ?? .any(.ipv4)) < (IPAddress($1.address) ?? .any(.ipv4)) }
    }

    private func capabilities(_ session: NegotiatedSession) -> [String] {
        session.remoteOpen.capabilities.map { capability in
            switch capability {
            case .multiprotocol(let value): value.family.map { "multiprotocol \($0.name) unicast" } ?? "multiprotocol \(value.afi)/\(value.safi)"
            case .routeRefresh: "route refresh"
            case .extendedMessage: "extended message"
            case .fourOctetAS(let number): "4-octet AS \(number)"
            case .gracefulRestart(let value):
                "graceful restart \(value.restartTime)s" + (value.restarting ? " R" : "") + (value.notification ? " N" : "")
                    + value.families.map { " \($0.afiSafi.family?.name ?? "other")\($0.forwardingPreserved ? " F" : "")" }.joined()
            case .extendedNextHop(let list): "extended next hop" + (list.contains { $0.family == .ipv4 } ? " IPv4" : "")
            case .role(let value): "role " + (BGPRole(rawValue: value)?.name ?? "\(value)")
            case .addPath(let list):
                "add path"
                    + list.map { " \($0.afiSafi.family?.name ?? "other")\($0.sends ? " sends" : "")\($0.receives ? " receives" : "")" }.joined(separator: ",")
            case .enhancedRouteRefresh: "enhanced route refresh"
            case .longLivedGracefulRestart(let list):
                "long-lived graceful restart" + list.map { " \($0.afiSafi.family?.name ?? "other") \($0.staleTime)s" }.joined(separator: ",")
            case .unknown(let code, _): "capability \(code.rawValue)"
            }
        }
    }

    // MARK: routes

    private func routes(_ wanted: Prefix?, from start: PageCursor) -> ([RouteStatus], Int?) {
        var rows: [RouteStatus] = []
        // The cursor counts prefix indices of both families, IPv4 first.
        var position = start.position
        let sizes = AddressFamily.allCases.map { loop.speaker.rib.tables[$0.index].prefixCapacity }
        while position < sizes[0] + sizes[1] {
            if rows.count >= StatusBuilder.pageSize { return (rows, position) }
            let family: AddressFamily = position < sizes[0] ? .ipv4 : .ipv6
            let index = PrefixIndex(position < sizes[0] ? position : position - sizes[0])
            position += 1
            guard let prefix = loop.speaker.rib.tables[family.index].prefix(at: index) else { continue }
            if let wanted, !wanted.overlaps(prefix) { continue }
            rows += paths(prefix, index)
        }
        return (rows, nil)
    }

    private func paths(_ prefix: Prefix, _ index: PrefixIndex) -> [RouteStatus] {
        var list: [PathIndex] = []
        let family = prefix.family.index
        loop.speaker.rib.tables[family].pathIndices(index, into: &list)
        let outcome = list.count > 0 ? loop.speaker.rib.explain(index, prefix.family) : nil
        return list.map { slot in
            let path = loop.speaker.rib.tables[family].paths[Int(slot)]
            let attributes = loop.speaker.rib.attributes.attributes(path.attributes)
            let settings = path.peer == .local ? nil : loop.speaker.settings(path.peer)
            let isBest = path.flags.contains(.best)
            return RouteStatus(
                prefix: "\(prefix)", from: settings.map { "\($0.address)" } ?? "local", peer: settings?.name ?? "this node", isBest: isBest,
                isMultipath: path.flags.contains(.multipath), isStale: path.flags.contains(.stale),
                ineligible: ineligible(path, prefix), bestReason: isBest ? outcome?.reason.text : nil,
                nextHop: attributes.nextHop.map { "\($0)" }, localPref: attributes.localPref, med: attributes.multiExitDisc,
                asPath: attributes.asPath?.description ?? "", origin: attributes.origin?.description ?? "",
                communities: attributes.communities.map(\.description) + attributes.largeCommunities.map(\.description),
                originatorID: attributes.originatorID.map { "\($0)" }, clusterList: attributes.clusterList.map(\.description),
                pathID: path.pathID == 0 ? nil : path.pathID, onlyToCustomer: attributes.onlyToCustomer?.rawValue,
                importRule: loop.speaker.rib.importRule(prefix, path)?.label)
        }
    }

    /// A rule is told by its name.
    private func ineligible(_ path: Path, _ prefix: Prefix) -> String? {
        guard let reason = loop.speaker.rib.ineligibility(path) else { return nil }
        if reason == .rejectedByFilter, let rule = loop.speaker.rib.importRule(prefix, path) { return "rejected by \(rule.label)" }
        return reason.text
    }

    // MARK: why

    private func why(_ wanted: Prefix, _ answer: inout StatusAnswer) {
        let family = wanted.family.index
        // An address is answered by the longest prefix that covers it.
        guard
            let index = loop.speaker.rib.tables[family].find(wanted)
                ?? (wanted.isHost ? loop.speaker.rib.tables[family].longestMatch(wanted.address) : nil),
            let prefix = loop.speaker.rib.tables[family].prefix(at: index)
        else {
            answer.routes = []
            answer.fib = loop.plane.fibStatus(wanted, from: .start, limit: 50).rows
            answer.error = "no peer has announced \(wanted), and this node does not originate it"
            return
        }
        var rows = paths(prefix, index)
        if let best = loop.speaker.rib.tables[prefix.family.index].best(index), let position = rows.firstIndex(where: \.isBest) {
            var told: [String] = []
            var untold: [String: String] = [:]
            for peer in loop.speaker.peerIndices {
                guard let snapshot = loop.speaker.snapshot(peer) else { continue }
                let name = "\(snapshot.settings.address)"
                if loop.speaker.rib.isAnnounced(prefix, to: peer) { told.append(name) } else { untold[name] = reason(best, peer, snapshot, prefix) }
            }
            rows[position].announcedTo = told.sorted()
            rows[position].notAnnouncedTo = untold
        }
        answer.routes = rows
        answer.fib = loop.plane.fibStatus(prefix, from: .start, limit: 50).rows.filter { $0.prefix == "\(prefix)" }
    }

    private func reason(_ best: Path, _ peer: PeerIndex, _ snapshot: PeerSnapshot, _ prefix: Prefix) -> String {
        guard snapshot.session != nil else { return "the session is not established" }
        guard let profile = loop.speaker.rib.peers[peer.index]?.profiles[prefix.family.index] else { return "the session does not carry \(prefix.family.name)" }
        if best.peer == peer { return "the best path came from this peer (split horizon)" }
        guard let index = loop.speaker.rib.tables[prefix.family.index].find(prefix) else { return "no peer announces it any more" }
        let verdict = loop.speaker.rib.exportVerdict(best, index, profile)
        if case .rejectedByRule(let rule) = verdict { return "rejected by \(profile.filter.rule(rule, prefix.family).label)" }
        if !verdict.isAnnounced { return verdict.text }
        return snapshot.isBacklogged ? "the peer does not read" : "its address is the next hop (RFC 4271 5.1.3)"
    }

    // MARK: metrics

    func metrics() -> MetricsSnapshot {
        let status = status()
        var lines: [String] = []
        func gauge(_ name: String, _ help: String, _ values: [(labels: String, value: String)], type: String = "gauge") {
            lines.append("# HELP apus_\(name) \(help)")
            lines.append("# TYPE apus_\(name) \(type)")
            for value in values { lines.append("apus_\(name)\(value.labels) \(value.value)") }
        }
        gauge("build_info", "Version and mode.", [("{version=\"\(status.version)\",mode=\"\(status.mode)\"}", "1")])
        gauge("prefixes", "Prefixes in the Loc-RIB.", [("{family=\"ipv4\"}", "\(status.prefixesIPv4)"), ("{family=\"ipv6\"}", "\(status.prefixesIPv6)")])
        gauge("paths", "Paths in the Adj-RIBs-In.", [("{family=\"ipv4\"}", "\(status.pathsIPv4)"), ("{family=\"ipv6\"}", "\(status.pathsIPv6)")])
        gauge("attribute_sets", "Interned attribute sets.", [("", "\(status.attributeSets)")])
        gauge("fib_routes_wanted", "Routes that are to be in the kernel.", [("", "\(status.routesWanted)")])
        gauge("fib_routes_kernel", "Routes of ours that the kernel has.", [("", "\(status.routesInKernel)")])
        gauge("fib_routes_missing", "Disagreement between RIB and FIB; 0 when all is well.", [("", "\(status.routesMissing)")])
        gauge("fib_routes_held", "Routes that are kept though nearly all were withdrawn at once.", [("", "\(status.routesHeld)")])
        gauge("fib_routes_waiting", "Routes that were found at the start and wait for the peers' tables.", [("", "\(status.routesWaiting)")])
        gauge("fib_audits_total", "Audits of the kernel's routes.", [("", "\(status.audits)")], type: "counter")
        gauge("fib_audit_findings_total", "Differences that audits found and no notification had told of.", [("", "\(status.auditFindings)")], type: "counter")
        gauge("fib_resyncs_total", "Times that the kernel's notifications were lost and everything was read again.", [("", "\(status.resyncs)")], type: "counter")
        gauge("fib_repairs_total", "Own routes that others removed or altered and that were put back.", [("", "\(status.routesRepaired)")], type: "counter")
        gauge("clients_established", "Route reflector clients whose session is up.", [("", "\(status.load.clientsEstablished)")])
        gauge("update_groups", "Groups of peers that share one encoding.", [("", "\(status.updateGroups)")])
        gauge("queued_bytes", "Octets that wait for peers to read them.", [("", "\(status.load.queuedOctets)")])
        gauge("slowest_peer_queued_bytes", "The same of the peer with the most.", [("", "\(status.load.slowestPeerQueuedOctets)")])
        gauge("peers_too_slow", "Peers that get no routes until they have read what is queued.", [("", "\(status.load.peersTooSlow)")])
        gauge("keepalive_latest_seconds", "How late a keepalive left at most.", [("", "\(status.load.keepaliveLatestSeconds)")])
        gauge("keepalives_late_total", "Turns that sent a keepalive more than 100 ms late.", [("", "\(status.load.lateKeepalives)")], type: "counter")
        gauge(
            "memory_bytes", "Memory of the tables, reserve for growth included.",
            [("{of=\"paths\"}", "\(status.load.pathMemory)"), ("{of=\"attribute_sets\"}", "\(status.load.attributeMemory)"), ("{of=\"groups\"}", "\(status.load.groupMemory)")])
        let paths = status.pathsIPv4 + status.pathsIPv6
        gauge("path_bytes", "Memory per path, its prefix included.", paths == 0 ? [] : [("", "\(status.load.pathMemory / paths)")])
        gauge(
            "attribute_set_bytes", "Memory per attribute set, its own octets included.",
            status.attributeSets == 0 ? [] : [("", "\(status.load.attributeMemory / status.attributeSets)")])
        let rows = peers()
        gauge("peer_established", "1 where the session is up.", rows.map { ("{peer=\"\($0.address)\"}", $0.state == "Established" ? "1" : "0") })
        gauge(
            "peer_prefixes_received", "Prefixes that the peer announces.",
            rows.flatMap { row in
                row.prefixesReceived.sorted { $0.key < $1.key }.map { ("{peer=\"\(row.address)\",family=\"\($0.key)\"}", "\($0.value)") }
            })
        gauge("peer_sessions_total", "How often the session came up.", rows.map { ("{peer=\"\($0.address)\"}", "\($0.timesEstablished)") }, type: "counter")
        gauge("loop_turns_total", "Turns of the routing loop.", [("", "\(loop.turns)")], type: "counter")
        gauge(
            "loop_phase_seconds_total", "Time spent in each phase.",
            RoutingLoop.Phase.allCases.map { ("{phase=\"\($0)\"}", "\(Double(loop.phaseTime[$0.rawValue]) / 1e9)") }, type: "counter")
        gauge(
            "loop_phase_longest_seconds", "The longest single run of each phase.",
            RoutingLoop.Phase.allCases.map { ("{phase=\"\($0)\"}", "\(Double(loop.phaseLongest[$0.rawValue]) / 1e9)") })
        gauge("log_lines_dropped_total", "Log lines that standard error did not take.", [("", "\(StandardErrorLogHandler.dropped.load(ordering: .relaxed))")], type: "counter")
        return MetricsSnapshot(lines: lines)
    }

    func readiness() -> ReadinessReport { ReadinessReport(unreadyReason: unreadiness(status())) }
}
