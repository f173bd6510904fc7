/// What an indicator has to say of one thing: status, doctor, readiness and log are views of findings.
///
/// In JSON: `severity`, `subject`, `since`, and `cause`, an object with one member as for reasons.
package struct Finding: Codable, Sendable, Hashable {
    /// The worst first. A node is healthy where nothing is `fault` or `degraded`.
    package enum Severity: String, Codable, Sendable, CaseIterable {
        /// Packets are lost, or what an operator asked for is not done.
        case fault
        /// Something may fail, or is worse than it should be.
        case degraded
        /// Nothing is wrong, and somebody may want to know.
        case note
        /// It was looked at, and is as it should be.
        case fine

        package var isUnhealthy: Bool { self == .fault || self == .degraded }
    }
    package var severity: Severity
    package var cause: FindingCause
    package var subject: FindingSubject
    /// Seconds since 1970 when it was first found; nil for what is fine.
    package var since: Double?

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
    /// What is accepted and has no effect as it stands: objects with the same slip, the field (empty: the whole object),
    /// and why.
    case noEffect(objects: NameList, field: String, reason: IdleReason)
    /// A selector that matched before and matches nothing now: its last peers are kept (docs/promises.md, promise 4).
    case selectorMatchesNothing(object: String, kept: Int)
    /// A block of this node that others declare too, whole or in part.
    case blockOfSeveralNodes(prefix: String, nodes: [String])
    /// An address of a pod of this node that another pod has too.
    case addressOfSeveralPods(address: String, pods: [String])
    /// The AS, the router id or the cluster id of the Node object changed.
    case restartNeeded(node: String)
    /// This node's address in a family (`IPv4`, `IPv6`) was not found by the method of the flag. `kept`: the one that was
    /// found before, which is still used.
    case addressNotDetected(node: String, family: String, method: String, reason: DetectionFailure, kept: String?)
    /// An address and port that connections cannot be accepted at: errno.
    case notListening(address: String, code: Int32)
    case peerHeldDown(peer: String, address: String, reason: HoldReason)
    case noPeerConfigured
    /// Of the configured peers, those that are meant to be up and are not.
    case peersDown(count: Int, of: Int)
    /// One of them, with why its last session or attempt ended, and what connections have met since; nil where there
    /// was none.
    case peerDown(peer: String, address: String, state: PeerState, reason: PeerDownReason?, since: PeerDownReason?)
    /// The peer is down, and the kernel drops segments for a reason that fits the peer: /proc/net/netstat counts them, and
    /// does not say whose they are.
    case segmentsRefused(peer: String, address: String, reason: SegmentRefusal)
    /// The session was ended because the peer announced more prefixes than `maxPrefixes`; seconds until it is begun
    /// again, nil where an operator has to reset it.
    case prefixLimitReached(peer: String, address: String, limit: UInt32, restartsIn: Int?)
    /// The session is up, and BFD (RFC 5880) hears nothing of the peer, so that it protects nothing.
    case bfdDown(peer: String, address: String, state: BFDSessionState)
    /// The session is up, and is sent none of the node's blocks: why not the first of them.
    case peerSentNoBlocks(peer: String, address: String, blocks: Int, reason: NotAnnouncedReason)
    /// They do not read, and are sent nothing until they do; one of them.
    case peersTooSlow(count: Int, slowest: String)
    /// The Node object of this node is gone: what it last said stays in force.
    case nodeGone(node: String)
    case allPeersEstablished(count: Int)
    /// Connections beyond the limit of open files were closed at once.
    case connectionsRefused(limit: Int, closed: Int)
    /// The port of a page (`--metrics`, `--health`) is another process's.
    case listenerTaken(flag: String, address: String)

    // MARK: A shadow (`--shadow`)

    /// The control socket of a BIRD, which was not read whole.
    case birdNotRead(socket: String, reason: BIRDFailure)
    /// Resources or kernel could not be read: the error's text.
    case notCompared(reason: String)

    // MARK: Routes

    case routesMissing(count: Int, examples: [String])
    case allRoutesInKernel(count: Int)
    /// Nearly all routes were withdrawn at once, and these are kept (massWithdrawal).
    case massWithdrawal(routes: Int)
    /// Routes of another programmer inside our pools, by their protocol number.
    case otherProgrammer(routeProtocol: UInt8, routes: Int)
    /// programClusterRoutes leaves these pools to another programmer.
    case poolsLeftToOthers(pools: [String])
    /// An own prefix that no peer has.
    case prefixNotAnnounced(prefix: String, reason: OwnPrefixReason)
    /// The kernel prefers another program's route to one of ours: the same prefix at a lower metric, or a part of it.
    /// Its protocol number, and how it is written.
    case foreignRouteWins(prefix: String, foreign: String, routeProtocol: UInt8)

    // MARK: Host

    /// Own routes are not in the kernel yet, and no peer is connected to.
    case starting
    /// The Node object has the address, and no interface of this host has.
    case addressOnNoInterface(address: String)
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

    case podNotUp(pod: String, interface: String, state: EndpointState, reason: EndpointReason?)
    /// Beside those that are named.
    case morePodsNotUp(count: Int)
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
        case .noEffect(let objects, _, _): FindingSubject(.resource, objects.first.first)
        case .selectorMatchesNothing(let object, _): FindingSubject(.resource, object)
        case .restartNeeded(let node), .addressNotDetected(let node, _, _, _, _):
            FindingSubject(.resource, "Node/\(node)")
        case .blockOfSeveralNodes(let prefix, _): FindingSubject(.prefix, prefix)
        case .addressOfSeveralPods(let address, _): FindingSubject(.pod, address)
        case .nodeGone(let node): FindingSubject(.resource, "Node/\(node)")
        case .peerHeldDown(_, let address, _), .peerDown(_, let address, _, _, _), .segmentsRefused(_, let address, _),
            .prefixLimitReached(_, let address, _, _), .bfdDown(_, let address, _),
            .peerSentNoBlocks(_, let address, _, _):
            FindingSubject(.peer, address)
        case .noPeerConfigured, .peersDown, .allPeersEstablished, .peersTooSlow: FindingSubject(.peer)
        case .prefixNotAnnounced(let prefix, _), .foreignRouteWins(let prefix, _, _): FindingSubject(.prefix, prefix)
        case .podNotUp(let pod, _, _, _): FindingSubject(.pod, pod)
        case .addressOnNoInterface(let address): FindingSubject(.interface, address)
        case .routesMissing, .allRoutesInKernel, .massWithdrawal, .otherProgrammer, .poolsLeftToOthers:
            FindingSubject(.prefix)
        case .listenerTaken(let flag, _): FindingSubject(.host, flag)
        case .birdNotRead(let socket, _): FindingSubject(.host, socket)
        case .notCompared, .starting, .notListening, .connectionsRefused, .forwardingOff, .forwardingOn,
            .chainDrops,
            .legacyChainDrops,
            .legacyTablesUnreadable, .noChainDrops, .noNetfilter:
            FindingSubject(.host)
        case .morePodsNotUp, .podSettingsChanged, .podsSetUp, .loopbackReachable, .noRouteToPodGateway, .guestsNotHeard:
            FindingSubject(.pod)
        case .tunnelDown(let device, _), .tunnelUp(let device, _), .tunnelAddressMissing(let device, _),
            .podMTUTooLarge(_, _, _, let device, _):
            FindingSubject(.tunnel, device)
        case .tunnelStepFailed: FindingSubject(.tunnel)
        }
    }
}

