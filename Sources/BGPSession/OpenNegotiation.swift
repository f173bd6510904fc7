public import BGPMessages
public import NetTypes

/// What two OPENs agree on. One property per capability or field of theirs.
public struct NegotiatedSession: Sendable, Hashable {
    public let remoteAS: ASNumber
    public let remoteIdentifier: BGPIdentifier
    public let isInternal: Bool
    /// Zero: no keepalives, no hold timer (RFC 4271 section 4.2).
    public let holdTime: Duration
    public let keepaliveTime: Duration
    /// Families that both sides announced.
    public let families: AddressFamilySet
    public let isFourOctetAS: Bool
    public let isExtendedMessage: Bool
    public let isRouteRefresh: Bool
    /// Both sides speak RFC 7313.
    public let isEnhancedRefresh: Bool
    /// Families whose NLRI carries path identifiers: from the peer, and to it (RFC 7911).
    public let addPathReceive: AddressFamilySet
    public let addPathSend: AddressFamilySet
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    public let hasExtendedNextHop: Bool
    /// What we are to the peer; nil where we say nothing (RFC 9234).
    public let role: BGPRole?
    /// The peer's capability; nil without, or where we do not take part.
    public let remoteGracefulRestart: GracefulRestartCapability?
    /// The peer keeps our routes over a lost connection: our OPEN asked for that, and the peer's knows graceful restart
    /// (RFC 4724, RFC 9494).
    public let peerKeepsRoutes: Bool
    /// Families that the peer asks us to keep for long (RFC 9494); empty without its graceful restart capability (4.5),
    /// or where we take no part.
    public let remoteLongLived: [LongLivedFamily]
    /// The peer's OPEN, for display.
    public let remoteOpen: OpenMessage

    /// The longest message that either side may send.
    public var maximumMessageLength: Int { isExtendedMessage ? MessageSize.extended : MessageSize.standard }
    public var attributeContext: AttributeContext {
        AttributeContext(
            isInternal: isInternal, isFourOctetAS: isFourOctetAS, addPath: addPathReceive,
            hasExtendedNextHop: hasExtendedNextHop)
    }
    /// Both sides announced N: any NOTIFICATION but a Hard Reset preserves routes (RFC 8538 section 2). We always do
    /// with the capability.
    public var preservesOverNotification: Bool { remoteGracefulRestart?.notification ?? false }
    /// The peer's long-lived stale time of a family; 0 for none.
    public func longLivedStaleTime(_ family: AddressFamily) -> Duration {
        .seconds(Int64(remoteLongLived.first { $0.afiSafi.family == family }?.staleTime ?? 0))
    }
}

/// Builds our OPEN and judges the peer's (RFC 4271 6.2, RFC 5492, RFC 6286, RFC 6793, RFC 7607).
public enum OpenNegotiation {
    /// Our OPEN. `restart` is set in the first one after a restart (R bit) and says for which families forwarding state
    /// was preserved.
    public static func localOpen(
        _ configuration: SessionConfiguration, restart: RestartState, omittingCapabilities: Bool = false
    ) -> OpenMessage {
        var capabilities: [Capability] = []
        if !omittingCapabilities {
            capabilities = configuration.families.families.map { .multiprotocol(AFISAFI($0)) }
            capabilities.append(.routeRefresh)
            capabilities.append(.enhancedRouteRefresh)
            if configuration.offersExtendedNextHop, configuration.families.contains(.ipv4) {
                capabilities.append(.extendedNextHop([AFISAFI(.ipv4)]))
            }
            if let role = configuration.role { capabilities.append(.role(role.rawValue)) }
            if configuration.offersExtendedMessage { capabilities.append(.extendedMessage) }
            switch configuration.restart.mode {
            case .on:
                capabilities.append(
                    .gracefulRestart(
                        GracefulRestartCapability(
                            restarting: restart.isRestarting, notification: true,
                            restartTime: configuration.restart.time,
                            families: configuration.families.families.map {
                                .init(AFISAFI($0), forwardingPreserved: restart.preservedFamilies.contains($0))
                            })))
            case .helper:
                // RFC 4724 section 3: no families, so nothing is promised.
                capabilities.append(
                    .gracefulRestart(
                        GracefulRestartCapability(restarting: false, notification: true, restartTime: 0, families: [])))
            case .off: break
            }
            capabilities.append(.fourOctetAS(configuration.localAS))
            if configuration.addPath.receives || configuration.addPath.sends {
                // RFC 7911 4: one instance with every family.
                capabilities.append(
                    .addPath(
                        configuration.families.families.map {
                            AddPathFamily(
                                AFISAFI($0), receives: configuration.addPath.receives,
                                sends: configuration.addPath.sends)
                        }))
            }
            if let staleTime = configuration.restart.longLivedStaleTime, configuration.restart.mode == .on {
                capabilities.append(
                    .longLivedGracefulRestart(
                        configuration.families.families.map {
                            LongLivedFamily(
                                AFISAFI($0), forwardingPreserved: restart.preservedFamilies.contains($0),
                                staleTime: staleTime)
                        }))
            }
        }
        return OpenMessage(
            asNumber: configuration.localAS, holdTime: configuration.holdTime,
            identifier: configuration.localIdentifier,
            capabilities: capabilities)
    }

