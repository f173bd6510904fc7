package import BGPSession

/// How sessions with a peer ended, and why attempts at one failed.
///
/// What the peer, or we, had to say (a NOTIFICATION) is kept apart from what befell a connection: else a daemon that
/// closes with its reason, and whose port then refuses connections, would be known for the refusals alone.
package struct PeerHistory: Sendable {
    /// Something that ended a session, or kept it from coming up.
    package enum Failure: Sendable, Hashable {
        case session(SessionDownReason)
        /// The operating system's error.
        case connect(errno: Int32)
    }
    package struct Event: Sendable, Hashable {
        package var failure: Failure
        /// Seconds since 1970.
        package var time: Double
    }

    /// Ends of sessions that are remembered.
    private static let mostEnds = 3

    /// The last NOTIFICATION either way, or loss of our end of the link.
    package private(set) var lastReason: Event?
    /// The last connection that failed, or was lost without a reason.
    package private(set) var lastConnectionFailure: Event?
    /// The last ends of sessions that had come up, the newest first.
    package private(set) var ends: [Event] = []
    /// Seconds since 1970; nil while no session has come up.
    package private(set) var lastUp: Double?
    /// The errno of the attempt whose end comes next.
    private var hasErrno = false

    package init() {}

    mutating func sessionUp(at time: Double) { lastUp = time }

    mutating func sessionDown(_ reason: SessionDownReason, at time: Double) {
        ends.insert(Event(failure: .session(reason), time: time), at: 0)
        if ends.count > PeerHistory.mostEnds { ends.removeLast() }
        attemptFailed(reason, at: time)
    }

    mutating func attemptFailed(_ reason: SessionDownReason, at time: Double) {
        let event = Event(failure: .session(reason), time: time)
        defer { hasErrno = false }
        switch reason {
        // The operating system has just said it better.
        case .connectionLost where hasErrno: break
        case .notificationSent, .notificationReceived, .interfaceDown, .addressRemoved: lastReason = event
        case .connectionLost, .replacedByNewConnection, .connectTimeout: lastConnectionFailure = event
        }
    }

    mutating func connectFailed(_ errno: Int32, at time: Double) {
        lastConnectionFailure = Event(failure: .connect(errno: errno), time: time)
        hasErrno = true
    }

    /// Why the session is not up: the last NOTIFICATION since it last was up, and what connections have met since; of
    /// a session that is up, why the one before ended.
    package func lastErrors(isUp: Bool) -> (error: Event?, since: Event?) {
        if isUp { return (ends.first ?? newest, nil) }
        func current(_ event: Event?) -> Event? { event.flatMap { $0.time >= lastUp ?? 0 ? $0 : nil } }
        guard let reason = current(lastReason) else { return (current(lastConnectionFailure), nil) }
        return (reason, current(lastConnectionFailure).flatMap { $0.time >= reason.time ? $0 : nil })
    }

    private var newest: Event? {
        [lastReason, lastConnectionFailure].compactMap { $0 }.max { $0.time < $1.time }
    }
}
