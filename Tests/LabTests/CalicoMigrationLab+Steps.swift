import Foundation
import Testing

/// The steps of `docs/migrating-from-calico.md`, each way.
extension CalicoMigrationLab {
    private mutating func moveToApus(_ node: Int) throws {
        // A stop that peers take for a restart; the kernel keeps the routes.
        _ = try bird(node, "graceful restart")
        birds[node]?.waitUntilExit()
        agents[node] = try lab.startAgent(
            "n\(node)", in: "n\(node)",
            arguments: ["--metrics", "", "--health", "", "--take-over", "bird,felix"])
        onApus.insert(node)
        try lab.wait(60, "n\(node) has every block") { try hasAllBlocks(node, "proto 73") }
        try lab.wait(60, "nothing of BIRD and Felix is left on n\(node)") {
            try routes(node, "proto 12").isEmpty && routes(node, "proto 3").isEmpty
        }
    }

    private func runCleanup(_ node: Int, _ arguments: [String]) throws -> Lab.Output {
        try Lab.run(
            ["ip", "netns", "exec", lab.name("n\(node)"), Lab.products + "/apusd", "cleanup"] + arguments
                + ["--socket", lab.folder + "/n\(node).sock"])
    }

    private func cleanUp(_ node: Int, _ arguments: [String]) throws -> String {
        let output = try runCleanup(node, arguments)
        try #require(output.status == 0, "\(output.text)")
        return output.text
    }

    private mutating func stopApus(_ node: Int) throws {
        try lab.signalAgent("n\(node)", SIGTERM)
        agents[node]?.waitUntilExit()
        #expect(agents[node]?.terminationStatus == 0)
        onApus.remove(node)
    }

    private func recovers(_ node: Int) throws {
        try lab.wait(30, "n\(node): BIRD has recovered") {
            lab.log("bird\(node).log").contains("Graceful restart done")
        }
        try lab.wait(30, "n\(node): every route of BIRD is in the kernel") {
            // `!`: the kernel refused it.
            let routes = try bird(node, "show route")
            return !routes.contains("] ! ") && routes.contains("] * ")
        }
    }

    private mutating func moveBack(_ node: Int) throws {
        let refused = try runCleanup(node, [])
        #expect(refused.status == 2 && refused.text.contains("stop it first"), "\(refused.text)")
        try stopApus(node)
        var arguments = ["--leave-to", "bird,felix"]
        if Self.metric(node) != 1024 { arguments += ["--metric", "\(Self.metric(node))"] }
        // Theirs are 8 and 2: four blocks and a pod, by two families.
        let dry = try cleanUp(node, arguments + ["--dry-run"])
        #expect(
            dry
                == "would be given to bird: 8 routes, of protocol 12 now\nwould be given to felix: 2 routes, of protocol 3 now\n"
        )
        #expect(try routes(node, "proto 12").isEmpty && hasAllBlocks(node, "proto 73"))
        #expect(
            try cleanUp(node, arguments)
                == "given to bird: 8 routes, of protocol 12 now\ngiven to felix: 2 routes, of protocol 3 now\n")
        #expect(try routes(node, "proto 73").isEmpty && hasAllBlocks(node, "proto 12"))
        try startBird(node)
        try addFelixRoutes(node)
        try recovers(node)
    }

    /// BIRD was started too early: the kernel refuses its routes while ours stand in their places.
    private mutating func moveBackInTheWrongOrder(_ node: Int) throws {
        try stopApus(node)
        try startBird(node)
        try lab.wait(30, "the kernel refuses BIRD's routes") {
            try lab.log("bird\(node).log").contains("Netlink: File exists")
                && bird(node, "show route \(Self.block(1, 4))").contains("] ! ")
        }
        #expect(try routes(node, "proto 12").isEmpty && hasAllBlocks(node, "proto 73"))
        _ = try cleanUp(node, ["--leave-to", "bird,felix"])
        try addFelixRoutes(node)
        try recovers(node)
    }

    /// Which routes of pods and blocks went without another one in their places.
    private func deletions(_ node: Int) -> [String] {
        lab.log("monitor-\(node).txt").split(separator: "\n").map(String.init).filter { line in
            line.contains("Deleted") && (line.contains(" 10.65.") || line.contains(" fd00:65:"))
                // BIRD 2 writes its blackhole of IPv6 anew, because the kernel shows it with `dev lo`.
                && !(line.contains("blackhole fd00:65:") && line.contains("proto bird"))
        }
    }

    @Test func `a mesh moves from BIRD to Apus node by node and back, and no ping is lost`() throws {
        var lab = self
        try lab.build()
        for node in Self.nodes { try lab.startBird(node) }
        try lab.lab.wait(60, "every node has every block by BIRD") {
            try Self.nodes.allSatisfy { try lab.hasAllBlocks($0, "proto 12") }
        }
        try lab.resolveNeighbors()
        try lab.startMonitors()
        try lab.startPings()
        try lab.lab.wait(20, "answers come") { lab.pings().answers > 24 * 10 }
        try lab.compare("before")
        for node in Self.nodes {
            try lab.moveToApus(node)
            try lab.compare("n\(node) moved")
        }
        for node in Self.nodes {
            let status = try lab.lab.ctl("n\(node)", "node", "status").text
            #expect(
                status.split(separator: "\n").count { $0.contains("| node-to-node mesh | up    |") } == 6, "\(status)")
        }
        for node in Self.nodes {
            if node == 4 { try lab.moveBackInTheWrongOrder(node) } else { try lab.moveBack(node) }
            try lab.compare("n\(node) moved back")
        }
        let before = lab.pings().answers
        try lab.lab.wait(20, "answers come still") { lab.pings().answers > before + 24 * 10 }
        try lab.compare("at the end")
        for node in Self.nodes {
            // Where metrics differ both stand side by side for a moment: four blocks and a pod of IPv4, each way. IPv6
            // has 1024 for 0.
            let deletions = lab.deletions(node)
            #expect(deletions.count == (Self.metric(node) == 0 ? 10 : 0), "n\(node): \(deletions)")
            #expect(try lab.cleanUp(node, []) == "nothing of Apus is on this host\n")
        }
    }
}
