import NetTypes
import Node
import Status
import StatusAPI
import Testing

/// Why an own prefix is not announced, as status says it, with whole agents in memory.
@Suite struct OwnPrefixScenesTests {
    private static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "---\napiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
    }
    private static let noMesh = object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
    private static func files(_ number: Int, _ peers: String) -> [String: String] {
        [
            "node.yaml": noMesh + object("Node", "node\(number)", "bgp: {ipv4Address: 10.0.1.\(number)/24}")
                + object("BlockAffinity", "b", "node: node\(number), cidr: 10.65.\(number).0/26, state: confirmed"),
            "peers.yaml": peers,
        ]
    }
    private static func peer(_ number: Int, _ fields: String = "") -> String {
        object("BGPPeer", "p\(number)", "peerIP: 10.0.1.\(number), asNumber: 64512\(fields)")
    }

    private static func network(_ peers: String) throws -> MemoryNetwork {
        let network = MemoryNetwork()
        for (number, peers) in [(1, peers), (2, peer(1))] {
            network.add(MemoryNode("node\(number)", files: files(number, peers)))
            try network.attach("node\(number)", "switch", interface: "eth0", "10.0.1.\(number)/24")
            try network.nodes["node\(number)"]?.start(now: network.now)
        }
        return network
    }

    private static func status(_ network: MemoryNetwork) throws -> DaemonStatus {
        let core = try #require(network.nodes["node1"]?.core)
        let builder = StatusBuilder(
            core, meter: LoopMeter(started: network.now), mode: NodeMode(isReflector: false, isDryRun: false))
        return try #require(builder.answer(.status).status)
    }
    private static func row(_ network: MemoryNetwork) throws -> OwnPrefixStatus {
        try #require(status(network).ownPrefixes.first { $0.prefix == "10.65.1.0/26" })
    }

    @Test(arguments: ["", peer(2, ", families: [ipv6]")])
    func `nobody is configured who is to carry the family`(peers: String) throws {
        let network = try Self.network(peers)
        network.run(for: .seconds(10))
        let row = try Self.row(network)
        #expect(!row.isAnnounced && row.reason == .noPeer(family: "IPv4") && !row.delaysReadiness, "\(row)")
        // Somebody who carries it, and is there.
        network.nodes["node1"]?.files["peers.yaml"] = Self.peer(2)
        #expect(network.run { (try? Self.row(network).isAnnounced) ?? false })
        #expect(try Self.row(network).reason == nil)
    }

    @Test func `whoever is configured has no session, until one is up`() throws {
        let network = try Self.network(Self.peer(3))
        network.run(for: .seconds(10))
        let row = try Self.row(network)
        #expect(!row.isAnnounced && row.reason == .noSession(family: "IPv4") && row.delaysReadiness, "\(row)")
        #expect(try Self.status(network).unreadiness(isStarting: false) == .noPeerEstablished)
        network.nodes["node1"]?.files["peers.yaml"] = Self.peer(2) + Self.peer(3)
        #expect(network.run { (try? Self.row(network).isAnnounced) ?? false })
        // And again, when it goes.
        network.cut("switch")
        #expect(network.run(.seconds(300)) { (try? Self.row(network).reason) == .noSession(family: "IPv4") })
        network.mend("switch")
        #expect(network.run(.seconds(300)) { (try? Self.row(network).isAnnounced) ?? false })
    }

    @Test func `a filter keeps it from everybody, and its rule is named`() throws {
        let network = try Self.network(
            Self.peer(2, ", filters: [f]") + Self.object("BGPFilter", "f", "exportV4: [{action: Reject}]"))
        try #require(network.run { network.nodes["node1"]?.established == ["10.0.1.2"] })
        network.run(for: .seconds(5))
        let row = try Self.row(network)
        guard case .keptBack(.rejectedByRule(let rule))? = row.reason else {
            Issue.record("\(row)")
            return
        }
        #expect(rule.contains("BGPFilter/f") || rule.contains("f "), "\(rule)")
        #expect(!row.isAnnounced && !row.delaysReadiness)
        #expect(try Self.status(network).unreadiness(isStarting: false) == nil)
        network.nodes["node1"]?.files["peers.yaml"] = Self.peer(2)
        #expect(network.run { (try? Self.row(network).isAnnounced) ?? false })
        #expect(try Self.row(network).reason == nil)
    }
}
