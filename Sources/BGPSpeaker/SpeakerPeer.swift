import BGPMessages
package import BGPRouting
package import BGPSession
package import NetTypes

/// A peer inside the speaker: its state machine, its framers, and what was counted. A class, because what a message
/// asks of it must not cost a copy of it all; the speaker alone refers to it.
final class SpeakerPeer {
    var settings: PeerSettings
    var fsm: PeerFSM
    /// By side: active, passive.
    var framers = [MessageFramer(), MessageFramer()]
    /// The side that carries the session and the families on it, while it is up: what every UPDATE asks must not cost a
    /// copy of the session.
    var upSide: PeerFSM.Side?
    var upFamilies: AddressFamilySet = []
    var helper = GracefulRestartHelper()
    var endOfRIBReceived: AddressFamilySet = []
    var endOfRIBSent: AddressFamilySet = []
    var isBacklogged = false
    /// Prefixes withdrawn while the peer was backlogged.
    var missedWithdrawals: Set<OutboundNLRI> = []
    /// Families of which the peer is being told everything again, between BoRR and EoRR (RFC 7313).
    var refreshing: AddressFamilySet = []
    /// Families that the peer is telling again, between its BoRR and EoRR.
    var remoteRefreshing: AddressFamilySet = []
    /// By family index: when the last BoRR was taken, which costs a walk over the table.
    var remoteRefreshBegan: [Instant?] = [nil, nil]
    /// By family: the limit was warned of, and `warnAt`.
    var warnedOfLimit: AddressFamilySet = []
    var warnedOfMany: AddressFamilySet = []
    /// After Cease/1: stopped because of too many prefixes, and when the session is started again, nil for not by
    /// itself.
    var isStoppedByLimit = false
    var restartAt: Instant?
    /// The last attempt failed, and no session came up since.
    var isFailing = false
    /// Attempts that failed since the session was up last.
    var failuresSinceUp = 0
    /// What the speaker's timers have of this peer.
    var armed: Instant?
    var armedKeepalive: Instant?
    var establishedAt: Instant?
    var lastUpdateAt: Instant?
    var stateChangedAt: Instant?
    var counters = PeerCounters()
    /// By side: our end of the connection, while there is one.
    var ends: [IPAddress?] = [nil, nil]
    /// Our end of the session that is up, or was up last.
    var end: IPAddress?
    var reach = PeerReach()

    init(_ settings: PeerSettings, restart: RestartState, seed: UInt64) {
        self.settings = settings
        fsm = PeerFSM(settings.session, restart: restart, seed: seed)
    }

    /// Runs the state machine where it stands. Answers its next deadline.
    func drive(_ actions: inout [PeerFSM.Action], _ body: (inout PeerFSM, inout [PeerFSM.Action]) -> Void) -> Instant? {
        body(&fsm, &actions)
        return fsm.nextDeadline
    }

    /// How much less often than configured a peer is tried that does not answer. One that was up a while ago, and
    /// probably just starts again, is tried at full pace first, about a minute by default.
    func setPace(_ factor: Int) {
        let isExpectedBack = counters.establishedCount > 0 && failuresSinceUp < SpeakerPeer.attemptsAtFullPace
        fsm.connectRetryFactor = isExpectedBack ? 1 : max(1, factor)
    }
    private static let attemptsAtFullPace = 12

    /// The earliest of all its deadlines.
    var nextDeadline: Instant? { Instant.earliest(fsm.nextDeadline, Instant.earliest(helper.nextDeadline, restartAt)) }

    /// Other peers' routes may leave to this one.
    func carriesTransit(_ session: NegotiatedSession) -> Bool {
        session.isInternal ? settings.isClient : settings.exportMode == .all || !settings.exportFilter.isEmpty
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

extension Speaker {
    package func snapshot(_ index: PeerIndex) -> PeerSnapshot? {
        guard index.index < peers.count, let peer = peers[index.index] else { return nil }
        return PeerSnapshot(
            index: index, settings: peer.settings, state: peer.fsm.state, session: peer.fsm.established?.session,
            lastDownReason: peer.fsm.lastDownReason, since: peer.stateChangedAt, counters: peer.counters,
            received: AddressFamily.allCases.map { rib.tables[$0.index].pathCount(of: index) },
            announced: AddressFamily.allCases.map { rib.announcedCount(to: index, $0) },
            staleFamilies: peer.helper.staleFamilies, longLivedFamilies: peer.helper.longLivedFamilies,
            isBacklogged: peer.isBacklogged)
    }
}
