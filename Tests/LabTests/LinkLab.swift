import Foundation
import Testing

/// What the links that a peer is on decide, by the kernel's own routes: BFD, the next hop that the peer is sent, and
/// the next hops that are taken from it.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct LinkLab {
    private static func startBird(_ lab: Lab, _ session: String, channel: String, _ statics: String = "") throws {
        let text = """
            log stderr all; router id 192.0.2.2;
            protocol device { scan time 1; }
            protocol bfd { interface "*" { min rx interval 100 ms; min tx interval 100 ms; idle tx interval 200 ms; }; }
            protocol static s4 { ipv4; \(statics) }
            protocol bgp n { \(session) connect retry time 1; error wait time 1, 2;
              ipv4 { import all; export where source = RTS_STATIC; \(channel) }; ipv6 { import all; export none; }; }
            """
        try text.write(toFile: lab.folder + "/bird.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/bird.conf", "-s", lab.folder + "/bird.ctl"], in: "peer", log: "bird.log"
        )
    }

    @Test
    func
        `a peer on a second link has single-hop BFD, and is sent IPv6 next hops of its own link over IPv4, which follow the link's addresses`()
        throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip link add eth1 type veth peer name eth1 netns \(lab.name("peer"))", in: "node")
        for (namespace, last) in [("node", 1), ("peer", 2)] {
            try lab.must("ip link set eth1 up", in: namespace)
            try lab.must("ip addr add 192.0.2.\(last)/24 dev eth1", in: namespace)
            try lab.must("ip addr add 2001:db8:2::\(last)/64 dev eth1 nodad", in: namespace)
        }
        let bfd = "bfd: {minTransmitInterval: 100ms, minReceiveInterval: 100ms}"
        func write(_ more: String = "") throws {
            let peer = Lab.object(
                "BGPPeer", "tor",
                "peerIP: 192.0.2.2, asNumber: 65000, sourceAddress: None, families: [ipv4, ipv6], \(bfd)\(more)")
            try lab.write("r.yaml", BirdTests.node + peer)
        }
        try write()
        try lab.startAgent("n", in: "node")
        try Self.startBird(lab, "local 192.0.2.2 as 65000; neighbor 192.0.2.1 as 64512; bfd on;", channel: "")
        try lab.wait(30, "BFD is up") {
            try lab.ctl("n", "peer", "192.0.2.2", "-o", "json").text.contains(#""bfd" : "Up""#)
                || lab.ctl("n", "peer", "192.0.2.2").text.contains("Up")
        }
        #expect(try BirdTests.bird(lab, "show bfd sessions").contains("192.0.2.1"))
        func hops() throws -> String { try BirdTests.bird(lab, "show route all") }
        try lab.wait(30, "the IPv6 block has a next hop of the second link") {
            try hops().contains("BGP.next_hop: 2001:db8:2::1")
        }
        #expect(try hops().contains("BGP.next_hop: 192.0.2.1") && !hops().contains("BGP.next_hop: fd00::1"))
        // RFC 2545 3: we share the link, so our link-local address goes too, as long as there is one.
        let linkLocal = try Self.linkLocal(lab, "eth1")
        try lab.wait(10, "the link-local next hop is beside it") {
            try hops().contains("BGP.next_hop: 2001:db8:2::1 \(linkLocal)")
        }
        try lab.must("ip addr del \(linkLocal)/64 dev eth1", in: "node")
        try lab.wait(10, "it is gone with the address") {
            try hops().contains("BGP.next_hop: 2001:db8:2::1") && !hops().contains(linkLocal)
        }
        try lab.must("ip addr add fe80::77/64 dev eth1 nodad", in: "node")
        try lab.wait(10, "another one is sent") { try hops().contains("BGP.next_hop: 2001:db8:2::1 fe80::77") }
        // BIRD itself takes no next hop that is not on its link.
        try lab.must("ip addr add 2001:db8:3::2/64 dev eth1 nodad", in: "peer")
        try lab.must("ip addr add 2001:db8:3::1/64 dev eth1 nodad", in: "node")
        try lab.must("ip addr del 2001:db8:2::1/64 dev eth1", in: "node")
        try lab.wait(10, "the next hop follows the link's address") {
            try hops().contains("BGP.next_hop: 2001:db8:3::1")
        }
        try write(", nextHopAddressIPv4: 192.0.2.77, nextHopAddressIPv6: '2001:db8:2::77'")
        try lab.wait(10, "what is declared stands over it") {
            try hops().contains("BGP.next_hop: 2001:db8:2::77") && hops().contains("BGP.next_hop: 192.0.2.77")
        }
        #expect(lab.log("n.log").matches(of: /session is up/).count == 1)
    }

    /// Our link-local address on an interface of the node.
    private static func linkLocal(_ lab: Lab, _ interface: String) throws -> String {
        let text = try lab.must("ip -6 -o addr show dev \(interface) scope link", in: "node")
        let found = try #require(text.firstMatch(of: /inet6 (fe80::[0-9a-f:]+)\/64/), "\(text)")
        return String(found.1)
    }

    @Test
    func
        `a reflector sends a peer on a second link its addresses there, and uses no next hop that is any address of its host`()
        throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip link add eth1 type veth peer name eth1 netns \(lab.name("peer"))", in: "node")
        for (namespace, last) in [("node", 1), ("peer", 2)] {
            try lab.must("ip link set eth1 up", in: namespace)
            try lab.must("ip addr add 192.0.2.\(last)/24 dev eth1", in: namespace)
            try lab.must("ip addr add 2001:db8:2::\(last)/64 dev eth1 nodad", in: namespace)
        }
        for address in ["10.0.0.100/24", "fd00::100/64"] { try lab.must("ip addr add \(address) dev eth0", in: "node") }
        try lab.must("ip link set lo up", in: "node")
        try lab.must("ip addr add 198.51.100.9/32 dev lo", in: "node")
        let node = Lab.object(
            "Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64', routeReflectorClusterID: 9.9.9.9}")
        let source = Lab.object(
            "BGPPeer", "source", "peerIP: 10.0.0.2, asNumber: 65001, passive: true, families: [ipv4, ipv6]")
        try lab.write(
            "r.yaml",
            node + source
                + Lab.object(
                    "BGPPeer", "far", "peerIP: 192.0.2.2, asNumber: 65002, export: all, families: [ipv4, ipv6]"))
        try lab.startAgent(
            "n", in: "node", arguments: ["--metrics", "127.0.0.1:9091", "--health", "127.0.0.1:9091"], mode: "reflector"
        )
        try Self.startBird(lab, "local 192.0.2.2 as 65002; neighbor 192.0.2.1 as 64512;", channel: "")
        try """
        neighbor 10.0.0.1 { router-id 10.0.0.2; local-address 10.0.0.2; local-as 65001; peer-as 64512; family { ipv4 \
        unicast; ipv6 unicast; }
          announce { ipv4 { unicast 10.70.0.0/24 next-hop 10.0.0.100; unicast 10.71.0.0/24 next-hop 198.51.100.9; \
        unicast 10.72.0.0/24 next-hop 10.0.0.2; }
            ipv6 { unicast fd00:70::/64 next-hop fd00::100; unicast fd00:71::/64 next-hop 2001:db8:2::1; unicast \
        fd00:72::/64 next-hop fd00::2; } } }

        """.write(toFile: lab.folder + "/exa.conf", atomically: true, encoding: .utf8)
        try lab.start(
            [
                "env", "exabgp.daemon.user=root", "exabgp.daemon.daemonize=false", "exabgp.api.cli=false",
                "exabgp.log.destination=stdout", "exabgp",
                lab.folder + "/exa.conf",
            ], in: "peer", log: "exa.log")
        func hops() throws -> String { try BirdTests.bird(lab, "show route all") }
        let linkLocal = try Self.linkLocal(lab, "eth1")
        try lab.wait(30, "both families are there") {
            try hops().contains("fd00:72::/64") && hops().contains("10.72.0.0/24")
        }
        #expect(
            try hops().contains("BGP.next_hop: 2001:db8:2::1 \(linkLocal)")
                && hops().contains("BGP.next_hop: 192.0.2.1") && !hops().contains("next_hop: fd00::1"))
        for prefix in ["10.70.0.0/24", "10.71.0.0/24", "fd00:70::/64", "fd00:71::/64"] {
            try lab.wait(10, "\(prefix) is not used") {
                try lab.ctl("n", "why", prefix).text.contains("next hop is this node itself")
            }
            #expect(try !hops().contains(prefix))
        }
    }

    @Test
    func
        `an external next hop off the link is ignored and reported, taken with multihop, and never by the default route`()
        throws
    {
        let lab = try BirdTests.pair()
        func write(_ more: String = "") throws {
            try lab.write(
                "r.yaml", BirdTests.node + Lab.object("BGPPeer", "tor", "peerIP: 10.0.0.2, asNumber: 65000\(more)"))
        }
        try write()
        try lab.must("ip route add 203.0.113.0/24 via 10.0.0.254", in: "node")
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512;", channel: "next hop address 203.0.113.9;",
            "route 10.70.0.0/24 blackhole;")
        func why() throws -> String { try lab.ctl("n", "why", "10.70.0.0/24").text }
        try lab.wait(30, "it is ignored with the reason") { try why().contains("next hop is on no link of ours") }
        #expect(try !BirdTests.routes(lab).contains("10.70.0.0/24"))
        try write(", multihop: true")
        try lab.wait(10, "multihop takes it") { try BirdTests.routes(lab).contains("10.70.0.0/24 via 10.0.0.254") }
        try lab.must("ip route add default via 10.0.0.254", in: "node")
        try lab.must("ip route del 203.0.113.0/24 via 10.0.0.254", in: "node")
        try lab.wait(10, "the default route does not lead to it") {
            try why().contains("only the default route leads to") && !BirdTests.routes(lab).contains("10.70.0.0/24")
        }
        try write()
        try lab.must("ip link add d0 type veth peer name d1", in: "node")
        for end in ["d0", "d1"] { try lab.must("ip link set \(end) up", in: "node") }
        try lab.must("ip addr add 203.0.113.1/24 dev d0", in: "node")
        try lab.wait(10, "on a link it is taken at once") {
            try BirdTests.routes(lab).contains("10.70.0.0/24 via 203.0.113.9 dev d0")
        }
        #expect(lab.log("n.log").matches(of: /session is up/).count == 1)
    }

    @Test(arguments: ["10.0.0.1", "10.0.0.5"])
    func `a reflector uses no route whose next hop is its Node's address or its end of the session`(end: String) throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip addr add 10.0.0.5/24 dev eth0", in: "node")
        let node = Lab.object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, routeReflectorClusterID: 9.9.9.9}")
        try lab.write("r.yaml", node + Lab.object("BGPPeer", "c", "peerIP: 10.0.0.2, asNumber: 64512, passive: true"))
        try lab.startAgent(
            "n", in: "node", arguments: ["--metrics", "127.0.0.1:9091", "--health", "127.0.0.1:9091"], mode: "reflector"
        )
        // BIRD would not send such a route.
        try """
        neighbor \(end) { router-id 10.0.0.2; local-address 10.0.0.2; local-as 64512; peer-as 64512; family { ipv4 \
        unicast; }
          announce { ipv4 { unicast 10.70.0.0/24 next-hop \(end); unicast 10.71.0.0/24 next-hop 10.0.0.2; } } }

        """.write(toFile: lab.folder + "/exa.conf", atomically: true, encoding: .utf8)
        try lab.start(
            [
                "env", "exabgp.daemon.user=root", "exabgp.daemon.daemonize=false", "exabgp.api.cli=false",
                "exabgp.log.destination=stdout", "exabgp",
                lab.folder + "/exa.conf",
            ], in: "peer", log: "exa.log")
        try lab.wait(30, "it is not used, and the reason is shown") {
            try lab.ctl("n", "why", "10.70.0.0/24").text.contains("next hop is this node itself")
        }
        try lab.wait(10, "the other one is used") {
            try lab.ctl("n", "routes", "10.71.0.0/24").text.contains("10.0.0.2")
        }
        #expect(try !lab.ctl("n", "why", "10.71.0.0/24").text.contains("next hop is this node itself"))
    }
}
