package import BGPRouting
package import NetTypes

/// Bounds the log lines that others can cause: strangers before they are known, peers with messages that come faster
/// than any disk takes lines.
///
/// Each subject has its own share, so that one does not hide another. What is remembered is bounded too: beyond
/// `capacity` subjects the new ones share one window until old ones are forgotten.
package struct LogLimiter: Sendable {
    /// On whose account a line is written.
    package enum Subject: Sendable, Hashable {
        case peer(PeerIndex)
        /// A dynamic peer, whose index changes with each connection.
        case address(IPAddress)
        /// All dynamic peers of a range, by the name of its object.
        case range(String)
        /// Everybody who is no peer.
        case strangers
        /// Whoever comes when too many are remembered.
        case others
        var limit: Int {
            switch self {
            case .peer, .address, .strangers: 10
            case .range, .others: 50
            }
        }
    }

    /// Lines of one kind do not use up the share of another.
    package enum Kind: Sendable, Hashable {
        case session, attempt, routes, fault, refusal, bfd
    }

    private struct Key: Hashable, Sendable {
        var subject: Subject
        var kind: Kind
    }

    private struct Window: Sendable {
        var began: Instant
        var count = 0
        var suppressed = 0
    }

    /// A subject's lines are counted over this time.
    package static let interval: Duration = .seconds(10)
    private let capacity: Int
    private var windows: [Key: Window] = [:]
    private var forgotAt: Instant?

    /// `capacity`: subjects that are remembered, each kind counted by itself.
    package init(capacity: Int = 8192) { self.capacity = capacity }

    package var count: Int { windows.count }

    /// Nil where the line is not to be written; else how many were left out since the last one that was.
    package mutating func admit(_ subject: Subject, _ kind: Kind, now: Instant) -> Int? {
        var key = Key(subject: subject, kind: kind)
        if windows[key] == nil, windows.count >= capacity {
            forget(now)
            if windows.count >= capacity { key.subject = .others }
        }
        var window = windows[key] ?? Window(began: now)
        if now - window.began >= LogLimiter.interval { window = Window(began: now, suppressed: window.suppressed) }
        let isAdmitted = window.count < key.subject.limit
        let leftOut = window.suppressed
        window.count += isAdmitted ? 1 : 0
        window.suppressed = isAdmitted ? 0 : leftOut + 1
        windows[key] = window
        return isAdmitted ? leftOut : nil
    }

    /// A dynamic peer's line counts for itself and for its range. How many were left out is of the range.
    package mutating func admit(dynamic address: IPAddress, of range: String, _ kind: Kind, now: Instant) -> Int? {
        guard admit(.address(address), kind, now: now) != nil else { return nil }
        return admit(.range(range), kind, now: now)
    }

    /// Windows that are over, once an interval: a walk over all of them for every stranger would be what strangers are
    /// after.
    private mutating func forget(_ now: Instant) {
        if let forgotAt, now - forgotAt < LogLimiter.interval { return }
        forgotAt = now
        windows = windows.filter { now - $0.value.began < LogLimiter.interval }
    }
}
