// MARK: BGPPeer (contract 2.3, and our own fields)
extension Schemas {
    private static let bfdInterval: ClosedRange<Duration> = .milliseconds(50) ... .seconds(10)

    package static let bgpPeer = KindSpec(
        kind: "BGPPeer",
        documentation:
            "A peer, or with peerSelector or listenRange many. Without node and nodeSelector every node has it.",
        fields: [
            FieldSpec(
                "node", .string, effect: .live, documentation: "The one node that has the peer. Excludes nodeSelector."),
            FieldSpec(
                "nodeSelector", .selector, effect: .live,
                documentation: "The nodes that have the peer, by their labels."),
            FieldSpec(
                "peerIP", .endpoint, effect: .live,
                documentation: "Address of the peer. Excludes peerSelector and listenRange."),
            FieldSpec(
                "peerSelector", .selector, effect: .live,
                documentation:
                    "The nodes that are the peers, by their labels. Address and AS come from the Node objects."),
            FieldSpec(
                "listenRange", .cidr, effect: .live,
                documentation: "In place of peerIP: every address of the range may open a session (dynamic neighbors)."),
            FieldSpec(
                "interface", .string, effect: .live,
                documentation:
                    "In place of peerIP: the neighbor on this link, found by its router advertisements; an IPv6 "
                    + "link-local session (unnumbered), with IPv6 next hops for IPv4 (RFC 8950)."
            ),
            FieldSpec(
                "localWorkloadSelector", .selector, effect: .live,
                documentation:
                    "In place of peerIP: pods of this node, by the labels of their WorkloadEndpoints. They connect to "
                    + "localWorkloadPeeringIPV4 or V6."
            ),
            FieldSpec(
                "maxDynamicPeers", .integer(1...65000), default: "1000", effect: .live,
                documentation:
                    "Dynamic neighbors of a listenRange at most. Where it is lowered those without a session are "
                    + "closed first, then the newest, with Cease/8 (RFC 4486)."
            ),
            FieldSpec(
                "asNumber", .asNumber(0...4_294_967_295), effect: .sessionReset,
                documentation:
                    "AS of the peer. Not with peerSelector, and with a Node's address in peerIP it is the Node's where it is "
                    + "missing; 0 with listenRange or interface accepts any."),
            FieldSpec(
                "localASNumber", .asNumber(1...4_294_967_295), default: "that of the node", effect: .sessionReset,
                documentation: "Our AS towards this peer."),
            FieldSpec(
                "routeReflectorClient", .bool, default: "by the Node objects", effect: .softRefresh,
                documentation: "The peer is our route reflector client (RFC 4456), whatever its Node says."),
            FieldSpec(
                "passive", .bool, default: "by the address", effect: .nextSession,
                documentation:
                    "Never open the connection. Between nodes the one whose address compares lower as text opens it."),
            FieldSpec(
                "holdTime", .duration(.zero ... .seconds(65535)), default: "90s", effect: .nextSession,
                documentation: "Hold time offered: 0s, or whole seconds from 3s (RFC 4271 4.2)."),
            FieldSpec(
                "keepaliveTime", .duration(.zero ... .seconds(65535)), default: "a third of the hold time",
                effect: .nextSession, documentation: "Time between keepalives at most."),
            FieldSpec(
                "connectRetryTime", .duration(.milliseconds(100) ... .seconds(3600)), default: "5s",
                effect: .nextSession,
                documentation:
                    "Time between attempts to connect, with jitter. While more than 1,000 peers do not answer it is "
                    + "longer in proportion for those that have not been up for a while."
            ),
            FieldSpec(
                "idleHoldTime", .duration(.milliseconds(100) ... .seconds(3600)), default: "1s", effect: .nextSession,
                documentation: "Wait after a session failed; doubled up to 60s while it goes on failing."),
            FieldSpec(
                "minRouteAdvertisementInterval", .duration(.zero ... .seconds(600)), default: "0s",
                effect: .softRefresh,
                documentation:
                    "Least time between two announcements of a prefix (RFC 4271 9.2.1.1). Withdrawals do not wait."),
            FieldSpec(
                "families", .list(.choice(of: BGPPeer.FamilyName.self)), default: "that of the address",
                effect: .sessionReset,
                documentation:
                    "Address families on the session. Without it a session carries the family of its addresses, and nodes "
                    + "that have both families have two sessions; with it they have one, which carries these. An "
                    + "unnumbered session carries both."),
            FieldSpec(
                "import", .choice(of: BGPPeer.ImportMode.self), default: "safe", effect: .softRefresh,
                documentation:
                    "safe refuses a default route, prefixes inside our own blocks and prefixes that are never routed. "
                    + "An internal peer may announce host routes inside our blocks, because pods move."
            ),
            FieldSpec(
                "export", .choice(of: BGPPeer.ExportMode.self),
                default: "pools; a reflector: own to external peers, all to internal ones",
                effect: .softRefresh,
                documentation:
                    "own announces what this node originates. pools adds what others announced inside pools and "
                    + "service ranges, but nothing inside a pool with disableBGPExport; all is transit."),
            FieldSpec(
                "reexportPrepend", .integer(0...10), default: "1; a reflector: 0", effect: .softRefresh,
                documentation:
                    "How often the AS is prepended once more to a route of another node of our AS that leaves to an "
                    + "external peer with our own next hop, so that a peer of both nodes prefers the owner. Calico's "
                    + "nodes do not (0)."),
            FieldSpec(
                "filters", .list(.string), effect: .softRefresh,
                documentation:
                    "BGPFilter objects, in order. The first rule that matches decides; a filter that does not exist "
                    + "keeps the peer down."
            ),
            FieldSpec(
                "routeTable", .integer(1...4_294_967_295), default: "254, the main table", effect: .live,
                documentation: "Kernel table of routes learned from this peer."),
            FieldSpec(
                "routeSourceAddress", .address, effect: .live,
                documentation:
                    "Source address that this host itself uses on routes of its family learned from this peer (ip "
                    + "route, src)."
            ),
            FieldSpec(
                "password", secretReference, effect: .nextSession,
                documentation:
                    "TCP MD5 password (RFC 2385). A missing secret keeps the peer down. A changed one takes effect on "
                    + "the running session, which goes on if the peer changes its own within the hold time; adding or "
                    + "removing one resets it."
            ),
            FieldSpec(
                "tcpAO",
                .object([
                    FieldSpec(
                        "secretKeyRef", secretKey, required: true, effect: .sessionReset,
                        documentation: "Where the master key is kept, at most 80 bytes."),
                    FieldSpec(
                        "sendID", .integer(0...255), required: true, effect: .sessionReset,
                        documentation: "KeyID of what we send; the peer's receiveID."),
                    FieldSpec(
                        "receiveID", .integer(0...255), required: true, effect: .sessionReset,
                        documentation: "KeyID of what the peer sends."),
                    FieldSpec(
                        "algorithm", .choice(of: BGPPeer.TCPAO.Algorithm.self), default: "hmac-sha1-96",
                        effect: .sessionReset,
                        documentation: "The message authentication code (RFC 5926)."),
                ]), effect: .sessionReset,
                documentation:
                    "TCP-AO (RFC 5925) in place of a password, with Linux 6.7 or later; on another kernel the peer is "
                    + "kept down and status says so."
            ),
            FieldSpec(
                "ttlSecurity", .integer(1...255), effect: .sessionReset,
                documentation: "GTSM (RFC 5082): the hops to the peer; packets from further away are dropped."),
            FieldSpec(
                "sourceAddress", .string, default: "UseNodeIP", effect: .sessionReset,
                documentation: "UseNodeIP, None (the kernel chooses) or one of our addresses."),
            FieldSpec(
                "maxRestartTime", .duration(.zero ... .seconds(4095)), default: "120s", effect: .nextSession,
                documentation: "How long the peer is asked to keep our routes while we restart."),
            FieldSpec(
                "longLivedStaleTime", .duration(.seconds(1) ... .seconds(16_777_215)), default: "not at all",
                effect: .nextSession,
                documentation:
                    "How long beyond that routes are kept as the last choice, ours by the peer and the peer's by us as "
                    + "long as it asks (RFC 9494)."
            ),
            FieldSpec(
                "gracefulRestart", .choice(of: BGPPeer.GracefulRestart.self), default: "on", effect: .nextSession,
                documentation: "RFC 4724: both roles, only for the peer's restart, or not at all."),
            FieldSpec(
                "extendedMessages", .bool, default: "true", effect: .nextSession,
                documentation: "Offer messages of up to 65,535 bytes (RFC 8654)."),
            FieldSpec(
                "extendedNextHop", .bool, default: "true with interface, else false", effect: .sessionReset,
                documentation: "Offer IPv6 next hops for IPv4 routes (RFC 8950)."),
            FieldSpec(
                "addPath",
                .object([
                    FieldSpec(
                        "send", .pathCount, effect: .softRefresh,
                        documentation:
                            "Paths of a prefix that the peer gets at most, or all. Beginning and ending it resets the "
                            + "session."
                    ),
                    FieldSpec(
                        "receive", .bool, default: "false", effect: .sessionReset,
                        documentation: "Take several paths of a prefix from the peer."),
                ]), default: "all both ways towards nodes, none towards others",
                effect: .sessionReset, documentation: "Several paths of a prefix (RFC 7911). An empty object: none."),
            FieldSpec(
                "role", .choice(of: BGPPeer.Role.self), effect: .sessionReset,
                documentation:
                    "What this node is to an external peer (RFC 9234): its provider, its customer and so on. Route "
                    + "leaks are refused."
            ),
            FieldSpec(
                "strictRole", .bool, default: "false", effect: .sessionReset,
                documentation: "Refuse a peer that announces no role."),
            FieldSpec(
                "bfd",
                .object([
                    FieldSpec(
                        "minTransmitInterval", .duration(bfdInterval), default: "300ms", effect: .live,
                        documentation: "Time between packets that are sent."),
                    FieldSpec(
                        "minReceiveInterval", .duration(bfdInterval), default: "300ms", effect: .live,
                        documentation: "Time between packets that can be taken."),
                    FieldSpec(
                        "detectMultiplier", .integer(2...50), default: "3", effect: .live,
                        documentation: "Packets that may be missing before the path counts as down."),
                    FieldSpec(
                        "multihop", .bool, default: "by the kernel's connected routes", effect: .live,
                        documentation:
                            "RFC 5883 in place of RFC 5881: the peer is on none of our links. In a reflector the "
                            + "Node's subnets decide."
                    ),
                ]), effect: .live,
                documentation:
                    "Bidirectional forwarding detection in asynchronous mode: the session ends as soon as the path to "
                    + "the peer fails. An empty object takes the defaults."
            ),
            FieldSpec(
                "acceptBlackhole", .bool, default: "false", effect: .softRefresh,
                documentation:
                    "Routes of the peer with the community BLACKHOLE are installed as such (RFC 7999); without it they "
                    + "are routes like any other. They never leave the AS."
            ),
            FieldSpec(
                "numAllowedLocalASNumbers", .integer(0...255), default: "0", effect: .softRefresh,
                documentation: "How often our own AS may occur in a path."),
            FieldSpec(
                "nextHopMode", .choice(of: BGPPeer.NextHopMode.self), default: "Auto", effect: .softRefresh,
                documentation:
                    "Self: external routes go to internal peers with our address as next hop. Keep: routes that are not "
                    + "our own keep their next hop towards external peers too."
            ),
            FieldSpec(
                "nextHopAddressIPv4", .address, default: "our address on the peer's link", effect: .softRefresh,
                documentation:
                    "The next hop of IPv4 routes where it is ours. Without it: our end of the session, or over an IPv6 "
                    + "session an IPv4 address of the interface by which the peer is reached, or the Node's. A peer that "
                    + "is a Node gets the Node's."
            ),
            FieldSpec(
                "nextHopAddressIPv6", .address, default: "our address on the peer's link", effect: .softRefresh,
                documentation: "The same of IPv6 routes, and of IPv4 routes with IPv6 next hops (RFC 2545 3, RFC 8950)."
            ),
            FieldSpec(
                "multihop", .bool, default: "false", effect: .softRefresh,
                documentation:
                    "Take next hops off our links from an external peer that is on a link itself, where something "
                    + "better than a default route leads to them. Without it such routes are ignored (RFC 4271 6.3), but "
                    + "for next hops that are a Node's address. Peers that are on no link of ours need it not; a "
                    + "reflector does not know links and takes all."
            ),
            FieldSpec(
                "keepOriginalNextHop", .bool, default: "false", effect: .softRefresh,
                documentation: "Calico's older name for nextHopMode: Keep, for external peers."),
            FieldSpec(
                "reachableBy", .address, effect: .live,
                documentation: "A gateway on one of our links: the agent keeps a host route to the peer through it."),
            FieldSpec(
                "maxPrefixes",
                .object([
                    FieldSpec(
                        "limit", .integer(1...100_000_000), default: "1000000", effect: .live,
                        documentation: "Prefixes of a family that the peer may announce, or paths with addPath."),
                    FieldSpec(
                        "warnAt", .integer(1...100_000_000), effect: .live,
                        documentation: "A warning in the log at so many."),
                    FieldSpec(
                        "action", .choice(of: BGPPeer.PrefixLimitAction.self), default: "restart", effect: .live,
                        documentation:
                            "Beyond the limit the session ends with Cease/1, and is tried again after restartAfter, or "
                            + "stays down until the peer is changed; or it only warns."
                    ),
                    FieldSpec(
                        "restartAfter", .duration(.seconds(1) ... .seconds(86400)), default: "5m", effect: .live,
                        documentation: "How long the session stays down with restart."),
                ]), effect: .live, documentation: "A limit on what the peer may make us remember."),
            FieldSpec(
                "reversePeering", .choice(of: BGPPeer.ReversePeering.self), default: "Auto", effect: .live,
                documentation:
                    "Whether nodes that peerSelector picks, or whose address peerIP is, peer back by themselves."),
            FieldSpec(
                "shutdown", .text(255), effect: .live,
                documentation: "Keep the session down, and send the peer this text, which may be empty (RFC 9003)."),
        ])
}
