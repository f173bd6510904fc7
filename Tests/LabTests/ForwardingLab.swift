import Foundation
import Testing

/// The forwarding plane on the machine's kernel, line by line of what it promises.
@Suite(.serialized) struct ForwardingLab {
    /// Three nodes, routed plainly; n1 and n3 share a subnet.
    static func nodes(_ extra: String = "") throws -> TunnelLab {
        let scene = try TunnelLab(pool: extra)
        try scene.lab.wait(30, "the nodes know each other's blocks") {
            try scene.routes(1).contains("10.65.3.0/26 via 10.0.1.3")
                && scene.routes(3).contains("10.65.1.0/26 via 10.0.1.1") && scene.routes(2).contains("10.65.1.0/26 via")
                && scene.routes(1).contains("10.65.2.0/26 via")
        }
        return scene
    }

    @Test func `interfaces before endpoints and after them, renamed, flapping, with another index: the routes follow`()
        throws
    {
        let scene = try Self.nodes()
        let lab = scene.lab
        func has(_ text: String) throws -> Bool { try scene.routes(1).contains(text) }
        func has6(_ text: String) throws -> Bool { try scene.routes(1, "-6").contains(text) }
        // The endpoint first, with several addresses of both families, floating ones among its fields.
        try lab.write(
            "late.yaml",
            Lab.object(
                "WorkloadEndpoint", "late",
                "node: n1, interfaceName: calilate, ipNetworks: [10.65.1.20/32, 10.65.1.21/32, "
                    + "'fd00:65:1::20/128'], mac: '02:00:00:00:00:20', ipNATs: [{internalIP: 10.65.1.20, externalIP: "
                    + "198.51.100.1}]"
            ))
        try lab.wait(10, "it waits") { try lab.ctl("n1", "endpoints").text.contains("waiting for interface") }
        try lab.must("ip link add calilate type veth peer name other", in: "n1")
        try lab.must("ip link set calilate up", in: "n1")
        func isThere() throws -> Bool {
            try has("10.65.1.20 dev calilate scope link") && has("10.65.1.21 dev calilate")
                && has6("fd00:65:1::20 dev calilate")
        }
        try lab.wait(5, "the routes are there", until: isThere)
        #expect(try lab.ctl("n1", "endpoints").text.contains("its floating addresses (ipNATs) are not handled"))
        for (path, value) in [
            ("ipv4/conf/calilate/proxy_arp", "1"), ("ipv4/conf/calilate/forwarding", "1"),
            ("ipv4/conf/calilate/route_localnet", "0"), ("ipv4/conf/calilate/rp_filter", "1"),
            ("ipv4/neigh/calilate/proxy_delay", "0"), ("ipv6/conf/calilate/proxy_ndp", "1"),
            ("ipv6/conf/calilate/forwarding", "1"), ("ipv6/conf/calilate/accept_ra", "0"),
        ] { #expect(try lab.must("cat /proc/sys/net/\(path)", in: "n1") == value + "\n", "\(path)") }
        #expect(
            try lab.must("ip neigh show dev calilate", in: "n1").contains(
                "10.65.1.20 lladdr 02:00:00:00:00:20 PERMANENT"))
        #expect(
            try lab.must("ip -6 neigh show dev calilate", in: "n1").contains(
                "fd00:65:1::20 lladdr 02:00:00:00:00:20 PERMANENT"))
        // The plugin gave it no MAC address of Calico's: the pods' gateway is there nevertheless.
        #expect(try lab.must("ip -6 addr show dev calilate", in: "n1").contains("fe80::ecee:eeff:feee:eeee"))
        // Renamed away and back.
        try lab.must("ip link set calilate down", in: "n1")
        try lab.must("ip link set calilate name renamed", in: "n1")
        try lab.must("ip link set renamed up", in: "n1")
        try lab.wait(5, "the routes are gone with the name") { try !has("10.65.1.20") && !has6("fd00:65:1::20") }
        try lab.must("ip link set renamed down", in: "n1")
        try lab.must("ip link set renamed name calilate", in: "n1")
        try lab.must("ip link set calilate up", in: "n1")
        try lab.wait(5, "they are back with it", until: isThere)
        // Another interface under the name, with another index, before anybody could look.
        for _ in 0..<20 {
            try lab.must("ip link del calilate", in: "n1")
            try lab.must("ip link add calilate type veth peer name other", in: "n1")
            try lab.must("ip link set calilate up", in: "n1")
        }
        try lab.wait(5, "the routes are on the new one", until: isThere)
        for _ in 0..<20 {
            try lab.must("ip link set calilate down", in: "n1")
            try lab.must("ip link set calilate up", in: "n1")
        }
        try lab.wait(5, "flapping ends with routes", until: isThere)
        // The address of an interface that goes while its endpoint is being deleted.
        try lab.must("rm \(lab.folder)/resources/late.yaml")
        try lab.must("ip link del calilate", in: "n1")
        try lab.wait(10, "nothing is left") {
            try !has("10.65.1.20") && !has6("fd00:65:1::20") && lab.ctl("n1", "fib").status == 0
        }
        #expect(try scene.pings(1, TunnelLab.pod(3)))
    }

    @Test(arguments: ["-4", "-6"])
    func `a next hop is reached by whatever route the kernel has for it, and nothing is kept that leads nowhere`(
        family: String
    ) throws {
        let scene = try Self.nodes()
        let lab = scene.lab
        let (block, hop, subnet, router, other) =
            family == "-4"
            ? ("10.65.2.0/26", "10.0.2.2", "10.0.2.0/24", "10.0.1.254", "10.0.1.3")
            : ("fd00:65:2::/122", "fd00:2::2", "fd00:2::/64", "fd00:1::254", "fd00:1::3")
        let host = hop + (family == "-4" ? "/32" : "/128")
        func way() throws -> Substring? {
            try scene.routes(1, family).split(separator: "\n").first { $0.hasPrefix(block) }
        }
        func leads(by gateway: String) throws -> Bool { try way()?.contains("via \(gateway) dev eth0") ?? false }
        // Another subnet: by the default route.
        try lab.wait(20, "by the router") { try leads(by: router) }
        try lab.must("ip \(family) route add \(subnet) via \(other)", in: "n1")
        try lab.wait(5, "by the more specific route") { try leads(by: other) }
        try lab.must("ip \(family) route replace \(subnet) via \(router)", in: "n1")
        try lab.wait(5, "by what replaced it") { try leads(by: router) }
        try lab.must("ip \(family) route add unreachable \(host)", in: "n1")
        try lab.wait(5, "the next hop is dead, and its routes are gone") { try way() == nil }
        #expect(try lab.ctl("n1", "why", block).text.contains(hop))
        try lab.must("ip \(family) route del unreachable \(host)", in: "n1")
        try lab.wait(5, "it is back") { try leads(by: router) }
        // On our own subnet it is asked for directly, though the kernel had another way.
        try lab.must("ip \(family) route add \(host) dev eth0", in: "n1")
        try lab.wait(5, "by the link itself") { try leads(by: hop) }
        let last = try #require(try way())
        #expect(last.contains("onlink"), "\(last)")
    }

    @Test(arguments: ["-4", "-6"])
    func `equal paths go by one group, and a dead one leaves it without a route being rewritten`(family: String) throws
    {
        let (n2, router, n3, prefix) =
            family == "-4"
            ? ("10.0.2.2/32", "10.0.1.254", "10.0.1.3", "10.77.0.")
            : ("fd00:2::2/128", "fd00:1::254", "fd00:1::3", "fd00:77::")
        let length = family == "-4" ? 32 : 128
        let scene = try Self.nodes()
        let lab = scene.lab
        // Fifty addresses that n2 and n3 both have, outside of their blocks.
        for node in [2, 3] {
            try lab.must("ip link add caliany type veth peer name other", in: "n\(node)")
            try lab.must("ip link set caliany up", in: "n\(node)")
        }
        // The same cost to both.
        try lab.must("ip \(family) route add \(n2) via \(router)", in: "n1")
        try lab.must("ip \(family) route add \(n3)/\(length) via \(n3) dev eth0 onlink", in: "n1")
        let addresses = (1...50).map { "'\(prefix)\($0)/\(length)'" }.joined(separator: ", ")
        try lab.write(
            "any.yaml",
            [2, 3].map {
                Lab.object(
                    "WorkloadEndpoint", "any\($0)", "node: n\($0), interfaceName: caliany, ipNetworks: [\(addresses)]")
            }.joined())
        func lines() throws -> [Substring] {
            try lab.must("ip -o \(family) route show proto 73", in: "n1").split(separator: "\n").filter {
                $0.contains(prefix)
            }
        }
        try lab.wait(20, "n1 has all of them by both") {
            try lines().count { $0.contains("via \(router) ") && $0.contains("via \(n3) ") } == 50
        }
        let group = try #require(
            lines().first?.split(separator: " ").drop { $0 != "nhid" }.dropFirst().first, "the routes name a group")
        #expect(try lines().allSatisfy { $0.contains("nhid \(group) ") })
        try lab.must("ip \(family) route replace unreachable \(n3)/\(length)", in: "n1")
        try lab.wait(5, "the dead path is out of all of them") {
            try lines().count { $0.contains("via \(router) ") && !$0.contains("via \(n3) ") } == 50
        }
        // The same group: no route was written.
        let after = try lines()
        #expect(after.allSatisfy { $0.contains("nhid \(group) ") }, "\(after)")
        try lab.must("ip \(family) route replace \(n3)/\(length) via \(n3) dev eth0 onlink", in: "n1")
        try lab.wait(5, "both are back") {
            try lines().count { $0.contains("via \(router) ") && $0.contains("via \(n3) ") } == 50
        }
        #expect(try lab.ctl("n1", "fib").status == 0)
    }

    @Test(arguments: ["-4", "-6"])
    func `a mass withdrawal keeps the routes until they are announced again or released, and a dead next hop ends that`(
        family: String
    ) throws {
        let is4 = family == "-4"
        let lab = try BirdTests.pair()
        func block(_ number: Int) -> String { is4 ? "10.66.\(number).0/26" : "fd00:66:\(number)::/122" }
        let outside = is4 ? "10.70.0.0/24" : "fd00:70::/64"
        let sender = is4 ? "s4" : "s6"
        let statics = (0..<40).map { "route \(block($0)) blackhole;" }.joined(separator: "\n")
        let pool = Lab.object("IPPool", "pool", "cidr: '\(is4 ? "10.66.0.0/16" : "fd00:66::/32")'")
        let configuration = "nodeMeshMaxRestartTime: 3s"
        try lab.write(
            "r.yaml",
            BirdTests.node + pool + Lab.object("BGPConfiguration", "default", configuration)
                + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, families: [ipv4, ipv6]"))
        try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;",
            statics: statics + "\nroute \(outside) blackhole;")
        func count() throws -> Int {
            try BirdTests.routes(lab, family).split(separator: "\n").count { $0.contains(is4 ? "10.66." : "fd00:66:") }
        }
        try lab.wait(30, "the routes are in the kernel") {
            try count() == 40 && BirdTests.routes(lab, family).contains(outside)
        }
        _ = try BirdTests.bird(lab, "disable \(sender)")
        // What lies outside of the pools goes; the cluster's routes stay.
        try lab.wait(10, "the other route is gone") { try !BirdTests.routes(lab, family).contains(outside) }
        try lab.wait(5, "the alarm is raised") {
            try lab.ctl("n", "status").text.contains("40 routes of the cluster were withdrawn at once and are kept")
        }
        #expect(try count() == 40)
        let status = try lab.ctl("n", "status")
        #expect(status.status == 1)
        let fib = try lab.ctl("n", "fib", block(7))
        #expect(fib.text.contains("held") && fib.text.contains("apusctl fib release"), "\(fib.text)")
        // Announced again: nothing is kept any more, and nothing was written.
        _ = try BirdTests.bird(lab, "enable \(sender)")
        try lab.wait(10, "the alarm is over") { try lab.ctl("n", "status").status == 0 }
        #expect(try count() == 40)
        // Released by the operator.
        _ = try BirdTests.bird(lab, "disable \(sender)")
        try lab.wait(10, "they are kept again") {
            try lab.ctl("n", "doctor").text.contains("40 routes of the cluster were withdrawn")
        }
        let release = try lab.ctl("n", "fib", "release")
        #expect(release.text.contains("let 40 routes go") && release.status == 0, "\(release.text)")
        try lab.wait(5, "they are gone") { try count() == 0 }
        // A few may go.
        _ = try BirdTests.bird(lab, "enable \(sender)")
        try lab.wait(10, "they are there") { try count() == 40 }
        // A restart whose peer says that it has nothing.
        _ = try BirdTests.bird(lab, "disable \(sender)")
        try lab.wait(10, "they are kept once more") { try lab.ctl("n", "status").text.contains("are kept") }
        try lab.restartAgent("n")
        try lab.wait(20, "the restarted agent keeps them too") {
            try lab.ctl("n", "status").text.contains("40 routes of the cluster were withdrawn at once and are kept")
        }
        #expect(try count() == 40)
        _ = try BirdTests.bird(lab, "enable \(sender)")
        try lab.wait(10, "all is well") { try lab.ctl("n", "status").status == 0 }
        // A restart whose peers never come back: the kernel's routes stay.
        _ = try BirdTests.bird(lab, "down")
        try lab.restartAgent("n")
        try lab.wait(20, "the alarm is raised after the restart") {
            try lab.ctl("n", "status").text.contains("routes of the cluster were withdrawn at once and are kept")
        }
        #expect(try count() == 40)
        // The way to them is gone: so are they.
        try lab.must("ip link set eth0 down", in: "node")
        try lab.wait(5, "they are gone") { try count() == 0 && !lab.ctl("n", "status").text.contains("are kept") }
    }
}
