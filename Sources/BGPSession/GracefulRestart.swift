public import BGPMessages
public import NetTypes

/// What we say of our own restart in an OPEN (RFC 4724 section 4.1).
public struct RestartState: Sendable, Hashable {
    /// R: set from the start of the process until the session came up once, or the deferral ended.
    public var isRestarting: Bool
    /// F: families whose forwarding state the kernel still holds from before.
    public var preservedFamilies: AddressFamilySet
    public init(isRestarting: Bool = false, preservedFamilies: AddressFamilySet = []) {
        self.isRestarting = isRestarting
        self.preservedFamilies = preservedFamilies
    }
}

/// The helper's side of a peer's restart (RFC 4724 section 4.2, RFC 8538, RFC 9494): which families' routes are kept,
/// and until when.
///
/// ```
///   session down ──> stale, Restart Time ──> long-lived stale, LLST of each family ──> gone
///                        └────── session up, End-of-RIB: what was not sent again goes ──────┘
/// ```
public struct GracefulRestartHelper: Sendable, Hashable {
    /// What a deadline or the end of a session did to the stale routes.
    public struct Outcome: Sendable, Hashable {
        /// Families whose stale routes go now.
        public var flushed: AddressFamilySet = []
        /// Families whose stale routes are the least preferred from now on (RFC 9494 section 4.2).
        public var longLived: AddressFamilySet = []
        public init() {}
    }

    /// Families whose routes are held as stale now.
    public private(set) var staleFamilies: AddressFamilySet = []
    /// Those of them that are beyond the restart time.
    public private(set) var longLivedFamilies: AddressFamilySet = []
    /// While the session is down: when the restart time is over. After it came back: nil, End-of-RIB decides, and
    /// `endOfRIBDeadline` bounds it.
    public private(set) var restartDeadline: Instant?
    public private(set) var endOfRIBDeadline: Instant?
    /// By family: when the long-lived stale time is over. It runs on over consecutive restarts until the peer has sent
    /// its table.
    private var longLivedDeadlines: [Instant?] = [nil, nil]
    /// By family: what the peer asked for.
    private var longLivedTimes: [Duration] = [.zero, .zero]

    /// A peer that came back but never sends End-of-RIB keeps its stale routes this long (RFC 4724 4.2: 'an upper
    /// bound').
    public static let endOfRIBLimit: Duration = .seconds(360)

    public init() {}

    /// The session went down. Returns the families whose routes are kept as stale, and those of them that are
    /// long-lived at once because the peer gave them no restart time; the routes of all others go now.
    public mutating func sessionDown(
        _ session: NegotiatedSession, reason: SessionDownReason, now: Instant
    ) -> (kept: AddressFamilySet, longLived: AddressFamilySet) {
        guard let capability = session.remoteGracefulRestart,
            reason.permitsGracefulRestart(bothNotify: session.preservesOverNotification)
        else {
            clear()
            return ([], [])
        }
        var restarting: AddressFamilySet = []
        for entry in capability.families where capability.restartTime > 0 {
            if let family = entry.afiSafi.family, session.families.contains(family) {
                restarting.insert(AddressFamilySet(family))
            }
        }
        var kept = restarting
        for family in session.families.families {
            longLivedTimes[family.index] = session.longLivedStaleTime(family)
            if longLivedTimes[family.index] > .zero || longLivedDeadlines[family.index].map({ $0 > now }) ?? false {
                kept.insert(AddressFamilySet(family))
            }
        }
        for family in AddressFamily.allCases where !kept.contains(family) { longLivedDeadlines[family.index] = nil }
        guard !kept.isEmpty else {
            clear()
            return ([], [])
        }
        staleFamilies = kept
        longLivedFamilies.formIntersection(kept)
        restartDeadline = restarting.isEmpty ? nil : now + .seconds(Int64(capability.restartTime))
        endOfRIBDeadline = nil
        // RFC 9494 4.2: a restart time of zero is over at once.
        return (kept, beginLongLived(kept.subtracting(restarting), now).longLived)
    }

    /// The restart time of these families is over.
    private mutating func beginLongLived(_ families: AddressFamilySet, _ now: Instant) -> Outcome {
        var outcome = Outcome()
        for family in families.families {
            if longLivedDeadlines[family.index] == nil, longLivedTimes[family.index] > .zero {
                longLivedDeadlines[family.index] = now + longLivedTimes[family.index]
            }
            if let deadline = longLivedDeadlines[family.index], deadline > now {
                longLivedFamilies.insert(AddressFamilySet(family))
                outcome.longLived.insert(AddressFamilySet(family))
            } else {
                outcome.flushed.insert(AddressFamilySet(family))
                forget(family)
            }
        }
        return outcome
    }

