import LinuxIO
package import StatusAPI

// What was found, and what to do about it, for people.

extension FindingCause {
    /// A sentence: what was found, and of what is wrong the remedy.
    package var text: String {
        switch self {
        case .resource(let file, let line, let object, let field, let message):
            [line > 0 ? "\(file):\(line)" : file, object, field, message].filter { !$0.isEmpty }.joined(separator: ": ")
        case .noEffect(let objects, let field, let reason):
            [objects.text, field, reason.text].filter { !$0.isEmpty }.joined(separator: ": ")
        case .selectorMatchesNothing(let object, let kept):
            "\(object): spec.peerSelector matches no node any more; its \(kept) last peers are kept"
        case .blockOfSeveralNodes(let prefix, let nodes):
            "\(prefix) is a block of several nodes: \(nodes.joined(separator: ", ")); packets for it arrive at one of them: "
                + "release the affinity of the others"
        case .addressOfSeveralPods(let address, let pods):
            "\(address) is the address of several pods: \(pods.joined(separator: ", ")); one of them gets the packets"
        case .restartNeeded(let node):
            "Node/\(node): the AS, the router id or the cluster id changed; that takes effect when apusd is started again"
        case .addressNotDetected(let node, let family, let method, let reason, let kept):
            "Node/\(node) has no \(family) address of its own, and \(method) finds none: \(reason.text)"
                + (kept.map { "; \($0) is used as before" } ?? "") + "; declare spec.bgp."
                + "\(family == "IPv4" ? "ipv4Address" : "ipv6Address"), or set "
                + "\(family == "IPv4" ? "--ip-autodetection-method" : "--ip6-autodetection-method")"
        case .notListening(let address, let code):
            "connections to \(address) cannot be accepted: \(errorText(code)); it is tried again every 5 s; end what has "
                + "the port, or set another listenPort"
        case .peerHeldDown(let peer, let address, let reason): "\(peer) \(address) is kept down: \(reason.text)"
        case .noPeerConfigured: "no peer is configured: no route comes or goes"
        case .peersDown, .peerDown, .segmentsRefused, .prefixLimitReached, .bfdDown, .peerSentNoBlocks, .peersTooSlow:
            peerText
        case .listenerTaken(let flag, let address):
            "\(flag) \(address): another process has this port (Felix has 9091 and 9099), so that the page is not served; it "
                + "is tried again every 5 s; name another ADDRESS:PORT, or an empty one to switch it off"
        case .birdNotRead(let socket, let reason): "\(socket): \(reason.text)"
        case .notCompared(let reason): "nothing can be compared: \(reason)"
        case .nodeGone(let node):
            "Node/\(node): is gone from the resources; what it last said stays in force, and no other change is taken "
                + "over; put it back"
        case .allPeersEstablished(let count): "all \(count) peers are established"
        case .connectionsRefused(let limit, let closed):
            "no more than \(limit) connections: \(closed) were closed at once; the limit of open files (LimitNOFILE, "
                + "ulimit -n) must be higher"
        case .routesMissing, .allRoutesInKernel, .massWithdrawal, .otherProgrammer, .poolsLeftToOthers,
            .prefixNotAnnounced, .foreignRouteWins:
            routeText
        case .starting, .addressOnNoInterface, .forwardingOff, .forwardingOn, .chainDrops, .legacyChainDrops,
            .legacyTablesUnreadable, .noChainDrops,
            .noNetfilter:
            hostText
        case .podNotUp, .morePodsNotUp, .podSettingsChanged, .podsSetUp, .loopbackReachable, .noRouteToPodGateway,
            .guestsNotHeard:
            podText
        case .tunnelDown, .tunnelUp, .tunnelStepFailed, .tunnelAddressMissing, .podMTUTooLarge: tunnelText
        }
    }

