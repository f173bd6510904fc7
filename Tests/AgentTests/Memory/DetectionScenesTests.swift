import FIB
import NetTypes
import Node
import Planning
import Resources
import Status
import StatusAPI
import Testing

/// Agents whose Node object has no address: they take the host's, and follow it.
@Suite struct DetectionScenesTests {
    private static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "---\napiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
    }
    /// node2 takes whoever comes from the subnet.
    private static func files(_ number: Int) -> [String: String] {
        let node =
            number == 1
            ? object("Node", "node1", "") + object("BGPPeer", "p2", "peerIP: 10.0.1.2, asNumber: 64512")
            : object("Node", "node2", "bgp: {ipv4Address: 10.0.1.2/24}")
                + object("BGPPeer", "p1", "listenRange: 10.0.1.0/24, asNumber: 64512")
        return [
            "node.yaml": object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false") + node
                + object("BlockAffinity", "b", "node: node\(number), cidr: 10.65.\(number).0/26, state: confirmed")
        ]
    }
    private static func network(
        _ settings: DetectionSettings = DetectionSettings(), address: String? = "10.0.1.1/24"
    ) throws -> MemoryNetwork {
        let network = MemoryNetwork()
        for number in [2, 1] {
            let node = network.add(MemoryNode("node\(number)", files: files(number)))
            if number == 1 { node.addresses = settings }
            try network.attach("node\(number)", "switch", interface: "eth0", "10.0.1.\(number)/24")
            if number == 1, address == nil { node.host.removeAddress(try ip("10.0.1.1"), from: "eth0") }
            try node.start(now: network.now)
        }
        return network
    }
    private static func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
    private static func status(_ network: MemoryNetwork) throws -> DaemonStatus {
        let core = try #require(network.nodes["node1"]?.core)
        let builder = StatusBuilder(
            core, meter: LoopMeter(started: network.now), mode: NodeMode(isReflector: false, isDryRun: false))
        return try #require(builder.answer(.status).status)
    }
    private static func failure(_ network: MemoryNetwork) throws -> (DetectionFailure, kept: String?)? {
        for finding in try status(network).findings {
            if case .addressNotDetected(_, _, _, let reason, let kept) = finding.cause { return (reason, kept) }
        }
        return nil
    }
    /// With whom node2 has a session.
    private static func peers(_ network: MemoryNetwork) -> Set<String> { network.nodes["node2"]?.established ?? [] }

    @Test func `the host's address is taken, and a session moves with it without a restart`() throws {
        let network = try Self.network()
        try #require(network.run { Self.peers(network) == ["10.0.1.1"] })
        #expect(try Self.failure(network) == nil)
        let host = try #require(network.nodes["node1"]?.host)
        let core = try #require(network.nodes["node1"]?.core)
        let routerID = try Self.status(network).routerID
        #expect(routerID == "10.0.1.1")
        host.removeAddress(try Self.ip("10.0.1.1"), from: "eth0")
        host.addAddress(try Self.ip("10.0.1.7"), length: 24, to: "eth0")
        #expect(network.run(.seconds(20)) { Self.peers(network).contains("10.0.1.7") })
        // Nothing can be said from an address that is gone: the other end of the old session waits for its hold timer.
        #expect(network.run(.seconds(100)) { Self.peers(network) == ["10.0.1.7"] })
        // Until then the new path shares with the stale one of the old session: at most for its restart time.
        #expect(network.run(.seconds(150)) { network.nodes["node2"]?.kernelRoutes["10.65.1.0/26"] == "10.0.1.7" })
        #expect(network.nodes["node1"]?.core === core)
        let status = try Self.status(network)
        // A router id that follows the address would end every session once more.
        #expect(status.routerID == routerID && status.isHealthy, "\(status.findings)")
        #expect(core.peering.loaded.resources.node("node1")?.ipv4?.subnet == Prefix("10.0.1.0/24"))
    }

    @Test func `an agent that finds none says so, and takes the one that comes`() throws {
        let network = try Self.network(address: nil)
        network.run(for: .seconds(5))
        #expect(try Self.failure(network)?.0 == .noInterface(interfaces: []))
        #expect(Self.peers(network).isEmpty)
        network.nodes["node1"]?.host.addAddress(try Self.ip("10.0.1.1"), length: 24, to: "eth0")
        #expect(network.run { Self.peers(network) == ["10.0.1.1"] })
        #expect(try Self.failure(network) == nil)
        // It goes: status says that it is used all the same.
        network.nodes["node1"]?.host.removeAddress(try Self.ip("10.0.1.1"), from: "eth0")
        #expect(network.run { (try? Self.failure(network)?.kept) == "10.0.1.1" })
    }

    @Test func `what no event shows is seen within a minute`() throws {
        let method = try DetectionMethod("can-reach=10.99.0.1")
        let network = try Self.network(DetectionSettings(methods: [method, .firstFound]))
        network.run(for: .seconds(5))
        #expect(try Self.failure(network)?.0 == .noRoute(destination: "10.99.0.1"))
        try network.addDefaultRoute("node1", via: "10.0.1.2", interface: "eth0")
        network.run(for: .seconds(40))
        #expect(try Self.failure(network) != nil)
        #expect(network.run(.seconds(25)) { (try? Self.failure(network) == nil) ?? false })
        #expect(network.run { Self.peers(network) == ["10.0.1.1"] })
    }

    @Test func `an address that is declared later is used, and pods' endpoints change nothing`() throws {
        let network = try Self.network()
        try #require(network.run { Self.peers(network) == ["10.0.1.1"] })
        let node = try #require(network.nodes["node1"])
        try network.addPod("a", "node1", "10.65.1.5")
        network.run(for: .seconds(5))
        #expect(node.kernelRoutes["10.65.1.5/32"] == "calia" && Self.peers(network) == ["10.0.1.1"])
        #expect(node.core?.peering.loaded.resources.node("node1")?.ipv4 != nil)
        node.host.addAddress(try Self.ip("10.0.1.9"), length: 24, to: "eth0")
        node.files["node.yaml"] = node.files["node.yaml"]?.replacing(
            "metadata: {name: node1}\nspec: {}",
            with: "metadata: {name: node1}\nspec: {bgp: {ipv4Address: 10.0.1.9/24}}")
        #expect(network.run { Self.peers(network) == ["10.0.1.9"] })
    }
}
