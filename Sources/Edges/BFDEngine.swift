package import BFD
package import LinuxIO
package import Logging
package import NetTypes

/// All BFD sessions, on a thread of their own: at 50 ms a packet nothing that the routing loop does may hold one up.
///
/// It holds no routing state. Wanted neighbors come in whole through a mailbox, changes of state go out as
/// `LoopMessage.bfd`.
package final class BFDEngine: @unchecked Sendable {
    package enum Command: Sendable {
        case configure([IPAddress: BFDTarget])
        /// Ends every session with AdminDown, so that neighbors do not take our restart for a failure.
        case stop(Promise<Bool>)
    }

    private struct Session {
        var machine: BFDSession
        var target: BFDTarget
        var socket: Int
    }

    /// RFC 5881 section 4, RFC 5883 section 5.
    private static let singleHopPort: UInt16 = 3784
    private static let multihopPort: UInt16 = 4784
    private static let sourcePorts: ClosedRange<UInt16> = 49152...65535
    private static let wakeupToken: UInt64 = 0

    private final class Listener {
        let socket: UDPSocket
        let isMultihop: Bool
        init(_ socket: consuming UDPSocket, isMultihop: Bool) {
            self.socket = socket
            self.isMultihop = isMultihop
        }
    }
    private final class Sender {
        let socket: UDPSocket
        init(_ socket: consuming UDPSocket) { self.socket = socket }
    }

    package let commands: Mailbox<Command>
    private let wakeup: Wakeup
    private let reports: Mailbox<LoopMessage>
    private let logger: Logger
    // From here on the engine's thread alone.
    private var listeners: [Listener] = []
    private var senders: [Int: Sender] = [:]
    private var sessions: [IPAddress: Session] = [:]
    private var byDiscriminator: [UInt32: IPAddress] = [:]
    private var timers = Timers<IPAddress>()
    private var random: SeededRandom
    private var nextPort = BFDEngine.sourcePorts.lowerBound
    private var nextSocket = 0
    private var isStopping = false

    package init(reports: Mailbox<LoopMessage>, logger: Logger, seed: UInt64) throws(SystemError) {
        wakeup = try Wakeup()
        commands = Mailbox(wakeup)
        self.reports = reports
        self.logger = logger
        random = SeededRandom(seed: seed)
        // Ports of one process after another are told apart, so that a neighbor does not see the old session's.
        nextPort += UInt16(random.next() % 8192)
        startEdgeThread { self.run() }
    }

    // MARK: The thread

    private func run() {
        do throws(SystemError) {
            try turns(try Poller())
        } catch {
            logger.error("BFD cannot run", metadata: ["reason": "\(error)"])
        }
    }

    private func turns(_ poller: consuming Poller) throws(SystemError) {
        try poller.add(wakeup.fd, token: BFDEngine.wakeupToken)
        var ready: [Readiness] = []
        while !isStopping {
            ready.removeAll(keepingCapacity: true)
            poller.wait(timeout: timers.next.map { max(.zero, $0 - now) }, into: &ready)
            for event in ready where event.token != BFDEngine.wakeupToken { receive(Int(event.token) - 1) }
            if ready.contains(where: { $0.token == BFDEngine.wakeupToken }) { wakeup.clear() }
            for command in commands.takeAll() { carryOut(command, poller) }
            for peer in timers.takeAllDue(now: now) { act(peer) { $0.handleTimeout(now: self.now, &$1) } }
        }
    }

    private var now: Instant { Instant(nanoseconds: monotonicNanoseconds()) }

    private func carryOut(_ command: Command, _ poller: borrowing Poller) {
        switch command {
        case .configure(let targets): configure(targets, poller)
        case .stop(let done):
            for peer in sessions.keys { act(peer) { $0.stop(now: self.now, &$1) } }
            isStopping = true
            done.fulfil(true)
        }
    }

    private func configure(_ targets: [IPAddress: BFDTarget], _ poller: borrowing Poller) {
        if !targets.isEmpty, listeners.isEmpty { listen(poller) }
        for (peer, session) in sessions {
            if let target = targets[peer], target.isMultihop == session.target.isMultihop,
                target.source == session.target.source
            {
                sessions[peer]?.target = target
                sessions[peer]?.machine.reconfigure(target.configuration, now: now)
                timers.set(peer, sessions[peer]?.machine.nextDeadline)
            } else {
                act(peer) { $0.stop(now: self.now, &$1) }
                senders[session.socket] = nil
                byDiscriminator[session.machine.localDiscriminator] = nil
                sessions[peer] = nil
                timers.remove(peer)
            }
        }
        for (peer, target) in targets where sessions[peer] == nil { add(peer, target) }
    }

    private func listen(_ poller: borrowing Poller) {
        for family in AddressFamily.allCases {
            for isMultihop in [false, true] {
                let port = isMultihop ? BFDEngine.multihopPort : BFDEngine.singleHopPort
                do throws(SystemError) {
                    let listener = Listener(
                        try UDPSocket(on: SocketAddress(.any(family), port: port)), isMultihop: isMultihop)
                    listeners.append(listener)
                    try poller.add(listener.socket.fd, token: UInt64(listeners.count))
                } catch {
                    logger.error(
                        "BFD cannot listen; does another BFD daemon run here?",
                        metadata: ["port": "\(port)", "reason": "\(error)"])
                }
            }
        }
    }

    private func add(_ peer: IPAddress, _ target: BFDTarget) {
        var discriminator: UInt32 = 0
        while discriminator == 0 || byDiscriminator[discriminator] != nil {
            discriminator = UInt32(truncatingIfNeeded: random.next())
        }
        // A port that somebody has is passed over.
        for _ in 0..<64 {
            let port = nextPort
            nextPort = nextPort == BFDEngine.sourcePorts.upperBound ? BFDEngine.sourcePorts.lowerBound : nextPort + 1
            guard let socket = try? UDPSocket(on: SocketAddress(target.source ?? .any(peer.family), port: port)) else {
                continue
            }
            nextSocket += 1
            senders[nextSocket] = Sender(socket)
            sessions[peer] = Session(
                machine: BFDSession(target.configuration, discriminator: discriminator, seed: random.next(), now: now),
                target: target, socket: nextSocket)
            byDiscriminator[discriminator] = peer
            timers.set(peer, sessions[peer]?.machine.nextDeadline)
            return
        }
        logger.error("BFD: no source port or address", metadata: ["peer": "\(peer)"])
    }

    // MARK: Packets

    /// At most 64 packets of a listener, then the timers have their turn.
    private func receive(_ index: Int) {
        guard listeners.indices.contains(index) else { return }
        let listener = listeners[index]
        for _ in 0..<64 {
            guard let datagram = listener.socket.receive() else { return }
            // RFC 5881 5: from a neighbor on the link, or not at all.
            guard listener.isMultihop || datagram.timeToLive == 255, let packet = BFDPacket(datagram.bytes.rawSpan)
            else { continue }
            let from = datagram.from.address.scoped(datagram.interface)
            let peer: IPAddress
            if packet.yourDiscriminator != 0 {
                guard let known = byDiscriminator[packet.yourDiscriminator] else { continue }
                peer = known
            } else {
                peer = from
            }
            guard let session = sessions[peer], session.target.isMultihop == listener.isMultihop, peer == from else {
                continue
            }
            act(peer) { $0.receive(packet, now: self.now, &$1) }
        }
    }

    private func act(_ peer: IPAddress, _ body: (inout BFDSession, inout [BFDSession.Action]) -> Void) {
        guard var session = sessions[peer] else { return }
        var actions: [BFDSession.Action] = []
        body(&session.machine, &actions)
        sessions[peer]?.machine = session.machine
        timers.set(peer, session.machine.nextDeadline)
        for action in actions {
            switch action {
            case .send(let packet):
                let port = session.target.isMultihop ? BFDEngine.multihopPort : BFDEngine.singleHopPort
                senders[session.socket]?.socket.send(packet.encoded(), to: SocketAddress(peer, port: port))
            case .changed(_, let state, let isFailure):
                reports.post(
                    .bfd(
                        BFDReport(
                            peer: peer, state: state, isFailure: isFailure, diagnostic: session.machine.diagnostic,
                            isIndependent: session.machine.remote.isIndependent)))
            }
        }
    }
}
