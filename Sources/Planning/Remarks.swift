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
            + secondBest(shadowed)
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
        if configuration.localWorkloadPeering.contains(where: { $0 != nil }), !resources.hasWorkloadPeers {
            remarks.append(
                "BGPConfiguration/default: spec.localWorkloadPeeringIPV4 and IPV6 are for a BGPPeer with "
                    + "localWorkloadSelector, and there is none")
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
