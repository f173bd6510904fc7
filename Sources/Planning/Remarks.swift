import NetTypes
import Resources
import StatusAPI

/// What of the resources is accepted and has no effect on this node as it stands: nothing that an operator asks for is
/// passed over in silence. None of it is a fault: the node is healthy. Each is a `FindingCause.noEffect`.
enum Remarks {
    /// `plan`: the peers that follow from the resources. `shadowed`: those that another object has already.
    static func all(
        _ resources: ResourceSet, node: String, plan: [PlannedPeer], shadowed: [PeeringPlan.Shadowed]
    ) -> [FindingCause] {
        services(resources, node: node) + mesh(resources, node: node) + communities(resources, node: node)
            + peers(resources, node: node, plan: plan)
            + secondBest(shadowed) + waiters(plan)
    }

    /// A remark on an object as a whole.
    private static func remark(of object: String, _ reason: IdleReason) -> FindingCause {
        remark(of: object, "", reason)
    }

    /// A remark on a field, by its path in the object.
    private static func remark(of object: String, _ field: String, _ reason: IdleReason) -> FindingCause {
        .noEffect(objects: NameList([object]), field: field, reason: reason)
    }

    private static let configuration = "BGPConfiguration/default"

    /// Contract 2.3: global peers come before those of a node, then the names decide.
    private static func secondBest(_ shadowed: [PeeringPlan.Shadowed]) -> [FindingCause] {
        struct Pair: Hashable {
            var name: String
            var owner: String
        }
        var targets: [Pair: [String]] = [:]
        for peer in shadowed { targets[Pair(name: peer.name, owner: peer.owner), default: []].append(peer.target) }
        return targets.sorted { ($0.key.name, $0.key.owner) < ($1.key.name, $1.key.owner) }.map { pair, targets in
            remark(of: pair.name, .otherPeerHas(targets: NameList(targets), owner: pair.owner))
        }
    }

    /// Contract 2.3: of several peers at an address what comes in is for the one that is passive, whoever sent it.
    private static func waiters(_ plan: [PlannedPeer]) -> [FindingCause] {
        var others: [PlannedPeer.Target: [PlannedPeer]] = [:]
        let waiting = plan.filter { peer in
            if case .address = peer.target { peer.options.passive ?? false } else { false }
        }
        guard !waiting.isEmpty else { return [] }
        for peer in plan where !(peer.options.passive ?? false) { others[peer.target, default: []].append(peer) }
        return waiting.compactMap { peer in
            guard case .address(let address) = peer.target, let others = others[peer.target] else { return nil }
            let list = NameList(others.map { "\($0.name) (\($0.targetText))" })
            return remark(of: peer.name, "spec.passive", .takesEveryConnection(address: "\(address)", others: list))
        }
    }

    /// Contract 2.6.
    private static func services(_ resources: ResourceSet, node: String) -> [FindingCause] {
        let services = resources.configuration(of: node).services
        var remarks = services.fieldsWithoutPrefix.map {
            remark(of: configuration, "spec.\($0)", .entryWithoutCIDR)
        }
        if !services.addresses.isEmpty {
            remarks.append(
                remark(
                    of: configuration,
                    .addressNeedsService(addresses: NameList(services.addresses.map(\.description)))))
        }
        if !(services.prefixes.isEmpty && services.addresses.isEmpty),
            resources.node(node)?.isExcludedFromServices ?? false
        {
            remarks.append(
                remark(of: "Node/\(node)", .excludedFromServices(label: NodeResource.exclusionLabel)))
        }
        return remarks
    }

    private static func mesh(_ resources: ResourceSet, node: String) -> [FindingCause] {
        let configuration = resources.configuration(of: node)
        guard configuration.nodeToNodeMeshEnabled == false, configuration.nodeMeshPassword != nil else { return [] }
        return [remark(of: Remarks.configuration, "spec.nodeMeshPassword", .meshIsOff)]
    }

    private static func communities(_ resources: ResourceSet, node: String) -> [FindingCause] {
        let configuration = resources.configuration(of: node)
        let used = Set(configuration.prefixAdvertisements.flatMap(\.communities))
        return configuration.communities.filter { !used.contains($0.value) }.map(\.key).sorted().map {
            remark(of: Remarks.configuration, "spec.communities", .communityNotUsed(name: $0))
        }
    }

