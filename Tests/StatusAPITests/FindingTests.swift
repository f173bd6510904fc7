import Foundation
import StatusAPI
import Testing
import Wording

/// Findings, reasons why a peer is kept down and capabilities are values; their words are in one place.
@Suite struct FindingTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let causes: [FindingCause] = [
        .resource(file: "r.yaml", line: 3, object: "BGPPeer/tor", field: "spec.peerIP", message: "is no address"),
        .noEffect(objects: NameList(["BGPPeer/tor"]), field: "spec.role", reason: .sessionIsInternal),
        .blockOfSeveralNodes(prefix: "10.65.0.0/26", nodes: ["n", "m"]),
        .addressOfSeveralPods(address: "10.65.0.2", pods: ["demo/a on n", "demo/b on m"]),
        .selectorMatchesNothing(object: "BGPPeer/racks", kept: 2), .restartNeeded(node: "n"),
        .addressNotDetected(
            node: "n", family: "IPv4", method: "interface=eth.*", reason: .noInterface(interfaces: ["lo"]), kept: nil),
        .notListening(address: "10.0.0.2:179", code: 98),
        .peerHeldDown(peer: "BGPPeer/tor", address: "10.0.0.2", reason: .tooManyPeers(limit: 3)), .noPeerConfigured,
        .peersDown(count: 1, of: 4),
        .peerDown(peer: "BGPPeer/tor", address: "10.0.0.2", state: .active, reason: .connectTimeout, since: nil),
        .segmentsRefused(peer: "BGPPeer/tor", address: "10.0.0.2", reason: .wrongSignature),
        .prefixLimitReached(peer: "BGPPeer/tor", address: "10.0.0.2", limit: 100, restartsIn: 300),
        .bfdDown(peer: "BGPPeer/tor", address: "10.0.0.2", state: .down),
        .peerSentNoBlocks(
            peer: "BGPPeer/tor", address: "10.0.0.2", blocks: 2,
            reason: .rejectedByRule(rule: "BGPFilter/x exportV4[0]")),
        .peersTooSlow(count: 2, slowest: "10.0.0.2 (BGPPeer/tor)"), .nodeGone(node: "n"),
        .allPeersEstablished(count: 4), .connectionsRefused(limit: 32, closed: 28),
        .listenerTaken(flag: "--metrics", address: "127.0.0.1:9091"),
        .birdNotRead(socket: "/b", reason: .unreachable(code: 2)), .notCompared(reason: "netlink"),
        .routesMissing(count: 4, examples: ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"]),
        .allRoutesInKernel(count: 9), .massWithdrawal(routes: 40), .otherProgrammer(routeProtocol: 12, routes: 7),
        .poolsLeftToOthers(pools: ["10.65.0.0/16"]),
        .prefixNotAnnounced(prefix: "10.65.0.0/26", reason: .noSession(family: "IPv4")),
        .foreignRouteWins(prefix: "10.65.1.0/26", foreign: "10.65.1.0/26 dev eth1 metric 1", routeProtocol: 4),
        .starting, .addressOnNoInterface(address: "10.0.0.1"),
        .forwardingOff(sysctl: "net.ipv4.ip_forward", value: "0"),
        .forwardingOn(sysctl: "net.ipv4.ip_forward"), .chainDrops(family: "inet", table: "t", chain: "f"),
        .legacyChainDrops(command: "iptables-legacy"), .legacyTablesUnreadable(command: "iptables-legacy", code: 1),
        .noChainDrops, .noNetfilter,
        .podNotUp(pod: "default/x", interface: "cali0", state: .waitingForInterface, reason: nil),
        .morePodsNotUp(count: 4), .podSettingsChanged(count: 4, sysctls: ["a", "b", "c"]), .podsSetUp(count: 3),
        .loopbackReachable(sysctl: "net.ipv4.conf.all.route_localnet", more: 2), .noRouteToPodGateway,
        .guestsNotHeard(code: 1), .tunnelDown(device: "vxlan.calico", reason: .notUp(device: "vxlan.calico")),
        .tunnelUp(device: "vxlan.calico", mtu: 1450), .tunnelStepFailed(attempt: "add vxlan.calico", code: 1),
        .tunnelAddressMissing(device: "vxlan.calico", field: "ipv4VXLANTunnelAddr"),
        .podMTUTooLarge(pods: 3, interface: "cali0", mtu: 1500, device: "vxlan.calico", tunnelMTU: 1450),
    ]

    private static let idle: [IdleReason] = [
        .otherPeerHas(targets: NameList(["10.0.0.2"]), owner: "BGPPeer/tor"),
        .takesEveryConnection(address: "10.0.0.2", others: NameList(["BGPPeer/q (10.0.0.2 port 180)"])), .meshIsOff,
        .matchesNoNode, .noSuchNode, .noWorkloadPeer, .noAddressForPods,
        .podsHaveNoPeer(pods: NameList(["a/b"]), missing: "localWorkloadPeeringIPV6"), .noListenRange, .peerConnects,
        .peerConnectsInAnyCase, .noKeepalives, .gracefulRestartNotOn, .gracefulRestartOff, .actionNotRestart,
        .peerIsNoNode, .exportIsOwn, .sessionIsInternal, .nextHopKept, .nextHopIsOurs, .notReflected,
        .familyNotCarried(family: "IPv4"), .otherGateway(owner: "BGPPeer/q", address: "10.0.0.2", gateway: "10.0.0.9"),
        .reflectorWritesNoRoutes, .filterNotUsed, .nameNotUsed, .onlyFieldsOfOneNode, .massWithdrawalIsOff,
        .communityNotUsed(name: "c"), .noPoolHas(field: "vxlanMode"), .entryWithoutCIDR,
        .addressNeedsService(addresses: NameList(["192.0.2.1/32"])), .excludedFromServices(label: "l"),
    ]

    private static let holds: [HoldReason] = [
        .shutdown(text: "works"), .unnumberedNeedsAgent, .noASNumber(address: "10.0.0.2"), .noSuchFilter(filter: "f"),
        .secretMissing(secret: "s/k", file: "/s/k"), .secretReadableByOthers(secret: "s/k", file: "/s/k"),
        .secretEmpty(secret: "s/k", file: "/s/k"), .secretTooLong(secret: "s/k"),
        .secretUnreadable(secret: "s/k", file: "/s/k", why: "is not a regular file"), .noTCPAO(code: 92),
        .tooManyPeers(limit: 3),
    ]

    private static let capabilities: [PeerCapability] = [
        .multiprotocol(afi: 1, safi: 1, family: "ipv4"), .routeRefresh, .extendedMessage, .enhancedRouteRefresh,
        .fourOctetAS(number: 65001),
        .gracefulRestart(
            restartTime: 120, isRestarting: true, hasNotification: true,
            families: [.init(family: "ipv4", isForwardingPreserved: true)]),
        .extendedNextHop(isForIPv4: true), .role(value: 1, name: "provider"),
        .addPath(families: [.init(family: "ipv6", sends: true, receives: true)]),
        .longLivedGracefulRestart(families: [.init(family: nil, staleTime: 60)]), .unknown(code: 99),
    ]

    /// The names of an enum's cases, as they stand in its source: a new one cannot be forgotten here.
    private static func cases(of name: String) throws -> Set<String> {
        let file = name == "IdleReason" ? name : "Finding"
        let source = try String(
            contentsOf: root.appending(path: "Sources/StatusAPI/\(file).swift"), encoding: .utf8)
        let body = try #require(source.components(separatedBy: "enum \(name): Codable").last)
        var names: Set<String> = []
        for line in body.components(separatedBy: "\n}\n")[0].split(separator: "\n") where line.hasPrefix("    case ") {
            var depth = 0
            var word = ""
            for character in line.dropFirst(9) + "," {
                depth += character == "(" ? 1 : character == ")" ? -1 : 0
                if depth == 0, character == "," {
                    names.insert(String(word.prefix { $0 != "(" }).trimmingCharacters(in: .whitespaces))
                    word = ""
                } else {
                    word.append(character)
                }
            }
        }
        return names
    }

    private static func name<Value: Encodable>(_ value: Value) throws -> String {
        let object = try JSONSerialization.jsonObject(with: try JSONEncoder().encode(value))
        return try #require((object as? [String: Any])?.keys.first)
    }

    @Test func `every case has a sentence, survives JSON, and is in apusctl_8`() throws {
        let page = try String(contentsOf: Self.root.appending(path: "man/apusctl.8"), encoding: .utf8)
        func check<Value: Codable & Hashable & SendableMetatype>(
            _ values: [Value], _ type: String, text: (Value) -> String
        ) throws {
            let (names, known) = (try Set(values.map { try Self.name($0) }), try Self.cases(of: type))
            #expect(names == known, "\(type)")
            let sentences = Set(values.map { text($0) })
            #expect(sentences.count == values.count, "two cases of \(type) have one sentence")
            for value in values {
                #expect(!text(value).isEmpty, "\(value)")
                let decoded = try JSONDecoder().decode(Value.self, from: try JSONEncoder().encode(value))
                #expect(decoded == value)
                let name = try Self.name(value)
                #expect(page.contains(name), "\(name) of \(type) is missing in apusctl(8)")
            }
        }
        try check(Self.causes, "FindingCause", text: \.text)
        try check(Self.holds, "HoldReason", text: \.text)
        try check(Self.idle, "IdleReason", text: \.text)
        try check(Self.capabilities, "PeerCapability", text: \.text)
    }

    @Test func `a cause has one name, and is the same whatever it counts`() throws {
        for cause in Self.causes { #expect(try Self.name(cause) == cause.name) }
        #expect(
            FindingCause.peersDown(count: 1, of: 4).identity == FindingCause.peersDown(count: 2, of: 4).identity)
        #expect(Self.causes[0].identity != Self.causes[1].identity)
    }

    @Test func `a finding is about something`() {
        #expect(Finding(.fault, Self.causes[0]).subject == FindingSubject(.resource, "BGPPeer/tor"))
        #expect(Finding(.note, Self.causes[1]).subject == FindingSubject(.resource, "BGPPeer/tor"))
        #expect(Finding(.fault, .tunnelDown(device: "d", reason: .notUp(device: "d"))).subject.text == "d")
        #expect(Finding(.fine, .podsSetUp(count: 1)).subject.text == "pod")
    }

    @Test func `a sentence names what was found and what to do`() {
        #expect(Self.causes[0].text == "r.yaml:3: BGPPeer/tor: spec.peerIP: is no address")
        #expect(FindingCause.routesMissing(count: 1, examples: ["10.0.0.0/8"]).text.contains("(10.0.0.0/8)"))
        let missing = FindingCause.routesMissing(count: 4, examples: ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"])
        #expect(missing.text.contains("10.2.0.0/16, ...)"))
        #expect(HoldReason.shutdown(text: "").text == "shutdown")
        #expect(HoldReason.noTCPAO(code: 92).text.contains("password (TCP MD5)"))
        #expect(Self.capabilities[5].text == "graceful restart 120s R N IPv4 F")
    }
}
