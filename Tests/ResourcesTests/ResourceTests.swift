import Foundation
import NetTypes
import Resources
import Testing

func object(_ kind: String, _ name: String, _ spec: String, labels: String = "") -> String {
    """
    apiVersion: projectcalico.org/v3
    kind: \(kind)
    metadata: {name: \(name), labels: {\(labels)}}
    spec: {\(spec)}
    ---

    """
}
func load(_ text: String, previous: ResourceSet = ResourceSet()) -> ResourceSet {
    ResourceSet([ResourceParser.parse(text, file: "r.yaml")], files: ["r.yaml"], previous: previous)
}
func problems(_ text: String) -> [String] { ResourceParser.parse(text, file: "r.yaml").problems.map(\.description) }

@Suite struct ValidationTests {
    @Test(arguments: [
        ("peerIP: 10.0.0, asNumber: 1", "spec.peerIP", "is not an address of a peer; write it as 10.0.0.1"),
        ("listenRange: 10.0.0.0/24", "spec.asNumber", "is missing"),
        ("peerIP: 10.0.0.1, asNumber: 99999999999", "spec.asNumber", "out of range"),
        ("peerIP: 10.0.0.1, asNumber: abc", "spec.asNumber", "is not a number"),
        ("peerIp: 10.0.0.1, asNumber: 1", "spec.peerIp", "did you mean peerIP?"),
        ("peerIP: 10.0.0.1, asNumber: 1, nodeSelektor: all()", "spec.nodeSelektor", "did you mean nodeSelector?"),
        ("peerIP: 10.0.0.1, asNumber: 1, nodeSelector: \"a = 'b'\"", "spec.nodeSelector", "is not a selector"),
        ("peerIP: 10.0.0.1, asNumber: 1, node: a, nodeSelector: all()", "spec.nodeSelector", "excludes node"),
        ("asNumber: 1", "spec.peerIP", "one of peerIP, peerSelector, listenRange"),
        ("peerIP: 10.0.0.1, listenRange: 10.0.0.0/8, asNumber: 1", "spec.listenRange", "excludes peerIP"),
        ("peerSelector: all(), asNumber: 1", "spec.asNumber", "excludes peerSelector"),
        ("peerIP: 10.0.0.1, asNumber: 0", "spec.asNumber", "only possible with listenRange"),
        ("listenRange: 10.0.0.1/8, asNumber: 0", "spec.listenRange", "it would be 10.0.0.0/8"),
        ("peerIP: 10.0.0.1, asNumber: 1, holdTime: 2s", "spec.holdTime", "3s to 65535s"),
        ("peerIP: 10.0.0.1, asNumber: 1, holdTime: 90", "spec.holdTime", "is not a duration; write it as 90s"),
        ("peerIP: 10.0.0.1, asNumber: 1, import: save", "spec.import", "did you mean safe?"),
        ("peerIP: 10.0.0.1, asNumber: 1, passive: maybe", "spec.passive", "neither true nor false"),
        ("peerIP: 10.0.0.1, asNumber: 1, families: []", "spec.families", "must name ipv4, ipv6 or both"),
        (
            "peerIP: 10.0.0.1, asNumber: 1, password: {secretKeyRef: {name: a}}", "spec.password.secretKeyRef.key",
            "is missing"
        ),
        (
            "peerIP: 10.0.0.1, asNumber: 1, password: {secretKeyRef: {name: a/b, key: c}}",
            "spec.password.secretKeyRef.name", "plain name"
        ),
        (
            "peerIP: 10.0.0.1, asNumber: 1, addPath: {send: 0}", "spec.addPath.send",
            "neither a number from 1 to 255 nor all"
        ),
        (
            "peerIP: 10.0.0.1, asNumber: 1, nextHopAddressIPv4: 'fd00::1'", "spec.nextHopAddressIPv4",
            "is not an IPv4 address"
        ),
        (
            "peerIP: 10.0.0.1, asNumber: 1, nextHopAddressIPv6: 'fe80::1'", "spec.nextHopAddressIPv6",
            "no address that others could send to"
        ),
        ("peerIP: 10.0.0.1, asNumber: 1, multihop: 2", "spec.multihop", "neither true nor false"),
        ("peerIP: 10.0.0.1, asNumber: 1, role: uplink", "spec.role", "none of provider, customer, peer, rs, rs-client"),
        ("peerIP: 10.0.0.1, asNumber: 1, strictRole: true", "spec.strictRole", "needs role"),
        (
            "peerIP: 10.0.0.1, asNumber: 1, bfd: {minTransmitInterval: 10ms}", "spec.bfd.minTransmitInterval",
            "50ms to 10s"
        ),
        ("peerIP: 10.0.0.1, asNumber: 1, bfd: {detectMultiplier: 1}", "spec.bfd.detectMultiplier", "2 to 50"),
        ("peerIP: 10.0.0.1, asNumber: 1, longLivedStaleTime: 5000h", "spec.longLivedStaleTime", "16777215s"),
        ("peerIP: 10.0.0.1, asNumber: 1, reachableBy: fe80::1", "spec.reachableBy", "not of the family of peerIP"),
        ("listenRange: 10.0.0.0/8, asNumber: 1, reachableBy: 10.0.0.1", "spec.reachableBy", "needs peerIP"),
        (
            "peerIP: 10.0.0.1, asNumber: 1, minRouteAdvertisementInterval: 1h", "spec.minRouteAdvertisementInterval",
            "0s to 600s"
        ),
        (
            "peerIP: 10.0.0.1, asNumber: 1, maxPrefixes: {limit: 5, warnAt: 6}", "spec.maxPrefixes.warnAt",
            "beyond limit, 5"
        ),
        ("peerIP: 10.0.0.1, asNumber: 1, localASNumber: 0", "spec.localASNumber", "out of range"),
        ("interface: toolonganinterface, asNumber: 0", "spec.interface", "at most 15 characters"),
        ("peerIP: 10.0.0.1, interface: eth0, asNumber: 1", "spec.interface", "excludes peerIP"),
        (
            "peerIP: 10.0.0.1, asNumber: 1, password: {secretKeyRef: {name: a, key: b}}, tcpAO: {sendID: 1, "
                + "receiveID: 1, secretKeyRef: {name: a, key: b}}",
            "spec.tcpAO", "excludes password"
        ),
        ("peerIP: 10.0.0.1, asNumber: 1, ttlSecurity: 256", "spec.ttlSecurity", "1 to 255"),
        ("peerIP: 10.0.0.1, asNumber: 1, maxRestartTime: 5000s", "spec.maxRestartTime", "4095s"),
    ])
    func `a bad peer is refused with file, line, field and what would be right`(
        spec: String, field: String, words: String
    ) {
        let found = problems(object("BGPPeer", "tor", spec))
        #expect(found.contains { $0.hasPrefix("r.yaml:4: BGPPeer/tor: \(field): ") && $0.contains(words) }, "\(found)")
    }

