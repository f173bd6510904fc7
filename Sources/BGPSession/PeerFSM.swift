public import BGPMessages
public import NetTypes

/// The session state machine of one peer (RFC 4271 section 8), with both connections that two speakers may open towards
/// each other and the resolution of their collision (6.8).
///
/// Pure: it takes `now` and appends actions; it opens, writes and waits for nothing. Every (state, event) pair has a
/// defined outcome, and the entry point does not fail. UPDATEs go past it: it only hears that one came.
///
/// ```
///            start                 connect          OPEN sent           OPEN received        KEEPALIVE received
///   Idle ───────────> Connect/Active ─────> OpenSent ───────> OpenConfirm ─────────> Established
///    ^  idle hold, doubled while failing                │                 │                      │
///    └──────────────────────────────────────────────────┴─────────────────┴──────────────────────┘
/// ```
public struct PeerFSM: Sendable {
    /// Which end opened a connection.
    public enum Side: UInt8, Sendable, Hashable, CaseIterable {
        /// We did.
        case active
        /// The peer did.
        case passive
        public var other: Side { self == .active ? .passive : .active }
    }

    /// RFC 4271 8.2.2. Of two connections the more advanced one counts.
    public enum State: String, Sendable, Hashable, CaseIterable {
        case idle = "Idle"
        case connect = "Connect"
        case active = "Active"
        case openSent = "OpenSent"
        case openConfirm = "OpenConfirm"
        case established = "Established"
    }

    public enum Event: Sendable {
        /// ManualStart, AutomaticStart (RFC 4271 8.1.2, events 1 and 3).
        case start
        /// ManualStop, AutomaticStop (2, 8), with what the peer is sent.
        case stop(NotificationMessage)
        /// Tcp_CR_Acked (16) for the active side, TcpConnectionConfirmed (17) for the passive one.
        case connected(Side)
        /// TcpConnectionFails (18).
        case connectionFailed(Side)
        /// BGPOpen (19), structurally sound.
        case open(Side, OpenMessage)
        /// BGPHeaderErr, BGPOpenMsgErr, UpdateMsgErr (21, 22, 28): a decoder's verdict.
        case messageError(Side, NotificationMessage)
        /// NotifMsgVerErr, NotifMsg (24, 25).
        case notification(Side, NotificationMessage)
        /// KeepAliveMsg (26).
        case keepalive(Side)
        /// UpdateMsg (27), and ROUTE-REFRESH in the same place.
        case update(Side)
        case routeRefresh(Side)
        /// What is queued to the peer does not go out (`true`), or goes out again: SendHoldTimer (RFC 9687).
        case sendBlocked(Side, Bool)
        /// The path to the peer failed (RFC 5882 section 4.2).
        case bfdDown
        /// Our end of the path is gone: `interfaceDown` or `addressRemoved`.
        case pathLost(SessionDownReason)
    }

    public enum Action: Sendable, Hashable {
        /// Open a TCP connection to the peer.
        case connect
        /// Queue a whole message.
        case send(Side, [UInt8])
        /// Close after what is queued was written, within reason.
        case close(Side)
        /// The session is up on this connection.
        case established(Side, NegotiatedSession)
        /// An Established session ended.
        case down(NegotiatedSession, SessionDownReason)
        /// An attempt ended before Established.
        case attemptFailed(SessionDownReason)
    }

    private enum Phase: Sendable {
        case connecting
        case openSent
        case openConfirm(NegotiatedSession)
        case established(NegotiatedSession)
    }

    private struct Connection: Sendable {
        var phase: Phase
        /// Nil with a negotiated hold time of 0.
        var holdDeadline: Instant?
        var keepaliveDeadline: Instant?
        /// Set while the peer takes nothing (RFC 9687).
        var sendHoldDeadline: Instant?
    }

    public private(set) var configuration: SessionConfiguration
    /// What our next OPEN says of our own restart.
    public var restart: RestartState
    /// Failures since the last Established session: the exponent of the idle hold time.
    public private(set) var consecutiveFailures = 0
    /// By how much ConnectRetryTime is longer than configured, 1 or more: the speaker bounds so what thousands of peers
    /// cost that do not answer.
    public var connectRetryFactor = 1
    /// Why the last session or attempt ended.
    public private(set) var lastDownReason: SessionDownReason?

