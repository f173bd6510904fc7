import Foundation
import Testing

/// The load generator against apusd, in two namespaces: what it counts is right, and what is wrong it says.
@Suite(.serialized) struct LoadLab {
    static let filters =
        Lab.object("BGPFilter", "drop", "importV4: [{action: Reject, matchOperator: In, cidr: 10.0.0.0/24}]")
        + Lab.object(
            "BGPFilter", "mark",
            "importV4: [{action: Accept, matchOperator: In, cidr: 10.0.0.0/24, operations: [{addCommunity: {value: "
                + "'65000:1'}}]}]"
        )

    /// A reflector at 198.18.0.1 and fd12::1, generators at the addresses that follow 198.18.1.1 and fd12::101.
    static func reflector(
        _ peer: String, password: String? = nil, role: String = "asNumber: 64512, routeReflectorClient: true"
    ) throws -> Lab {
        let lab = try Lab()
        try lab.addNamespace("dut")
        try lab.addNamespace("gen")
        try lab.link("dut", "d0", "gen", "g0")
        try lab.must("ip addr add 198.18.0.1/15 dev d0", in: "dut")
        try lab.must("ip -6 addr add fd12::1/64 dev d0 nodad", in: "dut")
        for index in 0..<12 {
            try lab.must("ip addr add 198.18.1.\(index + 1)/15 dev g0", in: "gen")
            try lab.must("ip -6 addr add fd12::\(String(0x101 + index, radix: 16))/64 dev g0 nodad", in: "gen")
        }
        if let password {
            try FileManager.default.createDirectory(
                atPath: lab.folder + "/secrets/bgp", withIntermediateDirectories: true)
            try password.write(toFile: lab.folder + "/secrets/bgp/key", atomically: true, encoding: .utf8)
            try lab.must("chmod 600 \(lab.folder)/secrets/bgp/key")
        }
        try lab.write(
            "r.yaml",
            Lab.object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false, asNumber: 64512")
                + Lab.object("Node", "dut", "bgp: {ipv4Address: 198.18.0.1/15, ipv6Address: 'fd12::1/64'}") + filters
                + ["198.18.0.0/15", "fd12::/64"].enumerated().map {
                    Lab.object(
                        "BGPPeer", "clients\($0.offset)",
                        "listenRange: '\($0.element)', \(role), import: all, families: [ipv4, ipv6]\(peer)")
                }.joined())
        try lab.startAgent("dut", in: "dut", arguments: ["--metrics", "", "--health", ""], mode: "reflector")
        try lab.wait(20, "it listens") {
            try lab.must("ss -Htln sport = :179", in: "dut").contains("198.18")
                || lab.must("ss -Htln sport = :179", in: "dut").contains("0.0.0.0")
        }
        return lab
    }

