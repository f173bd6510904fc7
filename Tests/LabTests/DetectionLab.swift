import Foundation
import Testing

/// An agent whose Node object has no address, with a real BIRD as its neighbor.
@Suite(.serialized) struct DetectionLab {
    /// BIRD takes whoever comes from the subnet.
    private static func start(_ lab: Lab, arguments: [String]) throws -> Process {
        try lab.write(
            "r.yaml",
            Lab.object("Node", "n", "")
                + Lab.object("BlockAffinity", "b4", "node: n, cidr: 10.65.1.0/26, state: confirmed")
                + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 65000"))
        let agent = try lab.startAgent("n", in: "node", arguments: arguments)
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 65000; neighbor range 10.0.0.0/24 as 64512; dynamic name \"d\";",
            statics: "route 10.70.0.0/24 blackhole;")
        return agent
    }
    private static func neighbor(_ lab: Lab, _ address: String) throws -> Bool {
        let table = try BirdTests.bird(lab, "show route all 10.65.1.0/26")
        return table.contains("from \(address)") || table.contains("via \(address) ")
    }

    @Test(arguments: ["first-found", "can-reach=10.0.0.2", "interface=^eth[0-9]$", "cidr=10.0.0.0/24"])
    func `the host's address changes, and the session with BIRD comes up over the new one`(method: String) throws {
        let lab = try BirdTests.pair()
        let agent = try Self.start(lab, arguments: ["--ip-autodetection-method", method])
        try lab.wait(40, "BIRD has our block from 10.0.0.1") { try Self.neighbor(lab, "10.0.0.1") }
        let before = try lab.ctl("n", "status").text
        #expect(before.contains("10.0.0.1"), "\(before)")
        try lab.must("ip addr add 10.0.0.77/24 dev eth0", in: "node")
        try lab.must("ip addr del 10.0.0.1/24 dev eth0", in: "node")
        // The kernel drops the others of a subnet with its first, unless promote_secondaries is set.
        _ = try Lab.run(
            ["ip", "netns", "exec", lab.name("node"), "ip", "addr", "replace", "10.0.0.77/24", "dev", "eth0"])
        try lab.wait(40, "BIRD has our block from 10.0.0.77") { try Self.neighbor(lab, "10.0.0.77") }
        try lab.wait(20, "BIRD's route is in the kernel") { try BirdTests.routes(lab).contains("10.70.0.0/24") }
        #expect(agent.isRunning)
        #expect(try lab.ctl("n", "status").status == 0)
        #expect(lab.log("n.log").contains("10.0.0.77/24"))
    }

    @Test func `listeners move with the node's address, keys included, and a peer that connects finds them`() throws {
        let lab = try BirdTests.pair()
        try FileManager.default.createDirectory(atPath: lab.folder + "/secrets/s", withIntermediateDirectories: true)
        try "sesame".write(toFile: lab.folder + "/secrets/s/k", atomically: true, encoding: .utf8)
        try lab.must("chmod 600 \(lab.folder)/secrets/s/k")
        try lab.write(
            "r.yaml",
            Lab.object("Node", "n", "")
                + Lab.object("BGPConfiguration", "default", "bindMode: NodeIP")
                + Lab.object("BlockAffinity", "b4", "node: n, cidr: 10.65.1.0/26, state: confirmed")
                + Lab.object(
                    "BGPPeer", "p",
                    "peerIP: 10.0.0.2, asNumber: 65000, passive: true, password: {secretKeyRef: {name: s, key: k}}"))
        let agent = try lab.startAgent(
            "n", in: "node", arguments: ["--ip-autodetection-method", "cidr=10.0.0.0/24"])
        func listens(_ address: String) throws -> Bool {
            try lab.must("ss -Htln", in: "node").contains("\(address):179 ")
        }
        try lab.wait(20, "it listens at its address alone") { try listens("10.0.0.1") && !listens("0.0.0.0") }
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 65000; neighbor 10.0.0.77 as 64512; password \"sesame\"; connect delay time 1;",
            statics: "route 10.70.0.0/24 blackhole;")
        try lab.must("ip addr del 10.0.0.1/24 dev eth0", in: "node")
        try lab.must("ip addr add 10.0.0.77/24 dev eth0", in: "node")
        try lab.wait(20, "it listens at the new address alone") { try listens("10.0.0.77") && !listens("10.0.0.1") }
        try lab.wait(40, "BIRD has connected, and its route is in the kernel") {
            try BirdTests.routes(lab).contains("10.70.0.0/24")
        }
        // And on every address, as soon as the resources say so.
        try lab.write("more.yaml", Lab.object("BGPConfiguration", "node.n", "listenPort: 1790"))
        try lab.wait(20, "it listens at the new port") {
            try lab.must("ss -Htln", in: "node").contains("10.0.0.77:1790 ") && !listens("10.0.0.77")
        }
        #expect(try agent.isRunning && BirdTests.routes(lab).contains("10.70.0.0/24"))
    }

    @Test func `a method that finds nothing is named in status, and one that is none ends the start`() throws {
        let lab = try BirdTests.pair()
        _ = try Self.start(lab, arguments: ["--ip-autodetection-method", "interface=wlan.*"])
        try lab.wait(20, "status says what was tried") {
            try lab.ctl("n", "status").text.contains("interface=wlan.* finds none: none of lo, eth0 fits")
        }
        let bad = try Lab.run(
            [Lab.products + "/apusd", "agent", "--node", "n", "--resources", lab.folder + "/resources"],
            environment: ["IP_AUTODETECTION_METHOD": "interface=eth[0"])
        #expect(bad.status == 2)
        #expect(bad.text.contains("IP_AUTODETECTION_METHOD") && bad.text.contains("'[' has no ']'"), "\(bad.text)")
    }
}
