import Foundation
import Testing

/// A start with a node of the mesh that is dead: what was found in the kernel waits for it, and nothing else does.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct RestartLab {
    @Test
    func
        `with a dead node in the mesh what is withdrawn after the start goes at once, and of what was found only the dead node's routes wait`()
        throws
    {
        let lab = try BirdTests.pair()
        let pool = Lab.object("IPPool", "pool", "cidr: 10.65.0.0/16")
        let base =
            BirdTests.node + pool
            + Lab.object("Node", "n2", "bgp: {ipv4Address: 10.0.0.2/24, ipv6Address: 'fd00::2/64'}")
            + Lab.object("Node", "dead", "bgp: {ipv4Address: 10.0.0.9/24}")
            + Lab.object("WorkloadEndpoint", "stays", "node: n, interfaceName: cali1, ipNetworks: [10.65.1.8/32]")
        let block = Lab.object("BlockAffinity", "b2", "node: n2, cidr: 10.65.2.0/26, state: confirmed")
        let later = Lab.object("BlockAffinity", "b3", "node: n2, cidr: 10.65.3.0/26, state: confirmed")
        let pod = Lab.object("WorkloadEndpoint", "goes", "node: n, interfaceName: cali0, ipNetworks: [10.65.1.7/32]")
        for name in ["cali0", "cali1"] {
            try lab.must("ip link add \(name) type veth peer name \(name)p", in: "node")
            for end in [name, name + "p"] { try lab.must("ip link set \(end) up", in: "node") }
        }
        // Of an earlier process: by the node that is there, by the dead one, and a pod's whose interface is gone.
        try lab.must("ip route add 10.65.90.0/26 via 10.0.0.2 dev eth0 onlink proto 73 metric 1024", in: "node")
        try lab.must("ip route add 10.65.91.0/26 via 10.0.0.9 dev eth0 onlink proto 73 metric 1024", in: "node")
        try lab.write("r.yaml", base + block + later + pod)
        try lab.startAgent("n", in: "node")
        try lab.startAgent("n2", in: "peer")
        func routes() throws -> String { try BirdTests.routes(lab) }
        try lab.wait(30, "learned and local routes are in the kernel") {
            let routes = try routes()
            return ["10.65.2.0/26", "10.65.3.0/26", "10.65.1.7 ", "10.65.1.8 "].allSatisfy { routes.contains($0) }
        }
        try lab.write("r.yaml", base + block)
        try lab.wait(5, "what is withdrawn goes, and the deleted pod's route, though a node is dead") {
            try !routes().contains("10.65.3.0/26") && !routes().contains("10.65.1.7 ")
        }
        try lab.wait(10, "the found route by the node that is there goes") { try !routes().contains("10.65.90.0/26") }
        #expect(
            try routes().contains("10.65.91.0/26") && routes().contains("10.65.2.0/26")
                && routes().contains("10.65.1.8 "))
        #expect(try lab.ctl("n", "fib", "10.65.91.0/26").text.contains("waiting"))
        #expect(try lab.ctl("n", "status").text.contains("1 found at the start and waiting"))
    }
}
