import BGPSpeaker
import FIB
import NetTypes
import StatusAPI
import Testing

@testable import Node

/// Two daemons at one address, each at its own port, are two peers (docs/contract.md 2.3).
@Suite struct PortScenesTests {
    private static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "---\napiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
    }
    private static let noMesh = object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
    private static func node(_ name: String, _ number: Int, asNumber: Int) -> String {
        noMesh + object("Node", name, "bgp: {ipv4Address: 10.0.1.\(number)/24, asNumber: \(asNumber)}")
            + object("BlockAffinity", name, "node: \(name), cidr: 10.65.\(number).0/26, state: confirmed")
    }

    /// node1 with two peers at 10.0.1.2: `first` at 179, and a reflector at 1790 that passes on the block of node3.
    /// Both have node1 as a peer and open connections to it.
    private static func network(_ asNumbers: [Int], first: String = "", second: String = "") throws -> MemoryNetwork {
        let network = MemoryNetwork()
        let own =
            node("node1", 1, asNumber: 64512)
            + object("BGPPeer", "first", "peerIP: 10.0.1.2, asNumber: \(asNumbers[0]), import: all")
            + object("BGPPeer", "second", "peerIP: '10.0.1.2:1790', asNumber: \(asNumbers[1]), import: all\(second)")
        network.add(MemoryNode("node1", files: ["r.yaml": own]))
        let back = object("BGPPeer", "node1", "peerIP: 10.0.1.1, asNumber: 64512, export: all")
        let firstBack = object("BGPPeer", "node1", "peerIP: 10.0.1.1, asNumber: 64512, export: all\(first)")
        let host = network.add(
            MemoryNode("first", files: ["r.yaml": node("first", 2, asNumber: asNumbers[0]) + firstBack])
        ).host
        let client = object(
            "BGPPeer", "node3", "peerIP: 10.0.1.3, asNumber: \(asNumbers[1]), routeReflectorClient: true, passive: true"
        )
        network.add(
            MemoryNode(
                "second", isReflector: true, on: host, port: 1790,
                files: ["r.yaml": node("second", 2, asNumber: asNumbers[1]) + back + client]))
        network.add(
            MemoryNode(
                "node3",
                files: [
                    "r.yaml": node("node3", 3, asNumber: asNumbers[1])
                        + object("BGPPeer", "second", "peerIP: '10.0.1.2:1790', asNumber: \(asNumbers[1])")
                ]))
        for (name, number) in [("node1", 1), ("first", 2), ("node3", 3)] {
            try network.attach(name, "switch", interface: "eth0", "10.0.1.\(number)/24")
        }
        for name in ["node1", "first", "second", "node3"] { try network.nodes[name]?.start(now: network.now) }
        return network
    }

    private static func times(_ network: MemoryNetwork) -> [String: UInt64] {
        var result: [String: UInt64] = [:]
        network.nodes["node1"]?.core?.speaker.visitPeers {
            result["\($0.address)"] = $0.timesEstablished
            return true
        }
        return result
    }

    @Test(arguments: [[65001, 65002], [65001, 65001]])
    func `both are up with their own routes, and each is asked for by its port`(asNumbers: [Int]) throws {
        let network = try Self.network(asNumbers)
        let both: Set = ["10.0.1.2", "10.0.1.2:1790"]
        func hasAll() -> Bool {
            guard let node = network.nodes["node1"] else { return false }
            return node.established == both && node.kernelRoutes["10.65.2.0/26"] == "10.0.1.2"
                && node.kernelRoutes["10.65.3.0/26"] == "10.0.1.2"
        }
        #expect(
            network.run(until: hasAll),
            "\(network.nodes["node1"]?.established ?? []) \(network.nodes["node1"]?.kernelRoutes ?? [:])")
        // What the other ends go on to open is no reason to end what is up.
        network.run(for: .seconds(300))
        #expect(hasAll() && Self.times(network) == ["10.0.1.2": 1, "10.0.1.2:1790": 1], "\(Self.times(network))")
        let core = try #require(network.nodes["node1"]?.core)
        func found(_ name: String) -> Set<String> {
            let wanted = PeerName(name)
            return Set(
                core.speaker.peerIndices.filter { core.peering.peers.matches($0, wanted) }.map {
                    core.peering.peers.name($0)
                })
        }
        let names = ["10.0.1.2 (BGPPeer/first)", "10.0.1.2:1790 (BGPPeer/second)"]
        #expect(found("10.0.1.2") == Set(names))
        #expect(found("10.0.1.2:179") == [names[0]] && found("10.0.1.2:1790") == [names[1]])
        #expect(
            found("second") == [names[1]] && found("10.0.1.2:1791").isEmpty && found("[10.0.1.2]:1790") == [names[1]])
        // Which of the two is not said: neither is touched, and both are named.
        let refused = core.carryOut(.reset("10.0.1.2", all: false, text: ""))
        #expect(refused.done == nil)
        let reason = try #require(refused.error)
        #expect(names.allSatisfy { reason.contains($0) } && reason.contains("--all"), "\(reason)")
        // One of them is reset, and the other goes on.
        #expect(core.carryOut(.reset("10.0.1.2:1790", all: false, text: "")).done == "reset the session to \(names[1])")
        #expect(network.run { Self.times(network)["10.0.1.2:1790"] == 2 && hasAll() }, "\(Self.times(network))")
        #expect(Self.times(network)["10.0.1.2"] == 1)
    }

    @Test func `a peer that goes leaves the other one alone, and one that moves to another port goes with it`() throws {
        let network = try Self.network([65001, 65002])
        #expect(network.run { network.nodes["node1"]?.established == ["10.0.1.2", "10.0.1.2:1790"] })
        let node = try #require(network.nodes["node1"])
        let before = try #require(node.files["r.yaml"])
        node.files["r.yaml"] = String(
            before.split(separator: "---\n").filter { !$0.contains("name: second") }.joined(
                separator: "---\n"))
        #expect(network.run { Self.times(network) == ["10.0.1.2": 1] }, "\(Self.times(network))")
        #expect(node.established == ["10.0.1.2"])
        node.files["r.yaml"] = before.replacing("peerIP: 10.0.1.2,", with: "peerIP: '10.0.1.2:1799',")
        #expect(
            network.run { Self.times(network).keys.sorted() == ["10.0.1.2:1790", "10.0.1.2:1799"] },
            "\(Self.times(network))")
        #expect(network.run { node.established == ["10.0.1.2:1790"] }, "\(node.established)")
    }

    @Test func `routes of the second go into its table, and those of the first stay in the main one`() throws {
        let network = try Self.network([65001, 65002], second: ", routeTable: 100")
        func tables() -> [String: UInt32] {
            var result: [String: UInt32] = [:]
            for route in (network.nodes["node1"]?.host.routes.own ?? [:]).values where route.kind == .unicast {
                result["\(route.prefix)"] = route.table
            }
            return result
        }
        #expect(network.run { tables() == ["10.65.2.0/26": 254, "10.65.3.0/26": 100] }, "\(tables())")
    }

    @Test func `what comes in is for the one that is not dialled`() throws {
        let network = try Self.network([65001, 65001], first: ", passive: true", second: ", passive: true")
        #expect(
            network.run(.seconds(300)) { network.nodes["node1"]?.established == ["10.0.1.2", "10.0.1.2:1790"] },
            "\(network.nodes["node1"]?.established ?? [])")
    }
}
