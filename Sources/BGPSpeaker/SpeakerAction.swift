package import BGPMessages
package import BGPRouting
package import BGPSession
package import NetTypes

/// What the speaker asks of the outside, in order.
package enum SpeakerAction: Sendable {
    /// Open a TCP connection to the peer; answer with `connected` or `connectionFailed`.
    case connect(PeerIndex)
    /// Queue bytes on a connection.
    case send(PeerIndex, PeerFSM.Side, MessageBuffer)
    /// Close a connection once what is queued was written, within reason. Nothing of it is reported any more.
    case close(PeerIndex, PeerFSM.Side)
    /// For the log and the history.
    case report(PeerIndex, SpeakerEvent)
}

/// Something that an operator wants to read.
package enum SpeakerEvent: Sendable, Hashable {
    case established(NegotiatedSession)
    case down(SessionDownReason)
    /// An attempt ended before the session was up.
    case attemptFailed(SessionDownReason)
    case endOfRIB(AddressFamily)
    /// RFC 7606: an UPDATE was repaired or treated as withdraw.
    case attributeFaults([AttributeFault], treatedAsWithdraw: Bool)
    /// Stale routes are kept for a restarting peer.
    case holdingStaleRoutes(AddressFamilySet)
    case flushedStaleRoutes(AddressFamilySet)
    case maximumPrefixesReached(AddressFamily, limit: UInt32)
    case tooSlow
    case caughtUp
}
