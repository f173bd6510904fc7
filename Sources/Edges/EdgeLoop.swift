import LinuxIO
import NetTypes

/// A listener and its clients on one thread that never waits for any of them.
///
/// Problems it exists for: clients that say nothing, or a byte a second, must not keep others out; a probe must be
/// answered while they do; a flood must find its bound in clients, bytes, threads and questions to the routing loop,
/// and not in refused probes. So a request has a deadline from its first byte to its last, whoever has been silent
/// longest gives way to whoever comes, more clients than there is room for wait in the kernel's queue, and who cannot
/// be served gets an answer that says so.
final class EdgeLoop<Listener: ClientListener & ~Copyable>: @unchecked Sendable {
    private enum Phase {
        /// Since the last answer, or since it came.
        case reading
        case ready(EdgeRequest)
        case waiting(() -> [UInt8]?)
        case writing([UInt8], sent: Int)
        /// All was sent, and our side is closed: what the client still sends is read and dropped, so that the answer is
        /// not lost to a reset.
        case lingering
    }

    private final class Client {
        let socket: ClientSocket
        var phase = Phase.reading
        var input: [UInt8] = []
        /// When the phase began.
        var since: Instant
        /// When the first byte of the request came.
        var requestSince: Instant?
        /// When the client last took bytes of its answer.
        var progress: Instant
        /// It sends nothing more.
        var isEnded = false
        /// It is closed once it has read why.
        var isRefused = false

        init(_ socket: consuming ClientSocket, now: Instant) {
            self.socket = socket
            since = now
            progress = now
        }
    }

    private static var lingerTime: Duration { .seconds(1) }
    /// A client that has taken nothing for so long gives way to whoever waits.
    private static var stallTime: Duration { .seconds(2) }
    /// Whoever has just come has this long to say what it wants before it may have to give way.
    private static var graceTime: Duration { .milliseconds(100) }
    /// How long a client waits in the kernel's queue before it hears that we are busy.
    private static var queueTime: Duration { .seconds(2) }
    private static var acceptsPerTurn: Int { 64 }

    private let listener: Listener
    private let service: EdgeService
    private let wakeup: Wakeup
    /// In the order in which they came.
    private var clients: [Client] = []
    private var fullSince: Instant?
    /// No descriptors were left, say: asking again at once would not help.
    private var acceptsAgainAt: Instant?
    private let take: (inout [UInt8]) -> EdgeRequest?
    /// Some client has come to another phase.
    private var hasMoved = false

    /// Starts the thread.
    static func start(_ listener: consuming Listener, _ service: EdgeService) throws(SystemError) {
        let loop = EdgeLoop(listener, service, wakeup: try Wakeup())
        startEdgeThread { loop.run() }
    }

    private init(_ listener: consuming Listener, _ service: EdgeService, wakeup: Wakeup) {
        self.listener = listener
        self.service = service
        self.wakeup = wakeup
        take = service.makeReader()
    }

    private func run() {
        while true { turn() }
    }

    private func turn() {
        var entries = [PollEntry(wakeup.fd), PollEntry(listener.fd, read: acceptsAgainAt == nil && fullSince == nil)]
        for client in clients { entries.append(entry(client)) }
        let present = clients
        waitForAny(
            &entries, timeout: nextDeadline.map { max(.zero, $0 - Instant(nanoseconds: monotonicNanoseconds())) })
        let now = Instant(nanoseconds: monotonicNanoseconds())
        if entries[0].canRead { wakeup.clear() }
        for (client, entry) in zip(present, entries.dropFirst(2)) where entry.canRead || entry.isBroken {
            receive(client, now)
        }
        if let again = acceptsAgainAt, again <= now { acceptsAgainAt = nil }
        if acceptsAgainAt == nil, entries[1].canRead || fullSince != nil { accept(now) }
        // Until nothing moves: behind a request there may be another one. What a client sent ahead bounds it.
        repeat {
            hasMoved = false
            for client in clients { understand(client, now) }
            ask(now)
            for client in clients {
                if case .waiting(let answer) = client.phase, let bytes = answer() {
                    begin(.writing(bytes, sent: 0), client, now: now)
                }
                write(client, now)
            }
        } while hasMoved
        expire(now)
    }

    // MARK: Waiting

    private func entry(_ client: Client) -> PollEntry {
        switch client.phase {
        case .reading, .lingering: PollEntry(client.socket.fd, read: !client.isEnded)
        // A client that goes away while it waits shows as broken.
        case .ready, .waiting: PollEntry(client.socket.fd, read: false)
        case .writing: PollEntry(client.socket.fd, read: false, write: true)
        }
    }

    private var nextDeadline: Instant? {
        var next = acceptsAgainAt
        if let fullSince { next = .earliest(next, fullSince + Self.queueTime) }
        let isWaitedFor = fullSince != nil || clients.contains { if case .ready = $0.phase { true } else { false } }
        for client in clients {
            next = .earliest(next, deadline(client).at)
            // Who may have to give way soon; what is past has been looked at in this turn.
            if isWaitedFor, case .writing = client.phase {
                next = .earliest(next, client.progress + Self.stallTime)
            }
            if fullSince != nil, case .reading = client.phase {
                next = .earliest(next, client.since + Self.graceTime)
            }
        }
        return next
    }

    /// When a client's phase ends, and what it is sent then.
    private func deadline(_ client: Client) -> (at: Instant, refusal: EdgeRefusal?) {
        switch client.phase {
        case .reading:
            if let since = client.requestSince { return (since + service.requestTime, .tooSlow) }
            return (client.since + service.silenceTime, nil)
        case .ready: return (client.since + service.answerTime, .busy)
        case .waiting: return (client.since + service.answerTime, .noAnswer)
        case .writing: return (client.since + service.readingTime, nil)
        case .lingering: return (client.since + Self.lingerTime, nil)
        }
    }

