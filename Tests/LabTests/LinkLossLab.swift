import Foundation
import Testing

/// A link, a carrier or our own address is lost: sessions end at once, status says why, and all is well again when it is
/// back. The hold time is 90 seconds: within it nothing but the kernel's word can have ended the session.
@Suite struct LinkLossLab {
    private static func up(_ lab: Lab) throws -> Bool { try lab.ctl("n", "peer", "10.0.0.2").status == 0 }

    private static func start() throws -> Lab {
        let lab = try BirdTests.pair()
        // Else the IPv6 addresses would go with the link, and stay away.
        for name in ["node", "peer"] { try lab.must("sysctl -q -w net.ipv6.conf.eth0.keep_addr_on_down=1", in: name) }
        try lab.write("r.yaml", BirdTests.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512"))
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(30, "the session is up") { try up(lab) }
        return lab
    }

    /// What takes it away and brings it back, in which namespace, and what status says.
    @Test(arguments: [
        ("node", "ip link set eth0 down", "ip link set eth0 up", "interface eth0 is down"),
        ("peer", "ip link set eth0 down", "ip link set eth0 up", "interface eth0 is down"),
        (
            "node", "ip addr del 10.0.0.1/24 dev eth0", "ip addr add 10.0.0.1/24 dev eth0",
            "address 10.0.0.1 of this Node is on no interface"
        ),
    ])
    func `the session ends at once, and comes back`(
        namespace: String, take: String, bring: String, reason: String
    ) throws {
        let lab = try Self.start()
        try lab.must(take, in: namespace)
        try lab.wait(5, "the session is down, long before the hold timer") { try !Self.up(lab) }
        try lab.wait(5, "status says why") {
            let status = try lab.ctl("n", "status")
            return status.status == 1 && status.text.contains(reason)
        }
        let peer = try lab.ctl("n", "peer", "10.0.0.2").text
        #expect(peer.contains("is down,") || peer.contains("is on no interface any more,"), "\(peer)")
        try lab.must(bring, in: namespace)
        try lab.wait(60, "the session is up again") { try Self.up(lab) }
        try lab.wait(20, "nothing is found any more but what was before") {
            let status = try lab.ctl("n", "status").text
            return !status.contains("FAULT") && status.contains("10.65.1.0/26 (block) announced")
        }
    }
}
