import LinuxIO
import NetTypes
import Resources
import StatusAPI

/// `apusctl doctor` while it goes on. What walks a table does so in slices, a turn each; what reads files or asks the kernel waits in `checks` for a
/// thread of its own.
struct DoctorRound: Sendable {
    /// In the order in which they are shown.
    var checks: [@Sendable () -> [Finding]] = []
    /// Where the walk over other programmers' routes goes on; nil when the round is complete.
    var walk: PageCursor? = .start
    /// Their routes inside our pools, by protocol number.
    var foreign: [UInt8: Int] = [:]

    mutating func add(_ findings: [Finding]) { checks.append { findings } }

    /// Runs the checks, in order.
    func findings() -> [Finding] { checks.flatMap { $0() } }
}

extension StatusBuilder {
    /// The round's beginning: what the daemon knows of itself.
    func beginDoctor() -> DoctorRound {
        let status = status()
        var findings: [Finding] = []
        for problem in loop.peering.loaded.resources.problems { findings.append(Finding(.fault, "resources", problem.description)) }
        for alarm in loop.peering.alarms { findings.append(Finding(.fault, "resources", alarm)) }
        for held in status.peersHeldDown { findings.append(Finding(.warning, "peers", "\(held.name) \(held.address) is kept down: \(held.reason)")) }
        if status.peersConfigured == 0 {
            findings.append(Finding(.warning, "peers", "none is configured: no route comes or goes"))
        } else if status.peersEstablished < status.peersConfigured {
            findings.append(
                Finding(
                    status.peersEstablished == 0 ? .fault : .warning, "peers",
                    "\(status.peersConfigured - status.peersEstablished) of \(status.peersConfigured) are not established; apusctl peers says why"))
        } else {
            findings.append(Finding(.fine, "peers", "all \(status.peersConfigured) are established"))
        }
        var round = DoctorRound()
        round.add(findings)
        return round
    }
}
