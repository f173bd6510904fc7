import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

/// Thousands of peers that do not answer, or say nothing: what they cost is counted, or compared with what a few cost.
@Suite struct ManyPeersTests {
    private static func speaker(_ restart: RestartState = RestartState()) -> Speaker {
        let identity = AttributeTable.Identity(
            localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))
        return Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 1, recordsChanges: false, restart: restart,
            seed: 1, now: .zero)
    }

    private static func settings(_ number: Int, isPassive: Bool = false) -> PeerSettings {
        let localIdentifier = BGPIdentifier(rawValue: 1)
        var session = SessionConfiguration(
            localAS: ASNumber(64512), remoteAS: ASNumber(64512), localIdentifier: localIdentifier)
        session.isPassive = isPassive
        return PeerSettings(name: "p\(number)", address: IPAddress(v4: 0x0A01_0000 + UInt32(number)), session: session)
    }

    /// Runs `count` peers that refuse every connection for so many seconds, as the routing loop would: one turn per
    /// deadline.
    private static func refuse(_ count: Int, seconds: Int64) -> (attempts: Int, visits: Int, turns: Int, time: Duration)
    {
        var speaker = speaker()
        for number in 0..<count { _ = speaker.addPeer(settings(number), now: .zero) }
        var (attempts, turns) = (0, 0)
        var now = Instant.zero
        let end = now + .seconds(seconds)
        func turn(_ speaker: inout Speaker) {
            turns += 1
            speaker.handleTimeouts(now: now, budget: 256)
            for action in speaker.takeActions() {
                guard case .connect(let peer) = action else { continue }
                attempts += 1
                speaker.connectionFailed(peer, .active, now: now)
            }
            _ = speaker.takeActions()
        }
        let began = ContinuousClock.now
        turn(&speaker)
        while let next = speaker.nextDeadline, next <= end {
            now = max(now, next)
            turn(&speaker)
        }
        return (attempts, speaker.timeoutVisits, turns, ContinuousClock.now - began)
    }

    @Test func `a peer that refuses is looked at when its own timer is due, however many others there are`() {
        for count in [10, 900] {
            let result = Self.refuse(count, seconds: 30)
            // Every 3.75 to 5 s.
            #expect(result.attempts >= count * 6 && result.attempts <= count * 9, "\(result.attempts)")
            #expect(
                result.visits <= result.attempts * 2,
                "\(result.visits) visits for \(result.attempts) attempts of \(count) peers")
        }
    }

    @Test func `an attempt among thousands costs about what it costs among a hundred`() {
        func cost(_ count: Int, seconds: Int64) -> Duration {
            (0..<3).map { _ in
                let result = Self.refuse(count, seconds: seconds)
                return result.time / result.attempts
            }.min() ?? .zero
        }
        let few = cost(100, seconds: 200)
        let many = cost(4000, seconds: 10)
        #expect(many < few * 8, "\(many) in place of \(few)")
    }

    @Test func `beyond a thousand peers that do not answer the attempts of all of them together do not grow`() {
        let many = Self.refuse(5000, seconds: 120).attempts - 5000
        #expect(many > 120 * 150 && many < 120 * 300, "\(many) in 120 s after the first of each")
    }

    @Test func `keepalives in the middle of other work are found without a look at the peers that have none`() throws {
        var speaker = Self.speaker()
        for number in 0..<2000 { _ = speaker.addPeer(Self.settings(number, isPassive: true), now: .zero) }
        let peer = speaker.addPeer(Self.settings(5000, isPassive: true), now: .zero)
        let isAdmitted = speaker.admitsIncoming(peer, now: .zero)
        try #require(isAdmitted)
        speaker.connected(peer, .passive, now: .zero)
        let open = OpenMessage(
            asNumber: ASNumber(64512), holdTime: 90, identifier: BGPIdentifier(rawValue: 7),
            capabilities: [.multiprotocol(AFISAFI(.ipv4)), .fourOctetAS(ASNumber(64512))])
        for bytes in [open.encoded(), KeepaliveMessage.encoded] {
            bytes.withBytes { speaker.received(peer, .passive, bytes: $0, now: .zero) }
        }
        func keepalives(_ seconds: Int64, _ speaker: inout Speaker) -> [PeerIndex] {
            (speaker.takeDueKeepalives(now: .zero + .seconds(seconds))?.connections ?? []).map(\.0)
        }
        #expect(speaker.snapshot(peer)?.state == .established)
        let early = keepalives(20, &speaker)
        #expect(early == [])
        let due = keepalives(30, &speaker)
        #expect(due == [peer])
        // It counts from now on again, and no other timer fired.
        let again = keepalives(45, &speaker)
        #expect(again == [])
        let visits = speaker.timeoutVisits
        #expect(visits == 0)
        #expect(speaker.snapshot(peer)?.state == .established)
    }

    @Test func `a removed peer's number is used again, and its timers are not those of the next one`() {
        var speaker = Self.speaker()
        let first = speaker.addPeer(Self.settings(1), now: .zero)
        speaker.connectionFailed(first, .active, now: .zero)
        let before = speaker.nextDeadline
        #expect(before != nil)
        speaker.removePeer(first, now: .zero)
        let between = speaker.nextDeadline
        #expect(between == nil)
        let second = speaker.addPeer(Self.settings(2, isPassive: true), now: .zero)
        let after = speaker.nextDeadline
        #expect(second == first && after == nil)
    }

    @Test
    func
        `transit is complete once the last of many peers has sent its table, in whatever order they do (RFC 4724 4_1)`()
    {
        for order in [Array(0..<40), Array((0..<40).reversed()), (0..<40).map { $0 * 7 % 40 }] {
            var speaker = Self.speaker(RestartState(isRestarting: true, preservedFamilies: .all))
            let peers = (0..<40).map { speaker.addPeer(Self.settings($0, isPassive: true), now: .zero) }
            for (position, number) in order.enumerated() {
                let peer = peers[number]
                let wasSynchronized = speaker.isSynchronized(.ipv4, now: .zero)
                #expect(!wasSynchronized, "\(position) of \(order)")
                _ = speaker.admitsIncoming(peer, now: .zero)
                speaker.connected(peer, .passive, now: .zero)
                let graceful = GracefulRestartCapability(
                    restarting: false, notification: true, restartTime: 120,
                    families: [.init(AFISAFI(.ipv4), forwardingPreserved: true)])
                let open = OpenMessage(
                    asNumber: ASNumber(64512), holdTime: 90, identifier: BGPIdentifier(rawValue: 100 + UInt32(number)),
                    capabilities: [
                        .multiprotocol(AFISAFI(.ipv4)), .fourOctetAS(ASNumber(64512)), .gracefulRestart(graceful),
                    ])
                for bytes in [open.encoded(), KeepaliveMessage.encoded, UpdateMessage.endOfRIB(.ipv4)] {
                    bytes.withBytes { speaker.received(peer, .passive, bytes: $0, now: .zero) }
                }
            }
            let isSynchronized = speaker.isSynchronized(.ipv4, now: .zero)
            #expect(isSynchronized)
        }
    }
}
