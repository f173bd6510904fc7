package import StatusAPI

/// `apusctl doctor` while it goes on. What walks a table does so in slices, a turn each; what reads files or asks the
/// kernel waits in `checks` for a thread of its own.
package struct DoctorRound: Sendable {
    /// In the order in which they are shown.
    package var checks: [@Sendable () -> [Finding]] = []
    /// Where the walk over other programmers' routes goes on; nil when the round is complete.
    package var walk: PageCursor? = .start
    /// Their routes inside our pools, by protocol number.
    package var foreign: [UInt8: Int] = [:]
    /// Other programs' routes that the kernel prefers to ours, as far as they are named.
    package var winning: [Finding] = []

    package init() {}
    package mutating func add(_ findings: [Finding]) { checks.append { findings } }

    /// Runs the checks, in order.
    package func findings() -> [Finding] { checks.flatMap { $0() } }
}
