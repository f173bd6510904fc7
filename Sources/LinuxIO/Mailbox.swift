import Synchronization

/// Values from edge threads to the routing thread: taken all at once, and the loop is woken (DESIGN, hard rule 3).
package final class Mailbox<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    private let wakeup: Wakeup

    package init(_ wakeup: Wakeup) { self.wakeup = wakeup }

    package func post(_ value: Value) {
        values.withLock { $0.append(value) }
        wakeup.signal()
    }

    /// Posts a question and waits at most so long for its answer; nil then.
    package func ask<Answer>(milliseconds: Int32, _ question: (Promise<Answer>) -> Value) -> Answer? {
        let promise = Promise<Answer>()
        post(question(promise))
        return promise.wait(milliseconds: milliseconds)
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
    private let state = Mutex<Value?>(nil)
    private let wakeup: Wakeup?

    /// Nil where the system has no descriptors left.
    package init() { wakeup = try? Wakeup() }

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
