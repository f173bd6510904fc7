import NetTypes
import Resources
import Testing

/// Nodes as `kubectl get nodes -o yaml` prints them, where the Kubernetes API is Calico's store.
@Suite struct KubernetesNodeTests {
    @Test func `internal addresses come from its status, and an object of projectcalico.org has none`() throws {
        let parsed = ResourceParser.parse(Self.dump("projectcalico.org/ASNumber: \"64513\""), file: "n.yaml")
        #expect(parsed.problems.isEmpty)
        guard case .node(let node)? = parsed.resources.first?.value else {
            Issue.record("no Node: \(parsed)")
            return
        }
        let wanted = ["172.18.0.3", "fc00:f853:ccd:e793::3"].compactMap { (text: String) in IPAddress(text) }
        #expect(node.internalAddresses == wanted)
        let other = ResourceParser.parse(
            "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n}\nspec: {}\n"
                + "status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n", file: "n.yaml")
        guard case .node(let calico)? = other.resources.first?.value else {
            Issue.record("no Node: \(other)")
            return
        }
        #expect(calico.internalAddresses.isEmpty)
    }

    private static func dump(_ annotations: String, name: String = "node1") -> String {
        """
        apiVersion: v1
        items:
        - apiVersion: v1
          kind: Node
          metadata:
            annotations:
              node.alpha.kubernetes.io/ttl: "0"
              volumes.kubernetes.io/controller-managed-attach-detach: "true"
        \(annotations.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n"))
            creationTimestamp: "2026-11-25T23:16:03Z"
            labels:
              kubernetes.io/hostname: \(name)
              rack: a
            name: \(name)
            resourceVersion: "294"
            uid: 37e66194-57ed-4193-8a47-bd4e30c7ae3a
          spec:
            configSource: null
            externalID: i-0abc
            podCIDR: 10.65.0.0/24
            podCIDRs:
            - 10.65.0.0/24
            - fd00:10:65::/64
            taints:
            - effect: NoSchedule
              key: node.kubernetes.io/not-ready
          status:
            addresses:
            - address: 172.18.0.3
              type: InternalIP
            - address: fc00:f853:ccd:e793::3
              type: InternalIP
            - address: \(name)
              type: Hostname
            allocatable:
              cpu: "4"
            nodeInfo:
              architecture: amd64
        kind: List
        metadata:
          resourceVersion: ""

        """
    }

    private static let complete = """
        projectcalico.org/ASNumber: "1.10"
        projectcalico.org/IPv4Address: 10.0.1.1/24
        projectcalico.org/IPv4IPIPTunnelAddr: 10.65.0.1
        projectcalico.org/IPv4VXLANTunnelAddr: 10.65.0.2
        projectcalico.org/IPv6Address: 2001:db8::1/64
        projectcalico.org/IPv6VXLANTunnelAddr: fd00:10:65::2
        projectcalico.org/RouteReflectorClusterID: 244.0.0.1
        projectcalico.org/VXLANTunnelMACAddr: 66:11:22:33:44:55
        projectcalico.org/VXLANTunnelMACAddrV6: 66:11:22:33:44:56
        projectcalico.org/WireguardPublicKey: jlkVyQYooZYzI2wFfNhSZez5eWh44yfq1wKVjLvSXgY=
        projectcalico.org/kube-labels: '{"rack":"a"}'
        """

