internal import CLinux
internal import Glibc
import NetTypes

// `unsafe` here: the kernel writes at most `capacity` events into memory that the poller owns, and no more than it
// returned are read.

/// What became possible on a descriptor.
package struct Readiness: Sendable {
    /// What `add` was given.
    package let token: UInt64
    package let canRead: Bool
    package let canWrite: Bool
    /// EPOLLERR or EPOLLHUP.
    package let isBroken: Bool
}

/// epoll, level-triggered. Tokens carry a generation, because a closed descriptor's number is reused inside one batch.
@safe package struct Poller: ~Copyable {
    private let epoll: FileDescriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private static let capacity = 256

    package init() throws(SystemError) {
        epoll = try FileDescriptor(apus_epoll_create(), "epoll_create1")
        unsafe events = .allocate(capacity: Poller.capacity)
    }

    deinit { unsafe events.deallocate() }

    package func add(_ fd: Int32, token: UInt64, write: Bool = false) throws(SystemError) {
        guard apus_epoll_add(epoll.raw, fd, mask(write), token) == 0 else { throw .last("epoll_ctl") }
    }

    /// Arms or disarms waiting for writability; armed only while something is queued. `read: false` pauses reading.
    package func modify(_ fd: Int32, token: UInt64, write: Bool, read: Bool = true) {
        _ = apus_epoll_mod(
            epoll.raw, fd, (read ? UInt32(APUS_EPOLLIN) : 0) | (write ? UInt32(APUS_EPOLLOUT) : 0), token)
    }

    package func remove(_ fd: Int32) { _ = apus_epoll_del(epoll.raw, fd) }

    /// Waits until something is ready or the time is up; nil waits for ever. Appends at most 256 entries.
    package func wait(timeout: Duration?, into ready: inout [Readiness]) {
        let count = unsafe apus_epoll_wait(
            epoll.raw, events, Int32(Poller.capacity), timeout.map { max(0, $0.nanoseconds) } ?? -1)
        for i in 0..<Int(max(0, count)) {
            let flags = unsafe apus_epoll_events(events + i)
            unsafe ready.append(
                Readiness(
                    token: apus_epoll_data(events + i), canRead: flags & UInt32(APUS_EPOLLIN) != 0,
                    canWrite: flags & UInt32(APUS_EPOLLOUT) != 0,
                    isBroken: flags & UInt32(APUS_EPOLLERR | APUS_EPOLLHUP) != 0))
        }
    }

    private func mask(_ write: Bool) -> UInt32 { UInt32(APUS_EPOLLIN) | (write ? UInt32(APUS_EPOLLOUT) : 0) }
}
