import BGPRouting
import NetTypes
import Planning
import Resources
import Testing
import Wording

/// What is accepted and has no effect as it stands is said; what has an effect is not.
@Suite struct RemarksTests {
    private static func node(_ more: String = "", labels: String = "") -> String {
        object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}\(more)", labels: labels)
    }

    private static func remarks(_ text: String, node: String = node(), last: [PlannedPeer] = []) throws -> [String] {
        let resources = load(node + text)
        #expect(resources.problems.isEmpty, "\(resources.problems)")
        let identity = try #require(AttributeTable.Identity(resources, node: "n"))
        let context = PeeringDecision.Context(node: "n", isReflector: false, identity: identity)
        let loaded = LoadedConfiguration(resources: resources, secrets: Secrets())
        return try #require(PeeringDecision(loaded, context, last: last, authenticationFailure: nil)).remarks.map(
            \.text)
    }

    private static func configuration(_ spec: String) -> String { object("BGPConfiguration", "default", spec) }
    private static func pod(_ name: String, _ address: String) -> String {
        "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\n"
            + "metadata: {name: \(name), namespace: d, labels: {bgp: 'on'}}\n"
            + "spec: {node: n, interfaceName: cali1, ipNetworks: ['\(address)']}\n---\n"
    }
    private static let pods = object("BGPPeer", "pods", "localWorkloadSelector: bgp == 'on', asNumber: 65001")
    private static let excluded = node(labels: "\(NodeResource.exclusionLabel): 'true'")

    // MARK: Services

    @Test func `a single external or load balancer address is not announced without a Service, and that is said`()
        throws
    {
        let text = Self.configuration(
            "serviceClusterIPs: [{cidr: 10.96.0.9/32}], serviceExternalIPs: [{cidr: 192.0.2.1/32}, "
                + "{cidr: 192.0.2.64/26}], serviceLoadBalancerIPs: [{cidr: '2001:db8::1/128'}, {cidr: 198.51.100.0/24}]"
        )
        let state = NodeState(load(Self.node() + text), node: "n")
        #expect(state.own.services.map { "\($0)" } == ["10.96.0.9/32", "192.0.2.64/26", "198.51.100.0/24"])
        let remarks = try Self.remarks(text)
        #expect(remarks.count == 1 && remarks[0].contains("192.0.2.1/32, 2001:db8::1/128: a single address"))
    }

    @Test(arguments: [("'true'", true), ("true", true), ("'false'", false), ("''", false), ("'True'", false)])
    func `only an own Node that says true is excluded from services`(value: String, isExcluded: Bool) throws {
        let own = Self.node(labels: "\(NodeResource.exclusionLabel): \(value)")
        let text = Self.configuration("serviceClusterIPs: [{cidr: 10.96.0.0/12}]")
        #expect(NodeState(load(own + text), node: "n").own.services.isEmpty == isExcluded)
        let remarks = try Self.remarks(text, node: own)
        #expect(remarks.contains { $0.contains(NodeResource.exclusionLabel) } == isExcluded, "\(remarks)")
    }

    @Test func `another node's exclusion is none of ours`() {
        let other = object("Node", "m", "", labels: "\(NodeResource.exclusionLabel): 'true'")
        let text = other + Self.configuration("serviceClusterIPs: [{cidr: 10.96.0.0/12}]")
        #expect(NodeState(load(Self.node() + text), node: "n").own.services.count == 1)
    }

    private static let twoAtOnePort =
        object("BGPPeer", "a", "peerIP: '10.0.0.9:1790', asNumber: 1")
        + object("BGPPeer", "b", "peerIP: '10.0.0.9:1790', asNumber: 2")
        + object("BGPPeer", "c", "peerIP: 10.0.0.9, asNumber: 2")
    private static let twoWays =
        object("BGPPeer", "a", "peerIP: 10.0.9.9, asNumber: 1, reachableBy: 10.0.0.7")
        + object("BGPPeer", "b", "peerIP: '10.0.9.9:1790', asNumber: 2, reachableBy: 10.0.0.8")
        + object("BGPPeer", "c", "peerIP: '10.0.9.9:1791', asNumber: 2, reachableBy: 10.0.0.7")
    private static let twoPassive =
        object("BGPPeer", "a", "peerIP: 'fd00::9', asNumber: 1, passive: true")
        + object("BGPPeer", "b", "peerIP: '[fd00::9]:1790', asNumber: 2, passive: true")

    private static let passiveBeside =
        object("BGPPeer", "a", "peerIP: 10.0.0.9, asNumber: 1, passive: true")
        + object("BGPPeer", "b", "peerIP: '10.0.0.9:1790', asNumber: 2")

    // MARK: What has no effect

    @Test(arguments: [
        (
            configuration("serviceClusterIPs: [{}, {}]"),
            "spec.serviceClusterIPs: an entry without cidr announces nothing"
        ),
        (
            configuration("nodeToNodeMeshEnabled: false, nodeMeshPassword: {secretKeyRef: {name: s, key: k}}"),
            "spec.nodeMeshPassword: it is for the mesh"
        ),
        (configuration("communities: [{name: c, value: '65000:1'}]"), "no entry of prefixAdvertisements uses \"c\""),
        (configuration("localWorkloadPeeringIPV4: 169.254.9.9"), "it is for a BGPPeer with localWorkloadSelector"),
        (pods, "spec.localWorkloadSelector: it needs an address that pods connect to"),
        (
            pods + configuration("localWorkloadPeeringIPV4: 169.254.9.9") + pod("w", "fd00:65::9/128"),
            "d/w: no peer, because localWorkloadPeeringIPV6"
        ),
        (object("BGPPeer", "p", "peerSelector: has(nobody)"), "spec.peerSelector: matches no Node"),
        (
            object("BGPPeer", "a", "peerIP: 10.0.0.9, asNumber: 1")
                + object("BGPPeer", "b", "peerIP: 10.0.0.9, asNumber: 2"),
            "BGPPeer/b: not used for 10.0.0.9: BGPPeer/a has it"
        ),
        (
            object("BGPPeer", "a", "node: n, peerIP: 10.0.0.9, asNumber: 1")
                + object("BGPPeer", "b", "peerIP: 10.0.0.9, asNumber: 2"),
            "BGPPeer/a: not used for 10.0.0.9: BGPPeer/b has it"
        ),
        (twoWays, "BGPPeer/b: spec.reachableBy: BGPPeer/a has the way to 10.0.9.9, by 10.0.0.7"),
        (twoAtOnePort, "BGPPeer/b: not used for 10.0.0.9:1790: BGPPeer/a has it"),
        (
            passiveBeside,
            "BGPPeer/a: spec.passive: every connection from 10.0.0.9 is taken for it; BGPPeer/b (10.0.0.9:1790) must not"
        ),
        (twoPassive, "BGPPeer/b: not used for [fd00::9]:1790: BGPPeer/a has it"),
    ])
    func `it is said`(text: String, words: String) throws {
        let remarks = try Self.remarks(text)
        #expect(remarks.count == 1 && remarks.allSatisfy { $0.contains(words) }, "\(remarks)")
    }

    @Test(arguments: [
        configuration("serviceClusterIPs: [{cidr: 10.96.0.0/12}], serviceExternalIPs: [{cidr: 192.0.2.0/24}]"),
        configuration("nodeMeshPassword: {secretKeyRef: {name: s, key: k}}"),
        configuration(
            "communities: [{name: c, value: '65000:1'}], prefixAdvertisements: [{cidr: 10.65.0.0/16, communities: [c]}]"
        ),
        pods + configuration("localWorkloadPeeringIPV4: 169.254.9.9") + pod("w", "10.65.1.9/32"),
        // A mesh of two, one of which has a BGPPeer too: giving way is what a mesh is for.
        object("Node", "m", "bgp: {ipv4Address: 10.0.0.2/24}") + object("BGPPeer", "p", "peerIP: 10.0.0.2"),
        object("Node", "m", "bgp: {ipv4Address: 10.0.0.2/24}", labels: "rr: 'yes'")
            + object("BGPPeer", "p", "peerSelector: rr == 'yes'"),
        object("Node", "m", "bgp: {ipv4Address: 10.0.0.2/24}")
            + object("BGPPeer", "elsewhere", "node: m, localWorkloadSelector: all(), asNumber: 65001"),
        // Every node has it, and one of them is it.
        object("BGPPeer", "me", "peerIP: 10.0.0.1, asNumber: 64512"),
    ])
    func `it is not said`(text: String) throws {
        let remarks = try Self.remarks(text)
        #expect(remarks.isEmpty, "\(remarks)")
    }

    @Test func `a hundred nodes that two selectors pick are one sentence`() throws {
        let nodes = (2...101).map { object("Node", "m\($0)", "bgp: {ipv4Address: 10.0.1.\($0)/16}", labels: "a: b") }
        let peers = ["p", "q"].map { object("BGPPeer", $0, "peerSelector: a == 'b'") }
        let remarks = try Self.remarks((nodes + peers).joined())
        #expect(remarks.count == 1 && remarks[0].hasPrefix("BGPPeer/q: not used for "), "\(remarks)")
        #expect(remarks[0].hasSuffix("and 97 more: BGPPeer/p has them") && remarks[0].utf8.count < 200, "\(remarks)")
    }
}
