import NetTypes
import Resources
import StatusAPI

/// What can be one node's only, and is declared for several: packets to it arrive at one of them.
enum Duplicates {
    /// What of a node's blocks and pods another declares too. Cost: the number of objects.
    static func find(_ resources: ResourceSet, node: String) -> [FindingCause] {
        var affinities: [BlockAffinity] = []
        var endpoints: [(name: String, endpoint: WorkloadEndpoint)] = []
        for resource in resources.resources {
            switch resource.value {
            case .blockAffinity(let affinity) where affinity.isConfirmed: affinities.append(affinity)
            // A live migration has its pod on two nodes for a while.
            case .workloadEndpoint(let endpoint) where endpoint.routePriority == .normal:
                endpoints.append(("\(resource.key.namespace)/\(resource.key.name)", endpoint))
            default: break
            }
        }
        return blocks(affinities, node: node) + pods(endpoints, node: node)
    }

    private static func blocks(_ affinities: [BlockAffinity], node: String) -> [FindingCause] {
        let own = Set(affinities.filter { $0.node == node }.map(\.cidr))
        guard !own.isEmpty else { return [] }
        var others: [Prefix: Set<String>] = [:]
        for affinity in affinities where affinity.node != node {
            for block in own where block.contains(affinity.cidr) || affinity.cidr.contains(block) {
                others[block, default: []].insert(affinity.node)
            }
        }
        return others.sorted { $0.key < $1.key }.map { block, nodes in
            .blockOfSeveralNodes(prefix: "\(block)", nodes: [node] + nodes.sorted())
        }
    }

    private static func pods(
        _ endpoints: [(name: String, endpoint: WorkloadEndpoint)], node: String
    ) -> [FindingCause] {
        var pods: [IPAddress: [String]] = [:]
        for (name, endpoint) in endpoints where endpoint.node == node {
            for address in endpoint.addresses { pods[address, default: []].append("\(name) on \(node)") }
        }
        guard !pods.isEmpty else { return [] }
        for (name, endpoint) in endpoints where endpoint.node != node {
            for address in endpoint.addresses where pods[address] != nil {
                pods[address]?.append("\(name) on \(endpoint.node)")
            }
        }
        return pods.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map { address, names in
            .addressOfSeveralPods(address: "\(address)", pods: names)
        }
    }
}
