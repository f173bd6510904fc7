import Crypto
package import FIB
package import NetTypes
package import Resources

/// What the resources say of tunnels: which pools are encapsulated, this node's devices, and the other nodes as ends of
/// tunnels.
package struct TunnelSettings: Sendable, Hashable {
    /// A device of this node; its parent interface and MTU follow from the host's interfaces.
    package struct Device: Sendable, Hashable {
        package var kind: TunnelKind
        package var local: IPAddress
        package var address: IPAddress?
        package var mac: MACAddress?
        /// 0: worked out.
        package var mtu: UInt32
        package init(kind: TunnelKind, local: IPAddress, address: IPAddress?, mac: MACAddress?, mtu: UInt32) {
            self.kind = kind
            self.local = local
            self.address = address
            self.mac = mac
            self.mtu = mtu
        }
    }

    package var encapsulation = Encapsulation()
    package var devices: [Device] = []
    package var identifier: UInt32 = 4096
    package var port: UInt16 = 4789
    /// Regular expression of the interfaces whose MTU counts; nil for the default.
    package var mtuInterfacePattern: String?

    package init() {}

    /// `pools`: those whose routes are ours to write.
    package init(_ resources: ResourceSet, node name: String, pools: [IPPool]) {
        let felix = resources.felix(of: name)
        identifier = felix.vxlanIdentifier ?? identifier
        port = felix.vxlanPort ?? port
        mtuInterfacePattern = felix.mtuInterfacePattern
        let nodes = resources.nodes
        encapsulation.pools = pools.compactMap { pool in
            guard let wanted = pool.encapsulation else { return nil }
            let kind: TunnelKind = wanted.isVXLAN ? (pool.cidr.family == .ipv4 ? .vxlanIPv4 : .vxlanIPv6) : .ipip
            return Encapsulation.Pool(cidr: pool.cidr, kind: kind, isCrossSubnet: wanted.isCrossSubnet)
        }
        encapsulation.subnets = [nodes[name]?.ipv4?.subnet, nodes[name]?.ipv6?.subnet]
        for kind in Set(encapsulation.pools.map(\.kind)).sorted(by: { $0.rawValue < $1.rawValue }) {
            guard let own = nodes[name], let local = own.address(kind.family) else { continue }
            let mtu = kind == .ipip ? felix.ipipMTU : felix.vxlanMTU[kind.family.index]
            devices.append(
                Device(
                    kind: kind, local: local, address: TunnelSettings.tunnelAddress(own, kind),
                    mac: kind.isVXLAN ? TunnelSettings.mac(own, name, kind: kind) : nil, mtu: mtu ?? 0))
            var ends: [IPAddress: TunnelEndpoint] = [:]
            for (other, node) in nodes where other != name {
                guard let underlay = node.address(kind.family) else { continue }
                let gateway = kind.isVXLAN ? TunnelSettings.tunnelAddress(node, kind) ?? underlay : underlay
                ends[underlay] = TunnelEndpoint(
                    underlay: underlay, gateway: gateway,
                    mac: kind.isVXLAN ? TunnelSettings.mac(node, other, kind: kind) : nil)
            }
            encapsulation.endpoints[kind] = ends
        }
    }

    private static func tunnelAddress(_ node: NodeResource, _ kind: TunnelKind) -> IPAddress? {
        kind == .ipip ? node.ipipTunnelAddress : node.vxlanTunnelAddresses[kind.family.index]
    }

    /// The contract's rule, so that nodes with Felix know ours and we know theirs: 66 and the first five bytes of the
    /// name's SHA-1.
    private static func mac(_ node: NodeResource, _ name: String, kind: TunnelKind) -> MACAddress? {
        node.vxlanTunnelMACs[kind.family.index]
            ?? MACAddress(bytes: [0x66] + Digest.sha1(Array((name + (kind == .vxlanIPv6 ? "-v6" : "")).utf8)).prefix(5))
    }
}
