package import FIB
package import LinuxIO

/// Writes batches to the kernel on a thread of its own, because the kernel works on them inside the system call: the
/// routing thread goes on with BGP meanwhile. The thread holds no routing state.
package final class FIBWriter: Sendable {
    private enum Order: Sendable {
        case batch(FIBBatch)
        case drop(Set<FIBNextHop>)
    }

    private struct State: Sendable {
        var orders: [Order] = []
        var results: [FIBResult] = []
    }

    /// The table belongs to the thread, from the start of it.
    private final class TableBox: @unchecked Sendable {
        var table: NetlinkRouteTable
        init(_ table: consuming NetlinkRouteTable) { self.table = table }
    }

    private let state = Locked(State())
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
                while let order = state.withLock({ $0.orders.isEmpty ? nil : $0.orders.removeFirst() }) {
                    let result: FIBResult =
                        switch order {
                        case .batch(let batch): .batch(box.table.apply(batch))
                        case .drop(let hops): .dropped(box.table.dropHops(hops))
                        }
                    state.withLock { $0.results.append(result) }
                    done.signal()
                }
            }
        }
    }

    /// Hands a batch over. Orders are carried out one after the other; the caller bounds how many batches it has out.
    package func submit(_ batch: FIBBatch) { submit(.batch(batch)) }

    /// Has dead next hops taken out of every group.
    package func drop(_ hops: Set<FIBNextHop>) { submit(.drop(hops)) }

    private func submit(_ order: Order) {
        state.withLock { $0.orders.append(order) }
        work.signal()
    }

    /// What came of the oldest order that is out; nil while it is being carried out.
    package func takeResult() -> FIBResult? {
        state.withLock { $0.results.isEmpty ? nil : $0.results.removeFirst() }
    }
}
