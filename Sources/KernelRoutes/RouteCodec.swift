internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

/// RTM_NEWROUTE and RTM_DELROUTE (rtnetlink(7)) from and to values.
enum RouteCodec {
    /// A route message decoded: ours, or somebody else's.
    enum Decoded {
        case own(FIBRoute)
        case foreign(ForeignRoute)
    }

    /// The longest message that `encode` writes for a route with this many next hops.
    static func maximumSize(nextHops: Int) -> Int { 128 + 64 * max(1, nextHops) }

    // MARK: Encode

    /// `way`: of a deletion only table and metric count. `objectID`: the next-hop object to name in place of the next hops themselves; 0 for none.
    static func encode(
        _ entry: FIBBatch.Entry, _ way: RouteWay, _ ownership: Ownership, sequence: UInt32, objectID: UInt32 = 0, into buffer: UnsafeMutableRawPointer
    ) -> Int {
        switch entry.action {
        case .add: return encode(entry.prefix, way, ownership, UInt16(APUS_NLM_CREATE | APUS_NLM_EXCL), sequence, objectID, buffer)
        case .replace: return encode(entry.prefix, way, ownership, UInt16(APUS_NLM_CREATE | APUS_NLM_REPLACE), sequence, objectID, buffer)
        case .delete:
            guard let header = apus_mnl_begin(buffer, UInt16(APUS_RTM_DELROUTE), 0, sequence) else { return 0 }
            let message = apus_mnl_rtmsg(header)
            fill(header, message, entry.prefix, way.table, ownership)
            message?.pointee.rtm_scope = UInt8(RT_SCOPE_NOWHERE.rawValue)
            put(header, RTA_DST, entry.prefix.address)
            mnl_attr_put_u32(header, UInt16(RTA_PRIORITY.rawValue), way.metric)
            return Int(header.pointee.nlmsg_len)
        }
    }

