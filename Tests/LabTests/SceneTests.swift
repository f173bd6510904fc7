import Foundation
import Testing

/// The five scenes of the demo, on real kernels' FIBs, with a ToR that nobody here wrote.
@Suite(.serialized) struct SceneTests {
    @Test(arguments: ["bird", "gobgp"])
    func `the five scenes of the demo hold`(tor: String) throws {
        let output = try Lab.run(
            [Lab.root + "/examples/lab/demo.sh"], environment: ["APUS_BIN": Lab.products, "TOR": tor])
        #expect(output.status == 0, "\(output.text)")
        #expect(output.text.contains("All five scenes held"))
    }
}

/// A node and a BIRD on one veth: what the wire and the kernel show.
@Suite(.serialized) struct BirdTests {
    /// `node` 10.0.0.1 and `peer` 10.0.0.2, both families.
    static func pair() throws -> Lab {
        let lab = try Lab()
        try lab.addNamespace("node")
        try lab.addNamespace("peer")
        try lab.link("node", "eth0", "peer", "eth0")
        for (namespace, last) in [("node", 1), ("peer", 2)] {
            try lab.must("ip addr add 10.0.0.\(last)/24 dev eth0", in: namespace)
            try lab.must("ip addr add fd00::\(last)/64 dev eth0 nodad", in: namespace)
        }
        return lab
    }
    static let node =
        Lab.object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}")
        + Lab.object("BlockAffinity", "b4", "node: n, cidr: 10.65.1.0/26, state: confirmed")
        + Lab.object("BlockAffinity", "b6", "node: n, cidr: 'fd00:65:1::/122', state: confirmed")

    static func startBird(_ lab: Lab, _ session: String, statics: String) throws {
        let text = """
            log stderr all; router id 10.0.0.2;
            protocol device { scan time 1; }
            protocol static s4 { ipv4; \
            \(statics.split(separator: "\n").filter { !$0.contains("::") }.joined(separator: " ")) }
            protocol static s6 { ipv6; \
            \(statics.split(separator: "\n").filter { $0.contains("::") }.joined(separator: " ")) }
            protocol bgp n { \(session) connect retry time 1; error wait time 1, 2; ipv4 { import all; export where \
            source = RTS_STATIC; }; ipv6 { import all; export where source = RTS_STATIC; }; }
            """
        try text.write(toFile: lab.folder + "/bird.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/bird.conf", "-s", lab.folder + "/bird.ctl"], in: "peer", log: "bird.log"
        )
    }
    static func bird(_ lab: Lab, _ command: String) throws -> String {
        try Lab.run(["birdc", "-s", lab.folder + "/bird.ctl"] + command.split(separator: " ").map(String.init)).text
    }
    static func routes(_ lab: Lab, _ family: String = "-4") throws -> String {
        try lab.must("ip \(family) route show proto 73", in: "node")
    }

    @Test(arguments: ["iBGP", "eBGP"])
    func `both families cross one session with BIRD, both ways, into the kernel and out of it`(kind: String) throws {
        let lab = try Self.pair()
        let peerAS = kind == "iBGP" ? 64512 : 65000
        try lab.write("r.yaml", Self.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: \(peerAS)"))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local 10.0.0.2 as \(peerAS); neighbor 10.0.0.1 as 64512; graceful restart;",
            statics:
                "route 10.70.0.0/24 via 10.0.0.2 bgp;\nroute 10.71.0.0/24 blackhole;\nroute fd00:70::/64 blackhole;"
                .replacingOccurrences(
                    of: "via 10.0.0.2 bgp", with: "blackhole"))
        try lab.wait(30, "routes of BIRD are in the kernel") {
            let v4 = try Self.routes(lab)
            return try v4.contains("10.70.0.0/24 via 10.0.0.2") && v4.contains("10.71.0.0/24")
                && Self.routes(lab, "-6").contains("fd00:70::/64 via fd00::2")
        }
        try lab.wait(20, "our blocks are in BIRD") {
            let table = try Self.bird(lab, "show route all protocol n")
            return table.contains("10.65.1.0/26") && table.contains("fd00:65:1::/122")
                && table.contains("BGP.next_hop: 10.0.0.1") && table.contains("fd00::1")
        }
        #expect(try Self.routes(lab).contains("blackhole 10.65.1.0/26"))
        #expect(try Self.routes(lab, "-6").contains("blackhole fd00:65:1::/122"))
        let table = try Self.bird(lab, "show route all 10.65.1.0/26")
        if kind == "eBGP" {
            #expect(table.contains("BGP.as_path: 64512"))
        } else {
            #expect(table.contains("BGP.local_pref: 2147482623"))
        }
        // A withdrawal goes all the way, and a refresh is answered.
        _ = try Self.bird(lab, "disable s4")
        try lab.wait(10, "withdrawn routes leave the kernel") { try !Self.routes(lab).contains("10.70.0.0/24") }
        #expect(try Self.bird(lab, "reload in n").contains("reloading"))
        #expect(try lab.ctl("n", "status").status == 0)
        #expect(try lab.ctl("n", "fib").status == 0)
        #expect(try lab.ctl("n", "peer", "10.0.0.2").text.contains("Established"))
        #expect(try lab.ctl("n", "node", "status").text.contains("| 10.0.0.2     | global    | up    |"))
    }

    @Test func `IPv6 transport carries IPv4 and IPv6 routes`() throws {
        let lab = try Self.pair()
        try lab.write("r.yaml", Self.node + Lab.object("BGPPeer", "p", "peerIP: 'fd00::2', asNumber: 64512"))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local fd00::2 as 64512; neighbor fd00::1 as 64512;", statics: "route fd00:70::/64 blackhole;")
        try lab.wait(30, "the route is in the kernel") {
            try Self.routes(lab, "-6").contains("fd00:70::/64 via fd00::2")
        }
        try lab.wait(20, "both blocks are in BIRD") {
            let table = try Self.bird(lab, "show route protocol n")
            return table.contains("10.65.1.0/26") && table.contains("fd00:65:1::/122")
        }
    }

    @Test
    func
        `MD5 and GTSM: right ones come up, a wrong password and a missing secret do not, and nothing is reset by a change elsewhere`()
        throws
    {
        let lab = try Self.pair()
        try FileManager.default.createDirectory(atPath: lab.folder + "/secrets/bgp", withIntermediateDirectories: true)
        let spec = "peerIP: 10.0.0.2, asNumber: 65000, ttlSecurity: 1, password: {secretKeyRef: {name: bgp, key: tor}}"
        try lab.write("r.yaml", Self.node + Lab.object("BGPPeer", "p", spec))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab,
            "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512; password \"s3cret\"; ttl security on; multihop 1;"
                .replacingOccurrences(of: " multihop 1;", with: ""),
            statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(20, "the peer is held down") {
            try lab.ctl("n", "status").text.contains("secret bgp/tor is missing")
        }
        func secret(_ text: String) throws {
            try text.write(toFile: lab.folder + "/secrets/bgp/tor", atomically: false, encoding: .utf8)
            try lab.must("chmod 600 \(lab.folder)/secrets/bgp/tor")
        }
        try secret("wrong\n")
        try lab.wait(20, "the peer is tried") { try lab.ctl("n", "peers").text.contains("10.0.0.2") }
        try secret("s3cret\n")
        try lab.wait(40, "the session is up with the right password") { try Self.routes(lab).contains("10.70.0.0/24") }
        try lab.write(
            "other.yaml", Lab.object("BlockAffinity", "more", "node: n, cidr: 10.65.9.0/26, state: confirmed"))
        try lab.wait(20, "the new block is announced") { try Self.bird(lab, "show route").contains("10.65.9.0/26") }
        #expect(try lab.ctl("n", "peers", "-o", "json").text.contains("\"timesEstablished\" : 1"))
    }

    @Test func `what others remove or alter of ours is put back, and nothing foreign is touched`() throws {
        let lab = try Self.pair()
        try lab.must("ip route add 10.71.0.0/24 via 10.0.0.2 proto static metric 1024", in: "node")
        try lab.write("r.yaml", Self.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512"))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;",
            statics: "route 10.70.0.0/24 blackhole;\nroute 10.71.0.0/24 blackhole;")
        try lab.wait(30, "the route is in the kernel") { try Self.routes(lab).contains("10.70.0.0/24") }
        try lab.must("ip route del 10.70.0.0/24", in: "node")
        try lab.wait(5, "the deleted route is back") { try Self.routes(lab).contains("10.70.0.0/24 via 10.0.0.2") }
        try lab.must("ip route replace 10.70.0.0/24 via 10.0.0.9 dev eth0 proto 73 metric 1024 onlink", in: "node")
        try lab.wait(5, "the altered route is right again") {
            try Self.routes(lab).contains("10.70.0.0/24 via 10.0.0.2")
        }
        try lab.must("ip route del blackhole 10.65.1.0/26", in: "node")
        try lab.wait(5, "the blackhole is back") { try Self.routes(lab).contains("blackhole 10.65.1.0/26") }
        #expect(try lab.must("ip route show 10.71.0.0/24", in: "node").contains("proto static"))
        #expect(try lab.ctl("n", "fib").text.contains("a route of protocol 4 is in the way"))
        try lab.must("ip route del 10.71.0.0/24 proto static", in: "node")
        try lab.wait(5, "the freed place is taken") { try Self.routes(lab).contains("10.71.0.0/24 via 10.0.0.2") }
        // The interface flaps: the kernel drops its routes without a word.
        try lab.must("ip link set eth0 down", in: "node")
        try lab.must("ip link set eth0 up", in: "node")
        try lab.wait(40, "routes are back after a flap") { try Self.routes(lab).contains("10.70.0.0/24 via 10.0.0.2") }
    }

    @Test func `a pod's route follows its interface: late, early, renumbered and gone`() throws {
        let lab = try Self.pair()
        let pod =
            "node: n, interfaceName: cali0, mac: '02:00:00:00:00:07', ipNetworks: [10.65.1.7/32, 'fd00:65:1::7/128']"
        try lab.write("r.yaml", Self.node + Lab.object("WorkloadEndpoint", "p", pod))
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the endpoint waits") { try lab.ctl("n", "endpoints").text.contains("waiting for interface") }
        try lab.must("ip link add cali0 type veth peer name c0", in: "node")
        try lab.must("ip link set cali0 up", in: "node")
        try lab.must("ip link set c0 up", in: "node")
        try lab.wait(5, "the host routes") {
            try Self.routes(lab).contains("10.65.1.7 dev cali0 scope link")
                && Self.routes(lab, "-6").contains("fd00:65:1::7 dev cali0")
        }
        #expect(try lab.must("sysctl -n net.ipv4.conf.cali0.proxy_arp", in: "node").hasPrefix("1"))
        #expect(try lab.must("sysctl -n net.ipv6.conf.cali0.proxy_ndp", in: "node").hasPrefix("1"))
        #expect(
            try lab.must("ip neigh show dev cali0", in: "node").contains("10.65.1.7 lladdr 02:00:00:00:00:07 PERMANENT")
        )
        #expect(try lab.ctl("n", "endpoints").status == 0)
        try lab.must("ip link del cali0", in: "node")
        try lab.wait(5, "the endpoint waits again") {
            try lab.ctl("n", "endpoints").text.contains("waiting for interface")
        }
        #expect(try !Self.routes(lab).contains("10.65.1.7"))
        try lab.must("ip link add cali0 type veth peer name c0", in: "node")
        try lab.must("ip link set cali0 up", in: "node")
        try lab.must("ip link set c0 up", in: "node")
        try lab.wait(5, "the route is back under the new index") {
            try Self.routes(lab).contains("10.65.1.7 dev cali0")
        }
        try lab.write("r.yaml", Self.node)
        try lab.wait(5, "the route goes with its endpoint") { try !Self.routes(lab).contains("10.65.1.7") }
    }
}

