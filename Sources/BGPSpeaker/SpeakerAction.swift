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
    /// For the log and the history. Behind a reference, so that a `send`, of which there are a million for one of
    /// these, is small.
    indirect case report(PeerIndex, SpeakerEvent)
}

/// Something that an operator wants to read.
package enum SpeakerEvent: Sendable, Hashable {
    case established(NegotiatedSession)
    case down(SessionDownReason)
    /// An attempt ended before the session was up.
    case attemptFailed(SessionDownReason)
    case endOfRIB(AddressFamily)
    /// RFC 7606: an UPDATE was repaired or treated as withdraw; its bytes, header included, for the log (section 6).
    case attributeFaults([AttributeFault], treatedAsWithdraw: Bool, update: [UInt8])
    /// Stale routes are kept for a restarting peer.
    case holdingStaleRoutes(AddressFamilySet)
    case flushedStaleRoutes(AddressFamilySet)
    /// The restart time of a peer is over, its routes are kept as the least preferred ones (RFC 9494).
    case longLivedStaleRoutes(AddressFamilySet)
    /// The peer sent its table again; so many routes were not in it any more (RFC 7313).
    case refreshed(AddressFamily, gone: Int)
    /// A BoRR before End-of-RIB is ignored (RFC 7313 section 4).
    case refreshTooEarly(AddressFamily)
    /// More than one BoRR a second: the later one is ignored.
    case refreshTooOften(AddressFamily)
    case maximumPrefixesReached(AddressFamily, limit: UInt32, action: PeerSettings.PrefixLimit.Action)
    case manyPrefixes(AddressFamily, count: Int)
    /// More paths of a prefix than one peer may announce.
    case pathsRefused(Int)
    case tooSlow
    case caughtUp
}
