import BGPSpeaker
import NetTypes
import Testing

@testable import Node

/// What agents pass on of other nodes' routes (`export: pools`, `reexportPrepend`), with whole agents in memory.
@Suite struct ReexportScenesTests {
    private static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "---\napiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
    }

    /// Two nodes in a mesh; the ToR peers with those named. Each node has a block inside the pool and one outside.
    private static func network(torPeers: [Int], peer: String = "") throws -> MemoryNetwork {
        var cluster = object("BGPConfiguration", "default", "asNumber: 64512")
        var tor =
            object("BGPConfiguration", "default", "asNumber: 65000, nodeToNodeMeshEnabled: false")
            + object("Node", "tor", "bgp: {ipv4Address: 10.0.1.254/24}")
        for number in 1...2 {
            cluster += object("Node", "node\(number)", "bgp: {ipv4Address: 10.0.1.\(number)/24}")
            for second in [65, 77] {
                cluster += object(
                    "BlockAffinity", "b\(number)-\(second)",
                    "node: node\(number), cidr: 10.\(second).\(number).0/26, state: confirmed")
            }
        }
        for number in torPeers {
            cluster += object(
                "BGPPeer", "tor\(number)", "node: node\(number), peerIP: 10.0.1.254, asNumber: 65000\(peer)")
            tor += object("BGPPeer", "n\(number)", "peerIP: 10.0.1.\(number), asNumber: 64512")
        }
        let network = MemoryNetwork()
        for name in ["node1", "node2"] {
            network.add(MemoryNode(name, files: ["cluster.yaml": cluster, "pool.yaml": pool("")]))
        }
        network.add(MemoryNode("tor", files: ["tor.yaml": tor]))
        for (name, number) in [("node1", 1), ("node2", 2), ("tor", 254)] {
            try network.attach(name, "switch", interface: "eth0", "10.0.1.\(number)/24")
            try network.nodes[name]?.start(now: network.now)
        }
        return network
    }
    private static func pool(_ fields: String) -> String {
        object("IPPool", "pods", "cidr: 10.65.0.0/16\(fields)")
    }

    private static func tor(_ network: MemoryNetwork) -> [String: String] { network.nodes["tor"]?.kernelRoutes ?? [:] }

    /// How often the session with node1 came up at the ToR.
    private static func sessions(_ network: MemoryNetwork) -> UInt64 {
        var count: UInt64 = 0
        network.nodes["tor"]?.core?.speaker.visitPeers {
            count += $0.timesEstablished
            return true
        }
        return count
    }

    /// Why its sessions ended, if they did.
    private static func whyDown(_ network: MemoryNetwork) -> [String] {
        guard let core = network.nodes["tor"]?.core else { return [] }
        return core.speaker.peerIndices.compactMap { index in
            core.speaker.snapshot(index)?.lastDownReason.map { "\($0)" }
        }
    }

    @Test func `a ToR that peers with one node learns the other's block, and nothing outside of the pools`() throws {
        let network = try Self.network(torPeers: [1])
        let all = ["10.65.1.0/26": "10.0.1.1", "10.77.1.0/26": "10.0.1.1", "10.65.2.0/26": "10.0.1.1"]
        #expect(network.run { Self.tor(network) == all }, "\(Self.tor(network))")
        #expect(network.nodes["node1"]?.kernelRoutes["10.77.2.0/26"] == "10.0.1.2")
        network.run(for: .seconds(5))
        #expect(Self.tor(network) == all)
    }

    @Test func `a ToR of both nodes has each block by its owner alone, and by the other without the prepending`() throws
    {
        let network = try Self.network(torPeers: [1, 2])
        let owners = [
            "10.65.1.0/26": "10.0.1.1", "10.65.2.0/26": "10.0.1.2", "10.77.1.0/26": "10.0.1.1",
            "10.77.2.0/26": "10.0.1.2",
        ]
        try #require(network.run { network.nodes.values.allSatisfy { $0.established.count == 2 } })
        network.run(for: .seconds(5))
        #expect(Self.tor(network) == owners)
        // As Calico's nodes do: equal paths, of which the ToR takes both. The sessions stay.
        let before = Self.sessions(network)
        for name in ["node1", "node2"] {
            network.nodes[name]?.files["cluster.yaml"] = network.nodes[name]?.files["cluster.yaml"]?.replacing(
                "asNumber: 65000", with: "asNumber: 65000, reexportPrepend: 0")
        }
        #expect(
            network.run {
                Set((Self.tor(network)["10.65.2.0/26"] ?? "").split(separator: " ")) == ["10.0.1.1", "10.0.1.2"]
            }, "\(Self.tor(network))")
        #expect(Self.tor(network)["10.77.2.0/26"] == "10.0.1.2" && Self.sessions(network) == before)
    }

    /// `disabled` is for IPAM: in Calico too what is exported depends on `disableBGPExport` alone.
    @Test func `a pool that is disabled is passed on as before`() throws {
        let network = try Self.network(torPeers: [1])
        try #require(network.run { Self.tor(network)["10.65.2.0/26"] != nil })
        let before = Self.tor(network)
        for node in ["node1", "node2"] { network.nodes[node]?.files["pool.yaml"] = Self.pool(", disabled: true") }
        network.run(for: .seconds(5))
        #expect(Self.tor(network) == before, "\(Self.tor(network))")
    }

    @Test(arguments: [nil, pool(", disableBGPExport: true")] as [String?])
    func `a pool that goes takes others' blocks from the ToR without a reset, and brings them back`(_ changed: String?)
        throws
    {
        let network = try Self.network(torPeers: [1])
        try #require(network.run { Self.tor(network)["10.65.2.0/26"] != nil })
        // Both ends opened a connection; which of them stays is settled by then.
        network.run(for: .seconds(10))
        let before = Self.sessions(network)
        network.nodes["node1"]?.files["pool.yaml"] = changed
        #expect(network.run { Self.tor(network)["10.65.2.0/26"] == nil })
        network.run(for: .seconds(2))
        let isOwnKept = changed?.contains("disableBGPExport") != true
        #expect((Self.tor(network)["10.65.1.0/26"] != nil) == isOwnKept && Self.tor(network)["10.77.1.0/26"] != nil)
        network.nodes["node1"]?.files["pool.yaml"] = Self.pool("")
        #expect(network.run { Self.tor(network)["10.65.2.0/26"] == "10.0.1.1" })
        #expect(Self.sessions(network) == before, "\(Self.whyDown(network))")
    }

    @Test func `export: own passes nothing on, and export: all everything`() throws {
        for (mode, expected) in [("own", Set<String>()), ("all", ["10.65.2.0/26", "10.77.2.0/26"])] {
            let network = try Self.network(torPeers: [1], peer: ", export: \(mode)")
            try #require(network.run { Self.tor(network)["10.65.1.0/26"] != nil })
            network.run(for: .seconds(5))
            #expect(Set(Self.tor(network).keys.filter { $0.hasSuffix(".2.0/26") }) == expected)
        }
    }
}
