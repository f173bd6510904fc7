import Foundation
import Testing

/// What leaves before a session is accepted, seen on the wire.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct HandshakeLab {
    /// TTLs or hop limits of our SYN-ACKs, as tcpdump writes them, in the order in which they left.
    private static func limits(_ lab: Lab) -> [String] {
        lab.log("wire.txt").matches(of: /(?:ttl|hlim) (\d+)/).map { String($0.1) }
    }

    @Test(arguments: [false, true])
    func
        `a passive listener completes the handshake of FRR with ttl-security, and its SYN-ACK has TTL 255 only while a peer asks for it`(
            overIPv6: Bool
        ) throws
    {
        let lab = try InteropLab()
        var scenario = Scenario()
        scenario.peerAS = 65002
        scenario.overIPv6 = overIPv6
        scenario.families = [overIPv6 ? "ipv6" : "ipv4"]
        scenario.hasTTLSecurity = true
        // tcp[13] has no meaning for IPv6 in a filter: SYN and ACK stand in byte 53 of a packet without extension
        // headers.
        let filter =
            overIPv6
            ? "ip6 and tcp src port 179 and ip6[53] & 0x12 = 0x12" : "tcp src port 179 and tcp[13] & 0x12 = 0x12"
        try lab.lab.start(
            ["tcpdump", "-l", "-n", "-v", "-Q", "out", "-i", "eth0", filter], in: "apus", log: "wire.txt")
        try lab.lab.wait(20, "tcpdump listens") { lab.lab.log("wire.txt").contains("listening on") }
        try lab.writeResources(scenario, extra: "passive: true")
        try lab.lab.startAgent("apus", in: "apus", arguments: ["--log-level", "debug"])
        try lab.lab.wait(20, "the agent listens") { try lab.lab.ctl("apus", "peers").status == 0 }
        let frr = FRRPeer(lab)
        try frr.start(scenario)
        try lab.waitUntilUp("FRR is the active side")
        try lab.lab.wait(10, "tcpdump has written it down") { !Self.limits(lab.lab).isEmpty }
        #expect(Set(Self.limits(lab.lab)) == ["255"])

        // Nobody asks for it any more.
        try frr.kill()
        scenario.hasTTLSecurity = false
        try lab.writeResources(scenario, extra: "passive: true")
        try lab.lab.wait(20, "the listener's TTL is the default again") {
            let stranger =
                "import socket; s = socket.socket(socket.AF_INET\(overIPv6 ? "6" : "")); s.settimeout(2); "
                + "s.connect(('\(scenario.localAddress)', 179))"
            _ = try Lab.run(["ip", "netns", "exec", lab.lab.name("peer"), "python3", "-c", stranger])
            return Self.limits(lab.lab).last == "64"
        }
    }
}
