import LinuxIO
import NetTypes

/// Counts the routes that the speaker under test has put into its kernel.
///
/// Each look walks the kernel's trie, 2 ms of a core for 100,000 routes, which the speaker under test may want: so
/// looks are 25 ms apart while much is left to come, and 2 ms towards the end, where they say when that is.
package struct KernelWatch {
    /// Whose namespace it is.
    private let process: Int32
    /// Routes that were there before the first phase.
    private let baseline: Int
    private var startedAt = Instant.zero
    private var leftAtStart = 0
    private var lastWanted = 0
    private(set) var nextLook = Instant.zero

    init(process: Int32) {
        self.process = process
        baseline = ProcessUsage.kernelRoutes(process) ?? 0
    }

    /// Routes that came since then; negative where more went.
    var count: Int { (ProcessUsage.kernelRoutes(process) ?? 0) - baseline }

    /// A phase begins, at whose end there are to be `wanted` routes.
    mutating func begin(_ wanted: Int, now: Instant) {
        startedAt = now
        nextLook = now
        leftAtStart = abs(wanted - lastWanted)
        lastWanted = wanted
    }

    /// True where the kernel has as many routes as are wanted. False without a look before its time.
    mutating func hasAll(_ wanted: Int, now: Instant) -> Bool {
        guard now >= nextLook else { return false }
        let left = abs(wanted - count)
        nextLook = now + KernelWatch.pause(left: left, of: leftAtStart, after: now - startedAt)
        return left == 0
    }

    /// Half of the time that the rest will take if it goes on as it went so far, 2 to 25 ms.
    package static func pause(left: Int, of all: Int, after elapsed: Duration) -> Duration {
        let done = all - left
        guard done > 0 else { return .milliseconds(25) }
        return max(.milliseconds(2), min(.milliseconds(25), elapsed * (Double(left) / Double(done) / 2)))
    }
}