    @Test func `each annotation is the field that it stands for, and labels and blocks are the node's`() throws {
        let set = load(Self.dump(Self.complete))
        #expect(set.problems.isEmpty, "\(set.problems)")
        let node = try #require(set.node("node1"))
        #expect(node.labels == ["kubernetes.io/hostname": "node1", "rack": "a"])
        #expect(node.asNumber == ASNumber(65546))
        #expect(node.address(.ipv4) == IPAddress("10.0.1.1") && node.ipv4?.subnet == Prefix("10.0.1.0/24"))
        #expect(node.address(.ipv6) == IPAddress("2001:db8::1") && node.ipv6?.subnet == Prefix("2001:db8::/64"))
        #expect(node.routeReflectorClusterID == BGPIdentifier(rawValue: 0xF400_0001))
        #expect(node.ipipTunnelAddress == IPAddress("10.65.0.1"))
        #expect(node.vxlanTunnelAddresses == [IPAddress("10.65.0.2"), IPAddress("fd00:10:65::2")])
        #expect(
            node.vxlanTunnelMACs == [MACAddress("66:11:22:33:44:55"), MACAddress("66:11:22:33:44:56")])
        #expect(node.podCIDRs == [Prefix("10.65.0.0/24")!, Prefix("fd00:10:65::/64")!])
    }

    @Test func `a Node without annotations, and one with empty ones, has no address`() throws {
        for annotations in ["", "projectcalico.org/IPv4Address: \"\"\nprojectcalico.org/ASNumber: ''"] {
            let set = load(Self.dump(annotations))
            #expect(set.problems.isEmpty, "\(set.problems)")
            let node = try #require(set.node("node1"))
            #expect(node.families.isEmpty && node.asNumber == nil)
        }
    }

    @Test(arguments: [
        ("IPv4Address: 10.0.1", "IPv4Address", "10.0.0.1/24"),
        ("IPv4Address: 10.0.1.1/33", "IPv4Address", "10.0.0.1/24"),
        ("IPv4Address: 2001:db8::1/64", "IPv4Address", "not an IPv4 address; write it as 10.0.0.1/24"),
        ("IPv6Address: 10.0.1.1/24", "IPv6Address", "not an IPv6 address; write it as 2001:db8::1/64"),
        ("ASNumber: sixty", "ASNumber", "1 to 4294967295"), ("ASNumber: \"0\"", "ASNumber", "1 to 4294967295"),
        ("RouteReflectorClusterID: 0.0.0.0", "RouteReflectorClusterID", "dotted quad"),
        ("IPv4IPIPTunnelAddr: fd00::1", "IPv4IPIPTunnelAddr", "not an IPv4 address"),
        ("IPv4VXLANTunnelAddr: here", "IPv4VXLANTunnelAddr", "10.0.0.1 or 2001:db8::1"),
        ("IPv6VXLANTunnelAddr: 10.65.0.1", "IPv6VXLANTunnelAddr", "not an IPv6 address"),
        ("VXLANTunnelMACAddr: 66:11", "VXLANTunnelMACAddr", "02:00:00:00:00:01"),
        ("VXLANTunnelMACAddrV6: x", "VXLANTunnelMACAddrV6", "02:00:00:00:00:01"),
        ("IPv4Adress: 10.0.1.1/24", "IPv4Adress", "did you mean projectcalico.org/IPv4Address?"),
    ])
    func `a bad annotation is named with file, line, field and what would be right`(
        annotation: String, field: String, right: String
    ) {
        let found = load(Self.dump("projectcalico.org/" + annotation)).problems
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.line == 9)
        #expect(found.first?.field == "metadata.annotations.projectcalico.org/\(field)")
        #expect(found.first.map { "\($0)".contains(right) } ?? false, "\(found)")
    }

    @Test func `Nodes of both APIs are peers of each other's mesh`() {
        let set = load(
            Self.dump("projectcalico.org/IPv4Address: 10.0.1.1/24") + "---\n"
                + object("Node", "node2", "bgp: {ipv4Address: 10.0.1.2/24}"))
        #expect(set.problems.isEmpty, "\(set.problems)")
        #expect(set.nodes.keys.sorted() == ["node1", "node2"])
        #expect(set.nodeAddresses.count == 2)
    }

    @Test func `what spec says stands over the annotation`() throws {
        let set = load(
            """
            apiVersion: v1
            kind: Node
            metadata: {name: n, annotations: {projectcalico.org/IPv4Address: 10.0.1.1/24}}
            spec: {bgp: {ipv4Address: 10.0.1.7/24}}

            """)
        #expect(set.node("n")?.address(.ipv4) == IPAddress("10.0.1.7"))
    }

    @Test func `annotations of a Node of projectcalico org are not its address`() {
        let set = load(
            """
            apiVersion: projectcalico.org/v3
            kind: Node
            metadata: {name: n, annotations: {projectcalico.org/IPv4Address: 10.0.1.1/24}}

            """)
        #expect(set.problems.isEmpty && set.node("n")?.families == [])
    }
}
