import BGPMessages
import BGPSession
import NetTypes
import Testing

let second: Int64 = 1_000_000_000
func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

func configuration(_ change: (inout SessionConfiguration) -> Void = { _ in }) -> SessionConfiguration {
    var result = SessionConfiguration(
        localAS: ASNumber(64512), remoteAS: ASNumber(64512), localIdentifier: BGPIdentifier(rawValue: 100))
    change(&result)
    return result
}

func peerOpen(id: UInt32 = 50, as number: UInt32 = 64512, hold: UInt16 = 90, capabilities: [Capability]? = nil)
    -> OpenMessage
{
    OpenMessage(
        asNumber: ASNumber(number), holdTime: hold, identifier: BGPIdentifier(rawValue: id),
        capabilities: capabilities ?? [
            .multiprotocol(AFISAFI(.ipv4)), .multiprotocol(AFISAFI(.ipv6)), .routeRefresh,
            .fourOctetAS(ASNumber(number)),
        ])
}

/// A machine under test with the actions of its last event.
struct Machine {
    var fsm: PeerFSM
    var actions: [PeerFSM.Action] = []
    init(_ configuration: SessionConfiguration = configuration()) { fsm = PeerFSM(configuration, seed: 1) }
    mutating func feed(_ event: PeerFSM.Event, _ seconds: Double = 0) {
        actions = []
        fsm.handle(event, now: at(seconds), &actions)
    }
    mutating func time(_ seconds: Double) {
        actions = []
        fsm.handleTimeout(now: at(seconds), &actions)
    }
    mutating func takesIncoming(_ seconds: Double = 0) -> Bool {
        actions = []
        let admitted = fsm.admitsIncoming(now: at(seconds), &actions)
        if admitted { fsm.handle(.connected(.passive), now: at(seconds), &actions) }
        return admitted
    }
    /// The code and subcode that were sent to a side.
    func notification(_ side: PeerFSM.Side) -> (code: UInt8, subcode: UInt8, data: [UInt8])? {
        for case .send(side, let bytes) in actions where bytes[18] == 3 {
            return (bytes[19], bytes[20], Array(bytes[21...]))
        }
        return nil
    }
    func sent(_ type: UInt8) -> Int {
        actions.count { if case .send(_, let bytes) = $0 { bytes[18] == type } else { false } }
    }
    var closed: [PeerFSM.Side] { actions.compactMap { if case .close(let side) = $0 { side } else { nil } } }

    /// A machine in a state, reached by the active side.
    static func inState(_ state: PeerFSM.State, _ configuration: SessionConfiguration = configuration()) -> Machine {
        var machine = Machine(configuration)
        switch state {
        case .idle: return machine
        case .active:
            machine.feed(.start)
            machine.feed(.connectionFailed(.active))
        case .connect: machine.feed(.start)
        case .openSent, .openConfirm, .established:
            machine.feed(.start)
            machine.feed(.connected(.active))
            if state == .openSent { break }
            machine.feed(.open(.active, peerOpen()))
            if state == .openConfirm { break }
            machine.feed(.keepalive(.active))
        }
        machine.actions = []
        return machine
    }
}

@Suite struct PeerFSMTests {
    @Test func `a session comes up: OPEN, KEEPALIVE, Established`() {
        var machine = Machine()
        machine.feed(.start)
        #expect(machine.actions == [.connect])
        machine.feed(.connected(.active))
        #expect(machine.sent(1) == 1)
        machine.feed(.open(.active, peerOpen()))
        #expect(machine.sent(4) == 1)
        machine.feed(.keepalive(.active))
        #expect(machine.fsm.established?.session.families == .all)
    }

    @Test(arguments: [(90, 30, 30), (30, 90, 30), (0, 90, 0), (90, 0, 0), (3, 90, 3)] as [(UInt16, UInt16, Int64)])
    func `the smaller hold time holds, and 0 switches the timers off (RFC 4271 4_2)`(
        ours: UInt16, theirs: UInt16, expected: Int64
    ) {
        var machine = Machine(configuration { $0.holdTime = ours })
        machine.feed(.start)
        machine.feed(.connected(.active))
        machine.feed(.open(.active, peerOpen(hold: theirs)))
        machine.feed(.keepalive(.active))
        #expect(machine.fsm.established?.session.holdTime == .seconds(expected))
        if expected == 0 {
            #expect(machine.fsm.nextDeadline == nil)
        } else {
            machine.time(Double(expected) - 0.01)
            #expect(machine.fsm.state == .established)
            machine.time(Double(expected) + 0.01)
            #expect(machine.notification(.active)?.code == 4)
        }
    }

