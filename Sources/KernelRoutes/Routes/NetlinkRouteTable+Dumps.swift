internal import CLibMNL
package import FIB
internal import Glibc
package import LinuxIO
package import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

/// Lists of the kernel: links, addresses, routes, neighbors, next-hop objects.
extension NetlinkRouteTable {
    // MARK: Dumps

    /// One interface as it is now; nil where there is none of the name.
    package mutating func link(named name: String) -> Interface? {
        let wanted = sequence
        sequence &+= 1
        let length = unsafe buffer.encode { base in
            guard let header = unsafe apus_mnl_begin(base, UInt16(APUS_RTM_GETLINK), 0, wanted),
                let message = unsafe apus_mnl_ifinfomsg(header)
            else { return 0 }
            unsafe message.pointee.ifi_family = UInt8(AF_UNSPEC)
            unsafe mnl_attr_put_strz(header, UInt16(IFLA_IFNAME), name)
            return unsafe Int(header.pointee.nlmsg_len)
        }
        guard length > 0, socket.send(buffer.bytes(length)) == 0 else { return nil }
        var result: Interface?
        _ = socket.readAnswers(&answers) { message in
            guard message.sequence == wanted else { return false }
            if Int32(message.type) == Int32(APUS_RTM_NEWLINK) { result = LinkCodec.interface(message) }
            return true
        }
        return result
    }

    /// Permanent entries of a tunnel device: of its family's neighbor table, and of its forwarding table.
    package mutating func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(SystemError) -> Set<
        TunnelEntry
    > {
        var result: Set<TunnelEntry> = []
        for number in [family == .ipv4 ? AF_INET : AF_INET6, AF_BRIDGE] {
            _ = try readDump(UInt16(APUS_RTM_GETNEIGH), family: number) { header in
                if case .entry(let entry, index)? = LinkCodec.entry(header) { result.insert(entry) }
            }
        }
        return result
    }

    /// Reads links, addresses and routes whole. A dump that the kernel calls inconsistent (NLM_F_DUMP_INTR) is read
    /// again; `restart` says that what was reported of routes so far is void.
    package mutating func dump(restart: () -> Void = {}, _ body: (KernelEvent) -> Void) throws(SystemError) {
        for type in [APUS_RTM_GETLINK, APUS_RTM_GETADDR] {
            var events: [KernelEvent] = []
            try dumpOne(UInt16(type), restart: { events = [] }, { events.append($0) })
            for event in events { body(event) }
        }
        try dumpRoutes(restart: restart, body)
    }

    /// Routes are handed over as they are read: a large table is never in memory twice.
    package mutating func dumpRoutes(restart: () -> Void = {}, _ body: (KernelEvent) -> Void) throws(SystemError) {
        try dumpOne(UInt16(APUS_RTM_GETROUTE), restart: restart, body)
    }

    /// Finds next-hop objects of ours, also those of an earlier process. Those that no route names go; a kernel without
    /// objects has none. Only for the table that makes objects, because another one's may be about to be used. Returns
    /// how many went.
    @discardableResult
    package mutating func adoptObjects() throws(SystemError) -> Int {
        var found: [NextHopObjects.Decoded] = []
        let ownership = ownership
        _ = try readDump(UInt16(APUS_RTM_GETNEXTHOP)) { header in
            if let object = NextHopObjects.decode(header, ownership) { found.append(object) }
        }
        var inUse: Set<UInt32> = []
        var removed = 0
        if !found.isEmpty {
            _ = try readDump(UInt16(APUS_RTM_GETROUTE)) { header in
                if let id = RouteCodec.objectID(header) { inUse.insert(id) }
            }
        }
        objects = NextHopObjects()
        // Groups first: what they name is in use, and an object goes only when no group has it.
        for case .group(let members, let id) in found {
            if inUse.contains(id) { inUse.formUnion(members) } else { removed += removeObject(id) }
        }
        var hops: [UInt32: FIBNextHop] = [:]
        for case .hop(let hop, let id) in found {
            guard inUse.contains(id) else {
                removed += removeObject(id)
                continue
            }
            hops[id] = hop
            objects.insert(hop, id)
        }
        for case .group(let members, let id) in found where inUse.contains(id) {
            let known = members.compactMap { hops[$0] }
            if known.count == members.count { objects.insert(known.sorted(), id) }
        }
        return removed
    }

