import Foundation
import Testing

/// `apusd agent --shadow` on a node of the migration lab's mesh, beside a real BIRD: nothing is reported, and each kind
/// of difference is, once it is planted.
@Suite(.serialized) struct ShadowLab {
    private struct Report: Decodable {
        struct Difference: Decodable {
            var kind: String
            var peer: String?
            var prefix: String?
            var field: String?
            var calico: String?
            var apus: String?
        }
        var comparedAt: Double?
        var sessions: Int
        var announcements: Int
        var routes: Int
        var differences: [Difference]
    }

    /// A mesh on BIRD, with a shadow on some of its nodes. `mixed` is what the fields of a difference must be.
    private static func mesh(_ shadowed: [Int]) throws -> CalicoMigrationLab {
        var mesh = try CalicoMigrationLab()
        try mesh.build()
        for node in CalicoMigrationLab.nodes { try mesh.startBird(node) }
        for node in CalicoMigrationLab.nodes {
            try mesh.lab.wait(60, "n\(node) has every block") { try mesh.hasAllBlocks(node, "proto 12") }
        }
        for node in shadowed {
            try mesh.lab.startAgent(
                "n\(node)", in: "n\(node)",
                arguments: [
                    "--metrics", "127.0.0.1:9091", "--health", "127.0.0.1:9099", "--shadow", "--bird-sockets",
                    mesh.lab.folder + "/bird\(node).ctl",
                ])
        }
        return mesh
    }