    /// Judges the peer's OPEN. Throws the NOTIFICATION that it deserves.
    public static func negotiate(
        _ open: OpenMessage, _ configuration: SessionConfiguration, omittedCapabilities: Bool = false
    ) throws(NotificationMessage) -> NegotiatedSession {
        let remoteAS = open.asNumber
        // RFC 7607 2: AS 0 in either place.
        guard remoteAS != .zero, open.myAS != 0, configuration.remoteAS == nil || configuration.remoteAS == remoteAS
        else { throw .badPeerAS(remoteAS) }
        let isInternal = remoteAS == configuration.localAS
        // RFC 6286 2.1, 2.2: any non-zero value; not our own within one AS.
        guard open.identifier.rawValue != 0, !(isInternal && open.identifier == configuration.localIdentifier) else {
            throw .badBGPIdentifier
        }
        guard open.holdTime == 0 || open.holdTime >= 3 else { throw .unacceptableHoldTime }

        var offered: AddressFamilySet = []
        var hasMultiprotocol = false
        var isFourOctetAS = false
        var isExtendedMessage = false
        var isRouteRefresh = false
        var isEnhancedRefresh = false
        var gracefulRestart: GracefulRestartCapability?
        var longLived: [LongLivedFamily] = []
        var hasLongLived = false
        var hasExtendedNextHop = false
        var roles: Set<UInt8> = []
        var addPathReceive: AddressFamilySet = []
        var addPathSend: AddressFamilySet = []
        for capability in open.capabilities {
            switch capability {
            case .multiprotocol(let afiSafi):
                hasMultiprotocol = true
                if let family = afiSafi.family { offered.insert(AddressFamilySet(family)) }
            case .fourOctetAS: isFourOctetAS = true
            case .extendedMessage: isExtendedMessage = true
            case .routeRefresh: isRouteRefresh = true
            case .gracefulRestart(let value): gracefulRestart = value
            case .extendedNextHop(let list):
                if list.contains(where: { $0.family == .ipv4 }) { hasExtendedNextHop = true }
            case .role(let value): roles.insert(value)
            case .enhancedRouteRefresh: isEnhancedRefresh = true
            case .longLivedGracefulRestart(let list):
                longLived = list
                hasLongLived = true
            case .addPath(let list):
                // RFC 7911 4: a value of another kind is not understood, and its family ignored.
                for entry in list where (1...3).contains(entry.sendReceive) {
                    guard let family = entry.afiSafi.family else { continue }
                    if entry.sends { addPathReceive.insert(AddressFamilySet(family)) }
                    if entry.receives { addPathSend.insert(AddressFamilySet(family)) }
                }
            case .unknown: break
            }
        }
        // RFC 9234 4.2
        if let role = configuration.role {
            if roles.isEmpty {
                if configuration.isRoleStrict { throw .roleMismatch }
            } else {
                guard roles == [role.counterpart.rawValue] else { throw .roleMismatch }
            }
        }
        // RFC 4760 8: without the capability the session is IPv4 unicast.
        if !hasMultiprotocol { offered = .ipv4 }
        // Of ours too: after an OPEN without capabilities only IPv4 unicast is agreed on, whatever the peer offers.
        let families = configuration.families.intersection(offered).intersection(omittedCapabilities ? .ipv4 : .all)
        guard !families.isEmpty else {
            // RFC 5492 3: the capabilities that we miss, each with code and length.
            throw .unsupportedCapability(
                configuration.families.families.flatMap { family -> [UInt8] in
                    let afiSafi = AFISAFI(family)
                    return [1, 4, UInt8(afiSafi.afi >> 8), UInt8(afiSafi.afi & 255), 0, afiSafi.safi]
                })
        }
        let asksToKeep =
            configuration.restart.time > 0 || (hasLongLived && configuration.restart.longLivedStaleTime != nil)
        let holdSeconds = min(configuration.holdTime, open.holdTime)
        // RFC 4271 4.4: a third of the hold time at most, and no more than one a second.
        let third = Duration.milliseconds(Int64(holdSeconds) * 1000 / 3)
        let keepalive = max(.seconds(1), min(configuration.keepaliveTime ?? third, third))
        return NegotiatedSession(
            remoteAS: remoteAS, remoteIdentifier: open.identifier, isInternal: isInternal,
            holdTime: .seconds(Int64(holdSeconds)),
            keepaliveTime: keepalive, families: families, isFourOctetAS: isFourOctetAS && !omittedCapabilities,
            isExtendedMessage: isExtendedMessage && configuration.offersExtendedMessage && !omittedCapabilities,
            isRouteRefresh: isRouteRefresh && !omittedCapabilities,
            isEnhancedRefresh: isEnhancedRefresh && !omittedCapabilities,
            addPathReceive: configuration.addPath.receives && !omittedCapabilities
                ? addPathReceive.intersection(families) : [],
            addPathSend: configuration.addPath.sends && !omittedCapabilities ? addPathSend.intersection(families) : [],
            hasExtendedNextHop: hasExtendedNextHop && configuration.offersExtendedNextHop && !omittedCapabilities,
            role: isInternal || omittedCapabilities ? nil : configuration.role,
            remoteGracefulRestart: configuration.restart.mode == .off || omittedCapabilities ? nil : gracefulRestart,
            peerKeepsRoutes: configuration.restart.mode == .on && !omittedCapabilities && gracefulRestart != nil
                && asksToKeep,
            // RFC 9494 4.5: nothing without the graceful restart capability.
            remoteLongLived: configuration.restart.longLivedStaleTime == nil || gracefulRestart == nil
                || configuration.restart.mode == .off
                || omittedCapabilities ? [] : longLived,
            remoteOpen: open)
    }
}