    private var isStarted = false
    private var connections = PerSide<Connection?>(nil, nil)
    private var connectRetryDeadline: Instant?
    private var idleHoldDeadline: Instant?
    /// Idle hold after a lost connection lets the peer connect at once; after a protocol error it does not.
    private var acceptsWhileHeld = false
    /// RFC 5492 3: the peer refused optional parameters, so the next OPEN goes without.
    private var omitsCapabilities = false
    private var random: SeededRandom

    public init(_ configuration: SessionConfiguration, restart: RestartState = RestartState(), seed: UInt64) {
        self.configuration = configuration
        self.restart = restart
        random = SeededRandom(seed: seed)
    }

    public var state: State {
        var result: State = !isStarted || idleHoldDeadline != nil ? .idle : .active
        for connection in connections {
            guard let connection else { continue }
            let candidate: State =
                switch connection.phase {
                case .connecting: .connect
                case .openSent: .openSent
                case .openConfirm: .openConfirm
                case .established: .established
                }
            if candidate.rank > result.rank { result = candidate }
        }
        return result
    }

    /// The session in force, with the side that carries it.
    public var established: (side: Side, session: NegotiatedSession)? {
        for side in Side.allCases {
            if let connection = connections[side], case .established(let session) = connection.phase {
                return (side, session)
            }
        }
        return nil
    }

    /// True where the peer keeps our routes if its connection is just closed, or may do so as far as we know (RFC
    /// 4724): a NOTIFICATION would take that away.
    public var peerMayKeepRoutes: Bool {
        connections.contains { connection in
            switch connection?.phase {
            case .openConfirm(let session), .established(let session): session.peerKeepsRoutes
            case .openSent: configuration.restart.mode == .on
            case .connecting, nil: false
            }
        }
    }

    /// True while some connection is there.
    public var isSpeaking: Bool { isSpeaking(.active) || isSpeaking(.passive) }

    /// True while a connection that was asked for is neither there nor given up.
    public var isConnecting: Bool {
        if case .connecting? = connections[.active]?.phase { true } else { false }
    }

    /// True while the side has a connection, in whatever phase.
    public func hasConnection(_ side: Side) -> Bool { connections[side] != nil }

    // MARK: Time

    /// When `handleTimeout` has something to do. May be early, because a received message only moves the hold timer.
    public var nextDeadline: Instant? {
        var result = Instant.earliest(connectRetryDeadline, idleHoldDeadline)
        for connection in connections {
            result = .earliest(result, connection?.holdDeadline)
            result = .earliest(result, connection?.keepaliveDeadline)
            result = .earliest(result, connection?.sendHoldDeadline)
        }
        return result
    }

    /// When the next keepalive is due on either connection.
    public var nextKeepalive: Instant? {
        guard let active = connections.active?.keepaliveDeadline else { return connections.passive?.keepaliveDeadline }
        return connections.passive?.keepaliveDeadline.map { min($0, active) } ?? active
    }

    /// The earliest moment at which a keepalive was due and has not been sent by `now`; nil where none is.
    public func dueKeepalive(now: Instant) -> Instant? {
        connections.compactMap { $0?.keepaliveDeadline }.filter { $0 <= now }.min()
    }

    /// Takes it that the keepalives that are due are sent by the caller, who answers for it, and looks at no other
    /// timer: for a caller that has messages of the peer still to read.
    public mutating func takeDueKeepalives(now: Instant) -> [Side] {
        var sides: [Side] = []
        var sent: [Action] = []
        for side in Side.allCases {
            guard let deadline = connections[side]?.keepaliveDeadline, deadline <= now else { continue }
            sendKeepalive(side, now: now, into: &sent)
            sides.append(side)
        }
        return sides
    }

