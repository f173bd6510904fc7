package import BGPMessages
package import BGPRouting
package import BGPSession
package import NetTypes

/// A whole BGP speaker without sockets: bytes in, bytes out, route changes out, and the next deadline.
///
/// One turn, in this order: `received` and the other transport events, `handleTimeouts`, `decide`, `takeChanges`,
/// `export`, `takeActions`. What is inside is changed by its verbs alone; forwarding and status read the tables through
/// `RouteView`.
package struct Speaker: ~Copyable {
    /// The routing core. Others read it through `RouteView` and change it by the speaker's verbs (Speaker+Routes).
    var rib: RIB
    var peers: [SpeakerPeer?] = [nil]
    var actions: [SpeakerAction] = []
    var fsmActions: [PeerFSM.Action] = []
    var random: SeededRandom
    /// What our OPENs say of our own restart; cleared by `endRestart`.
    var restart: RestartState
    /// Until then transit is not declared complete to peers (RFC 4724 4.1, Selection_Deferral_Timer).
    var deferralDeadline: Instant?
    var ownAddresses = OwnAddresses()
    /// What happens by itself, and when.
    struct Schedule {
        /// By peer index: when `handleTimeouts` has to look at the peer. Early rather than late: a message that moves a
        /// hold timer does not move this.
        var sessions = Timers<Int>()
        /// By peer index: when a keepalive is due, which is also asked in the middle of other work.
        var keepalives = Timers<Int>()
        var export: Instant?
        var keepaliveDue: Instant?
    }
    private var schedule = Schedule()
    /// Peers whose last attempt failed.
    var failingCount = 0
    /// Peers that were looked at because of a timer: a measure of work that needs no clock.
    package private(set) var timeoutVisits = 0
    /// Where the search for a peer that has not sent its table goes on, by family index, and for the deferral.
    private var searchStart = [0, 0, 0]

    package init(
        identity: AttributeTable.Identity, tracksNextHops: Bool, maximumPaths: Int, recordsChanges: Bool,
        restart: RestartState = RestartState(),
        seed: UInt64, now: Instant
    ) {
        rib = RIB(
            identity: identity, assumesReachableNextHops: !tracksNextHops, maximumPaths: maximumPaths,
            recordsChanges: recordsChanges, seed: seed)
        self.restart = restart
        random = SeededRandom(seed: seed)
        deferralDeadline = restart.isRestarting ? now + Speaker.deferralLimit : nil
    }

    /// A dead peer does not hold the others up longer than this.
    package static let deferralLimit: Duration = .seconds(60)

    // MARK: Peers

    /// Adds a peer and starts its session.
    package mutating func addPeer(_ settings: PeerSettings, now: Instant) -> PeerIndex {
        let index = rib.addPeer()
        while peers.count <= index.index { peers.append(nil) }
        peers[index.index] = SpeakerPeer(settings, restart: restart, seed: random.next())
        drive(index, now: now) { $0.handle(.start, now: now, &$1) }
        return index
    }

    /// Ends the session with a NOTIFICATION and forgets the peer and its routes.
    package mutating func removePeer(
        _ index: PeerIndex, _ notification: NotificationMessage = .peerDeconfigured, now: Instant
    ) {
        guard peers[index.index] != nil else { return }
        drive(index, now: now) { $0.handle(.stop(notification), now: now, &$1) }
        rib.removePeer(index)
        setEnd(index, nil)
        setFailing(index, false)
        peers[index.index] = nil
        schedule.sessions.remove(index.index)
        schedule.keepalives.remove(index.index)
    }

    /// Applies new settings: on the running session where that is possible, else by a reset with Cease/6.
    package mutating func updatePeer(_ index: PeerIndex, _ settings: PeerSettings, now: Instant) {
        guard let old = peers[index.index]?.settings, old != settings else { return }
        peers[index.index]?.settings = settings
        if !settings.resetCauses(from: old).isEmpty {
            drive(index, now: now) { $0.handle(.stop(.configurationChange), now: now, &$1) }
            drive(index, now: now) { $0.reconfigure(settings.session, now: now, &$1) }
            startAfterLimit(index, now)
            return
        }
        drive(index, now: now) { $0.reconfigure(settings.session, now: now, &$1) }
        rib.setImport(index, importSettings(settings, peers[index.index]?.fsm.established?.session.role))
        refreshProfiles(index)
        guard settings.maximumPrefixes != old.maximumPrefixes else { return }
        // Whoever changes the limit wants the peer back.
        if peers[index.index]?.limit.hasStopped ?? false { startAfterLimit(index, now) }
        peers[index.index]?.limit.exceeded = []
        peers[index.index]?.limit.warned = []
        if peers[index.index]?.fsm.established != nil { checkMaximumPrefixes(index, now) }
    }

    /// What is sent to a peer, and what is taken from it, after something changed that both depend on.
    mutating func refreshProfiles(_ index: PeerIndex) {
        guard let peer = peers[index.index], let session = peer.fsm.established?.session else { return }
        var deliveries: [Delivery] = []
        let routing = routingPeer(peer, session)
        rib.setNextHopRule(index, routing.nextHopRule)
        rib.changeProfiles(index, routing, into: &deliveries)
        distribute(deliveries)
    }

    private mutating func startAfterLimit(_ index: PeerIndex, _ now: Instant) {
        peers[index.index]?.limit.hasStopped = false
        peers[index.index]?.limit.restartAt = nil
        drive(index, now: now) { $0.handle(.start, now: now, &$1) }
    }

    /// Ends the session and starts it again.
    package mutating func resetPeer(_ index: PeerIndex, _ notification: NotificationMessage, now: Instant) {
        guard peers[index.index] != nil else { return }
        drive(index, now: now) { $0.handle(.stop(notification), now: now, &$1) }
        startAfterLimit(index, now)
    }

    /// The process ends. Peers that keep our routes over a restart are left alone: for them the connection is just lost
    /// (RFC 4724). All others would gain nothing from silence, and hear Cease/2 with this text (RFC 9003). Our own
    /// routes are not touched.
    package mutating func shutDown(_ text: String, now: Instant) {
        for index in peerIndices where !(peers[index.index]?.fsm.peerMayKeepRoutes ?? true) {
            drive(index, now: now) { $0.handle(.stop(.administrativeShutdown(text)), now: now, &$1) }
        }
    }

    package var peerIndices: [PeerIndex] {
        peers.indices.filter { peers[$0] != nil }.map { PeerIndex(rawValue: UInt16($0)) }
    }
    /// True while the peer's session is up.
    package func isEstablished(_ index: PeerIndex) -> Bool {
        index.index < peers.count && peers[index.index]?.up.side != nil
    }
    /// True where the peer has no session, and no route of it is kept.
    package func isOver(_ index: PeerIndex) -> Bool {
        guard index.index < peers.count, let peer = peers[index.index] else { return true }
        return peer.fsm.established == nil && peer.helper.staleFamilies.isEmpty
    }
    /// True while the peer has a connection, in whatever phase.
    package func hasConnection(_ index: PeerIndex) -> Bool {
        guard index.index < peers.count, let peer = peers[index.index] else { return false }
        return peer.fsm.hasConnection(.active) || peer.fsm.hasConnection(.passive)
    }
    /// True while the peer waits for the connection that it asked for by `SpeakerAction.connect`.
    package func awaitsConnection(_ index: PeerIndex) -> Bool {
        index.index < peers.count && peers[index.index]?.fsm.isConnecting ?? false
    }
    package func settings(_ index: PeerIndex) -> PeerSettings? {
        index.index < peers.count ? peers[index.index]?.settings : nil
    }

    // MARK: Transport events

    /// Whether a connection that the peer opened is welcome. True: `connected(_, .passive)` follows.
    package mutating func admitsIncoming(_ index: PeerIndex, now: Instant) -> Bool {
        var admitted = false
        drive(index, now: now) { admitted = $0.admitsIncoming(now: now, &$1) }
        return admitted
    }

    /// `local`: our end of the connection.
    package mutating func connected(_ index: PeerIndex, _ side: PeerFSM.Side, local: IPAddress? = nil, now: Instant) {
        guard let settings = peers[index.index]?.settings else { return }
        peers[index.index]?.connection.ends[side] = local
        var framer = MessageFramer()
        framer.maximumLength = settings.session.offersExtendedMessage ? MessageSize.extended : MessageSize.standard
        peers[index.index]?.framers[side] = framer
        drive(index, now: now) { $0.handle(.connected(side), now: now, &$1) }
    }

    /// The connection could not be opened, or was lost.
    package mutating func connectionFailed(_ index: PeerIndex, _ side: PeerFSM.Side, now: Instant) {
        drive(index, now: now) { $0.handle(.connectionFailed(side), now: now, &$1) }
    }

    /// Bytes of a connection, in any portions.
    package mutating func received(_ index: PeerIndex, _ side: PeerFSM.Side, bytes: RawSpan, now: Instant) {
        guard var framer = peers[index.index]?.framers[side] else { return }
        // Out of the peer while it works, so that a message may change the peer.
        peers[index.index]?.framers[side] = MessageFramer()
        var hasConnection = true
        var start = 0
        while hasConnection, start < bytes.byteCount {
            let part = bytes.part(start, min(Speaker.warmBytes, bytes.byteCount - start))
            start += part.byteCount
            framer.peek(part) { rib.prefetch($0, from: index) }
            do throws(NotificationMessage) {
                try framer.consume(part) { type, message in
                    take(type, message, index: index, side: side, now: now)
                    return peers[index.index]?.fsm.hasConnection(side) ?? false
                }
            } catch {
                drive(index, now: now) { $0.handle(.messageError(side, error), now: now, &$1) }
            }
            hasConnection = peers[index.index]?.fsm.hasConnection(side) ?? false
        }
        if hasConnection { peers[index.index]?.framers[side] = framer }
    }

    /// Bytes of messages whose prefixes are warmed together (`PrefixTable.prefetch`): their slots must stay in the
    /// cache until they are used.
    private static let warmBytes = 8192

    /// A peer's queue is full, or empty again. While it is full the peer gets no routes: it costs memory per prefix
    /// that it misses the withdrawal of, and nobody's time.
    package mutating func setBacklogged(_ index: PeerIndex, _ isBacklogged: Bool) {
        guard let peer = peers[index.index], peer.backlog.isActive != isBacklogged else { return }
        peers[index.index]?.backlog.isActive = isBacklogged
        actions.append(.report(index, isBacklogged ? .tooSlow : .caughtUp))
        guard !isBacklogged, let side = peer.fsm.established?.side else { return }
        let gone = peer.backlog.missedWithdrawals.filter { !rib.isAnnounced($0, to: index) }
        peers[index.index]?.backlog.missedWithdrawals = []
        for family in AddressFamily.allCases {
            let prefixes = gone.filter { $0.prefix.family == family }
            if !prefixes.isEmpty, let session = peer.fsm.established?.session {
                var builder = UpdateBuilder(
                    family: family, maximumLength: session.maximumMessageLength,
                    sendsPathIDs: session.addPathSend.contains(family))
                builder.withdraw(Array(prefixes))
                actions.append(.send(index, side, builder.take()))
            }
            rib.requestReplay(index, family)
        }
    }

    /// What is queued to the peer does not go out, or goes out again (RFC 9687).
    package mutating func setSendBlocked(_ index: PeerIndex, _ side: PeerFSM.Side, isBlocked: Bool, now: Instant) {
        drive(index, now: now) { $0.handle(.sendBlocked(side, isBlocked), now: now, &$1) }
    }

    /// BFD says that the path to the peer is down: the session ends at once (RFC 5882 section 4.2).
    ///
    /// A peer that is restarting already is left to it, because its BFD goes down with its control plane; where it says
    /// that the two are independent, its forwarding is gone, and so are its routes (RFC 5882 section 4.3).
    package mutating func bfdDown(_ index: PeerIndex, isIndependent: Bool, now: Instant) {
        guard let peer = peers[index.index] else { return }
        if peer.fsm.established != nil {
            drive(index, now: now) { $0.handle(.bfdDown, now: now, &$1) }
        } else if isIndependent, !peer.helper.staleFamilies.isEmpty {
            let stale = peer.helper.staleFamilies
            peers[index.index]?.helper.clear()
            flushStale(index, stale)
        }
    }

    /// Our end of the way to a peer is gone (fast external fallover, for internal peers on a link too): the session ends
    /// as by a lost connection, without a wait for the hold timer. `reason`: `interfaceDown` or `addressRemoved`.
    package mutating func pathLost(_ index: PeerIndex, _ reason: SessionDownReason, now: Instant) {
        guard isEstablished(index) else { return }
        drive(index, now: now) { $0.handle(.pathLost(reason), now: now, &$1) }
    }

    // MARK: Time

    /// When `handleTimeouts` has something to do; it may turn out to be early.
    package var nextDeadline: Instant? {
        Instant.earliest(schedule.sessions.next, Instant.earliest(schedule.export, deferralDeadline))
    }

    /// Fires what is due of at most `budget` peers, the earliest first; where there are more, `nextDeadline` stays in
    /// the past.
    package mutating func handleTimeouts(now: Instant, budget: Int = .max) {
        for slot in schedule.sessions.takeAllDue(now: now, budget: budget) {
            guard let peer = peers[slot] else { continue }
            timeoutVisits += 1
            peer.armed.next = nil
            let index = PeerIndex(rawValue: UInt16(slot))
            if let due = peer.fsm.nextDeadline, due <= now {
                if let keepalive = peer.fsm.dueKeepalive(now: now) {
                    schedule.keepaliveDue = min(schedule.keepaliveDue ?? keepalive, keepalive)
                }
                drive(index, now: now) { $0.handleTimeout(now: now, &$1) }
            }
            if let due = peer.helper.nextDeadline, due <= now {
                let outcome = peer.helper.handleTimeout(now: now)
                flushStale(index, outcome.flushed)
                beginLongLived(index, outcome.longLived)
            }
            if let due = peer.limit.restartAt, due <= now { startAfterLimit(index, now) }
            // What was early, or moved meanwhile.
            arm(index, peer.nextDeadline)
        }
        if let due = deferralDeadline, due <= now { endDeferral() }
        if let due = schedule.export, due <= now { schedule.export = rib.nextExport }
    }

    /// Connections whose keepalive is due, in the middle of other work; the caller sends it at once. No other timer
    /// fires: what would keep a hold timer from expiring may not be read yet. `due`: the earliest of them.
    package mutating func takeDueKeepalives(now: Instant) -> (connections: [(PeerIndex, PeerFSM.Side)], due: Instant)? {
        guard let deadline = schedule.keepalives.next, deadline <= now else { return nil }
        var connections: [(PeerIndex, PeerFSM.Side)] = []
        var earliest = now
        for slot in schedule.keepalives.takeAllDue(now: now) {
            guard let peer = peers[slot] else { continue }
            peer.armed.keepalive = nil
            if let due = peer.fsm.dueKeepalive(now: now) {
                earliest = min(earliest, due)
                for side in peer.fsm.takeDueKeepalives(now: now) {
                    connections.append((PeerIndex(rawValue: UInt16(slot)), side))
                }
            }
            armKeepalive(PeerIndex(rawValue: UInt16(slot)))
        }
        return connections.isEmpty ? nil : (connections, earliest)
    }

    /// Sees to it that `handleTimeouts` looks at the peer at `deadline` at the latest.
    mutating func arm(_ index: PeerIndex, _ deadline: Instant?) {
        guard let deadline, let peer = peers[index.index] else { return }
        if peer.armed.next.map({ $0 > deadline }) ?? true {
            // Who only waits to connect does so on a common beat: one turn for many attempts costs less than a turn for
            // each.
            let moment = peer.fsm.isSpeaking ? deadline : deadline.roundedUp(to: Speaker.beat)
            peer.armed.next = moment
            schedule.sessions.set(index.index, moment)
        }
        armKeepalive(index)
    }

    private static let beat: Duration = .milliseconds(100)

    private mutating func armKeepalive(_ index: PeerIndex) {
        guard let peer = peers[index.index], let deadline = peer.fsm.nextKeepalive,
            peer.armed.keepalive.map({ $0 > deadline }) ?? true
        else { return }
        peer.armed.keepalive = deadline
        schedule.keepalives.set(index.index, deadline)
    }

    // MARK: The turn

    /// Decides at most `budget` dirty prefixes. True where more are waiting.
    package mutating func decide(budget: Int) -> Bool {
        rib.decide(budget: budget)
        return rib.dirtyCount > 0
    }

    package mutating func takeChanges() -> [LocRIBChange] { rib.takeChanges() }

    /// Sends the peers what changed. True where a replay goes on.
    package mutating func export(replayBudget: Int, now: Instant) -> Bool {
        guard rib.hasExportWork(now: now) || !pendingEndOfRIB.isEmpty else { return false }
        var deliveries: [Delivery] = []
        var done: [RIB.ReplayDone] = []
        rib.export(replayBudget: replayBudget, now: now, &deliveries, &done)
        distribute(deliveries)
        pendingEndOfRIB += done
        sendEndOfRIBs()
        schedule.export = rib.nextExport
        return rib.hasExportWork(now: now)
    }
    private var pendingEndOfRIB: [RIB.ReplayDone] = []

    /// When the first of the keepalives that are being sent was due; nil where none is. The caller, which knows when
    /// they are written, says how late.
    package mutating func takeKeepaliveDue() -> Instant? {
        defer { schedule.keepaliveDue = nil }
        return schedule.keepaliveDue
    }

    package mutating func takeActions() -> [SpeakerAction] {
        let taken = actions
        actions.removeAll(keepingCapacity: taken.count < 4096)
        return taken
    }

    /// True while `takeActions` has something.
    package var hasActions: Bool { !actions.isEmpty }

    /// End-of-RIB after a member's first replay, EoRR after a refresh; nothing for transit while our own restart defers
    /// it.
    private mutating func sendEndOfRIBs() {
        var later: [RIB.ReplayDone] = []
        for item in pendingEndOfRIB {
            guard let peer = peers[item.peer.index], let (side, session) = peer.fsm.established else { continue }
            let family = AddressFamilySet(item.family)
            if peer.endOfRIB.sent.contains(item.family) {
                // RFC 7313 4. Who asked again meanwhile is sent its table again first.
                guard item.isLast, peer.refresh.sending.contains(item.family) else { continue }
                peers[item.peer.index]?.refresh.sending.remove(family)
                actions.append(
                    .send(
                        item.peer, side,
                        MessageBuffer(
                            RouteRefreshMessage(AFISAFI(item.family), subtype: RouteRefreshMessage.end).encoded())))
                continue
            }
            if deferralDeadline != nil, peer.carriesTransit(session) {
                later.append(item)
                continue
            }
            peers[item.peer.index]?.endOfRIB.sent.insert(family)
            actions.append(.send(item.peer, side, MessageBuffer(UpdateMessage.endOfRIB(item.family))))
        }
        pendingEndOfRIB = later
    }

    // MARK: Own restart

    /// True where every peer has sent everything it has of a family, or never will: nothing that it may still announce
    /// is missing.
    package mutating func isSynchronized(_ family: AddressFamily, now: Instant) -> Bool {
        isTrueOfAll(family.index) { $0.isSynchronized($1, family, now: now) }
    }

    /// Asks one peer after another, and first the one that the last call ended at, so that waiting for the last of
    /// thousands costs a question a time.
    private mutating func isTrueOfAll(_ search: Int, _ condition: (borrowing Speaker, PeerIndex) -> Bool) -> Bool {
        for _ in peers.indices {
            if searchStart[search] >= peers.count { searchStart[search] = 0 }
            let slot = searchStart[search]
            if peers[slot] != nil, !condition(self, PeerIndex(rawValue: UInt16(slot))) { return false }
            searchStart[search] += 1
        }
        return true
    }

    /// Silence after which a table without End-of-RIB counts as whole.
    package static let quietTime: Duration = .seconds(1)

    /// The same of one peer.
    package func isSynchronized(_ index: PeerIndex, _ family: AddressFamily, now: Instant) -> Bool {
        guard let peer = peers[index.index], peer.settings.session.families.contains(family) else { return true }
        guard let session = peer.fsm.established?.session else { return false }
        if !session.families.contains(family) || peer.endOfRIB.received.contains(family) { return true }
        // A peer without graceful restart need not send End-of-RIB: its table is taken to be whole after a second of
        // silence.
        guard session.remoteGracefulRestart == nil,
            let since = [peer.times.established, peer.times.lastUpdate].compactMap({ $0 }).max()
        else { return false }
        return now - since > Speaker.quietTime
    }

    /// Transit is declared complete once every peer has sent its table, but for those that restart themselves (RFC 4724
    /// 4.1), which wait for us.
    mutating func checkDeferral(_ now: Instant) {
        guard deferralDeadline != nil else { return }
        let haveAllSent = isTrueOfAll(2) { speaker, index in
            if speaker.peers[index.index]?.fsm.established?.session.remoteGracefulRestart?.restarting ?? false {
                return true
            }
            return AddressFamily.allCases.allSatisfy { speaker.isSynchronized(index, $0, now: now) }
        }
        if haveAllSent { endDeferral() }
    }

    /// Our own restart is over: later OPENs do not say R any more.
    package mutating func endRestart() {
        restart = RestartState()
        for index in peers.indices { peers[index]?.fsm.restart = RestartState() }
        endDeferral()
    }

    mutating func endDeferral() { deferralDeadline = nil }
}
