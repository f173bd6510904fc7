package import BGPRouting
package import BGPSession
package import NetTypes

/// One peer, as the configuration wants it.
package struct PeerSettings: Sendable, Hashable {
    /// For logs and status: the name of the resource, or what stands for it.
    package var name: String
    package var address: IPAddress
    package var session: SessionConfiguration
    /// The peer is our route reflector client (RFC 4456).
    package var isClient = false
    package var importMode = ImportMode.safe
    /// Nil: `own` to external peers, `all` to internal ones.
    package var exportMode: ExportMode?
    package var allowedOwnAS = 0
    /// Next hop self for routes learned from external peers, towards internal ones too.
    package var setsNextHopSelf = false
    /// Our address by family index, as the next hop of own routes; nil where we have none.
    package var nextHops: [IPAddress?] = [nil, nil]
    /// Prefixes of a family that the peer may announce; more ends the session (RFC 4486, Cease/1).
    package var maximumPrefixes: UInt32 = 1_000_000
    /// How long the session stays down after that.
    package var maximumPrefixesRestart: Duration = .seconds(300)

    package init(name: String, address: IPAddress, session: SessionConfiguration) {
        self.name = name
        self.address = address
        self.session = session
    }

    package var isInternal: Bool { session.remoteAS == session.localAS }

    /// True where going from `other` to this cannot be done on the running session.
    package func needsReset(from other: PeerSettings) -> Bool {
        address != other.address || session.localAS != other.session.localAS || session.remoteAS != other.session.remoteAS
            || session.localIdentifier != other.session.localIdentifier || session.families != other.session.families
    }
}
