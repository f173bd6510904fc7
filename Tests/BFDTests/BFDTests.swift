import BFD
import NetTypes
import Testing

/// Two sessions joined by a path that takes 5 ms and can be cut in either direction, under simulated time.
final class Path {
    var ends: [BFDSession]
    private(set) var now = Instant.zero
    var isCut = [false, false]
    private(set) var changes: [[BFDSession.Action]] = [[], []]
    private(set) var sent: [[(at: Instant, packet: BFDPacket)]] = [[], []]
    private var flying: [(at: Instant, to: Int, bytes: [UInt8])] = []

    init(_ a: BFDConfiguration, _ b: BFDConfiguration, seed: UInt64 = 1) {
        ends = [
            BFDSession(a, discriminator: 11, seed: seed, now: .zero),
            BFDSession(b, discriminator: 22, seed: seed + 1, now: .zero),
        ]
    }

    private func carryOut(_ actions: [BFDSession.Action], _ from: Int) {
        for action in actions {
            switch action {
            case .send(let packet):
                sent[from].append((now, packet))
                if !isCut[from] { flying.append((now + .milliseconds(5), 1 - from, packet.encoded())) }
            case .changed: changes[from].append(action)
            }
        }
    }

    func act(_ end: Int, _ body: (inout BFDSession, inout [BFDSession.Action]) -> Void) {
        var actions: [BFDSession.Action] = []
        body(&ends[end], &actions)
        carryOut(actions, end)
    }

    func advance(_ milliseconds: Int64) {
        let end = now + .milliseconds(milliseconds)
        while true {
            let next = (ends.compactMap(\.nextDeadline) + flying.map(\.at)).min() ?? end
            now = max(now, min(next, end))
            let due = flying.filter { $0.at <= now }
            flying.removeAll { $0.at <= now }
            for item in due {
                guard let packet = item.bytes.withBytes({ BFDPacket($0) }) else { continue }
                act(item.to) { $0.receive(packet, now: now, &$1) }
            }
            for index in 0...1 { act(index) { $0.handleTimeout(now: now, &$1) } }
            if now >= end { return }
        }
    }

    var areUp: Bool { ends.allSatisfy { $0.state == .up } }
}

@Suite struct BFDTests {
    static let fast = BFDConfiguration(
        desiredMinTX: .milliseconds(50), requiredMinRX: .milliseconds(50), detectMultiplier: 3)

    @Test func `a known packet has the bytes of RFC 5880 4_1, and survives the wire`() throws {
        var packet = BFDPacket()
        packet.state = .up
        packet.isPoll = true
        packet.diagnostic = .neighborSignaledDown
        packet.myDiscriminator = 0x0102_0304
        packet.yourDiscriminator = 5
        packet.desiredMinTX = 50_000
        packet.requiredMinRX = 300_000
        let bytes = packet.encoded()
        #expect(bytes == [0x23, 0xE0, 3, 24, 1, 2, 3, 4, 0, 0, 0, 5, 0, 0, 0xC3, 0x50, 0, 4, 0x93, 0xE0, 0, 0, 0, 0])
        #expect(bytes.withBytes { BFDPacket($0) } == packet)
    }

    @Test(
        arguments: [
            ("version 0", 0, 0x03), ("multiplier 0", 2, 0), ("length below 24", 3, 23),
            ("length beyond the packet", 3, 25), ("multipoint bit", 1, 0xC1),
            ("authentication", 1, 0xC4),
        ] as [(String, Int, UInt8)])
    func `what RFC 5880 6_8_6 discards is discarded`(name: String, position: Int, value: UInt8) {
        var packet = BFDPacket()
        packet.state = .up
        packet.myDiscriminator = 1
        packet.yourDiscriminator = 2
        var bytes = packet.encoded()
        bytes[position] = value
        #expect(bytes.withBytes { BFDPacket($0) } == nil)
    }

