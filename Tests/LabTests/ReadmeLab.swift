import Foundation
import Testing

/// README.md, block by block as it stands: its resources are accepted, its commands are run and succeed.
@Suite struct ReadmeLab {
    private static func page(_ path: String) throws -> [FirstStepsLab.Block] {
        FirstStepsLab.blocks(try String(contentsOfFile: Lab.root + "/" + path, encoding: .utf8))
    }

    /// Commands of a block, without what is said of them.
    private static func commands(_ block: FirstStepsLab.Block) -> [String] {
        block.lines.map { line in
            (line.firstRange(of: " #").map { String(line[..<$0.lowerBound]) } ?? line)
                .trimmingCharacters(in: .whitespaces)
        }.filter { !$0.isEmpty }
    }

    @Test func `every block of commands of README and docs is run by a lab, or says that it is not`() throws {
        let folder = Lab.root + "/docs"
        let pages = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".md") }
        let run = ["README.md", "docs/first-steps.md"]
        for path in ["README.md"] + pages.map({ "docs/" + $0 }) {
            for block in try Self.page(path) {
                let isCommands =
                    ["sh", "bash", "console"].contains(block.language)
                    || block.language.isEmpty
                        && Self.commands(block).contains { line in
                            // A diagram has no commands.
                            !line.contains("─")
                                && ["make ", "apusd ", "apusctl ", "ip ", "birdc ", "$ ", "swift "].contains {
                                    line.hasPrefix($0)
                                }
                        }
                guard isCommands, !block.words.contains("no-run") else { continue }
                #expect(run.contains(path) && block.language == "sh", "\(path): line \(block.number)")
            }
        }
    }

    @Test func `the resources and commands of README do what it says`() throws {
        let blocks = try Self.page("README.md").filter { !$0.words.contains("no-run") }
        let resources = blocks.filter { $0.language == "yaml" }
        try #require(resources.count == 2)
        let block = try #require(blocks.first { $0.language == "sh" && $0.words == ["node1"] })
        let lab = try Lab()
        try lab.addNamespace("switch")
        try lab.must("ip link add br0 type bridge", in: "switch")
        try lab.must("ip link set br0 up", in: "switch")
        for (host, address) in [("node1", "10.0.1.1"), ("node2", "10.0.1.2"), ("tor", "10.0.1.254")] {
            try lab.addNamespace(host)
            try lab.link(host, "eth0", "switch", host)
            try lab.must("ip link set \(host) master br0", in: "switch")
            try lab.must("ip addr add \(address)/24 dev eth0", in: host)
            if host != "tor" { try lab.must("ip route add default via 10.0.1.254", in: host) }
        }
        let peers = ["10.0.1.1", "10.0.1.2"].map {
            "protocol bgp { local 10.0.1.254 as 65000; neighbor \($0) as 64512; ipv4 { import all; export none; }; }"
        }
        try ("router id 10.0.1.254; protocol device { } " + peers.joined(separator: " ")).write(
            toFile: lab.folder + "/tor.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/tor.conf", "-s", lab.folder + "/tor.ctl"], in: "tor", log: "tor.log")
        try lab.write("cluster.yaml", resources[0].lines.joined(separator: "\n"))
        try lab.startAgent("node2", in: "node2")
        for command in Self.commands(block) {
            var words = command.split(separator: " ").map(String.init)
            let isDaemon = words.last == "&"
            if isDaemon { words.removeLast() }
            words[0] = Lab.products + "/" + words[0]
            if words[0].hasSuffix("apusd") {
                words += [
                    "--resources", lab.folder + "/resources", "--secrets", lab.folder + "/secrets", "--state-dir",
                    lab.folder + "/state-node1",
                ]
            }
            words += ["--socket", lab.folder + "/node1.sock"]
            if isDaemon {
                try lab.start(words, in: "node1", log: "node1.log")
            } else {
                var last = ""
                func succeeds() throws -> Bool {
                    let output = try Lab.run(["ip", "netns", "exec", lab.name("node1")] + words)
                    last = output.text
                    return output.status == 0
                }
                let end = Date().addingTimeInterval(60)
                while try !succeeds(), Date() < end { Thread.sleep(forTimeInterval: 0.5) }
                #expect(try succeeds(), "\(command): \(last)")
            }
        }
        // What node 1 has is what "Why the pods reach each other" says.
        #expect(try lab.must("ip route show proto 73", in: "node1").contains("blackhole 10.65.1.0/26"))
        #expect(try lab.must("ip route show proto 73", in: "node1").contains("10.65.2.0/26 via 10.0.1.2"))
        let table = try Lab.run(["birdc", "-s", lab.folder + "/tor.ctl", "show", "route"]).text
        #expect(table.contains("10.65.1.0/26") && table.contains("10.65.2.0/26"), "\(table)")
        // The second block: accepted as it stands, though there is no eth1 here.
        try lab.write("more.yaml", resources[1].lines.joined(separator: "\n"))
        try lab.wait(20, "the objects are read") {
            try lab.ctl("node1", "events").text.contains("BGPFilter/no-leaks")
        }
        let status = try lab.ctl("node1", "status", "-o", "json").text
        #expect(!status.contains("\"resource\" :"), "\(status)")
    }

    @Test func `the demo's five scenes hold`() throws {
        let blocks = try Self.page("README.md").filter { $0.language == "sh" && $0.lines == ["make demo"] }
        #expect(blocks.count == 1)
        let makefile = try String(contentsOfFile: Lab.root + "/Makefile", encoding: .utf8)
        #expect(makefile.contains("--show-bin-path)\" examples/lab/demo.sh"))
        let output = try Lab.run(
            ["bash", Lab.root + "/examples/lab/demo.sh"], environment: ["APUS_BIN": Lab.products])
        #expect(output.status == 0, "\(output.text.suffix(3000))")
        for scene in 1...5 { #expect(output.text.contains("== \(scene). "), "\(scene)") }
    }
}