    /// Fires every timer that is due: IdleHold (13), ConnectRetry (9), Hold (10), Keepalive (11). Extra calls are
    /// harmless.
    public mutating func handleTimeout(now: Instant, _ actions: inout [Action]) {
        if let deadline = idleHoldDeadline, deadline <= now {
            idleHoldDeadline = nil
            beginConnecting(now, &actions)
        }
        if let deadline = connectRetryDeadline, deadline <= now {
            connectRetryDeadline = nil
            if case .connecting? = connections[.active]?.phase {
                connections[.active] = nil
                actions.append(.close(.active))
                note(.connectTimeout, &actions)
            }
            if connections.active == nil && connections.passive == nil { beginConnecting(now, &actions) }
        }
        for side in Side.allCases {
            guard let connection = connections[side] else { continue }
            if let deadline = connection.holdDeadline, deadline <= now {
                // RFC 4271 6.5
                end(side, reason: .notificationSent(.holdTimerExpired), now: now, into: &actions)
                continue
            }
            if let deadline = connection.sendHoldDeadline, deadline <= now {
                // RFC 9687 3.2: sent as far as that is possible.
                end(side, reason: .notificationSent(.sendHoldTimerExpired), now: now, into: &actions)
                continue
            }
            if let deadline = connection.keepaliveDeadline, deadline <= now {
                sendKeepalive(side, now: now, into: &actions)
            }
        }
    }

    // MARK: Events

    /// Whether a connection that the peer just opened may become the passive side. Frees that side first where a newer
    /// connection is proof that the older one is dead. False: send it `connectionCollision` and close it.
    public mutating func admitsIncoming(now: Instant, _ actions: inout [Action]) -> Bool {
        guard isStarted, idleHoldDeadline == nil || acceptsWhileHeld else { return false }
        if let (side, session) = established {
            // RFC 4724 4.2: with graceful restart the old connection is closed without a NOTIFICATION, else the new one
            // goes (6.8).
            guard session.remoteGracefulRestart.map({ !$0.families.isEmpty }) ?? false else { return false }
            end(side, reason: .replacedByNewConnection, now: now, into: &actions)
            idleHoldDeadline = nil
            return true
        }
        if connections[.passive] != nil {
            connections[.passive] = nil
            actions.append(.close(.passive))
        }
        idleHoldDeadline = nil
        return true
    }

    public mutating func handle(_ event: Event, now: Instant, _ actions: inout [Action]) {
        switch event {
        case .start:
            guard !isStarted else { return }
            isStarted = true
            consecutiveFailures = 0
            beginConnecting(now, &actions)
        case .stop(let notification): stop(notification, &actions)
        case .connected(let side): connected(side, now: now, into: &actions)
        case .connectionFailed(let side): connectionFailed(side, now: now, into: &actions)
        case .open(let side, let message):
            received(side, type: .open, now: now, into: &actions) {
                $0.openReceived(side, message, now: now, into: &$1)
            }
        case .keepalive(let side):
            received(side, type: .keepalive, now: now, into: &actions) {
                $0.keepaliveReceived(side, now: now, into: &$1)
            }
        case .update(let side):
            received(side, type: .update, now: now, into: &actions) {
                $0.dataReceived(side, .update, now: now, into: &$1)
            }
        case .routeRefresh(let side):
            received(side, type: .routeRefresh, now: now, into: &actions) {
                $0.dataReceived(side, .routeRefresh, now: now, into: &$1)
            }
        case .sendBlocked(let side, let isBlocked): sendBlocked(side, isBlocked, now: now)
        case .bfdDown:
            guard let (side, session) = established else { return }
            // RFC 9384: the peer hears of it if it still hears. Nobody keeps routes over a path that does not forward.
            end(
                side, reason: .notificationSent(session.preservesOverNotification ? .hardReset(.bfdDown) : .bfdDown),
                now: now,
                into: &actions)
        case .pathLost(let reason):
            // Nothing is sent: where the peer still hears it, it would drop routes that a graceful restart keeps.
            if let (side, _) = established { end(side, reason: reason, now: now, into: &actions) }
        case .messageError(let side, let notification):
            guard isSpeaking(side) else { return }
            end(side, reason: .notificationSent(verdict(notification, side)), now: now, into: &actions)
        case .notification(let side, let notification):
            guard isSpeaking(side) else { return }
            if notification.code == .openMessage, notification.subcode == 4 { omitsCapabilities = true }
            end(side, reason: .notificationReceived(notification), now: now, into: &actions)
        }
    }

