internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// An eventfd: another thread shows the loop that its mailbox is not empty.
package final class Wakeup: Sendable {
    package let fd: Int32

    package init() throws(SystemError) {
        fd = apus_eventfd()
        guard fd >= 0 else { throw .last("eventfd") }
    }

    deinit { close(fd) }

    package func signal() {
        var one: UInt64 = 1
        _ = unsafe write(fd, &one, 8)
    }

    package func clear() {
        var value: UInt64 = 0
        _ = unsafe read(fd, &value, 8)
    }
}

/// SIGTERM, SIGINT and SIGHUP as readable events. Made first thing in `main`, before any thread, so that all threads
/// have them blocked.
package struct SignalReader: ~Copyable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_signalfd(), "signalfd") }

    package var fd: Int32 { descriptor.raw }

    package enum Signal: Sendable { case terminate, reload }

    package func next() -> Signal? {
        switch apus_signalfd_read(descriptor.raw) {
        case SIGTERM, SIGINT: .terminate
        case SIGHUP: .reload
        default: nil
        }
    }
}
