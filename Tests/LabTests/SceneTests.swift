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
        // Somebody's route is in the way: not in the kernel, so not announced, and the reason is shown.
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
        // Nobody is its peer: that is all that is wrong.
        func isWell() throws -> Bool {
            let status = try lab.ctl("n", "status")
            return status.text.contains("NOT healthy: degraded: no peer is configured")
                && !status.text.contains("FAULT")
        }
        try lab.wait(20, "it runs well") { try isWell() }
        try lab.write("r.yaml", BirdTests.node.replacingOccurrences(of: "10.65.1.0/26", with: "10.65.1.0/99"))
        try lab.wait(10, "the problem is shown") {
            let status = try lab.ctl("n", "status")
            return status.status == 1
                && status.text.contains("r.yaml:9: BlockAffinity/b4: spec.cidr: \"10.65.1.0/99\" is not a prefix")
        }
        #expect(try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26"))
        try lab.write("r.yaml", BirdTests.node)
        try lab.wait(10, "it is well again") { try isWell() }
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
