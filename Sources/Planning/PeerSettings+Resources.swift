import BGPMessages
package import BGPRouting
import BGPSession
package import BGPSpeaker
package import NetTypes
package import Resources

/// A planned peer as the speaker wants it: every field of BGPPeer that a session or its routes depend on.
extension PeerSettings {
    /// `source`: our address on the session, where it is bound. `linkLocal`: our address on the link of an unnumbered
    /// peer. `isReflector`: without a word in the resources a reflector passes on everything, and an agent what Calico
    /// does.
    package init(
        _ planned: PlannedPeer, _ address: IPAddress, resources: ResourceSet, node: String,
        identity: AttributeTable.Identity, source: IPAddress?,
        linkLocal: IPAddress?, isReflector: Bool = false
    ) {
        let options = planned.options
        // An unnumbered peer has no address of a family to compare with.
        let isUnnumbered = address.scope != 0
        var session = SessionConfiguration(
            localAS: planned.options.localASNumber ?? identity.localAS, remoteAS: planned.remoteAS,
            localIdentifier: identity.identifier, families: planned.families)
        if let hold = options.holdTime { session.holdTime = UInt16(clamping: hold.nanoseconds / 1_000_000_000) }
        session.keepaliveTime = options.keepaliveTime
        session.isPassive = planned.isPassive
        session.connectRetryTime = options.connectRetryTime ?? session.connectRetryTime
        session.idleHoldTime = options.idleHoldTime ?? session.idleHoldTime
        session.restart.mode = GracefulRestartMode(options.gracefulRestart)
        session.restart.time = UInt16(
            clamping: (options.maxRestartTime?.nanoseconds ?? 120_000_000_000) / 1_000_000_000)
        session.offersExtendedMessage = options.extendedMessages ?? true
        session.offersExtendedNextHop = options.extendedNextHop ?? isUnnumbered
        // As BIRD between Calico's nodes; towards other peers only where asked for (contract 2.3).
        let addPath = options.addPath ?? (planned.isNode ? .all : BGPPeer.AddPath())
        session.addPath.receives = addPath.receives
        session.addPath.sends = addPath.send != nil
        session.role = options.role.map { BGPRole($0) }
        session.isRoleStrict = options.isRoleStrict
        session.restart.longLivedStaleTime = options.longLivedStaleTime.map {
            UInt32(clamping: $0.nanoseconds / 1_000_000_000)
        }
        self.init(name: planned.name, address: address, session: session)
        peerAddress.port = planned.port
        isClient = planned.isClient
        importSettings.mode = options.importMode == .all ? .all : .safe
        switch options.exportMode {
        case .own: exportMode = .own
        case .pools: exportMode = .pools
        case .all: exportMode = .all
        case nil: exportMode = isReflector ? nil : .pools
        }
        reexportPrepend = options.reexportPrepend ?? (isReflector ? 0 : 1)
        importSettings.allowedOwnAS = options.numAllowedLocalASNumbers
        importSettings.acceptsBlackhole = options.acceptsBlackhole
        let filters = options.filters.compactMap { name in resources.filter(name).map { (name, $0) } }
        importSettings.filter = RouteFilter(filters, direction: "import", \.importRules)
        exportFilter = RouteFilter(filters, direction: "export", \.exportRules)
        minimumInterval = options.minRouteAdvertisementInterval ?? .zero
        addPathLimit = addPath.send ?? 0
        switch options.nextHopMode {
        case .auto: nextHop.mode = .auto
        case .itself: nextHop.mode = .itself
        case .keep: nextHop.mode = .keep
        }
        nextHop.declared = options.nextHopAddresses
        isMultihop = options.isMultihop
        announcesOnlyItself = planned.origin == .mesh
        maximumPrefixes.limit = options.maxPrefixes
        maximumPrefixes.warnAt = options.maxPrefixesWarnAt
        switch options.maxPrefixesAction {
        case .restart: maximumPrefixes.action = .restart
        case .idle: maximumPrefixes.action = .idle
        case .warn: maximumPrefixes.action = .warn
        }
        maximumPrefixes.restartAfter = options.maxPrefixesRestart
        let own = resources.node(node)
        nextHop.addresses = AddressFamily.allCases.map { family in
            source?.family == family ? source : own?.address(family)
        }
        if isUnnumbered {
            // On the link itself nothing but its own address is sure to be reachable.
            nextHop.addresses[AddressFamily.ipv6.index] = nil
            nextHop.linkLocal = linkLocal
        }
    }
}

extension GracefulRestartMode {
    fileprivate init(_ mode: BGPPeer.GracefulRestart) {
        self =
            switch mode {
            case .on: .on
            case .helper: .helper
            case .off: .off
            }
    }
}

extension BGPRole {
    fileprivate init(_ role: BGPPeer.Role) {
        self =
            switch role {
            case .provider: .provider
            case .customer: .customer
            case .peer: .peer
            case .rs: .rs
            case .rsClient: .rsClient
            }
    }
}
