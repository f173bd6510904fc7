internal import CLibMNL
internal import Glibc
import LinuxIO
package import NetTypes

// `unsafe` here: libmnl writes requests where `NetlinkBuffer` lends it memory, within the size that its caller allows;
// no address outlives the closure.

/// Forgets the tracked connections of addresses that moved (contract 2.7, 'cleanup'): entries made while an address was
/// elsewhere would go on sending its packets there, or to the pod that had it before.
///
/// A thread of its own, because a busy host's table has hundreds of thousands of entries and is read whole.
package final class ConntrackFlusher: Sendable {
    private let waiting = Locked<Set<IPAddress>>([])
    private let work: Wakeup

    private init() throws(SystemError) { work = try Wakeup() }

    /// Nil where the kernel gives no socket.
    package static func start() -> ConntrackFlusher? {
        guard let flusher = try? ConntrackFlusher() else { return nil }
        startEdgeThread {
            while true {
                guard waitReadable(flusher.work.fd, milliseconds: -1) else { continue }
                flusher.work.clear()
                let addresses = flusher.waiting.withLock { waiting in
                    defer { waiting = [] }
                    return waiting
                }
                if !addresses.isEmpty { ConntrackFlusher.flush(addresses) }
            }
        }
        return flusher
    }

    package func flush(_ addresses: [IPAddress]) {
        waiting.withLock { $0.formUnion(addresses) }
        work.signal()
    }

    /// Removes every entry that one of the addresses is an end of, in either direction. A kernel without connection
    /// tracking has none.
    private static func flush(_ addresses: Set<IPAddress>) {
        guard
            let socket = try? NetlinkSocket(
                bus: Int32(APUS_NETFILTER), groups: 0, receiveBuffer: 8 << 20, isNonBlocking: false)
        else { return }
        var buffer = [UInt8](repeating: 0, count: 1 << 17)
        for family in Set(addresses.map(\.family)) {
            for request in matching(
                addresses, family: family == .ipv4 ? UInt8(AF_INET) : UInt8(AF_INET6), socket: socket, into: &buffer)
            {
                // Whatever the answer is: one that is gone already is forgotten too.
                if socket.send(request.rawSpan) == 0 { _ = socket.receive(&buffer) }
            }
        }
    }

    /// Requests that remove the entries of a family that an address is an end of.
    private static func matching(
        _ addresses: Set<IPAddress>, family: UInt8, socket: borrowing NetlinkSocket, into buffer: inout [UInt8]
    ) -> [[UInt8]] {
        var list = NetlinkBuffer(byteCount: 64)
        let length = unsafe list.encode { base in
            guard let header = unsafe apus_mnl_begin(base, UInt16(APUS_CT_GET), UInt16(APUS_NLM_DUMP), 1) else {
                return 0
            }
            unsafe apus_mnl_nfgenmsg(header, family)
            return unsafe Int(header.pointee.nlmsg_len)
        }
        guard length > 0, socket.send(list.bytes(length)) == 0 else { return [] }
        var requests: [[UInt8]] = []
        _ = socket.readAnswers(&buffer) { message in
            if message.endsDump { return true }
            if ends(message).contains(where: addresses.contains), let request = removal(message, family) {
                requests.append(request)
            }
            return false
        }
        return requests
    }

    /// Addresses of an entry, of both directions.
    private static func ends(_ header: NetlinkMessage) -> [IPAddress] {
        var result: [IPAddress] = []
        header.forEachAttribute(after: APUS_NFGENMSG_SIZE) { kind, tuple in
            guard kind == Int32(CTA_TUPLE_ORIG.rawValue) || kind == Int32(CTA_TUPLE_REPLY.rawValue) else { return }
            tuple.forEachNested { kind, part in
                guard kind == Int32(CTA_TUPLE_IP.rawValue) else { return }
                part.forEachNested { _, address in if let address = address.address { result.append(address) } }
            }
        }
        return result
    }

    /// The request that removes an entry: its original tuple, zone and id, as the kernel reported them.
    private static func removal(_ entry: NetlinkMessage, _ family: UInt8) -> [UInt8]? {
        var request = NetlinkBuffer(byteCount: 1024)
        let length = unsafe request.encode { base in
            guard let header = unsafe apus_mnl_begin(base, UInt16(APUS_CT_DELETE), UInt16(APUS_NLM_ACK), 2) else {
                return 0
            }
            unsafe apus_mnl_nfgenmsg(header, family)
            entry.forEachAttribute(after: APUS_NFGENMSG_SIZE) { kind, attribute in
                guard [CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID].contains(where: { Int32($0.rawValue) == kind }) else { return }
                let value = attribute.bytes
                guard unsafe Int(header.pointee.nlmsg_len) + value.byteCount + 8 <= 1024 else { return }
                let type = UInt16(kind) | (kind == Int32(CTA_TUPLE_ORIG.rawValue) ? UInt16(NLA_F_NESTED) : 0)
                unsafe value.withUnsafeBytes { unsafe mnl_attr_put(header, type, $0.count, $0.baseAddress) }
            }
            return unsafe Int(header.pointee.nlmsg_len)
        }
        return length == 0 ? nil : [UInt8](request.bytes(length))
    }
}
