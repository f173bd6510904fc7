import Foundation
import Testing

/// A node and a BIRD on one veth: what the wire and the kernel show.
@Suite(.serialized) struct BirdTests {
    /// `node` 10.0.0.1 and `peer` 10.0.0.2, both families.
    static func pair() throws -> Lab {
        let lab = try Lab()
        try lab.addNamespace("node")
        try lab.addNamespace("peer")
        try lab.link("node", "eth0", "peer", "eth0")
        for (namespace, last) in [("node", 1), ("peer", 2)] {
            try lab.must("ip addr add 10.0.0.\(last)/24 dev eth0", in: namespace)
            try lab.must("ip addr add fd00::\(last)/64 dev eth0 nodad", in: namespace)
        }
        return lab
    }
    static let node =
        Lab.object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}")
        + Lab.object("BlockAffinity", "b4", "node: n, cidr: 10.65.1.0/26, state: confirmed")
        + Lab.object("BlockAffinity", "b6", "node: n, cidr: 'fd00:65:1::/122', state: confirmed")

    static func startBird(_ lab: Lab, _ session: String, statics: String) throws {
        let text = """
            log stderr all; router id 10.0.0.2;
            protocol device { scan time 1; }
            protocol static s4 { ipv4; \
            \(statics.split(separator: "\n").filter { !$0.contains("::") }.joined(separator: " ")) }
            protocol static s6 { ipv6; \
            \(statics.split(separator: "\n").filter { $0.contains("::") }.joined(separator: " ")) }
            protocol bgp n { \(session) connect retry time 1; error wait time 1, 2; ipv4 { import all; export where \
            source = RTS_STATIC; }; ipv6 { import all; export where source = RTS_STATIC; }; }
            """
        try text.write(toFile: lab.folder + "/bird.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/bird.conf", "-s", lab.folder + "/bird.ctl"], in: "peer", log: "bird.log"
        )
    }
    static func bird(_ lab: Lab, _ command: String) throws -> String {
        try Lab.run(["birdc", "-s", lab.folder + "/bird.ctl"] + command.split(separator: " ").map(String.init)).text
    }
    static func routes(_ lab: Lab, _ family: String = "-4") throws -> String {
        try lab.must("ip \(family) route show proto 73", in: "node")
    }

    @Test(arguments: ["iBGP", "eBGP"])
    func `both families cross one session with BIRD, both ways, into the kernel and out of it`(kind: String) throws {
        let lab = try Self.pair()
        let peerAS = kind == "iBGP" ? 64512 : 65000
        try lab.write(
            "r.yaml",
            Self.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: \(peerAS), families: [ipv4, ipv6]"))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local 10.0.0.2 as \(peerAS); neighbor 10.0.0.1 as 64512; graceful restart;",
            statics:
                "route 10.70.0.0/24 via 10.0.0.2 bgp;\nroute 10.71.0.0/24 blackhole;\nroute fd00:70::/64 blackhole;"
                .replacingOccurrences(
                    of: "via 10.0.0.2 bgp", with: "blackhole"))
        try lab.wait(30, "routes of BIRD are in the kernel") {
            let v4 = try Self.routes(lab)
            return try v4.contains("10.70.0.0/24 via 10.0.0.2") && v4.contains("10.71.0.0/24")
                && Self.routes(lab, "-6").contains("fd00:70::/64 via fd00::2")
        }
        try lab.wait(20, "our blocks are in BIRD") {
            let table = try Self.bird(lab, "show route all protocol n")
            return table.contains("10.65.1.0/26") && table.contains("fd00:65:1::/122")
                && table.contains("BGP.next_hop: 10.0.0.1") && table.contains("fd00::1")
        }
        #expect(try Self.routes(lab).contains("blackhole 10.65.1.0/26"))
        #expect(try Self.routes(lab, "-6").contains("blackhole fd00:65:1::/122"))
        let table = try Self.bird(lab, "show route all 10.65.1.0/26")
        if kind == "eBGP" {
            #expect(table.contains("BGP.as_path: 64512"))
        } else {
            #expect(table.contains("BGP.local_pref: 2147482623"))
        }
        // A withdrawal goes all the way, and a refresh is answered.
        _ = try Self.bird(lab, "disable s4")
        try lab.wait(10, "withdrawn routes leave the kernel") { try !Self.routes(lab).contains("10.70.0.0/24") }
        #expect(try Self.bird(lab, "reload in n").contains("reloading"))
        #expect(try lab.ctl("n", "status").status == 0)
        #expect(try lab.ctl("n", "fib").status == 0)
        #expect(try lab.ctl("n", "peer", "10.0.0.2").text.contains("Established"))
        #expect(try lab.ctl("n", "node", "status").text.contains("| 10.0.0.2     | global    | up    |"))
    }

    @Test func `IPv6 transport carries IPv4 and IPv6 routes`() throws {
        let lab = try Self.pair()
        try lab.write(
            "r.yaml",
            Self.node + Lab.object("BGPPeer", "p", "peerIP: 'fd00::2', asNumber: 64512, families: [ipv4, ipv6]"))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local fd00::2 as 64512; neighbor fd00::1 as 64512;", statics: "route fd00:70::/64 blackhole;")
        try lab.wait(30, "the route is in the kernel") {
            try Self.routes(lab, "-6").contains("fd00:70::/64 via fd00::2")
        }
        try lab.wait(20, "both blocks are in BIRD") {
            let table = try Self.bird(lab, "show route protocol n")
            return table.contains("10.65.1.0/26") && table.contains("fd00:65:1::/122")
        }
    }

    @Test
    func
        `MD5 and GTSM: right ones come up, a wrong password and a missing secret do not, and nothing is reset by a change elsewhere`()
        throws
    {
        let lab = try Self.pair()
        try FileManager.default.createDirectory(atPath: lab.folder + "/secrets/bgp", withIntermediateDirectories: true)
        let spec = "peerIP: 10.0.0.2, asNumber: 65000, ttlSecurity: 1, password: {secretKeyRef: {name: bgp, key: tor}}"
        try lab.write("r.yaml", Self.node + Lab.object("BGPPeer", "p", spec))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab,
            "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512; password \"s3cret\"; ttl security on; multihop 1;"
                .replacingOccurrences(of: " multihop 1;", with: ""),
            statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(20, "the peer is held down") {
            try lab.ctl("n", "status").text.contains("secret bgp/tor is missing")
        }
        func secret(_ text: String) throws {
            try text.write(toFile: lab.folder + "/secrets/bgp/tor", atomically: false, encoding: .utf8)
            try lab.must("chmod 600 \(lab.folder)/secrets/bgp/tor")
        }
        try secret("wrong\n")
        try lab.wait(20, "the peer is tried") { try lab.ctl("n", "peers").text.contains("10.0.0.2") }
        try secret("s3cret\n")
        try lab.wait(40, "the session is up with the right password") { try Self.routes(lab).contains("10.70.0.0/24") }
        try lab.write(
            "other.yaml", Lab.object("BlockAffinity", "more", "node: n, cidr: 10.65.9.0/26, state: confirmed"))
        try lab.wait(20, "the new block is announced") { try Self.bird(lab, "show route").contains("10.65.9.0/26") }
        #expect(try lab.ctl("n", "peers", "-o", "json").text.contains("\"timesEstablished\" : 1"))
    }

    @Test func `what others remove or alter of ours is put back, and nothing foreign is touched`() throws {
        let lab = try Self.pair()
        try lab.must("ip route add 10.71.0.0/24 via 10.0.0.2 proto static metric 1024", in: "node")
        try lab.write("r.yaml", Self.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512"))
        try lab.startAgent("n", in: "node")
        try Self.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;",
            statics: "route 10.70.0.0/24 blackhole;\nroute 10.71.0.0/24 blackhole;")
        try lab.wait(30, "the route is in the kernel") { try Self.routes(lab).contains("10.70.0.0/24") }
        try lab.must("ip route del 10.70.0.0/24", in: "node")
        try lab.wait(5, "the deleted route is back") { try Self.routes(lab).contains("10.70.0.0/24 via 10.0.0.2") }
        try lab.must("ip route replace 10.70.0.0/24 via 10.0.0.9 dev eth0 proto 73 metric 1024 onlink", in: "node")
        try lab.wait(5, "the altered route is right again") {
            try Self.routes(lab).contains("10.70.0.0/24 via 10.0.0.2")
        }
        try lab.must("ip route del blackhole 10.65.1.0/26", in: "node")
        try lab.wait(5, "the blackhole is back") { try Self.routes(lab).contains("blackhole 10.65.1.0/26") }
        #expect(try lab.must("ip route show 10.71.0.0/24", in: "node").contains("proto static"))
        #expect(try lab.ctl("n", "fib").text.contains("a route of protocol 4 is in the way"))
        try lab.must("ip route del 10.71.0.0/24 proto static", in: "node")
        try lab.wait(5, "the freed place is taken") { try Self.routes(lab).contains("10.71.0.0/24 via 10.0.0.2") }
        // The interface flaps: the kernel drops its routes without a word.
        try lab.must("ip link set eth0 down", in: "node")
        try lab.must("ip link set eth0 up", in: "node")
        try lab.wait(40, "routes are back after a flap") { try Self.routes(lab).contains("10.70.0.0/24 via 10.0.0.2") }
    }

    @Test func `a pod's route follows its interface: late, early, renumbered and gone`() throws {
        let lab = try Self.pair()
        let pod =
            "node: n, interfaceName: cali0, mac: '02:00:00:00:00:07', ipNetworks: [10.65.1.7/32, 'fd00:65:1::7/128']"
        try lab.write("r.yaml", Self.node + Lab.object("WorkloadEndpoint", "p", pod))
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the endpoint waits") { try lab.ctl("n", "endpoints").text.contains("waiting for interface") }
        try lab.must("ip link add cali0 type veth peer name c0", in: "node")
        try lab.must("ip link set cali0 up", in: "node")
        try lab.must("ip link set c0 up", in: "node")
        try lab.wait(5, "the host routes") {
            try Self.routes(lab).contains("10.65.1.7 dev cali0 scope link")
                && Self.routes(lab, "-6").contains("fd00:65:1::7 dev cali0")
        }
        #expect(try lab.must("sysctl -n net.ipv4.conf.cali0.proxy_arp", in: "node").hasPrefix("1"))
        #expect(try lab.must("sysctl -n net.ipv6.conf.cali0.proxy_ndp", in: "node").hasPrefix("1"))
        #expect(
            try lab.must("ip neigh show dev cali0", in: "node").contains("10.65.1.7 lladdr 02:00:00:00:00:07 PERMANENT")
        )
        #expect(try lab.ctl("n", "endpoints").status == 0)
        try lab.must("ip link del cali0", in: "node")
        try lab.wait(5, "the endpoint waits again") {
            try lab.ctl("n", "endpoints").text.contains("waiting for interface")
        }
        #expect(try !Self.routes(lab).contains("10.65.1.7"))
        try lab.must("ip link add cali0 type veth peer name c0", in: "node")
        try lab.must("ip link set cali0 up", in: "node")
        try lab.must("ip link set c0 up", in: "node")
        try lab.wait(5, "the route is back under the new index") {
            try Self.routes(lab).contains("10.65.1.7 dev cali0")
        }
        try lab.write("r.yaml", Self.node)
        try lab.wait(5, "the route goes with its endpoint") { try !Self.routes(lab).contains("10.65.1.7") }
    }
}
