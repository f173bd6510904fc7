internal import CLibMNL
import FIB
internal import Glibc
import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

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

    /// `way`: of a deletion only table and metric count. `objectID`: the next-hop object to name in place of the next
    /// hops themselves; 0 for none.
    static func encode(
        _ entry: FIBBatch.Entry, _ attributes: RouteAttributes, ownership: Ownership, sequence: UInt32,
        objectID: UInt32 = 0,
        into buffer: UnsafeMutableRawPointer
    ) -> Int {
        switch entry.action {
        case .add:
            return unsafe encode(
                entry.prefix, attributes, ownership: ownership, flags: UInt16(APUS_NLM_CREATE | APUS_NLM_EXCL),
                sequence: sequence, objectID: objectID, buffer: buffer
            )
        case .replace:
            return unsafe encode(
                entry.prefix, attributes, ownership: ownership, flags: UInt16(APUS_NLM_CREATE | APUS_NLM_REPLACE),
                sequence: sequence, objectID: objectID,
                buffer: buffer)
        case .delete:
            guard let header = unsafe apus_mnl_begin(buffer, UInt16(APUS_RTM_DELROUTE), 0, sequence) else { return 0 }
            let message = unsafe apus_mnl_rtmsg(header)
            unsafe fill(header, message, prefix: entry.prefix, table: attributes.table, ownership: ownership)
            unsafe message?.pointee.rtm_scope = UInt8(RT_SCOPE_NOWHERE.rawValue)
            unsafe put(header, RTA_DST, address: entry.prefix.address)
            unsafe mnl_attr_put_u32(header, UInt16(RTA_PRIORITY.rawValue), attributes.metric)
            return unsafe Int(header.pointee.nlmsg_len)
        }
    }

    private static func encode(
        _ prefix: Prefix, _ attributes: RouteAttributes, ownership: Ownership, flags: UInt16, sequence: UInt32,
        objectID: UInt32,
        buffer: UnsafeMutableRawPointer
    ) -> Int {
        guard let header = unsafe apus_mnl_begin(buffer, UInt16(APUS_RTM_NEWROUTE), flags, sequence),
            let message = unsafe apus_mnl_rtmsg(header)
        else {
            return 0
        }
        unsafe fill(header, message, prefix: prefix, table: attributes.table, ownership: ownership)
        unsafe message.pointee.rtm_type = UInt8(attributes.kind == .blackhole ? RTN_BLACKHOLE : RTN_UNICAST)
        let isOnLink = attributes.kind == .unicast && attributes.nextHops.allSatisfy { $0.gateway == nil }
        unsafe message.pointee.rtm_scope = UInt8(
            (isOnLink && prefix.family == .ipv4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
        unsafe put(header, RTA_DST, address: prefix.address)
        unsafe mnl_attr_put_u32(header, UInt16(RTA_PRIORITY.rawValue), attributes.metric)
        if let source = attributes.source { unsafe put(header, RTA_PREFSRC, address: source) }
        if objectID != 0 {
            unsafe mnl_attr_put_u32(header, UInt16(RTA_NH_ID.rawValue), objectID)
        } else if attributes.nextHops.count == 1 {
            let hop = attributes.nextHops[0]
            if hop.isOnlink { unsafe message.pointee.rtm_flags |= UInt32(RTNH_F_ONLINK) }
            if let gateway = hop.gateway { unsafe put(header, gateway, family: prefix.family) }
            unsafe mnl_attr_put_u32(header, UInt16(RTA_OIF.rawValue), UInt32(bitPattern: hop.interface.rawValue))
        } else if attributes.nextHops.count > 1 {
            let nest = unsafe mnl_attr_nest_start(header, UInt16(RTA_MULTIPATH.rawValue))
            for hop in attributes.nextHops {
                let entry = unsafe apus_mnl_nexthop_begin(header)
                unsafe entry?.pointee.rtnh_ifindex = hop.interface.rawValue
                if hop.isOnlink { unsafe entry?.pointee.rtnh_flags = UInt8(RTNH_F_ONLINK) }
                if let gateway = hop.gateway { unsafe put(header, gateway, family: prefix.family) }
                unsafe apus_mnl_nexthop_end(header, entry)
            }
            unsafe mnl_attr_nest_end(header, nest)
        }
        return unsafe Int(header.pointee.nlmsg_len)
    }

    private static func fill(
        _ header: UnsafeMutablePointer<nlmsghdr>, _ message: UnsafeMutablePointer<rtmsg>?, prefix: Prefix,
        table: UInt32, ownership: Ownership
    ) {
        unsafe message?.pointee.rtm_family = UInt8(prefix.family == .ipv4 ? AF_INET : AF_INET6)
        unsafe message?.pointee.rtm_dst_len = prefix.length
        unsafe message?.pointee.rtm_protocol = ownership.routeProtocol
        // A number that the byte cannot hold stands in an attribute.
        unsafe message?.pointee.rtm_table = table < 256 ? UInt8(table) : UInt8(RT_TABLE_COMPAT.rawValue)
        if table > 255 { unsafe mnl_attr_put_u32(header, UInt16(RTA_TABLE.rawValue), table) }
    }

    /// A gateway; of another family than the route's as RTA_VIA: `struct rtvia`, the family and then the address (RFC
    /// 8950 in the kernel's terms).
    private static func put(_ header: UnsafeMutablePointer<nlmsghdr>, _ gateway: IPAddress, family: AddressFamily) {
        guard gateway.family != family else { return unsafe put(header, RTA_GATEWAY, address: gateway) }
        let number = UInt16(gateway.family == .ipv4 ? AF_INET : AF_INET6)
        let bytes = [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)] + gateway.bytes
        unsafe mnl_attr_put(header, UInt16(RTA_VIA.rawValue), bytes.count, bytes)
    }

    static func put(_ header: UnsafeMutablePointer<nlmsghdr>, _ type: rtattr_type_t, address: IPAddress) {
        if address.family == .ipv4 {
            unsafe mnl_attr_put_u32(header, UInt16(type.rawValue), address.v4.bigEndian)
        } else {
            var words = (address.high.bigEndian, address.low.bigEndian)
            unsafe mnl_attr_put(header, UInt16(type.rawValue), 16, &words)
        }
    }

    // MARK: Decode

    /// Nil for what is none of our business: others' routes in other tables, clones of the cache, local and broadcast
    /// routes.
    static func decode(_ header: NetlinkMessage, _ ownership: Ownership) -> Decoded? {
        guard let message = header.fixedPart(as: rtmsg.self) else { return nil }
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
        header.forEachAttribute(after: MemoryLayout<rtmsg>.size) { kind, attribute in
            switch kind {
            case Int32(RTA_TABLE.rawValue): table = attribute.u32
            case Int32(RTA_DST.rawValue):
                if let value = attribute.address, value.family == family { destination = value }
            case Int32(RTA_GATEWAY.rawValue): gateway = attribute.address
            case Int32(RTA_VIA.rawValue):
                if let address = attribute.via { gateway = address }
            case Int32(RTA_OIF.rawValue): interface = Int32(bitPattern: attribute.u32)
            case Int32(RTA_PRIORITY.rawValue): metric = attribute.u32
            case Int32(RTA_PREFSRC.rawValue): source = attribute.address
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
            return .own(
                FIBRoute(prefix: prefix, kind: kind, metric: metric, nextHops: hops, table: table, source: source))
        }
        return .foreign(
            ForeignRoute(prefix: prefix, metric: metric, routeProtocol: message.rtm_protocol, nextHops: hops))
    }

    /// RTA_NH_ID of a route message; nil without.
    static func objectID(_ header: NetlinkMessage) -> UInt32? {
        var result: UInt32?
        header.forEachAttribute(after: MemoryLayout<rtmsg>.size) { kind, attribute in
            if kind == Int32(RTA_NH_ID.rawValue) { result = attribute.u32 }
        }
        return result
    }

    /// RTA_MULTIPATH: `struct rtnexthop` (length 2, flags 1, weight 1, interface 4), each with attributes behind it up
    /// to its length.
    private static func multipath(_ attribute: NetlinkAttribute) -> [FIBNextHop] {
        var hops: [FIBNextHop] = []
        let bytes = attribute.bytes
        let head = MemoryLayout<rtnexthop>.size
        var offset = 0
        while bytes.byteCount - offset >= head {
            let length = Int(bytes.integer(offset, as: UInt16.self))
            guard length >= head, length <= bytes.byteCount - offset else { break }
            var gateway: IPAddress?
            NetlinkAttribute.forEach(bytes.part(offset + head, length - head)) { kind, inner in
                if kind == Int32(RTA_GATEWAY.rawValue) { gateway = inner.address }
                if kind == Int32(RTA_VIA.rawValue), let address = inner.via { gateway = address }
            }
            hops.append(
                FIBNextHop(
                    gateway: gateway, interface: InterfaceIndex(rawValue: bytes.integer(offset + 4, as: Int32.self)),
                    isOnlink: Int32(bytes[offset + 2]) & RTNH_F_ONLINK != 0))
            offset += NetlinkMessage.aligned(length)
        }
        return hops.sorted()
    }
}
