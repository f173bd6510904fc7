import BGPMessages
package import BGPRouting
package import BGPSession
package import NetTypes

/// A peer inside the speaker: its state machine, its framers, and what was counted. A class, because what a message
/// asks of it must not cost a copy of it all; the speaker alone refers to it.
final class SpeakerPeer {
    var settings: PeerSettings
    var fsm: PeerFSM
    var framers = PerSide(MessageFramer(), MessageFramer())
    /// The session that is up.
    struct UpSession {
        /// The side that carries the session and the families on it, while it is up: what every UPDATE asks must not
        /// cost a copy of the session.
        var side: PeerFSM.Side?
        var families: AddressFamilySet = []
    }
    var up = UpSession()
    var helper = GracefulRestartHelper()
    /// Families whose End-of-RIB crossed the session (RFC 4724 section 2).
    struct EndOfRIB {
        var received: AddressFamilySet = []
        var sent: AddressFamilySet = []
    }
    var endOfRIB = EndOfRIB()
    /// A peer that reads slower than it is sent to.
    struct Backlog {
        var isActive = false
        /// Prefixes withdrawn while the peer was backlogged.
        var missedWithdrawals: Set<OutboundNLRI> = []
    }
    var backlog = Backlog()
    /// Tables that are sent or received again as a whole (RFC 7313).
    struct RefreshState {
        /// Families of which the peer is being sent everything again, between BoRR and EoRR (RFC 7313).
        var sending: AddressFamilySet = []
        /// Families that the peer sends again, between its BoRR and EoRR.
        var receiving: AddressFamilySet = []
        /// By family index: when the last BoRR was taken, which costs a walk over the table.
        var receivingBegan: [Instant?] = [nil, nil]
    }
    var refresh = RefreshState()
    /// What the prefix limit did to this peer (RFC 4486).
    struct LimitState {
        /// By family: the limit was warned of, and `warnAt`.
        var exceeded: AddressFamilySet = []
        var warned: AddressFamilySet = []
        /// After Cease/1: stopped because of too many prefixes, and when the session is started again, nil for not by
        /// itself.
        var hasStopped = false
        var restartAt: Instant?
    }
    var limit = LimitState()
    /// Attempts to reach the peer since its session was up last.
    struct Attempts {
        /// The last attempt failed, and no session came up since.
        var areFailing = false
        /// Attempts that failed since the session was up last.
        var failures = 0
    }
    var attempts = Attempts()
    /// What the speaker's timers have of this peer.
    struct ArmedTimers {
        var next: Instant?
        var keepalive: Instant?
    }
    var armed = ArmedTimers()
    /// When what is shown in status happened.
    struct Times {
        var established: Instant?
        var lastUpdate: Instant?
        var stateChanged: Instant?
    }
    var times = Times()
    var counters = PeerCounters()
    /// Our ends of the peer's connections.
    struct ConnectionEnds {
        /// Our end of each connection, while there is one.
        var ends = PerSide<IPAddress?>(nil, nil)
        /// Our end of the session that is up, or was up last.
        var sessionEnd: IPAddress?
    }
    var connection = ConnectionEnds()
    var reach = PeerReach()

    init(_ settings: PeerSettings, restart: RestartState, seed: UInt64) {
        self.settings = settings
        fsm = PeerFSM(settings.session, restart: restart, seed: seed)
    }

    /// Runs the state machine where it stands. Returns its next deadline.
    func drive(_ actions: inout [PeerFSM.Action], _ body: (inout PeerFSM, inout [PeerFSM.Action]) -> Void) -> Instant? {
        body(&fsm, &actions)
        return fsm.nextDeadline
    }

    /// How much less often than configured a peer is tried that does not answer. One that was up a while ago, and
    /// probably just starts again, is tried at full pace first, about a minute by default.
    func setPace(_ factor: Int) {
        let isExpectedBack = counters.establishedCount > 0 && attempts.failures < SpeakerPeer.attemptsAtFullPace
        fsm.connectRetryFactor = isExpectedBack ? 1 : max(1, factor)
    }
    private static let attemptsAtFullPace = 12

