internal import CLibMNL
package import FIB
internal import Glibc
package import LinuxIO
package import NetTypes

/// What a dump or a notification says of the kernel.
package enum KernelEvent: Sendable {
    case link(Interface)
    case linkRemoved(InterfaceIndex)
    case address(InterfaceAddress)
    case addressRemoved(InterfaceAddress)
    case ownRoute(FIBRoute)
    case ownRouteRemoved(FIBRoute)
    case foreignRoute(ForeignRoute)
    case foreignRouteRemoved(ForeignRoute)
    /// A permanent neighbour or forwarding entry, of any interface.
    case entry(TunnelEntry, InterfaceIndex)
    case entryRemoved(TunnelEntry, InterfaceIndex)
    /// A neighbour of any interface is not there, or not permanent.
    case neighbourLost(IPAddress, InterfaceIndex)
    /// Notifications were lost, or a next-hop object of ours went and took its routes along without a word: everything is to be read again.
    case overflow
}

/// The kernel's route table, written in batches: up to 64 KB of requests in one `sendmsg`, answered by errors and by one acknowledgement at the
/// end. The kernel works on them inside the call, so that the answers are there when it returns.
package struct NetlinkRouteTable: KernelRouteTable, ~Copyable {
    private let socket: NetlinkSocket
    private let ownership: Ownership
    private let buffer: UnsafeMutableRawBufferPointer
    private let answers: UnsafeMutableRawBufferPointer
    private var sequence: UInt32 = 1
    private var objects = NextHopObjects()
    private var objectLimit = 1024
    /// A batch of at least so many operations names next-hop objects: half the kernel's work per route. Smaller ones write plain routes,
    /// which every tool beside us can read.
    package static let objectThreshold = 256
    private static let batchBytes = 65536

    package init(ownership: Ownership) throws(SystemError) {
        socket = try NetlinkSocket(groups: 0, receiveBuffer: 8 << 20, isNonBlocking: false)
        self.ownership = ownership
        buffer = .allocate(byteCount: NetlinkRouteTable.batchBytes, alignment: 16)
        answers = .allocate(byteCount: 1 << 18, alignment: 16)
    }

    deinit {
        buffer.deallocate()
        answers.deallocate()
    }

    /// The port that our own notifications bear.
    package var port: UInt32 { socket.port }

    // MARK: Routes

    package mutating func apply(_ operations: [FIBOperation]) -> [FIBFailure] {
        guard operations.count >= NetlinkRouteTable.objectThreshold else { return write(operations, objectIDs: [:]) }
        if objects.count > objectLimit {
            // Objects of next hops long gone; what fails here is tried again with a later batch.
            do throws(SystemError) { try adoptObjects() } catch { objects = NextHopObjects() }
            objectLimit = max(1024, 2 * objects.count)
        }
        let ids = prepareObjects(operations)
        let failures = write(operations, objectIDs: ids)
        guard !ids.isEmpty, !failures.isEmpty else { return failures }
        // An object may have gone with its interface meanwhile: what failed is written plain, once.
        var final: [FIBFailure] = []
        var again: [Int] = []
        for failure in failures {
            if let hop = NextHopObjects.candidate(operations[failure.index]), ids[hop] != nil {
                objects.forget(hop)
                again.append(failure.index)
            } else {
                final.append(failure)
            }
        }
        for failure in write(again.map { operations[$0] }, objectIDs: [:]) {
            final.append(FIBFailure(index: again[failure.index], error: failure.error))
        }
        return final
    }

    /// Makes the objects that a batch needs and that are not there. Answers the ids that may be named.
    private mutating func prepareObjects(_ operations: [FIBOperation]) -> [FIBNextHop: UInt32] {
        guard let base = buffer.baseAddress else { return [:] }
        var wanted: [FIBNextHop: UInt32] = [:]
        var last: FIBNextHop?
        for operation in operations {
            guard let hop = NextHopObjects.candidate(operation), hop != last, wanted[hop] == nil else { continue }
            last = hop
            if let id = objects[hop] {
                wanted[hop] = id
                continue
            }
            let id = objects.nextID()
            let length = NextHopObjects.encode(hop, id: id, ownership, sequence: sequence, into: base)
            var failures: [FIBFailure] = []
            if socket.send(base, length) == 0 { collect(0..<1, sequence, &failures) }
            sequence &+= 1
            if failures.isEmpty {
                objects.insert(hop, id)
                wanted[hop] = id
            }
        }
        return wanted
    }

    private mutating func write(_ operations: [FIBOperation], objectIDs: [FIBNextHop: UInt32]) -> [FIBFailure] {
        guard let base = buffer.baseAddress else { return [] }
        var failures: [FIBFailure] = []
        var next = 0
        var lastHop: FIBNextHop?
        var lastID: UInt32 = 0
        while next < operations.count {
            let first = next
            let firstSequence = sequence
            var used = 0
            var last = 0
            while next < operations.count {
                var objectID: UInt32 = 0
                if !objectIDs.isEmpty, let hop = NextHopObjects.candidate(operations[next]) {
                    if hop != lastHop {
                        lastHop = hop
                        lastID = objectIDs[hop] ?? 0
                    }
                    objectID = lastID
                }
                let size = RouteCodec.maximumSize(nextHops: NetlinkRouteTable.nextHopCount(operations[next]))
                guard used + size <= NetlinkRouteTable.batchBytes else { break }
                last = used
                used += RouteCodec.encode(operations[next], ownership, sequence: sequence, objectID: objectID, into: base + used)
                // Wrapping: a sequence number only has to be different from its neighbours'.
                sequence &+= 1
                next += 1
            }
            guard next > first else {
                // A route with more next hops than a batch holds.
                failures.append(FIBFailure(index: next, error: EMSGSIZE))
                next += 1
                continue
            }
            (base + last).assumingMemoryBound(to: nlmsghdr.self).pointee.nlmsg_flags |= UInt16(APUS_NLM_ACK)
            let error = socket.send(base, used)
            if error != 0 {
                failures += (first..<next).map { FIBFailure(index: $0, error: error) }
            } else {
                collect(first..<next, firstSequence, &failures)
            }
        }
        return failures
    }

    private static func nextHopCount(_ operation: FIBOperation) -> Int {
        switch operation {
        case .add(let route), .replace(let route): route.nextHops.count
        case .delete: 0
        }
    }

    /// Reads answers until the one to the last request of the batch.
    private func collect(_ range: Range<Int>, _ firstSequence: UInt32, _ failures: inout [FIBFailure]) {
        var isDone = false
        while !isDone {
            switch socket.receive(answers) {
            case .messages(let count):
                forEachMessage(answers, count) { header in
                    guard Int32(header.pointee.nlmsg_type) == Int32(APUS_NLMSG_ERROR) else { return true }
                    let offset = Int(header.pointee.nlmsg_seq &- firstSequence)
                    guard offset < range.count else { return true }
                    let error = -apus_nlmsg_error(header)
                    if error != 0 { failures.append(FIBFailure(index: range.lowerBound + offset, error: error)) }
                    if offset == range.count - 1 { isDone = true }
                    return true
                }
            case .empty: continue
            case .overflow, .failed:
                // What is not known to have failed will be found by the next dump.
                return
            }
        }
    }

    // MARK: Devices, addresses, neighbours

    /// Carries out one request about a tunnel device. 0, also where it was so already, or an errno.
    package mutating func apply(_ operation: TunnelOperation) -> Int32 {
        guard let base = buffer.baseAddress else { return ENOMEM }
        let length = TunnelCodec.encode(operation, sequence: sequence, into: base)
        return length == 0 ? ENOMEM : request(base, length)
    }

    /// A permanent neighbour entry; errno, or 0.
    package mutating func setNeighbour(_ address: IPAddress, mac: MACAddress, on interface: InterfaceIndex) -> Int32 {
        apply(.addEntry(.neighbour(address, mac), interface))
    }

    /// A host address on an interface. 0, also where it is there already, or an errno.
    package mutating func addAddress(_ address: IPAddress, on interface: InterfaceIndex) -> Int32 { apply(.addAddress(address, interface)) }

    /// Sends one message and waits for its answer: 0 or an errno.
    private mutating func request(_ base: UnsafeMutableRawPointer, _ length: Int) -> Int32 {
        let error = socket.send(base, length)
        guard error == 0 else { return error }
        var failures: [FIBFailure] = []
        collect(0..<1, sequence, &failures)
        sequence &+= 1
        return failures.first?.error ?? 0
    }

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
            case .empty: continue
            case .overflow, .failed: return nil
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

    /// Reads links, addresses and routes whole. A dump that the kernel calls inconsistent (NLM_F_DUMP_INTR) is read again.
    package mutating func dump(_ body: (KernelEvent) -> Void) throws(SystemError) {
        try dumpOne(UInt16(APUS_RTM_GETLINK), body)
        try dumpOne(UInt16(APUS_RTM_GETADDR), body)
        try dumpRoutes(body)
    }

    package mutating func dumpRoutes(_ body: (KernelEvent) -> Void) throws(SystemError) {
        try dumpOne(UInt16(APUS_RTM_GETROUTE), body)
    }

    /// Finds next-hop objects of ours, also those of an earlier process. Those that no route names go; a kernel without objects has none. Only for the
    /// table that makes objects, because another one's may be about to be used.
    package mutating func adoptObjects() throws(SystemError) {
        var found: [(hop: FIBNextHop, id: UInt32)] = []
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
        for object in found {
            if inUse.contains(object.id) {
                objects.insert(object.hop, object.id)
            } else if let base = buffer.baseAddress {
                let length = NextHopObjects.encodeRemoval(object.id, sequence: sequence, into: base)
                var failures: [FIBFailure] = []
                if socket.send(base, length) == 0 { collect(0..<1, sequence, &failures) }
                sequence &+= 1
            }
        }
    }

    private mutating func dumpOne(_ type: UInt16, _ body: (KernelEvent) -> Void) throws(SystemError) {
        let ownership = ownership
        for _ in 0..<10 {
            var events: [KernelEvent] = []
            let isConsistent = try readDump(type) { header in if let event = decodeEvent(header, ownership) { events.append(event) } }
            if isConsistent {
                for event in events { body(event) }
                return
            }
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
            case .empty: continue
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
        case .foreign(let route): return .foreignRoute(route)
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
