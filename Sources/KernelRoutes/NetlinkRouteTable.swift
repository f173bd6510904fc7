internal import CLibMNL
package import FIB
internal import Glibc
package import LinuxIO
package import NetTypes

/// What a dump or a notification says of the kernel.
package enum KernelEvent: Sendable {
    indirect case link(Interface)
    case linkRemoved(InterfaceIndex)
    case address(InterfaceAddress)
    case addressRemoved(InterfaceAddress)
    case ownRoute(FIBRoute)
    case ownRouteRemoved(FIBRoute)
    /// `replaces`: it took the place of whatever was there.
    case foreignRoute(ForeignRoute, replaces: Bool)
    case foreignRouteRemoved(ForeignRoute)
    /// A permanent neighbour or forwarding entry, of any interface.
    case entry(TunnelEntry, InterfaceIndex)
    case entryRemoved(TunnelEntry, InterfaceIndex)
    /// A neighbour of any interface is not there, or not permanent.
    case neighbourLost(IPAddress, InterfaceIndex)
    /// Notifications were lost, or a next-hop object of ours went and took its routes along without a word: everything is to be read again.
    case overflow
}

/// A group of next hops that has other members now, and with it every route that names it.
package struct GroupChange: Sendable, Hashable {
    package var before: [FIBNextHop]
    package var after: [FIBNextHop]
    package init(before: [FIBNextHop], after: [FIBNextHop]) {
        self.before = before
        self.after = after
    }
}

/// The kernel's route table, written in batches: up to 64 KB of requests in one `sendmsg`, answered by errors and by one acknowledgement at the
/// end. The kernel works on them inside the call, so that the answers are there when it returns.
package struct NetlinkRouteTable: KernelRouteTable, ~Copyable {
    let socket: NetlinkSocket
    let ownership: Ownership
    let buffer: UnsafeMutableRawBufferPointer
    let answers: UnsafeMutableRawBufferPointer
    var sequence: UInt32 = 1
    /// Only one table of a process may make them: they have numbers.
    private let makesObjects: Bool
    var objects = NextHopObjects()
    private var objectLimit = 1024
    /// A batch of at least so many operations names next-hop objects: half the kernel's work per route. Smaller ones write plain routes,
    /// which every tool beside us can read. Routes with several next hops always go by groups.
    package static let objectThreshold = 256
    private static let batchBytes = 65536

    package init(ownership: Ownership, makesObjects: Bool = true) throws(SystemError) {
        self.makesObjects = makesObjects
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
        guard makesObjects else { return write(operations, Named()) }
        if objects.count > objectLimit {
            // Objects of next hops long gone; what fails here is tried again with a later batch.
            do throws(SystemError) { try adoptObjects() } catch { objects = NextHopObjects() }
            objectLimit = max(1024, 2 * objects.count)
        }
        let named = prepareObjects(operations)
        let failures = write(operations, named)
        guard !named.isEmpty, !failures.isEmpty else { return failures }
        // An object may have gone with its interface meanwhile: what failed is written plain, once.
        var final: [FIBFailure] = []
        var again: [Int] = []
        for failure in failures {
            let operation = operations[failure.index]
            if let hop = NextHopObjects.candidate(operation), named.hops[hop] != nil {
                objects.forget(hop)
                again.append(failure.index)
            } else if let group = NextHopObjects.groupCandidate(operation), named.groups[group] != nil {
                objects.forget(group)
                again.append(failure.index)
            } else {
                final.append(failure)
            }
        }
        for failure in write(again.map { operations[$0] }, Named()) {
            final.append(FIBFailure(index: again[failure.index], error: failure.error))
        }
        return final
    }

    /// Takes dead next hops out of every group, so that no packet goes by them any more: one message a group, whatever the number of its routes.
    /// Answers which sets of next hops have become which.
    package mutating func dropHops(_ dead: Set<FIBNextHop>) -> [GroupChange] {
        guard let base = buffer.baseAddress else { return [] }
        var changes: [GroupChange] = []
        for (members, id) in objects.groups where members.contains(where: dead.contains) {
            let rest = members.filter { !dead.contains($0) }
            let ids = rest.compactMap { objects[$0] }
            guard !rest.isEmpty, ids.count == rest.count else { continue }
            let length = NextHopObjects.encodeGroup(ids, id: id, replaces: true, ownership, sequence: sequence, into: base)
            guard request(base, length) == 0 else { continue }
            objects.change(members, to: rest)
            changes.append(GroupChange(before: members, after: rest))
        }
        return changes
    }

    /// Objects that a batch may name.
    private struct Named {
        var hops: [FIBNextHop: UInt32] = [:]
        var groups: [[FIBNextHop]: UInt32] = [:]
        var isEmpty: Bool { hops.isEmpty && groups.isEmpty }
    }

    /// Makes the objects that a batch needs and that are not there. Answers the ids that may be named.
    private mutating func prepareObjects(_ operations: [FIBOperation]) -> Named {
        var named = Named()
        var last: FIBNextHop?
        let namesSingles = operations.count >= NetlinkRouteTable.objectThreshold
        for operation in operations {
            if namesSingles, let hop = NextHopObjects.candidate(operation) {
                guard hop != last, named.hops[hop] == nil else { continue }
                last = hop
                named.hops[hop] = object(hop)
            } else if let group = NextHopObjects.groupCandidate(operation), named.groups[group] == nil {
                named.groups[group] = object(group)
            }
        }
        return named
    }

    /// The object of a next hop, made where there is none; nil where the kernel refuses.
    private mutating func object(_ hop: FIBNextHop) -> UInt32? {
        if let id = objects[hop] { return id }
        let id = objects.nextID()
        guard let base = buffer.baseAddress, request(base, NextHopObjects.encode(hop, id: id, ownership, sequence: sequence, into: base)) == 0 else { return nil }
        objects.insert(hop, id)
        return id
    }

    private mutating func object(_ group: [FIBNextHop]) -> UInt32? {
        if let id = objects[group] { return id }
        let members = group.compactMap { object($0) }
        guard members.count == group.count, let base = buffer.baseAddress else { return nil }
        let id = objects.nextID()
        guard request(base, NextHopObjects.encodeGroup(members, id: id, replaces: false, ownership, sequence: sequence, into: base)) == 0 else { return nil }
        objects.insert(group, id)
        return id
    }

    private mutating func write(_ operations: [FIBOperation], _ named: Named) -> [FIBFailure] {
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
                if !named.hops.isEmpty, let hop = NextHopObjects.candidate(operations[next]) {
                    if hop != lastHop {
                        lastHop = hop
                        lastID = named.hops[hop] ?? 0
                    }
                    objectID = lastID
                } else if !named.groups.isEmpty, let group = NextHopObjects.groupCandidate(operations[next]) {
                    objectID = named.groups[group] ?? 0
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
    func collect(_ range: Range<Int>, _ firstSequence: UInt32, _ failures: inout [FIBFailure]) {
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
            case .empty, .overflow, .failed:
                // What became of the others is not known: they are tried again, and what is there after all is found by that (EEXIST).
                let known = Set(failures.map(\.index))
                failures += range.filter { !known.contains($0) }.map { FIBFailure(index: $0, error: ENOBUFS) }
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
    mutating func request(_ base: UnsafeMutableRawPointer, _ length: Int) -> Int32 {
        let error = socket.send(base, length)
        guard error == 0 else { return error }
        var failures: [FIBFailure] = []
        collect(0..<1, sequence, &failures)
        sequence &+= 1
        return failures.first?.error ?? 0
    }
}
