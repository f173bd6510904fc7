import NetTypes
import Resources
import Testing

/// What dumps of Calico's own tools contain is accepted as it is.
@Suite struct CalicoDumpTests {
    @Test(arguments: [
        ("BGPFilter", "importV4: [{action: Accept, source: RemotePeers}]"),
        ("BGPPeer", "peerSelector: has(rr), asNumber: 0"), ("BGPPeer", "peerIP: '', peerSelector: has(rr)"),
        ("BGPPeer", "peerIP: 10.0.0.9, asNumber: '65001'"),
        ("BGPPeer", "peerIP: 10.0.0.9, asNumber: '1.10'"), ("Node", "bgp: {asNumber: '65535.65535'}"), ("Node", ""),
        ("BGPConfiguration", "serviceClusterIPs: [{}], serviceExternalIPs: [{}], serviceLoadBalancerIPs: [{}]"),
        ("BlockAffinity", "node: n, cidr: 10.65.1.0/26"),
        ("BlockAffinity", "node: n, cidr: 10.65.1.0/26, state: confirmed, deleted: ''"),
    ])
    func `it is no problem`(kind: String, spec: String) {
        #expect(problems(object(kind, "x", spec)).isEmpty)
    }

    @Test func `a block without a state is confirmed, and one with an empty 'deleted' is there`() {
        let text =
            object("BlockAffinity", "a", "node: n, cidr: 10.65.1.0/26")
            + object("BlockAffinity", "b", "node: n, cidr: 10.65.2.0/26, state: confirmed, deleted: ''")
            + object("BlockAffinity", "c", "node: n, cidr: 10.65.3.0/26, state: pending")
        let set = ResourceSet([ResourceParser.parse(text, file: "r.yaml")], files: ["r.yaml"], previous: ResourceSet())
        #expect(set.blocks(of: "n").map { "\($0)" } == ["10.65.1.0/26", "10.65.2.0/26"])
    }

    @Test func `an empty peerIP alone names no peer`() {
        #expect(problems(object("BGPPeer", "x", "peerIP: '', asNumber: 65001"))[0].contains("spec.peerIP: is missing"))
    }

    @Test func `an AS other than 0 beside a selector stays a problem`() {
        #expect(problems(object("BGPPeer", "x", "peerSelector: has(rr), asNumber: 65001"))[0].contains("peerSelector"))
    }

    // MARK: AS numbers

    @Test func `an AS with a dot is its two halves, wherever one may stand`() throws {
        let set = load(
            object("BGPConfiguration", "default", "asNumber: '1.0'") + object("Node", "a", "bgp: {asNumber: '0.65001'}")
                + object("Node", "b", "")
                + object("BGPPeer", "p", "peerIP: 10.0.0.9, asNumber: '1.10', localASNumber: \"2.0\"")
                + object(
                    "BGPFilter", "f",
                    "exportV4: [{action: Accept, asPathPrefix: ['1.10'], operations: [{prependASPath: {prefix: ['1.1']}}]}]"
                ))
        #expect(set.problems.isEmpty, "\(set.problems)")
        #expect(set.asNumber(of: "a") == ASNumber(65001) && set.asNumber(of: "b") == ASNumber(65536))
        let peer = try #require(set.peers.first?.peer)
        #expect(peer.asNumber == ASNumber(65546) && peer.localASNumber == ASNumber(131_072))
        let rule = try #require(set.filter("f")?.exportRules[0].first)
        #expect(rule.asPathPrefix == [ASNumber(65546)] && rule.operations == [.prependASPath([ASNumber(65537)])])
    }