    /// RFC 6608 4: an OPEN that the state does not expect is that error, whatever its contents are.
    private func verdict(_ notification: NotificationMessage, _ side: Side) -> NotificationMessage {
        guard notification.code == .openMessage else { return notification }
        return switch connections[side]?.phase {
        case .openConfirm: .unexpectedInOpenConfirm(.open)
        case .established: .unexpectedInEstablished(.open)
        case .connecting, .openSent, nil: notification
        }
    }

    /// An Established session goes on with what it agreed on, and the next one is made with the new settings; the
    /// caller resets the session where what is negotiated changed. Without a session the new settings are in force at
    /// once: what waits or is attempted under the old ones is given up, with Cease/6 where the peer already heard of
    /// it, and begins again.
    public mutating func reconfigure(_ configuration: SessionConfiguration, now: Instant, _ actions: inout [Action]) {
        guard configuration != self.configuration else { return }
        self.configuration = configuration
        guard isStarted, established == nil else { return }
        stop(.configurationChange, &actions)
        handle(.start, now: now, &actions)
    }

    // MARK: Starting and connecting

    private mutating func beginConnecting(_ now: Instant, _ actions: inout [Action]) {
        guard isStarted else { return }
        if configuration.isPassive || connections[.active] != nil { return }
        connections[.active] = Connection(phase: .connecting)
        connectRetryDeadline = now + jittered(max(configuration.connectRetryTime, .seconds(1)) * connectRetryFactor)
        actions.append(.connect)
    }

    private mutating func connected(_ side: Side, now: Instant, into actions: inout [Action]) {
        guard isStarted else {
            actions.append(.close(side))
            return
        }
        if side == .active {
            guard case .connecting? = connections[side]?.phase else {
                // A connection that nobody waits for any more.
                if connections[side] == nil { actions.append(.close(side)) }
                return
            }
        } else if connections[side] != nil {
            return
        }
        if side == .active { connectRetryDeadline = nil }
        connections[side] = Connection(
            phase: .openSent, holdDeadline: now + SessionConfiguration.openSentHoldTime)
        let open = OpenNegotiation.localOpen(configuration, restart: restart, omittingCapabilities: omitsCapabilities)
        actions.append(.send(side, open.encoded()))
    }

    private mutating func connectionFailed(_ side: Side, now: Instant, into actions: inout [Action]) {
        guard let connection = connections[side] else { return }
        switch connection.phase {
        case .connecting, .openSent:
            // RFC 4271 8.2.2: to Active, and again after ConnectRetryTime.
            connections[side] = nil
            note(.connectionLost, &actions)
            if connections[side.other] == nil {
                connectRetryDeadline = now + jittered(configuration.connectRetryTime * connectRetryFactor)
            }
        case .openConfirm, .established:
            end(side, reason: .connectionLost, now: now, into: &actions)
        }
    }

    private mutating func stop(_ notification: NotificationMessage, _ actions: inout [Action]) {
        for side in Side.allCases {
            guard let connection = connections[side] else { continue }
            connections[side] = nil
            var outgoing = notification
            if case .established(let session) = connection.phase, session.preservesOverNotification,
                notification != .configurationChange
            {
                // RFC 8538 4: with N on both sides only a Hard Reset says that the routes are to go.
                outgoing = .hardReset(notification)
            }
            if case .connecting = connection.phase {} else { actions.append(.send(side, outgoing.encoded())) }
            actions.append(.close(side))
            lastDownReason = .notificationSent(notification)
            switch connection.phase {
            case .established(let session): actions.append(.down(session, .notificationSent(notification)))
            case .openSent, .openConfirm: actions.append(.attemptFailed(.notificationSent(notification)))
            case .connecting: break
            }
        }
        isStarted = false
        consecutiveFailures = 0
        connectRetryDeadline = nil
        idleHoldDeadline = nil
        omitsCapabilities = false
    }