@Suite(.serialized) struct SessionTests {
    @Test
    func `an own block that the kernel did not take is not announced, and a withdrawal is sent before the route goes`()
        throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip route add blackhole 10.65.9.0/26 proto static metric 1024", in: "node")
        let own = Lab.object("BlockAffinity", "own", "node: n, cidr: 10.65.9.0/26, state: confirmed")
        let peer = Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512")
        try lab.write("r.yaml", BirdTests.node + peer + own)
        try lab.start(
            ["tcpdump", "-l", "-n", "-v", "-i", "eth0", "tcp port 179 and src 10.0.0.1"], in: "node", log: "wire.txt")
        try lab.start(["ip", "-4", "-ts", "monitor", "route"], in: "node", log: "kernel.txt")
        // On a busy machine it may need longer than all that it is to see.
        try lab.wait(20, "tcpdump listens") { lab.log("wire.txt").contains("listening on") }
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: "")
        try lab.wait(30, "the other block is announced") {
            try BirdTests.bird(lab, "show route").contains("10.65.1.0/26")
        }
        // Somebody's route is in the way: not in the kernel, so not announced, and the reason is told.
        #expect(
            try lab.ctl("n", "status").text.contains(
                "10.65.9.0/26 (block) not announced: its route is not in the kernel: a route of protocol 4 is in "
                    + "the way"
            ))
        #expect(try !BirdTests.bird(lab, "show route").contains("10.65.9.0/26"))
        try lab.must("ip route del blackhole 10.65.9.0/26 proto static", in: "node")
        try lab.wait(10, "the freed block is announced") {
            try BirdTests.bird(lab, "show route").contains("10.65.9.0/26")
        }
        try lab.write("r.yaml", BirdTests.node + peer)
        try lab.wait(10, "the block is gone from both") {
            try !BirdTests.bird(lab, "show route").contains("10.65.9.0/26")
                && !BirdTests.routes(lab).contains("10.65.9.0/26")
        }
        try lab.wait(5, "both captures have it") {
            lab.log("kernel.txt").contains("Deleted blackhole 10.65.9.0/26 proto 73")
                && lab.log("wire.txt").contains("Withdrawn routes")
        }
        // 12:34:56.123456, as both tools print it.
        var sent: [String: String] = [:]
        var packet = ""
        var isWithdrawal = false
        for line in lab.log("wire.txt").split(separator: "\n") {
            if line.first?.isNumber ?? false { packet = String(line.prefix(15)) }
            if line.contains("Withdrawn routes") { isWithdrawal = true }
            if line.contains("Updated routes") { isWithdrawal = false }
            if line.contains("10.65.9.0/26") { sent[isWithdrawal ? "withdrawn" : "announced"] = packet }
        }
        func kernel(_ words: String) -> String? {
            lab.log("kernel.txt").split(separator: "\n").first { $0.contains("] " + words) }.map {
                String($0.dropFirst(12).prefix(15))
            }
        }
        let removed = try #require(kernel("Deleted blackhole 10.65.9.0/26 proto 73"))
        #expect(sent["announced"] != nil)
        // `ip` stamps what it prints, a little after the kernel did it: that can only make the removal look later,
        // never earlier.
        #expect(try #require(sent["withdrawn"]) < removed)
    }

    @Test func `a prefix from two peers becomes one ECMP route, and a peer that goes takes only its own share`() throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip addr add 10.0.0.3/24 dev eth0", in: "peer")
        try lab.write(
            "r.yaml",
            BirdTests.node + Lab.object("BGPPeer", "p2", "peerIP: 10.0.0.2, asNumber: 65000, gracefulRestart: 'off'")
                + Lab.object("BGPPeer", "p3", "peerIP: 10.0.0.3, asNumber: 65001, gracefulRestart: 'off'"))
        try lab.startAgent("n", in: "node")
        for (last, number) in [(2, 65000), (3, 65001)] {
            let text = """
                log stderr all; router id 10.0.0.\(last); protocol device { }
                protocol static { ipv4; route 10.70.0.0/24 blackhole; }
                protocol bgp n { strict bind; local 10.0.0.\(last) as \(number); neighbor 10.0.0.1 as 64512; ipv4 { \
                import all; export where source = RTS_STATIC; next hop self; }; }
                """
            try text.write(toFile: lab.folder + "/bird\(last).conf", atomically: true, encoding: .utf8)
            try lab.start(
                ["bird", "-f", "-c", lab.folder + "/bird\(last).conf", "-s", lab.folder + "/bird\(last).ctl"],
                in: "peer", log: "bird\(last).log")
        }
        try lab.wait(30, "two next hops") {
            let routes = try BirdTests.routes(lab)
            return routes.contains("nexthop via 10.0.0.2") && routes.contains("nexthop via 10.0.0.3")
        }
        #expect(try lab.ctl("n", "routes", "10.70.0.0/24").text.contains("="))
        #expect(try Lab.run(["birdc", "-s", lab.folder + "/bird3.ctl", "disable", "n"]).status == 0)
        try lab.wait(10, "one next hop") { try BirdTests.routes(lab).contains("10.70.0.0/24 via 10.0.0.2") }
        #expect(try lab.ctl("n", "why", "10.70.0.1").text.contains("installed: via 10.0.0.2"))
    }

    @Test func `a reflector takes clients of a range with one MD5 key for all, and keeps strangers and wrong keys out`()
        throws
    {
        let lab = try BirdTests.pair()
        try FileManager.default.createDirectory(atPath: lab.folder + "/secrets/bgp", withIntermediateDirectories: true)
        try "range-key\n".write(toFile: lab.folder + "/secrets/bgp/key", atomically: false, encoding: .utf8)
        try lab.must("chmod 600 \(lab.folder)/secrets/bgp/key")
        try lab.write(
            "r.yaml",
            Lab.object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, routeReflectorClusterID: 9.9.9.9}")
                + Lab.object(
                    "BGPPeer", "clients",
                    "listenRange: 10.0.0.0/24, asNumber: 64512, routeReflectorClient: true, password: "
                        + "{secretKeyRef: {name: bgp, key: key}}"
                ))
        try lab.startAgent("n", in: "node", mode: "reflector")
        try lab.wait(20, "the reflector runs") { try lab.ctl("n", "peers").status == 0 }
        try BirdTests.startBird(
            lab, "strict bind; local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; password \"range-key\";",
            statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(30, "the client is up") {
            try lab.ctl("n", "peer", "10.0.0.2").text.contains("our route reflector client")
                && lab.ctl("n", "peer", "10.0.0.2").status == 0
        }
        try lab.wait(10, "its route is there") { try lab.ctl("n", "routes", "10.70.0.0/24").status == 0 }
        // Nobody but a client with the key gets as far as an OPEN.
        try lab.must("ip addr add 10.0.0.9/24 dev eth0", in: "peer")
        let text =
            "log stderr all; router id 10.0.0.9; protocol device { } protocol bgp n { strict bind; local 10.0.0.9 "
            + "as 64512; neighbor 10.0.0.1 as 64512; connect delay time 1; password \"wrong\"; ipv4 { import all; "
            + "export none; }; }"
        try text.write(toFile: lab.folder + "/bird9.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/bird9.conf", "-s", lab.folder + "/bird9.ctl"], in: "peer",
            log: "bird9.log")
        try lab.wait(20, "the stranger tries") {
            try Lab.run(["birdc", "-s", lab.folder + "/bird9.ctl", "show", "protocols", "n"]).text.contains("Connect")
        }
        #expect(try lab.ctl("n", "peer", "10.0.0.9").status == 1)
        #expect(try lab.ctl("n", "status").text.contains("no way to its routes"))
        #expect(try lab.must("ip route show proto 73", in: "node").isEmpty)
    }

    @Test func `a node with IPv6 alone has a stable router id and speaks`() throws {
        let lab = try BirdTests.pair()
        try lab.write(
            "r.yaml",
            Lab.object("Node", "n", "bgp: {ipv6Address: 'fd00::1/64'}, podCIDRs: ['fd00:65:1::/122']")
                + Lab.object("BGPPeer", "p", "peerIP: 'fd00::2', asNumber: 64512"))
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local fd00::2 as 64512; neighbor fd00::1 as 64512;", statics: "route fd00:70::/64 blackhole;")
        try lab.wait(30, "the route is in the kernel") {
            try BirdTests.routes(lab, "-6").contains("fd00:70::/64 via fd00::2")
        }
        try lab.wait(20, "our block is in BIRD") {
            try BirdTests.bird(lab, "show route protocol n").contains("fd00:65:1::/122")
        }
        // The first four bytes of SHA-256("n").
        #expect(try lab.ctl("n", "status").text.contains("router id   27.22.177.223"))
    }
}

