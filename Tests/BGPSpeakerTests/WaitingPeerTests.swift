import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

/// A speaker with one peer that the test connects by hand.
private final class Bench {
    var speaker: Speaker
    let peer: PeerIndex
    var now = Instant.zero
    var actions: [SpeakerAction] = []

    init(_ change: (inout PeerSettings) -> Void) {
        let identity = AttributeTable.Identity(
            localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))
        speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 1, recordsChanges: false, seed: 1, now: .zero)
        var settings = PeerSettings(
            name: "p", address: IPAddress(v4: 0x0A00_0002),
            session: SessionConfiguration(
                localAS: ASNumber(64512), remoteAS: ASNumber(64512), localIdentifier: BGPIdentifier(rawValue: 1)))
        change(&settings)
        peer = speaker.addPeer(settings, now: .zero)
        take()
    }

    func take() { actions = speaker.takeActions() }

    func edit(_ change: (inout PeerSettings) -> Void) {
        guard var settings = speaker.settings(peer) else { return }
        change(&settings)
        speaker.updatePeer(peer, settings, now: now)
        take()
    }

    /// The peer sends whole messages on its side of a connection.
    func receive(_ bytes: [UInt8], _ side: PeerFSM.Side = .active) {
        bytes.withBytes { speaker.received(peer, side, bytes: $0, now: now) }
        take()
    }

    var hasConnected: Bool { actions.contains { if case .connect = $0 { true } else { false } } }
    var closed: [PeerFSM.Side] { actions.compactMap { if case .close(_, let side) = $0 { side } else { nil } } }
    var sent: [[UInt8]] {
        actions.compactMap { if case .send(_, _, let buffer) = $0 { Array(buffer.bytes) } else { nil } }
    }
    var state: PeerFSM.State? { speaker.snapshot(peer)?.state }
}

@Suite struct WaitingPeerTests {
    struct Edit: Sendable, CustomTestStringConvertible {
        let name: String
        let change: @Sendable (inout PeerSettings) -> Void
        var testDescription: String { name }
        init(_ name: String, _ change: @escaping @Sendable (inout SessionConfiguration) -> Void) {
            self.name = name
            self.change = { change(&$0.session) }
        }
    }

    /// Every setting that a running session takes up only the next time.
    static let edits = [
        Edit("holdTime") { $0.holdTime = 30 },
        Edit("keepaliveTime") { $0.keepaliveTime = .seconds(5) },
        Edit("connectRetryTime") { $0.connectRetryTime = .seconds(2) },
        Edit("idleHoldTime") { $0.idleHoldTime = .seconds(2) },
        Edit("gracefulRestart") { $0.restart.mode = .helper },
        Edit("restartTime") { $0.restart.time = 50 },
        Edit("extendedMessages") { $0.offersExtendedMessage = false },
        Edit("longLivedStaleTime") { $0.restart.longLivedStaleTime = 3600 },
        Edit("addPath") { $0.addPath.receives = true },
        Edit("asNumber") { $0.remoteAS = ASNumber(65000) },
    ]

    @Test func `a peer that is no longer passive connects at once`() {
        let bench = Bench { $0.session.isPassive = true }
        #expect(!bench.hasConnected)
        bench.now = bench.now + .seconds(40)
        bench.edit { $0.session.isPassive = false }
        #expect(bench.hasConnected)
        #expect(bench.state == .connect)
    }

    @Test func `a peer that became passive gives its attempt up and makes no other`() {
        let bench = Bench { _ in }
        #expect(bench.hasConnected)
        bench.edit { $0.session.isPassive = true }
        #expect(bench.closed == [.active] && !bench.hasConnected)
        for _ in 0..<100 {
            bench.now = bench.now + .seconds(10)
            bench.speaker.handleTimeouts(now: bench.now)
            bench.take()
            #expect(!bench.hasConnected)
        }
        let isAdmitted = bench.speaker.admitsIncoming(bench.peer, now: bench.now)
        #expect(isAdmitted)
    }

    @Test(arguments: edits) func `a wait for the next attempt ends with the edit`(edit: Edit) {
        let bench = Bench { $0.session.connectRetryTime = .seconds(3600) }
        bench.speaker.connectionFailed(bench.peer, .active, now: bench.now)
        bench.take()
        #expect(!bench.hasConnected && bench.state == .active)
        bench.edit(edit.change)
        #expect(bench.hasConnected)
    }

