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

@Suite struct PeerFSMTableTests {
    /// What an event does in a state: the next state, and the NOTIFICATION that is sent.
    struct Outcome: Equatable {
        var state: PeerFSM.State
        var notification: [UInt8]?
        init(_ state: PeerFSM.State, _ notification: [UInt8]? = nil) {
            self.state = state
            self.notification = notification
        }
    }
    enum Name: String, CaseIterable, Sendable {
        case start, stop, connected, connectionFailed, open, badOpen, malformedOpen, messageError, notification,
            keepalive, update, routeRefresh
        case retryTimer, holdTimer, sendHoldTimer, bfdDown
    }

    /// RFC 4271 8.2.2, one row an event, one column a state: Idle, Connect, Active, OpenSent, OpenConfirm, Established.
    static let table: [Name: [Outcome]] = [
        .start: [
            .init(.connect), .init(.connect), .init(.active), .init(.openSent), .init(.openConfirm),
            .init(.established),
        ],
        .stop: [
            .init(.idle), .init(.idle), .init(.idle), .init(.idle, [6, 2]), .init(.idle, [6, 2]), .init(.idle, [6, 2]),
        ],
        .connected: [
            .init(.idle), .init(.openSent), .init(.active), .init(.openSent), .init(.openConfirm), .init(.established),
        ],
        .connectionFailed: [.init(.idle), .init(.active), .init(.active), .init(.active), .init(.idle), .init(.idle)],
        .open: [
            .init(.idle), .init(.connect), .init(.active), .init(.openConfirm), .init(.idle, [5, 2, 1]),
            .init(.idle, [5, 3, 1]),
        ],
        .badOpen: [
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [2, 2]), .init(.idle, [5, 2, 1]),
            .init(.idle, [5, 3, 1]),
        ],
        .malformedOpen: [
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [2, 0]), .init(.idle, [5, 2, 1]),
            .init(.idle, [5, 3, 1]),
        ],
        .messageError: [
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [1, 1]), .init(.idle, [1, 1]),
            .init(.idle, [1, 1]),
        ],
        .notification: [.init(.idle), .init(.connect), .init(.active), .init(.idle), .init(.idle), .init(.idle)],
        .keepalive: [
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [5, 1, 4]), .init(.established),
            .init(.established),
        ],
        .update: [
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [5, 1, 2]), .init(.idle, [5, 2, 2]),
            .init(.established),
        ],
        .routeRefresh: [
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [5, 1, 5]), .init(.idle, [5, 2, 5]),
            .init(.established),
        ],
        .retryTimer: [
            .init(.idle), .init(.connect), .init(.connect), .init(.openSent), .init(.openConfirm), .init(.established),
        ],
        .holdTimer: [
            .init(.idle), .init(.connect), .init(.connect), .init(.idle, [4, 0]), .init(.idle, [4, 0]),
            .init(.idle, [4, 0]),
        ],
        // RFC 9687, with keepalives of the peer all the while; RFC 5882 and 9384.
        .sendHoldTimer: [
            .init(.idle), .init(.connect), .init(.connect), .init(.idle, [5, 1, 4]), .init(.established),
            .init(.idle, [8, 0]),
        ],
        .bfdDown: [
            .init(.idle), .init(.connect), .init(.active), .init(.openSent), .init(.openConfirm),
            .init(.idle, [6, 10]),
        ],
    ]

    @Test(arguments: Name.allCases, PeerFSM.State.allCases)
    func `every event in every state has the outcome of RFC 4271 8_2_2`(name: Name, state: PeerFSM.State) throws {
        let columns: [PeerFSM.State] = [.idle, .connect, .active, .openSent, .openConfirm, .established]
        let column = try #require(columns.firstIndex(of: state))
        let expected = try #require(Self.table[name]?[column])
        var machine = Machine.inState(state)
        #expect(machine.fsm.state == state)
        switch name {
        case .start: machine.feed(.start)
        case .stop: machine.feed(.stop(.administrativeShutdown()))
        case .connected: machine.feed(.connected(.active))
        case .connectionFailed: machine.feed(.connectionFailed(.active))
        case .open: machine.feed(.open(.active, peerOpen()))
        case .badOpen: machine.feed(.open(.active, peerOpen(as: 65000)))
        case .malformedOpen: machine.feed(.messageError(.active, .openUnspecific))
        case .messageError: machine.feed(.messageError(.active, .connectionNotSynchronized))
        case .notification: machine.feed(.notification(.active, .administrativeReset()))
        case .keepalive: machine.feed(.keepalive(.active))
        case .update: machine.feed(.update(.active))
        case .routeRefresh: machine.feed(.routeRefresh(.active))
        case .retryTimer: machine.time(6)
        case .holdTimer: machine.time(300)
        case .bfdDown: machine.feed(.bfdDown)
        case .sendHoldTimer:
            machine.feed(.sendBlocked(.active, true))
            for second in stride(from: 0.0, through: 481, by: 20) where machine.notification(.active) == nil {
                machine.feed(.keepalive(.active), second)
                guard machine.notification(.active) == nil else { break }
                machine.time(second)
            }
            if machine.notification(.active) == nil { machine.time(480.5) }
        }
        #expect(machine.fsm.state == expected.state)
        let sent = machine.notification(.active).map { [$0.code, $0.subcode] + $0.data }
        #expect(sent == expected.notification)
        // RFC 4271 6: after a NOTIFICATION the connection is closed.
        if expected.notification != nil { #expect(machine.closed == [.active]) }
        if state == .established && expected.state != .established {
            #expect(machine.actions.contains { if case .down = $0 { true } else { false } })
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `any sequence of events keeps the invariants`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var machine = Machine(configuration { $0.isPassive = seed % 3 == 0 })
        var isUp = false
        var seconds = 0.0
        for step in 0..<300 {
            seconds += Double(random.next() % 1000) / 100
            let side: PeerFSM.Side = random.next() % 2 == 0 ? .active : .passive
            switch random.next() % 15 {
            case 0: machine.feed(.start, seconds)
            case 1:
                if random.next() % 8 == 0 {
                    machine.feed(.stop(.peerDeconfigured), seconds)
                } else {
                    machine.actions = []
                }
            case 2: machine.feed(.connected(.active), seconds)
            case 3: _ = machine.takesIncoming(seconds)
            case 4: machine.feed(.connectionFailed(side), seconds)
            case 5, 6: machine.feed(.open(side, peerOpen(id: 50 + UInt32(random.next() % 100))), seconds)
            case 7, 8: machine.feed(.keepalive(side), seconds)
            case 9: machine.feed(.update(side), seconds)
            case 10: machine.feed(.messageError(side, .malformedAttributeList), seconds)
            case 11: machine.feed(.notification(side, .administrativeReset()), seconds)
            case 12: machine.feed(.sendBlocked(side, random.next() % 2 == 0), seconds)
            case 13: if random.next() % 8 == 0 { machine.feed(.bfdDown, seconds) } else { machine.actions = [] }
            default: machine.time(seconds)
            }
            for action in machine.actions {
                // Up and down alternate, and nothing is sent on a side after it was closed in the same batch.
                if case .established = action {
                    #expect(!isUp, "seed \(seed), step \(step)")
                    isUp = true
                }
                if case .down = action {
                    #expect(isUp, "seed \(seed), step \(step)")
                    isUp = false
                }
            }
            #expect((machine.fsm.state == .established) == isUp, "seed \(seed), step \(step)")
            #expect((machine.fsm.established != nil) == isUp)
        }
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
        #expect(refuse(peerOpen(as: 65000)) == [2, 2])
        #expect(refuse(peerOpen(as: 0), { $0.remoteAS = nil }) == [2, 2])
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