    private static func encode(
        _ prefix: Prefix, _ way: RouteWay, _ ownership: Ownership, _ flags: UInt16, _ sequence: UInt32, _ objectID: UInt32,
        _ buffer: UnsafeMutableRawPointer
    ) -> Int {
        guard let header = apus_mnl_begin(buffer, UInt16(APUS_RTM_NEWROUTE), flags, sequence), let message = apus_mnl_rtmsg(header) else {
            return 0
        }
        fill(header, message, prefix, way.table, ownership)
        message.pointee.rtm_type = UInt8(way.kind == .blackhole ? RTN_BLACKHOLE : RTN_UNICAST)
        let isOnLink = way.kind == .unicast && way.nextHops.allSatisfy { $0.gateway == nil }
        message.pointee.rtm_scope = UInt8((isOnLink && prefix.family == .ipv4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
        put(header, RTA_DST, prefix.address)
        mnl_attr_put_u32(header, UInt16(RTA_PRIORITY.rawValue), way.metric)
        if let source = way.source { put(header, RTA_PREFSRC, source) }
        if objectID != 0 {
            mnl_attr_put_u32(header, UInt16(RTA_NH_ID.rawValue), objectID)
        } else if way.nextHops.count == 1 {
            let hop = way.nextHops[0]
            if hop.isOnlink { message.pointee.rtm_flags |= UInt32(RTNH_F_ONLINK) }
            if let gateway = hop.gateway { put(header, gateway, prefix.family) }
            mnl_attr_put_u32(header, UInt16(RTA_OIF.rawValue), UInt32(bitPattern: hop.interface.rawValue))
        } else if way.nextHops.count > 1 {
            let nest = mnl_attr_nest_start(header, UInt16(RTA_MULTIPATH.rawValue))
            for hop in way.nextHops {
                let entry = apus_mnl_nexthop_begin(header)
                entry?.pointee.rtnh_ifindex = hop.interface.rawValue
                if hop.isOnlink { entry?.pointee.rtnh_flags = UInt8(RTNH_F_ONLINK) }
                if let gateway = hop.gateway { put(header, gateway, prefix.family) }
                apus_mnl_nexthop_end(header, entry)
            }
            mnl_attr_nest_end(header, nest)
        }
        return Int(header.pointee.nlmsg_len)
    }

    private static func fill(
        _ header: UnsafeMutablePointer<nlmsghdr>, _ message: UnsafeMutablePointer<rtmsg>?, _ prefix: Prefix, _ table: UInt32, _ ownership: Ownership
    ) {
        message?.pointee.rtm_family = UInt8(prefix.family == .ipv4 ? AF_INET : AF_INET6)
        message?.pointee.rtm_dst_len = prefix.length
        message?.pointee.rtm_protocol = ownership.routeProtocol
        // A number that the octet cannot hold stands in an attribute.
        message?.pointee.rtm_table = table < 256 ? UInt8(table) : UInt8(RT_TABLE_COMPAT.rawValue)
        if table > 255 { mnl_attr_put_u32(header, UInt16(RTA_TABLE.rawValue), table) }
    }

    /// A gateway; of another family than the route's as RTA_VIA: `struct rtvia`, the family and then the address (RFC 8950 in the kernel's terms).
    private static func put(_ header: UnsafeMutablePointer<nlmsghdr>, _ gateway: IPAddress, _ family: AddressFamily) {
        guard gateway.family != family else { return put(header, RTA_GATEWAY, gateway) }
        let number = UInt16(gateway.family == .ipv4 ? AF_INET : AF_INET6)
        let bytes = [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)] + gateway.bytes
        mnl_attr_put(header, UInt16(RTA_VIA.rawValue), bytes.count, bytes)
    }

    static func put(_ header: UnsafeMutablePointer<nlmsghdr>, _ type: rtattr_type_t, _ address: IPAddress) {
        if address.family == .ipv4 {
            mnl_attr_put_u32(header, UInt16(type.rawValue), address.v4.bigEndian)
        } else {
            var words = (address.high.bigEndian, address.low.bigEndian)
            mnl_attr_put(header, UInt16(type.rawValue), 16, &words)
        }
    }

    // MARK: Decode

    /// Nil for what is none of our business: others' routes in other tables, clones of the cache, local and broadcast routes.
    static func decode(_ header: UnsafePointer<nlmsghdr>, _ ownership: Ownership) -> Decoded? {
        guard let message = fixedPart(header, as: rtmsg.self) else { return nil }
        let family: AddressFamily
        switch Int32(message.rtm_family) {
        case AF_INET: family = .ipv4
        case AF_INET6: family = .ipv6
        default: return nil
        }
        guard message.rtm_flags & UInt32(RTM_F_CLONED) == 0, Int(message.rtm_dst_len) <= family.bits else { return nil }
        let type = Int(message.rtm_type)
        guard [RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW].contains(type) else { return nil }

        var table = UInt32(message.rtm_table)
        var destination = IPAddress.any(family)
        var gateway: IPAddress?
        var interface: Int32 = 0
        var metric: UInt32 = 0
        var source: IPAddress?
        var hops: [FIBNextHop] = []
        forEachAttribute(header, after: MemoryLayout<rtmsg>.size) { kind, attribute in
            switch kind {
            case Int32(RTA_TABLE.rawValue): table = attribute.u32
            case Int32(RTA_DST.rawValue): if let value = address(attribute.bytes, family) { destination = value }
            case Int32(RTA_GATEWAY.rawValue): gateway = IPAddress(bytes: attribute.bytes)
            case Int32(RTA_VIA.rawValue):
                // struct rtvia: family of two octets, then the address (RFC 8950 in the kernel's terms).
                if attribute.bytes.count > 2 { gateway = IPAddress(bytes: attribute.bytes[2...]) }
            case Int32(RTA_OIF.rawValue): interface = Int32(bitPattern: attribute.u32)
            case Int32(RTA_PRIORITY.rawValue): metric = attribute.u32
            case Int32(RTA_PREFSRC.rawValue): source = IPAddress(bytes: attribute.bytes)
            case Int32(RTA_MULTIPATH.rawValue): hops = multipath(attribute)
            default: break
            }
        }
        let isOwn = ownership.owns(routeProtocol: message.rtm_protocol)
        guard isOwn || table == Ownership.mainTable else { return nil }
        let prefix = Prefix(destination, length: Int(message.rtm_dst_len))
        if hops.isEmpty, type == RTN_UNICAST, interface != 0 {
            hops = [
                FIBNextHop(
                    gateway: gateway, interface: InterfaceIndex(rawValue: interface),
                    isOnlink: message.rtm_flags & UInt32(RTNH_F_ONLINK) != 0)
            ]
        }
        if isOwn {
            let kind: FIBRouteKind = type == RTN_BLACKHOLE ? .blackhole : .unicast
            return .own(FIBRoute(prefix: prefix, kind: kind, metric: metric, nextHops: hops, table: table, source: source))
        }
        return .foreign(ForeignRoute(prefix: prefix, metric: metric, routeProtocol: message.rtm_protocol, nextHops: hops))
    }

    /// RTA_NH_ID of a route message; nil without.
    static func objectID(_ header: UnsafePointer<nlmsghdr>) -> UInt32? {
        var result: UInt32?
        forEachAttribute(header, after: MemoryLayout<rtmsg>.size) { kind, attribute in
            if kind == Int32(RTA_NH_ID.rawValue) { result = attribute.u32 }
        }
        return result
    }

    private static func address(_ bytes: UnsafeRawBufferPointer, _ family: AddressFamily) -> IPAddress? {
        bytes.count == family.octets ? IPAddress(bytes: bytes) : nil
    }

    private static func multipath(_ attribute: UnsafePointer<nlattr>) -> [FIBNextHop] {
        var hops: [FIBNextHop] = []
        let bytes = attribute.bytes
        guard var entry = bytes.baseAddress?.assumingMemoryBound(to: rtnexthop.self), let start = bytes.baseAddress else { return [] }
        let end = start + bytes.count
        while apus_rtnexthop_ok(entry, Int32(end - UnsafeRawPointer(entry))) != 0 {
            var gateway: IPAddress?
            let entryEnd = UnsafeRawPointer(entry) + Int(entry.pointee.rtnh_len)
            if var inner = apus_rtnexthop_attrs(entry) {
                while apus_mnl_subattr_ok(inner, entryEnd) != 0 {
                    let kind = Int32(mnl_attr_get_type(inner))
                    if kind == Int32(RTA_GATEWAY.rawValue) { gateway = IPAddress(bytes: inner.bytes) }
                    if kind == Int32(RTA_VIA.rawValue), inner.bytes.count > 2 { gateway = IPAddress(bytes: inner.bytes[2...]) }
                    guard let next = mnl_attr_next(inner) else { break }
                    inner = UnsafePointer(next)
                }
            }
            hops.append(
                FIBNextHop(
                    gateway: gateway, interface: InterfaceIndex(rawValue: entry.pointee.rtnh_ifindex),
                    isOnlink: Int32(entry.pointee.rtnh_flags) & RTNH_F_ONLINK != 0))
            guard let next = apus_rtnexthop_next(entry) else { break }
            entry = next
        }
        return hops.sorted()
    }
}
