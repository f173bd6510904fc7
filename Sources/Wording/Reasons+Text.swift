import LinuxIO
package import StatusAPI

// What states and reasons are called for people.

extension PeerDownReason {
    package var text: String {
        switch self {
        case .connectionLost: "connection lost"
        case .replacedByNewConnection: "peer opened a new connection"
        case .connectTimeout: "connect timed out"
        case .connectFailed(let errno): errorText(errno)
        case .notificationSent(_, _, let name): "sent \(name)"
        case .notificationReceived(_, _, let name): "received \(name)"
        case .interfaceDown(let interface): "interface \(interface) is down"
        case .addressRemoved(let address): "our address \(address) is on no interface any more"
        case .wrongAS(let expected, let received):
            "sent OPEN Message Error/Bad Peer AS: the peer is AS \(received), and AS \(expected) is configured here"
        case .ownASRefused(let ours):
            "received OPEN Message Error/Bad Peer AS: we are AS \(ours), and the peer is configured for another"
        }
    }
}

extension PathIneligibility {
    package var text: String {
        switch self {
        case .ownASInPath: "own AS in AS_PATH (RFC 4271 9.1.2)"
        case .ownOriginatorID: "own ORIGINATOR_ID (RFC 4456 8)"
        case .ownClusterID: "own cluster id in CLUSTER_LIST (RFC 4456 8)"
        case .defaultRoute: "default route refused by import: safe"
        case .insideOwnBlock: "inside a block of this node, refused by import: safe"
        case .martian: "never to be routed, refused by import: safe"
        case .nextHopIsOurselves: "next hop is this node itself (RFC 4271 6.3)"
        case .rejectedByFilter: "rejected by a BGPFilter"
        case .routeLeak: "route leak: OTC from this peer (RFC 9234 5)"
        case .nextHopUnreachable: "next hop unreachable (RFC 4271 9.1.2.1)"
        case .nextHopOffLink:
            "next hop is on no link of ours though the external peer is (RFC 4271 6.3); multihop: true takes it"
        case .nextHopByDefault: "only the default route leads to the external peer's next hop"
        }
    }
}

extension RouteStatus {
    /// A rule is called by its name.
    package var ineligibleText: String? {
        if ineligible == .rejectedByFilter, let importRule { return "rejected by \(importRule)" }
        return ineligible?.text
    }
}

extension BestPathStep {
    package var text: String {
        switch self {
        case .onlyPath: "only eligible path"
        case .locallyOriginated: "locally originated"
        case .notLongLivedStale: "not long-lived stale"
        case .localPref: "highest LOCAL_PREF"
        case .asPathLength: "shortest AS_PATH"
        case .origin: "lowest ORIGIN"
        case .multiExitDisc: "lowest MULTI_EXIT_DISC"
        case .external: "external over internal"
        case .interiorCost: "lowest interior cost"
        case .identifier: "lowest router or originator id"
        case .clusterListLength: "shortest CLUSTER_LIST"
        case .peerAddress: "lowest peer address"
        }
    }
}

extension RouteLoss {
    /// `step 3: LOCAL_PREF 100 against 200 of 10.0.0.3`; the numbering is that of apusd(8).
    package var text: String {
        let rival = against == "local" ? "this node" : against
        let number = (BestPathStep.allCases.firstIndex(of: step) ?? 0)
        let what =
            switch step {
            case .onlyPath, .locallyOriginated: "this node originates the prefix itself"
            case .notLongLivedStale: "long-lived stale, and the path of \(rival) is not"
            case .external: "internal, and the path of \(rival) is external"
            case .localPref: "LOCAL_PREF \(own.text) against \(other.text) of \(rival)"
            case .asPathLength: "AS_PATH of \(own.text) AS numbers against \(other.text) of \(rival)"
            case .origin: "ORIGIN \(own.text) against \(other.text) of \(rival)"
            case .multiExitDisc: "MULTI_EXIT_DISC \(own.text) against \(other.text) of \(rival)"
            case .interiorCost: "cost to the next hop \(own.text) against \(other.text) of \(rival)"
            case .identifier: "router or originator id \(own.text) against \(other.text) of \(rival)"
            case .clusterListLength: "CLUSTER_LIST of \(own.text) against \(other.text) of \(rival)"
            case .peerAddress: "peer \(own.text) against \(other.text)"
            }
        return "step \(number): \(what)"
    }
}

extension DecisionValueStatus {
    package var text: String {
        switch self {
        case .number(let value): "\(value)"
        case .origin(let name): name
        case .identifier(let address): address
        case .peer(let address, let pathID): address + (pathID == 0 ? "" : " path \(pathID)")
        case .isPreferred(let value): value ? "yes" : "no"
        }
    }
}

