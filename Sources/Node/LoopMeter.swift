package import NetTypes

/// What the turns of a routing loop cost: the loop counts, status and metrics read.
package struct LoopMeter: Sendable {
    /// The phases of one turn, in their order.
    package enum Phase: Int, CaseIterable, Sendable {
        case read, timeouts, decide, export, write, reconcile, control, connect
    }

    package let started: Instant
    package var keepalives = KeepaliveMeter()
    /// Nanoseconds spent in each phase, and the longest single run of it.
    package var phaseTime = [Int64](repeating: 0, count: Phase.allCases.count)
    package var phaseLongest = [Int64](repeating: 0, count: Phase.allCases.count)
    /// Nanoseconds of this thread's processor time that questions took in one turn at most: what other processes take
    /// away meanwhile is not in it.
    package var questionsLongest: Int64 = 0
    package var turns: UInt64 = 0
    /// When the loop last looked whether keepalives are due: nanoseconds of the monotonic clock.
    package var lastBreath: Int64 = 0

    package init(started: Instant) { self.started = started }
}

/// How late keepalives leave.
package struct KeepaliveMeter {
    /// Nanoseconds, at most.
    package private(set) var latest: Int64 = 0
    /// Turns that sent one later than `tolerance`.
    package private(set) var lateCount: UInt64 = 0
    private static let tolerance: Int64 = 100_000_000

    /// The first of the keepalives that leave at `now`, in nanoseconds, was due then.
    package mutating func sent(_ due: Instant, now: Int64) {
        let late = now - due.nanoseconds
        latest = max(latest, late)
        if late > KeepaliveMeter.tolerance { lateCount += 1 }
    }
}
