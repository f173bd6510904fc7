import NetTypes
import Resources

/// What of the resources is accepted and has no effect on this node as it stands, a sentence each: nothing that an
/// operator asks for is passed over in silence. None of it is a fault: the node is healthy.
enum Remarks {
    /// `plan`: the peers that follow from the resources. `shadowed`: those that another object has already.
    static func all(
        _ resources: ResourceSet, node: String, plan: [PlannedPeer], shadowed: [PeeringPlan.Shadowed]
    ) -> [String] {
        services(resources, node: node) + mesh(resources, node: node) + communities(resources, node: node)
            + peers(resources, node: node, plan: plan)
            + secondBest(shadowed) + waiters(plan)
    }

    /// At most three of a list, which a thousand nodes may make long.
    private static func some(_ list: [String]) -> String {
        list.prefix(3).joined(separator: ", ") + (list.count > 3 ? " and \(list.count - 3) more" : "")
    }

    /// Contract 2.3: global peers come before those of a node, then the names decide.
    private static func secondBest(_ shadowed: [PeeringPlan.Shadowed]) -> [String] {
        struct Pair: Hashable {
            var name: String
            var owner: String
        }
        var targets: [Pair: [String]] = [:]
        for peer in shadowed { targets[Pair(name: peer.name, owner: peer.owner), default: []].append(peer.target) }
        return targets.sorted { ($0.key.name, $0.key.owner) < ($1.key.name, $1.key.owner) }.map { pair, targets in
            "\(pair.name): not used for \(some(targets)): \(pair.owner) has \(targets.count == 1 ? "it" : "them")"
        }
    }

    /// Contract 2.3: of several peers at an address what comes in is for the one that is passive, whoever sent it.
    private static func waiters(_ plan: [PlannedPeer]) -> [String] {
        var others: [PlannedPeer.Target: [PlannedPeer]] = [:]
        let waiting = plan.filter { peer in
            if case .address = peer.target { peer.options.passive ?? false } else { false }
        }
        guard !waiting.isEmpty else { return [] }
        for peer in plan where !(peer.options.passive ?? false) { others[peer.target, default: []].append(peer) }
        return waiting.compactMap { peer in
            guard case .address(let address) = peer.target, let others = others[peer.target] else { return nil }
            let list = some(others.map { "\($0.name) (\($0.targetText))" })
            return
                "\(peer.name): spec.passive: every connection from \(address) is taken for it; \(list) must not open "
                + "any, and is connected to"
        }
    }

    /// Contract 2.6.
    private static func services(_ resources: ResourceSet, node: String) -> [String] {
        let services = resources.configuration(of: node).services
        var remarks = services.fieldsWithoutPrefix.map {
            "BGPConfiguration/default: spec.\($0) has an entry without cidr, which announces nothing"
        }
        if !services.addresses.isEmpty {
            remarks.append(
                "BGPConfiguration/default: \(some(services.addresses.map(\.description))): a single address of "
                    + "serviceExternalIPs and serviceLoadBalancerIPs is announced for a Service that has it; Services "
                    + "need a store, and a folder is none")
        }
        if !(services.prefixes.isEmpty && services.addresses.isEmpty),
            resources.node(node)?.isExcludedFromServices ?? false
        {
            remarks.append(
                "Node/\(node): the label \(NodeResource.exclusionLabel) is \"true\": no address of a service is "
                    + "announced")
        }
        return remarks
    }

    private static func mesh(_ resources: ResourceSet, node: String) -> [String] {
        let configuration = resources.configuration(of: node)
        guard configuration.nodeToNodeMeshEnabled == false, configuration.nodeMeshPassword != nil else { return [] }
        return ["BGPConfiguration/default: spec.nodeMeshPassword is for the mesh, and nodeToNodeMeshEnabled is false"]
    }

