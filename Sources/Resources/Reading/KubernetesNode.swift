import NetTypes

/// A Node of the Kubernetes API. With that as its store, Calico keeps what it knows of a node in annotations of the
/// `v1` object, `projectcalico.org/IPv4Address` and others, and there is no Node of projectcalico.org/v3.
enum KubernetesNode {
    static let apiVersion = "v1"

    /// Checks the annotations, and takes from them what `spec` does not say. An empty annotation stands for none, as
    /// for Calico. Internal addresses come from `status`, which the cluster writes and nobody declares.
    static func complete(_ node: inout NodeResource, from object: FieldReader) {
        node.internalAddresses = (object.object("status")?.objects("addresses") ?? []).compactMap {
            $0.string("type") == "InternalIP" ? $0.string("address").flatMap { IPAddress($0) } : nil
        }
        guard
            let annotations = object.object("metadata")?.object("annotations")?.filled(
                withPrefix: Schemas.annotationPrefix)
        else { return }
        annotations.validate(Schemas.nodeAnnotations, acceptsOthers: true)
        func name(_ short: String) -> String { Schemas.annotationPrefix + short }
        func address(_ short: String, _ family: AddressFamily) -> IPAddress? {
            ResourceParser.address(annotations, name(short), family: family)
        }
        node.ipv4 = node.ipv4 ?? ResourceParser.interfaceAddress(annotations, name("IPv4Address"), family: .ipv4)
        node.ipv6 = node.ipv6 ?? ResourceParser.interfaceAddress(annotations, name("IPv6Address"), family: .ipv6)
        node.asNumber = node.asNumber ?? annotations.asNumber(name("ASNumber"))
        node.routeReflectorClusterID =
            node.routeReflectorClusterID ?? ResourceParser.identifier(annotations, name("RouteReflectorClusterID"))
        node.ipipTunnelAddress = node.ipipTunnelAddress ?? address("IPv4IPIPTunnelAddr", .ipv4)
        for (family, (tunnel, mac)) in [
            (AddressFamily.ipv4, ("IPv4VXLANTunnelAddr", "VXLANTunnelMACAddr")),
            (.ipv6, ("IPv6VXLANTunnelAddr", "VXLANTunnelMACAddrV6")),
        ] {
            node.vxlanTunnelAddresses[family.index] = node.vxlanTunnelAddresses[family.index] ?? address(tunnel, family)
            node.vxlanTunnelMACs[family.index] =
                node.vxlanTunnelMACs[family.index] ?? annotations.mac(name(mac))
        }
    }
}
