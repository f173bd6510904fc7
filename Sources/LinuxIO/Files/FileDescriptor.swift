internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// A system call that failed: errno and what was being done.
package struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
    package let code: Int32
    package let operation: String
    package init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }
    /// From errno, which must be read at once.
    package static func last(_ operation: String) -> SystemError { SystemError(code: errno, operation: operation) }
    package var description: String { unsafe "\(operation): \(String(cString: strerror(code)))" }

    package static let addressInUse = EADDRINUSE
    package static let addressNotAvailable = EADDRNOTAVAIL
    package static let familyNotSupported = EAFNOSUPPORT
    package static let protocolOptionUnknown = ENOPROTOOPT
    package static let notSocket = ENOTSOCK
    package static let tryAgain = EAGAIN
    package static let permissionDenied = EACCES
}

/// The text of an errno value.
package func errorText(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

/// Owns a descriptor and closes it.
package struct FileDescriptor: ~Copyable {
    package let raw: Int32

    /// Takes over a descriptor that a system call answered; throws what errno says where that is negative.
    package init(_ raw: Int32, _ operation: String) throws(SystemError) {
        guard raw >= 0 else { throw .last(operation) }
        self.raw = raw
    }

    deinit { close(raw) }
}

/// Monotonic time in nanoseconds: the one clock of the shells.
package func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Processor time of the calling thread in nanoseconds. Cost: a system call.
package func threadNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Wall-clock seconds since 1970, for people.
package func wallClockSeconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
