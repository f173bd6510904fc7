import Foundation
import Testing

/// `apusctl plan` through the socket, with a real BIRD as the peer: what it says, its exit codes, and that nothing is
/// changed by it.
@Suite(.serialized) struct PlanLab {
    @Test func `a plan says what would change, has an exit code for each case, and changes nothing`() throws {
        let lab = try BirdTests.pair()
        let peer = Lab.object("BGPPeer", "tor", "peerIP: 10.0.0.2, asNumber: 65000")
        try lab.write("r.yaml", BirdTests.node + peer)
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512;", statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(30, "the session is up") { try BirdTests.routes(lab).contains("10.70.0.0/24") }
        func plan(_ text: String, _ more: String...) throws -> Lab.Output {
            try text.write(toFile: lab.folder + "/new.yaml", atomically: true, encoding: .utf8)
            return try Lab.run(
                [Lab.products + "/apusctl", "plan", lab.folder + "/new.yaml", "--socket", lab.folder + "/n.sock"] + more
            )
        }
        func kernel() throws -> String {
            try lab.must("ip route show proto 73", in: "node") + lab.must("ip -6 route show proto 73", in: "node")
        }
        let routes = try kernel()

        let same = try plan(peer)
        #expect(same.status == 0 && same.text.contains("nothing would change"), "\(same.text)")

        let block = try plan(Lab.object("BlockAffinity", "more", "node: n, cidr: 10.65.9.0/26, state: confirmed"))
        #expect(block.status == 4, "\(block.text)")
        #expect(block.text.contains("BGPPeer/tor 10.0.0.2: the session stays"), "\(block.text)")
        #expect(block.text.contains("would be sent: 10.65.9.0/26"), "\(block.text)")
        #expect(block.text.contains("kernel routes that would come: 10.65.9.0/26"), "\(block.text)")

        let filter = try plan(
            Lab.object("BGPFilter", "f", "importV4: [{action: Reject}], exportV4: [{action: Reject}]")
                + Lab.object("BGPPeer", "tor", "peerIP: 10.0.0.2, asNumber: 65000, filters: [f]"))
        #expect(filter.status == 5, "\(filter.text)")
        for words in [
            "the session goes on with other settings", "would no longer be sent: 10.65.1.0/26",
            "would be refused from it: 10.70.0.0/24", "kernel routes that would go: 10.70.0.0/24",
        ] { #expect(filter.text.contains(words), "\(words): \(filter.text)") }

        let reset = try plan(Lab.object("BGPPeer", "tor", "peerIP: 10.0.0.2, asNumber: 65009"))
        #expect(reset.status == 5 && reset.text.contains("the session is reset (remoteAS)"), "\(reset.text)")

        let bad = try plan(Lab.object("BGPPeer", "tor", "peerIP: 10.0.0.2, asNumbr: 65009"))
        #expect(bad.status == 1 && bad.text.contains("new.yaml:") && bad.text.contains("asNumbr"), "\(bad.text)")
        let large = try plan(String(repeating: "# a comment\n", count: 100_000))
        #expect(large.status == 1 && large.text.contains("longer than 1048576 bytes"), "\(large.text)")
        let missing = try Lab.run([Lab.products + "/apusctl", "plan", "/none", "--socket", lab.folder + "/n.sock"])
        #expect(missing.status == 1 && missing.text.contains("/none: No such file"), "\(missing.text)")

        #expect(try kernel() == routes)
        #expect(try lab.ctl("n", "status").status == 0)
    }
}
