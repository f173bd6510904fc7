import FIB
import NetTypes
import Testing

@testable import Node

/// A cluster in one process.
@Suite struct ManyAgentsTests {
    private static let agents = 200

    /// The resources of a cluster with two reflectors, which every node shares.
    private static var resources: String {
        var text = """
            apiVersion: projectcalico.org/v3
            kind: BGPConfiguration
            metadata: {name: default}
            spec: {nodeToNodeMeshEnabled: false}
            ---
            apiVersion: projectcalico.org/v3
            kind: IPPool
            metadata: {name: pods}
            spec: {cidr: 10.64.0.0/12}
            ---
            apiVersion: projectcalico.org/v3
            kind: BGPPeer
            metadata: {name: reflectors}
            spec: {nodeSelector: "!has(reflector)", peerSelector: has(reflector)}

            """
        for number in 1...2 {
            text +=
                "---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: rr\(number), labels: {reflector: a}}"
                + "\nspec: {bgp: {ipv4Address: 10.0.1.\(number)/16, routeReflectorClusterID: 10.0.1.\(number)}}\n"
        }
        for number in 1...agents {
            text +=
                "---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n\(number)}\nspec: {bgp: "
                + "{ipv4Address: 10.0.0.\(number)/16}}\n---\n"
                + ForwardingScenesTests.Pair.block("n\(number)", "10.65.\(number).0/26") + "\n"
        }
        return text
    }

    @Test func `two hundred agents and two reflectors: each has every block, and one that is given up goes from all`()
        throws
    {
        let network = MemoryNetwork()
        let files = ["r.yaml": Self.resources]
        for number in 1...2 {
            network.add(MemoryNode("rr\(number)", isReflector: true, files: files))
            try network.attach("rr\(number)", "lan", interface: "eth0", "10.0.1.\(number)/16")
        }
        for number in 1...Self.agents {
            network.add(MemoryNode("n\(number)", files: files))
            try network.attach("n\(number)", "lan", interface: "eth0", "10.0.0.\(number)/16")
        }
        for node in network.nodes.values { try node.start(now: network.now) }
        func routes(_ count: Int) -> Bool {
            (1...Self.agents).allSatisfy { number in
                network.nodes["n\(number)"].map { $0.core == nil || $0.host.routes.own.count == count } ?? false
            }
        }
        let isWhole = network.run { routes(Self.agents) }
        #expect(isWhole, "\(network.nodes["n1"]?.host.routes.own.count ?? 0)")
        // One gives its block up.
        network.nodes["n7"]?.files["r.yaml"] = Self.resources.replacing(
            ForwardingScenesTests.Pair.block("n7", "10.65.7.0/26"), with: "")
        let isLess = network.run { routes(Self.agents - 1) }
        #expect(isLess)
        #expect(network.nodes["n8"]?.kernelRoutes["10.65.7.0/26"] == nil)
    }
}