    @Test func `discriminators that say nothing are discarded, and every truncation`() {
        var packet = BFDPacket()
        packet.myDiscriminator = 1
        packet.state = .up
        #expect(packet.encoded().withBytes { BFDPacket($0) } == nil)
        packet.yourDiscriminator = 2
        packet.myDiscriminator = 0
        #expect(packet.encoded().withBytes { BFDPacket($0) } == nil)
        packet.myDiscriminator = 1
        for length in 0..<24 { #expect(Array(packet.encoded()[..<length]).withBytes { BFDPacket($0) } == nil) }
    }

    @Test func `a session comes up, at a packet a second, and goes on at its interval with jitter`() {
        let path = Path(Self.fast, Self.fast)
        path.advance(3000)
        #expect(path.areUp)
        let before = path.sent[0].count
        path.advance(10_000)
        let packets = path.sent[0].count - before
        // 50 ms less up to a quarter: 200 to 267.
        #expect((200...270).contains(packets), "\(packets)")
        #expect(path.sent[0].suffix(50).allSatisfy { !$0.packet.isPoll })
    }

    @Test
    func `a cut path is down within three intervals on the side that hears nothing, and the other one hears of it`() {
        for cut in [[true, false], [false, true], [true, true]] {
            let path = Path(Self.fast, Self.fast)
            path.advance(5000)
            path.isCut = cut
            path.advance(160)
            #expect(path.ends.contains { $0.state == .down && $0.diagnostic == .detectionTimeExpired })
            path.advance(10)
            #expect(path.ends.allSatisfy { $0.state != .up })
            #expect(
                path.changes[0].contains { if case .changed(.up, .down, isFailure: true) = $0 { true } else { false } })
            path.isCut = [false, false]
            path.advance(4000)
            #expect(path.areUp)
        }
    }

    @Test func `the slower end's wish holds for each direction`() {
        let slow = BFDConfiguration(
            desiredMinTX: .milliseconds(400), requiredMinRX: .milliseconds(200), detectMultiplier: 5)
        let path = Path(Self.fast, slow)
        path.advance(5000)
        #expect(path.ends[0].transmitInterval == .milliseconds(200))
        #expect(path.ends[1].transmitInterval == .milliseconds(400))
        #expect(path.ends[0].detectionTime == .milliseconds(2000))
        #expect(path.ends[1].detectionTime == .milliseconds(600))
    }

    @Test func `an administrative down is no failure, and new intervals go through a poll without one`() {
        let path = Path(Self.fast, Self.fast)
        path.advance(5000)
        path.act(1) { session, _ in
            session.reconfigure(
                BFDConfiguration(desiredMinTX: .milliseconds(1000), requiredMinRX: .milliseconds(1000)), now: path.now)
        }
        path.advance(5000)
        #expect(path.areUp)
        #expect(path.ends[0].transmitInterval == .milliseconds(1000))
        #expect(path.changes[0].count == 2)
        path.act(1) { $0.stop(now: path.now, &$1) }
        path.advance(20)
        #expect(path.ends[0].state == .down)
        #expect(path.changes[0].last == .changed(from: .up, to: .down, isFailure: false))
    }

    @Test func `a neighbor that restarts with another discriminator is a new session`() {
        let path = Path(Self.fast, Self.fast)
        path.advance(5000)
        path.ends[1] = BFDSession(Self.fast, discriminator: 99, seed: 7, now: path.now)
        path.advance(4000)
        #expect(path.areUp)
        #expect(path.ends[0].remote.discriminator == 99)
        #expect(path.changes[0].contains { if case .changed(.up, .down, isFailure: true) = $0 { true } else { false } })
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `random packets in random states keep the machine inside RFC 5880, and silence brings it down`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var session = BFDSession(Self.fast, discriminator: 7, seed: seed, now: .zero)
        var now = Instant.zero
        var actions: [BFDSession.Action] = []
        for _ in 0..<500 {
            now = now + .milliseconds(Int64(random.next() % 80))
            let before = session.state
            actions.removeAll()
            if random.next() % 3 == 0 {
                session.handleTimeout(now: now, &actions)
            } else {
                var bytes = (0..<24).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                bytes[0] = 0x20
                bytes[1] &= 0xFA
                bytes[3] = 24
                guard let packet = bytes.withBytes({ BFDPacket($0) }) else { continue }
                session.receive(packet, now: now, &actions)
                if packet.isPoll {
                    #expect(
                        actions.contains { if case .send(let answer) = $0 { answer.isFinal } else { false } },
                        "seed \(seed)")
                }
            }
            if before == .down && session.state == .up {
                #expect(
                    actions.contains { if case .changed(.down, .up, _) = $0 { true } else { false } }, "seed \(seed)")
            }
            #expect(session.nextDeadline != nil || session.transmitInterval == nil, "seed \(seed)")
        }
        for _ in 0..<3 {
            guard let deadline = session.nextDeadline else { break }
            now = max(now, deadline) + .seconds(1_200_000)
            session.handleTimeout(now: now, &actions)
        }
        #expect(session.state == .down, "seed \(seed)")
    }
}
