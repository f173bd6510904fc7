import BGPMessages
import BGPSession
import LinuxIO
import NetTypes

/// One emulated speaker: its state machine, its connection, what it still has to write, what it holds.
final class LoadSpeaker {
    let index: Int
    var fsm: PeerFSM
    var framer = MessageFramer()
    var socket: SocketBox?
    var isConnecting = false
    var waitsForWritability = false
    var session: NegotiatedSession?
    /// What receivers hold; nil for a speaker that is not counted.
    var routes: ReceivedRoutes?
    /// When it held exactly what it must; reset with each phase.
    var completedAt: Instant?
    /// Routes that it must hold: its own do not come back.
    var wanted = 0
    var downReason: SessionDownReason?

    private var queue: [[UInt8]] = []
    private var offset = 0

    final class SocketBox {
        let socket: TCPSocket
        init(_ socket: consuming TCPSocket) { self.socket = socket }
    }

    init(_ index: Int, _ scenario: LoadScenario) {
        self.index = index
        var configuration = SessionConfiguration(
            localAS: scenario.localAS(index), remoteAS: scenario.targetAS, localIdentifier: scenario.identifier(index),
            families: scenario.families)
        configuration.holdTime = scenario.holdTime
        configuration.restart.mode = .off
        configuration.addPath.receives = scenario.receivesAddPath
        configuration.connectRetryTime = .seconds(1)
        fsm = PeerFSM(configuration, seed: scenario.seed &+ UInt64(index))
    }

    var isUp: Bool { session != nil }
    var hasQueued: Bool { !queue.isEmpty }

    /// Queues whole messages.
    func send(_ messages: [UInt8]) { if !messages.isEmpty { queue.append(messages) } }

    /// Writes what the socket takes, at most `budget` bytes. False where the connection is gone.
    func write(budget: Int) -> Bool {
        guard let box = socket else { return true }
        var left = budget
        while let first = queue.first, left > 0 {
            let outcome = box.socket.write(first.rawSpan.extracting(offset..<min(offset + left, first.count)))
            switch outcome {
            case .done(let count):
                left -= count
                offset += count
                guard offset == first.count else { continue }
                queue.removeFirst()
                offset = 0
            case .wouldBlock: return true
            case .closed, .failed: return false
            }
        }
        return true
    }

    func dropConnection() {
        socket = nil
        isConnecting = false
        waitsForWritability = false
        framer = MessageFramer()
        queue = []
        offset = 0
        session = nil
    }
}
