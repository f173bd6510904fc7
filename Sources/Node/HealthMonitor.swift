package import LinuxIO
package import NetTypes
package import StatusAPI

/// A node's health: what was found wrong, since when, and what the log has said of it.
///
/// Whoever shows health, be it status, doctor, readiness, metrics or the log, asks `observe` with what is found now;
/// so no two of them can disagree. What takes long to look at comes by `examined` from time to time.
package final class HealthMonitor {
    /// A line for the log.
    package enum Line: Sendable, Hashable {
        case found(Finding)
        /// It was found and said before, and is still so.
        case goesOn(Finding)
        case isOver(Finding)
    }

    private struct Known {
        var finding: Finding
        var firstSeen: Instant
        /// When the next line is due; nil for never.
        var nextLine: Instant?
        var lines = 0
        var isCurrent = true
    }

    /// How often the host is examined, beside the questions of doctor.
    package static let examinationInterval: Duration = .seconds(10)
    /// Between two looks at what is found, where something happens.
    private static let lookInterval: Duration = .seconds(1)
    /// A line about what goes on: after this time, and then after twice as long each time.
    private static let firstRepeat: Duration = .seconds(60)
    private static let lastRepeat: Duration = .seconds(3600)
    /// Findings that are remembered at most; beyond them nothing has a `since` of its own.
    private static let mostKnown = 4096

    private var known: [FindingIdentity: Known] = [:]
    private var lines: [Line] = []
    private var nextLine: Instant?
    /// Of the last examination of the host: findings, those that say that all is well included.
    package private(set) var examination: [Finding] = []
    /// Pages that are not served, by their flags.
    package private(set) var listeners: [String: FindingCause] = [:]
    /// The kernel's counts of segments that it dropped, and when each last grew.
    private var refusals: (counts: TCPRefusals, grew: [TCPRefusals.Reason: Instant])?
    private var nextExamination: Instant
    private var nextLook: Instant?
    private var lastLook: Instant?

    package init(now: Instant) { nextExamination = now }

    // MARK: What is found

    /// Takes what is found now, whole, and returns it with `since`, the worst first. `wallClock`: seconds since 1970.
    package func observe(_ findings: [Finding], now: Instant, wallClock: Double) -> [Finding] {
        lastLook = now
        nextLook = nil
        for identity in known.keys { known[identity]?.isCurrent = false }
        var result: [Finding] = []
        for var finding in findings where finding.severity != .fine {
            let identity = finding.cause.identity
            if let entry = known[identity] {
                finding.since = entry.finding.since
                known[identity]?.finding = finding
                known[identity]?.isCurrent = true
            } else {
                finding.since = wallClock
                if known.count < HealthMonitor.mostKnown {
                    known[identity] = Known(
                        finding: finding, firstSeen: now, nextLine: now + HealthMonitor.grace(finding.cause))
                }
            }
            result.append(finding)
        }
        for (identity, entry) in known.filter({ !$0.value.isCurrent }).sorted(by: { $0.key < $1.key }) {
            if entry.lines > 0 { lines.append(.isOver(entry.finding)) }
            known[identity] = nil
        }
        writeLines(now)
        return HealthMonitor.ordered(result)
    }

    /// The worst first; of one severity in the order in which they were found.
    private static func ordered(_ findings: [Finding]) -> [Finding] {
        Finding.Severity.allCases.flatMap { severity in findings.filter { $0.severity == severity } }
    }

    private func writeLines(_ now: Instant) {
        let due = known.filter { $0.value.nextLine.map { $0 <= now } ?? false }
        for (identity, entry) in due.sorted(by: { $0.key < $1.key }) {
            lines.append(entry.lines == 0 ? .found(entry.finding) : .goesOn(entry.finding))
            known[identity]?.lines += 1
            // A note is said once.
            guard entry.finding.severity.isUnhealthy else {
                known[identity]?.nextLine = nil
                continue
            }
            let pause = HealthMonitor.firstRepeat * (1 << min(entry.lines, 6))
            known[identity]?.nextLine = now + min(pause, HealthMonitor.lastRepeat)
        }
        nextLine = .earliest(known.values.map(\.nextLine))
    }

    /// What the log has to say since the last call, in the order of the findings' names.
    package func takeLines() -> [Line] {
        defer { lines = [] }
        return lines
    }

    /// How long something is found before the log says so: what is usual while a node or a pod starts is no news.
    private static func grace(_ cause: FindingCause) -> Duration {
        switch cause {
        case .starting, .peersDown, .peerDown, .bfdDown, .noPeerConfigured: .seconds(10)
        case .podNotUp, .morePodsNotUp, .routesMissing, .prefixNotAnnounced, .peerSentNoBlocks, .peersTooSlow:
            .seconds(3)
        default: .zero
        }
    }

    /// A page cannot be served, or is again. A look is due at once.
    package func listenerChanged(_ flag: String, _ cause: FindingCause?, now: Instant) {
        listeners[flag] = cause
        nextLook = now
    }

    // MARK: When to look

    /// Something happened: a look is due within a second.
    package func noteActivity(now: Instant) {
        guard nextLook == nil else { return }
        nextLook = max(now, (lastLook ?? now) + HealthMonitor.lookInterval)
    }

    /// A look is due.
    package func isDue(now: Instant) -> Bool {
        Instant.earliest(nextLine, nextLook).map { $0 <= now } ?? false
    }

    /// The host is to be examined; the next time after `examinationInterval`.
    package func takeExaminationDue(now: Instant) -> Bool {
        guard nextExamination <= now else { return false }
        nextExamination = now + HealthMonitor.examinationInterval
        return true
    }

    package var nextDeadline: Instant? { .earliest([nextLine, nextLook, nextExamination]) }

    /// What an examination of the host found, and what its kernel has counted. A look is due at once.
    package func examined(_ findings: [Finding], refusals counts: TCPRefusals, now: Instant) {
        examination = findings
        nextLook = now
        var grew = refusals?.grew ?? [:]
        if let before = refusals?.counts {
            for (reason, count) in counts.counts where count > before.counts[reason] ?? 0 { grew[reason] = now }
        }
        refusals = (counts, grew)
    }

    /// How long a count that grew says something: longer than peers wait between two attempts.
    private static let refusalTime: Duration = .seconds(180)

    /// Why the kernel drops segments now.
    package func recentRefusals(now: Instant) -> Set<TCPRefusals.Reason> {
        Set((refusals?.grew ?? [:]).filter { now - $0.value < HealthMonitor.refusalTime }.keys)
    }
}