    private static func peers(_ resources: ResourceSet, node: String, plan: [PlannedPeer]) -> [FindingCause] {
        let configuration = resources.configuration(of: node)
        let labels = resources.node(node)?.labels ?? [:]
        let own = resources.peers.filter { $0.peer.applies(to: node, labels) }
        var remarks: [FindingCause] = []
        for family in AddressFamily.allCases
        where configuration.localWorkloadPeering[family.index] != nil && !resources.hasWorkloadPeers {
            let field = family == .ipv4 ? "localWorkloadPeeringIPV4" : "localWorkloadPeeringIPV6"
            remarks.append(remark(of: Remarks.configuration, "spec.\(field)", .noWorkloadPeer))
        }
        for (name, peer) in own {
            if let selector = peer.localWorkloadSelector {
                remarks += workloads(resources, of: "BGPPeer/\(name)", matching: selector, node: node)
            }
            if let selector = peer.peerSelector, !plan.contains(where: { $0.name == "BGPPeer/\(name)" }),
                !resources.nodes.contains(where: { selector.matches($0.value.labels) })
            {
                remarks.append(remark(of: "BGPPeer/\(name)", "spec.peerSelector", .matchesNoNode))
            }
        }
        return remarks
    }

    private static func workloads(
        _ resources: ResourceSet, of object: String, matching selector: Selector, node: String
    ) -> [FindingCause] {
        let virtual = resources.configuration(of: node).localWorkloadPeering
        if virtual.allSatisfy({ $0 == nil }) {
            return [remark(of: object, "spec.localWorkloadSelector", .noAddressForPods)]
        }
        // With an address of one family, pods that have only the other are no peers.
        let pods = resources.endpoints(of: node).filter { pod in
            selector.matches(pod.endpoint.labels) && !pod.endpoint.addresses.isEmpty
                && pod.endpoint.addresses.allSatisfy { virtual[$0.family.index] == nil }
        }
        guard !pods.isEmpty else { return [] }
        let field = virtual[AddressFamily.ipv4.index] == nil ? "localWorkloadPeeringIPV4" : "localWorkloadPeeringIPV6"
        return [remark(of: object, .podsHaveNoPeer(pods: NameList(pods.map(\.name)), missing: field))]
    }
}

// MARK: Fields that depend on others

extension Remarks {
    /// Fields that say nothing as the others stand. Each field is classified in the tests (FieldClassificationTests).
    static func fields(
        _ resources: ResourceSet, node: String, plan: [PlannedPeer], isReflector: Bool
    ) -> [FindingCause] {
        configurations(resources, node: node) + tunnels(resources, node: node) + selection(resources)
            + otherWays(resources, node: node) + idleFields(resources, node: node, plan: plan, isReflector: isReflector)
    }

    /// Objects and fields of objects that nothing reads (contract 2.2).
    private static func configurations(_ resources: ResourceSet, node: String) -> [FindingCause] {
        var remarks: [FindingCause] = []
        for kind in ["BGPConfiguration", "FelixConfiguration"] {
            for name in resources.names(of: kind) where name != "default" {
                if !name.hasPrefix("node.") {
                    remarks.append(remark(of: "\(kind)/\(name)", .nameNotUsed))
                } else if resources.node(String(name.dropFirst(5))) == nil {
                    remarks.append(remark(of: "\(kind)/\(name)", .noSuchNode))
                }
            }
        }
        for (name, configuration) in resources.configurations where name == "node.\(node)" {
            var rest = configuration
            (rest.listenPort, rest.logSeverity, rest.prefixAdvertisements, rest.communities) = (nil, nil, [], [:])
            if rest != BGPConfiguration() {
                remarks.append(remark(of: "BGPConfiguration/\(name)", .onlyFieldsOfOneNode))
            }
        }
        let configuration = resources.configuration(of: node)
        if configuration.massWithdrawalPercent == 0,
            configuration.massWithdrawalMinimum != BGPConfiguration().massWithdrawalMinimum
        {
            remarks.append(remark(of: Remarks.configuration, "spec.massWithdrawal.minimum", .massWithdrawalIsOff))
        }
        return remarks
    }

