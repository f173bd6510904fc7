import Foundation
import Testing

/// A dual-stack mesh of two nodes on BIRD, configured as Calico's confd configures it, and two on Apus, on one link:
/// both kinds have every block of both families.
///
/// ```
///   n1 BIRD ─┬─ n2 apusd ─┬─ n3 BIRD ─┬─ n4 apusd      10.0.0.N, fd00::N
/// ```
@Suite(.serialized) struct MixedMeshLab {
    /// The same order as text and as numbers but for the last one: "10.0.0.10" is lower than "10.0.0.2".
    private static let last = [1: 1, 2: 2, 3: 3, 4: 10]
    private static let onBird = [1, 3]
    private static let onApus = [2, 4]
    private static func address(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.0.0.\(last[node] ?? 0)" : "fd00::\(last[node] ?? 0)"
    }
    private static func block(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.65.\(node).0/26" : "fd00:65:\(node)::/122"
    }

    /// A session per family and neighbor, as confd names and writes them: `passive on` towards the address that is
    /// higher as text, `add paths on`, LOCAL_PREF from the metric.
    private static func configuration(of node: Int) -> String {
        var text = "log stderr all; router id 10.0.0.\(node); protocol device { scan time 1; }\n"
        for family in [4, 6] {
            text += """
                protocol static s\(family) { ipv\(family); route \(block(node, family)) blackhole; }
                filter out\(family) { if source != RTS_STATIC then reject; bgp_local_pref = 2147482623; accept; }

                """
            for other in 1...4 where other != node {
                let (own, peer) = (address(node, family), address(other, family))
                text += """
                    protocol bgp Mesh_\(family)_\(other) { local \(own) as 64512; neighbor \(peer) as 64512; multihop;
                    \(peer > own ? "passive on;" : "") connect delay time 1; connect retry time 1; error wait time 1, 2;
                    graceful restart; ipv\(family) { import all; export filter out\(family); add paths on;
                    gateway recursive; }; }

                    """
            }
        }
        return text
    }

    @Test func `a mesh of BIRD and Apus has every block of both families on all nodes, by sessions of each family`()
        throws
    {
        let lab = try Lab()
        try lab.addNamespace("r")
        try lab.must("ip link add br0 type bridge", in: "r")
        try lab.must("ip link set br0 up", in: "r")
        var objects =
            Lab.object("IPPool", "pool4", "cidr: 10.65.0.0/16") + Lab.object("IPPool", "pool6", "cidr: 'fd00:65::/32'")
        for node in 1...4 {
            try lab.addNamespace("n\(node)")
            try lab.link("n\(node)", "eth0", "r", "n\(node)")
            try lab.must("ip link set n\(node) master br0", in: "r")
            try lab.must("ip addr add \(Self.address(node, 4))/24 dev eth0", in: "n\(node)")
            try lab.must("ip addr add \(Self.address(node, 6))/64 dev eth0 nodad", in: "n\(node)")
            objects += Lab.object(
                "Node", "n\(node)",
                "bgp: {ipv4Address: \(Self.address(node, 4))/24, ipv6Address: '\(Self.address(node, 6))/64'}")
            for family in [4, 6] {
                objects += Lab.object(
                    "BlockAffinity", "b\(node)-\(family)",
                    "node: n\(node), cidr: '\(Self.block(node, family))', state: confirmed")
            }
        }
        try lab.write("r.yaml", objects)
        for node in Self.onApus {
            try lab.startAgent("n\(node)", in: "n\(node)", arguments: ["--metrics", "", "--health", ""])
        }
        for node in Self.onBird {
            let path = lab.folder + "/bird\(node)"
            try Self.configuration(of: node).write(toFile: path + ".conf", atomically: true, encoding: .utf8)
            try lab.start(
                ["bird", "-f", "-c", path + ".conf", "-s", path + ".ctl"], in: "n\(node)", log: "bird\(node).log")
        }
        func bird(_ node: Int, _ command: String) throws -> String {
            try Lab.run(
                ["birdc", "-s", lab.folder + "/bird\(node).ctl"] + command.split(separator: " ").map(String.init)
            ).text
        }
        // Six sessions on each node: every other one, by each family.
        try lab.wait(60, "all sessions are up") {
            try Self.onBird.allSatisfy {
                try bird($0, "show protocols").split(separator: "\n").count { $0.contains("Established") } == 6
            }
                && Self.onApus.allSatisfy {
                    try lab.ctl("n\($0)", "node", "status").text.split(separator: "\n").count {
                        $0.contains("| node-to-node mesh | up    |")
                    } == 6
                }
        }
        for (node, family) in [(1, 4), (1, 6), (3, 4), (3, 6)] {
            for other in 1...4 where other != node {
                let prefix = Self.block(other, family)
                try lab.wait(20, "BIRD \(node) has \(prefix)") {
                    try bird(node, "show route all \(prefix)").contains(prefix)
                }
                let route = try bird(node, "show route all \(prefix)")
                #expect(route.contains("[Mesh_\(family)_\(other) "), "\(route)")
                #expect(route.contains("BGP.next_hop: \(Self.address(other, family))"), "\(route)")
                #expect(route.contains("BGP.local_pref: 2147482623"), "\(route)")
            }
        }
        for node in Self.onApus {
            for family in [4, 6] {
                for other in 1...4 where other != node {
                    let (prefix, hop) = (Self.block(other, family), Self.address(other, family))
                    try lab.wait(20, "n\(node) has \(prefix) in its kernel") {
                        try lab.must("ip -\(family) route show proto 73", in: "n\(node)").contains(
                            "\(prefix) via \(hop)")
                    }
                    let routes = try lab.ctl("n\(node)", "routes", prefix, "-o", "json").text
                    #expect(routes.contains("\"from\" : \"\(hop)\""), "\(routes)")
                    #expect(routes.contains("\"localPref\" : 2147482623"), "\(routes)")
                }
            }
            let status = try lab.ctl("n\(node)", "status")
            #expect(status.text.contains("\(Self.block(node, 6)) (block) announced"), "\(status.text)")
            // Each session has one family, and ADD-PATH both ways; who is higher as text is waited for.
            for other in 1...4 where other != node {
                for family in [4, 6] {
                    let peer = try lab.ctl("n\(node)", "peer", Self.address(other, family), "-o", "json").text
                    let text = try lab.ctl("n\(node)", "peer", Self.address(other, family)).text
                    #expect(text.contains("add path IPv\(family) sends receives"), "\(text)")
                    #expect(!text.contains("IPv\(10 - family)"), "\(text)")
                    let isPassive = Self.address(other, family) > Self.address(node, family)
                    #expect(peer.contains("\"isPassive\" : \(isPassive)"), "\(peer)")
                }
            }
        }
    }

