package import BGPRouting
package import BGPSession
package import NetTypes

/// One peer, as the configuration wants it.
package struct PeerSettings: Sendable, Hashable {
    /// For logs and status: the name of the resource, or what stands for it.
    package var name: String
    /// Two daemons at one address are two peers.
    package var peerAddress: PeerAddress
    package var session: SessionConfiguration
    /// The peer is our route reflector client (RFC 4456).
    package var isClient = false
    package var importSettings = ImportSettings()
    /// Nil: `own` to external peers, `all` to internal ones.
    package var exportMode: ExportMode?
    package var exportFilter = RouteFilter()
    /// How often more the AS is prepended to other nodes' routes that leave to an external peer with our next hop.
    package var reexportPrepend = 0
    /// The next hops that are sent to this peer.
    package struct NextHopSettings: Sendable, Hashable {
        package var mode = NextHopMode.auto
        /// Our address by family index, as the next hop of own routes where the link has none; nil where we have none.
        package var addresses: [IPAddress?] = [nil, nil]
        /// By family index: the next hop that the operator declared in place of any other.
        package var declared: [IPAddress?] = [nil, nil]
        /// Our address on the link of an unnumbered peer, for IPv6 next hops. Of other peers' links it is known by
        /// `PeerReach`.
        package var linkLocal: IPAddress?
        package init() {}
    }
    package var nextHop = NextHopSettings()
    /// The peer is a Node: others reach us by our Node's address, whatever link the session runs by.
    package var isNode = false
    /// A member of the mesh: it announces nothing but its own, with itself as the next hop.
    package var announcesOnlyItself = false
    /// Next hops off the link are taken from an external peer on the link (RFC 4271 6.3).
    package var isMultihop = false
    /// Paths of a prefix that are sent where ADD-PATH was agreed on.
    package var addPathLimit = Int.max
    package var maximumPrefixes = PrefixLimit()
    /// RFC 4271 9.2.1.1.
    package var minimumInterval: Duration = .zero

    /// What one peer may make us remember (RFC 4486).
    package struct PrefixLimit: Sendable, Hashable {
        package enum Action: String, Sendable, Hashable {
            /// Cease/1, and again after `restartAfter`.
            case restart
            /// Cease/1, until somebody resets the peer.
            case idle
            case warn
        }
        /// Paths of a family.
        package var limit: UInt32 = 1_000_000
        /// A warning once at so many; nil for none.
        package var warnAt: UInt32?
        package var action = Action.restart
        package var restartAfter: Duration = .seconds(300)
        package init() {}
    }

    package init(name: String, address: IPAddress, session: SessionConfiguration) {
        self.name = name
        peerAddress = PeerAddress(address)
        self.session = session
    }

    package var address: IPAddress {
        get { peerAddress.address }
        set { peerAddress.address = newValue }
    }

    package var isInternal: Bool { session.remoteAS == session.localAS }

    /// What cannot be changed on a running session: what the OPENs agreed on but the times, or who the two ends are.
    package enum ResetCause: Sendable, Hashable, CaseIterable {
        case address, localAS, remoteAS, identifier, families, addPath
        /// Any other capability of our OPEN.
        case capabilities
    }

    /// Why going from `other` to this cannot be done on the running session; empty where it can.
    package func resetCauses(from other: PeerSettings) -> [ResetCause] {
        func negotiated(_ settings: PeerSettings) -> SessionConfiguration {
            var result = settings.session
            let defaults = SessionConfiguration(
                localAS: .zero, remoteAS: nil, localIdentifier: BGPIdentifier(rawValue: 0))
            result.holdTime = defaults.holdTime
            result.keepaliveTime = nil
            result.isPassive = false
            result.connectRetryTime = defaults.connectRetryTime
            result.idleHoldTime = defaults.idleHoldTime
            result.restart.mode = defaults.restart.mode
            result.restart.time = defaults.restart.time
            result.offersExtendedMessage = defaults.offersExtendedMessage
            result.restart.longLivedStaleTime = nil
            return result
        }
        var (old, new) = (negotiated(other), negotiated(self))
        guard address != other.address || old != new else { return [] }
        var causes: [ResetCause] = address == other.address ? [] : [.address]
        /// Names a field as a cause, and takes it out of what is compared last.
        func compare<Value: Equatable>(_ field: WritableKeyPath<SessionConfiguration, Value>, _ cause: ResetCause) {
            if old[keyPath: field] != new[keyPath: field] { causes.append(cause) }
            old[keyPath: field] = new[keyPath: field]
        }
        compare(\.localAS, .localAS)
        compare(\.remoteAS, .remoteAS)
        compare(\.localIdentifier, .identifier)
        compare(\.families, .families)
        compare(\.addPath, .addPath)
        if old != new { causes.append(.capabilities) }
        return causes
    }
}
