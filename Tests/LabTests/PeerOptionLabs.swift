import Foundation
import Testing

extension ProtocolLabs {
    static func twoAgents(_ peerFields: String) throws -> Lab {
        let lab = try Self.pair()
        for name in ["a", "b"] {
            try FileManager.default.createDirectory(
                atPath: lab.folder + "/\(name)/resources", withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: lab.folder + "/\(name)/secrets/bgp", withIntermediateDirectories: true)
            let (own, other) = name == "a" ? (1, 2) : (2, 1)
            let text =
                Lab.object("Node", name, "bgp: {ipv4Address: 10.0.0.\(own)/24}, podCIDRs: [10.65.\(own).0/26]")
                + Lab.object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
                + Lab.object(
                    "BGPPeer", "p",
                    "peerIP: 10.0.0.\(other), asNumber: 64512, holdTime: 9s, "
                        + "\(peerFields.replacingOccurrences(of: "SEND", with: "\(own)").replacingOccurrences(of: "RECEIVE", with: "\(other)"))"
                )
            try text.write(toFile: lab.folder + "/\(name)/resources/r.yaml", atomically: true, encoding: .utf8)
        }
        return lab
    }

    static func secret(_ lab: Lab, _ name: String, _ text: String) throws {
        let path = lab.folder + "/\(name)/secrets/bgp/key"
        try text.write(toFile: path + ".new", atomically: false, encoding: .utf8)
        try lab.must("chmod 600 \(path).new")
        try lab.must("mv \(path).new \(path)")
    }

    static func startTwo(_ lab: Lab) throws {
        for (name, namespace) in [("a", "node"), ("b", "peer")] {
            try lab.start(
                [
                    Lab.products + "/apusd", "agent", "--node", name, "--resources", lab.folder + "/\(name)/resources",
                    "--secrets", lab.folder + "/\(name)/secrets",
                    "--state-dir", lab.folder + "/state-\(name)", "--socket", lab.folder + "/\(name).sock",
                ], in: namespace, log: "\(name).log")
        }
    }

    @Test
    func
        `a password that changes on both sides within the hold time keeps the session, and a wrong one lets nothing through (RFC 2385)`()
        throws
    {
        let lab = try Self.twoAgents("password: {secretKeyRef: {name: bgp, key: key}}")
        for name in ["a", "b"] { try Self.secret(lab, name, "first") }
        try Self.startTwo(lab)
        try lab.wait(20, "the session is up") { try lab.ctl("a", "peer", "10.0.0.2").status == 0 }
        try Self.secret(lab, "a", "second")
        // The keys differ for a while: this is the situation, not a wait for one.
        Thread.sleep(forTimeInterval: 1)
        try Self.secret(lab, "b", "second")
        // Keepalives for longer than the hold time: nothing of the old key is left.
        func received(_ node: String, _ peer: String) throws -> Int {
            let output = try lab.ctl(node, "peer", peer, "-o", "json")
            let rows = (try? JSONSerialization.jsonObject(with: Data(output.text.utf8))) as? [[String: Any]] ?? []
            return rows.first?["messagesReceived"] as? Int ?? 0
        }
        let before = (try received("a", "10.0.0.2"), try received("b", "10.0.0.1"))
        try lab.wait(60, "keepalives go both ways with the new key") {
            try received("a", "10.0.0.2") >= before.0 + 5 && received("b", "10.0.0.1") >= before.1 + 5
        }
        let text = try lab.ctl("a", "peer", "10.0.0.2").text
        #expect(text.contains("state         Established") && text.contains("established   1 times"), "\(text)")
        try Self.secret(lab, "a", "third")
        try lab.wait(20, "the session ends by its hold time") { try lab.ctl("a", "peer", "10.0.0.2").status == 1 }
        // It must not come back meanwhile.
        Thread.sleep(forTimeInterval: 4)
        #expect(try lab.ctl("a", "peer", "10.0.0.2").status == 1)
        try Self.secret(lab, "b", "third")
        try lab.wait(30, "the session is up again") { try lab.ctl("a", "peer", "10.0.0.2").status == 0 }
    }

