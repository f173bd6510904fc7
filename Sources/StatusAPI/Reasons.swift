// States and reasons as values: what they are called for people stands in apusctl. In JSON one without details is its
// name, as a string, and one that can have details is an object with one member: its name, with the details as fields.

/// The FSM's state (RFC 4271 8.2.2).
package enum PeerState: String, Codable, Sendable, CaseIterable {
    case idle = "Idle"
    case connect = "Connect"
    case active = "Active"
    case openSent = "OpenSent"
    case openConfirm = "OpenConfirm"
    case established = "Established"
}

/// Why a session ended, or an attempt at one failed.
package enum PeerDownReason: Codable, Sendable, Hashable {
    /// The TCP connection was closed or failed.
    case connectionLost
    /// A peer capable of graceful restart opened a new connection (RFC 4724 section 4.2).
    case replacedByNewConnection
    case connectTimeout
    /// The operating system's error.
    case connectFailed(errno: Int32)
    /// Code and subcode of RFC 4271 section 4.5, and what both are called in the registry of IANA, with the peer's own
    /// text where it sent one (RFC 9003).
    case notificationSent(code: UInt8, subcode: UInt8, name: String)
    case notificationReceived(code: UInt8, subcode: UInt8, name: String)
    /// The interface by whose link the peer was reached can send nothing any more.
    case interfaceDown(interface: String)
    /// Our address of the session is on no interface any more.
    case addressRemoved(address: String)
    /// The peer's OPEN has another AS than the one that is configured (RFC 4271 6.2, Bad Peer AS).
    case wrongAS(expected: UInt32, received: UInt32)
    /// The peer sent Bad Peer AS: it expects another AS than ours.
    case ownASRefused(ours: UInt32)
}

/// The state of a BFD session (RFC 5880 section 4.1).
package enum BFDSessionState: String, Codable, Sendable, CaseIterable {
    case adminDown = "AdminDown"
    case down = "Down"
    case initializing = "Init"
    case up = "Up"
}

/// How a peer came about.
package enum PeerOrigin: String, Codable, Sendable, CaseIterable {
    case mesh = "node-to-node mesh"
    case global = "global"
    case node = "node specific"
    case localWorkload = "local workload"
}

package enum DaemonMode: String, Codable, Sendable { case agent, reflector }

package enum OwnPrefixKind: String, Codable, Sendable { case block, service, address }

package enum EndpointState: String, Codable, Sendable, CaseIterable {
    case up
    case waitingForInterface = "waiting for interface"
    case waitingForGuest = "waiting for guest"
    case interfaceDown = "interface down"
    case failed
}

package enum FIBState: String, Codable, Sendable, CaseIterable {
    case installed, pending, failed, held, waiting
    case toBeRemoved = "to be removed"
}

/// Why a path takes no part in the decision. `rejectedByFilter`: `importRule` of the route names the rule.
package enum PathIneligibility: String, Codable, Sendable, CaseIterable {
    case ownASInPath, ownOriginatorID, ownClusterID, defaultRoute, insideOwnBlock, martian, nextHopIsOurselves,
        rejectedByFilter, routeLeak
    case nextHopUnreachable, nextHopOffLink, nextHopByDefault
}

/// The step of the decision process that chose the best path.
package enum BestPathStep: String, Codable, Sendable, CaseIterable {
    case onlyPath, locallyOriginated, notLongLivedStale, localPref, asPathLength, origin, multiExitDisc, external,
        interiorCost, identifier
    case clusterListLength, peerAddress
}

/// Why a peer does not have the best path announced.
package enum NotAnnouncedReason: Codable, Sendable, Hashable {
    case sessionDown
    case familyNotNegotiated(family: String)
    /// The path came from the peer (RFC 4271 9.2, split horizon).
    case splitHorizon
    case rejectedByRule(rule: String)
    case noAdvertise, noExport, blackhole, longLivedStale, onlyToCustomer, notReflected, notOwn, outsidePools,
        exportDisabled, noNextHop, noExtendedNextHop
    /// The peer's address is the next hop (RFC 4271 5.1.3).
    case peerIsNextHop
    /// The UPDATE would be larger than the peer takes (RFC 8654 4).
    case tooLarge
    /// The peer's queue is full.
    case peerDoesNotRead
    /// The decision has not come to it yet.
    case undecided
}

