package import NetTypes

/// What leaves to a peer (SPEC, `export: own | all`).
package enum ExportMode: String, Sendable, Hashable {
    /// Only what this node originates.
    case own
    /// Transit too.
    case all
}

/// Why a selected route is, or is not, announced to the peers of an update group.
package enum ExportReason: Sendable, Hashable {
    case announced
    /// RFC 1997.
    case noAdvertise
    case noExport
    /// RFC 4271 9.2, RFC 4456 6: learned from a non-client, towards a non-client.
    case notReflected
    /// `export: own`, and the route is not our own.
    case notOwn
    /// No address of ours that could be the next hop in this family.
    case noNextHop

    package var text: String {
        switch self {
        case .announced: "announced"
        case .noAdvertise: "community no-advertise (RFC 1997)"
        case .noExport: "community no-export (RFC 1997)"
        case .notReflected: "learned from an internal peer that is no client, towards another (RFC 4456 6)"
        case .notOwn: "not our own route (export: own)"
        case .noNextHop: "this node has no address of the family that could be the next hop"
        }
    }
}

/// Everything that makes two peers' outbound UPDATEs the same or different. Peers with an equal profile share one update group.
package struct ExportProfile: Sendable, Hashable {
    package var family: AddressFamily
    package var isInternal: Bool
    /// The peer is our route reflector client (RFC 4456).
    package var isClient: Bool
    package var isFourOctetAS: Bool
    package var maximumMessageLength: Int
    package var mode: ExportMode
    /// Next hop of own routes, and of all routes to external peers or with `nextHopSelf`.
    package var nextHopSelf: IPAddress?
    package var setsNextHopSelf: Bool

    package init(
        family: AddressFamily, isInternal: Bool, isClient: Bool, isFourOctetAS: Bool, maximumMessageLength: Int, mode: ExportMode,
        nextHopSelf: IPAddress?, setsNextHopSelf: Bool
    ) {
        self.family = family
        self.isInternal = isInternal
        self.isClient = isClient
        self.isFourOctetAS = isFourOctetAS
        self.maximumMessageLength = maximumMessageLength
        self.mode = mode
        self.nextHopSelf = nextHopSelf
        self.setsNextHopSelf = setsNextHopSelf
    }
}

/// Where a route came from, as far as export cares.
package enum RouteSource: Sendable, Hashable {
    case local
    case external
    case client
    case nonClient
}

package enum ExportPolicy {
    /// RFC 4271 9.2, RFC 4456 6, RFC 1997, and SPEC's `export`. Route reflection, in five lines:
    /// own and external routes go to everyone; a client's to everyone; a non-client's to clients only, and to external peers.
    package static func judge(_ key: DecisionKey, source: RouteSource, profile: ExportProfile) -> ExportReason {
        if key.flags.contains(.noAdvertise) { return .noAdvertise }
        if profile.isInternal {
            if source == .nonClient && !profile.isClient { return .notReflected }
        } else {
            if key.flags.contains(.noExport) || key.flags.contains(.noExportSubconfed) { return .noExport }
            if profile.mode == .own && source != .local { return .notOwn }
        }
        let needsOwnNextHop = source == .local || !profile.isInternal || (profile.setsNextHopSelf && source == .external)
        if needsOwnNextHop && profile.nextHopSelf == nil { return .noNextHop }
        return .announced
    }
}
