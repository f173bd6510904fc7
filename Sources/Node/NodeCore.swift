import BFD
import BGPMessages
package import BGPRouting
package import BGPSession
package import BGPSpeaker
package import ForwardingPlane
import LinuxIO
package import Logging
package import NetTypes
import Planning
package import Resources

/// A whole node but for its threads, sockets and clock: the speaker, the peers that the resources want, and the
/// forwarding plane.
///
/// `RoutingLoop` runs one under real time on sockets; tests run hundreds in one process under simulated time on
/// `MemoryTransport` and `MemoryHost`. One turn is: events of connections, `handleTimeouts`, `decide`, `export`,
/// `carryOutActions`, `reconcile`, `apply` and `carryOut`, `beginWaitingConnects`. Before each turn `now` is set.
package final class NodeCore {
    /// Prefixes decided, and prefixes replayed, in one turn at most.
    private static let decideBudget = 8192
    private static let replayBudget = 20_000
    /// Peers whose timers fire in one turn at most.
    private static let timerBudget = 256
    private static let connectBudget = 128

    package let logger: Logger
    package let plane: any ForwardingPlane
    package let peering: Peering
    package let transport: any PeerTransport
    package var speaker: Speaker
    package var now: Instant
    /// More is to be done at once.
    package var hasMoreWork = false
    /// Called between pieces of what takes long.
    package var breathe: (inout Speaker) -> Void = { _ in }
    /// Peers to connect to, once the forwarding plane has started, and so many a turn.
    private var waitingConnects: [PeerIndex] = []
    /// The same as a set: a peer that asks twice waits once.
    private var isWaitingToConnect: Set<PeerIndex> = []
    var lineLimiter = LogLimiter()
    package let health: HealthMonitor
    package internal(set) var events = EventLog()
    /// What completes this node's object; nil where nothing does.
    var watch: AddressWatch?

    package init(
        speaker: consuming Speaker, plane: any ForwardingPlane, peering: Peering, transport: any PeerTransport,
        logger: Logger, now: Instant
    ) {
        self.speaker = speaker
        self.plane = plane
        self.peering = peering
        self.transport = transport
        self.logger = logger
        self.now = now
        health = HealthMonitor(now: now)
    }

    /// When something is due by itself; nil for never.
    package var nextDeadline: Instant? {
        .earliest([speaker.nextDeadline, plane.nextDeadline, peering.nextDeadline, nextAddressCheck])
    }

    // MARK: Connections

    /// The peer that a connection from an address is for, where one may be adopted now; nil where it is to be closed.
    /// `isSecond`: the peer's session is up, so that the second connection gets the reason (RFC 4271 6.8).
    package func admit(_ address: IPAddress) -> (peer: PeerIndex, isAdmitted: Bool, isSecond: Bool)? {
        guard let peer = peering.peer(for: address, &speaker, now: now) else {
            logStranger(address)
            return nil
        }
        let isAdmitted = !plane.isStarting && speaker.admitsIncoming(peer, now: now)
        return (peer, isAdmitted, !isAdmitted && speaker.isEstablished(peer))
    }

    /// A connection is there: what depends on our end of it is known before the session comes up.
    package func connected(_ peer: PeerIndex, _ side: PeerFSM.Side) {
        let local = transport.localAddress(peer, side)
        peering.updateReach(peer, from: local, plane: plane, speaker: &speaker)
        speaker.connected(peer, side, local: local, now: now)
        carryOutActions()
    }

    /// Bytes came in.
    package func received(_ peer: PeerIndex, _ side: PeerFSM.Side, bytes: RawSpan) {
        speaker.received(peer, side, bytes: bytes, now: now)
        carryOutActions()
    }

    /// A connection is gone, or did not come about: then with an errno.
    package func connectionFailed(_ peer: PeerIndex, _ side: PeerFSM.Side, connectError: Int32? = nil) {
        if let connectError { peering.noteConnectError(peer, connectError) }
        speaker.connectionFailed(peer, side, now: now)
        carryOutActions()
    }

    /// Begins at most `connectBudget` of the connections that were asked for, the oldest first. Own routes come before:
    /// a peer that heard End-of-RIB without them would drop what it kept for us.
    package func beginWaitingConnects() {
        guard !waitingConnects.isEmpty, !plane.isStarting else { return }
        var taken = 0
        for peer in waitingConnects {
            guard taken < NodeCore.connectBudget, transport.mayConnect else { break }
            taken += 1
            isWaitingToConnect.remove(peer)
            if taken & 31 == 0 { breathe(&speaker) }
            // Given up meanwhile.
            guard speaker.awaitsConnection(peer), !transport.hasConnection(peer, .active) else { continue }
            if !connect(peer) { peering.connectLater(peer, now) }
        }
        waitingConnects.removeFirst(taken)
        // Where too many are under way, the end of one of them begins the next turn.
        if !waitingConnects.isEmpty, transport.mayConnect { hasMoreWork = true }
    }

    /// False where the connection could not even be begun.
    private func connect(_ peer: PeerIndex) -> Bool {
        guard let target = peering.peers.target(peer) else { return false }
        do throws(SystemError) {
            try transport.connect(peer, target.address, from: target.source, options: target.options)
            return true
        } catch {
            peering.noteConnectError(peer, error.code)
            logLine(.debug, "cannot connect", peer: peer, kind: .attempt, metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// What the speaker asked for.
    package func carryOutActions() {
        guard speaker.hasActions else { return }
        for (position, action) in speaker.takeActions().enumerated() {
            if position & 1023 == 1023 { breathe(&speaker) }
            switch action {
            case .connect(let peer): if isWaitingToConnect.insert(peer).inserted { waitingConnects.append(peer) }
            case .send(let peer, let side, let buffer): transport.send(peer, side, buffer: buffer)
            case .close(let peer, let side): transport.close(peer, side, now: now)
            case .report(let peer, let event): report(peer, event)
            }
        }
    }

    // MARK: The turn

    /// True where this node's addresses are others than before, and what follows from that was applied.
    @discardableResult
    package func handleTimeouts() -> Bool {
        speaker.handleTimeouts(now: now, budget: NodeCore.timerBudget)
        peering.handleTimeouts(&speaker, now: now)
        peering.endLost(transport: transport, speaker: &speaker, now: now)
        if let due = peering.plan.listenRetry, due <= now { peering.listen(transport, now: now) }
        return checkAddresses()
    }

    package func decide() {
        plane.resolve(&speaker)
        peering.applyLinkChanges(
            plane.takeLinkChanges(), plane: plane, transport: transport, speaker: &speaker, now: now)
        if speaker.decide(budget: NodeCore.decideBudget) { hasMoreWork = true }
        plane.take(speaker.takeChanges(), &speaker, now: now)
    }

    package func export() { if speaker.export(replayBudget: NodeCore.replayBudget, now: now) { hasMoreWork = true } }

    package func reconcile() { if plane.reconcile(&speaker, now: now, breathe: breathe) { hasMoreWork = true } }

    // MARK: Configuration

    /// What changed of the resources.
    package func apply(_ change: ResourceChange) {
        logChange(change)
        applyCompleted(completed(change))
    }

    func applyCompleted(_ change: ResourceChange) {
        peering.apply(change, speaker: &speaker, plane: plane, transport: transport, now: now)
        hasMoreWork = true
    }

    /// Peers of ended sessions that nothing wants go.
    package func removeEndedPeers() {
        if peering.removeEndedDynamicPeers(&speaker, now: now) { hasMoreWork = true }
    }
}