    // MARK: Messages

    /// A message on a side that is not speaking (closed meanwhile, or still connecting) is not a message of this
    /// session.
    private mutating func received(
        _ side: Side, type: MessageType, now: Instant, into actions: inout [Action],
        _ body: (inout PeerFSM, inout [Action]) -> Void
    ) {
        guard isSpeaking(side) else { return }
        body(&self, &actions)
    }

    private mutating func openReceived(_ side: Side, _ message: OpenMessage, now: Instant, into actions: inout [Action])
    {
        guard let connection = connections[side] else { return }
        switch connection.phase {
        case .connecting: return
        case .openConfirm:
            return end(side, reason: .notificationSent(.unexpectedInOpenConfirm(.open)), now: now, into: &actions)
        case .established:
            return end(side, reason: .notificationSent(.unexpectedInEstablished(.open)), now: now, into: &actions)
        case .openSent: break
        }
        let session: NegotiatedSession
        do {
            session = try OpenNegotiation.negotiate(message, configuration, omittedCapabilities: omitsCapabilities)
        } catch {
            return end(side, reason: .notificationSent(error), now: now, into: &actions)
        }
        guard resolveCollision(side, session: session, now: now, into: &actions) else { return }
        connections[side] = Connection(
            phase: .openConfirm(session), holdDeadline: session.holdTime == .zero ? nil : now + session.holdTime)
        sendKeepalive(side, now: now, into: &actions)
    }

    /// RFC 4271 6.8. False where this connection lost.
    private mutating func resolveCollision(
        _ side: Side, session: NegotiatedSession, now: Instant, into actions: inout [Action]
    ) -> Bool {
        guard let other = connections[side.other] else { return true }
        switch other.phase {
        case .connecting:
            // Not connected yet: that attempt is given up, this one goes on.
            connections[side.other] = nil
            connectRetryDeadline = nil
            actions.append(.close(side.other))
            return true
        case .openSent: return true
        case .established:
            dump(side, &actions)
            return false
        case .openConfirm:
            // The connection of the higher identifier survives; RFC 6286 2.3: of the higher AS where the identifiers
            // are equal.
            let local = (configuration.localIdentifier.rawValue, configuration.localAS.rawValue)
            let remote = (session.remoteIdentifier.rawValue, session.remoteAS.rawValue)
            let survivor: Side = local > remote ? .active : .passive
            dump(survivor.other, &actions)
            return side == survivor
        }
    }

    /// OpenCollisionDump (event 23): only this connection goes, nothing is counted as a failure.
    private mutating func dump(_ side: Side, _ actions: inout [Action]) {
        connections[side] = nil
        actions.append(.send(side, NotificationMessage.connectionCollision.encoded()))
        actions.append(.close(side))
    }

    private mutating func keepaliveReceived(_ side: Side, now: Instant, into actions: inout [Action]) {
        guard let connection = connections[side] else { return }
        switch connection.phase {
        case .connecting: return
        case .openSent:
            end(side, reason: .notificationSent(.unexpectedInOpenSent(.keepalive)), now: now, into: &actions)
        case .openConfirm(let session):
            // The first connection to be confirmed wins; another one that is still talking is dumped.
            if connections[side.other] != nil {
                if case .connecting? = connections[side.other]?.phase {
                    connections[side.other] = nil
                    actions.append(.close(side.other))
                } else {
                    dump(side.other, &actions)
                }
            }
            connections[side]?.phase = .established(session)
            restartHoldTimer(side, now)
            connectRetryDeadline = nil
            idleHoldDeadline = nil
            consecutiveFailures = 0
            omitsCapabilities = false
            restart.isRestarting = false
            actions.append(.established(side, session))
        case .established: restartHoldTimer(side, now)
        }
    }