@Suite(.serialized) struct StartTests {
    @Test func `a start that cannot succeed is one clear line and exit code 2`() throws {
        let lab = try Lab()
        let apusd = Lab.products + "/apusd"
        func start(_ arguments: String...) throws -> Lab.Output {
            try Lab.run(
                [apusd] + arguments + [
                    "--resources", lab.folder + "/resources", "--state-dir", lab.folder + "/state", "--socket",
                    lab.folder + "/s.sock", "--metrics", "", "--health", "",
                ])
        }
        try lab.write(
            "r.yaml",
            Lab.object("Node", "a", "bgp: {ipv4Address: 127.0.0.1/8}")
                + Lab.object("BGPConfiguration", "default", "listenPort: 41179"))
        let unknown = try start("agent", "--node", "nobody")
        #expect(unknown.status == 2)
        #expect(
            unknown.text.contains("--node nobody: no Node object has that name") && unknown.text.contains("there are a")
        )
        try lab.write("bad.yaml", Lab.object("BGPPeer", "p", "peerIP: x, asNumber: 1"))
        let bad = try start("agent", "--node", "a")
        #expect(bad.status == 2)
        #expect(bad.text.contains("bad.yaml:4: BGPPeer/p: spec.peerIP: \"x\" is not an address of a peer"))
        try lab.must("rm \(lab.folder)/resources/bad.yaml")
        let unprivileged = try Lab.run([
            "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", apusd, "agent", "--node", "a",
            "--resources", lab.folder + "/resources", "--state-dir", "/tmp",
            "--socket", lab.folder + "/s.sock",
        ])
        #expect(unprivileged.status == 2)
        #expect(unprivileged.text.contains("needs CAP_NET_ADMIN"))
        let nowhere = try Lab.run([apusd, "agent", "--node", "a", "--resources", "/nonexistent"])
        #expect(nowhere.status == 2 && nowhere.text.contains("no such file or folder"))
        #expect(try Lab.run([apusd, "agent", "--nod", "a"]).status == 2)
        #expect(try Lab.run([apusd, "--version"]).status == 0)
        #expect(try lab.ctl("none", "status").status == 3)
        #expect(try Lab.run([Lab.products + "/apusctl", "frobnicate"]).status == 2)
        // A port in use.
        try lab.addNamespace("n")
        try lab.startAgent("a", in: "n", arguments: ["--metrics", "", "--health", ""], mode: "reflector")
        try lab.wait(20, "the first one runs") { try lab.ctl("a", "peers").status == 0 }
        let second = try Lab.run([
            "ip", "netns", "exec", lab.name("n"), apusd, "reflector", "--node", "a", "--resources",
            lab.folder + "/resources", "--state-dir", lab.folder + "/x", "--socket",
            lab.folder + "/x.sock",
        ])
        #expect(second.status == 2)
        #expect(second.text.contains("TCP port 41179 is in use"))
    }

    @Test func `a bad edit at run time changes nothing and is shown, and mending it clears it`() throws {
        let lab = try BirdTests.pair()
        try lab.write("r.yaml", BirdTests.node)
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "it runs healthy") { try lab.ctl("n", "status").status == 0 }
        try lab.write("r.yaml", BirdTests.node.replacingOccurrences(of: "10.65.1.0/26", with: "10.65.1.0/99"))
        try lab.wait(10, "the problem is shown") {
            let status = try lab.ctl("n", "status")
            return status.status == 1
                && status.text.contains("r.yaml:9: BlockAffinity/b4: spec.cidr: \"10.65.1.0/99\" is not a prefix")
        }
        #expect(try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26"))
        try lab.write("r.yaml", BirdTests.node)
        try lab.wait(10, "it is healthy again") { try lab.ctl("n", "status").status == 0 }
        func get(_ port: Int, _ request: String) throws -> String {
            let script =
                "exec 3<>/dev/tcp/127.0.0.1/\(port); printf '\(request)\\r\\nHost: x\\r\\n\\r\\n' >&3; timeout 3 "
                + "cat <&3"
            return try Lab.run(["ip", "netns", "exec", lab.name("node"), "bash", "-c", script]).text
        }
        let metrics = try get(9091, "GET /metrics HTTP/1.1")
        #expect(metrics.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"))
        #expect(metrics.contains("apus_fib_routes_missing 0"))
        #expect(try get(9099, "GET /liveness HTTP/1.1").hasSuffix("alive\n"))
        #expect(try get(9099, "HEAD /readiness HTTP/1.1").hasSuffix("Connection: close\r\n\r\n"))
        #expect(try get(9099, "GET /readiness?x HTTP/1.1").hasSuffix("ready\n"))
        #expect(try get(9099, "POST /metrics HTTP/1.1").contains("405 Method Not Allowed"))
        #expect(try get(9099, "GET /etc HTTP/1.1").contains("404 Not Found"))
        #expect(try get(9099, "nonsense").contains("400 Bad Request"))
    }

    @Test func `SIGTERM leaves the routes in the kernel, and --dry-run writes none`() throws {
        let lab = try BirdTests.pair()
        try lab.write("r.yaml", BirdTests.node)
        let dry = try lab.startAgent("n", in: "node", arguments: ["--dry-run"])
        try lab.wait(20, "it says what it would do") {
            lab.log("n.log").contains("would add 10.65.1.0/26 blackhole metric 1024")
        }
        #expect(try BirdTests.routes(lab).isEmpty)
        kill(dry.processIdentifier, SIGTERM)
        dry.waitUntilExit()
        let agent = try lab.startAgent("n", in: "node")
        try lab.wait(20, "the blackhole") { try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26") }
        kill(agent.processIdentifier, SIGTERM)
        agent.waitUntilExit()
        #expect(agent.terminationStatus == 0)
        #expect(try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26"))
    }
}
