internal import CLinux
internal import Glibc

/// A value behind a lock of the C library.
///
/// `Synchronization.Mutex` would do the same, but ThreadSanitizer does not see its futex on Linux, and reports a race
/// at every use.
@safe package final class Locked<Value>: @unchecked Sendable {
    private var value: Value
    // One allocation for the life of the lock: a pthread mutex must not move.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init(_ value: Value) {
        self.value = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        let error = unsafe pthread_mutex_init(mutex, nil)
        precondition(error == 0, "a mutex without attributes is always made")
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` while no other thread does.
    package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