    private var peerText: String {
        switch self {
        case .peersDown(let count, let all): "\(count) of \(all) peers down; apusctl peers says why"
        case .peerDown(let peer, let address, let state, let reason, let since):
            "\(peer) \(address) is not up (\(state.rawValue)): \(reason?.text ?? "no attempt has ended yet")"
                + (since.map { "; since then: \($0.text)" } ?? "")
        case .prefixLimitReached(let peer, let address, let limit, let seconds):
            "\(peer) \(address) announced more than \(limit) prefixes (spec.maxPrefixes.limit), and its session was ended; "
                + (seconds.map { "it is begun again in \($0)s" } ?? "it stays down")
                + "; apusctl reset \(address) begins it at once"
        case .segmentsRefused(let peer, let address, let reason): "\(peer) \(address): \(reason.text)"
        case .bfdDown(let peer, let address, let state):
            "\(peer) \(address): BFD is \(state.rawValue): nothing is heard from the peer, and its end is noticed by "
                + "the hold timer only; is BFD configured there, and UDP 3784 (4784 over several hops) let through?"
        case .peerSentNoBlocks(let peer, let address, let blocks, let reason):
            "\(peer) \(address) is sent none of our \(blocks) block\(blocks == 1 ? "" : "s"): \(reason.text)"
        case .peersTooSlow(let count, let slowest):
            "\(count) peers do not read and are sent no routes until they do; the slowest is \(slowest)"
        default: ""
        }
    }

    private var routeText: String {
        switch self {
        case .prefixNotAnnounced(let prefix, let reason): "\(prefix) is not announced: \(reason.text)"
        case .foreignRouteWins(let prefix, let foreign, let number):
            "another route wins over ours for \(prefix): \(foreign), protocol \(number); the kernel uses it; "
                + "remove it, or stop what makes it (ip route show \(foreign.prefix { $0 != " " }))"
        case .routesMissing(let count, let examples):
            "\(count == 1 ? "1 route is" : "\(count) routes are") not in the kernel as wanted (\(some(examples, of: count))); apusctl fib says why"
        case .allRoutesInKernel(let count): "\(count) routes wanted, all of them in the kernel as wanted"
        case .massWithdrawal(let routes):
            "\(routes) routes of the cluster were withdrawn at once and are kept (massWithdrawal); look at the peers, and "
                + "if it is right: apusctl fib release"
        case .otherProgrammer(let number, let routes):
            "\(routes) routes inside our pools are of protocol \(number) (\(number == 12 ? "BIRD" : "Felix")): two "
                + "programmers of one pool hide each other's routes; stop one, or use programClusterRoutes"
        case .poolsLeftToOthers(let pools):
            "routes of \(pools.joined(separator: ", ")) are left to another programmer (programClusterRoutes)"
        default: ""
        }
    }

    private var hostText: String {
        switch self {
        case .starting: "own routes are not in the kernel yet; peers are connected to when they are"
        case .addressOnNoInterface(let address):
            "address \(address) of this Node is on no interface of this host: nothing is announced for it; put the "
                + "address on an interface, or mend the Node object"
        case .forwardingOff(let name, let value?):
            "\(name) is \(value): no packet passes this host to or from a pod; sysctl -w \(name)=1"
        case .forwardingOff(let name, nil): "\(name) cannot be read"
        case .forwardingOn(let name): "\(name) is 1"
        case .chainDrops(let family, let table, let chain):
            "chain \(family) \(table) \(chain) has policy drop: packets of pods pass only where a rule accepts them; "
                + "nft list chain \(family) \(table) \(chain)"
        case .legacyChainDrops(let command):
            "chain FORWARD of \(command) has policy DROP: packets of pods pass only where a rule accepts them; "
                + "\(command) -S FORWARD"
        case .legacyTablesUnreadable(let command, let code):
            "the tables of \(command) cannot be read: \(errorText(code)); \(command) -S FORWARD shows its policy"
        case .noChainDrops: "no chain at the forward hook has policy drop"
        case .noNetfilter: "the kernel has no nf_tables, or does not say"
        default: ""
        }
    }