    static func load(_ lab: Lab, _ arguments: [String], source: String = "198.18.1.1", target: String = "198.18.0.1")
        throws -> (output: Lab.Output, report: [String: Any])
    {
        let command = [
            "ip", "netns", "exec", lab.name("gen"), Lab.products + "/apus-load", "--quiet", "--target", target,
            "--source", source,
        ]
        let output = try Lab.run(command + ["--timeout", "30"] + arguments)
        let json = output.text.firstIndex(of: "{").map { String(output.text[$0...]) } ?? "{}"
        return (output, try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] ?? [:])
    }

    @Test(arguments: [
        ["--speakers", "12", "--senders", "12", "--prefixes", "200"],
        [
            "--speakers", "4", "--senders", "2", "--receivers", "2", "--shape", "internet", "--prefixes", "3000",
            "--families", "ipv4,ipv6",
        ],
        [
            "--speakers", "6", "--senders", "5", "--receivers", "1", "--shape", "internet", "--prefixes", "1000",
            "--shared",
        ],
        [
            "--speakers", "3", "--senders", "2", "--receivers", "1", "--prefixes", "500", "--shared", "--add-path",
            "--phases", "announce,withdraw",
        ],
        ["--prefixes", "1000", "--phases", "latency:200,churn:5000:1,withdraw"],
        ["--prefixes", "1000", "--sets", "10", "--next-hops", "7", "--shape", "blocks"],
    ])
    func `what a reflector sends is counted route by route`(arguments: [String]) throws {
        let lab = try Self.reflector(", addPath: {send: all, receive: true}")
        let (output, report) = try Self.load(lab, arguments)
        #expect(output.status == 0, "\(output.text)")
        #expect(report["ok"] as? Bool == true)
        let phases = try #require(report["phases"] as? [[String: Any]])
        #expect(
            phases.allSatisfy {
                $0["missing"] as? Int == 0 && $0["unexpected"] as? Int == 0 && $0["wrong"] as? Int == 0
            })
        #expect(phases.contains { ($0["announcementsReceived"] as? Int ?? 0) > 0 })
    }

    @Test func `sessions over IPv6 and with a password work too`() throws {
        let lab = try Self.reflector(", password: {secretKeyRef: {name: bgp, key: key}}", password: "under the rose")
        let arguments = ["--password-file", lab.folder + "/secrets/bgp/key", "--families", "ipv6", "--prefixes", "300"]
        let (output, _) = try Self.load(lab, arguments, source: "fd12::101", target: "fd12::1")
        #expect(output.status == 0, "\(output.text)")
        let (refused, _) = try Self.load(lab, ["--timeout", "2"])
        #expect(refused.status == 1 && refused.text.contains("sessions are not up after 2 s"), "\(refused.text)")
    }

    @Test func `between external peers the AS in between shows itself, and what is local stays behind`() throws {
        let lab = try Self.reflector("", role: "asNumber: 0, export: all")
        let arguments = [
            "--external-as", "65001", "--speakers", "4", "--senders", "2", "--receivers", "2", "--shape", "internet",
            "--prefixes", "600",
        ]
        let (output, _) = try Self.load(lab, arguments)
        #expect(output.status == 0, "\(output.text)")
        let (transparent, _) = try Self.load(
            lab, arguments + ["--expect", "transparent", "--phases", "announce", "--timeout", "8"])
        #expect(transparent.status == 1 && transparent.text.contains("wrong"), "no route server: \(transparent.text)")
    }

    @Test(arguments: [("drop", "missing", 4), ("mark", "wrong", 4)])
    func `routes that are missing, or changed on the way, are an error and not a number`(
        filter: String, field: String, count: Int
    ) throws {
        let lab = try Self.reflector(", filters: [\(filter)]")
        // Four blocks of the sender lie in 10.0.0.0/24.
        let (output, report) = try Self.load(
            lab,
            ["--receivers", "1", "--prefixes", "100", "--shape", "blocks", "--phases", "announce", "--timeout", "8"])
        #expect(output.status == 1)
        #expect(output.text.contains("announce did not end as it must within 8 s"))
        let phase = try #require((report["phases"] as? [[String: Any]])?.first)
        #expect(phase[field] as? Int == count)
        #expect(report["ok"] as? Bool == false)
    }

    @Test func `a wrong use is a sentence and exit code 2`() throws {
        let lab = try Lab()
        try lab.addNamespace("gen")
        for (arguments, text) in [
            (["--shape", "star"], "--shape: \"star\" is none of pod, blocks, internet, mrt:FILE"),
            (["--phases", "churn:1"], "--phases: \"churn:1\" is none of"),
            (["--shape", "mrt:/no/such"], "--shape mrt:/no/such: "),
            (["--senders", "9"], "--senders 9: 0 to the number of speakers, 2"),
        ] {
            let (output, _) = try Self.load(lab, arguments)
            #expect(output.status == 2 && output.text.contains(text), "\(output.text)")
        }
        let (output, _) = try Self.load(lab, [])
        #expect(output.status == 1 && output.text.contains("does the host have that address?"), "\(output.text)")
    }
}
