internal import CLinux
internal import Glibc

/// True where the descriptor became readable in time.
package func waitReadable(_ fd: Int32, milliseconds: Int32) -> Bool {
    var poller = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    return poll(&poller, 1, milliseconds) > 0
}

private func unixAddress(_ path: String) throws(SystemError) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw SystemError(code: ENAMETOOLONG, operation: "socket \(path)") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
}

/// A blocking stream over a socket that carries lines of text. For edge threads and the CLI, never for the routing thread.
package struct LineStream: ~Copyable {
    private let descriptor: FileDescriptor
    private var buffered: [UInt8] = []

    package init(connectingTo path: String) throws(SystemError) {
        let owned = try FileDescriptor(apus_unix_socket(), "socket")
        var address = try unixAddress(path)
        let answer = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(owned.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard answer == 0 else { throw .last(path) }
        descriptor = owned
    }

    /// An accepted socket, blocking; it gives up on a writer that takes nothing for ten seconds.
    init(accepted raw: Int32) throws(SystemError) {
        descriptor = try FileDescriptor(raw, "accept")
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// The next line without its end; nil at the end of the stream, after `milliseconds` of silence, or beyond `limit` octets.
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
            let count = read(descriptor.raw, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffered.append(contentsOf: chunk[0..<count])
        }
    }

    /// Writes a line. False where the other end is gone or takes nothing for ten seconds.
    package func writeLine(_ line: [UInt8]) -> Bool { write(line + [UInt8(ascii: "\n")]) }

    /// Writes octets as they are; answers as `writeLine`.
    package func write(_ data: [UInt8]) -> Bool {
        var sent = 0
        while sent < data.count {
            let count = data[sent...].withUnsafeBytes { send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
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

/// Where clients of a line protocol come from.
package protocol LineListener: ~Copyable, Sendable {
    /// Waits for a client; nil on an error that passes. For edge threads, never for the routing thread.
    func acceptStream() -> LineStream?
}

/// A listening unix socket. The file is replaced where it is left over from a dead process, and removed at the end.
package struct UnixListener: LineListener, ~Copyable {
    private let descriptor: FileDescriptor
    private let path: String

    /// Throws EADDRINUSE where a living process answers on the path.
    package init(path: String, mode: UInt32) throws(SystemError) {
        var address = try unixAddress(path)
        if (try? LineStream(connectingTo: path)) != nil { throw SystemError(code: EADDRINUSE, operation: path) }
        unlink(path)
        let owned = try FileDescriptor(apus_unix_socket(), "socket")
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(owned.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw .last(path) }
        guard chmod(path, mode_t(mode)) == 0, listen(owned.raw, 64) == 0 else { throw .last(path) }
        self.path = path
        descriptor = owned
    }

    deinit { unlink(path) }

    package func acceptStream() -> LineStream? {
        try? LineStream(accepted: Glibc.accept(descriptor.raw, nil, nil))
    }
}
