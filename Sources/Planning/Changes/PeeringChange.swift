package import BGPSpeaker
package import NetTypes
package import Resources
package import StatusAPI

/// All that a session with a peer is made of.
package struct SessionPlan: Sendable, Hashable {
    package var settings: PeerSettings
    package var keys: PeerKeys
    /// Our address, where it is bound.
    package var source: IPAddress?
    package var bfd: BGPPeer.BFD?

    package init(settings: PeerSettings, keys: PeerKeys, source: IPAddress?, bfd: BGPPeer.BFD?) {
        self.settings = settings
        self.keys = keys
        self.source = source
        self.bfd = bfd
    }

    /// What the resources make of a peer at an address. `nodeAddresses`: those of all Nodes. `linkLocal`: our address
    /// on the link of an unnumbered peer.
    package init(
        _ peer: PeeringDecision.Peer, _ address: IPAddress, resources: ResourceSet,
        nodeAddresses: [IPAddress: [IPAddress]], context: PeeringDecision.Context, linkLocal: IPAddress?
    ) {
        let source = peer.planned.sourceAddress(towards: address, resources, node: context.node)
        var settings = PeerSettings(
            peer.planned, address, resources: resources, node: context.node, identity: context.identity,
            source: source, linkLocal: linkLocal, isReflector: context.isReflector)
        settings.isNode = nodeAddresses[address] != nil
        self.init(settings: settings, keys: peer.keys, source: source, bfd: peer.planned.options.bfd)
    }
}

/// What another plan does to a session: `Peering` carries it out.
package struct PeeringChange: Sendable, Hashable {
    package var change: SessionChange
    /// Why the session is made anew; empty for any other change.
    package var reasons: [SessionResetReason] = []
    /// What the first segment depends on is another one: it needs a new connection, which the speaker does not know.
    package var needsConnection = false
    /// The session goes on under the new password.
    package var changesPassword = false

    /// `isEstablished`: the session is up.
    package init(from old: SessionPlan, to new: SessionPlan, isEstablished: Bool) {
        let causes = new.settings.resetCauses(from: old.settings)
        reasons = causes.map { SessionResetReason($0) }
        // RFC 2385 leaves it open: with the new password on both sides before the hold timer expires the session goes
        // on. Without a session there is nothing to keep, and an attempt with the old password is not waited for.
        if old.keys.password != new.keys.password {
            changesPassword =
                old.keys.password != nil && new.keys.password != nil && isEstablished && causes.isEmpty
            if !changesPassword { reasons.append(.password) }
        }
        if old.keys.authentication != new.keys.authentication { reasons.append(.tcpAO) }
        if old.keys.ttlSecurityHops != new.keys.ttlSecurityHops { reasons.append(.ttlSecurity) }
        if old.source != new.source { reasons.append(.source) }
        if old.settings.peerAddress.port != new.settings.peerAddress.port { reasons.append(.port) }
        needsConnection = reasons.count > causes.count
        if !reasons.isEmpty {
            change = .reset
        } else {
            var known = old
            // What an object is called is nothing that a session notices.
            known.settings.name = new.settings.name
            change = known == new ? .stay : .refresh
        }
    }
}

extension SessionResetReason {
    fileprivate init(_ cause: PeerSettings.ResetCause) {
        self =
            switch cause {
            case .address: .address
            case .localAS: .localAS
            case .remoteAS: .remoteAS
            case .identifier: .routerID
            case .families: .families
            case .addPath: .addPath
            case .capabilities: .capabilities
            }
    }
}