extension NotAnnouncedReason {
    package var text: String {
        switch self {
        case .sessionDown: "the session is not established"
        case .familyNotNegotiated(let family): "the session does not carry \(family)"
        case .splitHorizon: "the best path came from this peer (split horizon)"
        case .rejectedByRule(let rule): "rejected by \(rule)"
        case .noAdvertise: "community no-advertise (RFC 1997)"
        case .noExport: "community no-export (RFC 1997)"
        case .blackhole: "community blackhole does not leave the AS (RFC 7999 3.2)"
        case .longLivedStale: "long-lived stale, and the peer does not speak RFC 9494"
        case .onlyToCustomer: "OTC: only to customers (RFC 9234 5)"
        case .notReflected: "learned from an internal peer that is no client, towards another (RFC 4456 6)"
        case .notOwn: "not our own route (export: own)"
        case .outsidePools: "another node's route outside of pools and service ranges (export: pools)"
        case .exportDisabled: "another node's route in a pool with disableBGPExport (export: pools)"
        case .noNextHop: "this node has no address of the family that could be the next hop"
        case .noExtendedNextHop: "its next hop is of IPv6, and the peer does not take that for IPv4 (RFC 8950 4)"
        case .peerIsNextHop: "its address is the next hop (RFC 4271 5.1.3)"
        case .tooLarge: "the UPDATE would be larger than the peer takes (RFC 8654 4)"
        case .peerDoesNotRead: "the peer does not read"
        case .undecided: "not decided yet"
        }
    }
}

extension OwnPrefixReason {
    package var text: String {
        switch self {
        case .exportDisabled: "the pool has disableBGPExport"
        case .aboutToBeAnnounced: "about to be announced"
        case .notInKernel(let reason): "its route is not in the kernel: " + (reason?.text ?? "pending")
        case .addressOnNoInterface(let address): "address \(address) of this Node is on no interface of this host"
        case .noPeer(let family): "no peer is to carry \(family)"
        case .noSession(let family): "no session that carries \(family) is up"
        case .keptBack(let reason): "no peer gets it: " + reason.text
        }
    }
}

extension FIBReason {
    package var text: String {
        switch self {
        case .routeInTheWay(let number): "a route of protocol \(number) is in the way"
        case .kernelError(let code): errorText(code)
        case .interfaceGone(let index): "interface \(index) is gone; waiting for new next hops"
        case .interfaceDown(let interface): "interface \(interface) is down; the route goes in when it is up"
        case .appearedMeanwhile: "somebody else has just put a route there; the kernel's routes are read again"
        case .noPermission: "the process may not write routes: it needs CAP_NET_ADMIN"
        case .kernelOutOfMemory: "the kernel has no memory for more routes"
        case .familyDisabled(let family): "the kernel has no \(family) (disable_ipv6?)"
        case .formNotSupported: "the kernel does not know this form of route"
        case .gatewayUnreachable: "the kernel finds no way to the gateway"
        case .sourceNotOurs(let source): "source address \(source) is none of this host's"
        case .gatewayIsThisHost(let gateway): "gateway \(gateway) is this host itself"
        case .tunnel(let reason): reason.text
        case .nextHopIsNoNode(let tunnel, let nextHop):
            "the pool wants \(tunnel), and the next hop \(nextHop) is the address of no Node, so that no tunnel "
                + "leads to it"
        case .keptAfterMassWithdrawal: "withdrawn with nearly all others; apusctl fib release lets it go"
        case .foundAtStart(let seconds):
            "found at the start; it goes unless it is announced before the peers have sent their tables, or "
                + "\(seconds) s are over"
        case .podWithoutEndpoint: "a pod of an earlier process without an endpoint: its interface is up"
        }
    }
}

extension TunnelReason {
    package var text: String {
        switch self {
        case .noInterfaceWithAddress(let device, let address):
            "no interface has \(address), this node's address, so \(device) cannot be made"
        case .noNodeAddress(let family): "this node has no \(family) address"
        case .notSupported(let tunnel, let module, let code):
            "this kernel has no \(tunnel) (module \(module)): \(errorText(code))"
        case .cannotBeMade(let device, let code): "\(device) cannot be made: \(errorText(code))"
        case .notUp(let device): "\(device) is not up yet"
        }
    }
}

extension EndpointReason {
    package var text: String {
        switch self {
        case .setUpFailed(let refused):
            refused.map { "\($0.setting): \(errorText($0.code))" }.joined(separator: "; ")
        case .noHostRoute(let prefix):
            "nobody has written a host route of \(prefix) (--program remote leaves it to Felix)"
        case .guestNotHeard: "it is to be moved here: no ARP, RARP or neighbor advertisement of it yet"
        case .cannotHearGuests(let code): "no guest can be heard: \(errorText(code)); it needs CAP_NET_RAW"
        case .notInKernel(_, let reason): reason.text
        case .addressOfAnotherEndpoint(let prefix): "\(prefix) belongs to another endpoint"
        case .routePending(let prefix): "the route of \(prefix) is pending"
        case .elevatedPriority: "elevated priority: it is being moved here"
        case .floatingAddressesIgnored: "its floating addresses (ipNATs) are not handled"
        }
    }
}

extension PeerStatus {
    /// Why the session is not up: what ended it, and what its connections have met since. Empty for nothing known.
    package var lastErrorText: String {
        [lastError?.text, connectionErrorSince.map { "since then: \($0.text)" }].compactMap { $0 }
            .joined(separator: "; ")
    }
}