    @Test
    func `keepalives go out at most a third of the hold time apart, and what the peer says restarts the hold timer`()
        throws
    {
        var machine = Machine.inState(.established)
        var sent = 0
        var last = 0.0
        for step in 1...400 {
            let now = Double(step) / 2
            machine.time(now)
            if machine.sent(4) > 0 {
                #expect(now - last <= 30.5)
                last = now
                sent += 1
            }
            if step % 100 == 0 { machine.feed(step % 200 == 0 ? .keepalive(.active) : .update(.active), now) }
        }
        #expect(machine.fsm.state == .established)
        #expect(sent >= 6 && sent <= 9)
    }

    @Test(
        arguments: [
            (1, [2, 6]), (2, [2, 6]),
        ] as [(UInt16, [UInt8])])
    func `hold time 1 and 2 are refused (RFC 4271 6_2)`(hold: UInt16, expected: [UInt8]) {
        var machine = Machine.inState(.openSent)
        machine.feed(.open(.active, peerOpen(hold: hold)))
        #expect(machine.notification(.active).map { [$0.code, $0.subcode] } == expected)
    }

    @Test func `AS, identifier and families are judged (RFC 4271 6_2, 5492, 6286, 7607)`() {
        func refuse(_ open: OpenMessage, _ change: (inout SessionConfiguration) -> Void = { _ in }) -> [UInt8]? {
            var machine = Machine.inState(.openSent, configuration(change))
            machine.feed(.open(.active, open))
            return machine.notification(.active).map { [$0.code, $0.subcode] + $0.data }
        }
        #expect(refuse(peerOpen(as: 65000)) == [2, 2, 0, 0, 253, 232])
        #expect(refuse(peerOpen(as: 0), { $0.remoteAS = nil }) == [2, 2, 0, 0, 0, 0])
        #expect(refuse(peerOpen(as: 65000), { $0.remoteAS = nil }) == nil)
        #expect(refuse(peerOpen(id: 0)) == [2, 3])
        #expect(refuse(peerOpen(id: 100)) == [2, 3])
        #expect(refuse(peerOpen(id: 100, as: 65000), { $0.remoteAS = ASNumber(65000) }) == nil)
        #expect(refuse(peerOpen(id: 0xFFFF_FFFF)) == nil)
        #expect(
            refuse(
                peerOpen(capabilities: [.multiprotocol(AFISAFI(.ipv6)), .fourOctetAS(ASNumber(64512))]),
                { $0.families = .ipv4 }) == [2, 7, 1, 4, 0, 1, 0, 1])
        // No capability at all is IPv4 unicast (RFC 4760 8), and an unknown one is ignored (RFC 5492 3).
        #expect(refuse(peerOpen(capabilities: [])) == nil)
        #expect(refuse(peerOpen(capabilities: [.unknown(CapabilityCode(rawValue: 200), [1]), .routeRefresh])) == nil)
    }

    @Test func `a peer that refuses optional parameters gets an OPEN without (RFC 5492 3)`() {
        var machine = Machine.inState(.openSent)
        machine.feed(.notification(.active, .unsupportedOptionalParameter))
        machine.time(1.5)
        #expect(machine.actions.contains(.connect))
        machine.feed(.connected(.active), 1.5)
        guard case .send(_, let bytes)? = machine.actions.first else { return #expect(Bool(false)) }
        #expect(bytes.count == 29)
    }

    // MARK: Collision (RFC 4271 6.8, RFC 6286 2.3)

    /// Both connections in OpenConfirm-to-be: ours first, or the peer's first.
    @Test(arguments: [50, 200] as [UInt32], [true, false])
    func `of two connections the one of the higher identifier survives`(peerID: UInt32, activeFirst: Bool) {
        let oursSurvives = peerID < 100
        var machine = Machine.inState(.openSent)
        let admitted1 = machine.takesIncoming()
        #expect(admitted1)
        let order: [PeerFSM.Side] = activeFirst ? [.active, .passive] : [.passive, .active]
        machine.feed(.open(order[0], peerOpen(id: peerID)))
        machine.feed(.open(order[1], peerOpen(id: peerID)))
        let loser: PeerFSM.Side = oursSurvives ? .passive : .active
        #expect(machine.closed == [loser])
        #expect(machine.notification(loser).map { [$0.code, $0.subcode] } == [6, 7])
        machine.feed(.keepalive(loser.other))
        #expect(machine.fsm.established?.side == loser.other)
    }

    @Test(arguments: [(65000, false), (64000, true)] as [(UInt32, Bool)])
    func `of equal identifiers the higher AS wins`(peerAS: UInt32, oursSurvives: Bool) {
        var machine = Machine.inState(.openSent, configuration { $0.remoteAS = ASNumber(peerAS) })
        let admitted2 = machine.takesIncoming()
        #expect(admitted2)
        machine.feed(.open(.active, peerOpen(id: 100, as: peerAS)))
        machine.feed(.open(.passive, peerOpen(id: 100, as: peerAS)))
        #expect(machine.closed == [oursSurvives ? .passive : .active])
    }

    @Test func `a new connection to an Established session is refused without graceful restart`() {
        var machine = Machine.inState(.established)
        let admitted3 = machine.takesIncoming()
        #expect(!admitted3)
        #expect(machine.fsm.state == .established)
    }

    @Test
    func `with graceful restart the new connection replaces the old one, which gets no NOTIFICATION (RFC 4724 4_2)`() {
        var machine = Machine.inState(.openSent)
        let restart = GracefulRestartCapability(
            restarting: false, notification: false, restartTime: 120,
            families: [.init(AFISAFI(.ipv4), forwardingPreserved: true)])
        machine.feed(
            .open(
                .active,
                peerOpen(capabilities: [
                    .multiprotocol(AFISAFI(.ipv4)), .fourOctetAS(ASNumber(64512)), .gracefulRestart(restart),
                ])))
        machine.feed(.keepalive(.active))
        let admitted4 = machine.takesIncoming(1)
        #expect(admitted4)
        #expect(machine.notification(.active) == nil)
        #expect(machine.closed == [.active])
        #expect(machine.actions.contains { if case .down(_, .replacedByNewConnection) = $0 { true } else { false } })
        machine.feed(.open(.passive, peerOpen()), 1)
        machine.feed(.keepalive(.passive), 1)
        #expect(machine.fsm.established?.side == .passive)
    }

    // MARK: Starting, waiting

    @Test func `a passive peer never connects, and takes what comes`() {
        var machine = Machine(configuration { $0.isPassive = true })
        machine.feed(.start)
        #expect(machine.actions.isEmpty)
        machine.time(1000)
        #expect(machine.actions.isEmpty)
        #expect(machine.fsm.state == .active)
        let admitted5 = machine.takesIncoming(1001)
        #expect(admitted5)
        machine.feed(.open(.passive, peerOpen()), 1001)
        machine.feed(.keepalive(.passive), 1001)
        #expect(machine.fsm.state == .established)
    }

    @Test func `the wait after failures doubles up to a minute, with jitter`() {
        var machine = Machine()
        machine.feed(.start)
        var now = 0.0
        var waits: [Double] = []
        for _ in 0..<9 {
            machine.feed(.connected(.active), now)
            machine.feed(.messageError(.active, .badPeerAS), now)
            #expect(machine.fsm.state == .idle)
            let admitted6 = machine.takesIncoming(now)
            #expect(!admitted6)
            let deadline = machine.fsm.nextDeadline ?? .zero
            let wait = (deadline - at(now)).inSeconds
            waits.append(wait)
            now += wait + 0.001
            machine.time(now)
            #expect(machine.actions.contains(.connect))
        }
        for (index, wait) in waits.enumerated() {
            let full = min(60.0, Double(1 << index))
            #expect(wait >= full * 0.74 && wait <= full * 1.01)
        }
    }

    @Test func `connect attempts that hang are given up and tried again`() {
        var machine = Machine()
        machine.feed(.start)
        machine.time(5.1)
        #expect(machine.closed == [.active])
        #expect(machine.actions.contains(.connect))
    }
}
