package import BFD
import BGPMessages
package import BGPRouting
import BGPSession
package import BGPSpeaker
import FIB
package import ForwardingPlane
import LinuxIO
package import Logging
package import NetTypes
package import Planning
package import Resources
package import StatusAPI
import Wording

/// The peers that the resources want, and the speaker's peers that follow them.
///
/// A session is its addresses, not the name of an object: a neighbor that moves from the mesh to a BGPPeer keeps its
/// session. Peers that are to go stay until those that take their place are up (make before break), at most
/// `removalGrace`.
package final class Peering {
    /// How long a peer that is to go waits for its successors.
    static let removalGrace: Duration = .seconds(30)

    package var node: String { context.node }
    package let context: PeeringDecision.Context
    private let logger: Logger
    /// The peers that there are.
    package let peers = PeerRegistry()
    /// Peers that came from a range (`listenRange`).
    struct DynamicPeers {
        /// Dynamic peers by the name of their range's object.
        var counts: [String: Int] = [:]
        var arrivals: UInt64 = 0
        /// Dynamic peers of which something ended: whether they go is looked at in `removeEndedDynamicPeers`.
        var ended: Set<PeerIndex> = []
        var ranges: [Prefix: PeeringDecision.Peer] = [:]
    }
    private var dynamic = DynamicPeers()
    private static let endedPeersBudget = 256
    /// Attempts that could not even begin.
    private var retries = Timers<PeerIndex>()
    /// Peers that are to go.
    struct Departure {
        /// Peers that wait for their successors, and when to look whether they may go.
        var leaving: Set<PeerIndex> = []
        var check: Instant?
    }
    private var departure = Departure()
    private static let leavingInterval: Duration = .milliseconds(250)
    private var refusals = LogLimiter()
    package private(set) var loaded: LoadedConfiguration

    /// A peer that is kept down, and why.
    package struct HeldDown {
        package let planned: PlannedPeer
        package let reason: HoldReason
    }

    /// What the resources asked for last.
    package struct Plan {
        /// Peers that are kept down.
        package var held: [HeldDown] = []
        /// What is wrong with the resources.
        package var problems: [FindingCause] = []
        /// Selectors that matched before and match nothing now (docs/promises.md, promise 4).
        package var alarms: [FindingCause] = []
        /// What is accepted and has no effect as it stands.
        package var remarks: [FindingCause] = []
        var peers: [PlannedPeer] = []
        var nodeAddresses: [IPAddress: [IPAddress]] = [:]
        /// Changes came that could not be applied.
        package var missedChanges = false
        /// Unnumbered peers by interface; the neighbor is an entry once it was found.
        var links: [String: PeeringDecision.Peer] = [:]
        /// What the listeners have.
        var listenerKeys: [Prefix: TCPSocket.Options] = [:]
        /// Where connections are to be accepted, and when what failed is tried again.
        var listening: [SocketAddress] = []
        var listenRetry: Instant?
    }
    private var losses = LinkLosses()
    package private(set) var plan = Plan()
    package init(
        node: String, isReflector: Bool, identity: AttributeTable.Identity, first: LoadedConfiguration, logger: Logger
    ) {
        context = PeeringDecision.Context(node: node, isReflector: isReflector, identity: identity)
        self.logger = logger
        loaded = first
        plan.problems = first.resources.problems.map { FindingCause($0) }
    }

    // MARK: Incoming connections

    /// The peer that a connection from an address belongs to: a configured one, or a new dynamic one within its range's
    /// limit.
    func peer(for address: IPAddress, _ speaker: inout Speaker, now: Instant) -> PeerIndex? {
        if peers.neighbors[address] != nil { return peers.acceptor(at: address)?.index }
        guard let range = dynamic.ranges.keys.filter({ $0.contains(address) }).max(by: { $0.length < $1.length }),
            let template = dynamic.ranges[range]
        else { return nil }
        let limit = template.planned.options.maxDynamicPeers
        guard dynamic.counts[template.planned.name, default: 0] < limit, peers.entries.count < RIB.maximumPeers else {
            if let leftOut = refusals.admit(.range(template.planned.name), .refusal, now: now) {
                logger.warning(
                    "too many dynamic peers",
                    metadata: ["range": "\(range)", "limit": "\(limit)", "leftOut": "\(leftOut)"])
            }
            return nil
        }
        var member = template
        member.planned.target = .address(address)
        return add(member, address, isDynamic: true, speaker: &speaker, now: now).index
    }

    // MARK: BFD

    /// Counts changes of the peers that BFD watches, so that what depends on them is worked out again only then.
    package private(set) var revision = 0

    /// Whom BFD is to watch. Single hop where the kernel has the peer on a link (RFC 5881), multihop else (RFC 5883).
    package func bfdTargets(_ plane: any ForwardingPlane) -> [IPAddress: BFDTarget] {
        var result: [IPAddress: BFDTarget] = [:]
        for entry in peers.entries.values.sorted(by: { $0.peerAddress < $1.peerAddress }) where entry.removeAt == nil {
            let address = entry.address
            guard let bfd = entry.planned.options.bfd else { continue }
            var isMultihop = bfd.isMultihop ?? !isOnLink(address, plane)
            // A link that fails takes its routes along: the session that is to report the failure is not made another
            // one meanwhile.
            if bfd.isMultihop == nil, entry.bfd?.state == .up, let before = entry.isBFDMultihop { isMultihop = before }
            entry.isBFDMultihop = isMultihop
            var configuration = BFDConfiguration(
                desiredMinTX: bfd.minTransmitInterval, requiredMinRX: bfd.minReceiveInterval,
                detectMultiplier: bfd.detectMultiplier)
            // One session watches an address for all peers there (RFC 5882 4.4): as fast as the most demanding asks.
            if let other = result[address] {
                isMultihop = other.isMultihop
                entry.isBFDMultihop = isMultihop
                configuration = configuration.asFast(as: other.configuration)
            }
            result[address] = BFDTarget(
                configuration: configuration, isMultihop: isMultihop, source: result[address]?.source ?? entry.source)
        }
        return result
    }

    /// By the kernel's connected routes; in a reflector, which does not know them, by the subnets of the host's
    /// addresses and of the Node, and `bfd.multihop` stands over them.
    private func isOnLink(_ peer: IPAddress, _ plane: any ForwardingPlane) -> Bool {
        if let link = plane.link(to: peer, from: nil) { return link.isOnLink }
        let own = loaded.resources.node(node)
        return peer.scope != 0 || [own?.ipv4?.subnet, own?.ipv6?.subnet].contains { $0?.contains(peer) ?? false }
    }

    /// Remembers what BFD says; returns whom it says it of.
    func take(_ report: BFDReport) -> [PeerIndex] {
        // At one address there may be peers that BFD does not watch.
        let watched = (peers.neighbors[report.peer] ?? []).filter { $0.planned.options.bfd != nil }
        for entry in watched {
            // Whether the peer is on the link may have changed while it was up.
            if entry.bfd?.state == .up, report.state != .up { revision += 1 }
            entry.bfd = report
        }
        return watched.map(\.index)
    }

    // MARK: Links

    /// What the kernel says of the way to a peer. `local`: our end of its connection.
    func updateReach(_ peer: PeerIndex, from local: IPAddress?, plane: any ForwardingPlane, speaker: inout Speaker) {
        guard let address = peers.entries[peer]?.address else { return }
        let link = plane.link(to: address, from: local)
        // Sticky: with the link its routes go, and the session on it is to end.
        if let interface = link?.interface { peers.entries[peer]?.attachment = interface }
        speaker.setReach(
            peer,
            PeerReach(isOnLink: link?.isOnLink, addresses: link?.addresses ?? [nil, nil], shared: link?.shared ?? []))
    }

    /// Links have changed: the ways to the peers that they concern follow.
    func applyLinkChanges(
        _ changes: LinkChanges, plane: any ForwardingPlane, transport: any PeerTransport, speaker: inout Speaker,
        now: Instant
    ) {
        guard !changes.isEmpty else { return }
        losses.take(changes, now: now)
        var hasBFD = false
        for entry in peers.entries.values where changes.concern(entry.address) {
            updateReach(entry.index, from: transport.localAddress(entry.index), plane: plane, speaker: &speaker)
            hasBFD = hasBFD || entry.planned.options.bfd != nil
        }
        if hasBFD { revision += 1 }
    }

    /// Ends the sessions whose interface or whose own address is gone, and has not come back.
    func endLost(transport: any PeerTransport, speaker: inout Speaker, now: Instant) {
        let (interfaces, addresses) = losses.takeDue(now)
        guard !interfaces.isEmpty || !addresses.isEmpty else { return }
        for entry in peers.entries.values where speaker.isEstablished(entry.index) {
            if let name = entry.attachment.flatMap({ interfaces[$0] }) {
                speaker.pathLost(entry.index, .interfaceDown(name), now: now)
            } else if let own = transport.localAddress(entry.index), addresses.contains(own) {
                speaker.pathLost(entry.index, .addressRemoved("\(own)"), now: now)
            }
        }
    }

    // MARK: Unnumbered peers

    /// Interfaces with an unnumbered peer.
    package var linkNames: Set<String> { Set(plan.links.keys) }

    /// Brings the peers on links into step with the neighbors that were found there: `neighbor` has them by interface.
    package func applyLinks(
        _ neighbor: (String) -> IPAddress?, plane: any ForwardingPlane, speaker: inout Speaker,
        transport: any PeerTransport,
        now: Instant
    ) {
        for entry in peers.entries.values {
            guard let link = entry.link else { continue }
            let current = neighbor(link)
            if plan.links[link] != nil, current == entry.address { continue }
            // Another neighbor, while the session with the old one is up: it stays.
            if plan.links[link] != nil, current != nil, speaker.snapshot(entry.index)?.session != nil { continue }
            remove(entry, .peerDeconfigured, speaker: &speaker, now: now)
        }
        var onLink: [String: [PeerEntry]] = [:]
        for entry in peers.entries.values { if let link = entry.link { onLink[link, default: []].append(entry) } }
        for (name, template) in plan.links {
            guard let address = neighbor(name),
                !(onLink[name] ?? []).contains(where: { $0.planned.target != .address(address) })
            else { continue }
            var member = template
            member.planned.target = .address(address)
            linkLocalAddresses[name] = plane.link(name)?.address
            let entry = applyPeer(
                member, was: peers.neighbors[address]?.first, address, speaker: &speaker, transport: transport,
                now: now)
            entry.link = name
        }
        setKeys(transport)
        secureHandshakes(transport)
    }
    private var linkLocalAddresses: [String: IPAddress] = [:]

    // MARK: Events

    func note(_ peer: PeerIndex, _ event: SpeakerEvent, now: Instant) {
        guard let entry = peers.entries[peer] else { return }
        switch event {
        case .established:
            let time = wallClockSeconds()
            entry.since = time
            entry.history.sessionUp(at: time)
        case .down(let reason):
            let time = wallClockSeconds()
            entry.since = time
            entry.history.sessionDown(reason, at: time)
            noteEnd(peer)
        case .attemptFailed(let reason):
            entry.history.attemptFailed(reason, at: wallClockSeconds())
            noteEnd(peer)
        case .flushedStaleRoutes: noteEnd(peer)
        default: break
        }
    }

    /// Something of the peer is over: where nothing of it is left and nothing wants it, it goes.
    package func noteEnd(_ peer: PeerIndex) {
        guard let entry = peers.entries[peer] else { return }
        if entry.isDynamic { dynamic.ended.insert(peer) }
        if entry.removeAt != nil { departure.check = .zero }
    }

    func noteConnectError(_ peer: PeerIndex, _ error: Int32) {
        peers.entries[peer]?.history.connectFailed(error, at: wallClockSeconds())
    }

    /// An attempt that could not even begin is reported to the state machine in the next turn, not inside its own
    /// action.
    func connectLater(_ peer: PeerIndex, _ now: Instant) {
        if peers.entries[peer] != nil { retries.set(peer, now + .milliseconds(50)) }
    }

    var nextDeadline: Instant? {
        .earliest([departure.check, retries.next, losses.nextDeadline, plan.listenRetry])
    }

    func handleTimeouts(_ speaker: inout Speaker, now: Instant) {
        for peer in retries.takeAllDue(now: now) where peers.entries[peer] != nil {
            speaker.connectionFailed(peer, .active, now: now)
        }
        if let due = departure.check, due <= now { releaseLeaving(&speaker, now) }
    }

    /// Peers that are to go do so once those that take their place are up, or their own session is over, or they have
    /// waited long enough.
    private func releaseLeaving(_ speaker: inout Speaker, _ now: Instant) {
        departure.leaving = departure.leaving.filter { peers.entries[$0]?.removeAt != nil }
        departure.check = departure.leaving.isEmpty ? nil : now + Peering.leavingInterval
        guard !departure.leaving.isEmpty else { return }
        let successorsAreUp = peers.entries.values.allSatisfy { entry in
            entry.removeAt != nil || entry.isDynamic
                || AddressFamily.allCases.allSatisfy { speaker.isSynchronized(entry.index, $0, now: now) }
        }
        for peer in departure.leaving {
            guard let entry = peers.entries[peer], let due = entry.removeAt else { continue }
            // A session that is over carries no route that could be missed.
            if due <= now || successorsAreUp || speaker.isOver(entry.index) {
                remove(entry, .peerDeconfigured, speaker: &speaker, now: now)
            }
        }
    }

    /// Dynamic peers whose session is over, and whose routes nobody has to keep: at most `endedPeersBudget` are looked
    /// at. True where more are waiting.
    func removeEndedDynamicPeers(_ speaker: inout Speaker, now: Instant) -> Bool {
        for _ in 0..<Peering.endedPeersBudget {
            guard let peer = dynamic.ended.popFirst() else { return false }
            // A peer that still has a connection, or stale routes, is looked at again when that is over.
            guard let entry = peers.entries[peer], entry.isDynamic, speaker.isOver(entry.index),
                !speaker.hasConnection(entry.index)
            else { continue }
            remove(entry, .peerDeconfigured, speaker: &speaker, now: now)
        }
        return !dynamic.ended.isEmpty
    }

    // MARK: Applying resources

    /// Brings the speaker's peers, the listeners' keys and this node's routes into step with the resources.
    ///
    /// A pod's route waits for no plan of peers: where nothing but endpoints changed, and pods are no peers, nothing
    /// but their routes is looked at.
    func apply(
        _ change: ResourceChange, speaker: inout Speaker, plane: any ForwardingPlane,
        transport: any PeerTransport, now: Instant
    ) {
        // What came while this node's own object was missing was not taken over.
        let change = plan.missedChanges ? ResourceChange(whole: change.after) : change
        let new = change.after
        if new.resources.problems != loaded.resources.problems {
            plan.problems = new.resources.problems.map { FindingCause($0) }
        }
        loaded = new
        let resources = new.resources
        if change.isOfEndpointsAlone, resources.node(node) != nil,
            !resources.hasWorkloadPeers
        {
            plane.apply(NodeChange(change, node: node, programming: plane.programming), &speaker, now: now)
            return
        }
        let authenticationFailure =
            resources.peers.contains { $0.peer.tcpAO != nil } ? TCPSocket.authenticationFailure() : nil
        guard
            let decision = PeeringDecision(new, context, last: plan.peers, authenticationFailure: authenticationFailure)
        else {
            logger.error(
                "the Node object of this node is gone; the last good state stays", metadata: ["node": "\(node)"])
            plan.missedChanges = true
            return
        }
        plan.missedChanges = false
        speaker.setMaximumPaths(decision.maximumPaths)
        speaker.setExportScope(decision.exportScope)
        var nodeChange = NodeChange(change, node: node, programming: plane.programming)
        // Pods are peers: what else follows from endpoints is looked at, too.
        if nodeChange.state == nil {
            nodeChange.state = NodeState(resources, node: node, programming: plane.programming)
        }
        plane.apply(nodeChange, &speaker, now: now)
        plan.nodeAddresses = resources.nodeAddresses
        plan.listening = decision.listenAddresses.map { SocketAddress($0, port: decision.listenPort) }
        listen(transport, now: now)
        // Whatever the mode: what the Node object has, and what is listened on.
        let listened = transport.listenAddresses.map(\.address).filter { $0 != .any($0.family) }
        speaker.setOwnAddresses(decision.ownAddresses.union(listened), of: .configuration)
        plan.alarms = decision.alarms
        for remark in decision.remarks where !plan.remarks.contains(remark) {
            logger.warning("part of the resources has no effect", metadata: ["remark": "\(remark.text)"])
        }
        plan.remarks = decision.remarks
        plan.peers = decision.plan
        applyPeers(decision, speaker: &speaker, transport: transport, now: now)
    }

    /// In the order in which they came.
    private var presentPeers: [PeeringSteps.Present] {
        peers.entries.values.sorted { $0.arrival < $1.arrival }.map { PeeringSteps.Present($0) }
    }

    private func applyPeers(
        _ decision: PeeringDecision, speaker: inout Speaker, transport: any PeerTransport, now: Instant
    ) {
        let steps = PeeringSteps(decision.peers, present: presentPeers, limit: RIB.maximumPeers)
        plan.held = []
        dynamic.ranges = steps.ranges
        plan.links = steps.links
        for step in steps.steps {
            switch step {
            case .apply(let peer, let address, let index):
                _ = applyPeer(
                    peer, was: index.flatMap { peers.entries[$0] }, address, speaker: &speaker, transport: transport,
                    now: now)
            case .hold(let planned, let reason, let index):
                plan.held.append(HeldDown(planned: planned, reason: reason))
                if let entry = index.flatMap({ peers.entries[$0] }) {
                    remove(
                        entry, .administrativeShutdown(planned.options.shutdown ?? ""), speaker: &speaker, now: now)
                }
            case .leave(let index):
                guard let entry = peers.entries[index] else { continue }
                entry.removeAt = now + Peering.removalGrace
                departure.leaving.insert(entry.index)
                departure.check = now
                noteBFD(entry)
            }
        }
        enforceDynamicLimits(&speaker, now)
        setKeys(transport)
        secureHandshakes(transport)
        handleTimeouts(&speaker, now: now)
    }

    /// A lowered `maxDynamicPeers` holds at once: those without a session go first, then the newest, with Out of
    /// Resources (RFC 4486 3).
    private func enforceDynamicLimits(_ speaker: inout Speaker, _ now: Instant) {
        for (range, template) in dynamic.ranges {
            let limit = template.planned.options.maxDynamicPeers
            guard dynamic.counts[template.planned.name, default: 0] > limit else { continue }
            let members = peers.entries.values.filter {
                $0.isDynamic && $0.removeAt == nil && $0.planned.name == template.planned.name
            }.map {
                PeeringSteps.Member(
                    index: $0.index, isUp: speaker.isEstablished($0.index), arrival: $0.arrival)
            }
            let excess = PeeringSteps.excess(members, limit: limit)
            guard !excess.isEmpty else { continue }
            for case let entry? in excess.map({ peers.entries[$0] }) {
                remove(entry, NotificationMessage(.cease, 8), speaker: &speaker, now: now)
            }
            logger.warning(
                "maxDynamicPeers was lowered: dynamic peers are closed, those without a session and the newest first",
                metadata: ["range": "\(range)", "limit": "\(limit)", "closed": "\(excess.count)"])
        }
    }

    /// Brings the listeners into step with the plan. What another process has is tried again.
    func listen(_ transport: any PeerTransport, now: Instant) {
        if transport.listenAddresses != plan.listening { transport.listen(on: plan.listening) }
        plan.listenRetry = transport.listenFailures.isEmpty ? nil : now + Peering.listenInterval
    }
    private static let listenInterval: Duration = .seconds(5)

    /// GTSM holds for the handshake too: the listeners' TTL follows the peers and ranges that ask for it.
    private func secureHandshakes(_ transport: any PeerTransport) {
        var families: AddressFamilySet = []
        for entry in peers.entries.values where entry.keys.ttlSecurityHops != nil {
            families.insert(AddressFamilySet(entry.address.family))
        }
        for (range, template) in dynamic.ranges where template.keys.ttlSecurityHops != nil {
            families.insert(AddressFamilySet(range.family))
        }
        transport.setFullTimeToLive(families, logger)
    }

    /// Brings the listeners' keys into step with ranges and peers. The kernel has them by address: those of the peer
    /// that connections from there are for.
    private func setKeys(_ transport: any PeerTransport) {
        var wanted = dynamic.ranges.mapValues { TCPSocket.Options($0.keys) }
        for address in peers.neighbors.keys {
            // A dynamic peer has its range's.
            guard let entry = peers.acceptor(at: address), !entry.isDynamic, entry.removeAt == nil else { continue }
            wanted[Prefix(host: address)] = entry.options
        }
        wanted = wanted.filter { $0.value.password != nil || $0.value.authentication != nil }
        for (prefix, old) in plan.listenerKeys where wanted[prefix] == nil {
            setKeys(nil, prefix, old: old, transport: transport)
        }
        for (prefix, new) in wanted { setKeys(new, prefix, old: plan.listenerKeys[prefix], transport: transport) }
        plan.listenerKeys = wanted
    }

    /// The keys of a peer or a range on the listeners, TCP MD5 and TCP-AO; nil takes them away. The one place for every
    /// kind of peer.
    private func setKeys(
        _ new: TCPSocket.Options?, _ prefix: Prefix, old: TCPSocket.Options?, transport: any PeerTransport
    ) {
        do throws(SystemError) {
            if new?.password != old?.password { try transport.setPassword(new?.password, for: prefix) }
            if new?.authentication != old?.authentication {
                try transport.setAuthentication(new?.authentication, old: old?.authentication, for: prefix)
            }
        } catch {
            logger.error("cannot set the key of a peer", metadata: ["peer": "\(prefix)", "reason": "\(error)"])
        }
    }

    /// `was`: the peer as it was, where there is one.
    private func applyPeer(
        _ peer: PeeringDecision.Peer, was entry: PeerEntry?, _ address: IPAddress, speaker: inout Speaker,
        transport: any PeerTransport, now: Instant
    ) -> PeerEntry {
        guard let entry else {
            return add(peer, address, isDynamic: false, speaker: &speaker, now: now)
        }
        let planned = peer.planned
        let new = session(peer, address)
        let old = SessionPlan(
            settings: speaker.settings(entry.index) ?? new.settings, keys: entry.keys, source: entry.source,
            bfd: entry.planned.options.bfd)
        let change = PeeringChange(from: old, to: new, isEstablished: speaker.isEstablished(entry.index))
        noteBFD(entry)
        count(entry, -1)
        entry.removeAt = nil
        entry.planned = planned
        entry.keys = new.keys
        entry.source = new.source
        entry.isDynamic = entry.isDynamic && planned.isPassive
        noteBFD(entry)
        count(entry, 1)
        speaker.updatePeer(entry.index, new.settings, now: now)
        if change.changesPassword, let password = new.keys.password {
            transport.changePassword(entry.index, password, address: address, logger: logger)
        }
        // What the first segment depends on needs a new connection.
        if change.needsConnection { speaker.resetPeer(entry.index, .configurationChange, now: now) }
        return entry
    }

    private func add(
        _ peer: PeeringDecision.Peer, _ address: IPAddress, isDynamic: Bool, speaker: inout Speaker, now: Instant
    ) -> PeerEntry {
        let new = session(peer, address)
        let index = speaker.addPeer(new.settings, now: now)
        dynamic.arrivals += 1
        let entry = PeerEntry(
            planned: peer.planned, address, index: index, keys: new.keys, source: new.source, isDynamic: isDynamic,
            arrival: dynamic.arrivals)
        peers.insert(entry)
        count(entry, 1)
        noteBFD(entry)
        return entry
    }

    private func remove(
        _ entry: PeerEntry, _ notification: NotificationMessage, speaker: inout Speaker, now: Instant
    ) {
        peers.remove(entry)
        count(entry, -1)
        noteBFD(entry)
        retries.remove(entry.index)
        dynamic.ended.remove(entry.index)
        departure.leaving.remove(entry.index)
        speaker.removePeer(entry.index, notification, now: now)
    }

    private func count(_ entry: PeerEntry, _ change: Int) {
        guard entry.isDynamic else { return }
        let count = dynamic.counts[entry.planned.name, default: 0] + change
        dynamic.counts[entry.planned.name] = count > 0 ? count : nil
    }

    private func noteBFD(_ entry: PeerEntry) { if entry.planned.options.bfd != nil { revision += 1 } }

    private func session(_ peer: PeeringDecision.Peer, _ address: IPAddress) -> SessionPlan {
        let planned = peer.planned
        let link = plan.links.first { $0.value.planned.name == planned.name }?.key
        return SessionPlan(
            peer, address, resources: loaded.resources, nodeAddresses: plan.nodeAddresses, context: context,
            linkLocal: link.flatMap { linkLocalAddresses[$0] })
    }
}

