import Foundation
import Testing

/// What a node has of its own, on the machine's kernel: blocks, the exceptions to them, and what of it is announced.
@Suite(.serialized) struct OwnRoutesLab {
    /// A family's addresses, and how they are written.
    struct Family: Sendable, CustomTestStringConvertible {
        var flag: String
        var hostLength: Int
        var block: @Sendable (Int, Int) -> String
        var address: @Sendable (Int, Int) -> String
        var pool: @Sendable (Int) -> String
        var testDescription: String { flag }
        func host(_ pool: Int, _ last: Int) -> String { "\(address(pool, last))/\(hostLength)" }

        /// Pools 65 and 66; in each, block n has the addresses n × 100 to n × 100 + 63.
        static let all = [
            Family(
                flag: "-4", hostLength: 32, block: { "10.\($0).\($1).0/26" },
                address: { "10.\($0).\($1 / 100).\($1 % 100)" }, pool: { "10.\($0).0.0/16" }),
            Family(
                flag: "-6", hostLength: 128, block: { "fd00:\($0):\($1)::/122" },
                address: { "fd00:\($0):\($1 / 100)::\($1 % 100)" }, pool: { "fd00:\($0)::/32" }),
        ]
    }

    @Test(arguments: Family.all)
    func
        `own blocks go in behind their exceptions, and what is announced is what is confirmed, exported and in the kernel`(
            family: Family
        ) throws
    {
        let lab = try BirdTests.pair()
        for name in ["cali0", "cali1", "cali2", "cali3"] {
            try lab.must("ip link add \(name) type veth peer name x\(name.dropFirst(4))", in: "node")
            try lab.must("ip link set \(name) up", in: "node")
        }
        func affinity(_ pool: Int, _ block: Int, _ state: String = "confirmed") -> String {
            Lab.object(
                "BlockAffinity", "b\(pool)-\(block)", "node: n, cidr: '\(family.block(pool, block))', state: \(state)")
        }
        func pod(_ name: String, _ pool: Int, _ last: Int, _ fields: String = "") -> String {
            Lab.object(
                "WorkloadEndpoint", name,
                "node: n, interfaceName: \(name), ipNetworks: ['\(family.host(pool, last))']\(fields)")
        }
        let pools =
            Lab.object("IPPool", "shown", "cidr: '\(family.pool(65))'")
            + Lab.object("IPPool", "hidden", "cidr: '\(family.pool(66))', disableBGPExport: true")
        // In an own block, borrowed from another node's, elevated in an own block, and in the pool that is not
        // announced.
        let pods =
            pod("cali0", 65, 307) + pod("cali1", 65, 20009) + pod("cali2", 65, 308, ", routePriority: Elevated")
            + pod("cali3", 66, 307)
        let peer = Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, families: [ipv4, ipv6]")
        let fixed = BirdTests.node + pools + pods + peer + affinity(65, 3) + affinity(66, 3) + affinity(65, 5)
        // Somebody's route is in the way of block 5, and block 7 is not confirmed.
        try lab.must(
            "ip \(family.flag) route add blackhole \(family.block(65, 5)) proto static metric 1024", in: "node")
        try lab.write("r.yaml", fixed + affinity(65, 7, "pending"))
        try lab.start(["ip", family.flag, "monitor", "route"], in: "node", log: "kernel.txt")
        let probe = family.flag == "-4" ? "192.0.2.1" : "2001:db8::1"
        try lab.wait(20, "the monitor hears") {
            for verb in ["add", "del"] {
                try lab.must("ip \(family.flag) route \(verb) blackhole \(probe)", in: "node")
            }
            return lab.log("kernel.txt").contains(probe)
        }
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: "")
        func announced() throws -> String { try BirdTests.bird(lab, "show route protocol n") }
        func routes() throws -> String { try BirdTests.routes(lab, family.flag) }
        try lab.wait(30, "block, borrowed and elevated addresses are announced") {
            let table = try announced()
            return table.contains(family.block(65, 3)) && table.contains(family.host(65, 20009))
                && table.contains(family.host(65, 308))
        }
        #expect(
            try BirdTests.bird(lab, "show route all \(family.host(65, 308))").contains("BGP.local_pref: 2147483135"))
        let table = try announced()
        for hidden in [
            family.host(65, 307), family.block(66, 3), family.host(66, 307), family.block(65, 5), family.block(65, 7),
        ] {
            #expect(!table.contains(hidden), "\(hidden) is announced: \(table)")
        }
        let kernel = try routes()
        for (address, interface, metric) in [
            (family.address(65, 307), "cali0", 1024), (family.address(65, 20009), "cali1", 1024),
            (family.address(65, 308), "cali2", 512),
        ] {
            #expect(
                kernel.split(separator: "\n").contains {
                    $0.hasPrefix("\(address) dev \(interface)") && $0.contains("metric \(metric)")
                }, "\(address): \(kernel)")
        }
        #expect(
            kernel.contains("blackhole \(family.block(65, 3))") && kernel.contains("blackhole \(family.block(66, 3))")
                && kernel.contains("\(family.address(66, 307)) dev cali3"))
        #expect(!kernel.contains(family.block(65, 5)) && !kernel.contains(family.block(65, 7)))
        let status = try lab.ctl("n", "status").text
        #expect(
            status.contains(
                "\(family.block(65, 5)) (block) not announced: its route is not in the kernel: a route of protocol "
                    + "4 is in the way"
            ), "\(status)")
        // The blackhole came after its exceptions: no pod was cut off in between.
        try lab.wait(5, "the monitor has it") { lab.log("kernel.txt").contains("blackhole \(family.block(65, 3))") }
        let order = lab.log("kernel.txt").split(separator: "\n").map(String.init)
        let block = try #require(order.firstIndex { $0.hasPrefix("blackhole \(family.block(65, 3))") })
        for last in [307, 308] {
            #expect(try #require(order.firstIndex { $0.hasPrefix("\(family.address(65, last)) dev cali") }) < block)
        }
        // Confirmed, and out of the way.
        try lab.must("ip \(family.flag) route del blackhole \(family.block(65, 5)) proto static", in: "node")
        try lab.write("r.yaml", fixed + affinity(65, 7))
        try lab.wait(10, "both are announced") {
            try announced().contains(family.block(65, 5)) && announced().contains(family.block(65, 7))
        }
        #expect(try routes().contains("blackhole \(family.block(65, 7))"))
        // Given up.
        try lab.write("r.yaml", fixed)
        try lab.wait(10, "it is gone from both") {
            try !announced().contains(family.block(65, 7)) && !routes().contains(family.block(65, 7))
        }
        #expect(try lab.ctl("n", "fib").status == 0)
    }
}