    private func expire(_ now: Instant) {
        for client in clients {
            let (at, refusal) = deadline(client)
            guard at <= now else { continue }
            if let refusal { refuse(client, refusal, now: now) } else { close(client) }
        }
    }

    // MARK: Clients

    private var hasRoom: Bool { clients.count < service.mostClients }

    private func accept(_ now: Instant) {
        for _ in 0..<Self.acceptsPerTurn {
            guard waitReadable(listener.fd, milliseconds: 0) else {
                fullSince = nil
                return
            }
            if !hasRoom { closeOldest(now) }
            let isFull = !hasRoom
            if isFull {
                // The kernel's queue is where it waits; only after a while without an end in sight is it refused.
                fullSince = fullSince ?? now
                guard let since = fullSince, since + Self.queueTime <= now else { return }
            } else {
                fullSince = nil
            }
            do throws(SystemError) {
                guard let socket = try listener.acceptClient() else { return }
                if isFull {
                    _ = socket.send(service.refusal(.busy), from: 0)
                    continue
                }
                let client = Client(socket, now: now)
                if service.closesAfterAnswer { client.requestSince = now }
                clients.append(client)
                receive(client, now)
                // At once: whoever has said what it wants does not give way to the next one.
                understand(client, now)
            } catch {
                acceptsAgainAt = now + .milliseconds(100)
                fullSince = nil
                return
            }
        }
    }

    /// Makes room for one more: by whoever has nothing to lose first, then by whoever has been silent longest, then by
    /// whoever does not read.
    private func closeOldest(_ now: Instant) {
        func oldest(_ matches: (Client) -> Bool) -> Client? { clients.filter(matches).min { $0.since < $1.since } }
        if let client = oldest({ if case .lingering = $0.phase { true } else { false } }) { return close(client) }
        if let client = oldest({ if case .reading = $0.phase { $0.since + Self.graceTime <= now } else { false } }) {
            // As far as its socket takes it at once.
            _ = client.socket.send(service.refusal(.busy), from: 0)
            return close(client)
        }
        if let client = stalledWriter(now) { close(client) }
    }

    private func receive(_ client: Client, _ now: Instant) {
        switch client.phase {
        case .lingering:
            var dropped: [UInt8] = []
            if case .done = client.socket.receive(&dropped, most: 1 << 16) { return }
            return close(client)
        case .reading: break
        case .ready, .waiting, .writing: return close(client)
        }
        while client.input.count <= service.mostInput {
            switch client.socket.receive(&client.input, most: service.mostInput + 1 - client.input.count) {
            case .done: if client.requestSince == nil { client.requestSince = now }
            case .wouldBlock: return
            case .closed:
                client.isEnded = true
                return
            case .failed: return close(client)
            }
        }
    }

    /// A whole request of what was read.
    private func understand(_ client: Client, _ now: Instant) {
        guard case .reading = client.phase else { return }
        if let request = take(&client.input) {
            begin(.ready(request), client, now: now)
        } else if client.input.count > service.mostInput {
            refuse(client, .tooLong, now: now)
        } else if client.isEnded {
            close(client)
        }
    }

    /// Begins answers, urgent ones first, as many as may be under way.
    private func ask(_ now: Instant) {
        var underWay = clients.count { client in
            switch client.phase {
            case .waiting, .writing: true
            default: false
            }
        }
        for urgency in [true, false] {
            for client in clients {
                guard case .ready(let request) = client.phase else { continue }
                switch request {
                case .answered(let bytes): begin(.writing(bytes, sent: 0), client, now: now)
                case .question(let isUrgent, let ask):
                    guard isUrgent == urgency else { continue }
                    if !isUrgent, underWay >= service.mostAnswers {
                        guard let stalled = stalledWriter(now) else { continue }
                        close(stalled)
                        underWay -= 1
                    }
                    underWay += 1
                    // The time that it waited for its turn counts.
                    client.phase = .waiting(ask(wakeup))
                }
            }
        }
    }

    /// The client that has not taken any of its answer for longest, where that is long.
    private func stalledWriter(_ now: Instant) -> Client? {
        clients.filter { if case .writing = $0.phase { $0.progress + Self.stallTime <= now } else { false } }.min {
            $0.progress < $1.progress
        }
    }

    private func write(_ client: Client, _ now: Instant) {
        guard case .writing(let bytes, var sent) = client.phase else { return }
        while sent < bytes.count {
            switch client.socket.send(bytes, from: sent) {
            case .done(let count):
                sent += count
                client.progress = now
            case .wouldBlock:
                client.phase = .writing(bytes, sent: sent)
                return
            case .closed, .failed: return close(client)
            }
        }
        if service.closesAfterAnswer || client.isRefused {
            finish(client, now)
        } else {
            begin(.reading, client, now: now)
        }
    }

    private func refuse(_ client: Client, _ refusal: EdgeRefusal, now: Instant) {
        client.isRefused = true
        begin(.writing(service.refusal(refusal), sent: 0), client, now: now)
        write(client, now)
    }

    private func finish(_ client: Client, _ now: Instant) {
        client.socket.finishWriting()
        if client.isEnded { return close(client) }
        begin(.lingering, client, now: now)
    }

    private func begin(_ phase: Phase, _ client: Client, now: Instant) {
        hasMoved = true
        client.phase = phase
        client.since = now
        client.progress = now
        client.requestSince = client.input.isEmpty ? nil : now
    }

    private func close(_ client: Client) { clients.removeAll { $0 === client } }
}
