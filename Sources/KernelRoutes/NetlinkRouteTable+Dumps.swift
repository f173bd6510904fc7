internal import CLibMNL
package import FIB
internal import Glibc
package import LinuxIO
package import NetTypes

/// Lists of the kernel: links, addresses, routes, neighbours, next-hop objects.
extension NetlinkRouteTable {
    // MARK: Dumps

    /// One interface as it is now; nil where there is none of the name.
    package mutating func link(named name: String) -> Interface? {
        guard let base = buffer.baseAddress, let header = apus_mnl_begin(base, UInt16(APUS_RTM_GETLINK), 0, sequence),
            let message = apus_mnl_ifinfomsg(header)
        else { return nil }
        message.pointee.ifi_family = UInt8(AF_UNSPEC)
        mnl_attr_put_strz(header, UInt16(IFLA_IFNAME), name)
        let wanted = sequence
        sequence &+= 1
        guard socket.send(base, Int(header.pointee.nlmsg_len)) == 0 else { return nil }
        var result: Interface?
        var isDone = false
        while !isDone {
            switch socket.receive(answers) {
            case .messages(let count):
                forEachMessage(answers, count) { header in
                    guard header.pointee.nlmsg_seq == wanted else { return true }
                    isDone = true
                    if Int32(header.pointee.nlmsg_type) == Int32(APUS_RTM_NEWLINK) { result = LinkCodec.interface(header) }
                    return true
                }
            case .empty, .overflow, .failed: return nil
            }
        }
        return result
    }

    /// Permanent entries of a tunnel device: of its family's neighbour table, and of its forwarding table.
    package mutating func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(SystemError) -> Set<TunnelEntry> {
        var result: Set<TunnelEntry> = []
        for number in [family == .ipv4 ? AF_INET : AF_INET6, AF_BRIDGE] {
            _ = try readDump(UInt16(APUS_RTM_GETNEIGH), family: number) { header in
                if case .entry(let entry, index)? = LinkCodec.entry(header) { result.insert(entry) }
            }
        }
        return result
    }

    /// Reads links, addresses and routes whole. A dump that the kernel calls inconsistent (NLM_F_DUMP_INTR) is read again; `restart` says that what
    /// was told of routes so far is void.
    package mutating func dump(restart: () -> Void = {}, _ body: (KernelEvent) -> Void) throws(SystemError) {
        for type in [APUS_RTM_GETLINK, APUS_RTM_GETADDR] {
            var events: [KernelEvent] = []
            try dumpOne(UInt16(type), restart: { events = [] }, { events.append($0) })
            for event in events { body(event) }
        }
        try dumpRoutes(restart: restart, body)
    }

    /// Routes are told as they are read: a large table is never in memory twice.
    package mutating func dumpRoutes(restart: () -> Void = {}, _ body: (KernelEvent) -> Void) throws(SystemError) {
        try dumpOne(UInt16(APUS_RTM_GETROUTE), restart: restart, body)
    }

    /// Finds next-hop objects of ours, also those of an earlier process. Those that no route names go; a kernel without objects has none. Only for the
    /// table that makes objects, because another one's may be about to be used.
    package mutating func adoptObjects() throws(SystemError) {
        var found: [NextHopObjects.Decoded] = []
        let ownership = ownership
        _ = try readDump(UInt16(APUS_RTM_GETNEXTHOP)) { header in
            if let object = NextHopObjects.decode(header, ownership) { found.append(object) }
        }
        var inUse: Set<UInt32> = []
        if !found.isEmpty {
            _ = try readDump(UInt16(APUS_RTM_GETROUTE)) { header in
                if let id = RouteCodec.objectID(header) { inUse.insert(id) }
            }
        }
        objects = NextHopObjects()
        // Groups first: what they name is in use, and an object goes only when no group has it.
        for case .group(let members, let id) in found {
            if inUse.contains(id) { inUse.formUnion(members) } else { removeObject(id) }
        }
        var hops: [UInt32: FIBNextHop] = [:]
        for case .hop(let hop, let id) in found {
            guard inUse.contains(id) else {
                removeObject(id)
                continue
            }
            hops[id] = hop
            objects.insert(hop, id)
        }
        for case .group(let members, let id) in found where inUse.contains(id) {
            let known = members.compactMap { hops[$0] }
            if known.count == members.count { objects.insert(known.sorted(), id) }
        }
    }

