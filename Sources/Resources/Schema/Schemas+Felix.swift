extension Schemas {
    static let routeLocalnetRefusal =
        "every service that listens on 127.0.0.1 would be open to pods, because Apus has no nftables table yet that "
        + "drops their packets to it"
    private static let mtu = FieldType.integer(0...65535)

    /// Felix has some 150 fields; those that are not about routes are none of our business, and a manifest with them is
    /// accepted as it is.
    static let felixConfiguration = KindSpec(
        kind: "FelixConfiguration",
        documentation:
            "What Felix's users know about routes and devices, in the object named default; of one node in "
            + "node.NAME, whose fields win. Fields that are not listed are accepted without effect.",
        fields: [
            FieldSpec(
                "interfacePrefix", .string, default: "cali", effect: .live,
                documentation: "How the names of pods' interfaces begin; several with commas."),
            FieldSpec(
                "deviceRouteProtocol", .integer(0...255), default: "73, or 3 with --program remote", effect: .restart,
                documentation:
                    "Protocol number of our routes; with --program remote that of the host routes that Felix writes. "
                    + "Our own is at least 5, because 0 to 4 are the kernel's and the administrator's."
            ),
            FieldSpec(
                "deviceRouteSourceAddress", .address, effect: .live,
                documentation: "Source address that this host itself uses towards other nodes' pods."),
            FieldSpec("deviceRouteSourceAddressIPv6", .address, effect: .live, documentation: "The same for IPv6."),
            FieldSpec(
                "ipv4ElevatedRoutePriority", .integer(1...65535), default: "512", effect: .live,
                documentation: "Metric of a pod that is being moved here (live migration)."),
            FieldSpec(
                "ipv6ElevatedRoutePriority", .integer(1...65535), default: "512", effect: .live,
                documentation: "The same for IPv6."),
            FieldSpec(
                "liveMigrationRouteConvergenceTime", .duration(.zero ... .seconds(86400)), default: "30s",
                effect: .live,
                documentation:
                    "How long that metric stays after the endpoint is declared Normal again, so that all nodes have "
                    + "followed."
            ),
            FieldSpec(
                "ipForwarding", .choice(of: FelixConfiguration.Switch.self), default: "Enabled", effect: .restart,
                documentation: "Whether the agent switches forwarding on."),
            FieldSpec(
                "routeRefreshInterval", .duration(.seconds(1) ... .seconds(86400)), default: "90s", effect: .live,
                documentation:
                    "Time between two audits: the kernel's routes are read in slices, and what no notification reported "
                    + "is put right."
            ),
            FieldSpec(
                "workloadSourceSpoofing", .choice(of: FelixConfiguration.SourceSpoofing.self), default: "Disabled",
                effect: .live,
                documentation: "Any: pods may send with any source address (rp_filter 0 on their interfaces)."),
            FieldSpec(
                "routeLocalnet", .choice(of: FelixConfiguration.Switch.self), default: "Disabled", effect: .live,
                documentation: "Whether pods may send to the loopback addresses of their node (route_localnet of their "
                    + "interfaces). Enabled is refused: \(Schemas.routeLocalnetRefusal)."
            ),
            FieldSpec(
                "vxlanVNI", .integer(1...16_777_215), default: "4096", effect: .live,
                documentation: "VXLAN network identifier."),
            FieldSpec(
                "vxlanPort", .integer(1...65535), default: "4789", effect: .live, documentation: "UDP port of VXLAN."),
            FieldSpec(
                "vxlanMTU", mtu, default: "0: that of the host's interfaces, less 50", effect: .live,
                documentation: "MTU of vxlan.calico."),
            FieldSpec(
                "vxlanMTUV6", mtu, default: "0: that of the host's interfaces, less 70", effect: .live,
                documentation: "MTU of vxlan-v6.calico."),
            FieldSpec(
                "mtuIfacePattern", .string, default: "Ethernet, WLAN, WWAN and InfiniBand by their names",
                effect: .live,
                documentation:
                    "Regular expression of the interfaces that lead to other hosts: the smallest of their MTUs is the "
                    + "host's. Where none matches, that of the interface with the node's address."
            ),
            .refused(
                "routeSyncDisabled",
                "the agent is there to write routes; --dry-run writes none, --program remote leaves the pods' to others"
            ),
            .ignored("removeExternalRoutes", "Routes of others are never removed."),
            .ignored(
                "programClusterRoutes",
                "What the agent leaves to Felix is said by BGPConfiguration's field of the name, and by --program."),
            FieldSpec(
                "ipipMTU", mtu, default: "0: that of the host's interfaces, less 20", effect: .live,
                documentation: "MTU of tunl0."),
        ], acceptsOtherFields: true)
}