    private var podText: String {
        switch self {
        case .podNotUp(let pod, let interface, let state, let reason):
            "\(pod) on \(interface): \(state.rawValue)" + (reason.map { ": \($0.text)" } ?? "")
        case .morePodsNotUp(let count): "\(count) more pods are not up; apusctl endpoints lists them"
        case .podSettingsChanged(let count, let names):
            "\(count == 1 ? "1 setting" : "\(count) settings") of pods' interfaces \(count == 1 ? "was" : "were") changed by somebody (\(some(names, of: count))); they must be 1"
        case .podsSetUp(let count): "the interfaces of \(count) endpoints are set up"
        case .loopbackReachable(let name, let more):
            "\(name)\(more > 0 ? " and \(more) more are" : " is") 1: pods reach services on this host's loopback "
                + "addresses unless a firewall drops it; sysctl -w \(name)=0, or look at who set it (kube-proxy does for "
                + "node ports on 127.0.0.1)"
        case .noRouteToPodGateway:
            "this host has no route to 169.254.1.1 (no default route): the kernel answers no ARP request for the pods' "
                + "gateway; add a default route, or a permanent neighbor entry in the pods"
        case .guestsNotHeard(let code):
            "a live migration's target waits: no guest can be heard: \(errorText(code)); it needs CAP_NET_RAW"
        default: ""
        }
    }

    private var tunnelText: String {
        switch self {
        case .tunnelDown(let device, let reason): "\(device) carries nothing: \(reason.text)"
        case .tunnelUp(let device, let mtu): "\(device) is up, MTU \(mtu)"
        case .tunnelStepFailed(let attempt, let code): "tunnel: cannot \(attempt): \(errorText(code))"
        case .tunnelAddressMissing(let device, let field):
            "this Node has no \(field): what the host itself sends through \(device) has the node's address, and the "
                + "answers come outside the tunnel"
        case .podMTUTooLarge(let pods, let interface, let mtu, let device, let tunnelMTU):
            "\(pods) pods have a larger MTU than \(device) (\(interface): \(mtu), tunnel: \(tunnelMTU)): they depend on "
                + "path MTU discovery; set the CNI plugin's mtu to \(tunnelMTU)"
        default: ""
        }
    }

    /// At most three of a list, and a sign where there are more.
    private func some(_ list: [String], of count: Int) -> String {
        list.prefix(3).joined(separator: ", ") + (count > 3 ? ", ..." : "")
    }
}

extension Finding.Severity {
    /// In the first column of `apusctl status` and `apusctl doctor`.
    package var text: String {
        switch self {
        case .fault: "FAULT"
        case .degraded: "degraded"
        case .note: "note"
        case .fine: "ok"
        }
    }
}

extension SegmentRefusal {
    package var text: String {
        switch self {
        case .unexpectedSignature:
            "the neighbor's segments bear an MD5 signature, and no password is configured here (the kernel counts them in "
                + "TCPMD5Unexpected); set spec.password, or remove the neighbor's"
        case .missingSignature:
            "segments without an MD5 signature arrive, and a password is configured here (TCPMD5NotFound); set the same "
                + "one at the neighbor, or remove spec.password"
        case .wrongSignature:
            "segments with a wrong MD5 signature arrive (TCPMD5Failure): the neighbor has another password"
        case .ttlTooSmall:
            "segments arrive with too small a TTL (TCPMinTTLDrop): the neighbor sends with a TTL below what "
                + "spec.ttlSecurity wants, or is more hops away; set GTSM there, or mend spec.ttlSecurity"
        }
    }
}

extension FindingSubject {
    package var text: String { name ?? kind.rawValue }
}

extension HoldReason {
    package var text: String {
        switch self {
        case .shutdown(let text): text.isEmpty ? "shutdown" : "shutdown: \(text)"
        case .unnumberedNeedsAgent:
            "interface: an unnumbered peer needs an agent; a reflector has no way to the links"
        case .noASNumber(let address): "spec.asNumber: is missing, and no Node has the address \(address)"
        case .noSuchFilter(let filter): "spec.filters: there is no BGPFilter/\(filter)"
        case .secretMissing(let secret, let file): "secret \(secret) is missing: \(file)"
        case .secretReadableByOthers(let secret, let file):
            "secret \(secret) is readable by others: chmod o= \(file)"
        case .secretEmpty(let secret, let file): "secret \(secret) is empty: \(file)"
        case .secretTooLong(let secret): "secret \(secret) is longer than the 80 bytes of a TCP MD5 password"
        case .secretUnreadable(let secret, let file, let why): "secret \(secret): \(file) \(why)"
        case .noTCPAO(SystemError.protocolOptionUnknown):
            "this kernel has no TCP-AO (RFC 5925): it needs Linux 6.7 or later with CONFIG_TCP_AO; use password (TCP "
                + "MD5) instead"
        case .noTCPAO(let code): "TCP-AO: \(errorText(code))"
        case .tooManyPeers(let limit): "no more than \(limit) peers"
        }
    }
}

