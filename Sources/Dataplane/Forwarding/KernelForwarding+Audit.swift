import FIB
import KernelRoutes
import Logging
import NetTypes
import Planning

/// The audit of the kernel's routes, a slice a turn.
extension KernelForwarding {
    /// A slice of the audit, where one is due: what notifications missed is found and put right (SPEC, promise 8).
    func auditSlice(_ now: Instant) {
        guard auditAt <= now else { return }
        // A dry run counts its writes as done, and the kernel knows nothing of them.
        guard !settings.isDryRun else {
            auditAt = now + state.auditInterval
            return
        }
        if !delta.isAuditing {
            guard audit.begin() else {
                auditAt = now + state.auditInterval
                return
            }
            delta.beginAudit()
        }
        switch audit.read({ delta.auditSaw($0) }) {
        case .more:
            // A dump that came between has read everything anyway.
            auditAt = now + (delta.isAuditing ? KernelForwarding.auditPause : state.auditInterval)
        case .complete:
            let found = delta.endAudit()
            auditCount += 1
            auditFindings += found
            tunnels.forgetEntries()
            if found > 0 {
                logger.warning(
                    "the audit found routes that no notification told of; they are put right",
                    metadata: ["routes": "\(found)"])
            }
            auditAt = now + state.auditInterval
        case .broken:
            delta.cancelAudit()
            auditAt = now + state.auditInterval
        }
    }
}
