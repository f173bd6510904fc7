internal import CLinux
internal import Glibc
package import NetTypes

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// A datagram with what its header said.
package struct Datagram: Sendable {
    package var from: SocketAddress
    /// -1 where the kernel did not say.
    package var timeToLive: Int32
    /// The interface it came by; 0 where the kernel did not say.
    package var interface: UInt32
    package var bytes: [UInt8]
}

/// A non-blocking UDP socket that sends with TTL 255 (RFC 5881 section 5), and returns the TTL of what it receives.
package struct UDPSocket: ~Copyable {
    private let descriptor: FileDescriptor

    /// Bound to an address and port; port 0 lets the kernel choose. `isShared`: others may be bound beside it.
    package init(on address: SocketAddress, isShared: Bool = false) throws(SystemError) {
        let isIPv6 = address.address.family == .ipv6
        let owned = try FileDescriptor(apus_udp_socket(isIPv6 ? AF_INET6 : AF_INET), "socket")
        if isIPv6 { _ = apus_v6only(owned.raw) }
        if isShared { _ = apus_reuseaddr(owned.raw) }
        _ = apus_ttl(owned.raw, isIPv6 ? 1 : 0, 255)
        guard apus_receive_ttl(owned.raw, isIPv6 ? 1 : 0) == 0 else { throw .last("receive TTL") }
        var (value, length) = address.storage
        let bound = unsafe withUnsafePointer(to: &value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(owned.raw, $0, length) }
        }
        guard bound == 0 else { throw .last("bind to UDP \(address)") }
        descriptor = owned
    }

    package var fd: Int32 { descriptor.raw }

    /// False where the kernel did not take it: the next packet may do better.
    @discardableResult
    package func send(_ bytes: [UInt8], to peer: SocketAddress) -> Bool {
        sendDatagram(descriptor.raw, bytes, to: peer)
    }

    package func receive() -> Datagram? { receiveDatagram(descriptor.raw) }
}

extension UDPSocket {
    /// The address of ours from which the kernel would send to another one; nil where it has no route. Nothing is sent.
    package static func sourceAddress(towards destination: IPAddress) -> IPAddress? {
        let isIPv6 = destination.family == .ipv6
        guard let socket = try? FileDescriptor(apus_udp_socket(isIPv6 ? AF_INET6 : AF_INET), "socket") else {
            return nil
        }
        var (value, length) = SocketAddress(destination, port: 80).storage
        let connected = unsafe withUnsafePointer(to: &value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket.raw, $0, length)
            }
        }
        return connected == 0 ? TCPSocket.localAddress(socket.raw)?.address.unscoped : nil
    }
}

func sendDatagram(_ fd: Int32, _ bytes: [UInt8], to peer: SocketAddress) -> Bool {
    var (value, length) = peer.storage
    let sent = unsafe withUnsafePointer(to: &value) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe sendto(fd, bytes, bytes.count, Int32(MSG_DONTWAIT), $0, length)
        }
    }
    return sent == bytes.count
}

/// Nil where none waits. At most 2,048 bytes.
func receiveDatagram(_ fd: Int32) -> Datagram? {
    var from = sockaddr_storage()
    var ttl: Int32 = -1
    var interface: UInt32 = 0
    var buffer = [UInt8](repeating: 0, count: 2048)
    let count = unsafe apus_receive_with_ttl(fd, &buffer, buffer.count, &from, &ttl, &interface)
    guard count >= 0, let peer = SocketAddress(from) else { return nil }
    return Datagram(from: peer, timeToLive: ttl, interface: interface, bytes: Array(buffer.prefix(count)))
}
