import FIB
package import NetTypes
package import Resources

/// What the resources say of this node's forwarding, but for its pods' endpoints (`NodeChange`).
package struct NodeState: Sendable, Hashable {
    /// A static route to a peer (contract 2.3, `reachableBy`).
    package struct StaticRoute: Sendable, Hashable {
        package var peer: IPAddress
        package var gateway: IPAddress
    }
    /// Table and source address of learned routes, by what they go by.
    package struct Placement: Sendable, Hashable {
        package var table: UInt32?
        package var source: IPAddress?
        package init(table: UInt32? = nil, source: IPAddress? = nil) {
            self.table = table
            self.source = source
        }
    }
    package struct PeerPlacement: Sendable, Hashable {
        /// The peer's address, or the range that it may lie in.
        package var peers: Prefix
        /// Of one of those at its address; nil: whatever the port.
        package var port: UInt16?
        package var placement: Placement

        package func isOf(_ peer: PeerAddress) -> Bool {
            peers.contains(peer.address) && port.map { $0 == peer.port } ?? true
        }
    }
    package struct PoolPlacement: Sendable, Hashable {
        package var cidr: Prefix
        package var placement: Placement
    }

    /// What this node announces and programs of its own.
    package struct OwnRoutes: Sendable, Hashable {
        package var blocks: [OwnBlock] = []
        /// Prefixes of services: announced, and never in the kernel, where they would hide what the service proxy does
        /// (contract 2.6).
        package var services: [Prefix] = []
        package var advertisements = BGPConfiguration()
        package var statics: [StaticRoute] = []
        /// Addresses that stand for this node towards pods that are BGP peers.
        package var loopbackAddresses: [IPAddress] = []
        package init() {}
    }
    package var own = OwnRoutes()
    /// Pools whose routes somebody else programs (contract 2.2, `programClusterRoutes`).
    package var foreignPools: [Prefix] = []
    package var ignoredInterfaces: [String] = []
    package var tunnels = TunnelSettings()
    /// Tables, metrics and source addresses of routes.
    package struct Placements: Sendable, Hashable {
        package var peers: [PeerPlacement] = []
        package var pools: [PoolPlacement] = []
        /// By family index.
        package var sources: [IPAddress?] = [nil, nil]
        package init() {}
    }
    package var placement = Placements()
    package var families: AddressFamilySet = []
    /// This node's addresses, by family index.
    package var ownAddresses: [IPAddress?] = [nil, nil]
    /// Addresses of all Nodes, each with all that its Node has.
    package var nodeAddresses: [IPAddress: [IPAddress]] = [:]
    /// What is the cluster's: the pools.
    package var pools: [Prefix] = []
    /// When a mass withdrawal is held (contract 2.6).
    package struct MassWithdrawal: Sendable, Hashable {
        package var percent = 0
        package var minimum = 0
        package init() {}
    }
    package var massWithdrawal = MassWithdrawal()
    /// Live migration of pods (contract 2.7).
    package struct Migration: Sendable, Hashable {
        /// Metric of a pod that is being moved here, by family index.
        package var elevatedMetrics = [FIBRoute.elevatedMetric, FIBRoute.elevatedMetric]
        /// How long that metric stays after the move (contract 2.7, liveMigrationRouteConvergenceTime).
        package var convergence = Duration.seconds(30)
        package init() {}
    }
    package var migration = Migration()
    package var allowsSpoofing = false
    /// Time between two audits of the kernel's routes.
    package var auditInterval = Duration.seconds(90)
    /// How the names of pods' interfaces begin.
    package var interfacePrefixes = ["cali"]

    package init() {}

    package init(_ resources: ResourceSet, node: String, programming: Programming = .all) {
        let configuration = resources.configuration(of: node)
        let felix = resources.felix(of: node)
        let pools = resources.pools
        own.blocks = resources.blocks(of: node).map { block in
            OwnBlock(prefix: block, isExported: !pools.contains { $0.disableBGPExport && $0.cidr.contains(block) })
        }
        if !(resources.node(node)?.isExcludedFromServices ?? false) {
            own.services = Array(Set(configuration.services.prefixes)).sorted()
        }
        own.advertisements = configuration
        let programmed = configuration.programClusterRoutes ?? (programming == .remote ? .unencapsulated : .all)
        foreignPools = pools.filter { !programmed.includes($0) }.map(\.cidr)
        ignoredInterfaces = configuration.ignoredInterfaces
        if programming.includesLearned {
            tunnels = TunnelSettings(resources, node: node, pools: pools.filter { programmed.includes($0) })
        }
        placeRoutes(resources, node, pools: pools)
        families = resources.node(node)?.families ?? []
        ownAddresses = AddressFamily.allCases.map { resources.node(node)?.address($0) }
        nodeAddresses = resources.nodeAddresses
        self.pools = pools.map(\.cidr)
        massWithdrawal.percent = configuration.massWithdrawalPercent
        massWithdrawal.minimum = configuration.massWithdrawalMinimum
        placement.sources = felix.deviceRouteSource
        migration.elevatedMetrics = felix.elevatedPriority.map { $0 ?? FIBRoute.elevatedMetric }
        allowsSpoofing = felix.allowsSpoofing ?? false
        auditInterval = felix.routeRefreshInterval ?? auditInterval
        migration.convergence = felix.migrationConvergence ?? migration.convergence
        interfacePrefixes = felix.interfacePrefixes ?? interfacePrefixes
        if resources.peers.contains(where: { $0.peer.localWorkloadSelector != nil }) {
            own.loopbackAddresses = configuration.localWorkloadPeering.compactMap { $0 }
        }
        let labels = resources.node(node)?.labels ?? [:]
        for (_, peer) in resources.peers where peer.applies(to: node, labels) {
            // A way leads to an address, whatever the ports there: the first has it.
            if let gateway = peer.reachableBy, let address = peer.peer?.address,
                !own.statics.contains(where: { $0.peer == address })
            {
                own.statics.append(StaticRoute(peer: address, gateway: gateway))
            }
        }
    }

    /// The address and the others of its Node; itself alone where no Node has it.
    package func addresses(ofNodeWith address: IPAddress) -> [IPAddress] { nodeAddresses[address] ?? [address] }

    private mutating func placeRoutes(_ resources: ResourceSet, _ node: String, pools: [IPPool]) {
        for pool in pools where pool.routeTable != nil || pool.routeSource != nil {
            placement.pools.append(
                PoolPlacement(cidr: pool.cidr, placement: Placement(table: pool.routeTable, source: pool.routeSource)))
        }
        let labels = resources.node(node)?.labels ?? [:]
        for (_, peer) in resources.peers
        where peer.applies(to: node, labels) && (peer.routeTable != nil || peer.routeSource != nil) {
            let addresses: [Prefix]
            if let selector = peer.peerSelector {
                addresses = resources.nodes.values.filter { selector.matches($0.labels) }.flatMap {
                    [$0.ipv4?.address, $0.ipv6?.address].compactMap { $0 }
                }.map {
                    Prefix(host: $0)
                }
            } else {
                addresses = [peer.peer.map { Prefix(host: $0.address) }, peer.listenRange].compactMap { $0 }
            }
            let port = peer.peer.map { endpoint in
                endpoint.port ?? resources.nodes.first { $0.value.address(endpoint.address.family) == endpoint.address }
                    .map { resources.listenPort(of: $0.key) } ?? PeerAddress.defaultPort
            }
            for prefix in addresses {
                placement.peers.append(
                    PeerPlacement(
                        peers: prefix, port: port,
                        placement: Placement(table: peer.routeTable, source: peer.routeSource)))
            }
        }
    }
}
