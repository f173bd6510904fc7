internal import CLinux
internal import Glibc
package import NetTypes

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// An address and a port; the one place that converts to and from `sockaddr_storage`.
package struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    package var address: IPAddress
    package var port: UInt16
    /// Interface of an IPv6 link-local address; 0 otherwise.
    package var scope: UInt32

    /// A link-local address that has its scope needs none beside it.
    package init(_ address: IPAddress, port: UInt16, scope: UInt32 = 0) {
        self.address = address
        self.port = port
        self.scope = scope == 0 ? address.scope : scope
    }

    /// IPv4-mapped IPv6 addresses come out as IPv4.
    init?(_ storage: sockaddr_storage) {
        var storage = storage
        let family = Int32(storage.ss_family)
        if family == AF_INET {
            let value = unsafe withUnsafeBytes(of: &storage) { unsafe $0.loadUnaligned(as: sockaddr_in.self) }
            self.init(IPAddress(v4: UInt32(bigEndian: value.sin_addr.s_addr)), port: UInt16(bigEndian: value.sin_port))
        } else if family == AF_INET6 {
            let value = unsafe withUnsafeBytes(of: &storage) { unsafe $0.loadUnaligned(as: sockaddr_in6.self) }
            let bytes = unsafe withUnsafeBytes(of: value.sin6_addr) { unsafe Array($0) }
            guard let address = IPAddress(bytes: bytes) else { return nil }
            if address.high == 0, address.low >> 32 == 0xFFFF {
                self.init(
                    IPAddress(v4: UInt32(truncatingIfNeeded: address.low)), port: UInt16(bigEndian: value.sin6_port))
            } else {
                self.init(
                    address.scoped(value.sin6_scope_id), port: UInt16(bigEndian: value.sin6_port),
                    scope: value.sin6_scope_id)
            }
        } else {
            return nil
        }
    }

    var storage: (value: sockaddr_storage, length: socklen_t) {
        var result = sockaddr_storage()
        if address.family == .ipv4 {
            var value = sockaddr_in()
            value.sin_family = sa_family_t(AF_INET)
            value.sin_port = port.bigEndian
            value.sin_addr.s_addr = address.v4.bigEndian
            unsafe withUnsafeMutableBytes(of: &result) { unsafe $0.storeBytes(of: value, as: sockaddr_in.self) }
            return (result, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        var value = sockaddr_in6()
        value.sin6_family = sa_family_t(AF_INET6)
        value.sin6_port = port.bigEndian
        value.sin6_scope_id = scope
        unsafe withUnsafeMutableBytes(of: &value.sin6_addr) { unsafe $0.copyBytes(from: address.unscoped.bytes) }
        unsafe withUnsafeMutableBytes(of: &result) { unsafe $0.storeBytes(of: value, as: sockaddr_in6.self) }
        return (result, socklen_t(MemoryLayout<sockaddr_in6>.size))
    }

    package var description: String { address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
