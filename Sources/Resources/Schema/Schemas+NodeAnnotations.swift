extension Schemas {
    package static let annotationPrefix = "projectcalico.org/"

    /// What Calico writes on the Nodes of the Kubernetes API, where that is its store.
    static let nodeAnnotations: [FieldSpec] = [
        annotation("IPv4Address", .interfaceAddress, effect: .sessionReset, documentation: "As spec.bgp.ipv4Address."),
        annotation("IPv6Address", .interfaceAddress, effect: .sessionReset, documentation: "As spec.bgp.ipv6Address."),
        annotation("ASNumber", .asNumber(1...4_294_967_295), effect: .restart, documentation: "As spec.bgp.asNumber."),
        annotation(
            "RouteReflectorClusterID", .address, effect: .restart, documentation: "As spec.bgp.routeReflectorClusterID."
        ),
        annotation("IPv4IPIPTunnelAddr", .address, effect: .live, documentation: "As spec.bgp.ipv4IPIPTunnelAddr."),
        annotation("IPv4VXLANTunnelAddr", .address, effect: .live, documentation: "As spec.ipv4VXLANTunnelAddr."),
        annotation("IPv6VXLANTunnelAddr", .address, effect: .live, documentation: "As spec.ipv6VXLANTunnelAddr."),
        annotation("VXLANTunnelMACAddr", .mac, effect: .live, documentation: "As spec.vxlanTunnelMACAddr."),
        annotation("VXLANTunnelMACAddrV6", .mac, effect: .live, documentation: "As spec.vxlanTunnelMACAddrV6."),
        .ignored(annotationPrefix + "IPv4WireguardInterfaceAddr"),
        .ignored(annotationPrefix + "IPv6WireguardInterfaceAddr"),
        .ignored(annotationPrefix + "WireguardPublicKey"), .ignored(annotationPrefix + "WireguardPublicKeyV6"),
    ]

    private static func annotation(
        _ name: String, _ type: FieldType, effect: FieldEffect, documentation: String
    ) -> FieldSpec {
        FieldSpec(annotationPrefix + name, type, effect: effect, documentation: documentation)
    }
}
