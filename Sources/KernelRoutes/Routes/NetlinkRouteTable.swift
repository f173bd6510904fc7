internal import CLibMNL
package import FIB
internal import Glibc
package import LinuxIO
import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

/// The kernel's route table, written in batches: up to 64 KB of requests in one `sendmsg`, answered by errors and by
/// one acknowledgement at the end. The kernel works on them inside the call, so that the answers are there when it
/// returns.
package struct NetlinkRouteTable: KernelRouteTable, ~Copyable {
    let socket: NetlinkSocket
    let ownership: Ownership
    var buffer = NetlinkBuffer(byteCount: NetlinkRouteTable.batchBytes)
    var answers = [UInt8](repeating: 0, count: 1 << 18)
    var sequence: UInt32 = 1
    /// Only one table of a process may make them: they have numbers.
    private let makesObjects: Bool
    var objects = NextHopObjects()
    private var objectLimit = 1024
    /// A batch of at least so many operations names next-hop objects: half the kernel's work per route. Smaller ones
    /// write plain routes, which every tool beside us can read. Routes with several next hops always go by groups.
    package static let objectThreshold = 256
    private static let batchBytes = 65536

    package init(ownership: Ownership, makesObjects: Bool = true) throws(SystemError) {
        self.makesObjects = makesObjects
        socket = try NetlinkSocket(groups: 0, receiveBuffer: 8 << 20, isNonBlocking: false)
        self.ownership = ownership
    }

    /// The port that our own notifications bear.
    package var port: UInt32 { socket.port }

    // MARK: Routes

    package mutating func apply(_ batch: FIBBatch) -> [FIBFailure] {
        guard makesObjects else { return write(batch, []) }
        if objects.count > objectLimit {
            // Objects of next hops long gone; what fails here is tried again with a later batch.
            do throws(SystemError) { try adoptObjects() } catch { objects = NextHopObjects() }
            objectLimit = max(1024, 2 * objects.count)
        }
        let ids = prepareObjects(batch)
        let failures = write(batch, ids)
        guard !ids.isEmpty, !failures.isEmpty else { return failures }
        // An object may have gone with its interface meanwhile: what failed is written plain, once.
        var final: [FIBFailure] = []
        var again: [Int] = []
        for failure in failures {
            let entry = batch.entries[failure.index]
            guard entry.action != .delete, ids[Int(entry.attributes)] != 0 else {
                final.append(failure)
                continue
            }
            objects.forget(batch.attributeSets[Int(entry.attributes)].nextHops)
            again.append(failure.index)
        }
        for failure in write(batch.picking(again), []) {
            final.append(FIBFailure(index: again[failure.index], error: failure.error))
        }
        return final
    }

    /// Removes a route of somebody else from the main table. 0, also where it is gone already, or an errno.
    mutating func remove(_ route: ForeignRoute) -> Int32 {
        let owner = Ownership(routeProtocol: route.routeProtocol)
        let batch = FIBBatch([.delete(route.prefix, metric: route.metric)])
        guard let entry = batch.entries.first else { return EINVAL }
        let error = unsafe request {
            let length = unsafe RouteCodec.encode(
                entry, batch.attributeSets[Int(entry.attributes)], ownership: owner, sequence: $1, into: $0)
            unsafe $0.assumingMemoryBound(to: nlmsghdr.self).pointee.nlmsg_flags |= UInt16(APUS_NLM_ACK)
            return length
        }
        return error == ESRCH || error == ENOENT ? 0 : error
    }

    /// Takes dead next hops out of every group, so that no packet goes by them any more: one message a group, whatever
    /// the number of its routes. Returns which sets of next hops have become which.
    package mutating func dropHops(_ dead: Set<FIBNextHop>) -> [GroupChange] {
        var changes: [GroupChange] = []
        let ownership = ownership
        for (members, id) in objects.groups where members.contains(where: dead.contains) {
            let rest = members.filter { !dead.contains($0) }
            let ids = rest.compactMap { objects[$0] }
            guard !rest.isEmpty, ids.count == rest.count else { continue }
            guard
                unsafe request({
                    unsafe NextHopObjects.encodeGroup(ids, id: id, replaces: true, ownership, sequence: $1, into: $0)
                }) == 0
            else { continue }
            objects.change(members, to: rest)
            changes.append(GroupChange(before: members, after: rest))
        }
        return changes
    }

    /// Makes the objects that a batch needs and that are not there. Returns their ids by the batch's ways, 0 for a way
    /// that is written plain; empty where all are.
    private mutating func prepareObjects(_ batch: FIBBatch) -> [UInt32] {
        var isWritten = [Bool](repeating: false, count: batch.attributeSets.count)
        for entry in batch.entries where entry.action != .delete { isWritten[Int(entry.attributes)] = true }
        let namesSingles = batch.count >= NetlinkRouteTable.objectThreshold
        let ids = batch.attributeSets.indices.map { number -> UInt32 in
            let hops = batch.attributeSets[number].nextHops
            guard isWritten[number], hops.count > 1 || namesSingles, let hop = hops.first,
                hops.allSatisfy({ $0.gateway != nil })
            else { return 0 }
            return (hops.count == 1 ? object(hop) : object(hops)) ?? 0
        }
        return ids.contains { $0 != 0 } ? ids : []
    }

    /// The object of a next hop, made where there is none; nil where the kernel refuses.
    private mutating func object(_ hop: FIBNextHop) -> UInt32? {
        if let id = objects[hop] { return id }
        let id = objects.nextID()
        let ownership = ownership
        guard unsafe request({ unsafe NextHopObjects.encode(hop, id: id, ownership, sequence: $1, into: $0) }) == 0
        else { return nil }
        objects.insert(hop, id)
        return id
    }

    private mutating func object(_ group: [FIBNextHop]) -> UInt32? {
        if let id = objects[group] { return id }
        let members = group.compactMap { object($0) }
        guard members.count == group.count else { return nil }
        let id = objects.nextID()
        let ownership = ownership
        guard
            unsafe request({
                unsafe NextHopObjects.encodeGroup(members, id: id, replaces: false, ownership, sequence: $1, into: $0)
            }) == 0
        else { return nil }
        objects.insert(group, id)
        return id
    }

    /// `objectIDs`: by the batch's ways; empty for none.
    private mutating func write(_ batch: FIBBatch, _ objectIDs: [UInt32]) -> [FIBFailure] {
        var failures: [FIBFailure] = []
        let ownership = ownership
        var next = 0
        while next < batch.count {
            let first = next
            let firstSequence = sequence
            var number = sequence
            let used = unsafe buffer.encode { base in
                var used = 0
                var last = 0
                while next < batch.count {
                    let entry = batch.entries[next]
                    let attributes = Int(entry.attributes)
                    let size = RouteCodec.maximumSize(
                        nextHops: entry.action == .delete ? 0 : batch.attributeSets[attributes].nextHops.count)
                    guard used + size <= NetlinkRouteTable.batchBytes else { break }
                    last = used
                    unsafe used += RouteCodec.encode(
                        entry, batch.attributeSets[attributes], ownership: ownership, sequence: number,
                        objectID: objectIDs.isEmpty ? 0 : objectIDs[attributes], into: base + used)
                    // Wrapping: a sequence number only has to be different from its neighbors'.
                    number &+= 1
                    next += 1
                }
                if used > 0 {
                    unsafe (base + last).assumingMemoryBound(to: nlmsghdr.self).pointee.nlmsg_flags |= UInt16(
                        APUS_NLM_ACK)
                }
                return used
            }
            sequence = number
            guard next > first else {
                // A route with more next hops than a batch holds.
                failures.append(FIBFailure(index: next, error: EMSGSIZE))
                next += 1
                continue
            }
            let error = socket.send(buffer.bytes(used))
            if error != 0 {
                failures += (first..<next).map { FIBFailure(index: $0, error: error) }
            } else {
                collect(first..<next, firstSequence, into: &failures)
            }
        }
        return failures
    }

    /// Reads answers until the one to the last request of the batch.
    mutating func collect(_ range: Range<Int>, _ firstSequence: UInt32, into failures: inout [FIBFailure]) {
        let interruption = socket.readAnswers(&answers) { message in
            guard Int32(message.type) == Int32(APUS_NLMSG_ERROR) else { return false }
            let offset = Int(message.sequence &- firstSequence)
            guard offset < range.count else { return false }
            let error = 0 &- message.error
            if error != 0 { failures.append(FIBFailure(index: range.lowerBound + offset, error: error)) }
            return offset == range.count - 1
        }
        guard interruption != nil else { return }
        // What became of the others is not known: they are tried again, and what is there after all is found by that
        // (EEXIST).
        let known = Set(failures.map(\.index))
        failures += range.filter { !known.contains($0) }.map { FIBFailure(index: $0, error: ENOBUFS) }
    }

    // MARK: Devices, addresses, neighbors

    /// Carries out one request about a tunnel device. 0, also where it was so already, or an errno.
    package mutating func apply(_ operation: TunnelOperation) -> Int32 {
        unsafe request { unsafe TunnelCodec.encode(operation, sequence: $1, into: $0) }
    }

    /// Sends one message, which `encode` writes with a sequence number, and waits for its answer: 0 or an errno.
    mutating func request(_ encode: (UnsafeMutableRawPointer, UInt32) -> Int) -> Int32 {
        let number = sequence
        let length = unsafe buffer.encode { unsafe encode($0, number) }
        guard length > 0 else { return ENOMEM }
        let error = socket.send(buffer.bytes(length))
        guard error == 0 else { return error }
        var failures: [FIBFailure] = []
        collect(0..<1, sequence, into: &failures)
        sequence &+= 1
        return failures.first?.error ?? 0
    }
}
