import BGPRouting
import NetTypes

/// Bounds the log lines that one peer's malformed messages cause: a peer can send them faster than any disk takes them.
struct LogLimiter {
    private struct Window {
        var began: Instant
        var count: Int
        var suppressed: Int
    }
    /// So many lines a peer in each interval.
    private static let limit = 10
    private static let interval: Duration = .seconds(10)
    private var windows: [PeerIndex: Window] = [:]

    /// Nil where the line is not to be written; else how many were left out since the last one that was.
    mutating func admit(_ peer: PeerIndex, now: Instant) -> Int? {
        var window = windows[peer] ?? Window(began: now, count: 0, suppressed: 0)
        if now - window.began >= LogLimiter.interval { window = Window(began: now, count: 0, suppressed: window.suppressed) }
        let isAdmitted = window.count < LogLimiter.limit
        let leftOut = window.suppressed
        window.count += isAdmitted ? 1 : 0
        window.suppressed = isAdmitted ? 0 : leftOut + 1
        windows[peer] = window
        return isAdmitted ? leftOut : nil
    }
}
