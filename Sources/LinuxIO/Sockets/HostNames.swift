internal import CLinux
internal import Glibc
package import NetTypes

// `unsafe` here: getaddrinfo(3) returns a list that is copied before it is freed.

/// Names of hosts, as the C library resolves them: /etc/hosts, DNS and what nsswitch.conf(5) says.
package enum HostNames {
    /// Every address of a name, in the resolver's order; empty where there is none. It may wait for seconds.
    package static func resolve(_ name: String) -> [IPAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list = unsafe UnsafeMutablePointer<addrinfo>?.none
        guard unsafe getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var result: [IPAddress] = []
        var entry = unsafe list
        while let current = unsafe entry {
            var storage = sockaddr_storage()
            let size = unsafe min(Int(current.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
            if let address = unsafe current.pointee.ai_addr {
                unsafe withUnsafeMutableBytes(of: &storage) { bytes in
                    unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size))
                }
            }
            if let found = SocketAddress(storage)?.address, !result.contains(found) { result.append(found) }
            unsafe entry = current.pointee.ai_next
        }
        return result
    }
}