/// Why an own prefix is not announced.
package enum OwnPrefixReason: Codable, Sendable, Hashable {
    /// The pool has disableBGPExport.
    case exportDisabled
    case aboutToBeAnnounced
    /// Nil: its route is on the way to the kernel.
    case notInKernel(reason: FIBReason?)
    /// The Node object has the address, and no interface of this host has: nobody would reach it.
    case addressOnNoInterface(address: String)
    /// No peer is configured that is to carry the family.
    case noPeer(family: String)
    /// Such peers are configured, and no session that carries the family is up.
    case noSession(family: String)
    /// Sessions that carry the family are up, and policy keeps it from them: why from the first.
    case keptBack(reason: NotAnnouncedReason)
}

/// Why a route is not in the kernel as wanted, or why one is there that nobody wants.
package enum FIBReason: Codable, Sendable, Hashable {
    /// Somebody else's route with the same prefix and metric.
    case routeInTheWay(routeProtocol: UInt8)
    /// An errno of which no more is known.
    case kernelError(code: Int32)
    case interfaceGone(index: Int32)
    case interfaceDown(interface: String)
    /// Somebody put a route there just now.
    case appearedMeanwhile
    case noPermission
    case kernelOutOfMemory
    case familyDisabled(family: String)
    case formNotSupported
    case gatewayUnreachable
    case sourceNotOurs(source: String)
    case gatewayIsThisHost(gateway: String)
    case tunnel(reason: TunnelReason)
    /// The pool wants a tunnel, and the next hop is the address of no Node.
    case nextHopIsNoNode(tunnel: String, nextHop: String)
    /// Withdrawn with nearly all others, and kept.
    case keptAfterMassWithdrawal
    /// Found at the start; it goes after so many seconds at the latest.
    case foundAtStart(seconds: Int)
    /// A pod of an earlier process without an endpoint: its interface is up.
    case podWithoutEndpoint
}

/// Why a tunnel device is not usable.
package enum TunnelReason: Codable, Sendable, Hashable {
    case noInterfaceWithAddress(device: String, address: String)
    case noNodeAddress(family: String)
    /// The kernel lacks the module.
    case notSupported(tunnel: String, module: String, code: Int32)
    case cannotBeMade(device: String, code: Int32)
    case notUp(device: String)
}

/// A setting of an interface that the kernel refused.
package struct RefusedSetting: Codable, Sendable, Hashable {
    /// A path below /proc/sys, `address A` or `neighbor A`.
    package var setting: String
    /// errno.
    package var code: Int32
    package init(setting: String, code: Int32) {
        self.setting = setting
        self.code = code
    }
}

/// Why an endpoint is in its state.
package enum EndpointReason: Codable, Sendable, Hashable {
    /// Settings of the pod's interface that the kernel refused.
    case setUpFailed(refused: [RefusedSetting])
    /// With `--program remote`: Felix has not written the host route.
    case noHostRoute(prefix: String)
    case guestNotHeard
    /// The packet socket cannot be opened or bound: an errno. It needs CAP_NET_RAW.
    case cannotHearGuests(code: Int32)
    case notInKernel(prefix: String, reason: FIBReason)
    case addressOfAnotherEndpoint(prefix: String)
    case routePending(prefix: String)
    /// A live migration to this node.
    case elevatedPriority
    case floatingAddressesIgnored
}

/// Why a node is not ready: its routes are not in its kernel, or at no upstream.
package enum Unreadiness: Sendable, Hashable {
    case starting
    case routesMissing(Int)
    case notAnnounced(prefix: String)
    case noPeerEstablished
}

extension DaemonStatus {
    /// The first thing that keeps the node from being ready; nil where it is. A dead remote node is none.
    package func unreadiness(isStarting: Bool) -> Unreadiness? {
        if isStarting { return .starting }
        if routesMissing > 0 { return .routesMissing(routesMissing) }
        if peersConfigured > 0 && peersEstablished == 0 { return .noPeerEstablished }
        if let waiting = ownPrefixes.first(where: \.delaysReadiness) { return .notAnnounced(prefix: waiting.prefix) }
        return nil
    }
}

extension OwnPrefixStatus {
    /// Where the operator wants it not announced, or has nobody for it, nothing is waited for.
    package var delaysReadiness: Bool {
        switch reason {
        case .exportDisabled, .noPeer, .keptBack: false
        case .aboutToBeAnnounced, .notInKernel, .addressOnNoInterface, .noSession, nil: !isAnnounced
        }
    }
}
