package import BGPMessages
package import NetTypes

/// What two OPENs agree on.
package struct NegotiatedSession: Sendable, Hashable {
    package let remoteAS: ASNumber
    package let remoteIdentifier: BGPIdentifier
    package let isInternal: Bool
    /// Zero: no keepalives, no hold timer (RFC 4271 section 4.2).
    package let holdTime: Duration
    package let keepaliveTime: Duration
    /// Families that both sides announced.
    package let families: AddressFamilySet
    package let isFourOctetAS: Bool
    package let isExtendedMessage: Bool
    package let isRouteRefresh: Bool
    /// The peer's capability; nil without, or where we do not take part.
    package let remoteGracefulRestart: GracefulRestartCapability?
    /// The peer's OPEN, for display.
    package let remoteOpen: OpenMessage

    /// The longest message that either side may send.
    package var maximumMessageLength: Int { isExtendedMessage ? MessageSize.extended : MessageSize.standard }
    package var attributeContext: AttributeContext { AttributeContext(isInternal: isInternal, isFourOctetAS: isFourOctetAS) }
}

/// Builds our OPEN and judges the peer's (RFC 4271 6.2, RFC 5492, RFC 6286, RFC 6793, RFC 7607).
package enum OpenNegotiation {
    /// Our OPEN. `restart` is set in the first one after a restart (R bit) and says for which families forwarding state was preserved.
    package static func localOpen(
        _ configuration: SessionConfiguration, restart: RestartState, omittingCapabilities: Bool = false
    ) -> OpenMessage {
        var capabilities: [Capability] = []
        if !omittingCapabilities {
            capabilities = configuration.families.families.map { .multiprotocol(AFISAFI($0)) }
            capabilities.append(.routeRefresh)
            if configuration.offersExtendedMessage { capabilities.append(.extendedMessage) }
            switch configuration.gracefulRestart {
            case .on:
                capabilities.append(
                    .gracefulRestart(
                        GracefulRestartCapability(
                            restarting: restart.isRestarting, notification: true, restartTime: configuration.restartTime,
                            families: configuration.families.families.map {
                                .init(AFISAFI($0), forwardingPreserved: restart.preservedFamilies.contains($0))
                            })))
            case .helper:
                // RFC 4724 section 3: no families, so nothing is promised.
                capabilities.append(
                    .gracefulRestart(GracefulRestartCapability(restarting: false, notification: true, restartTime: 0, families: [])))
            case .off: break
            }
            capabilities.append(.fourOctetAS(configuration.localAS))
        }
        return OpenMessage(
            asNumber: configuration.localAS, holdTime: configuration.holdTime, identifier: configuration.localIdentifier,
            capabilities: capabilities)
    }

    /// Judges the peer's OPEN. Throws the NOTIFICATION that it deserves.
    package static func negotiate(
        _ open: OpenMessage, _ configuration: SessionConfiguration, omittedCapabilities: Bool = false
    ) throws(NotificationMessage) -> NegotiatedSession {
        let remoteAS = open.asNumber
        // RFC 7607 2: AS 0 in either place.
        guard remoteAS != .zero, open.myAS != 0, configuration.remoteAS == nil || configuration.remoteAS == remoteAS else { throw .badPeerAS }
        let isInternal = remoteAS == configuration.localAS
        // RFC 6286 2.1, 2.2: any non-zero value; not our own within one AS.
        guard open.identifier.rawValue != 0, !(isInternal && open.identifier == configuration.localIdentifier) else { throw .badBGPIdentifier }
        guard open.holdTime == 0 || open.holdTime >= 3 else { throw .unacceptableHoldTime }

        var offered: AddressFamilySet = []
        var hasMultiprotocol = false
        var isFourOctetAS = false
        var isExtendedMessage = false
        var isRouteRefresh = false
        var gracefulRestart: GracefulRestartCapability?
        for capability in open.capabilities {
            switch capability {
            case .multiprotocol(let afiSafi):
                hasMultiprotocol = true
                if let family = afiSafi.family { offered.insert(AddressFamilySet(family)) }
            case .fourOctetAS: isFourOctetAS = true
            case .extendedMessage: isExtendedMessage = true
            case .routeRefresh: isRouteRefresh = true
            case .gracefulRestart(let value): gracefulRestart = value
            case .unknown: break
            }
        }
        // RFC 4760 8: without the capability the session is IPv4 unicast.
        if !hasMultiprotocol { offered = .ipv4 }
        let families = configuration.families.intersection(offered)
        guard !families.isEmpty else {
            // RFC 5492 3: the capabilities that we miss, each with code and length.
            throw .unsupportedCapability(
                configuration.families.families.flatMap { family -> [UInt8] in
                    let afiSafi = AFISAFI(family)
                    return [1, 4, UInt8(afiSafi.afi >> 8), UInt8(afiSafi.afi & 255), 0, afiSafi.safi]
                })
        }
        let holdSeconds = min(configuration.holdTime, open.holdTime)
        // RFC 4271 4.4: a third of the hold time at most, and no more than one a second.
        let third = Duration.milliseconds(Int64(holdSeconds) * 1000 / 3)
        let keepalive = max(.seconds(1), min(configuration.keepaliveTime ?? third, third))
        return NegotiatedSession(
            remoteAS: remoteAS, remoteIdentifier: open.identifier, isInternal: isInternal, holdTime: .seconds(Int64(holdSeconds)),
            keepaliveTime: keepalive, families: families, isFourOctetAS: isFourOctetAS && !omittedCapabilities,
            isExtendedMessage: isExtendedMessage && configuration.offersExtendedMessage && !omittedCapabilities,
            isRouteRefresh: isRouteRefresh, remoteGracefulRestart: configuration.gracefulRestart == .off ? nil : gracefulRestart,
            remoteOpen: open)
    }
}