    @Test(arguments: [
        (
            "importV4: [{action: Accept, cidr: 10.0.0.0/8}]", "spec.importV4[0].matchOperator",
            "cidr and matchOperator go together"
        ),
        ("importV4: [{cidr: 10.0.0.0/8, matchOperator: In}]", "spec.importV4[0].action", "is missing"),
        ("importV4: [{action: Accept, cidr: \"fd00::/8\", matchOperator: In}]", "spec.importV4[0].cidr", "not of IPv4"),
        (
            "exportV4: [{action: Accept, cidr: 10.0.0.0/8, matchOperator: In, prefixLength: {min: 30, max: 20}}]",
            "spec.exportV4[0].prefixLength", "no range of lengths"
        ),
        ("exportV4: [{action: Accept, prefixLength: {min: 30}}]", "spec.exportV4[0].prefixLength", "needs cidr"),
        (
            "importV6: [{action: Accept, communities: {values: [\"1:2\", \"3:4\"]}}]", "spec.importV6[0].communities",
            "exactly one value"
        ),
        (
            "importV6: [{action: Accept, communities: {values: [\"1:70000\"]}}]",
            "spec.importV6[0].communities.values[0]", "is not a community"
        ),
        (
            "exportV4: [{action: Reject, operations: [{setPriority: {value: 5}}]}]", "spec.exportV4[0].operations",
            "only possible with action Accept"
        ),
        (
            "exportV4: [{action: Accept, operations: [{}]}]", "spec.exportV4[0].operations[0].addCommunity",
            "exactly one of"
        ),
        (
            "exportV4: [{action: Accept, operations: [{prependASPath: {prefix: []}}]}]",
            "spec.exportV4[0].operations[0].prependASPath.prefix", "1 to 10 numbers"
        ),
        ("exportV5: []", "spec.exportV5", "did you mean exportV4?"),
    ])
    func `a bad filter is refused with rule, field and what would be right`(spec: String, field: String, words: String)
    {
        let found = problems(object("BGPFilter", "f", spec))
        #expect(found.contains { $0.hasPrefix("r.yaml:4: BGPFilter/f: \(field): ") && $0.contains(words) }, "\(found)")
    }

