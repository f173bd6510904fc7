import NetTypes
import Resources

/// What the resources say of this node's own routes: everything that the forwarding plane has to know.
struct NodeState: Hashable {
    /// A static route to a peer (contract 2.3, `reachableBy`).
    struct StaticRoute: Hashable {
        var peer: IPAddress
        var gateway: IPAddress
    }
    struct NamedEndpoint: Hashable {
        var name: String
        var endpoint: WorkloadEndpoint
    }

    var blocks: [OwnBlock] = []
    var endpoints: [NamedEndpoint] = []
    /// Prefixes of services: announced, and never in the kernel, where they would hide what the service proxy does (contract 2.6).
    var servicePrefixes: [Prefix] = []
    var advertisements = BGPConfiguration()
    var staticRoutes: [StaticRoute] = []
    /// Pools whose routes somebody else programs (contract 2.2, `programClusterRoutes`).
    var foreignPools: [Prefix] = []
    var ignoredInterfaces: [String] = []
    /// Addresses that stand for this node towards pods that are BGP peers.
    var loopbackAddresses: [IPAddress] = []
    var tunnels = TunnelSettings()

    init() {}

    init(_ resources: ResourceSet, node: String) {
        let configuration = resources.configuration(of: node)
        let pools = resources.pools
        blocks = resources.blocks(of: node).map { block in
            OwnBlock(prefix: block, isExported: !pools.contains { $0.disableBGPExport && $0.cidr.contains(block) })
        }
        endpoints = resources.endpoints(of: node).map { NamedEndpoint(name: $0.name, endpoint: $0.endpoint) }
        servicePrefixes = Array(Set(configuration.servicePrefixes)).sorted()
        advertisements = configuration
        foreignPools = configuration.programsClusterRoutes ? [] : pools.map(\.cidr)
        ignoredInterfaces = configuration.ignoredInterfaces
        if foreignPools.isEmpty { tunnels = TunnelSettings(resources, node: node) }
        if resources.peers.contains(where: { $0.peer.localWorkloadSelector != nil }) {
            loopbackAddresses = configuration.localWorkloadPeering.compactMap { $0 }
        }
        let labels = resources.nodes[node]?.labels ?? [:]
        for (_, peer) in resources.peers where peer.applies(to: node, labels) {
            if let gateway = peer.reachableBy, let address = peer.peer?.address { staticRoutes.append(StaticRoute(peer: address, gateway: gateway)) }
        }
    }
}
