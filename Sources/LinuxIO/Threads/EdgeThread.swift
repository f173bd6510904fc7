internal import Glibc

// `unsafe` here: a reference goes through the C library to the new thread, retained once and released there, or here
// where there is no thread.

/// Runs a closure on a thread of its own: for edges that block (files, status clients), never for routing.
package func startEdgeThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Box(body))
    let failed = unsafe pthread_create(
        &thread, nil,
        { pointer in
            guard let pointer = unsafe pointer else { return nil }
            unsafe Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body()
            return nil
        }, unsafe box.toOpaque())
    if failed != 0 { unsafe box.release() } else { pthread_detach(thread) }
}

/// Lets an edge thread sleep.
package func pauseThread(milliseconds: UInt32) { usleep(milliseconds * 1000) }
