import BGPRouting
import NetTypes
import Planning
import Resources
import Testing
import Wording

/// Nothing is accepted without effect and without a word: every field of every kind is one of three, and a new field
/// has to be put among them.
@Suite struct FieldClassificationTests {
    /// What a field does.
    private enum Class: Hashable {
        /// Something, whatever else the resources say.
        case effective
        /// Something, as long as others do not keep it from it: then a remark names the field. The manifest is such a
        /// case; `isReflector`: in a reflector.
        case remarked(String, isReflector: Bool = false)
        /// Nothing: it is there for Calico's manifests, or refused, and apus.resources(5) says so.
        case informational
    }

    private static func peer(_ fields: String) -> String { object("BGPPeer", "p", fields) }
    /// To somebody who is no Node, by an external or an internal session.
    private static func external(_ fields: String) -> String { peer("peerIP: 10.0.0.9, asNumber: 65001, \(fields)") }
    private static func `internal`(_ fields: String) -> String { peer("peerIP: 10.0.0.9, asNumber: 64512, \(fields)") }
    private static func configuration(_ fields: String) -> String { object("BGPConfiguration", "default", fields) }
    private static func felix(_ fields: String) -> String { object("FelixConfiguration", "default", fields) }
    private static let secret = "{secretKeyRef: {name: s, key: k}}"
    private static let pods = peer("localWorkloadSelector: all(), asNumber: 65001")

    // MARK: The classification

    private static let remarked: [String: [String: Class]] = [
        "BGPConfiguration": [
            "nodeMeshPassword": .remarked(configuration("nodeToNodeMeshEnabled: false, nodeMeshPassword: \(secret)")),
            "massWithdrawal.minimum": .remarked(configuration("massWithdrawal: {percent: 0, minimum: 5}")),
            "communities": .remarked(configuration("communities: [{name: c, value: '65000:1'}]")),
            "serviceClusterIPs": .remarked(configuration("serviceClusterIPs: [{}]")),
            "serviceExternalIPs": .remarked(configuration("serviceExternalIPs: [{cidr: 192.0.2.1/32}]")),
            "serviceLoadBalancerIPs": .remarked(configuration("serviceLoadBalancerIPs: [{cidr: 192.0.2.1/32}]")),
            "localWorkloadPeeringIPV4": .remarked(configuration("localWorkloadPeeringIPV4: 169.254.9.9")),
            "localWorkloadPeeringIPV6": .remarked(configuration("localWorkloadPeeringIPV6: 'fd00::99'")),
        ],
        "BGPPeer": [
            "node": .remarked(peer("node: nobody, peerIP: 10.0.0.9, asNumber: 1")),
            "nodeSelector": .remarked(peer("nodeSelector: has(nobody), peerIP: 10.0.0.9, asNumber: 1")),
            "peerSelector": .remarked(peer("peerSelector: has(nobody)")),
            "localWorkloadSelector": .remarked(pods),
            "maxDynamicPeers": .remarked(external("maxDynamicPeers: 5")),
            "routeReflectorClient": .remarked(external("routeReflectorClient: true")),
            "passive": .remarked(peer("listenRange: 10.0.0.0/24, asNumber: 1, passive: false")),
            "keepaliveTime": .remarked(external("holdTime: 0s, keepaliveTime: 5s")),
            "connectRetryTime": .remarked(external("passive: true, connectRetryTime: 3s")),
            "reexportPrepend": .remarked(`internal`("reexportPrepend: 2")),
            "maxRestartTime": .remarked(external("gracefulRestart: helper, maxRestartTime: 60s")),
            "longLivedStaleTime": .remarked(external("gracefulRestart: off, longLivedStaleTime: 1h")),
            "extendedNextHop": .remarked(
                peer("peerIP: 'fd00::9', asNumber: 65001, families: [ipv6], extendedNextHop: true")),
            "role": .remarked(`internal`("role: provider")),
            "nextHopMode": .remarked(external("nextHopMode: Self")),
            "keepOriginalNextHop": .remarked(`internal`("keepOriginalNextHop: true")),
            "nextHopAddressIPv4": .remarked(peer("peerIP: 'fd00::9', asNumber: 1, nextHopAddressIPv4: 10.0.0.7")),
            "nextHopAddressIPv6": .remarked(external("nextHopAddressIPv6: 'fd00::7'")),
            "multihop": .remarked(`internal`("multihop: true")),
            "maxPrefixes.restartAfter": .remarked(external("maxPrefixes: {action: idle, restartAfter: 1m}")),
            "reversePeering": .remarked(external("reversePeering: Manual")),
            "routeTable": .remarked(external("routeTable: 100"), isReflector: true),
            "routeSourceAddress": .remarked(external("routeSourceAddress: 10.0.0.1"), isReflector: true),
            "reachableBy": .remarked(external("reachableBy: 10.0.0.254"), isReflector: true),
        ],
        "BGPFilter": [
            "importV4": .remarked(object("BGPFilter", "f", "importV4: [{action: Reject}]")),
            "importV6": .remarked(object("BGPFilter", "f", "importV6: [{action: Reject}]")),
            "exportV4": .remarked(object("BGPFilter", "f", "exportV4: [{action: Reject}]")),
            "exportV6": .remarked(object("BGPFilter", "f", "exportV6: [{action: Reject}]")),
        ],
        "FelixConfiguration": [
            "vxlanVNI": .remarked(felix("vxlanVNI: 5")), "vxlanPort": .remarked(felix("vxlanPort: 5")),
            "vxlanMTU": .remarked(felix("vxlanMTU: 1400")), "vxlanMTUV6": .remarked(felix("vxlanMTUV6: 1400")),
            "ipipMTU": .remarked(felix("ipipMTU: 1400")), "mtuIfacePattern": .remarked(felix("mtuIfacePattern: eth.*")),
        ],
    ]

