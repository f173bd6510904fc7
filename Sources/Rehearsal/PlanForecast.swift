import BGPMessages
package import FIB
package import Logging
import NetTypes
import Planning
package import Resources
package import StatusAPI

/// Where a node is rehearsed: over what its routes are written.
package protocol RehearsalGround: Sendable {
    func stage(_ loaded: LoadedConfiguration) throws(HostError) -> RehearsalStage
}

/// `apusctl plan`: two rehearsals, with the resources in force and with the files', and what differs between them.
package enum PlanForecast {
    package static func run(
        _ request: PlanRequest, _ round: PlanRound, on ground: any RehearsalGround, logger: Logger,
        secrets: (ResourceSet) -> Secrets
    ) -> StatusAnswer {
        var answer = StatusAnswer()
        var candidate: LoadedConfiguration
        do throws(RequestError) { candidate = try overlaid(request, round.loaded, node: round.context.node) } catch {
            answer.error = error.text
            return answer
        }
        candidate.secrets = secrets(candidate.resources)
        guard !round.isTooLarge else {
            answer.error = "the table is too large to be rehearsed: plan takes up to 200000 paths"
            return answer
        }
        let node = round.context.node
        func decide(_ loaded: LoadedConfiguration) -> PeeringDecision? {
            PeeringDecision(loaded, round.context, last: [], authenticationFailure: nil)
        }
        guard let now = decide(round.loaded), let then = decide(candidate) else {
            answer.error =
                "Node/\(node) would be gone: the agent keeps what it last said, and takes over no other change"
            return answer
        }
        let played = round.played(with: [now, then])
        do throws(HostError) {
            func rehearse(_ loaded: LoadedConfiguration) throws(HostError) -> RehearsedNode.Outcome? {
                RehearsedNode.run(
                    loaded, node: node, isReflector: round.context.isReflector, identity: round.context.identity,
                    on: try ground.stage(loaded),
                    beside: played, logger: logger)
            }
            guard let before = try rehearse(round.loaded), let after = try rehearse(candidate) else {
                answer.error = "Node/\(node) would have no address"
                return answer
            }
            var report = PlanReport(peers: peers(round, now: now, then: then, loaded: (round.loaded, candidate)))
            compare(&report, played, before: before, after: after)
            report.findings =
                then.alarms.filter { !now.alarms.contains($0) }.map { Finding(.fault, $0) }
                + then.remarks.filter { !now.remarks.contains($0) }.map { Finding(.note, $0) }
            answer.plan = report
        } catch {
            answer.error = "the host cannot be read: \(error.operation): errno \(error.code)"
        }
        return answer
    }

    /// The resources as the files would make them.
    private static func overlaid(_ request: PlanRequest, _ loaded: LoadedConfiguration, node: String)
        throws(RequestError)
        -> LoadedConfiguration
    {
        let parsed = request.files.map { ResourceParser.parse($0.text, file: $0.name) }
        let bad = parsed.flatMap(\.problems)
        guard bad.isEmpty else { throw RequestError(text: bad.map(\.description).joined(separator: "\n")) }
        var without = Set(request.without)
        for name in request.without
        where loaded.resources.resources.contains(where: { $0.key.description == name }) { without.remove(name) }
        if let unknown = without.sorted().first {
            throw RequestError(text: "--without \(unknown): there is no such object; it is KIND/NAME")
        }
        let files = request.files.map(\.name)
        let result = loaded.resources.overlaid(
            parsed, files: files, isWhole: request.isWhole, without: Set(request.without))
        let problems = result.problems.filter { files.contains($0.file) }
        guard problems.isEmpty else { throw RequestError(text: problems.map(\.description).joined(separator: "\n")) }
        var candidate = LoadedConfiguration(resources: result, secrets: loaded.secrets)
        // What the host says of this node's addresses is not the files' to know.
        if let own = loaded.resources.node(node), var declared = result.node(node), declared.families.isEmpty {
            (declared.ipv4, declared.ipv6) = (own.ipv4, own.ipv6)
            declared.routerID = declared.routerID ?? own.routerID
            candidate.resources.replace(declared, named: node)
        }
        return candidate
    }

    // MARK: Sessions

    private static func peers(
        _ round: PlanRound, now: PeeringDecision, then: PeeringDecision,
        loaded: (now: LoadedConfiguration, then: LoadedConfiguration)
    ) -> [PlanReport.Peer] {
        typealias Sessions = [Place: (peer: PeeringDecision.Peer, plan: SessionPlan)]
        func sessions(_ decision: PeeringDecision, _ loaded: LoadedConfiguration) -> Sessions {
            var result: Sessions = [:]
            for peer in decision.peers {
                let place = Place(peer.planned)
                let plan = SessionPlan(
                    peer, place.address, resources: loaded.resources, nodeAddresses: loaded.resources.nodeAddresses,
                    context: round.context, linkLocal: nil)
                result[place] = (peer, plan)
            }
            return result
        }
        let (old, new) = (sessions(now, loaded.now), sessions(then, loaded.then))
        return Set(old.keys).union(new.keys).sorted { $0.text < $1.text }.map { place in
            let (was, becomes) = (old[place], new[place])
            var row = PlanReport.Peer(
                name: (becomes ?? was)?.peer.planned.name ?? "", address: place.text, change: .stay)
            row.held = becomes?.peer.holdReason
            let isUp = round.established.contains { place.includes($0) }
            switch (
                was?.peer.holdReason == nil ? was?.plan : nil, becomes?.peer.holdReason == nil ? becomes?.plan : nil
            ) {
            case (let was?, let becomes?):
                let change = PeeringChange(from: was, to: becomes, isEstablished: isUp)
                (row.change, row.reasons) = (change.change, change.reasons)
            case (nil, _?): row.change = .appear
            case (_?, nil): row.change = .vanish
            case (nil, nil): row.change = .stay
            }
            return row
        }
    }

    /// Where a peer is, or those of a range or a link are.
    private struct Place: Hashable {
        let target: PlannedPeer.Target
        let port: UInt16

        init(_ planned: PlannedPeer) {
            target = planned.target
            port = planned.port
        }

        /// Of a range its own, and of a link none: settings that depend on it are the same before and after.
        var address: IPAddress {
            switch target {
            case .address(let address): address
            case .range(let range): range.address
            case .interface: .any(.ipv6)
            }
        }
        var text: String {
            switch target {
            case .address(let address): "\(PeerAddress(address, port: port))"
            case .range(let range): "\(range)"
            case .interface(let name): name
            }
        }
        func includes(_ peer: IPAddress) -> Bool {
            switch target {
            case .address(let address): address == peer
            case .range(let range): range.contains(peer)
            case .interface: peer.isLinkLocal
            }
        }
    }

    // MARK: Routes

    private static func compare(
        _ report: inout PlanReport, _ played: PlayedPeers, before: RehearsedNode.Outcome, after: RehearsedNode.Outcome
    ) {
        for (index, session) in played.sessions.filter(\.session.isEstablished).enumerated() {
            guard let address = session.session.address else { continue }
            func names(_ prefixes: some Sequence<Prefix>) -> PlanReport.Prefixes {
                PlanReport.Prefixes(prefixes.sorted().map { "\($0)" })
            }
            let (was, becomes) = (before.announced[index], after.announced[index])
            let row = PlanReport.Peer(name: session.session.name, address: "\(address)", change: .stay)
            var position = report.peers.firstIndex { PeerAddress.host($0.address) == address }
            if position == nil {
                report.peers.append(row)
                position = report.peers.count - 1
            }
            guard let position else { continue }
            report.peers[position].gained = names(becomes.keys.filter { was[$0] == nil })
            report.peers[position].lost = names(was.keys.filter { becomes[$0] == nil })
            report.peers[position].changed = names(
                becomes.keys.filter { was[$0] != nil && was[$0] != becomes[$0] })
            let (refused, willBe) = (before.refused[index], after.refused[index])
            report.peers[position].refused = names(willBe.keys.filter { refused[$0] == nil })
            report.peers[position].accepted = names(refused.keys.filter { willBe[$0] == nil })
        }
        let (old, new) = (byPrefix(before.routes), byPrefix(after.routes))
        report.routesGained = PlanReport.Prefixes(new.keys.filter { old[$0] == nil }.sorted().map { "\($0)" })
        report.routesLost = PlanReport.Prefixes(old.keys.filter { new[$0] == nil }.sorted().map { "\($0)" })
        report.routesChanged = PlanReport.Prefixes(
            new.keys.filter { old[$0] != nil && old[$0] != new[$0] }.sorted().map { "\($0)" })
    }

    private static func byPrefix(_ routes: [FIBRoute]) -> [Prefix: Set<FIBRoute>] {
        var result: [Prefix: Set<FIBRoute>] = [:]
        for route in routes { result[route.prefix, default: []].insert(route) }
        return result
    }
}

extension PeerAddress {
    /// The address of `10.0.0.1:1790` and the like.
    fileprivate static func host(_ text: String) -> IPAddress? {
        if let address = IPAddress(String(text.prefix { $0 != "%" })) { return address }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        return IPAddress(String(text[..<colon].filter { $0 != "[" && $0 != "]" }.prefix { $0 != "%" }))
    }
}