    @Test func `communities of prefixAdvertisements go by name or value, and a name that nobody declared is reported`()
    {
        let good = load(
            object(
                "BGPConfiguration", "default",
                "communities: [{name: pods, value: \"65000:7\"}], prefixAdvertisements: [{cidr: 10.65.0.0/16, "
                    + "communities: [pods, \"1:2:3\"]}, {cidr: 10.65.1.0/24, communities: [pods]}]"
            ))
        #expect(
            good.configuration(of: "a").communities(of: Prefix("10.65.1.0/26") ?? .default(.ipv4)) == [
                .standard(65000 << 16 | 7), .large(1, 2, 3),
            ])
        #expect(good.configuration(of: "a").communities(of: Prefix("10.66.1.0/26") ?? .default(.ipv4)).isEmpty)
        let bad = problems(
            object("BGPConfiguration", "default", "prefixAdvertisements: [{cidr: 10.65.0.0/16, communities: [pots]}]"))
        #expect(
            bad.contains { $0.contains("\"pots\" is neither a community nor a name in spec.communities") }, "\(bad)")
    }

    @Test(arguments: [
        (
            "kind: BGPPeers\napiVersion: projectcalico.org/v3\nmetadata: {name: a}",
            "kind: \"BGPPeers\" is unknown; did you mean BGPPeer?"
        ),
        ("kind: Node\nmetadata: {name: a}\nspec: {}", "apiVersion: is missing"),
        ("kind: Node\napiVersion: projectcalico.org/v3\nspec: {}", "metadata.name is missing"),
        ("- a\n- b", "must be an object"), ("a: [1, 2", "not YAML"), ("kind: Node\n\tx: 1", "r.yaml:2: not YAML"),
        (
            "kind: Node\nspec: {}\nkind: Node",
            "r.yaml:3: not YAML: \"kind\" stands twice in one object, at line 1 and here"
        ),
        ("kind: Node\nspec: *base", "r.yaml:2: not YAML: *base names no anchor before it"),
        ("kind: &a [*a]", "r.yaml:1: not YAML: *a names no anchor before it"),
        ("a: &a x\n---\nb: *a", "r.yaml:3: not YAML: *a names no anchor"),
        ("kind: Node\n\nname: a\u{1}b", "r.yaml:3: not YAML: control characters are not allowed"),
        ("a: \"open", "r.yaml:1: not YAML: while scanning a quoted scalar at line 1: found unexpected end of stream"),
    ])
    func `a file that is no resource says so`(text: String, words: String) {
        let found = problems(text)
        #expect(found.contains { $0.contains(words) && $0.hasPrefix("r.yaml:") }, "\(found)")
    }

    @Test func `endpoints, blocks and nodes are judged too`() {
        #expect(
            problems(object("WorkloadEndpoint", "p", "node: n, interfaceName: cali0, ipNetworks: [10.0.0.0/24]"))[0]
                .contains("must be a /32 or a /128"))
        #expect(
            problems(
                object(
                    "WorkloadEndpoint", "p", "node: n, interfaceName: waytoolonginterface, ipNetworks: [10.0.0.1/32]"))[
                    0
                ].contains("at most 15 characters"))
        #expect(
            problems(
                object("WorkloadEndpoint", "p", "node: n, interfaceName: cali0, mac: zz, ipNetworks: [10.0.0.1/32]"))[0]
                .contains("not a MAC address"))
        #expect(
            problems(object("BlockAffinity", "b", "node: n, cidr: 10.0.0.0/26, state: maybe"))[0].contains(
                "none of confirmed, pending"))
        #expect(
            problems(object("Node", "n", "bgp: {ipv4Address: 2001:db8::1/64}"))[0].contains("is not an IPv4 address"))
        #expect(problems(object("Node", "n", "bgp: {routerID: 0.0.0.0}"))[0].contains("other than 0.0.0.0"))
    }

    @Test func `a manifest as calicoctl exports it is accepted as it is`() {
        let text = """
            apiVersion: projectcalico.org/v3
            kind: NodeList
            metadata: {resourceVersion: "12"}
            items:
            - apiVersion: projectcalico.org/v3
              kind: Node
              metadata:
                annotations: {projectcalico.org/kube-labels: '{}'}
                creationTimestamp: "2026-01-01T00:00:00Z"
                labels: {kubernetes.io/hostname: a}
                name: a
                resourceVersion: "12"
                uid: 1-2-3
              spec:
                addresses: [{address: 10.0.0.1, type: InternalIP}]
                bgp: {ipv4Address: 10.0.0.1/24, ipv4IPIPTunnelAddr: 192.168.1.1}
                orchRefs: [{nodeName: a, orchestrator: k8s}]
              status: {podCIDRs: [192.168.0.0/24]}
            """
        let set = load(text)
        #expect(set.problems.isEmpty, "\(set.problems)")
        #expect(set.nodes["a"]?.labels["kubernetes.io/hostname"] == "a")
    }

    @Test
    func
        `pools with tunnels, FelixConfiguration and BGPConfiguration as calicoctl exports them are accepted as they are`()
        throws
    {
        let text = """
            apiVersion: projectcalico.org/v3
            items:
            - apiVersion: projectcalico.org/v3
              kind: IPPool
              metadata:
                creationTimestamp: "2026-01-01T00:00:00Z"
                name: default-ipv4-ippool
                resourceVersion: "812"
                uid: 3a7c2f5e-7a0e-4a37-a3f2-0d6d4a1f6f0b
              spec:
                allowedUses:
                - Workload
                - Tunnel
                assignmentMode: Automatic
                blockSize: 26
                cidr: 192.168.0.0/16
                ipipMode: Never
                natOutgoing: true
                nodeSelector: all()
                vxlanMode: CrossSubnet
            kind: IPPoolList
            metadata:
              resourceVersion: "1204"
            ---
            apiVersion: projectcalico.org/v3
            kind: FelixConfiguration
            metadata:
              creationTimestamp: "2026-01-01T00:00:00Z"
              generation: 1
              name: default
              resourceVersion: "814"
              uid: 5e0f7a3c-1f57-4a8b-9d52-1f0e9c3f2f11
            spec:
              bpfConnectTimeLoadBalancing: TCP
              bpfLogLevel: ""
              floatingIPs: Disabled
              healthPort: 9099
              ipv4ElevatedRoutePriority: 400
              liveMigrationRouteConvergenceTime: 10s
              logSeverityScreen: Info
              reportingInterval: 0s
              vxlanVNI: 4097
            ---
            apiVersion: projectcalico.org/v3
            kind: BGPConfiguration
            metadata: {name: default, resourceVersion: "815"}
            spec:
              asNumber: 64513
              bindMode: NodeIP
              communities: [{name: edge, value: "64513:100"}]
              listenPort: 179
              logSeverityScreen: Info
              nodeMeshMaxRestartTime: 120s
              nodeToNodeMeshEnabled: true
              prefixAdvertisements: [{cidr: 192.168.0.0/16, communities: [edge]}]
              serviceClusterIPs: [{cidr: 10.96.0.0/12}]
            """
        let set = load(text)
        #expect(set.problems.isEmpty, "\(set.problems)")
        let pool = try #require(set.pools.first)
        #expect(pool.encapsulation?.isVXLAN == true && pool.encapsulation?.isCrossSubnet == true)
        let felix = set.felix(of: "a")
        #expect(
            felix.vxlanIdentifier == 4097 && felix.elevatedPriority[0] == 400
                && felix.migrationConvergence == .seconds(10))
        #expect(set.asNumber(of: "a") == ASNumber(64513))
    }
}