    /// What is about tunnels, where no pool wants one.
    private static func tunnels(_ resources: ResourceSet, node: String) -> [FindingCause] {
        let felix = resources.felix(of: node)
        let wanted = resources.pools.filter { $0.encapsulation != nil }
        let vxlan = wanted.filter { $0.encapsulation?.isVXLAN ?? false }
        var remarks: [FindingCause] = []
        func say(_ field: String, if isIdle: Bool, without what: String) {
            guard isIdle else { return }
            remarks.append(remark(of: "FelixConfiguration", "spec.\(field)", .noPoolHas(field: what)))
        }
        say("vxlanVNI", if: vxlan.isEmpty && felix.vxlanIdentifier ?? 4096 != 4096, without: "vxlanMode")
        say("vxlanPort", if: vxlan.isEmpty && felix.vxlanPort ?? 4789 != 4789, without: "vxlanMode")
        for (family, field) in [(AddressFamily.ipv4, "vxlanMTU"), (.ipv6, "vxlanMTUV6")] {
            say(
                field, if: felix.vxlanMTU[family.index] ?? 0 != 0 && !vxlan.contains { $0.cidr.family == family },
                without: "vxlanMode for \(family.name)")
        }
        say("ipipMTU", if: felix.ipipMTU ?? 0 != 0 && wanted.count == vxlan.count, without: "ipipMode")
        say("mtuIfacePattern", if: felix.mtuInterfacePattern != nil && wanted.isEmpty, without: "ipipMode or vxlanMode")
        return remarks
    }

    /// Objects that nothing picks.
    private static func selection(_ resources: ResourceSet) -> [FindingCause] {
        var remarks: [FindingCause] = []
        let used = Set(resources.peers.flatMap(\.peer.filters))
        let unused = resources.names(of: "BGPFilter").filter { !used.contains($0) }.map { "BGPFilter/\($0)" }
        if !unused.isEmpty {
            remarks.append(.noEffect(objects: NameList(unused), field: "", reason: .filterNotUsed))
        }
        let nodes = resources.nodes
        for (name, peer) in resources.peers {
            if let node = peer.node, nodes[node] == nil {
                remarks.append(remark(of: "BGPPeer/\(name)", "spec.node", .noSuchNode))
            }
            if let selector = peer.nodeSelector, !nodes.values.contains(where: { selector.matches($0.labels) }) {
                remarks.append(remark(of: "BGPPeer/\(name)", "spec.nodeSelector", .matchesNoNode))
            }
        }
        return remarks
    }

    /// A way leads to an address, whatever the ports there.
    private static func otherWays(_ resources: ResourceSet, node: String) -> [FindingCause] {
        let labels = resources.node(node)?.labels ?? [:]
        var first: [IPAddress: (name: String, gateway: IPAddress)] = [:]
        var remarks: [FindingCause] = []
        for (name, peer) in resources.peers where peer.applies(to: node, labels) {
            guard let gateway = peer.reachableBy, let address = peer.peer?.address else { continue }
            if let owner = first[address], owner.gateway != gateway {
                remarks.append(
                    remark(
                        of: "BGPPeer/\(name)", "spec.reachableBy",
                        .otherGateway(
                            owner: "BGPPeer/\(owner.name)", address: "\(address)", gateway: "\(owner.gateway)")))
            } else if first[address] == nil {
                first[address] = (name, gateway)
            }
        }
        return remarks
    }

    private static func idleFields(
        _ resources: ResourceSet, node: String, plan: [PlannedPeer], isReflector: Bool
    ) -> [FindingCause] {
        let labels = resources.node(node)?.labels ?? [:]
        let addresses = resources.nodeAddresses
        var sessions: [String: [PlannedPeer]] = [:]
        for peer in plan { sessions[peer.name, default: []].append(peer) }
        // A thousand peers with one slip are one remark.
        var names: [Idle: [String]] = [:]
        for (name, peer) in resources.peers where peer.applies(to: node, labels) {
            let own = sessions["BGPPeer/\(name)"] ?? []
            let isOfNodes =
                peer.peerSelector != nil || peer.peer.map { addresses[$0.address] != nil } ?? false
            for idle in ofTheKind(peer, isOfNodes: isOfNodes) + ofTheSessions(peer, own)
                + (isReflector ? ofTheMode(peer) : [])
            { names[idle, default: []].append("BGPPeer/\(name)") }
        }
        return names.sorted { ($0.key.field, $0.value[0]) < ($1.key.field, $1.value[0]) }.map { idle, objects in
            .noEffect(objects: NameList(objects), field: "spec.\(idle.field)", reason: idle.reason)
        }
    }

