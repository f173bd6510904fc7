package import NetTypes

/// How packets to a pool's addresses travel from node to node (contract 2.7, 'Encapsulation').
package enum TunnelKind: UInt8, Sendable, Hashable, CaseIterable {
    /// RFC 2003: IPv4 in IPv4, one device for all destinations.
    case ipip
    /// RFC 7348 over IPv4, for IPv4 pods.
    case vxlanIPv4
    /// RFC 7348 over IPv6, for IPv6 pods.
    case vxlanIPv6

    /// The names that Calico's users know.
    package var deviceName: String {
        switch self {
        case .ipip: "tunl0"
        case .vxlanIPv4: "vxlan.calico"
        case .vxlanIPv6: "vxlan-v6.calico"
        }
    }
    package var family: AddressFamily { self == .vxlanIPv6 ? .ipv6 : .ipv4 }
    package var isVXLAN: Bool { self != .ipip }
    /// Bytes that the outer headers take from the MTU.
    package var overhead: UInt32 {
        switch self {
        case .ipip: 20
        case .vxlanIPv4: 50
        case .vxlanIPv6: 70
        }
    }
    /// As the resources write it.
    package var name: String { self == .ipip ? "IPIP" : "VXLAN" }
}

/// What the kernel shows of a tunnel device beside name and flags.
package enum TunnelParameters: Sendable, Hashable {
    case ipip(local: IPAddress?, remote: IPAddress?)
    /// `parent`: the interface by which outer packets leave; 0 for none.
    case vxlan(identifier: UInt32, port: UInt16, local: IPAddress?, parent: InterfaceIndex, isLearning: Bool)
}

/// A tunnel device as it is wanted.
package struct TunnelDevice: Sendable, Hashable {
    package var kind: TunnelKind
    /// This node's address: source of the outer packets.
    package var local: IPAddress
    /// This node's address inside the tunnel, as a host address on the device; nil for none.
    package var address: IPAddress?
    /// VXLAN only.
    package var mac: MACAddress?
    package var parent: InterfaceIndex
    /// VNI, 24 bits.
    package var identifier: UInt32
    /// UDP port.
    package var port: UInt16
    package var mtu: UInt32

    package init(
        kind: TunnelKind, local: IPAddress, address: IPAddress?, mac: MACAddress?, parent: InterfaceIndex,
        identifier: UInt32 = 4096, port: UInt16 = 4789, mtu: UInt32
    ) {
        self.kind = kind
        self.local = local
        self.address = address
        self.mac = mac
        self.parent = parent
        self.identifier = identifier
        self.port = port
        self.mtu = mtu
    }

    /// What of it cannot be changed on a device that exists.
    package var parameters: TunnelParameters {
        kind == .ipip
            ? .ipip(local: nil, remote: nil)
            : .vxlan(identifier: identifier, port: port, local: local, parent: parent, isLearning: false)
    }
    /// IFLA_IFALIAS of devices that are ours (ARCHITECTURE, hard rule 5).
    package static let alias = "apus"
}

/// The other end of a tunnel: a node, as routes name it.
package struct TunnelEndpoint: Sendable, Hashable {
    /// Where outer packets go: the node's address.
    package var underlay: IPAddress
    /// Gateway of the routes: the node's address inside the tunnel, or its address where it has none inside. For IPIP
    /// the underlay address.
    package var gateway: IPAddress
    /// VXLAN only.
    package var mac: MACAddress?

    package init(underlay: IPAddress, gateway: IPAddress, mac: MACAddress?) {
        self.underlay = underlay
        self.gateway = gateway
        self.mac = mac
    }
}

/// An entry that a VXLAN device needs for an endpoint, because nothing is learned.
package enum TunnelEntry: Sendable, Hashable, Comparable {
    /// Which MAC address a gateway has (ip neigh).
    case neighbor(IPAddress, MACAddress)
    /// To which node frames for a MAC address go (bridge fdb).
    case forwarding(MACAddress, IPAddress)
}

/// One request to the kernel about a tunnel device.
package enum TunnelOperation: Sendable, Hashable, CustomStringConvertible {
    case create(TunnelDevice)
    /// Another's or an older device under the name: it goes, so that ours can be made.
    case remove(TunnelKind, InterfaceIndex)
    /// MTU, MAC address, alias and up, where one of them differs.
    case adjust(TunnelDevice, InterfaceIndex)
    case addAddress(IPAddress, InterfaceIndex)
    case removeAddress(IPAddress, InterfaceIndex)
    /// The one-to-many device of the kernel's IPIP module cannot be removed: it is set down.
    case retire(TunnelKind, InterfaceIndex)
    /// It is another's from now on: our alias goes.
    case disown(TunnelKind, InterfaceIndex)
    case addEntry(TunnelEntry, InterfaceIndex)
    case removeEntry(TunnelEntry, InterfaceIndex)

    /// The device that it makes or changes itself, as opposed to its addresses and entries; nil for those.
    package var deviceName: String? {
        switch self {
        case .create(let device), .adjust(let device, _): device.kind.deviceName
        case .retire(let kind, _), .disown(let kind, _): kind.deviceName
        case .remove, .addAddress, .removeAddress, .addEntry, .removeEntry: nil
        }
    }

    package var description: String {
        switch self {
        case .create(let device):
            "add device \(device.kind.deviceName) from "
                + "\(device.local)\(device.kind.isVXLAN ? " id \(device.identifier) port \(device.port)" : "") mtu "
                + "\(device.mtu)"
        case .remove(let kind, _): "remove device \(kind.deviceName)"
        case .adjust(let device, _):
            "set \(device.kind.deviceName) up, mtu \(device.mtu)\(device.mac.map { ", address \($0)" } ?? "")"
        case .addAddress(let address, let index): "add address \(address) on interface \(index)"
        case .removeAddress(let address, let index): "remove address \(address) from interface \(index)"
        case .retire(let kind, _): "set \(kind.deviceName) down"
        case .disown(let kind, _): "leave \(kind.deviceName) to others"
        case .addEntry(.neighbor(let address, let mac), let index):
            "add neighbor \(address) \(mac) on interface \(index)"
        case .addEntry(.forwarding(let mac, let address), let index):
            "add forwarding entry \(mac) to \(address) on interface \(index)"
        case .removeEntry(.neighbor(let address, let mac), let index):
            "remove neighbor \(address) \(mac) on interface \(index)"
        case .removeEntry(.forwarding(let mac, let address), let index):
            "remove forwarding entry \(mac) to \(address) on interface \(index)"
        }
    }
}
