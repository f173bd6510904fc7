import BGPMessages
import BGPSession
import NetTypes
import Testing

/// A helper behind a reference, so that expectations may change it.
final class Helper {
    private var helper = GracefulRestartHelper()
    func sessionDown(_ session: NegotiatedSession, reason: SessionDownReason, now: Instant) -> AddressFamilySet {
        helper.sessionDown(session, reason: reason, now: now).kept
    }
    func sessionUp(_ session: NegotiatedSession, now: Instant) -> AddressFamilySet {
        helper.sessionUp(session, now: now)
    }
    func endOfRIB(_ family: AddressFamily) -> Bool { helper.endOfRIB(family) }
    func handleTimeout(now: Instant) -> AddressFamilySet { helper.handleTimeout(now: now).flushed }
    var nextDeadline: Instant? { helper.nextDeadline }
}

@Suite struct GracefulRestartTests {
    static func session(
        _ restartTime: UInt16 = 120, notification: Bool = true, families: [AddressFamily] = [.ipv4, .ipv6],
        preserved: Bool = true
    ) throws -> NegotiatedSession {
        let capability = GracefulRestartCapability(
            restarting: false, notification: notification, restartTime: restartTime,
            families: families.map { .init(AFISAFI($0), forwardingPreserved: preserved) })
        return try OpenNegotiation.negotiate(
            peerOpen(capabilities: [
                .multiprotocol(AFISAFI(.ipv4)), .multiprotocol(AFISAFI(.ipv6)), .fourOctetAS(ASNumber(64512)),
                .gracefulRestart(capability),
            ]), configuration())
    }

    @Test func `routes are kept over a lost connection until the restart time (RFC 4724 4_2)`() throws {
        let helper = Helper()
        #expect(helper.sessionDown(try Self.session(), reason: .connectionLost, now: at(0)) == .all)
        #expect(helper.handleTimeout(now: at(119)).isEmpty)
        #expect(helper.handleTimeout(now: at(120)) == .all)
    }

    @Test func `End-of-RIB releases family by family, and a family that was not preserved goes at once`() throws {
        let helper = Helper()
        _ = helper.sessionDown(try Self.session(), reason: .connectionLost, now: at(0))
        #expect(helper.sessionUp(try Self.session(families: [.ipv4]), now: at(5)) == .ipv6)
        #expect(!helper.endOfRIB(.ipv6))
        #expect(helper.endOfRIB(.ipv4))
        #expect(helper.nextDeadline == nil)
        _ = helper.sessionDown(try Self.session(), reason: .connectionLost, now: at(10))
        #expect(helper.sessionUp(try Self.session(preserved: false), now: at(11)) == .all)
    }

    @Test func `a peer that comes back and never ends its table is not waited for for ever`() throws {
        let helper = Helper()
        _ = helper.sessionDown(try Self.session(), reason: .connectionLost, now: at(0))
        _ = helper.sessionUp(try Self.session(), now: at(1))
        #expect(helper.handleTimeout(now: at(360)).isEmpty)
        #expect(helper.handleTimeout(now: at(362)) == .all)
    }

    @Test
    func
        `NOTIFICATIONs keep routes only with N on the peer, and never for a hard reset or by our own order (RFC 8538)`()
        throws
    {
        func kept(_ reason: SessionDownReason, notification: Bool = true) throws -> AddressFamilySet {
            let helper = Helper()
            return helper.sessionDown(try Self.session(notification: notification), reason: reason, now: at(0))
        }
        #expect(try kept(.notificationReceived(.administrativeReset())) == .all)
        #expect(try kept(.notificationReceived(.administrativeReset()), notification: false) == [])
        #expect(try kept(.notificationReceived(NotificationMessage(.cease, 9))) == [])
        #expect(try kept(.notificationSent(.holdTimerExpired)) == .all)
        #expect(try kept(.notificationSent(.holdTimerExpired), notification: false) == [])
        #expect(try kept(.notificationSent(.malformedAttributeList)) == [])
        #expect(try kept(.replacedByNewConnection) == .all)
        let none = Helper()
        #expect(none.sessionDown(try Self.session(0), reason: .connectionLost, now: at(0)) == [])
    }
}
