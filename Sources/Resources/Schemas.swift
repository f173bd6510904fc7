/// Every kind and field that Apus knows (apus.resources(5) is generated from this).
package enum Schemas {
    package static let all: [KindSpec] = [bgpConfiguration, bgpPeer, node, ipPool, blockAffinity, workloadEndpoint]

    package static func kind(_ name: String) -> KindSpec? { all.first { $0.kind == name } }

    private static let secretReference: FieldType = .object([
        FieldSpec(
            "secretKeyRef",
            .object([
                FieldSpec("name", .string, required: true, .sessionReset, "The folder below --secrets."),
                FieldSpec("key", .string, required: true, .sessionReset, "The file in that folder. It must not be readable by others."),
            ]), required: true, .sessionReset, "Where the password is kept.")
    ])

    static let bgpConfiguration = KindSpec(
        kind: "BGPConfiguration",
        documentation: "Settings of the whole cluster in the object named default; of one node in node.NAME.",
        fields: [
            FieldSpec("asNumber", .integer(1...4_294_967_295), default: "64512", .restart, "AS of every node that has none of its own."),
            FieldSpec(
                "nodeToNodeMeshEnabled", .bool, default: "true", .live,
                "Whether all nodes without a routeReflectorClusterID peer with each other."),
            FieldSpec(
                "listenPort", .integer(1...65535), default: "179", .restart, "TCP port to listen on, and the port of other nodes."),
            FieldSpec(
                "bindMode", .choice(["None", "NodeIP"]), default: "None", .restart, "Listen on every address, or on the node's addresses only."),
            FieldSpec("nodeMeshPassword", secretReference, .sessionReset, "TCP MD5 password (RFC 2385) of the mesh."),
            FieldSpec(
                "nodeMeshMaxRestartTime", .duration, default: "120s", .nextSession,
                "How long peers of the mesh are asked to keep our routes while we restart (RFC 4724)."),
            FieldSpec("maximumPaths", .integer(1...128), default: "16", .softRefresh, "Next hops of a route at most (ECMP)."),
            FieldSpec(
                "nextHopTracking", .choice(["kernel", "none"]), default: "kernel for an agent, none for a reflector", .restart,
                "Whether next hops are resolved through the kernel's routes; none: every next hop counts as reachable at equal cost."),
            .ignored("logSeverityScreen", "Accepted for Calico's manifests; the flag --log-level sets the level."),
            .ignored("programClusterRoutes", "Accepted for Calico's manifests; Apus programs every route itself."),
            .ignored("ignoredInterfaces", "Accepted for Calico's manifests; Apus announces nothing that it did not originate."),
            .refused("communities", "communities are not announced by this version."),
            .refused("prefixAdvertisements", "communities are not announced by this version."),
            .refused("serviceClusterIPs", "service addresses are not announced by this version."),
            .refused("serviceExternalIPs", "service addresses are not announced by this version."),
            .refused("serviceLoadBalancerIPs", "service addresses are not announced by this version."),
            .ignored("serviceLoadBalancerAggregation"),
            .refused("localWorkloadPeeringIPV4", "peering with local workloads is not in this version."),
            .refused("localWorkloadPeeringIPV6", "peering with local workloads is not in this version."),
            FieldSpec(
                "ipv4NormalRoutePriority", .integer(1024...1024), default: "1024", .restart, "Metric of routes; only Calico's default."),
            FieldSpec(
                "ipv6NormalRoutePriority", .integer(1024...1024), default: "1024", .restart, "Metric of routes; only Calico's default."),
        ])

    static let bgpPeer = KindSpec(
        kind: "BGPPeer",
        documentation: "A peer, or with peerSelector or listenRange many. Without node and nodeSelector every node has it.",
        fields: [
            FieldSpec("node", .string, .live, "The one node that has the peer. Excludes nodeSelector."),
            FieldSpec("nodeSelector", .selector, .live, "The nodes that have the peer, by their labels."),
            FieldSpec("peerIP", .endpoint, .live, "Address of the peer. Excludes peerSelector and listenRange."),
            FieldSpec(
                "peerSelector", .selector, .live, "The nodes that are the peers, by their labels. Address and AS come from the Node objects."),
            FieldSpec(
                "listenRange", .cidr, .live,
                "In place of peerIP: every address of the range may open a session (dynamic neighbours)."),
            FieldSpec("maxDynamicPeers", .integer(1...65000), default: "1000", .live, "Dynamic neighbours of a listenRange at most."),
            FieldSpec(
                "asNumber", .integer(0...4_294_967_295), .sessionReset,
                "AS of the peer. Needed with peerIP and listenRange; 0 with listenRange accepts any."),
            FieldSpec(
                "routeReflectorClient", .bool, default: "by the Node objects", .softRefresh,
                "The peer is our route reflector client (RFC 4456), whatever its Node says."),
            FieldSpec(
                "passive", .bool, default: "by the address", .nextSession,
                "Never open the connection. Between nodes the one whose address compares lower as text opens it."),
            FieldSpec("holdTime", .duration, default: "90s", .nextSession, "Hold time offered: 0s, or 3s to 65535s (RFC 4271 4.2)."),
            FieldSpec("keepaliveTime", .duration, default: "a third of the hold time", .nextSession, "Time between keepalives at most."),
            FieldSpec("connectRetryTime", .duration, default: "5s", .nextSession, "Time between attempts to connect, with jitter."),
            FieldSpec(
                "idleHoldTime", .duration, default: "1s", .nextSession,
                "Wait after a session failed; doubled up to 60s while it goes on failing."),
            FieldSpec(
                "families", .list(.choice(["ipv4", "ipv6"])), default: "those that the node has", .sessionReset,
                "Address families on the session."),
            FieldSpec(
                "import", .choice(["safe", "all"]), default: "safe", .softRefresh,
                "safe refuses a default route, prefixes inside our own blocks and prefixes that are never routed. An internal peer may announce host routes inside our blocks, because pods move."
            ),
            FieldSpec(
                "export", .choice(["own", "all"]), default: "own to external peers, all to internal ones", .softRefresh,
                "own announces what this node originates; all is transit."),
            FieldSpec("password", secretReference, .sessionReset, "TCP MD5 password (RFC 2385). A missing secret keeps the peer down."),
            FieldSpec(
                "ttlSecurity", .integer(1...255), .sessionReset, "GTSM (RFC 5082): the hops to the peer; packets from further away are dropped."),
            FieldSpec(
                "sourceAddress", .string, default: "UseNodeIP", .sessionReset, "UseNodeIP, None (the kernel chooses) or an address of ours."),
            FieldSpec(
                "maxRestartTime", .duration, default: "120s", .nextSession, "How long the peer is asked to keep our routes while we restart."),
            FieldSpec(
                "gracefulRestart", .choice(["on", "helper", "off"]), default: "on", .nextSession,
                "RFC 4724: both roles, only for the peer's restart, or not at all."),
            FieldSpec("extendedMessages", .bool, default: "true", .nextSession, "Offer messages of up to 65,535 octets (RFC 8654)."),
            FieldSpec(
                "numAllowedLocalASNumbers", .integer(0...255), default: "0", .softRefresh, "How often our own AS may occur in a path."),
            FieldSpec(
                "nextHopMode", .choice(["Auto", "Self"]), default: "Auto", .softRefresh,
                "Self: external routes go to internal peers with our address as next hop."),
            FieldSpec(
                "maxPrefixes",
                .object([
                    FieldSpec(
                        "limit", .integer(1...100_000_000), default: "1000000", .live,
                        "Prefixes of a family that the peer may announce; one more ends the session with Cease/1."),
                    FieldSpec("restartAfter", .duration, default: "5m", .live, "How long the session then stays down."),
                ]), .live, "A limit on what the peer may make us remember."),
            FieldSpec(
                "reversePeering", .choice(["Auto", "Manual"]), default: "Auto", .live,
                "With peerSelector: whether the selected nodes peer back by themselves."),
            FieldSpec("shutdown", .string, .live, "Keep the session down, and tell the peer this text (RFC 9003)."),
            FieldSpec("keepOriginalNextHop", .choice(["false"]), default: "false", .none, "Only Calico's default."),
            .refused("localASNumber", "a local AS per peer is not in this version."),
            .refused("filters", "BGPFilter is not in this version; a peer whose filters were ignored would be unsafe."),
            .refused("reachableBy", "a static route to the peer is not in this version; write it on the host."),
            .refused("localWorkloadSelector", "peering with local workloads is not in this version."),
        ])

    static let node = KindSpec(
        kind: "Node",
        documentation: "A host. The agent needs the one whose name is its --node.",
        fields: [
            FieldSpec(
                "bgp",
                .object([
                    FieldSpec("asNumber", .integer(1...4_294_967_295), default: "BGPConfiguration", .restart, "AS of this node."),
                    FieldSpec("ipv4Address", .interfaceAddress, .sessionReset, "Address and prefix length by which other nodes reach it."),
                    FieldSpec("ipv6Address", .interfaceAddress, .sessionReset, "The same for IPv6. One of the two is needed."),
                    FieldSpec(
                        "routeReflectorClusterID", .address, .restart,
                        "Makes the node a route reflector (RFC 4456) and takes it out of the mesh."),
                    FieldSpec(
                        "routerID", .address, default: "the IPv4 address, else derived from the name", .restart, "BGP Identifier (RFC 6286)."),
                    .ignored("ipv4IPIPTunnelAddr"),
                ]), .live, "What other nodes need to know."),
            FieldSpec(
                "podCIDRs", .list(.cidr), .live, "Blocks of this node, where no BlockAffinity names it."),
            .ignored("podCIDR"), .ignored("addresses"), .ignored("orchRefs"), .ignored("ipv4VXLANTunnelAddr"), .ignored("ipv6VXLANTunnelAddr"),
            .ignored("vxlanTunnelMACAddr"), .ignored("vxlanTunnelMACAddrV6"), .ignored("wireguard"), .ignored("interfaces"), .ignored("taints"),
            .ignored("providerID"), .ignored("unschedulable"),
        ])

    static let ipPool = KindSpec(
        kind: "IPPool",
        documentation: "Addresses for pods.",
        fields: [
            FieldSpec("cidr", .cidr, required: true, .live, "The pool."),
            FieldSpec("blockSize", .integer(20...128), default: "26 for IPv4, 122 for IPv6", .live, "Prefix length of a node's block."),
            FieldSpec(
                "disableBGPExport", .bool, default: "false", .softRefresh, "Own blocks and addresses inside the pool are not announced."),
            FieldSpec("ipipMode", .choice(["Never"]), default: "Never", .live, "Encapsulation is not in this version: only Never."),
            FieldSpec("vxlanMode", .choice(["Never"]), default: "Never", .live, "Encapsulation is not in this version: only Never."),
            .ignored("natOutgoing", "Accepted for Calico's manifests; Apus does no NAT."),
            FieldSpec("disabled", .bool, default: "false", .none, "For IPAM."),
            .ignored("nodeSelector"), .ignored("namespaceSelector"), .ignored("allowedUses"), .ignored("assignmentMode"),
        ])

    static let blockAffinity = KindSpec(
        kind: "BlockAffinity",
        documentation: "A block of addresses that belongs to a node. Only a confirmed one is announced.",
        fields: [
            FieldSpec("node", .string, required: true, .live, "The node."),
            FieldSpec("cidr", .cidr, required: true, .live, "The block."),
            FieldSpec("state", .choice(["confirmed", "pending", "pendingDeletion"]), required: true, .live, "Only confirmed counts."),
            FieldSpec("deleted", .choice(["true", "false"]), default: "false", .live, "true: the block is gone."),
            .ignored("type"),
        ])

    static let workloadEndpoint = KindSpec(
        kind: "WorkloadEndpoint",
        documentation: "A pod's interface. The agent of its node puts a host route on the host's side of it.",
        fields: [
            FieldSpec("node", .string, required: true, .live, "The node that the pod runs on."),
            FieldSpec("interfaceName", .string, required: true, .live, "The host's side of the pod's veth, such as cali1a2b3c4d5e6."),
            FieldSpec("ipNetworks", .list(.cidr), required: true, .live, "The pod's addresses, as /32 and /128."),
            FieldSpec("mac", .mac, .live, "MAC address of the pod's side: a permanent neighbour entry is made with it."),
            .ignored("orchestrator"), .ignored("workload"), .ignored("pod"), .ignored("containerID"), .ignored("endpoint"), .ignored("ipv4Gateway"),
            .ignored("ipv6Gateway"), .ignored("profiles"), .ignored("ports"), .ignored("serviceAccountName"), .ignored("qosControls"),
            .ignored("ipNATs", "Floating addresses are not handled."), .ignored("allowSpoofedSourcePrefixes"),
        ])
}
