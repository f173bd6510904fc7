import Foundation
import Testing

extension ForwardingLab {
    @Test func `tables and source addresses go by peer, pool and FelixConfiguration`() throws {
        let lab = try BirdTests.pair()
        try lab.must("ip addr add 10.0.0.11/32 dev lo", in: "node")
        func write(_ peer: String, _ pool: String, _ felix: String) throws {
            try lab.write(
                "r.yaml",
                BirdTests.node
                    + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, families: [ipv4, ipv6]\(peer)")
                    + Lab.object("IPPool", "pool", "cidr: 10.66.0.0/16\(pool)")
                    + Lab.object("FelixConfiguration", "default", "bpfEnabled: false\(felix)"))
        }
        try write("", ", routeTable: 100", ", deviceRouteSourceAddress: 10.0.0.11")
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;",
            statics: "route 10.66.1.0/26 blackhole;\nroute 10.70.0.0/24 blackhole;\nroute fd00:70::/64 blackhole;")
        /// Empty also where the kernel has no such table yet.
        func table(_ number: String, _ family: String = "-4") throws -> String {
            let output = try Lab.run([
                "ip", "-n", lab.name("node"), family, "route", "show", "table", number, "proto", "73",
            ])
            return output.status == 0 ? output.text : ""
        }
        try lab.wait(30, "the pool's routes are in its table, with the source of all") {
            try lab.must("ip route show table all proto 73", in: "node").contains(
                "10.66.1.0/26 via 10.0.0.2 dev eth0 table 100 src 10.0.0.11 metric 1024")
                && table("main").contains("10.70.0.0/24 via 10.0.0.2 dev eth0 src 10.0.0.11 metric 1024")
                && table("main", "-6").contains("fd00:70::/64 via fd00::2")
        }
        try write(
            ", routeTable: 3000, routeSourceAddress: 10.0.0.1", ", routeTable: 100",
            ", deviceRouteSourceAddress: 10.0.0.11")
        try lab.wait(10, "the peer's go before the pool's, and the old places are empty") {
            try table("3000").contains("10.66.1.0/26 via 10.0.0.2 dev eth0 src 10.0.0.1 metric 1024")
                && table("3000", "-6").contains("fd00:70::/64")
                && !lab.must("ip route show table all", in: "node").contains("table 100")
                && !table("main").contains("10.70.0.0")
        }
        // A restart finds routes in tables that nobody wants any more.
        try lab.restartAgent("n")
        try write("", "", "")
        try lab.wait(20, "all is in the main table without a source") {
            try table("main").contains("10.66.1.0/26 via 10.0.0.2 dev eth0 metric 1024")
                && table("main").contains("10.70.0.0/24 via 10.0.0.2 dev eth0 metric 1024")
                && !lab.must("ip route show table all", in: "node").contains("table 3000")
        }
        // A source that is none of this host's is refused by the kernel, and the status says so.
        try write(", routeSourceAddress: 198.51.100.9", "", "")
        try lab.wait(10, "the reason is shown") {
            try lab.ctl("n", "fib").text.contains("source address 198.51.100.9 is none of this host's")
        }
        try lab.must("ip addr add 198.51.100.9/32 dev lo", in: "node")
        try lab.wait(10, "with the address it goes in") {
            try table("main").contains("10.70.0.0/24 via 10.0.0.2 dev eth0 src 198.51.100.9 metric 1024")
        }
    }

    @Test(arguments: ["-4", "-6"])
    func `beside Felix: its host routes are learned, announced where they are no block's, and never touched`(
        family: String
    ) throws {
        let is4 = family == "-4"
        let lab = try BirdTests.pair()
        func written(_ prefix: String) -> String { is4 ? prefix + " scope link proto boot" : prefix + " proto boot" }
        /// As `ip` and BIRD write a host's prefix.
        func host(_ address: String) -> String { is4 ? address + "/32" : address + "/128" }
        let (inside, elevated, borrowed, later) =
            is4
            ? ("10.65.1.7", "10.65.1.8", "10.65.200.9", "10.65.201.1")
            : ("fd00:65:1::7", "fd00:65:1::8", "fd00:65:200::9", "fd00:65:201::1")
        let (own, plain, tunnelled) =
            is4
            ? ("10.65.1.0/26", "10.65.3.0/26", "10.66.3.0/26")
            : ("fd00:65:1::/122", "fd00:65:3::/122", "fd00:66:3::/122")
        for name in ["caliaaa", "calibbb"] {
            try lab.must("ip link add \(name) type veth peer name x\(name.dropFirst(4))", in: "node")
            try lab.must("ip link set \(name) up", in: "node")
        }
        // As Felix writes them: protocol boot, on the link; one inside our block, one borrowed, one elevated.
        for route in [
            "\(host(inside)) dev caliaaa", "\(host(borrowed)) dev calibbb", "\(host(elevated)) dev calibbb metric 512",
        ] {
            try lab.must("ip \(family) route add \(written(route))", in: "node")
        }
        let pools =
            Lab.object("IPPool", "plain", "cidr: '\(is4 ? "10.65.0.0/16" : "fd00:65::/32")'")
            + Lab.object("IPPool", "tunnel", "cidr: '\(is4 ? "10.66.0.0/16" : "fd00:66::/32")', vxlanMode: Always")
        try lab.write(
            "r.yaml",
            BirdTests.node + pools
                + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, families: [ipv4, ipv6]"))
        try lab.startAgent("n", in: "node", arguments: ["--program", "remote"])
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;",
            statics: [plain, tunnelled, host(borrowed)].map { "route \($0) blackhole;" }.joined(separator: "\n"))
        try lab.wait(30, "block, borrowed and elevated addresses are announced") {
            let table = try BirdTests.bird(lab, "show route protocol n")
            return table.contains(own) && table.contains(host(borrowed)) && table.contains(host(elevated))
                && !table.contains(host(inside))
        }
        try lab.wait(10, "plain routes are ours, tunnels are Felix's") {
            try BirdTests.routes(lab, family).contains("\(plain) via \(is4 ? "10.0.0.2" : "fd00::2")")
                && !BirdTests.routes(lab, family).contains(tunnelled)
        }
        #expect(try BirdTests.routes(lab, family).contains("blackhole \(own)"))
        #expect(try !BirdTests.routes(lab, family).contains(borrowed))
        #expect(try !lab.must("ip link show", in: "node").contains("vxlan"))
        #expect(try lab.ctl("n", "fib").status == 0)
        // Felix takes one away and writes another.
        try lab.must("ip \(family) route del \(host(borrowed)) dev calibbb", in: "node")
        try lab.must("ip \(family) route add \(written("\(host(later)) dev calibbb"))", in: "node")
        try lab.wait(10, "the announcements follow") {
            let table = try BirdTests.bird(lab, "show route protocol n")
            return table.contains(host(later)) && !table.contains(host(borrowed))
        }
        // What another announces of the address that is not here any more leads there.
        try lab.wait(10, "the peer's route is used now") {
            try BirdTests.routes(lab, family).contains("\(borrowed) via \(is4 ? "10.0.0.2" : "fd00::2")")
        }
        #expect(try lab.must("ip \(family) route show proto boot", in: "node").split(separator: "\n").count == 3)
    }

    @Test(arguments: ["-4", "-6"])
    func `local only: pods and blocks are programmed and announced, and no route to another node is`(family: String)
        throws
    {
        let is4 = family == "-4"
        let lab = try BirdTests.pair()
        try lab.must("ip link add cali0 type veth peer name x0", in: "node")
        try lab.must("ip link set cali0 up", in: "node")
        let (address, own, remote) =
            is4 ? ("10.65.1.7", "10.65.1.0/26", "10.70.0.0/24") : ("fd00:65:1::7", "fd00:65:1::/122", "fd00:70::/64")
        let pod = Lab.object(
            "WorkloadEndpoint", "p", "node: n, interfaceName: cali0, ipNetworks: ['\(address)/\(is4 ? 32 : 128)']")
        try lab.write(
            "r.yaml",
            BirdTests.node + pod
                + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, families: [ipv4, ipv6]"))
        try lab.startAgent("n", in: "node", arguments: ["--program", "local"])
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: "route \(remote) blackhole;")
        try lab.wait(30, "the block is announced, and the peer's route is known") {
            try BirdTests.bird(lab, "show route protocol n").contains(own)
                && lab.ctl("n", "routes").text.contains(remote)
        }
        let routes = try BirdTests.routes(lab, family)
        #expect(
            routes.contains("\(address) dev cali0") && routes.contains("blackhole \(own)") && !routes.contains(remote),
            "\(routes)")
        let status = try lab.ctl("n", "status")
        // This host has no default route, and so answers no pod's ARP request: nothing worse.
        #expect(!status.text.contains("FAULT"), "\(status.text)")
        let wrong = try Lab.run([
            Lab.products + "/apusd", "agent", "--program", "some", "--node", "n", "--resources",
            lab.folder + "/resources",
        ])
        #expect(wrong.status == 2 && wrong.text.contains("it must be all, local or remote"))
    }

    @Test
    func
        `a live pod keeps its route though a restarted agent has not heard of it yet, and loses it with its interface`()
        throws
    {
        let scene = try Self.nodes()
        let lab = scene.lab
        try lab.must("ip link add calitwo type veth peer name other", in: "n1")
        try lab.must("ip link set calitwo up", in: "n1")
        func pod(_ fields: String) throws {
            try lab.write(
                "late.yaml", Lab.object("WorkloadEndpoint", "late", "node: n1, interfaceName: calitwo, \(fields)"))
        }
        try pod("ipNetworks: [10.65.1.30/32, 'fd00:65:1::30/128']")
        func isThere() throws -> Bool {
            try scene.routes(1).contains("10.65.1.30 dev calitwo")
                && scene.routes(1, "-6").contains("fd00:65:1::30 dev calitwo")
        }
        try lab.wait(10, "the pod's routes are there", until: isThere)
        // Stopped, its input gone, started again: whoever kept the endpoints is late.
        try lab.signalAgent("n1", SIGSTOP)
        try lab.must("rm \(lab.folder)/resources/late.yaml")
        try lab.restartAgent("n1")
        try lab.wait(20, "the restart is over") {
            // Each family's is over when its own peers have sent their tables.
            try lab.log("n1.log").contains("their interfaces are up, so their routes stay")
                && lab.ctl("n1", "fib").status == 0
        }
        #expect(try isThere())
        #expect(try lab.ctl("n1", "fib", "10.65.1.30").text.contains("a pod of an earlier process without an endpoint"))
        #expect(try lab.ctl("n1", "fib").status == 0)
        // The endpoint comes, with one address less: it has the say again.
        try pod("ipNetworks: [10.65.1.30/32]")
        try lab.wait(10, "the address that it does not have is gone") {
            try !scene.routes(1, "-6").contains("fd00:65:1::30") && scene.routes(1).contains("10.65.1.30 dev calitwo")
        }
        try lab.must("rm \(lab.folder)/resources/late.yaml")
        try lab.wait(10, "it goes with its endpoint") { try !scene.routes(1).contains("10.65.1.30") }
        // And without an endpoint it goes with its interface.
        try pod("ipNetworks: [10.65.1.30/32, 'fd00:65:1::30/128']")
        try lab.wait(10, "the pod is there again", until: isThere)
        try lab.signalAgent("n1", SIGSTOP)
        try lab.must("rm \(lab.folder)/resources/late.yaml")
        try lab.restartAgent("n1")
        try lab.wait(20, "the second restart is over") {
            lab.log("n1.log").contains("their interfaces are up, so their routes stay")
        }
        try lab.must("ip link del calitwo", in: "n1")
        try lab.wait(10, "nothing is left") {
            try !scene.routes(1).contains("10.65.1.30") && lab.ctl("n1", "fib").status == 0
        }
    }

    @Test func `doctor finds what keeps packets from going`() throws {
        let scene = try TunnelLab(pool: ", vxlanMode: Always")
        let lab = scene.lab
        try lab.wait(30, "routes are there") {
            try scene.routes(1).contains("10.65.2.0/26 via") && scene.routes(1).contains("10.65.3.0/26 via")
        }
        try lab.wait(10, "all peers are up") { try lab.ctl("n1", "doctor").text.contains("are established") }
        let well = try lab.ctl("n1", "doctor")
        // The pods' MTU is larger than the tunnel's, and that is all.
        #expect(well.status == 1 && !well.text.contains("FAULT"), "\(well.text)")
        #expect(well.text.split(separator: "\n").count { $0.contains("degraded") } == 1, "\(well.text)")
        #expect(
            well.text.contains("net.ipv4.ip_forward is 1")
                && well.text.contains("no chain at the forward hook has policy drop"), "\(well.text)")
        #expect(
            well.text.contains("has no ipv4VXLANTunnelAddr") && well.text.contains("set the CNI plugin's mtu to 1450"),
            "\(well.text)")
        try lab.must("sysctl -q -w net.ipv4.ip_forward=0", in: "n1")
        try lab.must("sysctl -q -w net.ipv4.conf.cali0.proxy_arp=0", in: "n1")
        try lab.must("nft add table inet t", in: "n1")
        try lab.must("nft add chain inet t f { type filter hook forward priority 0 ; policy drop ; }", in: "n1")
        // Beside nf_tables; a rule before the policy must not hide it.
        try lab.must("iptables-legacy -A FORWARD -s 192.0.2.1 -j ACCEPT", in: "n1")
        try lab.must("ip6tables-legacy -P FORWARD DROP", in: "n1")
        let half = try lab.ctl("n1", "doctor").text
        #expect(
            half.contains("FORWARD of ip6tables-legacy has policy DROP")
                && !half.contains("FORWARD of iptables-legacy"), "\(half)")
        try lab.must("iptables-legacy -P FORWARD DROP", in: "n1")
        #expect(try lab.ctl("n1", "doctor").text.contains("chain FORWARD of iptables-legacy has policy DROP"))
        try lab.must("iptables-legacy -P FORWARD ACCEPT", in: "n1")
        #expect(try !lab.ctl("n1", "doctor").text.contains("FORWARD of iptables-legacy"))
        try lab.must("ip route del default", in: "n1")
        try lab.must("ip route add 10.0.2.0/24 via 10.0.1.254", in: "n1")
        try lab.must("ip route add 10.65.77.0/26 via 10.0.1.254 proto bird", in: "n1")
        try lab.wait(5, "it sees the kernel's routes") { try lab.ctl("n1", "doctor").text.contains("protocol 12") }
        let ill = try lab.ctl("n1", "doctor")
        #expect(ill.status == 1)
        for text in [
            "net.ipv4.ip_forward is 0", "net.ipv4.conf.cali0.proxy_arp", "chain inet t f has policy drop",
            "no route to 169.254.1.1", "are of protocol 12 (BIRD)",
        ] { #expect(ill.text.contains(text), "\(text) is not in \(ill.text)") }
        #expect(try lab.ctl("n1", "doctor", "-o", "json").text.contains("\"severity\" : \"fault\""))
    }
}
