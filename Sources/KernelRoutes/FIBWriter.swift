package import FIB
package import LinuxIO
import Synchronization

/// Writes batches to the kernel on a thread of its own, because the kernel works on them inside the system call: the routing thread goes on with
/// BGP meanwhile. One batch at a time; the thread holds no routing state.
package final class FIBWriter: Sendable {
    private struct State: Sendable {
        var batch: [FIBOperation]?
        var result: [FIBFailure]?
    }

    /// The table belongs to the thread, from the start of it.
    private final class TableBox: @unchecked Sendable {
        var table: NetlinkRouteTable
        init(_ table: consuming NetlinkRouteTable) { self.table = table }
    }

    private let state = Mutex(State())
    private let work: Wakeup
    /// Becomes readable when a result is there.
    package let done: Wakeup

    /// Takes over a table and starts the thread, which lives as long as the process.
    package init(_ table: consuming NetlinkRouteTable) throws(SystemError) {
        work = try Wakeup()
        done = try Wakeup()
        let box = TableBox(table)
        startEdgeThread { [self] in
            while true {
                guard waitReadable(work.fd, milliseconds: -1) else { continue }
                work.clear()
                guard let batch = state.withLock({ $0.batch }) else { continue }
                let failures = box.table.apply(batch)
                state.withLock {
                    $0.batch = nil
                    $0.result = failures
                }
                done.signal()
            }
        }
    }

    /// Hands a batch over. The one before must have been taken back by `takeResult`.
    package func submit(_ operations: [FIBOperation]) {
        state.withLock {
            precondition($0.batch == nil && $0.result == nil, "one batch at a time")
            $0.batch = operations
        }
        work.signal()
    }

    /// What failed of the batch; nil while it is being written.
    package func takeResult() -> [FIBFailure]? {
        state.withLock { state in
            defer { state.result = nil }
            return state.result
        }
    }
}
