internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

/// Requests about tunnel devices and their entries (rtnetlink(7)) from values.
enum TunnelCodec {
    /// Longer than any message of this file.
    static let maximumSize = 512

    /// One request with NLM_F_ACK; 0 bytes where the buffer is refused.
    static func encode(_ operation: TunnelOperation, sequence: UInt32, into buffer: UnsafeMutableRawPointer) -> Int {
        switch operation {
        case .create(let device): unsafe create(device, sequence: sequence, buffer: buffer)
        case .remove(_, let index):
            unsafe link(APUS_RTM_DELLINK, flags: 0, index: index, sequence: sequence, buffer: buffer) { _, _ in }
        case .adjust(let device, let index):
            unsafe link(APUS_RTM_NEWLINK, flags: 0, index: index, sequence: sequence, buffer: buffer) {
                header, message in
                unsafe message.pointee.ifi_flags = UInt32(IFF_UP.rawValue)
                unsafe message.pointee.ifi_change = UInt32(IFF_UP.rawValue)
                unsafe fill(header, device)
            }
        case .retire(_, let index):
            unsafe link(APUS_RTM_NEWLINK, flags: 0, index: index, sequence: sequence, buffer: buffer) {
                header, message in
                unsafe message.pointee.ifi_change = UInt32(IFF_UP.rawValue)
                unsafe mnl_attr_put(header, UInt16(IFLA_IFALIAS), 1, [UInt8(0)])
            }
        case .disown(_, let index):
            unsafe link(APUS_RTM_NEWLINK, flags: 0, index: index, sequence: sequence, buffer: buffer) {
                header, _ in
                unsafe mnl_attr_put(header, UInt16(IFLA_IFALIAS), 1, [UInt8(0)])
            }
        case .addAddress(let address, let index):
            unsafe self.address(
                APUS_RTM_NEWADDR, flags: APUS_NLM_CREATE | APUS_NLM_REPLACE, address: address, index: index,
                sequence: sequence, buffer: buffer)
        case .removeAddress(let address, let index):
            unsafe self.address(
                APUS_RTM_DELADDR, flags: 0, address: address, index: index, sequence: sequence, buffer: buffer)
        case .addEntry(let entry, let index):
            unsafe self.entry(
                APUS_RTM_NEWNEIGH, flags: APUS_NLM_CREATE | APUS_NLM_REPLACE, entry: entry, index: index,
                sequence: sequence, buffer: buffer)
        case .removeEntry(let entry, let index):
            unsafe self.entry(
                APUS_RTM_DELNEIGH, flags: 0, entry: entry, index: index, sequence: sequence, buffer: buffer)
        }
    }

