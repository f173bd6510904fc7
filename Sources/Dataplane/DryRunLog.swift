import FIB
import NetTypes

/// What a dry run has said.
struct DryRun {
    /// Of a prefix, last: what a dump finds missing again need not be said again.
    private var reported: [Prefix: FIBOperation] = [:]
    var log = DryRunLog()

    /// Whether an operation is worth a line.
    mutating func admit(_ operation: FIBOperation, now: Instant) -> Bool {
        reported.updateValue(operation, forKey: operation.prefix) != operation && log.admit(now: now)
    }
}

/// What a dry run says of the routes that it would write: the first ten of a burst, and how many more there were when
/// it is over. A line for each route of a full table would help nobody.
struct DryRunLog {
    private static let linesPerBurst = 10
    /// A burst is over when nothing came for so long, and is summed up at the latest after so long.
    private static let pause = Duration.seconds(1)
    private static let longest = Duration.seconds(30)

    private var began: Instant?
    private var last: Instant = .zero
    private var lines = 0
    private var more = 0

    /// When the sum is due.
    var nextDeadline: Instant? { began.map { min(last + DryRunLog.pause, $0 + DryRunLog.longest) } }

    /// Whether an operation is worth a line of its own.
    mutating func admit(now: Instant) -> Bool {
        if began == nil { began = now }
        last = now
        guard lines < DryRunLog.linesPerBurst else {
            more += 1
            return false
        }
        lines += 1
        return true
    }

    /// How many more there were, once the burst is over; nil before that, and where there were none.
    mutating func sum(now: Instant) -> Int? {
        guard let due = nextDeadline, due <= now else { return nil }
        defer { self = DryRunLog() }
        return more > 0 ? more : nil
    }
}
