import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import Resources
import StatusAPI

/// The daemon's one routing thread. Start reading here: `turn` is the map of the whole.
///
/// One turn is a fixed list of phases, each bounded in its work and timed into a metric. Bytes come in at `read` and
/// leave at `write`; the kernel hears of it at `reconcile`; whatever comes back enters at the top of the next turn.
final class RoutingLoop {
    enum Phase: Int, CaseIterable {
        case read, timeouts, decide, export, write, reconcile, control, connect
    }

    /// Prefixes decided, and prefixes replayed, in one turn at most.
    private static let decideBudget = 8192
    private static let replayBudget = 20_000
    /// Bytes read from one connection in one turn at most, and written.
    private static let readBudget = 1 << 16
    private static let writeBudget = 1 << 20

    let logger: Logger
    let settings: LoopSettings
    let plane: any ForwardingPlane
    var speaker: Speaker
    let mailbox: Mailbox<LoopMessage>
    let reload: Wakeup
    private let wakeup: Wakeup
    private let signals: SignalReader
    let transport: Transport
    let peering: Peering
    let neighbors: LinkNeighbors
    private let bfd: BFDEngine
    private var bfdTargets: [IPAddress: BFDTarget] = [:]
    private var bfdRevision = -1
    let started: Instant
    private(set) var now: Instant
    /// Nanoseconds spent in each phase, and the longest single run of it.
    private(set) var phaseTime = [Int64](repeating: 0, count: Phase.allCases.count)
    private(set) var phaseLongest = [Int64](repeating: 0, count: Phase.allCases.count)
    private(set) var turns: UInt64 = 0
    /// How late a keepalive left at most, and how many turns sent one more than 100 ms late.
    private(set) var keepaliveLatest: Int64 = 0
    private(set) var lateKeepalives: UInt64 = 0
    private static let keepaliveTolerance: Int64 = 100_000_000
    /// A phase that lasts longer is interrupted for keepalives that have become due.
    private static let breath: Int64 = 10_000_000
    private var lastBreath: Int64 = 0
    private var isStopping = false
    private var hasMoreWork = false
    /// Peers to connect to: once the forwarding plane has started, and so many a turn.
    private var waitingConnects: [PeerIndex] = []
    /// The same as a set: who asks twice waits once.
    private var isWaitingToConnect: Set<PeerIndex> = []
    private static let connectBudget = 128
    /// Peers whose timers fire in one turn at most.
    private static let timerBudget = 256
    var lineLimiter = LogLimiter()
    private var ready: [Readiness] = []
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)

    private static let wakeupToken: UInt64 = 1
    private static let signalToken: UInt64 = 2
    private static let kernelToken: UInt64 = 3
    private static let neighborToken: UInt64 = 4

    init(
        speaker: consuming Speaker, plane: any ForwardingPlane, peering: Peering, transport: Transport,
        signals: consuming SignalReader,
        wakeup: Wakeup, mailbox: Mailbox<LoopMessage>, reload: Wakeup, bfd: BFDEngine, logger: Logger,
        settings: LoopSettings, now: Instant
    ) throws(SystemError) {
        self.speaker = speaker
        self.plane = plane
        self.peering = peering
        self.bfd = bfd
        neighbors = LinkNeighbors(logger: logger)
        self.transport = transport
        self.signals = signals
        self.wakeup = wakeup
        self.mailbox = mailbox
        self.reload = reload
        self.logger = logger
        self.settings = settings
        self.now = now
        started = now
        try transport.poller.add(wakeup.fd, token: RoutingLoop.wakeupToken)
        try transport.poller.add(self.signals.fd, token: RoutingLoop.signalToken)
        for fd in plane.descriptors { try transport.poller.add(fd, token: RoutingLoop.kernelToken) }
    }

    /// Runs until SIGTERM or SIGINT. Sessions under graceful restart are then closed without a NOTIFICATION and routes
    /// stay in the kernel, so that a restart loses no packet (SPEC, promise 2); peers that would not keep our routes
    /// anyway are told Cease/2.
    func run() {
        while !isStopping { turn() }
        let told = Promise<Bool>()
        bfd.commands.post(.stop(told))
        _ = told.wait(milliseconds: 200)
        now = Instant(nanoseconds: monotonicNanoseconds())
        speaker.shutDown("apusd on \(peering.node) is stopping", now: now)
        carryOutActions()
        transport.finishClosing(until: now + RoutingLoop.farewellTime)
        logger.notice("stopping: routes stay, and sessions under graceful restart end without NOTIFICATION")
    }

    /// How long a peer that hears of the end may take to read it.
    private static let farewellTime: Duration = .seconds(1)

    // MARK: The turn

    private func turn() {
        wait()
        turns += 1
        timed(.read) { readSockets() }
        timed(.timeouts) { handleTimeouts() }
        timed(.decide) { decide() }
        timed(.export) { if speaker.export(replayBudget: RoutingLoop.replayBudget, now: now) { hasMoreWork = true } }
        timed(.write) { write() }
        noteKeepalives()
        leaveStart()
        giveMemoryBack()
        timed(.reconcile) { if plane.reconcile(&speaker, now: now, breathe: { breathe(&$0) }) { hasMoreWork = true } }
        timed(.control) { control() }
        timed(.connect) { beginWaitingConnects() }
        if speaker.hasWork(now: now) { hasMoreWork = true }
    }

    /// Once, when own routes are in the kernel and nothing waits.
    private func leaveStart() {
        guard !hasLeftStart, !plane.isStarting, !hasMoreWork else { return }
        hasLeftStart = true
        ProcessMemory.giveBack()
    }
    private var hasLeftStart = false

    /// After a table shrank to less than half and then stayed as it is for a while: tables are trimmed, and the memory
    /// goes back to the kernel.
    private func giveMemoryBack() {
        let used = speaker.usedBytes
        usedPeak = max(usedPeak, used)
        guard used < usedPeak / 2, usedPeak > RoutingLoop.memoryThreshold else {
            trimAt = nil
            return
        }
        // Still shrinking: later.
        if trimAt == nil || used < usedBeforeTrim / 10 * 9 {
            usedBeforeTrim = used
            trimAt = now + RoutingLoop.trimDelay
        }
        guard let trimAt, trimAt <= now else { return }
        guard !hasMoreWork, speaker.trim(), plane.trim(now: now) else {
            self.trimAt = now + RoutingLoop.trimDelay
            return
        }
        self.trimAt = nil
        usedPeak = used
        ProcessMemory.giveBack()
    }
    private var usedPeak = 0
    private var trimAt: Instant?
    private var usedBeforeTrim = 0
    private static let memoryThreshold = 1 << 20
    private static let trimDelay = Duration.seconds(1)

    private func noteKeepalives() {
        if let due = speaker.takeKeepaliveDue() { noteKeepalive(due) }
    }

    private func noteKeepalive(_ due: Instant) {
        let late = monotonicNanoseconds() - due.nanoseconds
        keepaliveLatest = max(keepaliveLatest, late)
        if late > RoutingLoop.keepaliveTolerance { lateKeepalives += 1 }
    }

    /// Called between pieces of a long phase: keepalives that have become due leave now, and not at the end of the
    /// turn.
    private func breathe() { breathe(&speaker) }

    private func breathe(_ speaker: inout Speaker) {
        let clock = monotonicNanoseconds()
        guard clock - lastBreath > RoutingLoop.breath else { return }
        lastBreath = clock
        now = Instant(nanoseconds: clock)
        guard let (connections, due) = speaker.takeDueKeepalives(now: now) else { return }
        for (peer, side) in connections {
            transport.send(peer, side, RoutingLoop.keepalive)
            guard let connection = transport.connection(peer, side), !connection.waitsForWritability else { continue }
            // What fails shows again when the connection's turn comes.
            _ = connection.write(budget: RoutingLoop.readBudget)
        }
        noteKeepalive(due)
    }
    private static let keepalive = MessageBuffer(KeepaliveMessage.encoded)

    private func timed(_ phase: Phase, _ body: () -> Void) {
        let start = monotonicNanoseconds()
        body()
        let end = monotonicNanoseconds()
        let spent = end - start
        if end - lastBreath > RoutingLoop.breath { breathe() }
        phaseTime[phase.rawValue] += spent
        phaseLongest[phase.rawValue] = max(phaseLongest[phase.rawValue], spent)
    }

    private func wait() {
        var timeout: Duration? = hasMoreWork ? .zero : nil
        if !hasMoreWork {
            let deadlines = [
                speaker.nextDeadline, plane.nextDeadline, transport.nextDeadline, peering.nextDeadline,
                neighbors.nextDeadline, trimAt,
            ]
            if let next = deadlines.compactMap({ $0 }).min() {
                timeout = max(.zero, next - Instant(nanoseconds: monotonicNanoseconds()))
            }
        }
        hasMoreWork = false
        ready.removeAll(keepingCapacity: true)
        transport.poller.wait(timeout: timeout, into: &ready)
        // Stopped and continued, or a deadline: what waits in the sockets is read before any timer fires (RFC 4271 6.5:
        // a hold timer expires where nothing was received).
        if ready.isEmpty { transport.poller.wait(timeout: .zero, into: &ready) }
        now = Instant(nanoseconds: monotonicNanoseconds())
        lastBreath = now.nanoseconds
    }

    // MARK: connect

    /// Begins at most `connectBudget` of the connections that were asked for, the oldest first. Own routes come before:
    /// a peer that heard End-of-RIB without them would drop what it kept for us.
    private func beginWaitingConnects() {
        guard !waitingConnects.isEmpty, !plane.isStarting else { return }
        var taken = 0
        for peer in waitingConnects {
            guard taken < RoutingLoop.connectBudget, transport.mayConnect else { break }
            taken += 1
            isWaitingToConnect.remove(peer)
            if taken & 31 == 0 { breathe() }
            // Given up meanwhile.
            guard speaker.awaitsConnection(peer), transport.connection(peer, .active) == nil else { continue }
            if !connect(peer) { peering.connectLater(peer, now) }
        }
        waitingConnects.removeFirst(taken)
        // Where too many are under way, the end of one of them begins the next turn.
        if !waitingConnects.isEmpty, transport.mayConnect { hasMoreWork = true }
    }

    // MARK: read

    private func readSockets() {
        for event in ready {
            breathe()
            switch event.token {
            case RoutingLoop.wakeupToken: wakeup.clear()
            case RoutingLoop.signalToken:
                switch signals.next() {
                case .terminate: isStopping = true
                case .reload: reload.signal()
                case nil: break
                }
            case RoutingLoop.kernelToken: plane.read(&speaker)
            case RoutingLoop.neighborToken: if !neighbors.read(now: now).isEmpty { applyLinks() }
            default:
                if transport.isListener(event.token) {
                    accept(event.token)
                } else if let connection = transport.connection(event.token) {
                    service(connection, event)
                }
            }
        }
    }

    private func accept(_ token: UInt64) {
        // At most 64 a turn: a storm of connections does not hold the sessions up that are there.
        for _ in 0..<64 {
            guard let accepted = transport.accept(token) else { return }
            let address = accepted.peer.address
            if transport.isFull {
                if transport.noteRefusal(now: now), let problem = transport.refusalProblem(now: now) {
                    logger.error("connection refused", metadata: ["address": "\(address)", "reason": "\(problem)"])
                }
                continue
            }
            guard let peer = peering.peer(for: address, &speaker, now: now) else {
                logStranger(address)
                continue
            }
            guard !plane.isStarting, speaker.admitsIncoming(peer, now: now) else {
                // RFC 4271 6.8: a second connection beside a session that is up is told why it goes.
                if speaker.isEstablished(peer) {
                    transport.refuse(accepted.takeSocket(), peer, .connectionCollision, now: now)
                }
                carryOutActions()
                peering.noteEnd(peer)
                continue
            }
            // Whatever the old passive connection was, it is closed before the new one takes its place.
            carryOutActions()
            transport.adopt(accepted.takeSocket(), peer, peering.socketOptions(peer), logger, now: now)
            connected(peer, .passive)
            carryOutActions()
        }
        hasMoreWork = true
    }

    private func service(_ connection: Connection, _ event: Readiness) {
        if connection.isConnecting {
            guard event.canWrite || event.isBroken else { return }
            let error = connection.socket.connectError()
            if error == 0 {
                transport.finishConnecting(connection)
                connected(connection.peer, connection.side)
            } else {
                peering.noteConnectError(connection.peer, error)
                transport.drop(connection)
                speaker.connectionFailed(connection.peer, connection.side, now: now)
            }
            carryOutActions()
            return
        }
        if event.canRead || event.isBroken { receive(connection) }
    }

    /// A connection is there: what depends on our end of it is known before the session comes up.
    private func connected(_ peer: PeerIndex, _ side: PeerFSM.Side) {
        let local = transport.connection(peer, side)?.socket.localAddress()?.address
        peering.updateReach(peer, from: local, plane, &speaker)
        speaker.connected(peer, side, local: local, now: now)
    }

    private func receive(_ connection: Connection) {
        var left = RoutingLoop.readBudget
        while left > 0 {
            switch connection.socket.read(into: &buffer) {
            case .done(let count):
                left -= count
                // After the end of a session what still comes is read and dropped, so that our NOTIFICATION is not lost
                // to a reset.
                guard connection.closeDeadline == nil else { continue }
                speaker.received(connection.peer, connection.side, buffer.rawSpan.part(0, count), now: now)
                carryOutActions()
                if transport.connection(connection.token) == nil { return }
                if count < buffer.count { return }
            case .wouldBlock: return
            case .closed, .failed:
                let wasOpen = connection.closeDeadline == nil
                transport.drop(connection)
                if wasOpen {
                    speaker.connectionFailed(connection.peer, connection.side, now: now)
                    carryOutActions()
                }
                return
            }
        }
    }

    // MARK: timeouts, decide

    private func handleTimeouts() {
        speaker.handleTimeouts(now: now, budget: RoutingLoop.timerBudget)
        transport.handleTimeouts(now: now)
        peering.handleTimeouts(&speaker, now: now)
        if neighbors.handleTimeouts(now: now, link: { plane.link($0)?.link }) { applyLinks() }
        carryOutActions()
    }

    private func applyLinks() {
        peering.applyLinks(neighbors, plane, &speaker, transport, now: now)
        configureBFD()
        carryOutActions()
    }

    /// Tells the BFD engine whom to watch, where that changed.
    private func configureBFD() {
        guard peering.revision != bfdRevision else { return }
        bfdRevision = peering.revision
        let targets = peering.bfdTargets(plane)
        guard targets != bfdTargets else { return }
        bfdTargets = targets
        bfd.commands.post(.configure(targets))
    }

    private func decide() {
        plane.resolve(&speaker)
        peering.applyLinkChanges(plane.takeLinkChanges(), plane, transport, &speaker)
        if speaker.decide(budget: RoutingLoop.decideBudget) { hasMoreWork = true }
        plane.take(speaker.takeChanges(), &speaker, now: now)
    }

    // MARK: write

    private func write() {
        carryOutActions()
        write(to: transport.takeWritable(ready))
        if speaker.hasActions { carryOutActions() }
    }

    private func write(to connections: [Connection]) {
        for connection in connections {
            breathe()
            let before = connection.queuedBytes
            let outcome = connection.write(budget: RoutingLoop.writeBudget)
            noteProgress(connection, outcome, hasProgressed: connection.queuedBytes < before)
            switch outcome {
            case .done:
                if connection.closeDeadline != nil { transport.finish(connection) }
            case .blocked: break
            case .failed:
                let wasOpen = connection.closeDeadline == nil
                transport.drop(connection)
                if wasOpen { speaker.connectionFailed(connection.peer, connection.side, now: now) }
                continue
            }
            connection.updateInterest(transport.poller)
            if connection.closeDeadline == nil {
                if connection.queuedBytes > Transport.backlogLimit {
                    speaker.setBacklogged(connection.peer, true)
                } else if connection.queuedBytes == 0 {
                    speaker.setBacklogged(connection.peer, false)
                }
            }
        }
    }

    /// SendHoldTimer: runs while something is queued, from the last byte that the peer took (RFC 9687 section 3.2).
    private func noteProgress(_ connection: Connection, _ outcome: Connection.WriteResult, hasProgressed: Bool) {
        guard connection.closeDeadline == nil else { return }
        if outcome == .blocked {
            if hasProgressed || !connection.isSendBlocked {
                connection.isSendBlocked = true
                speaker.setSendBlocked(connection.peer, connection.side, true, now: now)
            }
        } else if connection.isSendBlocked {
            connection.isSendBlocked = false
            speaker.setSendBlocked(connection.peer, connection.side, false, now: now)
        }
    }

    /// What the speaker asked for.
    func carryOutActions() {
        guard speaker.hasActions else { return }
        for (position, action) in speaker.takeActions().enumerated() {
            if position & 1023 == 1023 { breathe() }
            switch action {
            case .connect(let peer): if isWaitingToConnect.insert(peer).inserted { waitingConnects.append(peer) }
            case .send(let peer, let side, let buffer): transport.send(peer, side, buffer)
            case .close(let peer, let side): transport.close(peer, side, now: now)
            case .report(let peer, let event): report(peer, event)
            }
        }
    }

    /// False where the connection could not even be begun.
    private func connect(_ peer: PeerIndex) -> Bool {
        guard let target = peering.target(peer) else { return false }
        do throws(SystemError) {
            try transport.connect(peer, target.address, from: target.source, target.options)
            return true
        } catch {
            peering.noteConnectError(peer, error.code)
            logLine(.debug, "cannot connect", peer, .attempt, ["reason": "\(error)"])
            return false
        }
    }

    // MARK: control

    private func control() {
        if peering.removeEndedDynamicPeers(&speaker, now: now) { hasMoreWork = true }
        configureBFD()
        for message in mailbox.takeAll() {
            switch message {
            case .configuration(let loaded):
                peering.apply(loaded, &speaker, plane, transport, now: now)
                StandardErrorLogHandler.override(severity: loaded.resources.configuration(of: peering.node).logSeverity)
                if let fd = neighbors.configure(peering.linkNames, now: now) {
                    do throws(SystemError) { try transport.poller.add(fd, token: RoutingLoop.neighborToken) } catch {
                        logger.error("cannot watch for router advertisements", metadata: ["reason": "\(error)"])
                    }
                }
                applyLinks()
                hasMoreWork = true
            case .endpoints(let loaded, let keys):
                peering.apply(loaded, endpoints: keys, &speaker, plane, transport, now: now)
                hasMoreWork = true
            case .bfd(let report):
                take(report)
                configureBFD()
                carryOutActions()
            case .question(.order(let order), let promise): promise.fulfil(carryOut(order))
            case .question(.doctor, let promise): asked.append(.doctor(nil, promise))
            case .question(let question, let promise): asked.append(.question(question, promise))
            case .metrics(let promise): asked.append(.metrics(promise))
            case .readiness(let promise): promise.fulfil(StatusBuilder(loop: self).readiness())
            case .alive(let promise): promise.fulfil(true)
            }
        }
        answerQuestions()
    }

    // MARK: questions

    private enum Asked {
        case question(StatusQuestion, Promise<StatusAnswer>)
        case metrics(Promise<MetricsPage>)
        /// Nil: it has not begun.
        case doctor(DoctorRound?, Promise<StatusAnswer>)
    }
    /// Questions in the order in which they came.
    private var asked: [Asked] = []
    /// After so long no further question is begun in a turn; the others wait for the next. A page costs about as much.
    private static let questionTime: Int64 = 500_000

    private func answerQuestions() {
        guard !asked.isEmpty else { return }
        let start = monotonicNanoseconds()
        let builder = StatusBuilder(loop: self)
        var answered = 0
        while answered < asked.count, answered == 0 || monotonicNanoseconds() - start < RoutingLoop.questionTime {
            switch asked[answered] {
            case .question(let question, let promise): promise.fulfil(builder.answer(question))
            case .metrics(let promise):
                let snapshot = builder.metrics()
                promise.fulfil(MetricsPage { snapshot.lines() })
            case .doctor(let round, let promise):
                var round = round ?? builder.beginDoctor()
                plane.examine(&round)
                if round.walk == nil {
                    startEdgeThread { [round] in
                        var answer = StatusAnswer()
                        answer.findings = round.findings()
                        promise.fulfil(answer)
                    }
                } else {
                    asked.append(.doctor(round, promise))
                }
            }
            answered += 1
        }
        asked.removeFirst(answered)
        if !asked.isEmpty { hasMoreWork = true }
    }

    /// Carries out an operator's order.
    private func carryOut(_ order: StatusOrder) -> StatusAnswer {
        var answer = StatusAnswer()
        switch order {
        case .releaseRoutes:
            let count = plane.releaseHeld(speaker)
            hasMoreWork = true
            answer.done = count == 0 ? "no routes were kept" : "let \(count) routes go"
            return answer
        case .refresh(let name):
            guard let peer = ordered(name, &answer) else { return answer }
            if speaker.requestRefresh(peer) {
                answer.done = "asked \(peering.name(peer)) for its routes"
            } else {
                answer.error = "\(peering.name(peer)) is not established, or does not know ROUTE-REFRESH"
            }
            logger.notice("operator's order", metadata: ["order": "\(order.name)", "peer": "\(peering.name(peer))"])
        case .reset(let name, let text):
            guard let peer = ordered(name, &answer) else { return answer }
            speaker.resetPeer(peer, .administrativeReset(text), now: now)
            answer.done = "reset the session to \(peering.name(peer))"
            logger.notice("operator's order", metadata: ["order": "\(order.name)", "peer": "\(peering.name(peer))"])
        }
        carryOutActions()
        return answer
    }

    /// The peer that an order is about; nil, with the error, where there is none.
    private func ordered(_ name: String, _ answer: inout StatusAnswer) -> PeerIndex? {
        if let peer = speaker.peerIndices.first(where: { peering.matches($0, name) }) { return peer }
        answer.error = "no peer has the address or name \(name)"
        return nil
    }
}