    private static func link(
        _ type: Int, flags: Int, index: InterfaceIndex, sequence: UInt32, buffer: UnsafeMutableRawPointer,
        _ body: (UnsafeMutablePointer<nlmsghdr>, UnsafeMutablePointer<ifinfomsg>) -> Void
    ) -> Int {
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(type), UInt16(flags | APUS_NLM_ACK), sequence),
            let message = unsafe apus_mnl_ifinfomsg(header)
        else { return 0 }
        unsafe message.pointee.ifi_family = UInt8(AF_UNSPEC)
        unsafe message.pointee.ifi_index = index.rawValue
        unsafe body(header, message)
        return unsafe Int(header.pointee.nlmsg_len)
    }

    private static func create(_ device: TunnelDevice, sequence: UInt32, buffer: UnsafeMutableRawPointer) -> Int {
        unsafe link(
            APUS_RTM_NEWLINK, flags: APUS_NLM_CREATE | APUS_NLM_EXCL, index: InterfaceIndex(rawValue: 0),
            sequence: sequence, buffer: buffer
        ) {
            header, _ in
            unsafe mnl_attr_put_strz(header, UInt16(IFLA_IFNAME), device.kind.deviceName)
            unsafe fill(header, device)
            let info = unsafe mnl_attr_nest_start(header, UInt16(IFLA_LINKINFO))
            unsafe mnl_attr_put_strz(header, UInt16(IFLA_INFO_KIND), device.kind.isVXLAN ? "vxlan" : "ipip")
            let data = unsafe mnl_attr_nest_start(header, UInt16(IFLA_INFO_DATA))
            if device.kind.isVXLAN {
                unsafe mnl_attr_put_u32(header, UInt16(IFLA_VXLAN_ID), device.identifier)
                unsafe mnl_attr_put_u16(header, UInt16(IFLA_VXLAN_PORT), device.port.bigEndian)
                unsafe mnl_attr_put_u32(header, UInt16(IFLA_VXLAN_LINK), UInt32(bitPattern: device.parent.rawValue))
                // Learning off: the entries are ours alone, and no frame is flooded.
                unsafe mnl_attr_put_u8(header, UInt16(IFLA_VXLAN_LEARNING), 0)
                let bytes = device.local.bytes
                unsafe mnl_attr_put(
                    header, UInt16(device.local.family == .ipv4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6), bytes.count,
                    bytes)
            }
            unsafe mnl_attr_nest_end(header, data)
            unsafe mnl_attr_nest_end(header, info)
        }
    }

    private static func fill(_ header: UnsafeMutablePointer<nlmsghdr>, _ device: TunnelDevice) {
        unsafe mnl_attr_put_u32(header, UInt16(IFLA_MTU), device.mtu)
        unsafe mnl_attr_put_str(header, UInt16(IFLA_IFALIAS), TunnelDevice.alias)
        if let mac = device.mac {
            let bytes = mac.bytes
            unsafe mnl_attr_put(header, UInt16(IFLA_ADDRESS), bytes.count, bytes)
        }
    }

    private static func address(
        _ type: Int, flags: Int, address: IPAddress, index: InterfaceIndex, sequence: UInt32,
        buffer: UnsafeMutableRawPointer
    ) -> Int {
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(type), UInt16(flags | APUS_NLM_ACK), sequence),
            let message = unsafe apus_mnl_ifaddrmsg(header)
        else { return 0 }
        unsafe message.pointee.ifa_family = UInt8(address.family == .ipv4 ? AF_INET : AF_INET6)
        unsafe message.pointee.ifa_prefixlen = UInt8(address.family.bits)
        unsafe message.pointee.ifa_index = UInt32(bitPattern: index.rawValue)
        // Nobody else has it: no duplicate address detection (RFC 4862 5.4).
        if address.family == .ipv6 { unsafe message.pointee.ifa_flags = UInt8(IFA_F_NODAD) }
        let bytes = address.bytes
        unsafe mnl_attr_put(header, UInt16(IFA_LOCAL), bytes.count, bytes)
        unsafe mnl_attr_put(header, UInt16(IFA_ADDRESS), bytes.count, bytes)
        return unsafe Int(header.pointee.nlmsg_len)
    }

    private static func entry(
        _ type: Int, flags: Int, entry: TunnelEntry, index: InterfaceIndex, sequence: UInt32,
        buffer: UnsafeMutableRawPointer
    ) -> Int {
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(type), UInt16(flags | APUS_NLM_ACK), sequence),
            let message = unsafe apus_mnl_ndmsg(header)
        else { return 0 }
        unsafe message.pointee.ndm_ifindex = index.rawValue
        unsafe message.pointee.ndm_state = UInt16(NUD_PERMANENT)
        let (destination, mac): (IPAddress, MACAddress)
        switch entry {
        case .neighbor(let address, let target):
            unsafe message.pointee.ndm_family = UInt8(address.family == .ipv4 ? AF_INET : AF_INET6)
            (destination, mac) = (address, target)
        case .forwarding(let target, let address):
            unsafe message.pointee.ndm_family = UInt8(AF_BRIDGE)
            unsafe message.pointee.ndm_flags = UInt8(NTF_SELF)
            unsafe message.pointee.ndm_state |= UInt16(NUD_NOARP)
            (destination, mac) = (address, target)
        }
        let bytes = destination.bytes
        unsafe mnl_attr_put(header, UInt16(NDA_DST), bytes.count, bytes)
        let macBytes = mac.bytes
        unsafe mnl_attr_put(header, UInt16(NDA_LLADDR), macBytes.count, macBytes)
        return unsafe Int(header.pointee.nlmsg_len)
    }
}
