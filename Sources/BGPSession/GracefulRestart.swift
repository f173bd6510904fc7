package import BGPMessages
package import NetTypes

/// What we say of our own restart in an OPEN (RFC 4724 section 4.1).
package struct RestartState: Sendable, Hashable {
    /// R: set from the start of the process until the session came up once, or the deferral ended.
    package var isRestarting: Bool
    /// F: families whose forwarding state the kernel still holds from before.
    package var preservedFamilies: AddressFamilySet
    package init(isRestarting: Bool = false, preservedFamilies: AddressFamilySet = []) {
        self.isRestarting = isRestarting
        self.preservedFamilies = preservedFamilies
    }
}

/// The helper's side of a peer's restart (RFC 4724 section 4.2, RFC 8538): which families' routes are kept, and until when.
package struct GracefulRestartHelper: Sendable, Hashable {
    /// Families whose routes are held as stale now.
    package private(set) var staleFamilies: AddressFamilySet = []
    /// While the session is down: when the stale routes go. After it came back: nil, End-of-RIB decides, and `endOfRIBDeadline` bounds it.
    package private(set) var restartDeadline: Instant?
    package private(set) var endOfRIBDeadline: Instant?

    /// A peer that came back but never sends End-of-RIB keeps its stale routes this long (RFC 4724 4.2: 'an upper bound').
    package static let endOfRIBLimit: Duration = .seconds(360)

    package init() {}

    /// The session went down. Answers the families whose routes are kept as stale; the routes of all others go now.
    package mutating func sessionDown(
        _ session: NegotiatedSession, reason: SessionDownReason, now: Instant
    ) -> AddressFamilySet {
        guard let capability = session.remoteGracefulRestart, reason.permitsGracefulRestart(bothNotify: capability.notification) else {
            clear()
            return []
        }
        var kept: AddressFamilySet = []
        for entry in capability.families {
            if let family = entry.afiSafi.family, session.families.contains(family) { kept.insert(AddressFamilySet(family)) }
        }
        guard !kept.isEmpty, capability.restartTime > 0 else {
            clear()
            return []
        }
        staleFamilies = kept
        restartDeadline = now + .seconds(Int64(capability.restartTime))
        endOfRIBDeadline = nil
        return kept
    }

    /// The session is back. Answers the families whose stale routes go at once: the peer did not keep forwarding, or dropped the family.
    package mutating func sessionUp(_ session: NegotiatedSession, now: Instant) -> AddressFamilySet {
        restartDeadline = nil
        guard !staleFamilies.isEmpty else { return [] }
        var keep: AddressFamilySet = []
        for entry in session.remoteGracefulRestart?.families ?? [] where entry.forwardingPreserved {
            if let family = entry.afiSafi.family, session.families.contains(family) { keep.insert(AddressFamilySet(family)) }
        }
        let flushed = staleFamilies.subtracting(keep)
        staleFamilies.formIntersection(keep)
        endOfRIBDeadline = staleFamilies.isEmpty ? nil : now + GracefulRestartHelper.endOfRIBLimit
        return flushed
    }

    /// End-of-RIB came. True where stale routes of the family are to be removed now.
    package mutating func endOfRIB(_ family: AddressFamily) -> Bool {
        guard staleFamilies.contains(family) else { return false }
        staleFamilies.remove(AddressFamilySet(family))
        if staleFamilies.isEmpty { endOfRIBDeadline = nil }
        return true
    }

    package var nextDeadline: Instant? { restartDeadline ?? endOfRIBDeadline }

    /// Answers the families whose stale routes go now, because a deadline passed.
    package mutating func handleTimeout(now: Instant) -> AddressFamilySet {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        let flushed = staleFamilies
        clear()
        return flushed
    }

    package mutating func clear() {
        staleFamilies = []
        restartDeadline = nil
        endOfRIBDeadline = nil
    }
}

/// Why a session ended, or could not begin.
package enum SessionDownReason: Sendable, Hashable {
    case notificationSent(NotificationMessage)
    case notificationReceived(NotificationMessage)
    /// The TCP connection was closed or failed.
    case connectionLost
    /// A graceful-restart capable peer opened a new connection (RFC 4724 4.2).
    case replacedByNewConnection
    case connectTimeout

    /// RFC 4724 4: a lost connection only. RFC 8538 3: with N on both sides also NOTIFICATIONs and the hold timer, but not a hard
    /// reset (Cease/9), and nothing that our own operator ordered.
    func permitsGracefulRestart(bothNotify: Bool) -> Bool {
        switch self {
        case .connectionLost, .replacedByNewConnection: true
        case .connectTimeout: false
        case .notificationReceived(let message): bothNotify && !(message.code == .cease && [3, 9].contains(message.subcode))
        case .notificationSent(let message): bothNotify && message.code == .holdTimerExpired
        }
    }
}

extension SessionDownReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notificationSent(let message): "sent \(message)"
        case .notificationReceived(let message): "received \(message)"
        case .connectionLost: "connection lost"
        case .replacedByNewConnection: "peer opened a new connection"
        case .connectTimeout: "connect timed out"
        }
    }
}
