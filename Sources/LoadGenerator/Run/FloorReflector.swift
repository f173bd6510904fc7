import BGPMessages
import BGPSession
import LinuxIO
package import NetTypes

/// A reflector that looks at nothing: whatever UPDATE one session brings goes to all others as it is. What it takes is
/// what sockets and copies alone cost, the floor below any speaker's time.
///
/// It keeps no table: who connects later hears only what comes later.
package final class FloorReflector {
    private let poller: Poller
    private let listener: TCPListener
    private let asNumber: ASNumber
    private let identifier: BGPIdentifier
    private var sessions: [UInt64: Session] = [:]
    private var nextToken: UInt64 = 1
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private static let listenerToken: UInt64 = 0

    private final class Session {
        let socket: LoadSpeaker.SocketBox
        var fsm: PeerFSM
        var framer = MessageFramer()
        var queue: [[UInt8]] = []
        var offset = 0
        var isUp = false
        var isDone = false
        init(_ socket: LoadSpeaker.SocketBox, _ fsm: PeerFSM) {
            self.socket = socket
            self.fsm = fsm
        }
    }

    package init(_ address: IPAddress, port: UInt16, asNumber: ASNumber) throws(LoadError) {
        self.asNumber = asNumber
        identifier = BGPIdentifier(rawValue: address.family == .ipv4 ? address.v4 : 0x0AFF_0000)
        do throws(SystemError) {
            poller = try Poller()
            listener = try TCPListener(on: SocketAddress(address, port: port))
            try poller.add(listener.fd, token: FloorReflector.listenerToken)
        } catch {
            throw LoadError("\(error)")
        }
    }

    /// Runs until the process is ended.
    package func run() -> Never {
        var ready: [Readiness] = []
        while true {
            ready.removeAll(keepingCapacity: true)
            poller.wait(timeout: .seconds(1), into: &ready)
            let now = Instant(nanoseconds: monotonicNanoseconds())
            for event in ready {
                if event.token == FloorReflector.listenerToken {
                    accept(now)
                } else if let session = sessions[event.token] {
                    if event.canRead || event.isBroken { read(session, event.token, now: now) }
                    if event.canWrite { write(session, event.token) }
                }
            }
            for (token, session) in sessions {
                if let deadline = session.fsm.nextDeadline, deadline <= now {
                    step(session, token: token) { $0.handleTimeout(now: now, &$1) }
                }
                if session.isDone { drop(token) }
            }
        }
    }

    private func accept(_ now: Instant) {
        while let accepted = listener.accept() {
            let socket = LoadSpeaker.SocketBox(accepted.takeSocket())
            var configuration = SessionConfiguration(localAS: asNumber, remoteAS: nil, localIdentifier: identifier)
            configuration.isPassive = true
            configuration.restart.mode = .off
            let session = Session(socket, PeerFSM(configuration, seed: nextToken))
            let token = nextToken
            guard (try? poller.add(socket.socket.fd, token: token)) != nil else { continue }
            nextToken += 1
            sessions[token] = session
            step(session, token: token) {
                $0.handle(.start, now: now, &$1)
                $0.handle(.connected(.passive), now: now, &$1)
            }
        }
    }

    private func step(_ session: Session, token: UInt64, _ body: (inout PeerFSM, inout [PeerFSM.Action]) -> Void) {
        var actions: [PeerFSM.Action] = []
        body(&session.fsm, &actions)
        for action in actions {
            switch action {
            case .send(_, let message): session.queue.append(message)
            case .established(_, let negotiated):
                session.isUp = true
                session.framer.maximumLength = negotiated.maximumMessageLength
            case .close, .down, .attemptFailed: session.isDone = true
            case .connect: continue
            }
        }
        write(session, token)
    }

    private func read(_ session: Session, _ token: UInt64, now: Instant) {
        guard case .done(let count) = session.socket.socket.read(into: &buffer) else {
            session.isDone = true
            return
        }
        var updates: [UInt8] = []
        var framer = session.framer
        session.framer = MessageFramer()
        let outcome: Void? = try? framer.consume(buffer.rawSpan.part(0, count)) { type, message in
            switch type {
            case .update: updates += [UInt8](message)
            case .open:
                if let open = try? OpenMessage(message: message) {
                    step(session, token: token) { $0.handle(.open(.passive, open), now: now, &$1) }
                }
            case .keepalive: step(session, token: token) { $0.handle(.keepalive(.passive), now: now, &$1) }
            case .notification: session.isDone = true
            default: break
            }
            return !session.isDone
        }
        if outcome == nil { session.isDone = true }
        framer.maximumLength = max(framer.maximumLength, session.framer.maximumLength)
        session.framer = framer
        guard !updates.isEmpty else { return }
        step(session, token: token) { $0.handle(.update(.passive), now: now, &$1) }
        for (other, receiver) in sessions where other != token && receiver.isUp {
            receiver.queue.append(updates)
            write(receiver, other)
        }
    }

    private func write(_ session: Session, _ token: UInt64) {
        while let first = session.queue.first {
            let outcome = session.socket.socket.write(first.rawSpan.extracting(session.offset..<first.count))
            guard case .done(let count) = outcome else {
                if outcome != .wouldBlock { session.isDone = true }
                break
            }
            session.offset += count
            guard session.offset == first.count else { continue }
            session.queue.removeFirst()
            session.offset = 0
        }
        poller.modify(session.socket.socket.fd, token: token, write: !session.queue.isEmpty)
    }

    private func drop(_ token: UInt64) {
        guard let session = sessions.removeValue(forKey: token) else { return }
        poller.remove(session.socket.socket.fd)
    }
}
