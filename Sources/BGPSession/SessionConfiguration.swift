public import BGPMessages
public import NetTypes

/// What a session needs to know of itself and of its peer. Which change
/// resets a session: `PeerSettings.needsReset`.
public struct SessionConfiguration: Sendable, Hashable {
    public var localAS: ASNumber
    /// Nil: any AS is accepted (dynamic neighbors with `asNumber: 0`).
    public var remoteAS: ASNumber?
    public var localIdentifier: BGPIdentifier
    /// Families that we offer.
    public var families: AddressFamilySet
    /// Offered hold time in seconds: 0, or 3...65535.
    public var holdTime: UInt16 = 90
    /// Nil: a third of the negotiated hold time.
    public var keepaliveTime: Duration?
    /// Never open the connection.
    public var isPassive = false
    public var connectRetryTime: Duration = .seconds(5)
    /// The first wait after a failure; doubled up to `maximumIdleHoldTime` while failures go on.
    public var idleHoldTime: Duration = .seconds(1)
    /// Graceful restart (RFC 4724, RFC 9494).
    public struct Restart: Sendable, Hashable {
        public var mode: GracefulRestartMode = .on
        /// Seconds that we ask peers to keep our routes, 0...4095 (RFC 4724 section 3).
        public var time: UInt16 = 120
        /// Seconds that we ask peers to keep our routes beyond `restartTime`, 1...16,777,215 (RFC 9494); nil: not at
        /// all, and we keep nobody's.
        public var longLivedStaleTime: UInt32?
        public init() {}
    }
    public var restart = Restart()
    public var offersExtendedMessage = true
    /// RFC 8950: IPv4 routes with IPv6 next hops.
    public var offersExtendedNextHop = false
    /// RFC 7911: whether we take several paths of a prefix, and whether we send them.
    public struct AddPath: Sendable, Hashable {
        /// RFC 7911: whether we take several paths of a prefix, and whether we send them.
        public var receives = false
        public var sends = false
        public init() {}
    }
    public var addPath = AddPath()
    /// What we are to the peer (RFC 9234); nil says nothing.
    public var role: BGPRole?
    /// Refuse a peer that says no role.
    public var isRoleStrict = false

    public static let maximumIdleHoldTime: Duration = .seconds(60)
    /// RFC 4271 section 8.2.2: 'a large value', 4 minutes suggested.
    public static let openSentHoldTime: Duration = .seconds(240)

    /// A peer that takes nothing for so long is given up (RFC 9687 section 3.2): 8 minutes, or twice the hold time.
    public static func sendHoldTime(_ holdTime: Duration) -> Duration { max(.seconds(480), holdTime * 2) }

    public init(
        localAS: ASNumber, remoteAS: ASNumber?, localIdentifier: BGPIdentifier, families: AddressFamilySet = .all
    ) {
        self.localAS = localAS
        self.remoteAS = remoteAS
        self.localIdentifier = localIdentifier
        self.families = families
    }
}

/// How far a session takes part in graceful restart (RFC 4724).
public enum GracefulRestartMode: String, Sendable, Hashable {
    /// Both roles.
    case on
    /// Keeps a restarting peer's routes, promises nothing itself.
    case helper
    case off
}
