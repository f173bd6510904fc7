import BGPMessages
import BGPSession
import NetTypes
import Testing

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
            .init(.idle), .init(.connect), .init(.active), .init(.idle, [2, 2, 0, 0, 253, 232]),
            .init(.idle, [5, 2, 1]),
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
