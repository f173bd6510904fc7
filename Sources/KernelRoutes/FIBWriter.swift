package import FIB
package import LinuxIO
import Synchronization

/// Writes batches to the kernel on a thread of its own, because the kernel works on them inside the system call: the routing thread goes on with
/// BGP meanwhile. The thread holds no routing state.
package final class FIBWriter: Sendable {
    private struct State: Sendable {
        var batches: [[FIBOperation]] = []
        var results: [[FIBFailure]] = []
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
                while let batch = state.withLock({ $0.batches.isEmpty ? nil : $0.batches.removeFirst() }) {
                    let failures = box.table.apply(batch)
                    state.withLock { $0.results.append(failures) }
                    done.signal()
                }
            }
        }
    }

    /// Hands a batch over. Batches are written in order; the caller bounds how many it has out.
    package func submit(_ operations: [FIBOperation]) {
        state.withLock { $0.batches.append(operations) }
        work.signal()
    }

    /// What failed of the oldest batch that is out; nil while it is being written.
    package func takeResult() -> [FIBFailure]? {
        state.withLock { $0.results.isEmpty ? nil : $0.results.removeFirst() }
    }
}
