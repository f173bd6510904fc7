/// Values from edge threads to the routing thread: taken all at once, and the loop is woken (ARCHITECTURE, hard rule
/// 3).
package final class Mailbox<Value: Sendable>: Sendable {
    private let values = Locked<[Value]>([])
    private let wakeup: Wakeup

    package init(_ wakeup: Wakeup) { self.wakeup = wakeup }

    package func post(_ value: Value) {
        values.withLock { $0.append(value) }
        wakeup.signal()
    }

    package func takeAll() -> [Value] {
        values.withLock {
            let taken = $0
            $0 = []
            return taken
        }
    }
}

/// A value that one thread waits for and another one gives, once.
package final class Promise<Value: Sendable>: Sendable {
    private let state = Locked<Value?>(nil)
    private let wakeup: Wakeup?

    /// For one who waits for nothing else. It cannot wait where the system has no descriptors left.
    package init() { wakeup = try? Wakeup() }
    /// For one who waits for many things: the wakeup is signalled when the value is there.
    package init(_ wakeup: Wakeup) { self.wakeup = wakeup }

    /// Nil until it was given.
    package var value: Value? { state.withLock { $0 } }

    package func fulfil(_ value: Value) {
        state.withLock { $0 = value }
        wakeup?.signal()
    }

    /// Waits at most so long; nil then.
    package func wait(milliseconds: Int32) -> Value? {
        guard let wakeup else { return nil }
        _ = waitReadable(wakeup.fd, milliseconds: milliseconds)
        return state.withLock { $0 }
    }
}