    private mutating func dataReceived(_ side: Side, _ type: MessageType, now: Instant, into actions: inout [Action]) {
        guard let connection = connections[side] else { return }
        switch connection.phase {
        case .connecting: return
        case .openSent: end(side, reason: .notificationSent(.unexpectedInOpenSent(type)), now: now, into: &actions)
        case .openConfirm:
            end(side, reason: .notificationSent(.unexpectedInOpenConfirm(type)), now: now, into: &actions)
        case .established: restartHoldTimer(side, now)
        }
    }

    /// Starts, restarts and stops the SendHoldTimer. A session without a hold time has none (RFC 9687 section 3.2).
    private mutating func sendBlocked(_ side: Side, _ isBlocked: Bool, now: Instant) {
        guard case .established(let session)? = connections[side]?.phase, session.holdTime != .zero, isBlocked
        else {
            connections[side]?.sendHoldDeadline = nil
            return
        }
        connections[side]?.sendHoldDeadline = now + SessionConfiguration.sendHoldTime(session.holdTime)
    }

    // MARK: Endings

    /// Ends a connection, sends a NOTIFICATION where we are the one who ends it, and goes to Idle where it was the last
    /// one.
    private mutating func end(_ side: Side, reason: SessionDownReason, now: Instant, into actions: inout [Action]) {
        guard let connection = connections[side] else { return }
        connections[side] = nil
        if case .notificationSent(let message) = reason { actions.append(.send(side, message.encoded())) }
        actions.append(.close(side))
        lastDownReason = reason
        if case .established(let session) = connection.phase {
            actions.append(.down(session, reason))
        } else {
            actions.append(.attemptFailed(reason))
        }
        guard connections[side.other] == nil else { return }
        connectRetryDeadline = nil
        // DampPeerOscillations (RFC 4271 8.1.1): idle hold, doubled while it goes on failing.
        var isLoss = false
        if case .connectionLost = reason { isLoss = true }
        if case .replacedByNewConnection = reason { isLoss = true }
        if case .interfaceDown = reason { isLoss = true }
        if case .addressRemoved = reason { isLoss = true }
        acceptsWhileHeld = isLoss
        let doublings = min(consecutiveFailures, 6)
        consecutiveFailures += 1
        let hold = min(configuration.idleHoldTime * (1 << doublings), SessionConfiguration.maximumIdleHoldTime)
        idleHoldDeadline = now + jittered(hold)
    }

    private mutating func note(_ reason: SessionDownReason, _ actions: inout [Action]) {
        lastDownReason = reason
        actions.append(.attemptFailed(reason))
    }

    // MARK: Timers

    private func isSpeaking(_ side: Side) -> Bool {
        guard let connection = connections[side] else { return false }
        if case .connecting = connection.phase { return false }
        return true
    }

    private mutating func sendKeepalive(_ side: Side, now: Instant, into actions: inout [Action]) {
        guard let connection = connections[side] else { return }
        actions.append(.send(side, KeepaliveMessage.encoded))
        switch connection.phase {
        case .openConfirm(let session), .established(let session):
            // RFC 4271 10: with jitter. Hold time 0: none at all after the one that confirms the OPEN.
            // RFC 4271 4.4: the jitter too leaves a second between two.
            let next: Instant? =
                session.holdTime == .zero ? nil : now + max(.seconds(1), jittered(session.keepaliveTime))
            connections[side]?.keepaliveDeadline = next
        case .connecting, .openSent: break
        }
    }

    private mutating func restartHoldTimer(_ side: Side, _ now: Instant) {
        guard case .established(let session)? = connections[side]?.phase, session.holdTime != .zero else {
            connections[side]?.holdDeadline = nil
            return
        }
        connections[side]?.holdDeadline = now + session.holdTime
    }

    private mutating func jittered(_ duration: Duration) -> Duration {
        duration.scaled(by: random.jitter())
    }
}

extension PeerFSM.Side {
    var index: Int { Int(rawValue) }
}

extension PeerFSM.State {
    /// Order of advance; Active before Connect, because a connection attempt is more than a wait.
    var rank: Int {
        switch self {
        case .idle: 0
        case .active: 1
        case .connect: 2
        case .openSent: 3
        case .openConfirm: 4
        case .established: 5
        }
    }
}