    @Test func `TCP-AO guards a session where the kernel has it, and its absence is reported where not (RFC 5925)`()
        throws
    {
        let lab = try Self.twoAgents("tcpAO: {secretKeyRef: {name: bgp, key: key}, sendID: SEND, receiveID: RECEIVE}")
        for name in ["a", "b"] { try Self.secret(lab, name, "master key") }
        try Self.startTwo(lab)
        try lab.wait(20, "both run") { try lab.ctl("a", "peers").status == 0 && lab.ctl("b", "peers").status == 0 }
        let status = try lab.ctl("a", "status").text
        if status.contains("is kept down") {
            #expect(
                status.contains(
                    "this kernel has no TCP-AO (RFC 5925): it needs Linux 6.7 or later with CONFIG_TCP_AO; use "
                        + "password (TCP MD5) instead"
                ), "\(status)")
        } else {
            try lab.wait(20, "the session is up") { try lab.ctl("a", "peer", "10.0.0.2").status == 0 }
        }
    }

    @Test
    func `our AS towards one peer, a static route to another with multihop BFD, and a blackhole that is asked for`()
        throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip addr add 10.77.0.1/32 dev lo", in: "peer")
        try lab.must("ip route add 10.65.0.0/16 via 10.0.0.1", in: "peer")
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object(
                    "BGPPeer", "far",
                    "peerIP: 10.77.0.1, asNumber: 65000, localASNumber: 65111, reachableBy: 10.0.0.2, "
                        + "acceptBlackhole: true, bfd: {minTransmitInterval: 100ms, minReceiveInterval: 100ms}"
                ))
        try lab.startAgent("n", in: "node")
        let text = """
            log stderr all; router id 10.77.0.1; protocol device { scan time 1; }
            protocol bfd { multihop { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
            protocol static { ipv4; route 10.70.0.0/24 blackhole; route 10.70.1.1/32 blackhole { \
            bgp_community.add((65535,666)); }; }
            protocol bgp n { local 10.77.0.1 as 65000; neighbor 10.0.0.1 as 65111; multihop; bfd on; ipv4 { import \
            all; export where source = RTS_STATIC; next hop self; }; }

            """
        try text.write(toFile: lab.folder + "/far.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/far.conf", "-s", lab.folder + "/bird.ctl"], in: "peer", log: "far.log")
        try lab.wait(30, "the session is up") { try lab.ctl("n", "peer", "10.77.0.1").status == 0 }
        try lab.wait(30, "BFD is up") { try lab.ctl("n", "peer", "10.77.0.1").text.contains("BFD           Up") }
        try lab.wait(30, "the kernel has it all") {
            let routes = try BirdTests.routes(lab)
            return routes.contains("10.77.0.1 via 10.0.0.2") && routes.contains("10.70.0.0/24 via 10.0.0.2")
                && routes.contains("blackhole 10.70.1.1")
        }
        try lab.wait(30, "BIRD has our block by our other AS") {
            try BirdTests.bird(lab, "show route all 10.65.1.0/26").contains("BGP.as_path: 65111")
        }
        try lab.must("ip link set eth0 down", in: "peer")
        try lab.wait(20, "BFD takes the session down") { try lab.ctl("n", "peer", "10.77.0.1").status == 1 }
        try lab.wait(20, "its routes go") { try !BirdTests.routes(lab).contains("10.70.0.0/24") }
    }

    @Test func `pods that are BGP peers, pools of another programmer, ignored interfaces and prefixes of services`()
        throws
    {
        let lab = try BirdTests.pair()
        // Proxy ARP answers for the pods' gateway where there is a way out.
        try lab.must("ip route add default via 10.0.0.2", in: "node")
        try lab.addPod("pod", of: "node", "cali1", ["10.65.1.9/32"])
        let configuration = "localWorkloadPeeringIPV4: 169.254.9.9, serviceClusterIPs: [{cidr: 10.96.0.0/16}]"
        let endpoint =
            "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: w, namespace: d, labels: "
            + "{bgp: \"yes\"}}\nspec: {node: n, interfaceName: cali1, ipNetworks: [10.65.1.9/32]}\n---\n"
        func write(_ more: String, _ objects: String = "") throws {
            try lab.write(
                "r.yaml",
                Lab.object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24}, podCIDRs: [10.65.1.0/26]")
                    + Lab.object("BGPConfiguration", "default", configuration + more) + endpoint
                    + objects
                    + Lab.object("BGPPeer", "pods", "localWorkloadSelector: \"bgp == 'yes'\", asNumber: 65100")
                    + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 65000"))
        }
        try write("")
        try lab.startAgent("n", in: "node")
        let pod = """
            log stderr all; router id 10.65.1.9; protocol device { }
            protocol static { ipv4; route 10.71.0.0/24 blackhole; }
            protocol bgp n { local 10.65.1.9 as 65100; neighbor 169.254.9.9 as 64512; multihop; connect delay time 1; \
            connect retry time 1; ipv4 { import all; export where source = RTS_STATIC; next hop self; }; }

            """
        try pod.write(toFile: lab.folder + "/pod.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/pod.conf", "-s", lab.folder + "/pod.ctl"], in: "pod", log: "pod.log")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512;",
            statics: "route 10.70.0.0/24 blackhole; route 10.65.7.0/26 blackhole;")
        try lab.wait(30, "the pod is a peer") { try lab.ctl("n", "peer", "10.65.1.9").status == 0 }
        try lab.wait(30, "its route leads to it") {
            try BirdTests.routes(lab).contains("10.71.0.0/24 via 10.65.1.9 dev cali1")
        }
        try lab.wait(30, "the service prefix is announced, and not in the kernel") {
            try BirdTests.bird(lab, "show route").contains("10.96.0.0/16") && !BirdTests.routes(lab).contains("10.96.")
        }
        try lab.wait(30, "a remote block is in the kernel") { try BirdTests.routes(lab).contains("10.65.7.0/26") }
        let pool = Lab.object("IPPool", "pool", "cidr: 10.65.0.0/16")
        try write(", programClusterRoutes: Disabled", pool)
        try lab.wait(30, "and is left to another programmer") {
            try !BirdTests.routes(lab).contains("10.65.7.0/26") && BirdTests.routes(lab).contains("10.70.0.0/24")
        }
        try write(", ignoredInterfaces: [eth*]", pool)
        try lab.wait(30, "nothing goes through an ignored interface") {
            try !BirdTests.routes(lab).contains("10.70.0.0/24") && BirdTests.routes(lab).contains("10.71.0.0/24")
        }
        #expect(try lab.ctl("n", "why", "10.70.0.0/24").text.contains("next hop unreachable"))
    }
}
