internal import CLinux
internal import Glibc
package import NetTypes

/// Router advertisements and solicitations (RFC 4861): how the two ends of an unnumbered link find each other's
/// link-local address.
package struct RouterAdvertisementSocket: ~Copyable {
    private let descriptor: FileDescriptor

    package enum Message: Sendable, Hashable {
        case solicitation(interface: UInt32)
        /// From a link-local address, which has its link's scope.
        case advertisement(interface: UInt32, from: IPAddress)
    }

    /// Needs CAP_NET_RAW.
    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_icmp6_socket(), "ICMPv6 socket") }

    package var fd: Int32 { descriptor.raw }

    package func listen(on interface: UInt32) { apus_join_all_routers(descriptor.raw, interface) }

    /// Announces on the link that a router is here, which is nobody's default router (RFC 4861 section 4.2, Router
    /// Lifetime 0).
    @discardableResult
    package func advertise(on interface: UInt32) -> Bool {
        send(134, [64, 0, 0, 0] + [UInt8](repeating: 0, count: 8), group: allNodes, interface: interface)
    }

    /// Asks routers on the link to show themselves (section 4.1).
    @discardableResult
    package func solicit(on interface: UInt32) -> Bool {
        send(133, [0, 0, 0, 0], group: allRouters, interface: interface)
    }

    private var allNodes: IPAddress { IPAddress(high: 0xFF02 << 48, low: 1) }
    private var allRouters: IPAddress { IPAddress(high: 0xFF02 << 48, low: 2) }

    /// The kernel fills in the checksum.
    private func send(_ type: UInt8, _ body: [UInt8], group: IPAddress, interface: UInt32) -> Bool {
        sendDatagram(descriptor.raw, [type, 0, 0, 0] + body, to: SocketAddress(group, port: 0, scope: interface))
    }

    /// Nil where none waits; what RFC 4861 6.1 finds invalid is skipped: from further away, too short, not from a
    /// link-local address.
    package func receive() -> Message? {
        for _ in 0..<64 {
            guard let datagram = receiveDatagram(descriptor.raw) else { return nil }
            guard datagram.timeToLive == 255, datagram.interface != 0, datagram.bytes.count >= 8, datagram.bytes[1] == 0
            else { continue }
            if datagram.bytes[0] == 133 { return .solicitation(interface: datagram.interface) }
            let from = datagram.from.address
            guard datagram.bytes[0] == 134, datagram.bytes.count >= 16, from.isLinkLocal else { continue }
            return .advertisement(interface: datagram.interface, from: from.scoped(datagram.interface))
        }
        return nil
    }
}
