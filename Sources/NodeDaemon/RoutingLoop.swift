import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import Edges
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import Node
import Rehearsal
import Resources
import Status
import StatusAPI
import Transport
import Wording

/// The daemon's one routing thread. Start reading here: `turn` is the map of the whole.
///
/// One turn is a fixed list of phases, each bounded in its work and timed into a metric. Bytes come in at `read` and
/// leave at `write`; the kernel hears of it at `reconcile`; whatever comes back enters at the top of the next turn.
final class RoutingLoop {
    /// Bytes read from one connection in one turn at most, and written.
    private static let readBudget = 1 << 16
    private static let writeBudget = 1 << 20

    var logger: Logger { core.logger }
    private let mode: NodeMode
    let core: NodeCore
    let mailbox: Mailbox<LoopMessage>
    let reload: Wakeup
    private let wakeup: Wakeup
    private let signals: SignalReader
    let transport: Transport
    let neighbors: LinkNeighbors
    private var bfd: BFDClient
    private var meter: LoopMeter
    private var trimmer = MemoryTrimmer()
    /// A phase that lasts longer is interrupted for keepalives that have become due.
    private static let breath: Int64 = 10_000_000
    /// The start is over; the end has begun; the next turn has no other reason than a look at what is found.
    private struct Lifecycle { var hasLeftStart = false, isStopping = false, wakesForHealth = false }
    private var lifecycle = Lifecycle()
    private var ready: [Readiness] = []
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)

    private static let wakeupToken: UInt64 = 1
    private static let signalToken: UInt64 = 2
    private static let kernelToken: UInt64 = 3
    private static let neighborToken: UInt64 = 4

    init(
        core: NodeCore, transport: Transport, signals: consuming SignalReader, wakeup: Wakeup,
        mailbox: Mailbox<LoopMessage>, reload: Wakeup, bfd: BFDEngine, mode: NodeMode, ground: any RehearsalGround,
        secrets: @escaping @Sendable (ResourceSet) -> Secrets
    ) throws(SystemError) {
        questions = Questions(ground: ground, secrets: secrets)
        self.core = core
        self.bfd = BFDClient(bfd)
        neighbors = LinkNeighbors(logger: core.logger)
        self.transport = transport
        self.signals = signals
        self.wakeup = wakeup
        self.mailbox = mailbox
        self.reload = reload
        self.mode = mode
        meter = LoopMeter(started: core.now)
        try transport.poller.add(wakeup.fd, token: RoutingLoop.wakeupToken)
        try transport.poller.add(self.signals.fd, token: RoutingLoop.signalToken)
        for fd in core.plane.descriptors { try transport.poller.add(fd, token: RoutingLoop.kernelToken) }
        core.breathe = { [unowned self] in breathe(&$0) }
    }

    /// Runs until SIGTERM or SIGINT. Sessions under graceful restart are then closed without a NOTIFICATION and routes
    /// stay in the kernel, so that a restart loses no packet (docs/promises.md, promise 2); peers that would not keep
    /// our routes anyway are sent Cease/2.
    func run() {
        while !lifecycle.isStopping { turn() }
        let stopped = Promise<Bool>()
        bfd.engine.commands.post(.stop(stopped))
        _ = stopped.wait(milliseconds: 200)
        core.now = Instant(nanoseconds: monotonicNanoseconds())
        core.speaker.shutDown("apusd on \(core.peering.node) is stopping", now: core.now)
        core.carryOutActions()
        transport.finishClosing(until: core.now + RoutingLoop.farewellTime)
        logger.notice("stopping: routes stay, and sessions under graceful restart end without NOTIFICATION")
    }

    /// How long a peer that hears of the end may take to read it.
    private static let farewellTime: Duration = .seconds(1)

    // MARK: The turn

    private func turn() {
        wait()
        meter.turns += 1
        timed(.read) { readSockets() }
        timed(.timeouts) { handleTimeouts() }
        timed(.decide) { core.decide() }
        timed(.export) { core.export() }
        timed(.write) { write() }
        if let due = core.speaker.takeKeepaliveDue() { meter.keepalives.sent(due, now: monotonicNanoseconds()) }
        leaveStart()
        trimmer.look(core)
        timed(.reconcile) { core.reconcile() }
        timed(.control) { control() }
        timed(.connect) { core.beginWaitingConnects() }
        if core.speaker.hasWork(now: core.now) { core.hasMoreWork = true }
    }

    /// Once, when own routes are in the kernel and nothing waits.
    private func leaveStart() {
        guard !lifecycle.hasLeftStart, !core.plane.isStarting, !core.hasMoreWork else { return }
        lifecycle.hasLeftStart = true
        ProcessMemory.giveBack()
    }

    /// Called between pieces of a long phase: keepalives that have become due leave now, and not at the end of the
    /// turn.
    private func breathe() { breathe(&core.speaker) }

    private func breathe(_ speaker: inout Speaker) {
        let clock = monotonicNanoseconds()
        guard clock - meter.lastBreath > RoutingLoop.breath else { return }
        meter.lastBreath = clock
        core.now = Instant(nanoseconds: clock)
        guard let (connections, due) = speaker.takeDueKeepalives(now: core.now) else { return }
        for (peer, side) in connections {
            transport.send(peer, side, buffer: RoutingLoop.keepalive)
            guard let connection = transport.connection(peer, side), !connection.waitsForWritability else { continue }
            // What fails shows again when the connection's turn comes.
            _ = connection.write(budget: RoutingLoop.readBudget)
        }
        meter.keepalives.sent(due, now: monotonicNanoseconds())
    }
    private static let keepalive = MessageBuffer(KeepaliveMessage.encoded)

    private func timed(_ phase: LoopMeter.Phase, _ body: () -> Void) {
        let start = monotonicNanoseconds()
        body()
        let end = monotonicNanoseconds()
        let spent = end - start
        if end - meter.lastBreath > RoutingLoop.breath { breathe() }
        meter.phaseTime[phase.rawValue] += spent
        meter.phaseLongest[phase.rawValue] = max(meter.phaseLongest[phase.rawValue], spent)
    }

    private func wait() {
        var timeout: Duration? = core.hasMoreWork ? .zero : nil
        if !core.hasMoreWork {
            let next = Instant.earliest([
                core.nextDeadline, transport.nextDeadline, neighbors.nextDeadline, trimmer.nextDeadline,
            ])
            lifecycle.wakesForHealth = next.map { $0 > core.health.nextDeadline ?? $0 } ?? true
            if let next = Instant.earliest(next, core.health.nextDeadline) {
                timeout = max(.zero, next - Instant(nanoseconds: monotonicNanoseconds()))
            }
        }
        core.hasMoreWork = false
        ready.removeAll(keepingCapacity: true)
        transport.poller.wait(timeout: timeout, into: &ready)
        // Stopped and continued, or a deadline: what waits in the sockets is read before any timer fires (RFC 4271 6.5:
        // a hold timer expires where nothing was received).
        if ready.isEmpty { transport.poller.wait(timeout: .zero, into: &ready) }
        core.now = Instant(nanoseconds: monotonicNanoseconds())
        meter.lastBreath = core.now.nanoseconds
        // A turn that only looks at what is found leads to no other.
        if !ready.isEmpty || !lifecycle.wakesForHealth { core.health.noteActivity(now: core.now) }
    }

    // MARK: read

    private func readSockets() {
        for event in ready {
            breathe()
            switch event.token {
            case RoutingLoop.wakeupToken: wakeup.clear()
            case RoutingLoop.signalToken:
                switch signals.next() {
                case .terminate: lifecycle.isStopping = true
                case .reload: reload.signal()
                case nil: break
                }
            case RoutingLoop.kernelToken: core.plane.read(&core.speaker)
            case RoutingLoop.neighborToken: if !neighbors.read(now: core.now).isEmpty { applyLinks() }
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
                if transport.noteRefusal(now: core.now), let (limit, closed) = transport.recentRefusals(now: core.now) {
                    let cause = FindingCause.connectionsRefused(limit: limit, closed: closed)
                    logger.error("connection refused", metadata: ["address": "\(address)", "reason": "\(cause.text)"])
                }
                continue
            }
            guard let (peer, isAdmitted, isSecond) = core.admit(address) else { continue }
            guard isAdmitted else {
                if isSecond {
                    transport.refuse(accepted.takeSocket(), peer, reason: .connectionCollision, now: core.now)
                }
                core.carryOutActions()
                core.peering.noteEnd(peer)
                continue
            }
            // Whatever the old passive connection was, it is closed before the new one takes its place.
            core.carryOutActions()
            transport.adopt(
                accepted.takeSocket(), peer, options: core.peering.peers.socketOptions(peer), logger: logger,
                now: core.now)
            core.connected(peer, .passive)
        }
        core.hasMoreWork = true
    }

    private func service(_ connection: Connection, _ event: Readiness) {
        if connection.isConnecting {
            guard event.canWrite || event.isBroken else { return }
            let error = connection.socket.connectError()
            if error == 0 {
                transport.finishConnecting(connection)
                core.connected(connection.peer, connection.side)
            } else {
                transport.drop(connection)
                core.connectionFailed(connection.peer, connection.side, connectError: error)
            }
            return
        }
        if event.canRead || event.isBroken { receive(connection) }
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
                core.received(connection.peer, connection.side, bytes: buffer.rawSpan.part(0, count))
                if transport.connection(connection.token) == nil { return }
                if count < buffer.count { return }
            case .wouldBlock: return
            case .closed, .failed:
                let wasOpen = connection.closeDeadline == nil
                transport.drop(connection)
                if wasOpen { core.connectionFailed(connection.peer, connection.side) }
                return
            }
        }
    }

    // MARK: timeouts

    private func handleTimeouts() {
        if core.handleTimeouts() { applyLinks() }
        transport.handleTimeouts(now: core.now)
        if neighbors.handleTimeouts(now: core.now, link: { core.plane.link($0)?.link }) { applyLinks() }
        core.carryOutActions()
    }

    private func applyLinks() {
        core.peering.applyLinks(
            neighbors.neighbor, plane: core.plane, speaker: &core.speaker, transport: transport, now: core.now)
        bfd.follow(core.peering, core.plane)
        core.carryOutActions()
    }

    // MARK: write

    private func write() {
        core.carryOutActions()
        write(to: transport.takeWritable(ready))
        core.carryOutActions()
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
                if wasOpen { core.speaker.connectionFailed(connection.peer, connection.side, now: core.now) }
                continue
            }
            connection.updateInterest(transport.poller)
            if connection.closeDeadline == nil {
                if connection.queuedBytes > Transport.backlogLimit {
                    core.speaker.setBacklogged(connection.peer, true)
                } else if connection.queuedBytes == 0 {
                    core.speaker.setBacklogged(connection.peer, false)
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
                core.speaker.setSendBlocked(connection.peer, connection.side, isBlocked: true, now: core.now)
            }
        } else if connection.isSendBlocked {
            connection.isSendBlocked = false
            core.speaker.setSendBlocked(connection.peer, connection.side, isBlocked: false, now: core.now)
        }
    }

    // MARK: control

    private func control() {
        core.removeEndedPeers()
        bfd.follow(core.peering, core.plane)
        for message in mailbox.takeAll() {
            switch message {
            case .change(let change):
                core.apply(change)
                // No pod's endpoint is any of this.
                if change.isOfEndpointsAlone { continue }
                let loaded = change.after
                LogSettings.override(
                    severity: loaded.resources.configuration(of: core.peering.node).logSeverity)
                if let fd = neighbors.configure(core.peering.linkNames, now: core.now) {
                    do throws(SystemError) { try transport.poller.add(fd, token: RoutingLoop.neighborToken) } catch {
                        logger.error("cannot watch for router advertisements", metadata: ["reason": "\(error)"])
                    }
                }
                applyLinks()
            case .resolved(let name, let addresses): if core.resolved(name, addresses) { applyLinks() }
            case .bfd(let report):
                core.take(report)
                bfd.follow(core.peering, core.plane)
                core.carryOutActions()
            case .question(.order(let order), let promise): promise.fulfil(core.carryOut(order))
            case .question(.doctor, let promise): questions.asked.append(.doctor(nil, promise))
            case .question(.plan(let request), let promise): questions.asked.append(.plan(nil, request, promise))
            case .question(let question, let promise): questions.asked.append(.question(question, promise))
            case .metrics(let promise): questions.asked.append(.metrics(MetricsRound(), promise))
            case .readiness(let promise):
                promise.fulfil(
                    ReadinessReport(unreadiness: StatusBuilder(core, meter: meter, mode: mode).unreadiness()))
            case .examined(let findings, let refusals, let promise):
                core.health.examined(findings, refusals: refusals, now: core.now)
                if let promise {
                    var answer = StatusAnswer()
                    answer.findings = StatusBuilder(core, meter: meter, mode: mode).doctor()
                    promise.fulfil(answer)
                }
            case .listener(let flag, let cause): core.health.listenerChanged(flag, cause, now: core.now)
            case .alive(let promise): promise.fulfil(true)
            }
        }
        if core.health.takeExaminationDue(now: core.now) { questions.asked.append(.doctor(nil, nil)) }
        answerQuestions()
        if core.health.isDue(now: core.now) { _ = StatusBuilder(core, meter: meter, mode: mode).health() }
        core.logHealth()
    }

    // MARK: questions

    private enum Asked {
        case question(StatusQuestion, Promise<StatusAnswer>)
        case metrics(MetricsRound, Promise<MetricsPage>)
        /// An examination of the host, for `apusctl doctor` or by itself. Nil: it has not begun.
        case doctor(DoctorRound?, Promise<StatusAnswer>?)
        /// `apusctl plan`. Nil: it has not begun.
        case plan(PlanRound?, PlanRequest, Promise<StatusAnswer>)
    }
    /// Questions in the order in which they came, and where a plan is rehearsed.
    private struct Questions {
        var asked: [Asked] = []
        let ground: any RehearsalGround
        /// Those that resources refer to.
        let secrets: @Sendable (ResourceSet) -> Secrets
        /// One at a time: a rehearsal is a whole node.
        let isRehearsing = Locked(false)
    }
    private var questions: Questions
    /// After so long no further question is begun in a turn; the others wait for the next. A page costs about as much.
    private static let questionTime: Int64 = 500_000

    private func answerQuestions() {
        guard !questions.asked.isEmpty else { return }
        let start = monotonicNanoseconds()
        let used = threadNanoseconds()
        defer { meter.questionsLongest = max(meter.questionsLongest, threadNanoseconds() - used) }
        let builder = StatusBuilder(core, meter: meter, mode: mode)
        var answered = 0
        while answered < questions.asked.count,
            answered == 0 || monotonicNanoseconds() - start < RoutingLoop.questionTime
        {
            switch questions.asked[answered] {
            case .question(let question, let promise): promise.fulfil(builder.answer(question))
            case .metrics(var round, let promise):
                round.goOn(core.speaker) { core.peering.peers.knows($0) }
                if round.next == nil {
                    let snapshot = builder.metrics(round)
                    promise.fulfil(MetricsPage { snapshot.lines(logLinesDropped: LogSettings.droppedLines) })
                } else {
                    questions.asked.append(.metrics(round, promise))
                }
            case .doctor(let round, let promise):
                var round = round ?? builder.beginExamination()
                core.plane.examine(&round)
                if round.walk == nil {
                    startEdgeThread { [round, mailbox] in
                        mailbox.post(.examined(round.findings(), TCPRefusals.read(), promise))
                    }
                } else {
                    questions.asked.append(.doctor(round, promise))
                }
            case .plan(let round, let request, let promise):
                if round == nil,
                    questions.isRehearsing.withLock({ isBusy in
                        defer { isBusy = true }
                        return isBusy
                    })
                {
                    var answer = StatusAnswer()
                    answer.error = "another plan is being rehearsed: try again"
                    answer.isBusy = true
                    promise.fulfil(answer)
                    break
                }
                var round = round ?? PlanRound(core)
                round.goOn(core)
                if round.isComplete {
                    let quiet = Logger(label: "plan") { _ in SwiftLogNoOpLogHandler() }
                    let (ground, secrets, isRehearsing) = (questions.ground, questions.secrets, questions.isRehearsing)
                    startEdgeThread { [round] in
                        let answer = PlanForecast.run(request, round, on: ground, logger: quiet, secrets: secrets)
                        isRehearsing.withLock { $0 = false }
                        promise.fulfil(answer)
                    }
                } else {
                    questions.asked.append(.plan(round, request, promise))
                }
            }
            answered += 1
        }
        questions.asked.removeFirst(answered)
        if !questions.asked.isEmpty { core.hasMoreWork = true }
    }
}
