/// Every kind and field that Apus knows (apus.resources(5) is generated from this).
package enum Schemas {
    package static let all: [KindSpec] = [bgpConfiguration, bgpPeer, bgpFilter, node, ipPool, blockAffinity, workloadEndpoint]

    package static func kind(_ name: String) -> KindSpec? { all.first { $0.kind == name } }

    private static let secretKey: FieldType = .object([
        FieldSpec("name", .string, required: true, .sessionReset, "The folder below --secrets."),
        FieldSpec("key", .string, required: true, .sessionReset, "The file in that folder. It must not be readable by others."),
    ])
    private static let secretReference: FieldType = .object([
        FieldSpec("secretKeyRef", secretKey, required: true, .sessionReset, "Where the password is kept.")
    ])

    private static let serviceRanges: FieldType = .list(.object([FieldSpec("cidr", .cidr, required: true, .live, "The prefix.")]))

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
            FieldSpec(
                "logSeverityScreen", .choice(["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]), default: "--log-level", .live,
                "Level of the log, in default or in node.NAME."),
            FieldSpec(
                "programClusterRoutes", .choice(["Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly"]), default: "EnabledNoEncapOnly", .live,
                "Whether learned routes inside our IPPools go into the kernel. Disabled and EnabledIPIPOnly leave them to another programmer; what lies outside the pools is written in either case."
            ),
            FieldSpec(
                "ignoredInterfaces", .list(.string), .live,
                "Interfaces, with * at the end for any name that begins so, through which no next hop is reached; kube-ipvs* and docker* are built in."),
            FieldSpec(
                "communities",
                .list(
                    .object([
                        FieldSpec("name", .string, required: true, .softRefresh, "The name that prefixAdvertisements uses."),
                        FieldSpec("value", .community, required: true, .softRefresh, "The community (RFC 1997) or large community (RFC 8092)."),
                    ])), .softRefresh, "Names for communities; at most 500."),
            FieldSpec(
                "prefixAdvertisements",
                .list(
                    .object([
                        FieldSpec("cidr", .cidr, required: true, .softRefresh, "Own routes inside this prefix."),
                        FieldSpec(
                            "communities", .list(.string), required: true, .softRefresh, "Communities that they bear, by name or value; at most 50."),
                    ])), .softRefresh, "Communities of own routes; at most 500. Those of every entry that covers a route are added. Also in node.NAME."),
            FieldSpec("serviceClusterIPs", serviceRanges, .live, "Prefixes of service addresses that every node announces whole."),
            FieldSpec("serviceExternalIPs", serviceRanges, .live, "The same for external addresses of services."),
            FieldSpec("serviceLoadBalancerIPs", serviceRanges, .live, "The same for addresses of load balancers."),
            FieldSpec(
                "serviceLoadBalancerAggregation", .choice(["Enabled"]), default: "Enabled", .none,
                "Only whole prefixes: Apus does not read Service objects, and so has no addresses of single services."),
            FieldSpec(
                "localWorkloadPeeringIPV4", .address, .restart,
                "Address of this node to which pods that are BGP peers (localWorkloadSelector) connect; put on the loopback interface."),
            FieldSpec("localWorkloadPeeringIPV6", .address, .restart, "The same for IPv6."),
            FieldSpec(
                "ipv4NormalRoutePriority", .integer(1...65535), default: "1024", .restart, "Metric of IPv4 routes in the kernel."),
            FieldSpec("ipv6NormalRoutePriority", .integer(1...65535), default: "1024", .restart, "Metric of IPv6 routes in the kernel."),
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
            FieldSpec(
                "interface", .string, .live,
                "In place of peerIP: the neighbour on this link, found by its router advertisements; an IPv6 link-local session (unnumbered), with IPv6 next hops for IPv4 (RFC 8950)."
            ),
            FieldSpec(
                "localWorkloadSelector", .selector, .live,
                "In place of peerIP: pods of this node, by the labels of their WorkloadEndpoints. They connect to localWorkloadPeeringIPV4 or V6."),
            FieldSpec("maxDynamicPeers", .integer(1...65000), default: "1000", .live, "Dynamic neighbours of a listenRange at most."),
            FieldSpec(
                "asNumber", .integer(0...4_294_967_295), .sessionReset,
                "AS of the peer. Needed but with peerSelector; 0 with listenRange or interface accepts any."),
            FieldSpec("localASNumber", .integer(1...4_294_967_295), default: "that of the node", .sessionReset, "Our AS towards this peer."),
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
                "minRouteAdvertisementInterval", .duration, default: "0s", .softRefresh,
                "Least time between two announcements of a prefix, up to 600s (RFC 4271 9.2.1.1). Withdrawals do not wait."),
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
            FieldSpec(
                "filters", .list(.string), .softRefresh,
                "BGPFilter objects, in order. The first rule that matches decides; a filter that does not exist keeps the peer down."),
            FieldSpec(
                "password", secretReference, .nextSession,
                "TCP MD5 password (RFC 2385). A missing secret keeps the peer down. A changed one takes effect on the running session, which goes on if the peer changes its own within the hold time; adding or removing one resets it."
            ),
            FieldSpec(
                "tcpAO",
                .object([
                    FieldSpec("secretKeyRef", secretKey, required: true, .sessionReset, "Where the master key is kept, at most 80 octets."),
                    FieldSpec("sendID", .integer(0...255), required: true, .sessionReset, "KeyID of what we send; the peer's receiveID."),
                    FieldSpec("receiveID", .integer(0...255), required: true, .sessionReset, "KeyID of what the peer sends."),
                    FieldSpec(
                        "algorithm", .choice(["hmac-sha1-96", "aes-128-cmac-96", "hmac-sha256-128"]), default: "hmac-sha1-96", .sessionReset,
                        "The message authentication code (RFC 5926)."),
                ]), .sessionReset,
                "TCP-AO (RFC 5925) in place of a password, with Linux 6.7 or later; on another kernel the peer is kept down and status says so."),
            FieldSpec(
                "ttlSecurity", .integer(1...255), .sessionReset, "GTSM (RFC 5082): the hops to the peer; packets from further away are dropped."),
            FieldSpec(
                "sourceAddress", .string, default: "UseNodeIP", .sessionReset, "UseNodeIP, None (the kernel chooses) or an address of ours."),
            FieldSpec(
                "maxRestartTime", .duration, default: "120s", .nextSession, "How long the peer is asked to keep our routes while we restart."),
            FieldSpec(
                "longLivedStaleTime", .duration, default: "not at all", .nextSession,
                "How long beyond that routes are kept as the last choice, ours by the peer and the peer's by us as long as it asks (RFC 9494); up to 194 days."),
            FieldSpec(
                "gracefulRestart", .choice(["on", "helper", "off"]), default: "on", .nextSession,
                "RFC 4724: both roles, only for the peer's restart, or not at all."),
            FieldSpec("extendedMessages", .bool, default: "true", .nextSession, "Offer messages of up to 65,535 octets (RFC 8654)."),
            FieldSpec(
                "extendedNextHop", .bool, default: "true with interface, else false", .sessionReset, "Offer IPv6 next hops for IPv4 routes (RFC 8950)."),
            FieldSpec(
                "addPath",
                .object([
                    FieldSpec("send", .pathCount, .softRefresh, "Paths of a prefix that the peer gets at most, or all. Beginning and ending it resets the session."),
                    FieldSpec("receive", .bool, default: "false", .sessionReset, "Take several paths of a prefix from the peer."),
                ]), .sessionReset, "Several paths of a prefix (RFC 7911)."),
            FieldSpec(
                "role", .choice(["provider", "customer", "peer", "rs", "rs-client"]), .sessionReset,
                "What this node is to an external peer (RFC 9234): its provider, its customer and so on. Route leaks are refused."),
            FieldSpec("strictRole", .bool, default: "false", .sessionReset, "Refuse a peer that announces no role."),
            FieldSpec(
                "bfd",
                .object([
                    FieldSpec("minTransmitInterval", .duration, default: "300ms", .live, "50ms to 10s."),
                    FieldSpec("minReceiveInterval", .duration, default: "300ms", .live, "50ms to 10s."),
                    FieldSpec("detectMultiplier", .integer(2...50), default: "3", .live, "Packets that may be missing before the path counts as down."),
                    FieldSpec(
                        "multihop", .bool, default: "by the node's subnets", .live, "RFC 5883 in place of RFC 5881: the peer is not on a link of ours."),
                ]), .live,
                "Bidirectional forwarding detection in asynchronous mode: the session ends as soon as the path to the peer fails. An empty object takes the defaults."),
            FieldSpec(
                "acceptBlackhole", .bool, default: "false", .softRefresh,
                "Routes of the peer with the community BLACKHOLE are installed as such (RFC 7999); without it they are routes like any other. They never leave the AS."),
            FieldSpec(
                "numAllowedLocalASNumbers", .integer(0...255), default: "0", .softRefresh, "How often our own AS may occur in a path."),
            FieldSpec(
                "nextHopMode", .choice(["Auto", "Self", "Keep"]), default: "Auto", .softRefresh,
                "Self: external routes go to internal peers with our address as next hop. Keep: routes that are not our own keep their next hop towards external peers too."
            ),
            FieldSpec("keepOriginalNextHop", .bool, default: "false", .softRefresh, "Calico's older name for nextHopMode: Keep, for external peers."),
            FieldSpec(
                "reachableBy", .address, .live, "A gateway on a link of ours: the agent keeps a host route to the peer through it."),
            FieldSpec(
                "maxPrefixes",
                .object([
                    FieldSpec(
                        "limit", .integer(1...100_000_000), default: "1000000", .live,
                        "Prefixes of a family that the peer may announce, or paths with addPath."),
                    FieldSpec("warnAt", .integer(1...100_000_000), .live, "A warning in the log at so many."),
                    FieldSpec(
                        "action", .choice(["restart", "idle", "warn"]), default: "restart", .live,
                        "Beyond the limit the session ends with Cease/1, and is tried again after restartAfter, or stays down until the peer is changed; or it only warns."),
                    FieldSpec("restartAfter", .duration, default: "5m", .live, "How long the session stays down with restart."),
                ]), .live, "A limit on what the peer may make us remember."),
            FieldSpec(
                "reversePeering", .choice(["Auto", "Manual"]), default: "Auto", .live,
                "With peerSelector: whether the selected nodes peer back by themselves."),
            FieldSpec("shutdown", .string, .live, "Keep the session down, and tell the peer this text (RFC 9003)."),
        ])

    private static let ruleFields: [FieldSpec] = [
        FieldSpec("action", .choice(["Accept", "Reject"]), required: true, .softRefresh, "What becomes of a route that matches everything below."),
        FieldSpec("cidr", .cidr, .softRefresh, "A prefix to compare with, by matchOperator."),
        FieldSpec(
            "matchOperator", .choice(["Equal", "NotEqual", "In", "NotIn"]), .softRefresh, "Needed with cidr. In: the same prefix or one inside it."),
        FieldSpec(
            "prefixLength",
            .object([
                FieldSpec("min", .integer(0...128), default: "that of cidr", .softRefresh, "Shortest."),
                FieldSpec("max", .integer(0...128), default: "32 or 128", .softRefresh, "Longest."),
            ]), .softRefresh, "Lengths of the route's prefix. Needs cidr."),
        FieldSpec("source", .choice(["RemotePeers"]), .softRefresh, "Only routes that a peer announced, not our own."),
        FieldSpec("interface", .string, .softRefresh, "Only routes that leave by this interface; * at the end stands for anything."),
        FieldSpec("peerType", .choice(["eBGP", "iBGP"]), .softRefresh, "Only on sessions of this kind."),
        FieldSpec(
            "communities",
            .object([FieldSpec("values", .list(.community), required: true, .softRefresh, "One community or large community, which the route must have.")]),
            .softRefresh, "Communities of the route."),
        FieldSpec("asPathPrefix", .list(.integer(1...4_294_967_295)), .softRefresh, "AS numbers that the AS_PATH begins with."),
        FieldSpec("priority", .integer(1...65535), .softRefresh, "Kernel metric of the route, as LOCAL_PREF carries it; 1024 where it carries none."),
        FieldSpec(
            "operations",
            .list(
                .object([
                    FieldSpec(
                        "addCommunity", .object([FieldSpec("value", .community, required: true, .softRefresh, "The community.")]), .softRefresh,
                        "Adds a community."),
                    FieldSpec(
                        "prependASPath",
                        .object([
                            FieldSpec("prefix", .list(.integer(1...4_294_967_295)), required: true, .softRefresh, "At most 10 numbers, in the order of the path.")
                        ]), .softRefresh, "Prepends AS numbers."),
                    FieldSpec(
                        "setPriority", .object([FieldSpec("value", .integer(1...65535), required: true, .softRefresh, "The metric.")]), .softRefresh,
                        "Sets the kernel metric, carried by LOCAL_PREF: 2147483647 - metric."),
                ])), .softRefresh, "What changes in an accepted route; at most 10, one in each entry."),
    ]

    static let bgpFilter = KindSpec(
        kind: "BGPFilter",
        documentation:
            "Rules that routes of a peer meet, in order; the first one that matches decides. What matches none is accepted on import, and on export goes by the peer's export field. An accepting export rule lets transit pass.",
        fields: [
            FieldSpec("importV4", .list(.object(ruleFields)), .softRefresh, "IPv4 routes from the peer."),
            FieldSpec("importV6", .list(.object(ruleFields)), .softRefresh, "IPv6 routes from the peer."),
            FieldSpec("exportV4", .list(.object(ruleFields)), .softRefresh, "IPv4 routes to the peer."),
            FieldSpec("exportV6", .list(.object(ruleFields)), .softRefresh, "IPv6 routes to the peer."),
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
