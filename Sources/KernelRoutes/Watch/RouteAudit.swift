internal import CLibMNL
package import FIB
internal import Glibc
package import LinuxIO
import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

/// Reads the kernel's routes in slices: a dump whose parts are taken a few at a time, so that no turn waits for a large
/// table.
package struct RouteAudit: ~Copyable {
    private var socket: NetlinkSocket
    private var isListing = false
    private let ownership: Ownership
    private var request = NetlinkBuffer(byteCount: 64)
    private var buffer = [UInt8](repeating: 0, count: 1 << 15)
    private var sequence: UInt32 = 1
    private var isConsistent = true

    package init(ownership: Ownership) throws(SystemError) {
        socket = try NetlinkSocket(groups: 0, receiveBuffer: 1 << 20, isNonBlocking: true)
        self.ownership = ownership
    }

    /// Asks for the list of all tables, both families. False where the kernel refuses.
    package mutating func begin() -> Bool {
        // What is left of a list that was given up goes with its socket.
        if isListing {
            guard let fresh = try? NetlinkSocket(groups: 0, receiveBuffer: 1 << 20, isNonBlocking: true) else {
                return false
            }
            socket = fresh
        }
        isListing = true
        sequence &+= 1
        isConsistent = true
        let number = sequence
        let length = unsafe request.encode { base in
            guard let header = unsafe apus_mnl_begin(base, UInt16(APUS_RTM_GETROUTE), UInt16(APUS_NLM_DUMP), number)
            else { return 0 }
            unsafe apus_mnl_rtgenmsg(header, UInt8(AF_UNSPEC))
            return unsafe Int(header.pointee.nlmsg_len)
        }
        return length > 0 && socket.send(request.bytes(length)) == 0
    }

    /// The next part of the list: up to 32 KB, some three hundred routes. Hands over those that are ours.
    package mutating func read(_ body: (FIBRoute) -> Void) -> AuditProgress {
        guard case .messages(let count) = socket.receive(&buffer) else { return .broken }
        var isDone = false
        var isIntact = isConsistent
        let ownership = ownership
        let wanted = sequence
        NetlinkMessage.forEach(buffer.rawSpan.part(0, count)) { header in
            guard header.sequence == wanted else { return true }
            if header.flags & UInt16(APUS_NLM_DUMP_INTR) != 0 { isIntact = false }
            switch Int(header.type) {
            case APUS_NLMSG_DONE: isDone = true
            case APUS_NLMSG_ERROR: (isDone, isIntact) = (true, false)
            default: if case .own(let route)? = RouteCodec.decode(header, ownership) { body(route) }
            }
            return !isDone
        }
        isConsistent = isIntact
        if !isDone { return .more }
        isListing = false
        return isIntact ? .complete : .broken
    }
}
