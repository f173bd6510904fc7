internal import CLinux
internal import Glibc
package import NetTypes

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// What became of reading or writing.
package enum IOOutcome: Sendable, Equatable {
    case done(Int)
    case wouldBlock
    /// End of stream.
    case closed
    case failed(Int32)
}

/// A non-blocking TCP socket with the options of a BGP session: MD5 (RFC 2385), GTSM (RFC 5082).
package struct TCPSocket: ~Copyable {
    private let descriptor: FileDescriptor
    package let family: AddressFamily

    /// Options that must be set before the connection is made, because its first segment depends on them.
    package struct Options: Sendable, Hashable {
        /// RFC 2385; at most 80 bytes.
        package var password: [UInt8]?
        /// RFC 5082: the number of hops to the peer; packets with a TTL below 255 - hops + 1 are dropped.
        package var ttlSecurityHops: Int?
        /// RFC 5925, in place of a password.
        package var authentication: AuthenticationKey?
        package init(password: [UInt8]? = nil, ttlSecurityHops: Int? = nil) {
            self.password = password
            self.ttlSecurityHops = ttlSecurityHops
        }
    }

    /// A TCP-AO master key (RFC 5925 section 3.1, RFC 5926).
    package struct AuthenticationKey: Sendable, Hashable {
        /// At most 80 bytes.
        package var secret: [UInt8]
        package var sendID: UInt8
        package var receiveID: UInt8
        package var algorithm: Algorithm
        /// The message authentication code (RFC 5926).
        package enum Algorithm: Sendable, Hashable { case hmacSHA1, aes128CMAC, hmacSHA256 }
        package init(secret: [UInt8], sendID: UInt8, receiveID: UInt8, algorithm: Algorithm) {
            self.secret = secret
            self.sendID = sendID
            self.receiveID = receiveID
            self.algorithm = algorithm
        }

        /// The kernel's name of the algorithm and the bytes of the code.
        var kernelName: (name: String, length: UInt8) {
            switch algorithm {
            case .aes128CMAC: ("cmac(aes128)", 12)
            case .hmacSHA256: ("hmac(sha256)", 16)
            case .hmacSHA1: ("hmac(sha1)", 12)
            }
        }
    }

    /// Nil where the kernel has TCP-AO (RFC 5925); else the errno with which it refuses a key.
    package static func authenticationFailure() -> Int32? {
        let fd = apus_socket(AF_INET)
        guard fd >= 0 else { return errno }
        defer { close(fd) }
        let key = AuthenticationKey(secret: [1], sendID: 1, receiveID: 1, algorithm: .hmacSHA1)
        do throws(SystemError) {
            try setAuthentication(
                fd, SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0).storage.value, prefixLength: 32, key: key)
            return nil
        } catch {
            return error.code
        }
    }

    static func setAuthentication(
        _ fd: Int32, _ peer: sockaddr_storage, prefixLength: UInt8, key: AuthenticationKey
    ) throws(SystemError) {
        var peer = peer
        let (name, length) = key.kernelName
        guard
            unsafe apus_tcp_ao(
                fd, &peer, prefixLength, name, length, key.sendID, key.receiveID, key.secret,
                UInt8(clamping: key.secret.count)) == 0
        else {
            throw .last("TCP-AO key")
        }
    }

    /// The password of a running session (RFC 2385): what is sent and taken from now on.
    package func changePassword(_ password: [UInt8], peer: IPAddress) throws(SystemError) {
        try TCPSocket.setKey(
            descriptor.raw, SocketAddress(peer, port: 0).storage.value, prefixLength: UInt8(peer.family.bits),
            key: password)
    }

    /// Starts a connection; writability shows the end of it, and `connectError` how it went.
    package init(
        connectingTo peer: SocketAddress, from source: IPAddress?, _ options: Options
    ) throws(SystemError) {
        let family = peer.address.family
        let owned = try FileDescriptor(apus_socket(family == .ipv4 ? AF_INET : AF_INET6), "socket")
        _ = apus_nodelay(owned.raw)
        _ = apus_priority(owned.raw)
        if let password = options.password {
            let key = SocketAddress(peer.address, port: 0, scope: peer.scope).storage.value
            try TCPSocket.setKey(owned.raw, key, prefixLength: UInt8(peer.address.family.bits), key: password)
        }
        if let key = options.authentication {
            try TCPSocket.setAuthentication(
                owned.raw, SocketAddress(peer.address, port: 0).storage.value,
                prefixLength: UInt8(peer.address.family.bits), key: key)
        }
        try TCPSocket.secureTTL(owned.raw, family: family, options: options)
        if let source {
            var (value, length) = SocketAddress(source, port: 0).storage
            let bound = unsafe withUnsafePointer(to: &value) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(owned.raw, $0, length) }
            }
            guard bound == 0 else { throw .last("bind to \(source)") }
        }
        var (value, length) = peer.storage
        let answer = unsafe withUnsafePointer(to: &value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(owned.raw, $0, length) }
        }
        guard answer == 0 || errno == EINPROGRESS else { throw .last("connect to \(peer)") }
        self.family = family
        descriptor = owned
    }

    /// A connection that a listener accepted.
    init(accepted descriptor: consuming FileDescriptor, family: AddressFamily) {
        _ = apus_nodelay(descriptor.raw)
        _ = apus_priority(descriptor.raw)
        self.descriptor = descriptor
        self.family = family
    }

    package var fd: Int32 { descriptor.raw }

    /// 0 where the connection was made.
    package func connectError() -> Int32 { apus_socket_error(descriptor.raw) }

    package func apply(_ options: Options) throws(SystemError) {
        try TCPSocket.secureTTL(descriptor.raw, family: family, options: options)
    }

    /// Our end of the connection.
    package func localAddress() -> SocketAddress? { TCPSocket.localAddress(descriptor.raw) }

    static func localAddress(_ fd: Int32) -> SocketAddress? {
        var value = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let answer = unsafe withUnsafeMutablePointer(to: &value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(fd, $0, &length) }
        }
        return answer == 0 ? SocketAddress(value) : nil
    }

    /// Overwrites the first bytes of `buffer` with what has come.
    package func read(into buffer: inout [UInt8]) -> IOOutcome {
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe recv(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        if count > 0 { return .done(count) }
        if count == 0 { return .closed }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(errno)
    }

    /// Writes one piece.
    package func write(_ bytes: RawSpan) -> IOOutcome {
        unsafe TCPSocket.outcome(
            bytes.withUnsafeBytes {
                unsafe send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            })
    }

    /// Buffers that one call of `write` takes at most.
    package static let buffersInOneWrite = 64

    /// Writes the first buffers with one system call, without the first `offset` bytes.
    package func write(_ buffers: ArraySlice<MessageBuffer>, skipping offset: Int) -> IOOutcome {
        let buffers = buffers.prefix(TCPSocket.buffersInOneWrite)
        // Addresses leave the closure that lends them, but not this function: a buffer's bytes do not move, and the
        // buffers live until it returns.
        return withExtendedLifetime(buffers) {
            unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: TCPSocket.buffersInOneWrite) { vectors in
                var skipped = offset
                for (index, buffer) in buffers.enumerated() {
                    let piece = buffer.bytes.extracting(skipped..<buffer.count)
                    skipped = 0
                    unsafe vectors.initializeElement(
                        at: index,
                        to: piece.withUnsafeBytes {
                            unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
                        })
                }
                return unsafe TCPSocket.outcome(apus_writev(descriptor.raw, vectors.baseAddress, Int32(buffers.count)))
            }
        }
    }

    private static func outcome(_ count: Int) -> IOOutcome {
        if count >= 0 { return .done(count) }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(errno)
    }

    private static func secureTTL(_ fd: Int32, family: AddressFamily, options: Options) throws(SystemError) {
        guard let hops = options.ttlSecurityHops else {
            // What a listener with peers that use GTSM hands on to one that does not.
            _ = apus_ttl(fd, family == .ipv6 ? 1 : 0, -1)
            return
        }
        guard apus_ttl(fd, family == .ipv6 ? 1 : 0, 255) == 0,
            apus_minttl(fd, family == .ipv6 ? 1 : 0, Int32(256 - hops)) == 0
        else {
            throw .last("ttlSecurity")
        }
    }

    static func setKey(_ fd: Int32, _ peer: sockaddr_storage, prefixLength: UInt8, key: [UInt8]) throws(SystemError) {
        var peer = peer
        guard unsafe apus_tcp_md5(fd, &peer, prefixLength, key, UInt16(clamping: key.count)) == 0 else {
            // The listening socket's keys live in option memory (net.core.optmem_max).
            throw .last(errno == ENOMEM ? "TCP MD5 key (raise net.core.optmem_max)" : "TCP MD5 key")
        }
    }
}

