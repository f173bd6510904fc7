import LinuxIO
import Synchronization

/// Clients of a line protocol, each on a thread of its own, so many at a time: one more is closed at once.
enum LineServer {
    /// Takes the listener over. `serve` returns when the client is done with.
    static func start<Listener: LineListener & ~Copyable>(
        _ listener: consuming Listener, maximumClients: Int, serve: @escaping @Sendable (inout LineStream) -> Void
    ) {
        let box = ListenerBox(listener)
        let clients = Counter()
        startEdgeThread {
            while true {
                guard let stream = box.listener.acceptStream() else {
                    // No descriptors are left, say: the client waits on, and asking again at once would not help it.
                    pauseThread(milliseconds: 100)
                    continue
                }
                guard clients.add(1) <= maximumClients else {
                    clients.add(-1)
                    continue
                }
                let owned = StreamBox(stream)
                startEdgeThread {
                    serve(&owned.stream)
                    clients.add(-1)
                }
            }
        }
    }

    private final class ListenerBox<Listener: LineListener & ~Copyable>: Sendable {
        let listener: Listener
        init(_ listener: consuming Listener) { self.listener = listener }
    }

    /// Owned by one thread after another, never by two.
    private final class StreamBox: @unchecked Sendable {
        var stream: LineStream
        init(_ stream: consuming LineStream) { self.stream = stream }
    }

    /// A number that threads share.
    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        @discardableResult
        func add(_ delta: Int) -> Int { value.wrappingAdd(delta, ordering: .sequentiallyConsistent).newValue }
    }
}
