internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// True where the descriptor became readable in time.
package func waitReadable(_ fd: Int32, milliseconds: Int32) -> Bool {
    var poller = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&poller, 1, milliseconds) > 0
}

private func unixAddress(_ path: String) throws(SystemError) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError(code: ENAMETOOLONG, operation: "socket \(path)")
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    return address
}

/// Connects; returns errno, 0 for success.
private func connectUnix(_ raw: Int32, _ path: String) throws(SystemError) -> Int32 {
    var address = try unixAddress(path)
    let answer = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    return answer == 0 ? 0 : errno
}

/// A blocking stream over a unix socket that carries lines of text: the client's side. Not for the routing thread.
package struct LineStream: ~Copyable {
    private let descriptor: FileDescriptor
    private var buffered: [UInt8] = []

    /// EAGAIN where the server takes no more clients for ten seconds.
    package init(connectingTo path: String) throws(SystemError) {
        let owned = try FileDescriptor(apus_unix_socket(), "socket")
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        // unix(7): for connect(2), too.
        unsafe setsockopt(owned.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let error = try connectUnix(owned.raw, path)
        guard error == 0 else { throw SystemError(code: error, operation: path) }
        descriptor = owned
    }

    /// The next line without its end; nil at the end of the stream, after `milliseconds` of silence, or beyond `limit`
    /// bytes.
    package mutating func readLine(milliseconds: Int32, limit: Int) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 8192)
        var searched = 0
        while true {
            if let end = buffered[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffered[..<end])
                buffered.removeFirst(end + 1)
                return line
            }
            searched = buffered.count
            guard buffered.count <= limit, waitReadable(descriptor.raw, milliseconds: milliseconds) else { return nil }
            let count = unsafe read(descriptor.raw, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffered.append(contentsOf: chunk[0..<count])
        }
    }

    /// Writes a line. False where the other end is gone or takes nothing for ten seconds.
    package func writeLine(_ line: [UInt8]) -> Bool { write(line + [UInt8(ascii: "\n")]) }

    /// Writes bytes as they are; returns as `writeLine`.
    package func write(_ data: [UInt8]) -> Bool {
        var sent = 0
        while sent < data.count {
            let count = unsafe data[sent...].withUnsafeBytes {
                unsafe send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if count < 0, errno == EINTR {
                continue
            } else {
                return false
            }
        }
        return true
    }
}

/// The file of a listening unix socket, so that whoever ends the process in order can take it away.
package struct SocketFile: Sendable, Hashable {
    private let path: String
    private let device: UInt64
    private let inode: UInt64

    init?(_ path: String) {
        guard let status = FileStatus(path, followsLinks: false), status.isSocket else { return nil }
        self.path = path
        device = status.device
        inode = status.inode
    }

    /// Removes it, unless something else has its name by now.
    package func remove() {
        if self == SocketFile(path) { unsafe unlink(path) }
    }
}

/// A listening unix socket. A socket that is left over from a dead process is replaced; nothing else ever is.
package struct UnixListener: ClientListener, ~Copyable {
    private let descriptor: FileDescriptor
    /// For the end of the process.
    package let file: SocketFile

    /// Throws EADDRINUSE where a living process answers on the path, ENOTSOCK where something stands there that is no
    /// socket. `owner`: who has the socket's file.
    package init(path: String, mode: UInt32, owner: FileOwner? = nil) throws(SystemError) {
        var address = try unixAddress(path)
        if let there = FileStatus(path, followsLinks: false) {
            guard there.isSocket else { throw SystemError(code: ENOTSOCK, operation: path) }
            let probe = try FileDescriptor(apus_unix_socket(), "socket")
            // A full queue is a living process's.
            _ = fcntl(probe.raw, F_SETFL, O_NONBLOCK)
            let answer = try connectUnix(probe.raw, path)
            guard [ECONNREFUSED, ENOENT].contains(answer) else {
                throw SystemError(code: [0, EAGAIN].contains(answer) ? EADDRINUSE : answer, operation: path)
            }
            unsafe unlink(path)
        }
        let owned = try FileDescriptor(apus_unix_socket(), "socket")
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(owned.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw .last(path) }
        // The group before the mode lets it in.
        try owner?.take(path)
        guard unsafe chmod(path, mode_t(mode)) == 0, listen(owned.raw, 1024) == 0 else { throw .last(path) }
        guard let file = SocketFile(path) else { throw SystemError(code: ENOENT, operation: path) }
        self.file = file
        descriptor = owned
    }

    deinit { file.remove() }

    package var fd: Int32 { descriptor.raw }
    package func acceptClient() throws(SystemError) -> ClientSocket? { try LinuxIO.acceptClient(descriptor) }
}