    private mutating func forget(_ family: AddressFamily) {
        staleFamilies.remove(AddressFamilySet(family))
        longLivedFamilies.remove(AddressFamilySet(family))
        longLivedDeadlines[family.index] = nil
    }

    /// The session is back. Returns the families whose stale routes go at once: the peer did not keep forwarding, or
    /// dropped the family.
    public mutating func sessionUp(_ session: NegotiatedSession, now: Instant) -> AddressFamilySet {
        restartDeadline = nil
        guard !staleFamilies.isEmpty else { return [] }
        var keep: AddressFamilySet = []
        for entry in session.remoteGracefulRestart?.families ?? [] where entry.forwardingPreserved {
            if let family = entry.afiSafi.family, session.families.contains(family), !longLivedFamilies.contains(family)
            {
                keep.insert(AddressFamilySet(family))
            }
        }
        // RFC 9494 4.2: in the long-lived phase its own capability is what counts.
        for entry in session.remoteLongLived where entry.forwardingPreserved {
            if let family = entry.afiSafi.family, session.families.contains(family), longLivedFamilies.contains(family)
            {
                keep.insert(AddressFamilySet(family))
            }
        }
        let flushed = staleFamilies.subtracting(keep)
        for family in flushed.families { forget(family) }
        endOfRIBDeadline = staleFamilies.isEmpty ? nil : now + GracefulRestartHelper.endOfRIBLimit
        return flushed
    }

    /// End-of-RIB came. True where stale routes of the family are to be removed now.
    public mutating func endOfRIB(_ family: AddressFamily) -> Bool {
        guard staleFamilies.contains(family) else { return false }
        forget(family)
        if staleFamilies.isEmpty { endOfRIBDeadline = nil }
        return true
    }

    public var nextDeadline: Instant? {
        .earliest([restartDeadline, endOfRIBDeadline] + longLivedDeadlines)
    }

    /// Returns what becomes of stale routes because a deadline passed.
    public mutating func handleTimeout(now: Instant) -> Outcome {
        var outcome = Outcome()
        if let deadline = restartDeadline, deadline <= now {
            restartDeadline = nil
            outcome = beginLongLived(staleFamilies.subtracting(longLivedFamilies), now)
        }
        for family in AddressFamily.allCases {
            if let deadline = longLivedDeadlines[family.index], deadline <= now {
                outcome.flushed.insert(AddressFamilySet(family))
                forget(family)
            }
        }
        if let deadline = endOfRIBDeadline, deadline <= now {
            outcome.flushed.formUnion(staleFamilies)
            clear()
        }
        outcome.longLived.subtract(outcome.flushed)
        if staleFamilies.isEmpty {
            restartDeadline = nil
            endOfRIBDeadline = nil
        }
        return outcome
    }

    public mutating func clear() { self = GracefulRestartHelper() }
}

/// Why a session ended, or could not begin.
public enum SessionDownReason: Sendable, Hashable {
    case notificationSent(NotificationMessage)
    case notificationReceived(NotificationMessage)
    /// The TCP connection was closed or failed.
    case connectionLost
    /// A graceful-restart capable peer opened a new connection (RFC 4724 4.2).
    case replacedByNewConnection
    case connectTimeout
    /// The interface by whose link the peer was reached can send nothing any more: its name.
    case interfaceDown(String)
    /// Our address of the session is on no interface any more.
    case addressRemoved(String)

    /// RFC 4724 4: a lost connection only. RFC 8538 3: with N on both sides also NOTIFICATIONs and the hold timer, but
    /// not a hard reset (Cease/9), and nothing that our own operator ended.
    func permitsGracefulRestart(bothNotify: Bool) -> Bool {
        switch self {
        case .connectionLost, .replacedByNewConnection, .interfaceDown, .addressRemoved: true
        case .connectTimeout: false
        case .notificationReceived(let message): bothNotify && !(message.code == .cease && message.subcode == 9)
        case .notificationSent(let message):
            // A change of settings is no reason to lose a packet: the session comes back at once (docs/promises.md,
            // promise 5).
            bothNotify
                && (message.code == .holdTimerExpired || message.code == .sendHoldTimerExpired
                    || message == .configurationChange)
        }
    }
}

extension SessionDownReason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notificationSent(let message): "sent \(message)"
        case .notificationReceived(let message): "received \(message)"
        case .connectionLost: "connection lost"
        case .replacedByNewConnection: "peer opened a new connection"
        case .connectTimeout: "connect timed out"
        case .interfaceDown(let name): "interface \(name) is down"
        case .addressRemoved(let address): "our address \(address) is on no interface any more"
        }
    }
}
