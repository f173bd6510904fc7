internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

/// Requests about tunnel devices and their entries (rtnetlink(7)) from values.
enum TunnelCodec {
    /// Longer than any message of this file.
    static let maximumSize = 512

    /// One request with NLM_F_ACK; 0 octets where the buffer is refused.
    static func encode(_ operation: TunnelOperation, sequence: UInt32, into buffer: UnsafeMutableRawPointer) -> Int {
        switch operation {
        case .create(let device): create(device, sequence, buffer)
        case .remove(_, let index): link(APUS_RTM_DELLINK, 0, index, sequence, buffer) { _, _ in }
        case .adjust(let device, let index):
            link(APUS_RTM_NEWLINK, 0, index, sequence, buffer) { header, message in
                message.pointee.ifi_flags = UInt32(IFF_UP.rawValue)
                message.pointee.ifi_change = UInt32(IFF_UP.rawValue)
                fill(header, device)
            }
        case .retire(_, let index):
            link(APUS_RTM_NEWLINK, 0, index, sequence, buffer) { header, message in
                message.pointee.ifi_change = UInt32(IFF_UP.rawValue)
                mnl_attr_put(header, UInt16(IFLA_IFALIAS), 1, [UInt8(0)])
            }
        case .addAddress(let address, let index): self.address(APUS_RTM_NEWADDR, APUS_NLM_CREATE | APUS_NLM_REPLACE, address, index, sequence, buffer)
        case .removeAddress(let address, let index): self.address(APUS_RTM_DELADDR, 0, address, index, sequence, buffer)
        case .addEntry(let entry, let index): self.entry(APUS_RTM_NEWNEIGH, APUS_NLM_CREATE | APUS_NLM_REPLACE, entry, index, sequence, buffer)
        case .removeEntry(let entry, let index): self.entry(APUS_RTM_DELNEIGH, 0, entry, index, sequence, buffer)
        }
    }

    private static func link(
        _ type: Int, _ flags: Int, _ index: InterfaceIndex, _ sequence: UInt32, _ buffer: UnsafeMutableRawPointer,
        _ body: (UnsafeMutablePointer<nlmsghdr>, UnsafeMutablePointer<ifinfomsg>) -> Void
    ) -> Int {
        guard let header = apus_mnl_begin(buffer, UInt16(type), UInt16(flags | APUS_NLM_ACK), sequence), let message = apus_mnl_ifinfomsg(header) else { return 0 }
        message.pointee.ifi_family = UInt8(AF_UNSPEC)
        message.pointee.ifi_index = index.rawValue
        body(header, message)
        return Int(header.pointee.nlmsg_len)
    }

    private static func create(_ device: TunnelDevice, _ sequence: UInt32, _ buffer: UnsafeMutableRawPointer) -> Int {
        link(APUS_RTM_NEWLINK, APUS_NLM_CREATE | APUS_NLM_EXCL, InterfaceIndex(rawValue: 0), sequence, buffer) { header, _ in
            mnl_attr_put_strz(header, UInt16(IFLA_IFNAME), device.kind.deviceName)
            fill(header, device)
            let info = mnl_attr_nest_start(header, UInt16(IFLA_LINKINFO))
            mnl_attr_put_strz(header, UInt16(IFLA_INFO_KIND), device.kind.isVXLAN ? "vxlan" : "ipip")
            let data = mnl_attr_nest_start(header, UInt16(IFLA_INFO_DATA))
            if device.kind.isVXLAN {
                mnl_attr_put_u32(header, UInt16(IFLA_VXLAN_ID), device.identifier)
                mnl_attr_put_u16(header, UInt16(IFLA_VXLAN_PORT), device.port.bigEndian)
                mnl_attr_put_u32(header, UInt16(IFLA_VXLAN_LINK), UInt32(bitPattern: device.parent.rawValue))
                // Learning off: the entries are ours alone, and no frame is flooded.
                mnl_attr_put_u8(header, UInt16(IFLA_VXLAN_LEARNING), 0)
                let bytes = device.local.bytes
                mnl_attr_put(header, UInt16(device.local.family == .ipv4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6), bytes.count, bytes)
            }
            mnl_attr_nest_end(header, data)
            mnl_attr_nest_end(header, info)
        }
    }

    private static func fill(_ header: UnsafeMutablePointer<nlmsghdr>, _ device: TunnelDevice) {
        mnl_attr_put_u32(header, UInt16(IFLA_MTU), device.mtu)
        mnl_attr_put_str(header, UInt16(IFLA_IFALIAS), TunnelDevice.alias)
        if let mac = device.mac {
            let bytes = mac.bytes
            mnl_attr_put(header, UInt16(IFLA_ADDRESS), bytes.count, bytes)
        }
    }

    private static func address(
        _ type: Int, _ flags: Int, _ address: IPAddress, _ index: InterfaceIndex, _ sequence: UInt32, _ buffer: UnsafeMutableRawPointer
    ) -> Int {
        guard let header = apus_mnl_begin(buffer, UInt16(type), UInt16(flags | APUS_NLM_ACK), sequence), let message = apus_mnl_ifaddrmsg(header) else { return 0 }
        message.pointee.ifa_family = UInt8(address.family == .ipv4 ? AF_INET : AF_INET6)
        message.pointee.ifa_prefixlen = UInt8(address.family.bits)
        message.pointee.ifa_index = UInt32(bitPattern: index.rawValue)
        // Nobody else has it: no duplicate address detection (RFC 4862 5.4).
        if address.family == .ipv6 { message.pointee.ifa_flags = UInt8(IFA_F_NODAD) }
        let bytes = address.bytes
        mnl_attr_put(header, UInt16(IFA_LOCAL), bytes.count, bytes)
        mnl_attr_put(header, UInt16(IFA_ADDRESS), bytes.count, bytes)
        return Int(header.pointee.nlmsg_len)
    }

    private static func entry(
        _ type: Int, _ flags: Int, _ entry: TunnelEntry, _ index: InterfaceIndex, _ sequence: UInt32, _ buffer: UnsafeMutableRawPointer
    ) -> Int {
        guard let header = apus_mnl_begin(buffer, UInt16(type), UInt16(flags | APUS_NLM_ACK), sequence), let message = apus_mnl_ndmsg(header) else { return 0 }
        message.pointee.ndm_ifindex = index.rawValue
        message.pointee.ndm_state = UInt16(NUD_PERMANENT)
        let (destination, mac): (IPAddress, MACAddress)
        switch entry {
        case .neighbour(let address, let target):
            message.pointee.ndm_family = UInt8(address.family == .ipv4 ? AF_INET : AF_INET6)
            (destination, mac) = (address, target)
        case .forwarding(let target, let address):
            message.pointee.ndm_family = UInt8(AF_BRIDGE)
            message.pointee.ndm_flags = UInt8(NTF_SELF)
            message.pointee.ndm_state |= UInt16(NUD_NOARP)
            (destination, mac) = (address, target)
        }
        let bytes = destination.bytes
        mnl_attr_put(header, UInt16(NDA_DST), bytes.count, bytes)
        let octets = mac.bytes
        mnl_attr_put(header, UInt16(NDA_LLADDR), octets.count, octets)
        return Int(header.pointee.nlmsg_len)
    }
}
