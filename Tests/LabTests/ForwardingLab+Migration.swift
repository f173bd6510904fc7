import Foundation
import Testing

/// Pods and addresses that move from one node or interface to another.
extension ForwardingLab {
    @Test
    func
        `live migration: an elevated pod is preferred by every node, the one that it leaves included, and stays so for 30 seconds`()
        throws
    {
        let scene = try Self.nodes()
        let lab = scene.lab
        // The pod of n1 comes up on n3 with the same addresses, while n1 has it still.
        try lab.link("n3", "cali9", "r", "eth0")
        let moving = "node: n3, interfaceName: cali9, ipNetworks: [\(TunnelLab.pod(1))/32, '\(TunnelLab.pod6(1))/128']"
        try lab.write("moving.yaml", Lab.object("WorkloadEndpoint", "moving", moving + ", routePriority: Elevated"))
        try lab.wait(10, "every node prefers n3") {
            try scene.routes(1).contains("10.65.1.7 via 10.0.1.3 dev eth0 metric 512")
                && scene.routes(2).contains("10.65.1.7 via 10.0.2.254 dev eth0 metric 512")
                && scene.routes(3).contains("10.65.1.7 dev cali9 scope link metric 512")
                && scene.routes(1, "-6").contains("fd00:65:1::7 via fd00:1::3 dev eth0 metric 512")
                && scene.routes(2, "-6").contains("fd00:65:1::7 via fd00:2::254 dev eth0 metric 512")
        }
        #expect(try !scene.routes(1).contains("10.65.1.7 dev cali0"))
        #expect(try lab.ctl("n3", "endpoints").text.contains("elevated priority: it is being moved here"))
        // It is gone from n1, and ordinary on n3: the priority outlives it, so that nobody turns back.
        try scene.removeEndpoint(1)
        try lab.must("ip link del cali0", in: "n1")
        let normal = Date()
        try lab.write("moving.yaml", Lab.object("WorkloadEndpoint", "moving", moving))
        try lab.wait(20, "n3 has the change, and finds nothing wrong") { try lab.ctl("n3", "status").status == 0 }
        // A span under test: nothing may happen in it.
        Thread.sleep(forTimeInterval: 2)
        #expect(try scene.routes(2).contains("10.65.1.7 via 10.0.2.254 dev eth0 metric 512"))
        try lab.wait(40, "then it has the ordinary priority, as an address of another node's block") {
            try scene.routes(2).contains("10.65.1.7 via 10.0.2.254 dev eth0 metric 1024")
                && scene.routes(3).contains("10.65.1.7 dev cali9 scope link metric 1024")
                && scene.routes(1).contains("10.65.1.7 via 10.0.1.3 dev eth0 metric 1024")
        }
        #expect(Date().timeIntervalSince(normal) > 29)
    }

