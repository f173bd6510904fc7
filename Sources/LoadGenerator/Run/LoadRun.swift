import BGPMessages
import BGPSession
import LinuxIO
import NetTypes

/// A run from the first connection to the report: one thread, one epoll.
///
/// The way of the data: a phase queues bytes that were encoded before its clock started; `turn` writes what the sockets
/// take, reads what comes, and counts it; a receiver is complete when it holds exactly what it must, and the phase when
/// all are.
package final class LoadRun {
    private let scenario: LoadScenario
    private let plan: RoutePlan
    private let poller: Poller
    private var reader: UpdateReader
    private var speakers: [LoadSpeaker] = []
    /// What the senders send, encoded beforehand, and when each probe was sent.
    struct Sending {
        var announcements: [[UInt8]] = []
        var withdrawals: [[UInt8]] = []
        /// By speaker: what it announces itself. Some reflectors send that back to it (RFC 4456 8 makes it ignore
        /// that); it is counted apart.
        var own: [OwnRoutes] = []
        /// Latency: when the prefix was sent, and the times of those that came.
        var sentAt: [Int: Int64] = [:]
        var latencies: [Int64] = []
    }
    private var sending = Sending()
    /// Prefixes that are announced now; with shared prefixes and ADD-PATH every sender's.
    private var live: NumberSet
    private var report: LoadReport
    /// Memory that is used again at each turn.
    struct Scratch {
        var actions: [PeerFSM.Action] = []
        var ready: [Readiness] = []
    }
    private var scratch = Scratch()
    /// Not in `Scratch`: it is lent while messages are handled, which fill `actions`.
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private var now: Instant
    private var fault: String?
    /// Sessions that are being opened.
    struct Connecting {
        var incomplete = 0
        var opening = 0
        var next = 0
        var nextTimerScan = Instant.zero
    }
    private var connecting = Connecting()
    /// Nil where the kernel is not looked at.
    private var kernel: KernelWatch?
    private let say: (String) -> Void

    private static let writeBudget = 1 << 18

    /// `say`: gets a line on what is being done, for a terminal.
    package init(_ scenario: LoadScenario, version: String, say: @escaping (String) -> Void) throws(LoadError) {
        self.scenario = scenario
        self.say = say
        say("making up \(scenario.prefixes * scenario.senders) prefixes")
        plan = try RoutePlan(scenario)
        reader = UpdateReader(plan, scenario)
        do throws(SystemError) { poller = try Poller() } catch { throw LoadError("epoll: \(errorText(error.code))") }
        report = LoadReport(scenario, version: version)
        report.sets = plan.setCount / max(scenario.senders, 1)
        now = Instant(nanoseconds: monotonicNanoseconds())
        let isPaired = scenario.receivesAddPath && scenario.isShared
        let capacity = plan.prefixCount * (isPaired ? scenario.senders : 1)
        live = NumberSet(capacity: capacity)
        for index in 0..<scenario.speakers {
            let speaker = LoadSpeaker(index, scenario)
            if scenario.receiverRange.contains(index) {
                speaker.routes = ReceivedRoutes(
                    capacity: capacity, hasPathIDs: scenario.receivesAddPath, senders: isPaired ? scenario.senders : 1)
            }
            speakers.append(speaker)
            sending.own.append(OwnRoutes(index < scenario.senders && !plan.isShared ? plan.numbers(of: index) : []))
        }
        for sender in 0..<scenario.senders {
            sending.announcements.append(plan.announcements(of: sender, scenario))
            sending.withdrawals.append(plan.withdrawals(of: sender, scenario))
        }
    }

    /// Runs every phase; the report says how it went.
    package func run() -> LoadReport {
        establish()
        if !scenario.processes.isEmpty, ProcessUsage(scenario.processes) == nil {
            fault = "--pid: one of the processes is not there"
        }
        if fault == nil {
            kernel = scenario.fibProcess.map { KernelWatch(process: $0) }
            for phase in scenario.phases where fault == nil { carryOut(phase) }
        }
        if let fault { report.problems.append(fault) }
        for speaker in speakers {
            step(speaker) { $0.handle(.stop(.administrativeShutdown()), now: self.now, &$1) }
            _ = speaker.write(budget: LoadRun.writeBudget)
        }
        return report
    }

    // MARK: Sessions

    private func establish() {
        let start = Instant(nanoseconds: monotonicNanoseconds())
        let deadline = start + .seconds(Int64(scenario.timeout))
        while fault == nil {
            while connecting.opening < scenario.burst, connecting.next < speakers.count {
                connecting.opening += 1
                step(speakers[connecting.next]) { $0.handle(.start, now: self.now, &$1) }
                connecting.next += 1
            }
            let up = speakers.count { $0.isUp }
            if up == speakers.count { break }
            if now >= deadline {
                let reason = speakers.first { !$0.isUp }?.downReason.map { ": \($0)" } ?? ""
                fault =
                    "\(speakers.count - up) of \(speakers.count) sessions are not up after \(scenario.timeout) "
                    + "s\(reason)"
            }
            say("sessions: \(up) of \(speakers.count)")
            turn(.milliseconds(100))
        }
        report.establishSeconds = (now - start).inSeconds
        // End-of-RIB and what comes with a new session.
        let quiet = now + scenario.settle
        while now < quiet, fault == nil { turn(.milliseconds(50)) }
    }

    /// Runs a state machine and does what it says.
    private func step(_ speaker: LoadSpeaker, _ body: (inout PeerFSM, inout [PeerFSM.Action]) -> Void) {
        scratch.actions.removeAll(keepingCapacity: true)
        body(&speaker.fsm, &scratch.actions)
        for action in scratch.actions {
            switch action {
            case .connect: connect(speaker)
            case .send(_, let message): speaker.send(message)
            case .close:
                _ = speaker.write(budget: LoadRun.writeBudget)
                drop(speaker)
            case .established(_, let session):
                speaker.session = session
                speaker.framer.maximumLength = session.maximumMessageLength
                connecting.opening -= 1
            case .down(_, let reason):
                speaker.downReason = reason
                if fault == nil {
                    fault =
                        "the session of speaker \(speaker.index) (\(scenario.address(speaker.index))) went down: "
                        + "\(reason)"
                }
            case .attemptFailed(let reason): speaker.downReason = reason
            }
        }
        if speaker.hasQueued { flush(speaker) }
    }

    private func connect(_ speaker: LoadSpeaker) {
        drop(speaker)
        do throws(SystemError) {
            let socket = try TCPSocket(
                connectingTo: SocketAddress(scenario.target, port: scenario.port),
                from: scenario.address(speaker.index),
                TCPSocket.Options(password: scenario.password))
            let box = LoadSpeaker.SocketBox(socket)
            try poller.add(box.socket.fd, token: UInt64(speaker.index), write: true)
            speaker.socket = box
            speaker.isConnecting = true
            speaker.waitsForWritability = true
        } catch {
            fault =
                "speaker \(speaker.index) cannot connect from \(scenario.address(speaker.index)): \(error); does "
                + "the host have that address?"
        }
    }

    private func drop(_ speaker: LoadSpeaker) {
        if let socket = speaker.socket { poller.remove(socket.socket.fd) }
        speaker.dropConnection()
    }

    // MARK: The turn

    private func turn(_ timeout: Duration) {
        scratch.ready.removeAll(keepingCapacity: true)
        poller.wait(timeout: timeout, into: &scratch.ready)
        now = Instant(nanoseconds: monotonicNanoseconds())
        for event in scratch.ready {
            let speaker = speakers[Int(event.token)]
            guard let box = speaker.socket else { continue }
            if speaker.isConnecting {
                let error = box.socket.connectError()
                if error == 0 {
                    speaker.isConnecting = false
                    step(speaker) { $0.handle(.connected(.active), now: self.now, &$1) }
                    updateInterest(speaker)
                } else {
                    drop(speaker)
                    step(speaker) { $0.handle(.connectionFailed(.active), now: self.now, &$1) }
                }
                continue
            }
            if event.canRead || event.isBroken { read(speaker, box) }
            if event.canWrite { flush(speaker) }
        }
        if now >= connecting.nextTimerScan {
            connecting.nextTimerScan = now + .milliseconds(500)
            for speaker in speakers {
                if let deadline = speaker.fsm.nextDeadline, deadline <= now {
                    step(speaker) { $0.handleTimeout(now: self.now, &$1) }
                }
            }
        }
    }

    private func flush(_ speaker: LoadSpeaker) {
        guard !speaker.isConnecting else { return }
        guard speaker.write(budget: LoadRun.writeBudget) else { return lost(speaker) }
        updateInterest(speaker)
    }

    private func updateInterest(_ speaker: LoadSpeaker) {
        guard let box = speaker.socket, speaker.waitsForWritability != speaker.hasQueued else { return }
        speaker.waitsForWritability = speaker.hasQueued
        poller.modify(box.socket.fd, token: UInt64(speaker.index), write: speaker.hasQueued)
    }

    private func lost(_ speaker: LoadSpeaker) {
        drop(speaker)
        step(speaker) { $0.handle(.connectionFailed(.active), now: self.now, &$1) }
    }

    private func read(_ speaker: LoadSpeaker, _ box: LoadSpeaker.SocketBox) {
        switch box.socket.read(into: &buffer) {
        case .done(let count):
            // A speaker with Nagle's algorithm would wait for our delayed acknowledgement, and that would be what is
            // measured.
            if !sending.sentAt.isEmpty { box.socket.acknowledgeAtOnce() }
            var framer = speaker.framer
            speaker.framer = MessageFramer()
            var hadUpdate = false
            do throws(NotificationMessage) {
                try framer.consume(buffer.rawSpan.part(0, count)) { type, message in
                    if type == .update { hadUpdate = true }
                    take(speaker, type, message: message)
                    return speaker.socket != nil
                }
            } catch {
                if fault == nil { fault = "speaker \(speaker.index) got what is no BGP: \(error)" }
            }
            if speaker.socket != nil {
                framer.maximumLength = max(framer.maximumLength, speaker.framer.maximumLength)
                speaker.framer = framer
                // One for the whole read: it only restarts the hold timer.
                if hadUpdate { step(speaker) { $0.handle(.update(.active), now: self.now, &$1) } }
            }
        case .wouldBlock: return
        case .closed, .failed: lost(speaker)
        }
    }

    private func take(_ speaker: LoadSpeaker, _ type: MessageType, message: RawSpan) {
        switch type {
        case .update: takeUpdate(speaker, message)
        case .open:
            guard let open = try? OpenMessage(message: message) else { return }
            step(speaker) { $0.handle(.open(.active, open), now: self.now, &$1) }
        case .keepalive: step(speaker) { $0.handle(.keepalive(.active), now: self.now, &$1) }
        case .notification:
            guard let notification = NotificationMessage(message: message) else { return }
            step(speaker) { $0.handle(.notification(.active, notification), now: self.now, &$1) }
        default: return
        }
    }

    private func takeUpdate(_ speaker: LoadSpeaker, _ message: RawSpan) {
        guard speaker.routes != nil, let context = speaker.session?.attributeContext else { return }
        guard let update = reader.read(message, context) else {
            if fault == nil { fault = "speaker \(speaker.index) got a malformed UPDATE" }
            return
        }
        speaker.routes?.take(update, own: sending.own[speaker.index])
        if !sending.sentAt.isEmpty { noteLatency(speaker, update) }
        guard speaker.completedAt == nil, let routes = speaker.routes, routes.right.count == speaker.wanted,
            routes.present.count == speaker.wanted
        else { return }
        speaker.completedAt = now
        connecting.incomplete -= 1
    }

    // MARK: Phases

    private func carryOut(_ phase: LoadScenario.Phase) {
        var result = LoadReport.Phase(name: phase.name)
        let usage = ProcessUsage(scenario.processes)
        let ownCPU = ProcessUsage.own
        for speaker in speakers { speaker.routes?.resetCounters() }
        let start = Instant(nanoseconds: monotonicNanoseconds())
        now = start
        let deadline = start + .seconds(Int64(scenario.timeout))
        switch phase {
        case .announce:
            setLive(true)
            for sender in 0..<scenario.senders { begin(speakers[sender], sending.announcements[sender]) }
            waitForAll(phase.name, deadline)
        case .withdraw:
            setLive(false)
            for sender in 0..<scenario.senders { begin(speakers[sender], sending.withdrawals[sender]) }
            waitForAll(phase.name, deadline)
        case .churn(let rate, let seconds):
            churn(rate, seconds, into: &result, deadline: deadline + .seconds(Int64(seconds)))
        case .latency(let count): latency(count, &result)
        }
        let end = speakers.compactMap(\.completedAt).max() ?? now
        result.seconds = ((scenario.fibProcess == nil ? end : now) - start).inSeconds
        let times = speakers.compactMap { $0.completedAt.map { ($0 - start).inSeconds } }.sorted()
        result.firstReceiverSeconds = times.first
        result.medianReceiverSeconds = times.isEmpty ? nil : times[times.count / 2]
        result.generatorCPUSeconds = (ProcessUsage.own - ownCPU).inSeconds
        let busy = result.generatorCPUSeconds / max(result.seconds, 1e-9)
        settle()
        if let before = usage {
            if let after = ProcessUsage(scenario.processes) {
                result.cpuSeconds = (after.cpu - before.cpu).inSeconds
                result.residentBytes = after.residentBytes
                result.peakResidentBytes = after.peakResidentBytes
            } else if fault == nil {
                fault = "a process that was to be measured has ended"
            }
        }
        if case .latency = phase {
        } else {
            result.isGeneratorBound = busy > 0.9 && (result.cpuSeconds ?? 0) < 0.9 * result.seconds
        }
        judge(&result)
        report.phases.append(result)
        if !result.ok {
            let detail =
                fault == nil
                ? ": \(result.missing) routes missing, \(result.unexpected) unexpected, \(result.wrong) wrong" : ""
            report.problems.append("\(phase.name) did not end as it must within \(scenario.timeout) s\(detail)")
        }
        if result.isGeneratorBound {
            say("\(phase.name): the generator was the bottleneck, not the process under test")
        }
    }

    private func begin(_ speaker: LoadSpeaker, _ messages: [UInt8]) {
        speaker.send(messages)
        flush(speaker)
    }

    /// All prefixes are announced from now on, or none.
    private func setLive(_ isLive: Bool) {
        let capacity = plan.prefixCount * (scenario.receivesAddPath && scenario.isShared ? scenario.senders : 1)
        live = NumberSet(capacity: capacity)
        if isLive { for number in 0..<capacity { live.insert(number) } }
        expect()
    }

    /// What each receiver must hold: what is live, but for what it announces itself.
    private func expect() {
        connecting.incomplete = 0
        for speaker in speakers {
            speaker.completedAt = nil
            guard let routes = speaker.routes else { continue }
            speaker.wanted = wanted(speaker).count
            if routes.right.count == speaker.wanted, routes.present.count == speaker.wanted {
                speaker.completedAt = now
            } else {
                connecting.incomplete += 1
            }
        }
    }

    private func wanted(_ speaker: LoadSpeaker) -> NumberSet {
        var result = live
        if speaker.index < scenario.senders, !plan.isShared {
            for range in plan.numbers(of: speaker.index) { result.subtract(range) }
        }
        return result
    }

    private func waitForAll(_ name: String, _ deadline: Instant) {
        let total = scenario.receiverRange.count
        var kernelIsRight = kernel == nil
        kernel?.begin(live.count, now: now)
        var nextTell = now
        while fault == nil, connecting.incomplete > 0 || !kernelIsRight, now < deadline {
            if now >= nextTell {
                nextTell = now + .milliseconds(200)
                say("\(name): \(total - connecting.incomplete) of \(total) receivers complete")
            }
            turn(kernelIsRight ? .milliseconds(50) : max(.zero, (kernel?.nextLook ?? now) - now))
            if !kernelIsRight { kernelIsRight = kernel?.hasAll(live.count, now: now) ?? true }
        }
    }

    /// Until the process under test does nothing any more, at most ten seconds.
    private func settle() {
        guard !scenario.processes.isEmpty else { return }
        let deadline = now + .seconds(10)
        var last = ProcessUsage(scenario.processes)?.cpu
        while now < deadline, fault == nil {
            let until = now + .milliseconds(100)
            while now < until { turn(.milliseconds(20)) }
            let next = ProcessUsage(scenario.processes)?.cpu
            // Less than 2 % of a core.
            if let last, let next, next - last < .milliseconds(2) { return }
            last = next
        }
    }

    /// Compares what every receiver holds with what it must, route by route.
    private func judge(_ result: inout LoadReport.Phase) {
        for speaker in speakers {
            guard let routes = speaker.routes else { continue }
            let wanted = wanted(speaker)
            result.routes += wanted.count
            result.updatesReceived += routes.updates
            result.announcementsReceived += routes.announcements
            result.withdrawalsReceived += routes.withdrawals
            result.returned += routes.returned
            result.missing += wanted.countMissing(in: routes.present)
            result.unexpected += routes.present.countMissing(in: wanted) + routes.unknown
            result.wrong += routes.present.countMissing(in: routes.right)
        }
        var kernelIsRight = true
        if let count = kernel?.count {
            result.routes += live.count
            kernelIsRight = count == live.count
            if count < live.count {
                result.missing += live.count - count
            } else {
                result.unexpected += count - live.count
            }
        }
        result.ok = fault == nil && kernelIsRight && result.missing == 0 && result.unexpected == 0 && result.wrong == 0
    }

    // MARK: Churn and latency

    private func churn(_ rate: Int, _ seconds: Int, into result: inout LoadReport.Phase, deadline: Instant) {
        var random = SeededRandom(seed: scenario.seed &+ 77)
        let start = now
        let end = start + .seconds(Int64(seconds))
        var sent = 0
        var batches: [Int: [UInt8]] = [:]
        while fault == nil, now < end {
            let due = Int((now - start).inSeconds * Double(rate))
            while sent < due {
                let sender = Int(random.next() % UInt64(scenario.senders))
                let ranges = plan.numbers(of: sender)
                let range = ranges[Int(random.next() % UInt64(ranges.count))]
                let number = range.lowerBound + Int(random.next() % UInt64(range.count))
                sent += 1
                // A shared prefix stays as long as one sender has it: only unshared ones come and go.
                let isLive = live.contains(number)
                if isLive && !plan.isShared {
                    live.remove(number)
                    batches[sender, default: []] += plan.withdrawal(of: number)
                } else {
                    live.insert(number)
                    batches[sender, default: []] += plan.announcement(of: number, sender: sender, scenario)
                }
            }
            for (sender, bytes) in batches { begin(speakers[sender], bytes) }
            batches.removeAll(keepingCapacity: true)
            say("churn: \(sent) UPDATEs sent")
            turn(.milliseconds(1))
        }
        let finished = now
        expect()
        waitForAll("churn", deadline)
        result.rate = Double(sent) / max((finished - start).inSeconds, 1e-9)
        result.lagSeconds = max(0, ((speakers.compactMap(\.completedAt).max() ?? now) - finished).inSeconds)
    }

    /// Sender 0 announces or withdraws one prefix a millisecond; the first receiver's clock counts.
    private func latency(_ count: Int, _ result: inout LoadReport.Phase) {
        let ranges = plan.numbers(of: 0)
        sending.latencies = []
        var due = now
        for turnNumber in 0..<count where fault == nil {
            let range = ranges[turnNumber % ranges.count]
            let number = range.lowerBound + (turnNumber / ranges.count) % range.count
            let message: [UInt8]
            if live.contains(number) {
                live.remove(number)
                message = plan.withdrawal(of: number)
            } else {
                live.insert(number)
                message = plan.announcement(of: number, sender: 0, scenario)
            }
            sending.sentAt[number] = monotonicNanoseconds()
            begin(speakers[0], message)
            due = due + .milliseconds(1)
            while now < due, fault == nil { turn(max(.zero, due - now)) }
        }
        let last = now + .seconds(5)
        while !sending.sentAt.isEmpty, now < last, fault == nil { turn(.milliseconds(10)) }
        let missing = sending.sentAt.count
        sending.sentAt = [:]
        expect()
        waitForAll("latency", now + .seconds(5))
        let sorted = sending.latencies.sorted()
        func percentile(_ share: Double) -> Double {
            sorted.isEmpty
                ? 0 : Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
        }
        result.latency = LoadReport.Latency(
            count: sorted.count, p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99),
            p999: percentile(0.999), max: percentile(1))
        if missing > 0, fault == nil { fault = "\(missing) single routes of \(count) did not arrive within 5 s" }
    }

    private func noteLatency(_ speaker: LoadSpeaker, _ update: ReceivedUpdate) {
        guard speaker.index == scenario.receiverRange.first(where: { $0 != 0 }) ?? scenario.receiverRange.lowerBound
        else { return }
        let received = monotonicNanoseconds()
        for item in update.announced + update.withdrawn {
            if let sent = sending.sentAt.removeValue(forKey: Int(item.number)) {
                sending.latencies.append(received - sent)
            }
        }
    }
}
