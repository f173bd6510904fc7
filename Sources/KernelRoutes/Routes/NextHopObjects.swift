internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

/// Next-hop objects (RTM_NEWNEXTHOP): a route that names one by id costs the kernel half the work of a route with its
/// own next hop, and a dead path is taken out of a group with one message, however many routes name it.
///
/// Ours bear our protocol number, so that a restarted process finds them. They are a property of how routes are
/// written, not of what is wanted: the reconciler compares next hops, which the kernel shows of such routes too.
struct NextHopObjects {
    /// Ids begin here; another's object of the same id makes the creation fail, and routes are written plain.
    private static let firstID: UInt32 = 73_000_000

    private var ids: [FIBNextHop: UInt32] = [:]
    /// Groups (ECMP) by their members, sorted.
    private(set) var groups: [[FIBNextHop]: UInt32] = [:]
    private var highest = firstID

    var count: Int { ids.count + groups.count }
    subscript(hop: FIBNextHop) -> UInt32? { ids[hop] }
    subscript(group: [FIBNextHop]) -> UInt32? { groups[group] }

    mutating func nextID() -> UInt32 {
        highest += 1
        return highest
    }

    mutating func insert(_ hop: FIBNextHop, _ id: UInt32) {
        ids[hop] = id
        highest = max(highest, id)
    }

    mutating func insert(_ group: [FIBNextHop], _ id: UInt32) {
        groups[group] = id
        highest = max(highest, id)
    }

    /// A way's objects: its group, if it has several next hops, and those of its next hops.
    mutating func forget(_ hops: [FIBNextHop]) {
        groups[hops] = nil
        for hop in hops { ids[hop] = nil }
    }

    /// A group has other members from now on. Where there is one with these already, the old one stays known by its
    /// routes alone.
    mutating func change(_ group: [FIBNextHop], to members: [FIBNextHop]) {
        guard let id = groups.removeValue(forKey: group) else { return }
        if members.count > 1, groups[members] == nil { groups[members] = id }
    }

    // MARK: Codec

    /// A group of objects, each with the same weight. `replaces`: it is there and gets these members.
    static func encodeGroup(
        _ members: [UInt32], id: UInt32, replaces: Bool, _ ownership: Ownership, sequence: UInt32,
        into buffer: UnsafeMutableRawPointer
    ) -> Int {
        let flags = UInt16(APUS_NLM_CREATE | (replaces ? APUS_NLM_REPLACE : APUS_NLM_EXCL) | APUS_NLM_ACK)
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(APUS_RTM_NEWNEXTHOP), flags, sequence),
            let message = unsafe apus_mnl_nhmsg(header)
        else { return 0 }
        unsafe message.pointee.nh_family = UInt8(AF_UNSPEC)
        unsafe message.pointee.nh_protocol = ownership.routeProtocol
        unsafe mnl_attr_put_u32(header, UInt16(NHA_ID), id)
        // struct nexthop_grp: id, weight less one, two reserved bytes.
        let entries = members.map { nexthop_grp(id: $0, weight: 0, resvd1: 0, resvd2: 0) }
        unsafe mnl_attr_put(header, UInt16(NHA_GROUP), entries.count * MemoryLayout<nexthop_grp>.stride, entries)
        return unsafe Int(header.pointee.nlmsg_len)
    }

    static func encode(
        _ hop: FIBNextHop, id: UInt32, _ ownership: Ownership, sequence: UInt32, into buffer: UnsafeMutableRawPointer
    ) -> Int {
        let flags = UInt16(APUS_NLM_CREATE | APUS_NLM_EXCL | APUS_NLM_ACK)
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(APUS_RTM_NEWNEXTHOP), flags, sequence),
            let message = unsafe apus_mnl_nhmsg(header),
            let gateway = hop.gateway
        else { return 0 }
        unsafe message.pointee.nh_family = UInt8(gateway.family == .ipv4 ? AF_INET : AF_INET6)
        unsafe message.pointee.nh_protocol = ownership.routeProtocol
        if hop.isOnlink { unsafe message.pointee.nh_flags = UInt32(RTNH_F_ONLINK) }
        unsafe mnl_attr_put_u32(header, UInt16(NHA_ID), id)
        unsafe mnl_attr_put_u32(header, UInt16(NHA_OIF), UInt32(bitPattern: hop.interface.rawValue))
        let bytes = gateway.bytes
        unsafe mnl_attr_put(header, UInt16(NHA_GATEWAY), bytes.count, bytes)
        return unsafe Int(header.pointee.nlmsg_len)
    }

    static func encodeRemoval(_ id: UInt32, sequence: UInt32, into buffer: UnsafeMutableRawPointer) -> Int {
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(APUS_RTM_DELNEXTHOP), UInt16(APUS_NLM_ACK), sequence),
            unsafe apus_mnl_nhmsg(header) != nil
        else { return 0 }
        unsafe mnl_attr_put_u32(header, UInt16(NHA_ID), id)
        return unsafe Int(header.pointee.nlmsg_len)
    }

    enum Decoded {
        case hop(FIBNextHop, id: UInt32)
        case group([UInt32], id: UInt32)
    }

    /// An object of ours; nil for others' and for objects without a gateway.
    static func decode(_ header: NetlinkMessage, _ ownership: Ownership) -> Decoded? {
        guard let message = header.fixedPart(as: nhmsg.self) else { return nil }
        guard message.nh_protocol == ownership.routeProtocol else { return nil }
        var id: UInt32 = 0
        var interface: UInt32 = 0
        var gateway: IPAddress?
        var members: [UInt32] = []
        header.forEachAttribute(after: MemoryLayout<nhmsg>.size) { kind, attribute in
            switch kind {
            case Int32(NHA_ID): id = attribute.u32
            case Int32(NHA_OIF): interface = attribute.u32
            case Int32(NHA_GATEWAY): gateway = attribute.address
            case Int32(NHA_GROUP):
                let bytes = attribute.bytes
                for offset in stride(
                    from: 0, to: bytes.byteCount - MemoryLayout<nexthop_grp>.size + 1,
                    by: MemoryLayout<nexthop_grp>.stride)
                {
                    members.append(bytes.integer(offset, as: UInt32.self))
                }
            default: break
            }
        }
        guard id != 0 else { return nil }
        if !members.isEmpty { return .group(members, id: id) }
        guard let gateway else { return nil }
        let hop = FIBNextHop(
            gateway: gateway, interface: InterfaceIndex(rawValue: Int32(bitPattern: interface)),
            isOnlink: message.nh_flags & UInt32(RTNH_F_ONLINK) != 0)
        return .hop(hop, id: id)
    }

    static func isOurs(_ header: NetlinkMessage) -> Bool {
        var id: UInt32 = 0
        header.forEachAttribute(after: MemoryLayout<nhmsg>.size) { kind, attribute in
            if kind == Int32(NHA_ID) { id = attribute.u32 }
        }
        return id >= firstID && id < firstID + 10_000_000
    }
}
