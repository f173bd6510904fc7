internal import CLinux
internal import Glibc
package import NetTypes

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// An address of an interface of this host.
package struct HostAddress: Sendable, Hashable {
    /// Of the interface; 0 where the kernel did not say.
    package var index: UInt32
    package var name: String
    /// Without scope.
    package var address: IPAddress
    package var prefixLength: UInt8
    /// IFF_UP of the interface.
    package var isUp: Bool

    package init(index: UInt32, name: String, address: IPAddress, prefixLength: UInt8, isUp: Bool = true) {
        self.index = index
        self.name = name
        self.isUp = isUp
        self.address = address
        self.prefixLength = prefixLength
    }
}

/// The addresses of this host's interfaces for who has no netlink socket: by netdevice(7) and /proc/net/if_inet6, which
/// need no privilege.
package enum HostAddresses {
    /// At most so many of a family are read.
    package static let limit = 4096

    /// All of the calling thread's network namespace, in the kernel's order. What cannot be read is left out.
    package static func read() -> [HostAddress] { readIPv4() + readIPv6() }

    private static func readIPv4() -> [HostAddress] {
        guard let socket = try? FileDescriptor(apus_udp_socket(AF_INET), "socket") else { return [] }
        let size = Int(APUS_IFREQ_SIZE)
        // The size that is needed, and some for what comes meanwhile.
        let needed = Int(apus_interface_addresses(socket.raw, nil, 0))
        guard needed > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: min(needed / size + 8, limit) * size)
        let length = unsafe Int(apus_interface_addresses(socket.raw, &buffer, Int32(buffer.count)))
        guard length > 0 else { return [] }
        var result: [HostAddress] = []
        for start in stride(from: 0, to: min(length, buffer.count) / size * size, by: size) {
            let request = Array(buffer[start..<start + size])
            // struct sockaddr_in: family 2, port 2, address 4.
            let place = Int(APUS_IFREQ_ADDRESS) + 4
            guard let address = IPAddress(bytes: request[place..<place + 4]) else { continue }
            // A label may follow the name after a colon.
            let name = String(decoding: request.prefix { $0 != 0 && $0 != UInt8(ascii: ":") }, as: UTF8.self)
            var mask: UInt32 = 0
            guard unsafe apus_interface_netmask(socket.raw, request, &mask) == 0 else { continue }
            let index = unsafe apus_interface_index(socket.raw, request)
            result.append(
                HostAddress(
                    index: UInt32(max(0, index)), name: name, address: address,
                    prefixLength: UInt8((~mask).leadingZeroBitCount),
                    isUp: unsafe apus_interface_is_up(socket.raw, request) != 0))
        }
        return result
    }

    private static func readIPv6() -> [HostAddress] {
        // One line is 54 bytes long.
        guard
            let file = unsafe try? FileDescriptor(
                open("/proc/thread-self/net/if_inet6", O_RDONLY | O_CLOEXEC), "if_inet6")
        else { return [] }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 12)
        while text.count < limit * 54 {
            let count = unsafe Glibc.read(file.raw, &chunk, chunk.count)
            guard count > 0 else { break }
            text.append(contentsOf: chunk[0..<count])
        }
        var result = parseIPv6(String(decoding: text, as: UTF8.self))
        guard let socket = try? FileDescriptor(apus_udp_socket(AF_INET), "socket") else { return result }
        for index in result.indices {
            var request = [UInt8](repeating: 0, count: Int(APUS_IFREQ_SIZE))
            for (place, byte) in result[index].name.utf8.prefix(Int(IFNAMSIZ) - 1).enumerated() {
                request[place] = byte
            }
            result[index].isUp = unsafe apus_interface_is_up(socket.raw, request) != 0
        }
        return result
    }

    /// Lines of /proc/net/if_inet6: `fe800000000000000000000000000001 02 40 20 80 eth0`, address, index, prefix length,
    /// scope and flags in hexadecimal, name.
    package static func parseIPv6(_ text: String) -> [HostAddress] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count == 6, fields[0].utf8.count == 32, let high = UInt64(fields[0].prefix(16), radix: 16),
                let low = UInt64(fields[0].suffix(16), radix: 16), let index = UInt32(fields[1], radix: 16),
                let length = UInt8(fields[2], radix: 16),
                length <= 128
            else { return nil }
            return HostAddress(
                index: index, name: String(fields[5]), address: IPAddress(high: high, low: low).unscoped,
                prefixLength: length)
        }
    }
}
