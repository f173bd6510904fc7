/// What an indicator has to say of one thing: status, doctor, readiness and log are views of findings.
///
/// In JSON: `severity`, `subject`, and `cause`, an object with one member as for reasons.
package struct Finding: Codable, Sendable, Hashable {
    package enum Severity: String, Codable, Sendable, CaseIterable {
        /// Packets are lost, or what an operator asked for is not done.
        case fault
        /// Something may fail, or is worse than it should be.
        case degraded
        /// Nothing is wrong, and somebody may want to know.
        case note
        /// It was looked at, and is as it should be.
        case fine
    }
    package var severity: Severity
    package var cause: FindingCause
    package var subject: FindingSubject

    package init(_ severity: Severity, _ cause: FindingCause) {
        self.severity = severity
        self.cause = cause
        subject = cause.subject
    }
}

/// What a finding is about.
package struct FindingSubject: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case host, interface, peer, pod, prefix, resource, tunnel
    }
    package var kind: Kind
    /// Which one; nil for several, or where the kind says it.
    package var name: String?

    package init(_ kind: Kind, _ name: String? = nil) {
        self.kind = kind
        self.name = name
    }
}

/// What was found: `apusctl` words it, with the remedy.
package enum FindingCause: Codable, Sendable, Hashable {
    // MARK: Resources and peers

    /// An object or a field that is not in force: where it stands, and what its reader says of it.
    case resource(file: String, line: Int, object: String, field: String, message: String)
    /// What is accepted and has no effect as it stands: objects, field and why, as the planner of resources says it.
    case noEffect(message: String)
    /// A selector that matched before and matches nothing now: its last peers are kept (docs/promises.md, promise 4).
    case selectorMatchesNothing(object: String, kept: Int)
    /// The AS, the router id or the cluster id of the Node object changed.
    case restartNeeded(node: String)
    case peerHeldDown(peer: String, address: String, reason: HoldReason)
    case noPeerConfigured
    case peersDown(count: Int, of: Int)
    case allPeersEstablished(count: Int)
    /// Connections beyond the limit of open files were closed at once.
    case connectionsRefused(limit: Int, closed: Int)

    // MARK: Routes

    case routesMissing(count: Int, examples: [String])
    case allRoutesInKernel(count: Int)
    /// Nearly all routes were withdrawn at once, and these are kept (massWithdrawal).
    case massWithdrawal(routes: Int)
    /// Routes of another programmer inside our pools, by their protocol number.
    case otherProgrammer(routeProtocol: UInt8, routes: Int)
    /// programClusterRoutes leaves these pools to another programmer.
    case poolsLeftToOthers(pools: [String])

    // MARK: Host

    /// A sysctl that has to be 1; nil where it cannot be read.
    case forwardingOff(sysctl: String, value: String?)
    case forwardingOn(sysctl: String)
    case chainDrops(family: String, table: String, chain: String)
    case legacyChainDrops(command: String)
    /// The tables of iptables-legacy or ip6tables-legacy cannot be read: errno.
    case legacyTablesUnreadable(command: String, code: Int32)
    case noChainDrops
    case noNetfilter

    // MARK: Pods

    case podSettingsChanged(count: Int, sysctls: [String])
    case podsSetUp(count: Int)
    /// route_localnet is 1: the sysctl of one interface, and the number of other interfaces where it is 1 too.
    case loopbackReachable(sysctl: String, more: Int)
    /// No route to 169.254.1.1.
    case noRouteToPodGateway
    /// A live migration's target waits, and the packet socket cannot be opened: errno.
    case guestsNotHeard(code: Int32)

    // MARK: Tunnels

    case tunnelDown(device: String, reason: TunnelReason)
    case tunnelUp(device: String, mtu: Int)
    /// The step that failed, and its errno. It is tried again.
    case tunnelStepFailed(attempt: String, code: Int32)
    case tunnelAddressMissing(device: String, field: String)
    case podMTUTooLarge(pods: Int, interface: String, mtu: Int, device: String, tunnelMTU: Int)

    package var subject: FindingSubject {
        switch self {
        case .resource(_, _, let object, _, _): FindingSubject(.resource, object.isEmpty ? nil : object)
        case .noEffect(let message):
            FindingSubject(.resource, message.firstIndex(of: ":").map { String(message[..<$0]) })
        case .selectorMatchesNothing(let object, _): FindingSubject(.resource, object)
        case .restartNeeded(let node): FindingSubject(.resource, "Node/\(node)")
        case .peerHeldDown(_, let address, _): FindingSubject(.peer, address)
        case .noPeerConfigured, .peersDown, .allPeersEstablished: FindingSubject(.peer)
        case .routesMissing, .allRoutesInKernel, .massWithdrawal, .otherProgrammer, .poolsLeftToOthers:
            FindingSubject(.prefix)
        case .connectionsRefused, .forwardingOff, .forwardingOn, .chainDrops, .legacyChainDrops,
            .legacyTablesUnreadable, .noChainDrops, .noNetfilter:
            FindingSubject(.host)
        case .podSettingsChanged, .podsSetUp, .loopbackReachable, .noRouteToPodGateway, .guestsNotHeard:
            FindingSubject(.pod)
        case .tunnelDown(let device, _), .tunnelUp(let device, _), .tunnelAddressMissing(let device, _),
            .podMTUTooLarge(_, _, _, let device, _):
            FindingSubject(.tunnel, device)
        case .tunnelStepFailed: FindingSubject(.tunnel)
        }
    }
}

