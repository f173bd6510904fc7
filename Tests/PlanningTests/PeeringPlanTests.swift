import NetTypes
import Planning
import Resources
import Testing

@Suite struct PeeringTests {
    static func node(_ name: String, _ last: Int, _ extra: String = "", labels: String = "") -> String {
        object("Node", name, "bgp: {ipv4Address: 10.0.0.\(last)/24\(extra)}", labels: labels)
    }
    static let three = node("a", 1) + node("b", 2) + node("c", 3)

    static func plan(_ text: String, of name: String = "a") -> [String] {
        PeeringPlan.peers(of: name, in: load(text)).map { peer in
            let target =
                switch peer.target {
                case .address(let address): "\(address)"
                case .range(let range): "\(range)"
                case .interface(let name): name
                }
            return
                "\(peer.name) \(target) "
                + "\(peer.remoteAS.map { "\($0)" } ?? "any")\(peer.isClient ? " client" : "")\(peer.isPassive ? " passive" : "")"
        }
    }

    @Test func `unnumbered peers, a local AS and pods that are peers are planned`() {
        #expect(
            Self.plan(Self.three + object("BGPPeer", "up", "node: a, interface: eth1, asNumber: 0")).first
                == "BGPPeer/up eth1 any")
        let local = PeeringPlan.peers(
            of: "a",
            in: load(Self.three + object("BGPPeer", "tor", "peerIP: 10.0.0.9, asNumber: 65009, localASNumber: 65009")))
        #expect(local.first?.localAS == ASNumber(65009))
        let pod =
            "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: p, namespace: d, labels: "
            + "{bgp: speaker}}\nspec: {node: a, interfaceName: cali1, ipNetworks: [10.65.0.9/32]}\n---\n"
        let set =
            Self.three + pod + object("BGPConfiguration", "default", "localWorkloadPeeringIPV4: 169.254.9.9")
            + object("BGPPeer", "pods", "localWorkloadSelector: \"bgp == 'speaker'\", asNumber: 65100")
        #expect(Self.plan(set).first == "BGPPeer/pods 10.65.0.9 65100 passive")
        #expect(!Self.plan(set, of: "b").contains { $0.hasPrefix("BGPPeer/pods") })
    }

    @Test func `the mesh is all nodes that are no reflectors, and each waits for the address that is higher as text`() {
        #expect(Self.plan(Self.three) == ["mesh/b 10.0.0.2 64512 passive", "mesh/c 10.0.0.3 64512 passive"])
        #expect(Self.plan(Self.three, of: "b") == ["mesh/a 10.0.0.1 64512", "mesh/c 10.0.0.3 64512 passive"])
        let ten = Self.node("x", 10) + Self.node("y", 9)
        #expect(Self.plan(ten, of: "x") == ["mesh/y 10.0.0.9 64512 passive"])
        #expect(Self.plan(ten, of: "y") == ["mesh/x 10.0.0.10 64512"])
        #expect(Self.plan(Self.three + Self.node("rr", 9, ", routeReflectorClusterID: 1.1.1.1")).count == 2)
        #expect(Self.plan(Self.three + object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")).isEmpty)
        let external = Self.plan(Self.three + Self.node("other", 9, ", asNumber: 65001"))
        #expect(external.last == "mesh/other 10.0.0.9 65001 passive")
    }

    @Test func `global peers come first, then the node's own, and a duplicate address is one session`() {
        let text =
            Self.three + object("BGPPeer", "z-global", "peerIP: 10.0.0.254, asNumber: 65000")
            + object("BGPPeer", "a-node", "node: a, peerIP: 10.0.0.254, asNumber: 65009")
            + object("BGPPeer", "b-only", "node: b, peerIP: 10.0.0.253, asNumber: 65000")
        #expect(Self.plan(text).filter { !$0.hasPrefix("mesh") } == ["BGPPeer/z-global 10.0.0.254 65000"])
        #expect(
            Self.plan(text, of: "b").filter { !$0.hasPrefix("mesh") } == [
                "BGPPeer/z-global 10.0.0.254 65000", "BGPPeer/b-only 10.0.0.253 65000",
            ])
    }

    @Test func `two ports at one address are two peers, and both are dialled`() {
        let text =
            Self.three + object("BGPPeer", "tor", "peerIP: 10.0.0.254, asNumber: 65000")
            + object("BGPPeer", "tor-2", "peerIP: '10.0.0.254:1790', asNumber: 65000")
            + object("BGPPeer", "waits", "peerIP: '10.0.0.254:1791', asNumber: 65000, passive: true")
            + object("BGPPeer", "other", "peerIP: '10.0.0.2:1790', asNumber: 65000")
        #expect(
            PeeringPlan.peers(of: "a", in: load(text)).map { "\($0.name) \($0.port) \($0.isPassive)" } == [
                "BGPPeer/other 1790 false", "BGPPeer/tor 179 false", "BGPPeer/tor-2 1790 false",
                "BGPPeer/waits 1791 true",
                // As text its address is higher, and alone at its address it would be waited for.
                "mesh/b 179 false", "mesh/c 179 true",
            ])
    }

    @Test func `peerSelector picks nodes, they peer back, and a reflector's peers are its clients`() {
        let rr = Self.node("rr", 9, ", routeReflectorClusterID: 1.1.1.1", labels: "role: rr")
        let off = object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
        let peer = object("BGPPeer", "reflectors", "nodeSelector: '!has(role)', peerSelector: \"role == 'rr'\"")
        #expect(Self.plan(Self.three + rr + off + peer) == ["BGPPeer/reflectors 10.0.0.9 64512 passive"])
        #expect(
            Self.plan(Self.three + rr + off + peer, of: "rr") == [
                "BGPPeer/reflectors 10.0.0.1 64512 client", "BGPPeer/reflectors 10.0.0.2 64512 client",
                "BGPPeer/reflectors 10.0.0.3 64512 client",
            ])
        let manual = object(
            "BGPPeer", "reflectors",
            "nodeSelector: '!has(role)', peerSelector: \"role == 'rr'\", reversePeering: Manual")
        #expect(Self.plan(Self.three + rr + off + manual, of: "rr").isEmpty)
        // Two reflectors of one cluster are no clients of each other; of two clusters they are.
        let same =
            Self.node("r2", 8, ", routeReflectorClusterID: 1.1.1.1", labels: "role: rr")
            + object("BGPPeer", "rrs", "nodeSelector: has(role), peerSelector: has(role)")
        #expect(Self.plan(rr + same + off, of: "rr") == ["BGPPeer/rrs 10.0.0.8 64512"])
    }

    @Test func `a range takes any AS with 0, and a node never peers with itself`() {
        let text =
            Self.node("a", 1)
            + object("BGPPeer", "range", "listenRange: 10.0.0.0/8, asNumber: 0, routeReflectorClient: true")
            + object("BGPPeer", "me", "peerIP: 10.0.0.1, asNumber: 64512")
        #expect(Self.plan(text) == ["BGPPeer/range 10.0.0.0/8 any client passive"])
    }

    private static let dual =
        object("Node", "a", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}")
        + object("Node", "b", "bgp: {ipv4Address: 10.0.0.2/24, ipv6Address: 'fd00::2/64'}", labels: "role: b")
        + object("Node", "c", "bgp: {ipv6Address: 'fd00::3/64'}")
        + object("Node", "d", "bgp: {ipv4Address: 10.0.0.4/24}")
    private static let noMesh = object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")

    /// `TARGET FAMILIES` of each peer.
    private static func sessions(_ text: String, of name: String = "a") -> [String] {
        PeeringPlan.peers(of: name, in: load(text)).compactMap { peer in
            guard case .address(let address) = peer.target else { return nil }
            return "\(address) \(peer.families.families.map(\.name).joined(separator: "+"))"
        }
    }

    @Test func `each family that two nodes have is a session of its own, over its own addresses`() {
        #expect(
            Self.sessions(Self.dual) == ["10.0.0.2 IPv4", "fd00::2 IPv6", "fd00::3 IPv6", "10.0.0.4 IPv4"])
        #expect(Self.sessions(Self.dual, of: "c") == ["fd00::1 IPv6", "fd00::2 IPv6"])
        #expect(Self.sessions(Self.dual, of: "d") == ["10.0.0.1 IPv4", "10.0.0.2 IPv4"])
        let selected = Self.dual + Self.noMesh + object("BGPPeer", "p", "node: a, peerSelector: has(role)")
        #expect(Self.sessions(selected) == ["10.0.0.2 IPv4", "fd00::2 IPv6"])
        #expect(Self.sessions(selected, of: "b") == ["10.0.0.1 IPv4", "fd00::1 IPv6"])
    }

    @Test func `a peer by address carries that family, and families puts both on one session`() {
        let router = Self.dual + Self.noMesh + object("BGPPeer", "p", "node: a, peerIP: 10.0.0.9, asNumber: 65000")
        #expect(Self.sessions(router) == ["10.0.0.9 IPv4"])
        let both =
            Self.dual + Self.noMesh
            + object("BGPPeer", "p", "node: a, peerIP: 'fd00::9', asNumber: 65000, families: [ipv4, ipv6]")
        #expect(Self.sessions(both) == ["fd00::9 IPv4+IPv6"])
        for (families, expected) in [
            ("[ipv4, ipv6]", ["10.0.0.2 IPv4+IPv6"]), ("[ipv6]", ["fd00::2 IPv6"]), ("[ipv4]", ["10.0.0.2 IPv4"]),
        ] {
            let text =
                Self.dual + Self.noMesh
                + object("BGPPeer", "p", "node: a, peerSelector: has(role), families: \(families)")
            #expect(Self.sessions(text) == expected)
            #expect(Self.sessions(text, of: "b").count == 1)
        }
    }

    @Test(arguments: ["", ", asNumber: 64512"])
    func `the node whose address a BGPPeer names peers back, over that address's family`(asNumber: String) {
        let one = Self.dual + Self.noMesh + object("BGPPeer", "p", "node: a, peerIP: 10.0.0.2\(asNumber)")
        #expect(Self.plan(one) == ["BGPPeer/p 10.0.0.2 64512"])
        #expect(Self.plan(one, of: "b") == ["BGPPeer/p 10.0.0.1 64512"])
        #expect(Self.plan(one, of: "c").isEmpty && Self.plan(one, of: "d").isEmpty)
        let global = Self.dual + Self.noMesh + object("BGPPeer", "p", "peerIP: 'fd00::2'\(asNumber)")
        #expect(Self.plan(global) == ["BGPPeer/p fd00::2 64512 passive"])
        #expect(Self.plan(global, of: "b") == ["BGPPeer/p fd00::1 64512", "BGPPeer/p fd00::3 64512 passive"])
        #expect(Self.plan(global, of: "c") == ["BGPPeer/p fd00::2 64512"])
        let manual =
            Self.dual + Self.noMesh + object("BGPPeer", "p", "peerIP: 'fd00::2', reversePeering: Manual\(asNumber)")
        #expect(Self.plan(manual) == ["BGPPeer/p fd00::2 64512"] && Self.plan(manual, of: "b").isEmpty)
    }

    @Test func `a port that is not the node's is another daemon's, and a missing AS follows from a node alone`() {
        let other =
            Self.dual + Self.noMesh + object("BGPPeer", "p", "node: a, peerIP: '10.0.0.2:1179', asNumber: 65000")
        #expect(Self.plan(other) == ["BGPPeer/p 10.0.0.2 65000"] && Self.plan(other, of: "b").isEmpty)
        let own = Self.dual + Self.noMesh + object("BGPPeer", "p", "node: a, peerIP: '10.0.0.2:179'")
        #expect(Self.plan(own, of: "b") == ["BGPPeer/p 10.0.0.1 64512"])
        let unknown = Self.dual + Self.noMesh + object("BGPPeer", "p", "node: a, peerIP: 10.0.0.77")
        #expect(Self.plan(unknown) == ["BGPPeer/p 10.0.0.77 any"])
    }

    @Test func `the other end of a peer with a local AS, a role or no wish to connect is its counterpart`() throws {
        let text =
            Self.dual + Self.noMesh
            + object("BGPPeer", "p", "node: a, peerIP: 10.0.0.2, localASNumber: 65001, passive: true, role: provider")
        let back = try #require(PeeringPlan.peers(of: "b", in: load(text)).first)
        #expect(back.remoteAS == ASNumber(65001) && back.localAS == ASNumber(64512))
        #expect(!back.isPassive && back.options.role == .customer)
    }
}