    /// The earliest of all its deadlines.
    var nextDeadline: Instant? {
        Instant.earliest(fsm.nextDeadline, Instant.earliest(helper.nextDeadline, limit.restartAt))
    }

    /// Other peers' routes may leave to this one.
    func carriesTransit(_ session: NegotiatedSession) -> Bool {
        if session.isInternal { return settings.isClient }
        return settings.exportMode ?? .own != .own || !settings.exportFilter.isEmpty
    }
}

/// What a peer did since it was configured.
package struct PeerCounters: Sendable, Hashable {
    package var messagesReceived: UInt64 = 0
    package var updatesReceived: UInt64 = 0
    package var establishedCount: UInt64 = 0
    package var treatedAsWithdraw: UInt64 = 0
}

/// A peer for status.
package struct PeerSnapshot: Sendable {
    package let index: PeerIndex
    package let settings: PeerSettings
    package let state: PeerFSM.State
    package let session: NegotiatedSession?
    package let lastDownReason: SessionDownReason?
    /// The session was ended because of its prefix limit, and is begun again then; nil for never by itself.
    package let hasReachedLimit: Bool
    package let limitRestart: Instant?
    /// When the session came up, or went down.
    package let since: Instant?
    package let counters: PeerCounters
    /// By family index.
    package let received: [Int]
    package let announced: [Int]
    package let staleFamilies: AddressFamilySet
    package let longLivedFamilies: AddressFamilySet
    package let isBacklogged: Bool
}

/// What totals over all peers are made of, and metrics: read without a copy of the peer's settings or session.
package struct PeerLoad: Sendable {
    package let index: PeerIndex
    package let address: PeerAddress
    package let isEstablished: Bool
    package let isClient: Bool
    package let isBacklogged: Bool
    package let families: AddressFamilySet
    /// Those on the session that is up; none without one.
    package let sessionFamilies: AddressFamilySet
    package let timesEstablished: UInt64
}

extension Speaker {
    /// Visits peers from a number on, until the body returns false. Returns the number to go on from; nil where nothing
    /// follows. Work: some ten nanoseconds a peer beside the body.
    @discardableResult
    package func visitPeers(from start: Int = 0, _ body: (PeerLoad) -> Bool) -> Int? {
        guard start < peers.count else { return nil }
        for number in max(0, start)..<peers.count {
            guard let peer = peers[number] else { continue }
            let load = PeerLoad(
                index: PeerIndex(rawValue: UInt16(number)), address: peer.settings.peerAddress,
                isEstablished: peer.up.side != nil, isClient: peer.settings.isClient,
                isBacklogged: peer.backlog.isActive, families: peer.settings.session.families,
                sessionFamilies: peer.up.side == nil ? [] : peer.up.families,
                timesEstablished: peer.counters.establishedCount)
            if !body(load) { return number }
        }
        return nil
    }

    /// Routes of a family that a peer has announced to us.
    package func receivedCount(_ index: PeerIndex, _ family: AddressFamily) -> Int {
        rib.tables[family].pathCount(of: index)
    }

    /// The peer does not read what it is sent: it lags behind what it is to have.
    package func isBacklogged(_ index: PeerIndex) -> Bool {
        index.index < peers.count ? peers[index.index]?.backlog.isActive ?? false : false
    }

    package func snapshot(_ index: PeerIndex) -> PeerSnapshot? {
        guard index.index < peers.count, let peer = peers[index.index] else { return nil }
        return PeerSnapshot(
            index: index, settings: peer.settings, state: peer.fsm.state, session: peer.fsm.established?.session,
            lastDownReason: peer.fsm.lastDownReason, hasReachedLimit: peer.limit.hasStopped,
            limitRestart: peer.limit.restartAt, since: peer.times.stateChanged, counters: peer.counters,
            received: AddressFamily.allCases.map { rib.tables[$0].pathCount(of: index) },
            announced: AddressFamily.allCases.map { rib.announcedCount(to: index, $0) },
            staleFamilies: peer.helper.staleFamilies, longLivedFamilies: peer.helper.longLivedFamilies,
            isBacklogged: peer.backlog.isActive)
    }
}
