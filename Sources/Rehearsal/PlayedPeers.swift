package import BGPMessages
package import NetTypes

/// Peers as a rehearsal plays them: their sessions, and what each sends.
package struct PlayedPeers: Sendable {
    package struct Session: Sendable {
        package var session: PlayedSession
        /// What the peer sends.
        package var received: [PlayedRoute] = []
        /// What it is sent by whoever has the session now, where that is known.
        package var sent: [PlayedRoute] = []

        package init(session: PlayedSession) { self.session = session }
    }
    package var sessions: [Session] = []

    package init() {}
}

/// A BGP session.
package struct PlayedSession: Sendable, Hashable {
    /// Of the peer, or of whoever has the session.
    package var name: String
    /// The peer is there, and comes up.
    package var isEstablished = false
    package var address: IPAddress?
    /// Of a link-local address.
    package var interface: String?
    package var neighborAS: ASNumber?
    package var localAS: ASNumber?
    package var neighborID: BGPIdentifier?
    /// Our address.
    package var source: IPAddress?
    package var families: AddressFamilySet = []

    package init(name: String) { self.name = name }
}

/// A route of a peer.
package struct PlayedRoute: Sendable, Hashable {
    package var prefix: Prefix
    /// By whom it came.
    package var source: String
    package var attributes = PathAttributes()
    /// Of IPv6, where the peer sent it too.
    package var linkLocalNextHop: IPAddress?

    package init(prefix: Prefix, source: String) {
        self.prefix = prefix
        self.source = source
    }
}
