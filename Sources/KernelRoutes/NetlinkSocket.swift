internal import CLibMNL
internal import CLinux
internal import Glibc
import LinuxIO

/// A netlink socket (rtnetlink(7); with another bus netfilter's) through libmnl.
struct NetlinkSocket: ~Copyable {
    let socket: OpaquePointer
    let fd: Int32
    /// Our port: what the kernel writes into the notifications that our own requests cause.
    let port: UInt32

    /// `groups`: a mask of RTMGRP values; 0 for requests only.
    init(bus: Int32 = NETLINK_ROUTE, groups: UInt32, receiveBuffer: Int32, isNonBlocking: Bool) throws(SystemError) {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | (isNonBlocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
        guard let opened = mnl_socket_open2(bus, flags) else { throw .last("netlink socket") }
        guard mnl_socket_bind(opened, groups, 0) == 0 else {
            let error = SystemError.last("netlink bind")
            mnl_socket_close(opened)
            throw error
        }
        socket = opened
        fd = mnl_socket_get_fd(opened)
        port = mnl_socket_get_portid(opened)
        if apus_setsockopt_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer) != 0 {
            _ = apus_setsockopt_int(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer)
        }
        _ = apus_setsockopt_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20)
        if !isNonBlocking {
            // The kernel answers inside the system call; what does not come within ten seconds (contract 2.7, netlinkTimeout) does not come.
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            _ = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        // Error answers without a copy of the request.
        _ = apus_setsockopt_int(fd, SOL_NETLINK, Int32(NETLINK_CAP_ACK), 1)
    }

    deinit { mnl_socket_close(socket) }

    /// Sends a batch; errno, or 0.
    func send(_ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int32 {
        mnl_socket_sendto(socket, buffer, count) < 0 ? errno : 0
    }

    enum Received {
        case messages(Int)
        /// Nothing is there; of a blocking socket: nothing came within its time.
        case empty
        /// ENOBUFS: notifications were lost.
        case overflow
        case failed(Int32)
    }

    func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Received {
        var count = mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
        while count < 0, errno == EINTR { count = mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count) }
        if count > 0 { return .messages(count) }
        if count == 0 { return .empty }
        switch errno {
        case EAGAIN: return .empty
        case ENOBUFS: return .overflow
        default: return .failed(errno)
        }
    }
}

/// The messages of a received buffer, one after the other.
func forEachMessage(_ buffer: UnsafeMutableRawBufferPointer, _ count: Int, _ body: (UnsafePointer<nlmsghdr>) -> Bool) {
    var remaining = Int32(count)
    guard var header = UnsafeRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: nlmsghdr.self) else { return }
    while mnl_nlmsg_ok(header, remaining) {
        guard body(header) else { return }
        guard let next = mnl_nlmsg_next(header, &remaining) else { return }
        header = UnsafePointer(next)
    }
}

/// A message's fixed part; nil where the message is too short to have one. `Part` is a structure of C without pointers.
func fixedPart<Part: BitwiseCopyable>(_ header: UnsafePointer<nlmsghdr>, as part: Part.Type) -> Part? {
    guard header.pointee.nlmsg_len >= UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<Part>.size), let payload = apus_mnl_payload(header) else { return nil }
    return payload.loadUnaligned(as: Part.self)
}

/// The attributes behind a message's fixed part.
func forEachAttribute(_ header: UnsafePointer<nlmsghdr>, after extra: Int, _ body: (Int32, UnsafePointer<nlattr>) -> Void) {
    guard var attribute = UnsafePointer(apus_mnl_first(header, UInt32(extra))) else { return }
    while apus_mnl_attr_ok(attribute, header) != 0 {
        body(Int32(mnl_attr_get_type(attribute)), attribute)
        guard let next = mnl_attr_next(attribute) else { return }
        attribute = UnsafePointer(next)
    }
}

/// The attributes inside a nested one.
func forEachNested(_ outer: UnsafePointer<nlattr>, _ body: (Int32, UnsafePointer<nlattr>) -> Void) {
    let bytes = outer.bytes
    guard let start = bytes.baseAddress, bytes.count >= MemoryLayout<nlattr>.size else { return }
    let end = start + bytes.count
    var attribute = UnsafePointer(start.assumingMemoryBound(to: nlattr.self))
    while apus_mnl_subattr_ok(attribute, end) != 0 {
        body(Int32(mnl_attr_get_type(attribute)), attribute)
        guard let next = mnl_attr_next(attribute) else { return }
        attribute = UnsafePointer(next)
    }
}

extension UnsafePointer<nlattr> {
    /// The value as bytes.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: mnl_attr_get_payload(self), count: Int(mnl_attr_get_payload_len(self)))
    }
    /// A value of four octets in host order; 0 for any other size.
    var u32: UInt32 { mnl_attr_get_payload_len(self) == 4 ? mnl_attr_get_u32(self) : 0 }
}
