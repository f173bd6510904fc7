internal import CLinux
internal import Glibc
import NetTypes

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// An accepted stream socket that never blocks: for a thread that serves many clients at once.
package struct ClientSocket: ~Copyable {
    private let descriptor: FileDescriptor

    /// Takes over what accept(2) returned.
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    package var fd: Int32 { descriptor.raw }

    /// Appends what has come, at most so many bytes.
    package func receive(_ buffer: inout [UInt8], most: Int) -> IOOutcome {
        var chunk = [UInt8](repeating: 0, count: min(max(1, most), 1 << 14))
        let count = unsafe recv(descriptor.raw, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            buffer.append(contentsOf: chunk[0..<count])
            return .done(count)
        }
        if count == 0 { return .closed }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(errno)
    }

    /// Sends of `data` what stands behind the first `start` bytes, as far as the socket takes it.
    package func send(_ data: [UInt8], from start: Int) -> IOOutcome {
        let count = unsafe data[start...].withUnsafeBytes {
            unsafe Glibc.send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        if count >= 0 { return .done(count) }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(errno)
    }

    /// Half-closes: the client reads everything and then the end of the stream.
    package func finishWriting() { shutdown(descriptor.raw, Int32(SHUT_WR)) }
}

/// Where clients of a small protocol come from.
package protocol ClientListener: ~Copyable, Sendable {
    var fd: Int32 { get }
    /// A client, or nil where none waits. Throws where one waits and cannot be taken: no descriptors are left, say.
    func acceptClient() throws(SystemError) -> ClientSocket?
}

/// The common part of both kinds of listener.
func acceptClient(_ listener: borrowing FileDescriptor) throws(SystemError) -> ClientSocket? {
    guard waitReadable(listener.raw, milliseconds: 0) else { return nil }
    var from = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let raw = unsafe apus_accept(listener.raw, &from, &length)
    if raw < 0, [EAGAIN, EINTR, ECONNABORTED].contains(errno) { return nil }
    return ClientSocket(try FileDescriptor(raw, "accept4"))
}

/// A descriptor to wait for, and what became possible on it.
package struct PollEntry: Sendable {
    let fd: Int32
    let read: Bool
    let write: Bool
    package internal(set) var canRead = false
    package internal(set) var canWrite = false
    /// An error, or the other end is gone.
    package internal(set) var isBroken = false

    package init(_ fd: Int32, read: Bool = true, write: Bool = false) {
        self.fd = fd
        self.read = read
        self.write = write
    }
}

/// Waits until something is possible on one of a few descriptors, or the time is up; nil waits for ever (poll(2)).
package func waitForAny(_ entries: inout [PollEntry], timeout: Duration?) {
    var list = entries.map {
        pollfd(fd: $0.fd, events: Int16(($0.read ? POLLIN : 0) | ($0.write ? POLLOUT : 0)), revents: 0)
    }
    // Rounded up: a deadline has passed when the wait for it is over.
    let milliseconds = timeout.map { Int32(clamping: $0.nanoseconds / 1_000_000 + 1) } ?? -1
    guard unsafe poll(&list, nfds_t(list.count), timeout == .zero ? 0 : milliseconds) > 0 else { return }
    for (place, result) in list.enumerated() {
        entries[place].canRead = Int32(result.revents) & POLLIN != 0
        entries[place].canWrite = Int32(result.revents) & POLLOUT != 0
        entries[place].isBroken = Int32(result.revents) & (POLLERR | POLLHUP | POLLNVAL) != 0
    }
}
