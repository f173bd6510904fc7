import FIB

/// Batches that were handed over and are not acknowledged yet, oldest first.
struct BatchesInFlight {
    /// So many that the writer never idles while a turn goes on that takes many UPDATEs in: eight are 20 ms of work.
    private static let limit = 8
    /// Nil for an order to drop next hops.
    private var batches: [FIBBatch?] = []

    var isEmpty: Bool { batches.isEmpty }
    var hasRoom: Bool { batches.count < BatchesInFlight.limit }
    /// An order to drop next hops is among them.
    var hasDrop: Bool { batches.contains { $0 == nil } }
    /// Routes that are being written.
    var routeCount: Int { batches.reduce(0) { $0 + ($1?.count ?? 0) } }

    mutating func add(_ batch: FIBBatch) { batches.append(batch) }
    mutating func addDrop() { batches.append(nil) }
    mutating func removeFirst() -> FIBBatch { batches.removeFirst() ?? [] }
}