/// Why a peer is kept down.
package enum HoldReason: Codable, Sendable, Hashable {
    /// `shutdown` of its BGPPeer, with its text.
    case shutdown(text: String)
    /// An unnumbered peer in a reflector.
    case unnumberedNeedsAgent
    /// No `asNumber`, and no Node has the address.
    case noASNumber(address: String)
    case noSuchFilter(filter: String)
    case secretMissing(secret: String, file: String)
    /// It can be read by others than its owner and group.
    case secretReadableByOthers(secret: String, file: String)
    case secretEmpty(secret: String, file: String)
    /// More than the 80 bytes of a TCP MD5 password.
    case secretTooLong(secret: String)
    /// No regular file, or one that is too large.
    case secretUnreadable(secret: String, file: String, why: String)
    /// The kernel has no TCP-AO, or refuses it: errno.
    case noTCPAO(code: Int32)
    case tooManyPeers(limit: Int)
}

/// A capability of the peer's OPEN (RFC 5492). Families are `ipv4` and `ipv6`; nil is another one.
package enum PeerCapability: Codable, Sendable, Hashable {
    case multiprotocol(afi: UInt16, safi: UInt8, family: String?)
    case routeRefresh, extendedMessage, enhancedRouteRefresh
    case fourOctetAS(number: UInt32)
    /// Seconds; R and N of RFC 4724 and RFC 8538, and F of each family.
    case gracefulRestart(restartTime: Int, isRestarting: Bool, hasNotification: Bool, families: [RestartFamily])
    /// It takes IPv6 next hops for IPv4 (RFC 8950).
    case extendedNextHop(isForIPv4: Bool)
    case role(value: UInt8, name: String?)
    case addPath(families: [AddPathFamily])
    case longLivedGracefulRestart(families: [LongLivedFamily])
    case unknown(code: UInt8)

    package struct RestartFamily: Codable, Sendable, Hashable {
        package var family: String?
        package var isForwardingPreserved: Bool
        package init(family: String?, isForwardingPreserved: Bool) {
            self.family = family
            self.isForwardingPreserved = isForwardingPreserved
        }
    }
    package struct AddPathFamily: Codable, Sendable, Hashable {
        package var family: String?
        package var sends: Bool
        package var receives: Bool
        package init(family: String?, sends: Bool, receives: Bool) {
            self.family = family
            self.sends = sends
            self.receives = receives
        }
    }
    package struct LongLivedFamily: Codable, Sendable, Hashable {
        package var family: String?
        /// Seconds.
        package var staleTime: Int
        package init(family: String?, staleTime: Int) {
            self.family = family
            self.staleTime = staleTime
        }
    }
}