    private struct Idle: Hashable {
        var field: String
        var reason: IdleReason
    }

    /// By other fields of the object.
    private static func ofTheKind(_ peer: BGPPeer, isOfNodes: Bool) -> [Idle] {
        let defaults = BGPPeer()
        let waits = peer.listenRange != nil || peer.localWorkloadSelector != nil
        let rows: [(Bool, String, IdleReason)] = [
            (
                peer.maxDynamicPeers != defaults.maxDynamicPeers && peer.listenRange == nil, "maxDynamicPeers",
                .noListenRange
            ),
            (
                peer.connectRetryTime != nil && (waits || peer.passive == true), "connectRetryTime",
                .peerConnects
            ),
            (waits && peer.passive == false, "passive", .peerConnectsInAnyCase),
            (peer.keepaliveTime != nil && peer.holdTime == .zero, "keepaliveTime", .noKeepalives),
            (peer.maxRestartTime != nil && peer.gracefulRestart != .on, "maxRestartTime", .gracefulRestartNotOn),
            (
                peer.longLivedStaleTime != nil && peer.gracefulRestart == .off, "longLivedStaleTime",
                .gracefulRestartOff
            ),
            (
                peer.maxPrefixesRestart != defaults.maxPrefixesRestart && peer.maxPrefixesAction != .restart,
                "maxPrefixes.restartAfter", .actionNotRestart
            ),
            (peer.isReversePeeringManual && !isOfNodes, "reversePeering", .peerIsNoNode),
            (
                peer.reexportPrepend ?? 0 > 0 && peer.exportMode == .own, "reexportPrepend",
                .exportIsOwn
            ),
        ]
        return rows.filter(\.0).map { Idle(field: $0.1, reason: $0.2) }
    }

    /// By what the sessions are that follow from it.
    private static func ofTheSessions(_ peer: BGPPeer, _ sessions: [PlannedPeer]) -> [Idle] {
        guard !sessions.isEmpty else { return [] }
        let isInternal = sessions.allSatisfy { $0.remoteAS == $0.localAS }
        let isExternal = sessions.allSatisfy { $0.remoteAS != nil && $0.remoteAS != $0.localAS }
        let families = sessions.reduce(into: AddressFamilySet()) { $0.formUnion($1.families) }
        let rows: [(Bool, String, IdleReason)] = [
            (isInternal && peer.role != nil, "role", .sessionIsInternal),
            (isInternal && peer.reexportPrepend ?? 0 > 0, "reexportPrepend", .sessionIsInternal),
            (isInternal && peer.isMultihop, "multihop", .sessionIsInternal),
            (
                isInternal && peer.nextHopMode == .keep, "nextHopMode and keepOriginalNextHop",
                .nextHopKept
            ),
            (
                isExternal && peer.nextHopMode == .itself, "nextHopMode",
                .nextHopIsOurs
            ),
            (
                isExternal && peer.routeReflectorClient == true, "routeReflectorClient",
                .notReflected
            ),
            (
                peer.extendedNextHop == true && !families.contains(.ipv4), "extendedNextHop",
                .familyNotCarried(family: "IPv4")
            ),
            (
                peer.nextHopAddresses[AddressFamily.ipv4.index] != nil && !families.contains(.ipv4),
                "nextHopAddressIPv4", .familyNotCarried(family: "IPv4")
            ),
            (
                peer.nextHopAddresses[AddressFamily.ipv6.index] != nil && !families.contains(.ipv6)
                    && peer.extendedNextHop != true, "nextHopAddressIPv6", .familyNotCarried(family: "IPv6")
            ),
        ]
        return rows.filter(\.0).map { Idle(field: $0.1, reason: $0.2) }
    }

    /// In a reflector, which has no way to the kernel's routes and links.
    private static func ofTheMode(_ peer: BGPPeer) -> [Idle] {
        let rows = [
            (peer.routeTable != nil, "routeTable"), (peer.routeSource != nil, "routeSourceAddress"),
            (peer.reachableBy != nil, "reachableBy"), (peer.isMultihop, "multihop"),
        ]
        return rows.filter(\.0).map { Idle(field: $0.1, reason: .reflectorWritesNoRoutes) }
    }
}