    @Test(arguments: edits) func `an attempt that hangs is made again`(edit: Edit) {
        let bench = Bench { $0.session.connectRetryTime = .seconds(3600) }
        bench.edit(edit.change)
        #expect(bench.closed == [.active] && bench.hasConnected)
    }

    @Test(arguments: edits) func `idle hold after a failure ends with the edit`(edit: Edit) {
        let bench = Bench { $0.session.idleHoldTime = .seconds(60) }
        bench.speaker.connected(bench.peer, .active, now: bench.now)
        bench.receive(NotificationMessage.administrativeReset().encoded())
        #expect(bench.state == .idle)
        bench.edit(edit.change)
        #expect(bench.hasConnected)
    }

    @Test func `an OPEN that was sent with the old hold time is taken back, and the next one has the new`() throws {
        let bench = Bench { _ in }
        bench.speaker.connected(bench.peer, .active, now: bench.now)
        bench.take()
        #expect(bench.sent.map { $0[18] } == [1])
        bench.edit { $0.session.holdTime = 30 }
        let ending = try #require(bench.sent.first)
        #expect(Array(ending[18...20]) == [3, 6, 6])
        #expect(bench.closed == [.active] && bench.hasConnected)
        bench.speaker.connected(bench.peer, .active, now: bench.now)
        bench.take()
        let open = try #require(bench.sent.first)
        #expect(Array(open[22...23]) == [0, 30])
    }

    @Test(arguments: edits.filter { !["addPath", "asNumber"].contains($0.name) }) func `a running session goes on`(
        edit: Edit
    ) {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b)
        guard let peer = net.nodes[a].peers[b], var settings = net.nodes[a].speaker.settings(peer) else { return }
        edit.change(&settings)
        net.nodes[a].speaker.updatePeer(peer, settings, now: net.now)
        net.settle()
        #expect(net.isUp(a, b) && net.timesEstablished(a, peer) == 1)
    }

    @Test func `what does not concern the session leaves a wait alone`() {
        let bench = Bench { $0.session.connectRetryTime = .seconds(3600) }
        bench.speaker.connectionFailed(bench.peer, .active, now: bench.now)
        bench.edit { $0.importSettings.mode = .all }
        #expect(!bench.hasConnected)
    }
}

@Suite struct LoweredPrefixLimitTests {
    /// Two nodes, the second of which has announced four prefixes, under a changed limit.
    private func pair(_ change: (inout PeerSettings.PrefixLimit) -> Void) -> (Network, a: Int, b: Int) {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b)
        for i in 0..<4 as Range<UInt32> { net.originate(b, Prefix(IPAddress(v4: 0x0A41_0000 + i * 64), length: 26)) }
        if let peer = net.nodes[a].peers[b], var settings = net.nodes[a].speaker.settings(peer) {
            change(&settings.maximumPrefixes)
            net.nodes[a].speaker.updatePeer(peer, settings, now: net.now)
        }
        net.settle()
        return (net, a, b)
    }

    @Test(arguments: [PeerSettings.PrefixLimit.Action.restart, .idle])
    func `a limit below what the peer has announced ends the session at once`(action: PeerSettings.PrefixLimit.Action) {
        let (net, a, b) = pair {
            $0.limit = 3
            $0.action = action
        }
        #expect(!net.isUp(a, b))
        #expect(net.prefixCount(a) == 0)
        #expect(
            net.nodes[b].events.contains {
                if case .down(.notificationReceived(.hardReset(.maximumPrefixes(.ipv4, limit: 3)))) = $0.1 {
                    true
                } else {
                    false
                }
            })
    }

    @Test func `with action warn it warns at once, of the limit and of the number before it`() {
        let (net, a, b) = pair {
            $0.limit = 3
            $0.warnAt = 2
            $0.action = .warn
        }
        #expect(net.isUp(a, b))
        let events = net.nodes[a].events.map(\.1)
        #expect(events.contains(.manyPrefixes(.ipv4, count: 4)))
        #expect(events.contains(.maximumPrefixesReached(.ipv4, limit: 3, action: .warn)))
    }

    @Test func `a limit that is not exceeded leaves the session up`() {
        let (net, a, b) = pair { $0.limit = 4 }
        #expect(net.isUp(a, b))
    }
}