/// A connection that somebody opened to a listener.
package struct AcceptedConnection: ~Copyable {
    package let socket: TCPSocket
    package let peer: SocketAddress

    /// Takes the socket out.
    package consuming func takeSocket() -> TCPSocket { socket }
}

/// A listening TCP socket of one family.
package struct TCPListener: ClientListener, ~Copyable {
    private let descriptor: FileDescriptor
    /// Where it listens; a port of 0 was replaced by the one that the kernel chose.
    package let address: SocketAddress

    /// Throws EADDRINUSE where another daemon has the port, EACCES without the capability to bind it. `mayBeForeign`: the
    /// address may come to the host later, and connections with it.
    package init(on address: SocketAddress, mayBeForeign: Bool = false) throws(SystemError) {
        let owned = try FileDescriptor(apus_socket(address.address.family == .ipv4 ? AF_INET : AF_INET6), "socket")
        _ = apus_reuseaddr(owned.raw)
        if address.address.family == .ipv6 { _ = apus_v6only(owned.raw) }
        if mayBeForeign { _ = apus_freebind(owned.raw, address.address.family == .ipv6 ? 1 : 0) }
        var (value, length) = address.storage
        let bound = unsafe withUnsafePointer(to: &value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(owned.raw, $0, length) }
        }
        guard bound == 0 else { throw .last("bind to \(address)") }
        guard listen(owned.raw, 1024) == 0 else { throw .last("listen on \(address)") }
        self.address = TCPSocket.localAddress(owned.raw) ?? address
        descriptor = owned
    }

    package var fd: Int32 { descriptor.raw }

    /// The MD5 key of a peer or a range of peers (TCP_MD5SIG_EXT); nil removes it.
    package func setPassword(_ password: [UInt8]?, for prefix: Prefix) throws(SystemError) {
        let key = SocketAddress(prefix.address, port: 0).storage.value
        if let password {
            try TCPSocket.setKey(descriptor.raw, key, prefixLength: prefix.length, key: password)
        } else {
            do throws(SystemError) {
                try TCPSocket.setKey(descriptor.raw, key, prefixLength: prefix.length, key: [])
            } catch {
                // Removing a key that is not there is success.
                guard error.code == ENOENT else { throw error }
            }
        }
    }

    /// The TCP-AO key of a peer or a range; nil removes `old`.
    package func setAuthentication(
        _ key: TCPSocket.AuthenticationKey?, old: TCPSocket.AuthenticationKey?, for prefix: Prefix
    ) throws(SystemError) {
        var address = SocketAddress(prefix.address, port: 0).storage.value
        if let old { _ = unsafe apus_tcp_ao_delete(descriptor.raw, &address, prefix.length, old.sendID, old.receiveID) }
        if let key { try TCPSocket.setAuthentication(descriptor.raw, address, prefixLength: prefix.length, key: key) }
    }

    /// RFC 5082 3: the handshake of a peer with GTSM leaves with TTL or hop limit 255 too, or the peer drops our
    /// SYN-ACK. An accepted socket inherits it.
    /// Off: the kernel's default again.
    package func setFullTimeToLive(_ isOn: Bool) throws(SystemError) {
        guard apus_ttl(descriptor.raw, address.address.family == .ipv6 ? 1 : 0, isOn ? 255 : -1) == 0 else {
            throw .last("time to live of a listener")
        }
    }

    /// A connection, or nil where none waits.
    package func accept() -> AcceptedConnection? {
        var from = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let raw = unsafe apus_accept(descriptor.raw, &from, &length)
        guard raw >= 0, let owned = try? FileDescriptor(raw, "accept4"), let peer = SocketAddress(from) else {
            return nil
        }
        return AcceptedConnection(socket: TCPSocket(accepted: owned, family: address.address.family), peer: peer)
    }

    package func acceptClient() throws(SystemError) -> ClientSocket? { try LinuxIO.acceptClient(descriptor) }
}

extension TCPSocket {
    /// Acknowledges what was read without delay (TCP_QUICKACK, tcp(7)); lasts until the kernel thinks otherwise.
    package func acknowledgeAtOnce() { _ = apus_quickack(fd) }

    /// Half-closes: the other end reads everything and then the end of the stream.
    package func finishWriting() { shutdown(fd, Int32(SHUT_WR)) }
}
