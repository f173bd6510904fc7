import FIB
import Forwarding
import Logging
import NetTypes
import Planning

/// When the kernel's routes are audited, and what audits found.
struct AuditSchedule {
    /// When the next slice is read, or the next audit begins.
    var at: Instant
    var count = 0
    /// Differences that audits found and notifications had not reported.
    var findings = 0
    /// Pause between two slices: a table of 100,000 routes is read in about a second.
    static let pause = Duration.milliseconds(2)

    init(at: Instant) { self.at = at }
}

/// The audit of the kernel's routes, a slice a turn.
extension KernelForwarding {
    /// A slice of the audit, where one is due: what notifications missed is found and put right (docs/promises.md,
    /// promise 8).
    func auditSlice(_ now: Instant) {
        guard audit.at <= now else { return }
        // A dry run counts its writes as done, and the kernel knows nothing of them.
        guard !isDryRun else {
            audit.at = now + core.state.auditInterval
            return
        }
        if !core.delta.isAuditing {
            guard host.beginAudit() else {
                audit.at = now + core.state.auditInterval
                return
            }
            core.delta.beginAudit()
        }
        switch host.readAudit({ core.delta.auditSaw($0) }) {
        case .more:
            // A dump that came between has read everything anyway.
            audit.at = now + (core.delta.isAuditing ? AuditSchedule.pause : core.state.auditInterval)
        case .complete:
            let found = core.delta.endAudit()
            audit.count += 1
            audit.findings += found
            core.tunnels.forgetEntries()
            if found > 0 {
                logger.warning(
                    "the audit found routes that no notification reported; they are put right",
                    metadata: ["routes": "\(found)"])
            }
            audit.at = now + core.state.auditInterval
        case .broken:
            core.delta.cancelAudit()
            audit.at = now + core.state.auditInterval
        }
    }
}
