public import BGPMessages
public import NetTypes

/// What leaves to a peer (apus.resources(5), `export`).
public enum ExportMode: String, Sendable, Hashable {
    /// Only what this node originates.
    case own
    /// That, and what others announced inside pools and service ranges (`ExportScope`).
    case pools
    /// Transit too.
    case all
}

/// What becomes of the next hop towards a peer (contract 2.3, `nextHopMode`).
public enum NextHopMode: String, Sendable, Hashable {
    /// RFC 4271 5.1.3: ourselves towards external peers, unchanged towards internal ones.
    case auto
    /// Ourselves, also for external routes towards internal peers.
    case itself
    /// Unchanged, also towards external peers.
    case keep
}

/// Why a selected route is, or is not, announced to the peers of an update group.
public enum ExportReason: Sendable, Hashable {
    case announced
    /// A rule accepted it: its position among the peers' export rules.
    case acceptedByRule(Int)
    case rejectedByRule(Int)
    /// RFC 1997.
    case noAdvertise
    case noExport
    /// RFC 7999 section 3.2: not beyond our AS.
    case blackhole
    /// RFC 9494 section 4.3.
    case longLivedStale
    /// RFC 9234 section 5: learned from a provider, a peer or a route server, towards another.
    case onlyToCustomer
    /// RFC 4271 9.2, RFC 4456 6: learned from a non-client, towards a non-client.
    case notReflected
    /// `export: own`, and the route is not our own.
    case notOwn
    /// `export: pools`, and the route is in no enabled pool and no service range.
    case outsidePools
    /// `export: pools`, and the route is in a pool with `disableBGPExport`.
    case exportDisabled
    /// No address of ours that could be the next hop in this family.
    case noNextHop
    /// RFC 8950 section 4: the peer does not take IPv6 next hops for IPv4 routes.
    case noExtendedNextHop

    public var isAnnounced: Bool {
        switch self {
        case .announced, .acceptedByRule: true
        default: false
        }
    }
}

/// Everything that makes two peers' outbound UPDATEs the same or different. Peers with an equal profile share one
/// update group.
public struct ExportProfile: Sendable, Hashable {
    public var family: AddressFamily
    public var isInternal: Bool
    /// The peer is our route reflector client (RFC 4456).
    public var isClient = false
    public var isFourOctetAS = true
    public var maximumMessageLength = MessageSize.standard
    public var mode = ExportMode.all
    /// The next hops that are sent.
    public struct NextHopProfile: Sendable, Hashable {
        /// Next hop of own routes, and of all routes to external peers or with `nextHopMode: Self`.
        public var own: IPAddress?
        /// Our address on the link that we share with the peers, beside or in place of `nextHopSelf` (RFC 2545 section
        /// 3).
        public var linkLocal: IPAddress?
        public var mode = NextHopMode.auto
        /// RFC 8950.
        public var isExtended = false
        public init() {}
    }
    public var nextHop = NextHopProfile()
    /// The AS that we prepend.
    public var localAS: ASNumber
    /// How often more we prepend it to another node's route that leaves with our own next hop, so that who has the
    /// route from its owner too prefers the owner.
    public var reexportPrepend = 0
    /// Paths of a prefix that are sent (RFC 7911); 0: one, without a path identifier.
    public var addPathLimit = 0
    /// What we are to the peers (RFC 9234).
    public var role: BGPRole?
    /// The peers speak RFC 9494.
    public var isLongLivedCapable = false
    public var filter = RouteFilter()
    /// MinRouteAdvertisementIntervalTimer (RFC 4271 9.2.1.1); zero for none.
    public var minimumInterval: Duration = .zero

    public init(family: AddressFamily, isInternal: Bool, localAS: ASNumber) {
        self.family = family
        self.isInternal = isInternal
        self.localAS = localAS
    }

    public var sendsPathIDs: Bool { addPathLimit > 0 }

    /// True where our own address is the next hop of a route from `source`.
    func replacesNextHop(_ source: RouteSource) -> Bool {
        switch nextHop.mode {
        case .auto: source == .local || !isInternal
        case .itself: source == .local || !isInternal || source == .external
        case .keep: source == .local
        }
    }
}

/// Where a route came from, as far as export cares.
public enum RouteSource: Sendable, Hashable {
    case local
    case external
    case client
    case nonClient
}

public enum ExportPolicy {
    /// RFC 4271 9.2, RFC 4456 6, RFC 1997, and `export`. Route reflection, in five lines:
    /// own and external routes go to everyone; a client's to everyone; a non-client's to clients only, and to external
    /// peers.
    ///
    /// `rule`: the position of the export rule that the route met, if any. A rule may let transit pass, and never
    /// breaks what an RFC forbids. `outOfScope`: why `export: pools` does not pass the route on, if so.
    public static func judge(
        _ key: DecisionKey, source: RouteSource, nextHop: IPAddress?, profile: ExportProfile, rule: Int?,
        outOfScope: ExportReason? = nil
    ) -> ExportReason {
        if key.flags.contains(.noAdvertise) { return .noAdvertise }
        if key.flags.contains(.longLivedStale), !profile.isLongLivedCapable { return .longLivedStale }
        if profile.isInternal {
            if source == .nonClient && !profile.isClient { return .notReflected }
        } else {
            if key.flags.contains(.noExport) || key.flags.contains(.noExportSubconfed) { return .noExport }
            if key.flags.contains(.blackhole) { return .blackhole }
            if key.flags.contains(.onlyToCustomer), let role = profile.role,
                role == .customer || role == .peer || role == .rsClient
            {
                return .onlyToCustomer
            }
        }
        var verdict = ExportReason.announced
        if let rule {
            guard profile.filter.rule(rule, profile.family).action == .accept else { return .rejectedByRule(rule) }
            verdict = .acceptedByRule(rule)
        } else if !profile.isInternal, profile.mode == .own, source != .local {
            return .notOwn
        } else if profile.mode == .pools, source != .local, let outOfScope {
            return outOfScope
        }
        if profile.replacesNextHop(source) {
            if profile.nextHop.own == nil && profile.nextHop.linkLocal == nil { return .noNextHop }
        } else if profile.family == .ipv4, let nextHop, nextHop.family == .ipv6, !profile.nextHop.isExtended {
            return .noExtendedNextHop
        }
        return verdict
    }
}