    private static func communities(_ resources: ResourceSet, node: String) -> [String] {
        let configuration = resources.configuration(of: node)
        let used = Set(configuration.prefixAdvertisements.flatMap(\.communities))
        return configuration.communities.filter { !used.contains($0.value) }.map(\.key).sorted().map {
            "BGPConfiguration/default: spec.communities: no entry of prefixAdvertisements uses \"\($0)\""
        }
    }

    private static func peers(_ resources: ResourceSet, node: String, plan: [PlannedPeer]) -> [String] {
        let configuration = resources.configuration(of: node)
        let labels = resources.node(node)?.labels ?? [:]
        let own = resources.peers.filter { $0.peer.applies(to: node, labels) }
        var remarks: [String] = []
        for family in AddressFamily.allCases
        where configuration.localWorkloadPeering[family.index] != nil && !resources.hasWorkloadPeers {
            remarks.append(
                "BGPConfiguration/default: spec.localWorkloadPeering\(family == .ipv4 ? "IPV4" : "IPV6") is for a BGPPeer "
                    + "with localWorkloadSelector, and there is none")
        }
        for (name, peer) in own {
            if let selector = peer.localWorkloadSelector {
                remarks += workloads(resources, of: "BGPPeer/\(name)", matching: selector, node: node)
            }
            if let selector = peer.peerSelector, !plan.contains(where: { $0.name == "BGPPeer/\(name)" }),
                !resources.nodes.contains(where: { selector.matches($0.value.labels) })
            {
                remarks.append("BGPPeer/\(name): spec.peerSelector matches no Node")
            }
        }
        return remarks
    }

    private static func workloads(
        _ resources: ResourceSet, of object: String, matching selector: Selector, node: String
    ) -> [String] {
        let virtual = resources.configuration(of: node).localWorkloadPeering
        if virtual.allSatisfy({ $0 == nil }) {
            return [
                "\(object): spec.localWorkloadSelector needs an address that pods connect to: "
                    + "localWorkloadPeeringIPV4 or IPV6 of BGPConfiguration/default"
            ]
        }
        // With an address of one family, pods that have only the other are no peers.
        let pods = resources.endpoints(of: node).filter { pod in
            selector.matches(pod.endpoint.labels) && !pod.endpoint.addresses.isEmpty
                && pod.endpoint.addresses.allSatisfy { virtual[$0.family.index] == nil }
        }
        guard !pods.isEmpty else { return [] }
        let field = virtual[AddressFamily.ipv4.index] == nil ? "localWorkloadPeeringIPV4" : "localWorkloadPeeringIPV6"
        return [
            "\(object): \(some(pods.map(\.name))): no peer, because \(field) of BGPConfiguration/default is not set"
        ]
    }
}

// MARK: Fields that depend on others

extension Remarks {
    /// Fields that say nothing as the others stand. Each field is classified in the tests (FieldClassificationTests).
    static func fields(
        _ resources: ResourceSet, node: String, plan: [PlannedPeer], isReflector: Bool
    ) -> [String] {
        configurations(resources, node: node) + tunnels(resources, node: node) + selection(resources)
            + otherWays(resources, node: node) + idleFields(resources, node: node, plan: plan, isReflector: isReflector)
    }

    /// Objects and fields of objects that nothing reads (contract 2.2).
    private static func configurations(_ resources: ResourceSet, node: String) -> [String] {
        var remarks: [String] = []
        for kind in ["BGPConfiguration", "FelixConfiguration"] {
            for name in resources.names(of: kind) where name != "default" {
                if !name.hasPrefix("node.") {
                    remarks.append("\(kind)/\(name): not used: only default and node.NAME are")
                } else if resources.node(String(name.dropFirst(5))) == nil {
                    remarks.append("\(kind)/\(name): not used: there is no Node of this name")
                }
            }
        }
        for (name, configuration) in resources.configurations where name == "node.\(node)" {
            var rest = configuration
            (rest.listenPort, rest.logSeverity, rest.prefixAdvertisements, rest.communities) = (nil, nil, [], [:])
            if rest != BGPConfiguration() {
                remarks.append(
                    "BGPConfiguration/\(name): of one node only listenPort, logSeverityScreen and prefixAdvertisements "
                        + "take effect; other fields are for default")
            }
        }
        let configuration = resources.configuration(of: node)
        if configuration.massWithdrawalPercent == 0,
            configuration.massWithdrawalMinimum != BGPConfiguration().massWithdrawalMinimum
        {
            remarks.append("BGPConfiguration/default: spec.massWithdrawal.minimum: percent is 0, which is no limit")
        }
        return remarks
    }

