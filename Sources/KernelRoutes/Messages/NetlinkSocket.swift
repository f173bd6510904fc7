internal import CLibMNL
internal import CLinux
internal import Glibc
import LinuxIO
import NetTypes

// `unsafe` here: the socket of libmnl and the memory of a buffer, which their owners free and lend for the length of a
// call.

/// A netlink socket (rtnetlink(7); with another bus netfilter's) through libmnl.
@safe struct NetlinkSocket: ~Copyable {
    private let socket: OpaquePointer
    let fd: Int32
    /// Our port: what the kernel writes into the notifications that our own requests cause.
    let port: UInt32

    /// `groups`: a mask of RTMGRP values; 0 for requests only.
    init(bus: Int32 = NETLINK_ROUTE, groups: UInt32, receiveBuffer: Int32, isNonBlocking: Bool) throws(SystemError) {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | (isNonBlocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
        guard let opened = unsafe mnl_socket_open2(bus, flags) else { throw .last("netlink socket") }
        guard unsafe mnl_socket_bind(opened, groups, 0) == 0 else {
            let error = SystemError.last("netlink bind")
            unsafe mnl_socket_close(opened)
            throw error
        }
        unsafe socket = unsafe opened
        fd = unsafe mnl_socket_get_fd(opened)
        port = unsafe mnl_socket_get_portid(opened)
        if apus_setsockopt_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer) != 0 {
            _ = apus_setsockopt_int(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer)
        }
        _ = apus_setsockopt_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20)
        if !isNonBlocking {
            // The kernel answers inside the system call; what does not come within ten seconds (contract 2.7,
            // netlinkTimeout) does not come.
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            _ = unsafe setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        // Error answers without a copy of the request.
        _ = apus_setsockopt_int(fd, SOL_NETLINK, Int32(NETLINK_CAP_ACK), 1)
    }

    deinit { unsafe mnl_socket_close(socket) }

    /// Sends a batch; errno, or 0.
    func send(_ bytes: RawSpan) -> Int32 {
        unsafe bytes.withUnsafeBytes { unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count) } < 0 ? errno : 0
    }

    enum Received {
        case messages(Int)
        /// Nothing is there; of a blocking socket: nothing came within its time.
        case empty
        /// ENOBUFS: notifications were lost.
        case overflow
        case failed(Int32)
    }

    /// Overwrites the first bytes of `buffer` with the messages that came, as many as `messages` says.
    func receive(_ buffer: inout [UInt8]) -> Received {
        let socket = unsafe socket
        let count = unsafe buffer.withUnsafeMutableBytes { buffer in
            var count = unsafe mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
            while count < 0, errno == EINTR {
                count = unsafe mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
            }
            return count
        }
        if count > 0 { return .messages(count) }
        if count == 0 { return .empty }
        switch errno {
        case EAGAIN: return .empty
        case ENOBUFS: return .overflow
        default: return .failed(errno)
        }
    }

    /// Reads messages until `body` returns true: that was the last one. Returns nil then, else what came in its place:
    /// nothing within the socket's time, an overflow or an error.
    func readAnswers(_ buffer: inout [UInt8], _ body: (NetlinkMessage) -> Bool) -> Received? {
        while true {
            let received = receive(&buffer)
            guard case .messages(let count) = received else { return received }
            var isLast = false
            NetlinkMessage.forEach(buffer.rawSpan.part(0, count)) { message in
                isLast = body(message)
                return !isLast
            }
            if isLast { return nil }
        }
    }
}

/// Memory that requests are encoded into by libmnl, which wants an address: it is lent inside a closure.
@safe struct NetlinkBuffer: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        unsafe memory = .allocate(byteCount: byteCount, alignment: 16)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe memory.deallocate() }

    var count: Int { unsafe memory.count }

    /// Lends the memory to `body`, which returns how many bytes it wrote.
    mutating func encode(_ body: (UnsafeMutableRawPointer) -> Int) -> Int {
        guard let base = unsafe memory.baseAddress else { return 0 }
        return unsafe body(base)
    }

    /// The first `count` bytes.
    @_lifetime(borrow self)
    func bytes(_ count: Int) -> RawSpan {
        // The memory lives as long as its owner, and is changed by `encode` alone, which needs exclusive access.
        unsafe _overrideLifetime(RawSpan(_unsafeBytes: memory), borrowing: self).part(0, count)
    }
}
