import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import StrictWire
import Testing

/// Speakers in memory, joined by lossless streams, under simulated time: hours of protocol in milliseconds.
final class Network {
    final class Node {
        var speaker: Speaker
        let address: IPAddress
        /// Peer index by the other node's number, and back.
        var peers: [Int: PeerIndex] = [:]
        var others: [PeerIndex: Int] = [:]
        /// The stream that each side of each peer is attached to.
        var events: [(PeerIndex, SpeakerEvent)] = []
        var messages: [PeerIndex: [[UInt8]]] = [:]
        init(_ speaker: consuming Speaker, _ address: IPAddress) {
            self.speaker = speaker
            self.address = address
        }
    }

    private struct End: Hashable {
        var node: Int
        var peer: PeerIndex
        var side: PeerFSM.Side
    }

    private(set) var nodes: [Node] = []
    private(set) var now = Instant.zero
    private var wires: [End: End] = [:]
    /// What each end sent, read strictly.
    private var strict: [End: StrictStream] = [:]
    private var inbox: [(to: End, bytes: [UInt8])] = []
    private var dialling: [(Int, PeerIndex)] = []
    /// Pairs of nodes that cannot reach each other.
    var cut: Set<[Int]> = []

    init() {}

    func add(_ last: UInt32, as number: UInt32 = 64512, cluster: UInt32? = nil, restart: RestartState = RestartState())
        -> Int
    {
        let address = IPAddress(v4: 0x0A00_0000 + last)
        let identity = AttributeTable.Identity(
            localAS: ASNumber(number), identifier: BGPIdentifier(rawValue: address.v4),
            clusterID: BGPIdentifier(rawValue: cluster ?? address.v4))
        nodes.append(
            Node(
                Speaker(
                    identity: identity, tracksNextHops: false, maximumPaths: 4, recordsChanges: false, restart: restart,
                    seed: UInt64(last), now: now), address))
        return nodes.count - 1
    }

    /// Makes two nodes peers of each other.
    func peer(_ a: Int, _ b: Int, _ change: (Int, inout PeerSettings) -> Void = { _, _ in }) {
        for (own, other) in [(a, b), (b, a)] {
            var settings = PeerSettings(
                name: "\(other)", address: nodes[other].address,
                session: SessionConfiguration(
                    localAS: nodes[own].speaker.identity.localAS,
                    remoteAS: nodes[other].speaker.identity.localAS,
                    localIdentifier: nodes[own].speaker.identity.identifier))
            settings.nextHop.addresses = [
                nodes[own].address, IPAddress(high: 0x2001_0DB8 << 32, low: UInt64(nodes[own].address.v4)),
            ]
            change(own, &settings)
            let index = nodes[own].speaker.addPeer(settings, now: now)
            nodes[own].peers[other] = index
            nodes[own].others[index] = other
        }
        if isSettling { settle() }
    }
    /// False: `peer`, `originate` and `withdraw` leave everything on its way.
    var isSettling = true

    /// Runs until nothing moves.
    func settle() {
        for _ in 0..<10_000 where !turn() { return }
        preconditionFailure("the network does not settle")
    }

    /// One turn of every node. True where something moved.
    @discardableResult
    func turn(decideBudget: Int = 1000, replayBudget: Int = 100) -> Bool {
        var moved = false
        for index in nodes.indices {
            while nodes[index].speaker.decide(budget: decideBudget), decideBudget >= 1000 {}
            _ = nodes[index].speaker.export(replayBudget: replayBudget, now: now)
            if carryOut(index) { moved = true }
            if !nodes[index].speaker.hasSentAll(now: now) {
                moved = true
            }
        }
        return deliver() || moved
    }

    func advance(_ seconds: Double) {
        let end = now + .milliseconds(Int64(seconds * 1000))
        while true {
            let next = nodes.compactMap { $0.speaker.nextDeadline }.min() ?? end
            now = max(now, min(next, end))
            for node in nodes { node.speaker.handleTimeouts(now: now) }
            settle()
            if now >= end { return }
        }
    }

    /// Loses the connections of two nodes, as a crash or a pulled cable would show after a while.
    func disconnect(_ a: Int, _ b: Int) {
        for (from, to) in wires where (from.node == a && to.node == b) || (from.node == b && to.node == a) {
            wires[from] = nil
            nodes[from.node].speaker.connectionFailed(from.peer, from.side, now: now)
        }
        settle()
    }

    /// A node is another process now: its state is gone, its peers notice.
    func crash(_ index: Int, restart: RestartState) {
        let old = nodes[index]
        let identity = old.speaker.identity
        nodes[index] = Node(
            Speaker(
                identity: identity, tracksNextHops: false, maximumPaths: 4, recordsChanges: false, restart: restart,
                seed: 9, now: now), old.address)
        for (from, to) in wires where to.node == index {
            wires[from] = nil
            wires[to] = nil
            nodes[from.node].speaker.connectionFailed(from.peer, from.side, now: now)
        }
    }

