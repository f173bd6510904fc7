/// Every kind and field that Apus knows (apus.resources(5) is generated from this).
package enum Schemas {
    package static let all: [KindSpec] = [
        bgpConfiguration, bgpPeer, bgpFilter, felixConfiguration, node, ipPool, blockAffinity, workloadEndpoint,
    ]

    package static func kind(_ name: String) -> KindSpec? { all.first { $0.kind == name } }

    static let secretKey: FieldType = .object([
        FieldSpec("name", .string, required: true, effect: .sessionReset, documentation: "The folder below --secrets."),
        FieldSpec(
            "key", .string, required: true, effect: .sessionReset,
            documentation: "The file in that folder. It must not be readable by others."
        ),
    ])
    static let secretReference: FieldType = .object([
        FieldSpec(
            "secretKeyRef", secretKey, required: true, effect: .sessionReset,
            documentation: "Where the password is kept.")
    ])

    private static let serviceRanges: FieldType = .list(
        .object([FieldSpec("cidr", .cidr, effect: .live, documentation: "The prefix.")]))

    static let bgpConfiguration = KindSpec(
        kind: "BGPConfiguration",
        documentation: "Settings of the whole cluster in the object named default; of one node in node.NAME.",
        fields: [
            FieldSpec(
                "asNumber", .asNumber(1...4_294_967_295), default: "64512", effect: .restart,
                documentation: "AS of every node that has none of its own."),
            FieldSpec(
                "nodeToNodeMeshEnabled", .bool, default: "true", effect: .live,
                documentation: "Whether all nodes without a routeReflectorClusterID peer with each other."),
            FieldSpec(
                "listenPort", .integer(1...65535), default: "179", effect: .live,
                documentation: "TCP port to listen on, and the port of other nodes."),
            FieldSpec(
                "bindMode", .choice(of: BGPConfiguration.BindMode.self), default: "None", effect: .live,
                documentation: "Listen on every address, or on the node's addresses only, now and when they change."),
            FieldSpec(
                "nodeMeshPassword", secretReference, effect: .sessionReset,
                documentation: "TCP MD5 password (RFC 2385) of the mesh."),
            FieldSpec(
                "nodeMeshMaxRestartTime", .duration(.zero ... .seconds(4095)), default: "120s", effect: .nextSession,
                documentation: "How long peers of the mesh are asked to keep our routes while we restart (RFC 4724)."),
            FieldSpec(
                "maximumPaths", .integer(1...128), default: "16", effect: .softRefresh,
                documentation: "Next hops of a route at most (ECMP)."),
            FieldSpec(
                "nextHopTracking", .choice(of: BGPConfiguration.NextHopTracking.self),
                default: "kernel for an agent, none for a reflector", effect: .restart,
                documentation:
                    "Whether next hops are resolved through the kernel's routes; none: every next hop counts as "
                    + "reachable at equal cost."
            ),
            FieldSpec(
                "logSeverityScreen", .choice(of: BGPConfiguration.LogSeverity.self), default: "--log-level",
                effect: .live,
                documentation: "Level of the log, in default or in node.NAME."),
            FieldSpec(
                "programClusterRoutes", .choice(of: BGPConfiguration.ClusterRoutes.self),
                default: "Enabled; with --program remote EnabledNoEncapOnly, because Felix does the tunnels",
                effect: .live,
                documentation:
                    "Which learned routes inside our IPPools go into the kernel: those of all pools, of none, of IPIP "
                    + "pools, of pools without encapsulation. The others are left to another programmer; what lies "
                    + "outside the pools is written in either case."
            ),
            FieldSpec(
                "massWithdrawal",
                .object([
                    FieldSpec(
                        "percent", .integer(0...100), default: "50", effect: .live,
                        documentation:
                            "Share of the learned routes inside our IPPools that may go within ten seconds while their "
                            + "next hops are alive. Beyond it they are kept, an alarm is raised, and apusctl fib release "
                            + "lets them go. 0: no limit."
                    ),
                    FieldSpec(
                        "minimum", .integer(1...1_000_000), default: "20", effect: .live,
                        documentation: "Fewer routes than this may always go."),
                ]), effect: .live,
                documentation:
                    "What is kept when nearly all routes are withdrawn at once: a lost control plane must not take the "
                    + "pods' traffic with it."
            ),
            FieldSpec(
                "ignoredInterfaces", .list(.string), effect: .live,
                documentation: "Interfaces, with * for any characters, through which no next hop is reached; "
                    + "kube-ipvs* and docker* are built in."
            ),
            FieldSpec(
                "communities",
                .list(
                    .object([
                        FieldSpec(
                            "name", .string, required: true, effect: .softRefresh,
                            documentation: "The name that prefixAdvertisements uses."),
                        FieldSpec(
                            "value", .community, required: true, effect: .softRefresh,
                            documentation: "The community (RFC 1997) or large community (RFC 8092)."),
                    ])), effect: .softRefresh, documentation: "Names for communities; at most 500."),
            FieldSpec(
                "prefixAdvertisements",
                .list(
                    .object([
                        FieldSpec(
                            "cidr", .cidr, required: true, effect: .softRefresh,
                            documentation: "Own routes inside this prefix."),
                        FieldSpec(
                            "communities", .list(.string), required: true, effect: .softRefresh,
                            documentation: "Communities that they bear, by name or value; at most 50."),
                    ])), effect: .softRefresh,
                documentation:
                    "Communities of own routes; at most 500. Those of every entry that covers a route are added. Also "
                    + "in node.NAME."
            ),
            FieldSpec(
                "serviceClusterIPs", serviceRanges, effect: .live,
                documentation:
                    "Prefixes of service addresses that every node announces whole, but for one whose label "
                    + "\(NodeResource.exclusionLabel) is \"true\"."),
            FieldSpec(
                "serviceExternalIPs", serviceRanges, effect: .live,
                documentation:
                    "The same for external addresses of services. A single address, /32 or /128, is announced for a "
                    + "Service that has it only, and Services need a store: status says so."),
            FieldSpec(
                "serviceLoadBalancerIPs", serviceRanges, effect: .live,
                documentation: "The same for addresses of load balancers; of single addresses too."),
            FieldSpec(
                "serviceLoadBalancerAggregation", .choice(["Enabled"]), default: "Enabled", effect: .none,
                documentation:
                    "Only whole prefixes: Apus does not read Service objects, and so has no addresses of single services."
            ),
            FieldSpec(
                "localWorkloadPeeringIPV4", .address, effect: .live,
                documentation:
                    "Address of this node to which pods that are BGP peers (localWorkloadSelector) connect; put on the "
                    + "loopback interface."
            ),
            FieldSpec("localWorkloadPeeringIPV6", .address, effect: .live, documentation: "The same for IPv6."),
            FieldSpec(
                "ipv4NormalRoutePriority", .integer(1...65535), default: "1024", effect: .restart,
                documentation: "Metric of IPv4 routes in the kernel."),
            FieldSpec(
                "ipv6NormalRoutePriority", .integer(1...65535), default: "1024", effect: .restart,
                documentation: "Metric of IPv6 routes in the kernel."),
        ])

    private static let encapsulation = FieldType.choice(of: IPPool.EncapsulationMode.self)

    static let node = KindSpec(
        kind: "Node",
        documentation:
            "A host. The agent needs the one whose name is its --node. A Node of the Kubernetes API (apiVersion: v1) is "
            + "one as well: what spec does not say comes from the annotations that Calico writes.",
        fields: [
            FieldSpec(
                "bgp",
                .object([
                    FieldSpec(
                        "asNumber", .asNumber(1...4_294_967_295), default: "BGPConfiguration", effect: .restart,
                        documentation: "AS of this node."),
                    FieldSpec(
                        "ipv4Address", .interfaceAddress, effect: .sessionReset,
                        documentation: "Address and prefix length by which other nodes reach it."),
                    FieldSpec(
                        "ipv6Address", .interfaceAddress, effect: .sessionReset,
                        documentation: "The same for IPv6. One of the two is needed."),
                    FieldSpec(
                        "routeReflectorClusterID", .address, effect: .restart,
                        documentation: "Makes the node a route reflector (RFC 4456) and takes it out of the mesh."),
                    FieldSpec(
                        "routerID", .address, default: "the IPv4 address, else derived from the name", effect: .restart,
                        documentation: "BGP Identifier (RFC 6286)."),
                    FieldSpec(
                        "ipv4IPIPTunnelAddr", .address, effect: .live,
                        documentation: "This node's address on the IPIP device, tunl0."),
                ]), effect: .live, documentation: "What other nodes need to know."),
            FieldSpec(
                "podCIDRs", .list(.cidr), effect: .live,
                documentation: "Blocks of this node, where no BlockAffinity names it."),
            .ignored("podCIDR"), .ignored("addresses"), .ignored("orchRefs"),
            FieldSpec(
                "ipv4VXLANTunnelAddr", .address, effect: .live,
                documentation:
                    "Its address on vxlan.calico: the gateway of routes to it; without one its node address is."),
            FieldSpec("ipv6VXLANTunnelAddr", .address, effect: .live, documentation: "The same on vxlan-v6.calico."),
            FieldSpec(
                "vxlanTunnelMACAddr", .mac, default: "66 and five bytes of the name's SHA-1", effect: .live,
                documentation: "MAC address of its vxlan.calico."),
            FieldSpec(
                "vxlanTunnelMACAddrV6", .mac, default: "the same of the name with -v6", effect: .live,
                documentation: "MAC address of its vxlan-v6.calico."),
            .ignored("wireguard"), .ignored("interfaces"), .ignored("taints"),
            .ignored("providerID"), .ignored("unschedulable"),
        ], annotations: nodeAnnotations)

    static let ipPool = KindSpec(
        kind: "IPPool",
        documentation: "Addresses for pods.",
        fields: [
            FieldSpec("cidr", .cidr, required: true, effect: .live, documentation: "The pool."),
            FieldSpec(
                "blockSize", .integer(20...128), default: "26 for IPv4, 122 for IPv6", effect: .none,
                documentation: "For IPAM; which blocks a node has is said by BlockAffinity."),
            FieldSpec(
                "disableBGPExport", .bool, default: "false", effect: .softRefresh,
                documentation:
                    "Own blocks and addresses inside the pool are not announced, nor passed on with export: pools."),
            FieldSpec(
                "ipipMode", encapsulation, default: "Never", effect: .live,
                documentation:
                    "Routes to other nodes' blocks go through the IPIP device (RFC 2003): always, or where the node is "
                    + "not on our subnet. IPv4 only; excludes vxlanMode."
            ),
            FieldSpec(
                "vxlanMode", encapsulation, default: "Never", effect: .live,
                documentation: "The same through a VXLAN device (RFC 7348), for IPv4 and IPv6."),
            FieldSpec(
                "routeTable", .integer(1...4_294_967_295), default: "254, the main table", effect: .live,
                documentation: "Kernel table of learned routes inside the pool."),
            FieldSpec(
                "routeSourceAddress", .address, effect: .live,
                documentation: "Source address that this host itself uses towards the pool (ip route, src)."),
            .ignored("natOutgoing", "Accepted for Calico's manifests; Apus does no NAT."),
            FieldSpec(
                "disabled", .bool, default: "false", effect: .none,
                documentation:
                    "For IPAM, which gives out no more addresses of the pool; its routes stay, and are announced and "
                    + "passed on as before (disableBGPExport is about those)."),
            .ignored("nodeSelector"), .ignored("namespaceSelector"), .ignored("allowedUses"),
            .ignored("assignmentMode"),
        ])

    static let blockAffinity = KindSpec(
        kind: "BlockAffinity",
        documentation: "A block of addresses that belongs to a node. Only a confirmed one is announced.",
        fields: [
            FieldSpec("node", .string, required: true, effect: .live, documentation: "The node."),
            FieldSpec("cidr", .cidr, required: true, effect: .live, documentation: "The block."),
            FieldSpec(
                "state", .choice(of: BlockAffinity.State.self), default: "confirmed", effect: .live,
                documentation: "Only confirmed counts."),
            FieldSpec(
                "deleted", .choice(["true", "false", ""]), default: "false", effect: .live,
                documentation: "true: the block is gone."),
            .ignored("type"),
        ])

    static let workloadEndpoint = KindSpec(
        kind: "WorkloadEndpoint",
        documentation: "A pod's interface. The agent of its node puts a host route on the host's side of it.",
        fields: [
            FieldSpec("node", .string, required: true, effect: .live, documentation: "The node that the pod runs on."),
            FieldSpec(
                "interfaceName", .string, required: true, effect: .live,
                documentation: "The host's side of the pod's veth, such as cali1a2b3c4d5e6."),
            FieldSpec(
                "ipNetworks", .list(.cidr), required: true, effect: .live,
                documentation: "The pod's addresses, as /32 and /128."),
            FieldSpec(
                "mac", .mac, effect: .live,
                documentation: "MAC address of the pod's side: a permanent neighbor entry is made with it."),
            .ignored("orchestrator"), .ignored("workload"), .ignored("pod"), .ignored("containerID"),
            .ignored("endpoint"), .ignored("ipv4Gateway"),
            .ignored("ipv6Gateway"), .ignored("profiles"), .ignored("ports"), .ignored("serviceAccountName"),
            .ignored("qosControls"),
            FieldSpec(
                "ipNATs", .any, effect: .none,
                documentation: "Floating addresses are not handled: the endpoint's status says so."),
            .ignored("allowSpoofedSourcePrefixes"),
            FieldSpec(
                "routePriority", .choice(of: WorkloadEndpoint.RoutePriority.self), default: "Normal", effect: .live,
                documentation: "Elevated while the pod is being moved to this node (live migration): the metric of "
                    + "FelixConfiguration's elevated priority, and a host route that all other nodes prefer. Target: so "
                    + "it will be as soon as the guest speaks here (ARP, RARP or a neighbor advertisement of its own); "
                    + "until then it has no route. Back at Normal the priority stays for 30s more."
            ),
        ])
}