    private mutating func removeObject(_ id: UInt32) {
        guard let base = buffer.baseAddress else { return }
        _ = request(base, NextHopObjects.encodeRemoval(id, sequence: sequence, into: base))
    }

    private mutating func dumpOne(_ type: UInt16, restart: () -> Void, _ body: (KernelEvent) -> Void) throws(SystemError) {
        let ownership = ownership
        for _ in 0..<10 {
            if try readDump(type, { header in if let event = decodeEvent(header, ownership) { body(event) } }) { return }
            restart()
        }
        throw SystemError(code: EINTR, operation: "netlink dump kept changing")
    }

    private mutating func readDump(_ type: UInt16, family: Int32 = AF_UNSPEC, _ body: (UnsafePointer<nlmsghdr>) -> Void) throws(SystemError) -> Bool {
        guard let base = buffer.baseAddress, let header = apus_mnl_begin(base, type, UInt16(APUS_NLM_DUMP), sequence) else {
            throw SystemError(code: ENOMEM, operation: "netlink dump")
        }
        switch Int(type) {
        case APUS_RTM_GETNEXTHOP: _ = apus_mnl_nhmsg(header)
        case APUS_RTM_GETNEIGH: apus_mnl_ndmsg(header)?.pointee.ndm_family = UInt8(family)
        default: apus_mnl_rtgenmsg(header, UInt8(family))
        }
        let wanted = sequence
        sequence &+= 1
        let error = socket.send(base, Int(header.pointee.nlmsg_len))
        guard error == 0 else { throw SystemError(code: error, operation: "netlink dump") }
        var isDone = false
        var isConsistent = true
        while !isDone {
            switch socket.receive(answers) {
            case .messages(let count):
                forEachMessage(answers, count) { header in
                    guard header.pointee.nlmsg_seq == wanted else { return true }
                    if header.pointee.nlmsg_flags & UInt16(APUS_NLM_DUMP_INTR) != 0 { isConsistent = false }
                    switch Int32(header.pointee.nlmsg_type) {
                    case Int32(APUS_NLMSG_DONE), Int32(APUS_NLMSG_ERROR):
                        isDone = true
                        return false
                    default:
                        body(header)
                        return true
                    }
                }
            case .empty: throw SystemError(code: ETIMEDOUT, operation: "netlink dump")
            case .overflow: isConsistent = false
            case .failed(let code): throw SystemError(code: code, operation: "netlink dump")
            }
        }
        return isConsistent
    }
}

/// A message of any kind that we follow.
func decodeEvent(_ header: UnsafePointer<nlmsghdr>, _ ownership: Ownership) -> KernelEvent? {
    switch Int32(header.pointee.nlmsg_type) {
    case Int32(APUS_RTM_NEWLINK): return LinkCodec.interface(header).map { .link($0) }
    case Int32(APUS_RTM_DELLINK): return LinkCodec.interface(header).map { .linkRemoved($0.index) }
    case Int32(APUS_RTM_NEWADDR): return LinkCodec.address(header).map { .address($0) }
    case Int32(APUS_RTM_DELADDR): return LinkCodec.address(header).map { .addressRemoved($0) }
    case Int32(APUS_RTM_NEWNEIGH), Int32(APUS_RTM_DELNEIGH): return LinkCodec.entry(header)
    case Int32(APUS_RTM_DELNEXTHOP): return NextHopObjects.isOurs(header) ? .overflow : nil
    case Int32(APUS_RTM_NEWROUTE):
        switch RouteCodec.decode(header, ownership) {
        case .own(let route): return .ownRoute(route)
        case .foreign(let route): return .foreignRoute(route, replaces: header.pointee.nlmsg_flags & UInt16(APUS_NLM_REPLACE) != 0)
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
