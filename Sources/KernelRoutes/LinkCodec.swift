internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

/// RTM_NEWLINK and RTM_NEWADDR (rtnetlink(7)) to values.
enum LinkCodec {
    static func interface(_ header: UnsafePointer<nlmsghdr>) -> Interface? {
        guard header.pointee.nlmsg_len >= UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<ifinfomsg>.size), let payload = apus_mnl_payload(header)
        else { return nil }
        let message = payload.assumingMemoryBound(to: ifinfomsg.self).pointee
        // A bridge tells of its ports in its own family; only the general messages count.
        guard Int32(message.ifi_family) == AF_UNSPEC else { return nil }
        var name = ""
        forEachAttribute(header, after: MemoryLayout<ifinfomsg>.size) { kind, attribute in
            if kind == Int32(IFLA_IFNAME) { name = String(decoding: attribute.bytes.prefix { $0 != 0 }, as: UTF8.self) }
        }
        guard !name.isEmpty else { return nil }
        return Interface(
            index: InterfaceIndex(rawValue: message.ifi_index), name: name, isUp: message.ifi_flags & UInt32(IFF_UP.rawValue) != 0,
            // IFF_LOWER_UP
            hasCarrier: message.ifi_flags & 0x10000 != 0)
    }

    static func address(_ header: UnsafePointer<nlmsghdr>) -> InterfaceAddress? {
        guard header.pointee.nlmsg_len >= UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<ifaddrmsg>.size), let payload = apus_mnl_payload(header)
        else { return nil }
        let message = payload.assumingMemoryBound(to: ifaddrmsg.self).pointee
        var local: IPAddress?
        var peer: IPAddress?
        forEachAttribute(header, after: MemoryLayout<ifaddrmsg>.size) { kind, attribute in
            if kind == Int32(IFA_LOCAL) { local = IPAddress(bytes: attribute.bytes) }
            if kind == Int32(IFA_ADDRESS) { peer = IPAddress(bytes: attribute.bytes) }
        }
        guard let address = local ?? peer, Int(message.ifa_prefixlen) <= address.family.bits else { return nil }
        return InterfaceAddress(
            interface: InterfaceIndex(rawValue: Int32(bitPattern: message.ifa_index)), address: address, prefixLength: message.ifa_prefixlen)
    }
}