@Suite struct LastGoodTests {
    static let good =
        object("Node", "a", "bgp: {ipv4Address: 10.0.0.1/24}")
        + object("BGPPeer", "tor", "peerIP: 10.0.0.254, asNumber: 65000")

    @Test func `a bad object keeps its last good version and the rest is applied`() {
        let before = load(Self.good)
        let after = load(
            object("Node", "a", "bgp: {ipv4Address: 10.0.0.2/24}")
                + object("BGPPeer", "tor", "peerIP: nonsense, asNumber: 65000"), previous: before)
        #expect(after.nodes["a"]?.ipv4?.address == IPAddress("10.0.0.2"))
        #expect(after.peers.first?.peer.peer?.address == IPAddress("10.0.0.254"))
        #expect(after.problems.count == 1)
        #expect(load(object("Node", "a", "bgp: {ipv4Address: 10.0.0.2/24}"), previous: after).peers.isEmpty)
    }

    @Test func `a file that is not YAML keeps all that came from it`() {
        let before = load(Self.good)
        let after = load("{{{{", previous: before)
        #expect(after.nodes.count == 1 && after.peers.count == 1)
        #expect(after.problems.count == 1)
    }

    @Test
    func
        `an object that stands twice and a node with another's address are refused, the first ones stay (contract 2_5)`()
    {
        let twice = load(Self.good + object("Node", "a", "bgp: {ipv4Address: 10.0.0.9/24}"))
        #expect(twice.nodes["a"]?.ipv4?.address == IPAddress("10.0.0.1"))
        #expect(twice.problems.first?.message.contains("stands already at r.yaml:1") == true)
        let clash = load(Self.good + object("Node", "b", "bgp: {ipv4Address: 10.0.0.1/24}"))
        #expect(clash.nodes.keys.sorted() == ["a"])
        #expect(clash.problems.first?.message.contains("is that of Node/a") == true)
    }

    @Test func `blocks are those of confirmed affinities, or the podCIDRs where there is no affinity`() {
        let node = object("Node", "a", "bgp: {ipv4Address: 10.0.0.1/24}, podCIDRs: [10.7.0.0/24]")
        #expect(load(node).blocks(of: "a").map(\.description) == ["10.7.0.0/24"])
        let set = load(
            node + object("BlockAffinity", "x", "node: a, cidr: 10.65.1.0/26, state: confirmed")
                + object("BlockAffinity", "y", "node: a, cidr: 10.65.2.0/26, state: pending")
                + object("BlockAffinity", "z", "node: a, cidr: 10.65.3.0/26, state: confirmed, deleted: 'true'"))
        #expect(set.blocks(of: "a").map(\.description) == ["10.65.1.0/26"])
    }
}