    /// What is about tunnels, where no pool wants one.
    private static func tunnels(_ resources: ResourceSet, node: String) -> [String] {
        let felix = resources.felix(of: node)
        let wanted = resources.pools.filter { $0.encapsulation != nil }
        let vxlan = wanted.filter { $0.encapsulation?.isVXLAN ?? false }
        var remarks: [String] = []
        func say(_ field: String, if isIdle: Bool, without what: String) {
            guard isIdle else { return }
            remarks.append("FelixConfiguration: spec.\(field): no IPPool has \(what)")
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
    private static func selection(_ resources: ResourceSet) -> [String] {
        var remarks: [String] = []
        let used = Set(resources.peers.flatMap(\.peer.filters))
        let unused = resources.names(of: "BGPFilter").filter { !used.contains($0) }.map { "BGPFilter/\($0)" }
        if !unused.isEmpty { remarks.append("\(some(unused)): not used: spec.filters of no BGPPeer has it") }
        let nodes = resources.nodes
        for (name, peer) in resources.peers {
            if let node = peer.node, nodes[node] == nil {
                remarks.append("BGPPeer/\(name): spec.node: there is no Node of this name")
            }
            if let selector = peer.nodeSelector, !nodes.values.contains(where: { selector.matches($0.labels) }) {
                remarks.append("BGPPeer/\(name): spec.nodeSelector matches no Node")
            }
        }
        return remarks
    }

    /// A way leads to an address, whatever the ports there.
    private static func otherWays(_ resources: ResourceSet, node: String) -> [String] {
        let labels = resources.node(node)?.labels ?? [:]
        var first: [IPAddress: (name: String, gateway: IPAddress)] = [:]
        var remarks: [String] = []
        for (name, peer) in resources.peers where peer.applies(to: node, labels) {
            guard let gateway = peer.reachableBy, let address = peer.peer?.address else { continue }
            if let owner = first[address], owner.gateway != gateway {
                remarks.append(
                    "BGPPeer/\(name): spec.reachableBy: BGPPeer/\(owner.name) has the way to \(address), by "
                        + "\(owner.gateway)")
            } else if first[address] == nil {
                first[address] = (name, gateway)
            }
        }
        return remarks
    }

    private static func idleFields(
        _ resources: ResourceSet, node: String, plan: [PlannedPeer], isReflector: Bool
    ) -> [String] {
        let labels = resources.node(node)?.labels ?? [:]
        let addresses = resources.nodeAddresses
        var sessions: [String: [PlannedPeer]] = [:]
        for peer in plan { sessions[peer.name, default: []].append(peer) }
        // A thousand peers with one slip are one sentence.
        var names: [String: [String]] = [:]
        for (name, peer) in resources.peers where peer.applies(to: node, labels) {
            let own = sessions["BGPPeer/\(name)"] ?? []
            let isOfNodes =
                peer.peerSelector != nil || peer.peer.map { addresses[$0.address] != nil } ?? false
            for (field, why) in ofTheKind(peer, isOfNodes: isOfNodes) + ofTheSessions(peer, own)
                + (isReflector ? ofTheMode(peer) : [])
            { names["spec.\(field): \(why)", default: []].append("BGPPeer/\(name)") }
        }
        return names.sorted { $0.key < $1.key }.map { "\(some($0.value)): \($0.key)" }
    }

    private typealias Idle = (field: String, why: String)

    /// By other fields of the object.
    private static func ofTheKind(_ peer: BGPPeer, isOfNodes: Bool) -> [Idle] {
        let defaults = BGPPeer()
        let waits = peer.listenRange != nil || peer.localWorkloadSelector != nil
        let rows: [(Bool, String, String)] = [
            (
                peer.maxDynamicPeers != defaults.maxDynamicPeers && peer.listenRange == nil, "maxDynamicPeers",
                "there is no listenRange"
            ),
            (
                peer.connectRetryTime != nil && (waits || peer.passive == true), "connectRetryTime",
                "the peer opens the connection"
            ),
            (waits && peer.passive == false, "passive", "the peer opens the connection in any case"),
            (peer.keepaliveTime != nil && peer.holdTime == .zero, "keepaliveTime", "holdTime is 0s: no keepalives"),
            (peer.maxRestartTime != nil && peer.gracefulRestart != .on, "maxRestartTime", "gracefulRestart is not on"),
            (
                peer.longLivedStaleTime != nil && peer.gracefulRestart == .off, "longLivedStaleTime",
                "gracefulRestart is off"
            ),
            (
                peer.maxPrefixesRestart != defaults.maxPrefixesRestart && peer.maxPrefixesAction != .restart,
                "maxPrefixes.restartAfter", "action is not restart"
            ),
            (peer.isReversePeeringManual && !isOfNodes, "reversePeering", "the peer is no Node"),
            (
                peer.reexportPrepend ?? 0 > 0 && peer.exportMode == .own, "reexportPrepend",
                "export is own: no route of another node leaves"
            ),
        ]
        return rows.filter(\.0).map { ($0.1, $0.2) }
    }

    /// By what the sessions are that follow from it.
    private static func ofTheSessions(_ peer: BGPPeer, _ sessions: [PlannedPeer]) -> [Idle] {
        guard !sessions.isEmpty else { return [] }
        let isInternal = sessions.allSatisfy { $0.remoteAS == $0.localAS }
        let isExternal = sessions.allSatisfy { $0.remoteAS != nil && $0.remoteAS != $0.localAS }
        let families = sessions.reduce(into: AddressFamilySet()) { $0.formUnion($1.families) }
        let toInternal = "the session is internal"
        let rows: [(Bool, String, String)] = [
            (isInternal && peer.role != nil, "role", toInternal),
            (isInternal && peer.reexportPrepend ?? 0 > 0, "reexportPrepend", toInternal),
            (isInternal && peer.isMultihop, "multihop", toInternal),
            (
                isInternal && peer.nextHopMode == .keep, "nextHopMode and keepOriginalNextHop",
                "\(toInternal): next hops are kept in any case"
            ),
            (
                isExternal && peer.nextHopMode == .itself, "nextHopMode",
                "the session is external: the next hop is ours in any case"
            ),
            (
                isExternal && peer.routeReflectorClient == true, "routeReflectorClient",
                "the session is external, and reflection is for internal ones"
            ),
            (
                peer.extendedNextHop == true && !families.contains(.ipv4), "extendedNextHop",
                "the session does not carry IPv4"
            ),
            (
                peer.nextHopAddresses[AddressFamily.ipv4.index] != nil && !families.contains(.ipv4),
                "nextHopAddressIPv4", "the session does not carry IPv4"
            ),
            (
                peer.nextHopAddresses[AddressFamily.ipv6.index] != nil && !families.contains(.ipv6)
                    && peer.extendedNextHop != true, "nextHopAddressIPv6", "the session does not carry IPv6"
            ),
        ]
        return rows.filter(\.0).map { ($0.1, $0.2) }
    }

    /// In a reflector, which has no way to the kernel's routes and links.
    private static func ofTheMode(_ peer: BGPPeer) -> [Idle] {
        let rows = [
            (peer.routeTable != nil, "routeTable"), (peer.routeSource != nil, "routeSourceAddress"),
            (peer.reachableBy != nil, "reachableBy"), (peer.isMultihop, "multihop"),
        ]
        return rows.filter(\.0).map { ($0.1, "a reflector writes no routes and does not know links") }
    }
}