    @Test
    func `live migration: a target has no route until its guest speaks, and a restart does not forget that it did`()
        throws
    {
        let scene = try Self.nodes()
        let lab = scene.lab
        try lab.link("n3", "cali9", "r", "eth0")
        try lab.must("ip link set eth0 address 02:00:00:00:00:09", in: "r")
        let moving =
            "node: n3, interfaceName: cali9, mac: '02:00:00:00:00:09', ipNetworks: [\(TunnelLab.pod(1))/32, "
            + "'\(TunnelLab.pod6(1))/128']"
        try lab.write("moving.yaml", Lab.object("WorkloadEndpoint", "moving", moving + ", routePriority: Target"))
        try lab.wait(10, "it waits for its guest") {
            try lab.ctl("n3", "endpoints").text.contains("no ARP, RARP or neighbor advertisement of it yet")
        }
        func frame(_ bytes: String) throws {
            // Words are parted at blanks, and there is no shell.
            let code =
                "m=__import__('socket');s=m.socket(m.AF_PACKET,m.SOCK_RAW);s.bind(('eth0',0));s.send(bytes.fromhex('\(bytes)'))"
            try lab.must("python3 -c \(code)", in: "r")
        }
        let header = "ffffffffffff020000000009"
        // Another's address, another's MAC, and a probe.
        try frame(header + "0806" + "0001080006040001" + "020000000009" + "0a41016363" + "000000000000" + "0a410163")
        try frame(header + "8035" + "0001080006040003" + "020000000088" + "00000000" + "020000000088" + "00000000")
        try frame(header + "0806" + "0001080006040001" + "020000000009" + "00000000" + "000000000000" + "0a410107")
        // A span under test: nothing may happen in it.
        Thread.sleep(forTimeInterval: 1)
        #expect(
            try scene.routes(1).contains("10.65.1.7 dev cali0") && !scene.routes(3).contains("dev cali9")
                && !scene.routes(2).contains("10.65.1.7 "))
        // What QEMU sends for a guest that it has just let run.
        try frame(header + "8035" + "0001080006040003" + "020000000009" + "00000000" + "020000000009" + "00000000")
        func isPreferred() throws -> Bool {
            try scene.routes(1).contains("10.65.1.7 via 10.0.1.3 dev eth0 metric 512")
                && scene.routes(2).contains("10.65.1.7 via 10.0.2.254 dev eth0 metric 512")
                && scene.routes(3).contains("10.65.1.7 dev cali9 scope link metric 512")
                && scene.routes(2, "-6").contains("fd00:65:1::7 via fd00:2::254 dev eth0 metric 512")
        }
        try lab.wait(10, "every node prefers n3, both families", until: isPreferred)
        // Nobody says it again to the next process.
        try lab.restartAgent("n3")
        try lab.wait(20, "it knows") {
            try lab.ctl("n3", "endpoints").text.contains("elevated priority: it is being moved here")
        }
        // A span under test: nobody may turn away in it.
        for _ in 0..<20 {
            #expect(try isPreferred())
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    @Test
    func `live migration: without CAP_NET_RAW all else works, and status says that a target is waited for in vain`()
        throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip link add cali0 type veth peer name x0", in: "node")
        try lab.must("ip link set cali0 up", in: "node")
        func write(_ fields: String) throws {
            try lab.write(
                "r.yaml",
                BirdTests.node
                    + Lab.object(
                        "WorkloadEndpoint", "p", "node: n, interfaceName: cali0, ipNetworks: [10.65.1.7/32]\(fields)"))
        }
        try write(", routePriority: Target")
        try lab.start(
            [
                "setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", Lab.products + "/apusd", "agent",
                "--node", "n", "--resources", lab.folder + "/resources",
                "--state-dir", lab.folder + "/state-n", "--socket", lab.folder + "/n.sock",
            ], in: "node", log: "n.log")
        try lab.wait(20, "status says why") {
            let status = try lab.ctl("n", "status")
            return status.status == 1 && status.text.contains("a live migration's target waits: no guest can be heard:")
                && status.text.contains("it needs CAP_NET_RAW")
        }
        #expect(lab.log("n.log").contains("a live migration's target waits"))
        #expect(
            try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26") && !BirdTests.routes(lab).contains("10.65.1.7")
        )
        try write("")
        try lab.wait(10, "an ordinary endpoint is as ever") {
            try BirdTests.routes(lab).contains("10.65.1.7 dev cali0")
                && !lab.ctl("n", "status").text.contains("FAULT")
        }
    }

    @Test(arguments: ["ip", "ip6"])
    func `tracked connections of an address that moved to another interface are forgotten, and no others`(
        family: String
    ) throws {
        let is4 = family == "ip"
        let (pod, other, target, node) =
            is4
            ? (TunnelLab.pod(1), "10.65.1.9", TunnelLab.pod(3), TunnelLab.address(3))
            : (TunnelLab.pod6(1), "fd00:65:1::9", TunnelLab.pod6(3), TunnelLab.address6(3))
        let length = is4 ? 32 : 128
        func connections() throws -> String { try scene.lab.must("conntrack -L -f \(is4 ? "ipv4" : "ipv6")", in: "n1") }
        let scene = try Self.nodes()
        let lab = scene.lab
        // Only a rule that asks for it switches tracking on.
        try lab.must("nft add table \(family) t", in: "n1")
        try lab.must("nft add chain \(family) t c { type filter hook prerouting priority 0 ; }", in: "n1")
        try lab.must("nft add rule \(family) t c ct state new accept", in: "n1")
        try lab.wait(20, "the pods reach each other") { try scene.pings(1, target) }
        #expect(
            try Lab.run(["ip", "netns", "exec", lab.name("n1"), "ping", "-q", "-c", "1", "-W", "2", node]).status == 0)
        let before = try connections()
        #expect(before.contains("src=\(pod) ") && before.contains("dst=\(node) "), "\(before)")
        try lab.must("ip link add cali1 type veth peer name eth1 netns \(lab.name("p1"))", in: "n1")
        try lab.must("ip link set cali1 up", in: "n1")
        try lab.write(
            "second.yaml",
            Lab.object("WorkloadEndpoint", "p1b", "node: n1, interfaceName: cali1, ipNetworks: ['\(other)/\(length)']"))
        try lab.wait(10, "the second endpoint is there") {
            try scene.routes(1, is4 ? "-4" : "-6").contains("\(other) dev cali1")
        }
        #expect(try connections().contains("src=\(pod) "))
        // a sorts before p1, so that it has the address from now on.
        try lab.write(
            "second.yaml",
            Lab.object("WorkloadEndpoint", "a", "node: n1, interfaceName: cali1, ipNetworks: ['\(pod)/\(length)']"))
        try lab.wait(10, "the address is on the other interface") {
            try scene.routes(1, is4 ? "-4" : "-6").contains("\(pod) dev cali1")
        }
        try lab.wait(5, "its connections are forgotten") { try !connections().contains("\(pod) ") }
        #expect(try connections().contains("dst=\(node) "))
    }
}