    private static func report(_ lab: Lab, _ node: Int) throws -> Report? {
        let output = try lab.ctl("n\(node)", "shadow", "-o", "json")
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(output.text.utf8)) else { return nil }
        #expect(report.comparedAt != nil || output.status == 1)
        return report.comparedAt == nil ? nil : report
    }

    @Test func `beside Calico as it is, Apus would do the same; whatever is not the same is reported`() throws {
        let mesh = try Self.mesh([1, 3])
        let lab = mesh.lab
        let before = try [1, 3].map { try mesh.routes($0, "table all") }
        for node in [1, 3] {
            try lab.wait(60, "n\(node) has compared") { try Self.report(lab, node) != nil }
            let report = try #require(try Self.report(lab, node))
            #expect(report.differences.isEmpty, "\(report.differences)")
            // A session to each other node and a block for each, by two families; eight routes of BIRD and two of Felix.
            #expect(report.sessions == 6 && report.announcements == 6 && report.routes == 10, "\(report)")
            let text = try lab.ctl("n\(node)", "shadow")
            #expect(text.status == 0 && text.text.contains("Apus would do as Calico does on node n\(node)"), "\(text)")
        }
        #expect(try [1, 3].map { try mesh.routes($0, "table all") } == before)
        try plant(mesh)
        // Nothing else is answered, and nothing is peered with.
        let status = try lab.ctl("n1", "status")
        #expect(status.status != 0 && status.text.contains("ask apusctl shadow"), "\(status.text)")
        #expect(try !lab.must("ss -Htln", in: "n1").contains("10.65"))
    }

    /// One difference of each kind, on n1, each by itself.
    private func plant(_ mesh: CalicoMigrationLab) throws {
        let lab = mesh.lab
        func expect(
            _ what: String, _ kind: String, peer: String? = nil, prefix: String? = nil, field: String? = nil,
            calico: String?, apus: String?
        ) throws {
            try lab.wait(90, what) {
                try Self.report(lab, 1)?.differences.contains { found in
                    found.kind == kind && found.peer == peer && found.prefix == prefix && found.field == field
                        && found.calico == calico && found.apus == apus
                } ?? false
            }
            #expect(try lab.ctl("n1", "shadow").status == 1)
        }
        // Sessions: one that Calico does not have; and routes that are refused, announced, and announced otherwise.
        try lab.write(
            "p.yaml",
            Lab.object("BGPPeer", "tor", "node: n1, peerIP: 10.0.0.254, asNumber: 65001")
                + Lab.object("BGPFilter", "f", "importV4: [{action: Reject, matchOperator: In, cidr: 10.65.2.0/24}]")
                + Lab.object("BGPPeer", "two", "node: n1, peerIP: 10.0.0.2, asNumber: 64512, filters: [f]")
                + Lab.object("BlockAffinity", "more", "node: n1, cidr: 10.65.77.0/26, state: confirmed")
                + Lab.object(
                    "BGPConfiguration", "default",
                    "prefixAdvertisements: [{cidr: 10.65.1.0/24, communities: ['65000:7']}]"))
        // Routes of the kernel: one too many, of Felix (BIRD removes what bears its number), and one that is gone.
        try lab.must("ip route add 10.65.99.0/26 via 10.0.0.2 proto 80 metric 1024", in: "n1")
        try lab.must("ip route del 10.65.1.7", in: "n1")
        try expect(
            "a session that Calico has not", "session", peer: "10.0.0.254", calico: nil, apus: "BGPPeer/tor, AS 65001")
        try expect(
            "a refused route", "received", peer: "10.0.0.2", prefix: "10.65.2.0/26", calico: "accepted", apus: "refused"
        )
        try expect(
            "a route that would be missing", "route", prefix: "10.65.2.0/26", calico: "via 10.0.0.2 dev eth0", apus: nil
        )
        try expect(
            "a block that Calico does not announce", "announced", peer: "10.0.0.3", prefix: "10.65.77.0/26",
            calico: nil, apus: "announced")
        try expect("its blackhole", "route", prefix: "10.65.77.0/26", calico: nil, apus: "blackhole")
        try expect(
            "communities", "announced", peer: "10.0.0.4", prefix: "10.65.1.0/26", field: "communities", calico: "none",
            apus: "65000:7")
        try expect("a route too many", "route", prefix: "10.65.99.0/26", calico: "via 10.0.0.2 dev eth0", apus: nil)
        try expect("a pod's route is gone", "route", prefix: "10.65.1.7/32", calico: nil, apus: "dev cali1")
        // Another AS, and sessions that Apus would not have.
        try lab.write(
            "p.yaml",
            Lab.object("BGPPeer", "two", "node: n1, peerIP: 10.0.0.2, asNumber: 64999")
                + Lab.object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false"))
        try expect("another AS", "session", peer: "10.0.0.2", field: "AS", calico: "64512", apus: "64999")
        try expect(
            "a session that Apus would not have", "session", peer: "10.0.0.3", calico: "Mesh_4_3, AS 64512", apus: nil)
        try lab.write("p.yaml", "")
        try lab.must("ip route del 10.65.99.0/26", in: "n1")
        try mesh.addFelixRoutes(1)
        try lab.wait(90, "the same again") { try Self.report(lab, 1)?.differences.isEmpty ?? false }
    }

    @Test func `a BIRD that does not answer is a fault, and a port that Felix has is none`() throws {
        let lab = try BirdTests.pair()
        try lab.start(
            [
                "python3", "-c",
                "import socket,time\ns=socket.socket();s.bind(('127.0.0.1',9091));s.listen()\nprint('ready',flush=True);"
                    + "time.sleep(600)",
            ], in: "node", log: "felix.log")
        try lab.wait(10, "the port is taken") { lab.log("felix.log").contains("ready") }
        try lab.write("r.yaml", BirdTests.node)
        let socket = lab.folder + "/none.ctl"
        try lab.startAgent(
            "n", in: "node",
            arguments: [
                "--metrics", "127.0.0.1:9091", "--health", "127.0.0.1:9099", "--shadow", "--bird-sockets", socket,
            ])
        try lab.wait(30, "both are said") {
            let output = try lab.ctl("n", "shadow")
            return output.status == 1
                && output.text.contains("\(socket): BIRD cannot be asked: No such file or directory")
                && output.text.contains("--metrics 127.0.0.1:9091: another process has this port")
                && output.text.contains("nothing is known yet")
        }
    }
}