    @Test(arguments: ["'1.65536'", "'65536.1'", "'1.'", "'.1'", "'1.1.1'", "'1.+1'", "'1. 1'", "'0.0'"])
    func `what is no AS with a dot is refused with what would be right`(text: String) {
        let found = problems(object("Node", "n", "bgp: {asNumber: \(text)}"))
        #expect(
            found.count == 1 && found.allSatisfy { $0.contains("spec.bgp.asNumber: ") && $0.contains("as in 1.10") })
    }

    // MARK: Lists

    @Test(arguments: [
        #"[{"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": "a"}, "spec": {}},"#
            + #" {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": "b"}, "spec": {}}]"#,
        "kind: List\nmetadata: null\nitems:\n"
            + ["a", "b"].map { "- {apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: \($0)}}\n" }.joined(),
        "apiVersion: projectcalico.org/v3\nkind: NodeList\nmetadata: null\nitems:\n- {metadata: {name: a}}\n"
            + "- {metadata: {name: b}}\n",
    ])
    func `a JSON array, a List and a typed list are their objects`(text: String) {
        let parsed = ResourceParser.parse(text, file: "r.yaml")
        #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        #expect(parsed.resources.map(\.key.description) == ["Node/a", "Node/b"])
    }

    @Test(arguments: ["[]", "kind: List\napiVersion: v1\nitems: null", "kind: NodeList\napiVersion: v1\nitems: []"])
    func `a list of nothing is nothing`(text: String) {
        let parsed = ResourceParser.parse(text, file: "r.yaml")
        #expect(parsed.problems.isEmpty && parsed.resources.isEmpty)
    }

    @Test func `a list of numbers is one problem`() {
        #expect(problems("[1, 2, 3]").count == 1)
        #expect(problems("kind: List\nitems: [1, 2, 3]").count == 1)
    }

    // MARK: Labels

    @Test func `a label that YAML reads as a boolean is true or false, and one in quotes is what it says`() throws {
        let labels =
            "a: yes, b: on, c: True, d: y, e: no, f: OFF, g: 'yes', h: \"on\", i: yEs, j: true, k: 'true', l: 1"
        let node = try #require(load(object("Node", "n", "", labels: labels)).node("n"))
        #expect(
            node.labels == [
                "a": "true", "b": "true", "c": "true", "d": "true", "e": "false", "f": "false", "g": "yes", "h": "on",
                "i": "yEs", "j": "true", "k": "true", "l": "1",
            ])
        #expect(try Selector("a == 'true' && e == 'false'").matches(node.labels))
        #expect(try !Selector("a == 'yes'").matches(node.labels))
    }

    // MARK: Other kinds

    private static func other(_ kind: String, _ name: String, version: String = "projectcalico.org/v3") -> String {
        "apiVersion: \(version)\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {whatever: 1}\n---\n"
    }

    @Test func `objects of Calico's other kinds are counted, and no problem`() {
        let text =
            Self.other("NetworkPolicy", "p") + Self.other("IPAMBlock", "b", version: "crd.projectcalico.org/v1")
            + object("Node", "n", "")
        let set = load(text)
        #expect(set.problems.isEmpty && set.resources.count == 1)
        #expect(set.others.map { "\($0.kind)/\($0.name):\($0.line)" } == ["NetworkPolicy/p:1", "IPAMBlock/b:6"])
        // A file that cannot be read for the moment keeps what it had.
        #expect(load("a: [", previous: set).others == set.others && load(object("Node", "n", "")).others.isEmpty)
    }

    @Test func `a kind that nobody has stays a problem, and so does Calico's in a foreign version`() {
        #expect(problems(Self.other("NetworkPolice", "p"))[0].contains("is unknown"))
        #expect(problems(Self.other("NetworkPolicy", "p", version: "networking.k8s.io/v1")).isEmpty == false)
    }

    @Test func `a file with objects of other kinds is looked at with all the others`() {
        let endpoint = "node: n, interfaceName: cali1, ipNetworks: [10.65.1.9/32]"
        let before = load(object("WorkloadEndpoint", "w", endpoint) + Self.other("Tier", "t"))
        let parsed = ResourceParser.parse(object("WorkloadEndpoint", "w", endpoint), file: "r.yaml")
        if case .other = before.change(parsed, of: "r.yaml") {} else { Issue.record("the count of others would stay") }
    }

    // MARK: Addresses of peers

    @Test(arguments: [
        ("0.0.0.0", "is no host's address"), ("'::'", "is no host's address"), ("224.0.0.5", "multicast"),
        ("'[ff02::5]:179'", "multicast"), ("255.255.255.255:179", "broadcast"),
        ("'::ffff:10.0.0.9'", "write it as 10.0.0.9"), ("'[::ffff:10.0.0.9]:1790'", "write it as 10.0.0.9:1790"),
    ])
    func `an address that no peer has is refused`(text: String, words: String) {
        let found = problems(object("BGPPeer", "p", "peerIP: \(text), asNumber: 65001"))
        #expect(found.count == 1 && found.allSatisfy { $0.contains("spec.peerIP: ") && $0.contains(words) }, "\(found)")
    }

    @Test(arguments: ["127.0.0.1", "'::1'", "'fe80::1'", "169.254.0.1", "'[2001:db8::1]:1790'"])
    func `an address that a peer may have is accepted`(text: String) {
        #expect(problems(object("BGPPeer", "p", "peerIP: \(text), asNumber: 65001")).isEmpty)
    }
}
