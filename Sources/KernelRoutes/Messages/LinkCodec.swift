internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

/// RTM_NEWLINK, RTM_NEWADDR and RTM_NEWNEIGH (rtnetlink(7)) to values.
enum LinkCodec {
    static func interface(_ header: NetlinkMessage) -> Interface? {
        guard let message = header.fixedPart(as: ifinfomsg.self) else { return nil }
        // A bridge reports its ports in its own family; only the general messages count.
        guard Int32(message.ifi_family) == AF_UNSPEC else { return nil }
        var result = Interface(
            index: InterfaceIndex(rawValue: message.ifi_index), name: "",
            isUp: message.ifi_flags & UInt32(IFF_UP.rawValue) != 0,
            // IFF_LOWER_UP
            hasCarrier: message.ifi_flags & 0x10000 != 0)
        header.forEachAttribute(after: MemoryLayout<ifinfomsg>.size) { kind, attribute in
            switch kind {
            case Int32(IFLA_IFNAME): result.name = attribute.text
            case Int32(IFLA_MTU): result.mtu = attribute.u32
            case Int32(IFLA_ADDRESS): result.mac = attribute.mac
            case Int32(IFLA_IFALIAS): result.alias = attribute.text
            case Int32(IFLA_LINKINFO): result.tunnel = tunnel(attribute)
            default: break
            }
        }
        return result.name.isEmpty ? nil : result
    }

    /// IFLA_LINKINFO of the kinds that we make; nil for others.
    private static func tunnel(_ info: NetlinkAttribute) -> TunnelParameters? {
        guard let name = info.nested(IFLA_INFO_KIND)?.text, let data = info.nested(IFLA_INFO_DATA) else { return nil }
        switch name {
        case "vxlan":
            var identifier: UInt32 = 0
            var port: UInt16 = 0
            var local: IPAddress?
            var parent: UInt32 = 0
            var isLearning = false
            data.forEachNested { kind, attribute in
                switch kind {
                case Int32(IFLA_VXLAN_ID): identifier = attribute.u32
                case Int32(IFLA_VXLAN_PORT):
                    if attribute.bytes.byteCount == 2 {
                        port = UInt16(bigEndian: attribute.bytes.integer(0, as: UInt16.self))
                    }
                case Int32(IFLA_VXLAN_LOCAL), Int32(IFLA_VXLAN_LOCAL6): local = attribute.address
                case Int32(IFLA_VXLAN_LINK): parent = attribute.u32
                case Int32(IFLA_VXLAN_LEARNING): isLearning = attribute.bytes.isEmpty || attribute.bytes[0] != 0
                default: break
                }
            }
            return .vxlan(
                identifier: identifier, port: port, local: local,
                parent: InterfaceIndex(rawValue: Int32(bitPattern: parent)), isLearning: isLearning)
        case "ipip":
            var local: IPAddress?
            var remote: IPAddress?
            data.forEachNested { kind, attribute in
                if kind == Int32(APUS_IFLA_IPTUN_LOCAL) { local = attribute.address }
                if kind == Int32(APUS_IFLA_IPTUN_REMOTE) { remote = attribute.address }
            }
            return .ipip(local: local, remote: remote)
        default: return nil
        }
    }

    static func address(_ header: NetlinkMessage) -> InterfaceAddress? {
        guard let message = header.fixedPart(as: ifaddrmsg.self) else { return nil }
        var local: IPAddress?
        var peer: IPAddress?
        header.forEachAttribute(after: MemoryLayout<ifaddrmsg>.size) { kind, attribute in
            if kind == Int32(IFA_LOCAL) { local = attribute.address }
            if kind == Int32(IFA_ADDRESS) { peer = attribute.address }
        }
        guard let address = local ?? peer, Int(message.ifa_prefixlen) <= address.family.bits else { return nil }
        return InterfaceAddress(
            interface: InterfaceIndex(rawValue: Int32(bitPattern: message.ifa_index)), address: address,
            prefixLength: message.ifa_prefixlen)
    }

    /// A permanent entry of a neighbor table or of a VXLAN device's forwarding table came or went. An entry that is no
    /// longer permanent is gone for us. Nil for learned ones and for bridges'.
    static func entry(_ header: NetlinkMessage) -> KernelEvent? {
        guard let message = header.fixedPart(as: ndmsg.self) else { return nil }
        var destination: IPAddress?
        var mac: MACAddress?
        header.forEachAttribute(after: MemoryLayout<ndmsg>.size) { kind, attribute in
            if kind == Int32(NDA_DST) { destination = attribute.address }
            if kind == Int32(NDA_LLADDR) { mac = attribute.mac }
        }
        guard let destination else { return nil }
        let index = InterfaceIndex(rawValue: message.ndm_ifindex)
        let isThere = Int(header.type) == APUS_RTM_NEWNEIGH && message.ndm_state & UInt16(NUD_PERMANENT) != 0
        if Int32(message.ndm_family) == AF_BRIDGE {
            guard let mac, message.ndm_flags & UInt8(NTF_SELF) != 0 else { return nil }
            return isThere
                ? .entry(.forwarding(mac, destination), index) : .entryRemoved(.forwarding(mac, destination), index)
        }
        // What goes has no MAC address any more.
        guard isThere, let mac else { return .neighborLost(destination, index) }
        return .entry(.neighbor(destination, mac), index)
    }
}