extension PeerCapability {
    package var text: String {
        switch self {
        case .multiprotocol(_, _, let family?): "multiprotocol \(familyText(family)) unicast"
        case .multiprotocol(let afi, let safi, nil): "multiprotocol \(afi)/\(safi)"
        case .routeRefresh: "route refresh"
        case .extendedMessage: "extended message"
        case .enhancedRouteRefresh: "enhanced route refresh"
        case .fourOctetAS(let number): "4-byte AS \(number)"
        case .gracefulRestart(let time, let isRestarting, let hasNotification, let families):
            "graceful restart \(time)s" + (isRestarting ? " R" : "") + (hasNotification ? " N" : "")
                + families.map { " \(familyText($0.family))\($0.isForwardingPreserved ? " F" : "")" }.joined()
        case .extendedNextHop(let isForIPv4): "extended next hop" + (isForIPv4 ? " IPv4" : "")
        case .role(let value, let name): "role " + (name ?? "\(value)")
        case .addPath(let families):
            "add path"
                + families.map {
                    " \(familyText($0.family))\($0.sends ? " sends" : "")\($0.receives ? " receives" : "")"
                }.joined(separator: ",")
        case .longLivedGracefulRestart(let families):
            "long-lived graceful restart"
                + families.map { " \(familyText($0.family)) \($0.staleTime)s" }.joined(separator: ",")
        case .unknown(let code): "capability \(code)"
        }
    }

    private func familyText(_ family: String?) -> String {
        switch family {
        case "ipv4"?: "IPv4"
        case "ipv6"?: "IPv6"
        case let other: other ?? "other"
        }
    }
}

extension Unreadiness {
    /// The one line of `/readiness`.
    package var text: String {
        switch self {
        case .starting: "starting"
        case .routesMissing(let count): "\(count) routes are not in the kernel"
        case .notAnnounced(let prefix): "\(prefix) is not announced; apusctl status says why"
        case .noPeerEstablished: "no peer is established"
        }
    }
}

extension DaemonStatus {
    /// The last line of `apusctl status`: whether all is well, and what is not.
    package var healthText: String {
        let wrong = findings.filter(\.severity.isUnhealthy)
        guard let first = wrong.first else { return "healthy" }
        var down: String?
        var others = wrong.count
        for finding in wrong {
            switch finding.cause {
            case .peersDown(let count, let all):
                down = "\(count) of \(all) peers down"
                others -= 1
            case .peerDown: others -= 1
            default: break
            }
        }
        let severity = first.severity == .fault ? "fault" : "degraded"
        let main =
            down.map { $0 + (others > 0 ? ", and \(others) more finding\(others == 1 ? "" : "s")" : "") }
            ?? first.cause.text + (others > 1 ? " (and \(others - 1) more)" : "")
        return "NOT healthy: \(severity): \(main)"
    }
}

extension DetectionFailure {
    /// What was looked at, as a part of a sentence.
    package var text: String {
        switch self {
        case .noInterface(let interfaces):
            interfaces.isEmpty
                ? "no interface has an address of the family"
                : "none of \(interfaces.joined(separator: ", ")) fits, is up and has a global address"
        case .notInside(let addresses):
            addresses.isEmpty
                ? "no interface that is up has a global address of the family"
                : "none of \(addresses.joined(separator: ", ")) is inside"
        case .notResolved(let host): "\(host) has no address of the family, or no resolver knows it"
        case .noRoute(let destination): "no route with an address of this host leads to \(destination)"
        case .noInternalAddress:
            "the Node is none of apiVersion v1, or its status.addresses has no InternalIP of the family"
        case .ofOtherNode(let address, let node): "\(address), which was found, is declared as that of Node/\(node)"
        }
    }
}