    /// By kind; of a rule of BGPFilter without the list that it stands in.
    private static let effective: [String: String] = [
        "BGPConfiguration":
            """
        asNumber nodeToNodeMeshEnabled listenPort bindMode nodeMeshPassword.secretKeyRef
        nodeMeshPassword.secretKeyRef.name nodeMeshPassword.secretKeyRef.key nodeMeshMaxRestartTime maximumPaths
        nextHopTracking logSeverityScreen programClusterRoutes massWithdrawal massWithdrawal.percent
        ignoredInterfaces communities.name communities.value prefixAdvertisements prefixAdvertisements.cidr
        prefixAdvertisements.communities serviceClusterIPs.cidr serviceExternalIPs.cidr serviceLoadBalancerIPs.cidr
        ipv4NormalRoutePriority ipv6NormalRoutePriority
        """,
        // A filter, secret or link that is missing keeps the peer down, with the reason in status.
        "BGPPeer":
            """
        peerIP listenRange interface asNumber localASNumber holdTime idleHoldTime minRouteAdvertisementInterval
        families import export filters password password.secretKeyRef password.secretKeyRef.name
        password.secretKeyRef.key tcpAO tcpAO.secretKeyRef tcpAO.secretKeyRef.name tcpAO.secretKeyRef.key
        tcpAO.sendID tcpAO.receiveID tcpAO.algorithm ttlSecurity sourceAddress gracefulRestart extendedMessages
        addPath addPath.send addPath.receive strictRole bfd bfd.minTransmitInterval bfd.minReceiveInterval
        bfd.detectMultiplier bfd.multihop acceptBlackhole numAllowedLocalASNumbers maxPrefixes maxPrefixes.limit maxPrefixes.warnAt
        maxPrefixes.action shutdown
        """,
        "BGPFilter":
            """
        action cidr matchOperator prefixLength prefixLength.min prefixLength.max source interface peerType
        communities communities.values asPathPrefix priority operations operations.addCommunity
        operations.addCommunity.value operations.prependASPath operations.prependASPath.prefix
        operations.setPriority operations.setPriority.value
        """,
        "FelixConfiguration":
            """
        interfacePrefix deviceRouteProtocol deviceRouteSourceAddress deviceRouteSourceAddressIPv6
        ipv4ElevatedRoutePriority ipv6ElevatedRoutePriority liveMigrationRouteConvergenceTime ipForwarding
        routeRefreshInterval workloadSourceSpoofing routeLocalnet
        """,
        "Node":
            """
        bgp bgp.asNumber bgp.ipv4Address bgp.ipv6Address bgp.routeReflectorClusterID bgp.routerID
        bgp.ipv4IPIPTunnelAddr podCIDRs ipv4VXLANTunnelAddr ipv6VXLANTunnelAddr vxlanTunnelMACAddr
        vxlanTunnelMACAddrV6
        """,
        "IPPool": "cidr disableBGPExport ipipMode vxlanMode routeTable routeSourceAddress",
        "BlockAffinity": "node cidr state deleted",
        "WorkloadEndpoint": "node interfaceName ipNetworks mac routePriority",
    ]
    private static let informational: [String: String] = [
        "BGPConfiguration": "serviceLoadBalancerAggregation",
        "FelixConfiguration": "routeSyncDisabled removeExternalRoutes programClusterRoutes",
        "Node": "podCIDR addresses orchRefs wireguard interfaces taints providerID unschedulable",
        "IPPool": "blockSize natOutgoing disabled nodeSelector namespaceSelector allowedUses assignmentMode",
        "BlockAffinity": "type",
        "WorkloadEndpoint":
            """
        orchestrator workload pod containerID endpoint ipv4Gateway ipv6Gateway profiles ports serviceAccountName
        qosControls ipNATs allowSpoofedSourcePrefixes
        """,
    ]

