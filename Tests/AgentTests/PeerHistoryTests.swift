import BGPMessages
import BGPSession
import NetTypes
import StatusAPI
import Testing
import Wording

@testable import Node
@testable import Status

/// What is said of a peer that is not up: the peer's own words are not lost in failures that follow from them.
@Suite struct PeerHistoryTests {
    private static let shutdown = SessionDownReason.notificationReceived(.administrativeShutdown("works on the cable"))

    private static func text(_ event: PeerHistory.Event?) -> String? {
        event.map { PeerDownReason($0, remoteAS: ASNumber(65001), localAS: ASNumber(64512)).text }
    }

    @Test func `a shutdown's text stays, and what connections met since stands beside it`() {
        var history = PeerHistory()
        history.sessionUp(at: 10)
        history.sessionDown(Self.shutdown, at: 20)
        history.connectFailed(111, at: 22)
        history.attemptFailed(.connectionLost, at: 22)
        let (error, since) = history.lastErrors(isUp: false)
        #expect(error?.time == 20 && Self.text(error)?.contains("works on the cable") == true)
        #expect(since?.time == 22 && Self.text(since) == "Connection refused")
    }

    @Test func `the operating system's words are not lost in 'connection lost'`() {
        var history = PeerHistory()
        history.connectFailed(113, at: 5)
        history.attemptFailed(.connectionLost, at: 5)
        #expect(Self.text(history.lastErrors(isUp: false).error) == "No route to host")
        // A connection that is lost later is another matter.
        history.attemptFailed(.connectionLost, at: 9)
        #expect(Self.text(history.lastErrors(isUp: false).error) == "connection lost")
    }

    @Test func `a newer reason takes the place of an older one`() {
        var history = PeerHistory()
        history.attemptFailed(Self.shutdown, at: 1)
        history.attemptFailed(.notificationSent(.badPeerAS(ASNumber(65002))), at: 2)
        #expect(
            Self.text(history.lastErrors(isUp: false).error)
                == "sent OPEN Message Error/Bad Peer AS: the peer is AS 65002, and AS 65001 is configured here")
        history.attemptFailed(.notificationReceived(.badPeerAS), at: 3)
        #expect(Self.text(history.lastErrors(isUp: false).error)?.contains("we are AS 64512") == true)
    }

    @Test func `what was before the session that is up is past`() {
        var history = PeerHistory()
        history.attemptFailed(.connectTimeout, at: 1)
        history.sessionUp(at: 2)
        #expect(Self.text(history.lastErrors(isUp: true).error) == "connect timed out")
        history.sessionDown(.connectionLost, at: 3)
        #expect(Self.text(history.lastErrors(isUp: false).error) == "connection lost")
        for time in 4..<9 {
            history.sessionUp(at: Double(time))
            history.sessionDown(Self.shutdown, at: Double(time) + 0.5)
        }
        #expect(history.ends.map(\.time) == [8.5, 7.5, 6.5])
    }

    @Test func `an AS survives the way through a NOTIFICATION`() throws {
        for number in [0, 1, 65535, 4_200_000_000] as [UInt32] {
            let message = NotificationMessage.badPeerAS(ASNumber(number))
            #expect(message.refusedAS == ASNumber(number))
        }
        #expect(NotificationMessage.badPeerAS.refusedAS == nil)
        #expect(NotificationMessage(.openMessage, 3, data: [0, 0, 0, 1]).refusedAS == nil)
    }
}
