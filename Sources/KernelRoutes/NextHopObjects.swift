internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

/// Next-hop objects (RTM_NEWNEXTHOP): a route that names one by id costs the kernel half the work of a route with its own next hop.
///
/// Ours bear our protocol number, so that a restarted process finds them. They are a property of how routes are written, not of what is wanted:
/// the reconciler compares next hops, which the kernel shows of such routes too.
struct NextHopObjects {
    /// Ids begin here; another's object of the same id makes the creation fail, and routes are written plain.
    private static let firstID: UInt32 = 73_000_000

    private var ids: [FIBNextHop: UInt32] = [:]
    private var highest = firstID

    var count: Int { ids.count }
    subscript(hop: FIBNextHop) -> UInt32? { ids[hop] }

    mutating func nextID() -> UInt32 {
        highest += 1
        return highest
    }

    mutating func insert(_ hop: FIBNextHop, _ id: UInt32) {
        ids[hop] = id
        highest = max(highest, id)
    }

    mutating func forget(_ hop: FIBNextHop) { ids[hop] = nil }

    /// The next hop of an operation that can go by an object: a single one with a gateway.
    @inline(__always)
    static func candidate(_ operation: FIBOperation) -> FIBNextHop? {
        switch operation {
        case .add(let route), .replace(let route):
            guard route.nextHops.count == 1, route.nextHops[0].gateway != nil else { return nil }
            return route.nextHops[0]
        case .delete: return nil
        }
    }

    // MARK: Codec

    static func encode(_ hop: FIBNextHop, id: UInt32, _ ownership: Ownership, sequence: UInt32, into buffer: UnsafeMutableRawPointer) -> Int {
        let flags = UInt16(APUS_NLM_CREATE | APUS_NLM_EXCL | APUS_NLM_ACK)
        guard let header = apus_mnl_begin(buffer, UInt16(APUS_RTM_NEWNEXTHOP), flags, sequence), let message = apus_mnl_nhmsg(header),
            let gateway = hop.gateway
        else { return 0 }
        message.pointee.nh_family = UInt8(gateway.family == .ipv4 ? AF_INET : AF_INET6)
        message.pointee.nh_protocol = ownership.routeProtocol
        if hop.isOnlink { message.pointee.nh_flags = UInt32(RTNH_F_ONLINK) }
        mnl_attr_put_u32(header, UInt16(NHA_ID), id)
        mnl_attr_put_u32(header, UInt16(NHA_OIF), UInt32(bitPattern: hop.interface.rawValue))
        let bytes = gateway.bytes
        mnl_attr_put(header, UInt16(NHA_GATEWAY), bytes.count, bytes)
        return Int(header.pointee.nlmsg_len)
    }

    static func encodeRemoval(_ id: UInt32, sequence: UInt32, into buffer: UnsafeMutableRawPointer) -> Int {
        guard let header = apus_mnl_begin(buffer, UInt16(APUS_RTM_DELNEXTHOP), UInt16(APUS_NLM_ACK), sequence), apus_mnl_nhmsg(header) != nil
        else { return 0 }
        mnl_attr_put_u32(header, UInt16(NHA_ID), id)
        return Int(header.pointee.nlmsg_len)
    }

    /// An object of ours; nil for others', for groups and for objects without a gateway.
    static func decode(_ header: UnsafePointer<nlmsghdr>, _ ownership: Ownership) -> (hop: FIBNextHop, id: UInt32)? {
        guard header.pointee.nlmsg_len >= UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<nhmsg>.size), let payload = apus_mnl_payload(header)
        else { return nil }
        let message = payload.assumingMemoryBound(to: nhmsg.self).pointee
        guard message.nh_protocol == ownership.routeProtocol else { return nil }
        var id: UInt32 = 0
        var interface: UInt32 = 0
        var gateway: IPAddress?
        forEachAttribute(header, after: MemoryLayout<nhmsg>.size) { kind, attribute in
            if kind == Int32(NHA_ID) { id = attribute.u32 }
            if kind == Int32(NHA_OIF) { interface = attribute.u32 }
            if kind == Int32(NHA_GATEWAY) { gateway = IPAddress(bytes: attribute.bytes) }
        }
        guard id != 0, let gateway else { return nil }
        let hop = FIBNextHop(
            gateway: gateway, interface: InterfaceIndex(rawValue: Int32(bitPattern: interface)),
            isOnlink: message.nh_flags & UInt32(RTNH_F_ONLINK) != 0)
        return (hop, id)
    }

    static func isOurs(_ header: UnsafePointer<nlmsghdr>) -> Bool {
        var id: UInt32 = 0
        forEachAttribute(header, after: MemoryLayout<nhmsg>.size) { kind, attribute in if kind == Int32(NHA_ID) { id = attribute.u32 } }
        return id >= firstID && id < firstID + 10_000_000
    }
}