extension PeeringSteps.Present {
    init(_ entry: PeerEntry) {
        self.init(
            index: entry.index, address: entry.address, port: entry.planned.port, remoteAS: entry.planned.remoteAS)
        isDynamic = entry.isDynamic
        isOnLink = entry.link != nil
        isLeaving = entry.removeAt != nil
    }
}

extension TCPSocket.Options {
    /// As the socket wants them.
    init(_ keys: PeerKeys) {
        self.init(password: keys.password, ttlSecurityHops: keys.ttlSecurityHops)
        authentication = keys.authentication.map {
            TCPSocket.AuthenticationKey(
                secret: $0.secret, sendID: $0.sendID, receiveID: $0.receiveID, algorithm: .init($0.algorithm))
        }
    }
}

extension TCPSocket.AuthenticationKey.Algorithm {
    fileprivate init(_ algorithm: BGPPeer.TCPAO.Algorithm) {
        self =
            switch algorithm {
            case .hmacSHA1: .hmacSHA1
            case .aes128CMAC: .aes128CMAC
            case .hmacSHA256: .hmacSHA256
            }
    }
}

extension FindingCause {
    fileprivate init(_ problem: Problem) {
        self = .resource(
            file: problem.file, line: problem.line, object: problem.object, field: problem.field,
            message: problem.message)
    }
}
