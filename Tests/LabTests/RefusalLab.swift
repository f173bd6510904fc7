import Foundation
import Testing

/// What the kernel drops before any socket sees it: the reason why a peer is known for time-outs alone.
@Suite struct RefusalLab {
    /// Ours, the neighbor's, and what status says.
    @Test(arguments: [
        ("", "password \"s3cret\";", "bear an MD5 signature, and no password is configured here"),
        (", password: {secretKeyRef: {name: bgp, key: tor}}", "", "without an MD5 signature arrive"),
        (", password: {secretKeyRef: {name: bgp, key: tor}}", "password \"other\";", "has another password"),
        // BIRD without `ttl security` sends to a neighbor on its link with a TTL of 1.
        (", ttlSecurity: 1", "", "segments arrive with too small a TTL"),
    ])
    func `a password or a TTL that does not fit is named`(ours: String, theirs: String, words: String) throws {
        let lab = try BirdTests.pair()
        try lab.must("mkdir -p \(lab.folder)/secrets/bgp")
        try "s3cret\n".write(toFile: lab.folder + "/secrets/bgp/tor", atomically: false, encoding: .utf8)
        try lab.must("chmod 600 \(lab.folder)/secrets/bgp/tor")
        try lab.write(
            "r.yaml", BirdTests.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512\(ours)"))
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; connect retry time 5; \(theirs)", statics: "")
        try lab.wait(90, "status names it") {
            let status = try lab.ctl("n", "status")
            return status.status == 1 && status.text.contains("BGPPeer/p 10.0.0.2: ") && status.text.contains(words)
        }
        // Both agree: nothing is left of it.
        try lab.write("r.yaml", BirdTests.node)
        try lab.wait(10, "it is over") { try !lab.ctl("n", "status").text.contains(words) }
    }
}