    @Test func `a node that a BGPPeer names by its address peers back with nodes on BIRD`() throws {
        let lab = try BirdTests.pair()
        // BIRD stands for the node `m`, which has the peer; the agent's node is its peerIP.
        try lab.write(
            "r.yaml",
            BirdTests.node + Lab.object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
                + Lab.object("Node", "m", "bgp: {ipv4Address: 10.0.0.2/24, ipv6Address: 'fd00::2/64', asNumber: 65009}")
                + Lab.object("BGPPeer", "p4", "node: m, peerIP: 10.0.0.1, asNumber: 64512")
                + Lab.object("BGPPeer", "p6", "node: m, peerIP: 'fd00::1'"))
        try lab.startAgent("n", in: "node")
        try """
        log stderr all; router id 10.0.0.2; protocol device { scan time 1; }
        protocol static s4 { ipv4; route 10.70.0.0/24 blackhole; }
        protocol static s6 { ipv6; route fd00:70::/64 blackhole; }
        protocol bgp Node_4 { local 10.0.0.2 as 65009; neighbor 10.0.0.1 as 64512; connect retry time 1;
          ipv4 { import all; export where source = RTS_STATIC; add paths on; }; }
        protocol bgp Node_6 { local fd00::2 as 65009; neighbor fd00::1 as 64512; connect retry time 1;
          ipv6 { import all; export where source = RTS_STATIC; add paths on; }; }
        """.write(toFile: lab.folder + "/bird.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/bird.conf", "-s", lab.folder + "/bird.ctl"], in: "peer", log: "bird.log"
        )
        try lab.wait(30, "both routes are in the kernel") {
            try BirdTests.routes(lab).contains("10.70.0.0/24 via 10.0.0.2")
                && BirdTests.routes(lab, "-6").contains("fd00:70::/64 via fd00::2")
        }
        try lab.wait(20, "both blocks are in BIRD") {
            try BirdTests.bird(lab, "show route protocol Node_4").contains("10.65.1.0/26")
                && BirdTests.bird(lab, "show route protocol Node_6").contains("fd00:65:1::/122")
        }
        #expect(try lab.ctl("n", "node", "status").text.contains("| 10.0.0.2     | node specific | up    |"))
    }
}