    func repeer(_ own: Int, _ other: Int, _ change: (inout PeerSettings) -> Void = { _ in }) {
        guard let back = nodes[other].peers[own], var settings = nodes[other].speaker.settings(back) else { return }
        settings.address = nodes[other].address
        settings.session.localAS = nodes[own].speaker.identity.localAS
        settings.session.remoteAS = nodes[other].speaker.identity.localAS
        settings.session.localIdentifier = nodes[own].speaker.identity.identifier
        settings.nextHop.addresses = [nodes[own].address, nil]
        settings.isClient = false
        change(&settings)
        let index = nodes[own].speaker.addPeer(settings, now: now)
        nodes[own].peers[other] = index
        nodes[own].others[index] = other
    }

    private func carryOut(_ index: Int) -> Bool {
        let actions = nodes[index].speaker.takeActions()
        for action in actions {
            switch action {
            case .connect(let peer): dialling.append((index, peer))
            case .send(let peer, let side, let buffer):
                let bytes = Array(buffer.bytes)
                nodes[index].messages[peer, default: []].append(bytes)
                let end = End(node: index, peer: peer, side: side)
                if let other = wires[end] {
                    inbox.append((other, bytes))
                    strict[end]?.feed(bytes)
                    if let problems = strict[end]?.violations, !problems.isEmpty {
                        strict[end] = nil
                        Issue.record("a strict reader does not take what node \(index) sent: \(problems)")
                    }
                }
            case .close(let peer, let side):
                let end = End(node: index, peer: peer, side: side)
                if let other = wires.removeValue(forKey: end) {
                    wires[other] = nil
                    inbox.append((other, []))
                }
            case .report(let peer, let event): nodes[index].events.append((peer, event))
            }
        }
        return !actions.isEmpty
    }

    private func deliver() -> Bool {
        var moved = false
        let calls = dialling
        dialling = []
        for (index, peer) in calls {
            moved = true
            guard
                let other = nodes[index].others[peer]
                    ?? nodes.indices.first(where: { nodes[$0].address == nodes[index].speaker.settings(peer)?.address }),
                !cut.contains([index, other].sorted()), let back = nodes[other].peers[index],
                nodes[other].speaker.admitsIncoming(back, now: now)
            else {
                nodes[index].speaker.connectionFailed(peer, .active, now: now)
                continue
            }
            _ = carryOut(other)
            let a = End(node: index, peer: peer, side: .active)
            let b = End(node: other, peer: back, side: .passive)
            wires[a] = b
            wires[b] = a
            strict[a] = StrictStream()
            strict[b] = StrictStream()
            nodes[index].speaker.connected(peer, .active, now: now)
            nodes[other].speaker.connected(back, .passive, now: now)
        }
        let batch = inbox
        inbox = []
        for (to, bytes) in batch {
            moved = true
            if bytes.isEmpty {
                nodes[to.node].speaker.connectionFailed(to.peer, to.side, now: now)
            } else {
                strict[to]?.peerSent(bytes)
                bytes.withBytes { nodes[to.node].speaker.received(to.peer, to.side, bytes: $0, now: now) }
            }
        }
        return moved
    }

    // MARK: Questions

    func prefixCount(_ node: Int, _ family: AddressFamily = .ipv4) -> Int {
        nodes[node].speaker.counts.prefixes[family.index]
    }
    func attributeCount(_ node: Int) -> Int { nodes[node].speaker.counts.attributeSets }
    func timesEstablished(_ node: Int, _ peer: PeerIndex) -> UInt64 {
        nodes[node].speaker.snapshot(peer)?.counters.establishedCount ?? 0
    }

    func isUp(_ a: Int, _ b: Int) -> Bool {
        nodes[a].peers[b].flatMap { nodes[a].speaker.snapshot($0) }?.state == .established
    }

    /// The attributes of a node's best path.
    func best(_ node: Int, _ prefix: Prefix) -> PathAttributes? {
        guard let index = nodes[node].speaker.find(prefix),
            let best = nodes[node].speaker.bestPath(index, prefix.family)
        else { return nil }
        return nodes[node].speaker.attributes(of: best.attributes)
    }

    func pathCount(_ node: Int, _ prefix: Prefix) -> Int {
        guard let index = nodes[node].speaker.find(prefix) else { return 0 }
        return nodes[node].speaker.explainedPaths(index, prefix.family).count
    }

    func originate(_ node: Int, _ prefix: Prefix, _ change: (inout PathAttributes) -> Void = { _ in }) {
        var attributes = PathAttributes()
        attributes.origin = .igp
        attributes.asPath = ASPath()
        change(&attributes)
        nodes[node].speaker.originate(prefix, attributes)
        if isSettling { settle() }
    }

    func withdraw(_ node: Int, _ prefix: Prefix) {
        nodes[node].speaker.withdrawOwn(prefix)
        if isSettling { settle() }
    }

    /// UPDATEs that a node sent to another since the last call.
    func updates(_ from: Int, _ to: Int) -> [[UInt8]] {
        guard let peer = nodes[from].peers[to] else { return [] }
        defer { nodes[from].messages[peer] = [] }
        return (nodes[from].messages[peer] ?? []).flatMap(split).filter { $0[18] == 2 }
    }

    private func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var rest = bytes[...]
        while rest.count >= 19 {
            let length = Int(rest[rest.startIndex + 16]) << 8 | Int(rest[rest.startIndex + 17])
            result.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return result
    }
}
