internal import Glibc

/// Runs a closure on a thread of its own: for edges that block (files, status clients), never for routing.
package func startEdgeThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let failed = pthread_create(
        &thread, nil,
        { pointer in
            guard let pointer else { return nil }
            Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    if failed != 0 { box.release() } else { pthread_detach(thread) }
}

/// Lets an edge thread sleep.
package func pauseThread(milliseconds: UInt32) { usleep(milliseconds * 1000) }