    private static func classes(of kind: String) throws -> [String: Class] {
        var result = remarked[kind] ?? [:]
        for (list, value) in [(effective, Class.effective), (informational, .informational)] {
            for word in (list[kind] ?? "").split(whereSeparator: \.isWhitespace) {
                // Once each.
                try #require(result.updateValue(value, forKey: String(word)) == nil, "\(kind) \(word)")
            }
        }
        return result
    }

    // MARK: The fields

    private static func paths(_ fields: [FieldSpec], below path: String = "") -> [(path: String, spec: FieldSpec)] {
        fields.flatMap { field -> [(path: String, spec: FieldSpec)] in
            let name = path.isEmpty ? field.name : "\(path).\(field.name)"
            var type = field.type
            if case .list(let element) = type { type = element }
            guard case .object(let inner) = type else { return [(name, field)] }
            return [(name, field)] + paths(inner, below: name)
        }
    }

    @Test(arguments: Schemas.all.map(\.kind)) func `every field is classified, and is what its class says`(
        kind: String
    ) throws {
        let classes = try Self.classes(of: kind)
        let schema = try #require(Schemas.kind(kind))
        var seen: Set<String> = []
        for (path, spec) in Self.paths(schema.fields) {
            var path = path
            if kind == "BGPFilter", classes[path] == nil { path = String(path.drop { $0 != "." }.dropFirst()) }
            seen.insert(path)
            guard let value = classes[path] else {
                Issue.record("\(kind): spec.\(path) is not classified here: what is it when it has no effect?")
                continue
            }
            #expect(
                (value == .informational) == (spec.effect == .none),
                "\(kind): spec.\(path): the declaration says '\(spec.effect.rawValue)'")
            #expect(!spec.documentation.isEmpty, "\(kind): spec.\(path)")
        }
        #expect(Set(classes.keys).subtracting(seen).isEmpty, "no such fields: \(Set(classes.keys).subtracting(seen))")
    }

    @Test(arguments: Schemas.all.map(\.kind)) func `where a field has no effect a remark names it`(kind: String) throws
    {
        for (path, value) in try Self.classes(of: kind) {
            guard case .remarked(let text, let isReflector) = value else { continue }
            let remarks = try Self.remarks(text, isReflector: isReflector)
            // One sentence, and about this field: a filter is named as a whole.
            let words = kind == "BGPFilter" ? "BGPFilter/f" : path
            #expect(remarks.count == 1 && remarks[0].contains(words), "\(kind): spec.\(path): \(remarks)")
        }
    }

    private static func remarks(_ text: String, isReflector: Bool = false) throws -> [String] {
        let own = object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}")
        let resources = load(own + text)
        #expect(resources.problems.isEmpty, "\(resources.problems)")
        let identity = try #require(AttributeTable.Identity(resources, node: "n"))
        let context = PeeringDecision.Context(node: "n", isReflector: isReflector, identity: identity)
        let loaded = LoadedConfiguration(resources: resources, secrets: Secrets())
        return try #require(PeeringDecision(loaded, context, last: [], authenticationFailure: nil)).remarks.map(\.text)
    }

    @Test func `the same fields are not remarked on where they have an effect`() throws {
        let other = object("Node", "m", "bgp: {ipv4Address: 10.0.0.9/24, ipv6Address: 'fd00::9/64'}")
        let effective = [
            Self.peer("listenRange: 10.1.0.0/24, asNumber: 1, maxDynamicPeers: 5, passive: true"),
            Self.`internal`(
                "routeReflectorClient: true, nextHopMode: Self, keepaliveTime: 5s, connectRetryTime: 3s, passive: false, "
                    + "maxRestartTime: 60s, longLivedStaleTime: 1h, nextHopAddressIPv4: 10.0.0.7, routeTable: 100, "
                    + "routeSourceAddress: 10.0.0.1, reachableBy: 10.0.0.254"),
            Self.external(
                "reexportPrepend: 2, role: provider, keepOriginalNextHop: true, multihop: true, families: [ipv4, ipv6], "
                    + "extendedNextHop: true, nextHopAddressIPv6: 'fd00::7', gracefulRestart: helper, "
                    + "longLivedStaleTime: 1h, maxPrefixes: {limit: 5, warnAt: 5, restartAfter: 1m}"),
            other + Self.peer("node: n, peerIP: 10.0.0.9, reversePeering: Manual"),
            other + Self.peer("nodeSelector: all(), peerSelector: all(), reversePeering: Manual"),
            Self.configuration("massWithdrawal: {minimum: 5}"),
            Self.external("filters: [f]") + object("BGPFilter", "f", "importV4: [{action: Reject}]"),
            object("IPPool", "a", "cidr: 10.65.0.0/16, vxlanMode: Always")
                + object("IPPool", "b", "cidr: 'fd65::/64', vxlanMode: CrossSubnet")
                + object("IPPool", "c", "cidr: 10.66.0.0/16, ipipMode: Always")
                + Self.felix(
                    "vxlanVNI: 5, vxlanPort: 5, vxlanMTU: 9, vxlanMTUV6: 9, ipipMTU: 9, mtuIfacePattern: eth.*"),
            // What Calico's own installation writes.
            Self.felix("vxlanVNI: 4096, vxlanPort: 4789"),
            object("BGPConfiguration", "node.n", "listenPort: 1790, logSeverityScreen: Debug"),
        ]
        for text in effective {
            let remarks = try Self.remarks(text)
            #expect(remarks.isEmpty, "\(text): \(remarks)")
        }
    }

    @Test(arguments: [
        ("BGPConfiguration", "other", "asNumber: 65001", "only default and node.NAME are"),
        ("FelixConfiguration", "other", "ipForwarding: Enabled", "only default and node.NAME are"),
        ("BGPConfiguration", "node.m", "listenPort: 1790", "there is no Node of this name"),
        ("FelixConfiguration", "node.m", "vxlanMTU: 1400", "there is no Node of this name"),
        ("BGPConfiguration", "node.n", "maximumPaths: 4", "are for default"),
    ]) func `an object that nothing reads is remarked on`(kind: String, name: String, spec: String, words: String)
        throws
    {
        let remarks = try Self.remarks(object(kind, name, spec))
        #expect(
            remarks.count == 1 && remarks[0].hasPrefix("\(kind)/\(name): ") && remarks[0].contains(words), "\(remarks)")
    }

    @Test func `a thousand peers with one slip are one sentence`() throws {
        let text = (0..<1000).map {
            object(
                "BGPPeer", "p\($0)",
                "peerIP: 10.1.\($0 / 250).\($0 % 250 + 1), asNumber: 65001, passive: true, "
                    + "connectRetryTime: 3s")
        }.joined()
        let remarks = try Self.remarks(text)
        #expect(remarks.count == 1 && remarks[0].contains("and 997 more: spec.connectRetryTime: "), "\(remarks)")
    }
}