extension FindingCause {
    /// The case's name, as in JSON.
    package var name: String {
        let text = String(describing: self)
        return String(text.prefix { $0 != "(" })
    }

    /// What makes it the same finding when it is found again: what it is about, and not how many or since when.
    package var identity: FindingIdentity {
        switch self {
        // Of one object several can be wrong.
        case .resource, .noEffect: FindingIdentity(name: String(describing: self), subject: subject)
        default: FindingIdentity(name: name, subject: subject)
        }
    }
}

/// In the order of kinds, then of what they are about.
package struct FindingIdentity: Sendable, Hashable, Comparable {
    package let name: String
    package let subject: FindingSubject

    package static func < (left: FindingIdentity, right: FindingIdentity) -> Bool {
        (left.name, left.subject.name ?? "") < (right.name, right.subject.name ?? "")
    }
}

/// Why the kernel dropped segments before any socket saw them.
package enum SegmentRefusal: String, Codable, Sendable, CaseIterable {
    /// Signed with TCP MD5 (RFC 2385), and no password is configured here.
    case unexpectedSignature
    /// Not signed, and a password is configured here.
    case missingSignature
    /// Signed with another password.
    case wrongSignature
    /// Fewer hops to live than GTSM (RFC 5082) accepts.
    case ttlTooSmall
}

/// Why BIRD's state is not known.
package enum BIRDFailure: Codable, Sendable, Hashable {
    /// A line of its reply is none that BIRD 1.6 or 2 is known to print.
    case notUnderstood(line: String)
    /// It refused a command.
    case refused(text: String)
    /// errno
    case unreachable(code: Int32)
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

/// Why no address of this node was found.
package enum DetectionFailure: Error, Codable, Sendable, Hashable {
    /// None of these interfaces, which have addresses of the family, may be taken, is up and has one that leads beyond
    /// its link.
    case noInterface(interfaces: [String])
    /// None of these addresses is inside.
    case notInside(addresses: [String])
    /// The name has no address of the family, or is not known yet.
    case notResolved(host: String)
    case noRoute(destination: String)
    /// The Node is none of apiVersion v1, or its status has no InternalIP of the family.
    case noInternalAddress
    /// What was found is declared as another node's.
    case ofOtherNode(address: String, node: String)
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
