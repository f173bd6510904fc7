import BGPSpeaker
import ForwardingPlane
import LinuxIO
import NetTypes
import Node

/// Trims tables after they shrank to less than half and then stayed as they are for a while, and gives the memory back
/// to the kernel.
struct MemoryTrimmer {
    private var peak = 0
    private var usedBefore = 0
    /// When to trim, once nothing shrinks any more.
    private(set) var nextDeadline: Instant?
    /// Bytes that are worth it.
    private static let threshold = 1 << 20
    private static let delay = Duration.seconds(1)

    mutating func look(_ core: NodeCore) {
        let used = core.speaker.usedBytes
        peak = max(peak, used)
        guard used < peak / 2, peak > MemoryTrimmer.threshold else {
            nextDeadline = nil
            return
        }
        // Still shrinking: later.
        if nextDeadline == nil || used < usedBefore / 10 * 9 {
            usedBefore = used
            nextDeadline = core.now + MemoryTrimmer.delay
        }
        guard let due = nextDeadline, due <= core.now else { return }
        guard !core.hasMoreWork, core.speaker.trim(), core.plane.trim(now: core.now) else {
            nextDeadline = core.now + MemoryTrimmer.delay
            return
        }
        nextDeadline = nil
        peak = used
        ProcessMemory.giveBack()
    }
}
