internal import CLibMNL
internal import CLinux
package import FIB
package import LinuxIO
import NetTypes

/// Notifications of the kernel: links, addresses, permanent neighbor entries and routes of both families. What our own
/// requests caused is dropped by a filter in the kernel, because a listener that reads its own 100,000 routes back
/// costs a fifth of the time.
package struct KernelMonitor: ~Copyable {
    private let socket: NetlinkSocket
    private let ownership: Ownership
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)

    /// `ownPorts`: the ports of the two sockets that write our routes.
    package init(ownership: Ownership, ownPorts: (UInt32, UInt32)) throws(SystemError) {
        let groups =
            UInt32(
                RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE
                    | RTMGRP_IPV6_ROUTE) | 1 << UInt32(RTNLGRP_NEXTHOP.rawValue - 1)
        let opened = try NetlinkSocket(groups: groups, receiveBuffer: 32 << 20, isNonBlocking: true)
        guard apus_drop_own_notifications(opened.fd, ownPorts.0, ownPorts.1) == 0 else { throw .last("netlink filter") }
        socket = opened
        self.ownership = ownership
    }

    package var fd: Int32 { socket.fd }

    /// Appends what happened, from at most `budget` datagrams. True where more may be waiting.
    package mutating func read(budget: Int, into events: inout [KernelEvent]) -> Bool {
        for _ in 0..<budget {
            let ownership = ownership
            switch socket.receive(&buffer) {
            case .messages(let count):
                NetlinkMessage.forEach(buffer.rawSpan.part(0, count)) { header in
                    if let event = decodeEvent(header, ownership) { events.append(event) }
                    return true
                }
            case .empty: return false
            case .overflow: events.append(.overflow)
            case .failed: return false
            }
        }
        return true
    }
}
