import FIB
import Foundation
import NetTypes
import Testing

@testable import Node

/// The demo's five scenes (examples/lab/demo.sh) with whole agents on hosts in memory, from the demo's own resources.
@Suite struct DemoScenesTests {
    static let agents = ["node1", "node2", "node3", "node4"]

    /// The demo's network: three nodes and two reflectors on one switch, one node behind the router, which is the ToR.
    static func network() throws -> MemoryNetwork {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "examples/lab/resources")
        var files: [String: String] = [:]
        for name in ["cluster.yaml", "peers.yaml"] {
            files[name] = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        }
        let network = MemoryNetwork()
        for name in agents { network.add(MemoryNode(name, files: files)) }
        for name in ["rr1", "rr2"] { network.add(MemoryNode(name, isReflector: true, files: files)) }
        network.add(MemoryNode("tor", files: ["tor.yaml": tor]))
        try network.attach("tor", "switch", interface: "lan0", "10.0.1.254/24")
        try network.attach("tor", "rack-b", interface: "lan1", "10.0.2.254/24")
        for number in 1...3 { try network.attach("node\(number)", "switch", interface: "eth0", "10.0.1.\(number)/24") }
        for number in 1...2 { try network.attach("rr\(number)", "switch", interface: "eth0", "10.0.1.1\(number)/24") }
        try network.attach("node4", "rack-b", interface: "eth0", "10.0.2.4/24")
        for number in 1...3 { try network.addDefaultRoute("node\(number)", via: "10.0.1.254", interface: "eth0") }
        for number in 1...2 { try network.addDefaultRoute("rr\(number)", via: "10.0.1.254", interface: "eth0") }
        try network.addDefaultRoute("node4", via: "10.0.2.254", interface: "eth0")
        for number in 1...4 {
            try network.addPod("p\(number)0", "node\(number)", "10.65.\(number).10")
            try network.addPod("p\(number)1", "node\(number)", "10.65.\(number).11")
        }
        return network
    }

    private static let tor: String = {
        let peers = [("10.0.1.1", "a"), ("10.0.1.2", "b"), ("10.0.1.3", "c"), ("10.0.2.4", "d")].map {
            "---\napiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: \($0.1)}\nspec: {peerIP: \($0.0), "
                + "asNumber: 64512}\n"
        }
        return "apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\n"
            + "spec: {asNumber: 65000, nodeToNodeMeshEnabled: false}\n---\n"
            + "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: tor}\n"
            + "spec: {bgp: {ipv4Address: 10.0.1.254/24}}\n" + peers.joined()
    }()

    /// The network with mesh and ToR up.
    private static func meshed() throws -> MemoryNetwork {
        let network = try network()
        for name in agents + ["tor"] { try network.nodes[name]?.start(now: network.now) }
        let isUp = network.run {
            agents.allSatisfy { (network.nodes[$0]?.established.count ?? 0) >= 4 }
                && network.nodes["tor"]?.kernelRoutes.count == 4 && network.pingsOfAll.isEmpty
        }
        try #require(
            isUp,
            """
            sessions \(network.nodes.mapValues(\.established)), routes \(network.nodes.mapValues(\.kernelRoutes)), lost \
            \(network.pingsOfAll)
            """)
        return network
    }

    @Test func `1 and 2: every pod reaches every pod over the full mesh, and the ToR's best paths are by the owners`()
        throws
    {
        let network = try Self.meshed()
        #expect(
            network.nodes["tor"]?.kernelRoutes == [
                "10.65.1.0/26": "10.0.1.1", "10.65.2.0/26": "10.0.1.2", "10.65.3.0/26": "10.0.1.3",
                "10.65.4.0/26": "10.0.2.4",
            ])
        #expect(
            network.nodes["node1"]?.kernelRoutes == [
                "10.65.1.0/26": "blackhole", "10.65.1.10/32": "calip10", "10.65.1.11/32": "calip11",
                "10.65.2.0/26": "10.0.1.2", "10.65.3.0/26": "10.0.1.3", "10.65.4.0/26": "10.0.1.254",
            ])
    }

    @Test func `3: the mesh is switched off for two reflectors without a lost ping or a deleted route`() throws {
        let network = try Self.meshed()
        for name in ["rr1", "rr2"] { try network.nodes[name]?.start(now: network.now) }
        try #require(network.run { Self.agents.allSatisfy { (network.nodes[$0]?.established.count ?? 0) == 6 } })
        network.watchRoutes()
        for node in network.nodes.values where node.name != "tor" {
            node.files["cluster.yaml"] = node.files["cluster.yaml"]?.replacing(
                "nodeToNodeMeshEnabled: true", with: "nodeToNodeMeshEnabled: false")
        }
        var lost: Set<String> = []
        let hasLeft = network.run(
            each: { lost.formUnion(network.pingsOfAll) },
            until: {
                Self.agents.allSatisfy { name in
                    // The ToR and the two reflectors are left.
                    network.nodes[name]?.established.count == 3
                        && network.nodes[name]?.established.isSuperset(of: ["10.0.1.11", "10.0.1.12"]) ?? false
                }
            })
        #expect(hasLeft, "\(network.nodes.mapValues(\.established))")
        network.run(for: .seconds(5), each: { lost.formUnion(network.pingsOfAll) })
        #expect(lost.isEmpty && network.deleted.isEmpty, "\(lost) \(network.deleted)")
        #expect(network.nodes["rr1"]?.host.routes.own.isEmpty == true)
    }

    @Test func `4: an agent that is killed and started again loses no ping and deletes no route`() throws {
        let network = try Self.meshed()
        network.watchRoutes()
        var lost: Set<String> = []
        network.nodes["node1"]?.kill()
        network.run(for: .seconds(2), each: { lost.formUnion(network.pingsOfAll) })
        #expect(network.nodes["node2"]?.established.contains("10.0.1.1") == false)
        try network.nodes["node1"]?.start(now: network.now)
        let isBack = network.run(
            each: { lost.formUnion(network.pingsOfAll) },
            until: {
                (network.nodes["node1"]?.established.count ?? 0) >= 4
            })
        #expect(isBack)
        network.run(for: .seconds(5), each: { lost.formUnion(network.pingsOfAll) })
        #expect(lost.isEmpty && network.deleted.isEmpty, "\(lost) \(network.deleted)")
    }

    @Test func `5: a pod moves to another node with its address, and its host route follows`() throws {
        let network = try Self.meshed()
        try network.removePod("p10", "10.65.1.10")
        try network.addPod("p10", "node2", "10.65.1.10")
        let hasMoved = network.run(.seconds(20)) {
            network.nodes["tor"]?.kernelRoutes["10.65.1.10/32"] == "10.0.1.2"
                && network.nodes["node1"]?.kernelRoutes["10.65.1.10/32"] == "10.0.1.2"
                && network.nodes["node3"]?.kernelRoutes["10.65.1.10/32"] == "10.0.1.2" && network.pingsOfAll.isEmpty
        }
        #expect(hasMoved, "\(network.nodes.mapValues(\.kernelRoutes)) \(network.pingsOfAll)")
        #expect(network.nodes["node2"]?.kernelRoutes["10.65.1.10/32"] == "calip10")
    }
}