    /// How many went: one, or none where the kernel refuses.
    private mutating func removeObject(_ id: UInt32) -> Int {
        unsafe request { unsafe NextHopObjects.encodeRemoval(id, sequence: $1, into: $0) } == 0 ? 1 : 0
    }

    private mutating func dumpOne(_ type: UInt16, restart: () -> Void, _ body: (KernelEvent) -> Void)
        throws(SystemError)
    {
        let ownership = ownership
        for _ in 0..<10 {
            if try readDump(type, { header in if let event = decodeEvent(header, ownership) { body(event) } }) {
                return
            }
            restart()
        }
        throw SystemError(code: EINTR, operation: "netlink dump kept changing")
    }

    private mutating func readDump(_ type: UInt16, family: Int32 = AF_UNSPEC, _ body: (NetlinkMessage) -> Void)
        throws(SystemError) -> Bool
    {
        let wanted = sequence
        sequence &+= 1
        let length = unsafe buffer.encode { base in
            guard let header = unsafe apus_mnl_begin(base, type, UInt16(APUS_NLM_DUMP), wanted) else { return 0 }
            switch Int(type) {
            case APUS_RTM_GETNEXTHOP: _ = unsafe apus_mnl_nhmsg(header)
            case APUS_RTM_GETNEIGH: unsafe apus_mnl_ndmsg(header)?.pointee.ndm_family = UInt8(family)
            default: unsafe apus_mnl_rtgenmsg(header, UInt8(family))
            }
            return unsafe Int(header.pointee.nlmsg_len)
        }
        guard length > 0 else { throw SystemError(code: ENOMEM, operation: "netlink dump") }
        let error = socket.send(buffer.bytes(length))
        guard error == 0 else { throw SystemError(code: error, operation: "netlink dump") }
        var isConsistent = true
        while true {
            let interruption = socket.readAnswers(&answers) { message in
                guard message.sequence == wanted else { return false }
                if message.flags & UInt16(APUS_NLM_DUMP_INTR) != 0 { isConsistent = false }
                if message.endsDump { return true }
                body(message)
                return false
            }
            switch interruption {
            case nil, .messages: return isConsistent
            case .overflow: isConsistent = false
            case .empty: throw SystemError(code: ETIMEDOUT, operation: "netlink dump")
            case .failed(let code): throw SystemError(code: code, operation: "netlink dump")
            }
        }
    }
}

/// A message of any kind that we follow.
func decodeEvent(_ header: NetlinkMessage, _ ownership: Ownership) -> KernelEvent? {
    switch Int32(header.type) {
    case Int32(APUS_RTM_NEWLINK): return LinkCodec.interface(header).map { .link($0) }
    case Int32(APUS_RTM_DELLINK): return LinkCodec.interface(header).map { .linkRemoved($0.index) }
    case Int32(APUS_RTM_NEWADDR): return LinkCodec.address(header).map { .address($0) }
    case Int32(APUS_RTM_DELADDR): return LinkCodec.address(header).map { .addressRemoved($0) }
    case Int32(APUS_RTM_NEWNEIGH), Int32(APUS_RTM_DELNEIGH): return LinkCodec.entry(header)
    case Int32(APUS_RTM_DELNEXTHOP): return NextHopObjects.isOurs(header) ? .overflow : nil
    case Int32(APUS_RTM_NEWROUTE):
        switch RouteCodec.decode(header, ownership) {
        case .own(let route): return .ownRoute(route)
        case .foreign(let route): return .foreignRoute(route, replaces: header.flags & UInt16(APUS_NLM_REPLACE) != 0)
        case nil: return nil
        }
    case Int32(APUS_RTM_DELROUTE):
        switch RouteCodec.decode(header, ownership) {
        case .own(let route): return .ownRouteRemoved(route)
        case .foreign(let route): return .foreignRouteRemoved(route)
        case nil: return nil
        }
    default: return nil
    }
}
