import Foundation
import Testing

/// A dual-stack mesh of four nodes on BIRD, configured as Calico's confd configures it, with pods' routes as Felix
/// writes them: it moves to Apus node by node, while every pod pings every other one.
///
/// ```
///   p1 ─ n1 ─┬─ n2 ─ p2        10.0.0.N, fd00::N; blocks 10.65.N.0/26, fd00:65:N::/122
///   p3 ─ n3 ─┴─ n4 ─ p4
/// ```
/// What is done on a node is what `docs/migrating-from-calico.md` says.
@Suite(.serialized) struct CalicoMigrationLab {
    private static let nodes = 1...4
    private static func address(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.0.0.\(node)" : "fd00::\(node)"
    }
    private static func block(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.65.\(node).0/26" : "fd00:65:\(node)::/122"
    }
    private static func pod(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.65.\(node).7" : "fd00:65:\(node)::7"
    }

    private let lab: Lab
    private var birds: [Int: Process] = [:]

    init() throws { lab = try Lab() }

    // MARK: Calico's side

    /// confd's configuration: routes stay when BIRD ends (`persist`), metric 1024, a session per family.
    private static func configuration(of node: Int) -> String {
        var text = "log stderr all; router id 10.0.0.\(node); protocol device { scan time 1; }\n"
        text += "protocol direct { ipv4; ipv6; interface -\"cali*\", \"*\"; }\n"
        for family in [4, 6] {
            text += """
                protocol static s\(family) { ipv\(family); route \(block(node, family)) blackhole; }
                protocol kernel k\(family) { learn; persist; scan time 2; metric 1024; graceful restart;
                ipv\(family) { import all; export where source ~ [RTS_STATIC, RTS_BGP]; }; }
                filter out\(family) { if source != RTS_STATIC then reject; bgp_local_pref = 2147482623; accept; }

                """
            for other in nodes where other != node {
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

    private mutating func startBird(_ node: Int) throws {
        let path = lab.folder + "/bird\(node)"
        try Self.configuration(of: node).write(toFile: path + ".conf", atomically: true, encoding: .utf8)
        birds[node] = try lab.start(
            ["bird", "-f", "-c", path + ".conf", "-s", path + ".ctl"], in: "n\(node)",
            log: "bird\(node).log")
    }

    private func bird(_ node: Int, _ command: String) throws -> String {
        try Lab.run(["birdc", "-s", lab.folder + "/bird\(node).ctl"] + command.split(separator: " ").map(String.init))
            .text
    }

    /// The pods' routes as Felix writes them.
    private func addFelixRoutes(_ node: Int) throws {
        for family in [4, 6] {
            try lab.must(
                "ip -\(family) route replace \(Self.pod(node, family)) dev cali\(node) proto 3 metric 512"
                    + (family == 4 ? " scope link" : ""), in: "n\(node)")
        }
    }

    // MARK: The network

    private func build() throws {
        try lab.addNamespace("r")
        try lab.must("ip link add br0 type bridge", in: "r")
        try lab.must("ip link set br0 up", in: "r")
        var objects =
            Lab.object("IPPool", "pool4", "cidr: 10.65.0.0/16") + Lab.object("IPPool", "pool6", "cidr: 'fd00:65::/32'")
        for node in Self.nodes {
            let place = "n\(node)"
            try lab.addNamespace(place)
            try lab.link(place, "eth0", "r", place)
            try lab.must("ip link set \(place) master br0", in: "r")
            for sysctl in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
                try lab.must("sysctl -qw \(sysctl)", in: place)
            }
            try lab.must("ip addr add \(Self.address(node, 4))/24 dev eth0", in: place)
            try lab.must("ip addr add \(Self.address(node, 6))/64 dev eth0 nodad", in: place)
            // The kernel answers for 169.254.1.1 only where it has a route to it.
            try lab.must("ip route add default via 10.0.0.254 dev eth0 proto static", in: place)
            try lab.addPod(
                "p\(node)", of: place, "cali\(node)", [4, 6].map { Self.pod(node, $0) + ($0 == 4 ? "/32" : "/128") })
            try lab.must("sysctl -qw net.ipv4.conf.cali\(node).proxy_arp=1", in: place)
            try lab.must("sysctl -qw net.ipv4.neigh.cali\(node).proxy_delay=0", in: place)
            try addFelixRoutes(node)
            objects += Lab.object(
                "Node", place,
                "bgp: {ipv4Address: \(Self.address(node, 4))/24, ipv6Address: '\(Self.address(node, 6))/64'}")
            objects += Lab.object(
                "WorkloadEndpoint", "p\(node)",
                "node: \(place), interfaceName: cali\(node), ipNetworks: [\(Self.pod(node, 4))/32, "
                    + "'\(Self.pod(node, 6))/128']")
            for family in [4, 6] {
                objects += Lab.object(
                    "BlockAffinity", "b\(node)-\(family)",
                    "node: \(place), cidr: '\(Self.block(node, family))', state: confirmed")
            }
        }
        try lab.write("r.yaml", objects)
    }

    /// The first packet between two pods waits for neighbors to be resolved on its way, and does not count.
    private func resolveNeighbors() throws {
        for (from, to) in pairs {
            for family in [4, 6] {
                try lab.wait(20, "p\(from) reaches p\(to)") {
                    try Lab.run([
                        "ip", "netns", "exec", lab.name("p\(from)"), "ping", "-\(family)", "-c", "1", "-W", "1",
                        Self.pod(to, family),
                    ]).status == 0
                }
            }
        }
    }

    /// Every pod pings every other one, twenty times a second, until the lab ends; `-O` names each missing answer.
    private func startPings() throws {
        for (from, to) in pairs {
            for family in [4, 6] {
                try lab.start(
                    ["ping", "-\(family)", "-O", "-i", "0.05", "-W", "1", Self.pod(to, family)], in: "p\(from)",
                    log: "ping-\(from)-\(to)-\(family).txt")
            }
        }
    }
    private var pairs: [(Int, Int)] {
        Self.nodes.flatMap { from in Self.nodes.filter { $0 != from }.map { (from, $0) } }
    }

    /// The answers that are missing so far, and how many came.
    private func pings() -> (missing: [String], answers: Int) {
        var (missing, answers) = ([String](), 0)
        for (from, to) in pairs {
            for family in [4, 6] {
                let name = "ping-\(from)-\(to)-\(family).txt"
                for line in lab.log(name).split(separator: "\n") {
                    if line.contains("bytes from") && line.contains("time=") { answers += 1 }
                    if line.contains("no answer") || line.contains("nreachable") || line.contains("ilter") {
                        missing.append("\(name): \(line)")
                    }
                }
            }
        }
        return (missing, answers)
    }

    private func routes(_ node: Int, _ selection: String) throws -> String {
        try [4, 6].map { try lab.must("ip -\($0) route show \(selection)", in: "n\(node)") }.joined()
    }

    /// Both families' blocks of all others, of one protocol, in a node's kernel.
    private func hasAllBlocks(_ node: Int, _ selection: String) throws -> Bool {
        let text = try routes(node, selection)
        return Self.nodes.allSatisfy { other in
            other == node
                || [4, 6].allSatisfy { text.contains("\(Self.block(other, $0)) via \(Self.address(other, $0))") }
        }
    }

    private func check(_ step: String) {
        let (missing, _) = pings()
        #expect(missing.isEmpty, "\(step): \(missing.prefix(5).joined(separator: "\n"))")
    }

    // MARK: The steps

    private mutating func moveToApus(_ node: Int) throws {
        // A stop that peers take for a restart; the kernel keeps the routes.
        _ = try bird(node, "graceful restart")
        birds[node]?.waitUntilExit()
        try lab.startAgent(
            "n\(node)", in: "n\(node)",
            arguments: ["--metrics", "", "--health", "", "--take-over", "bird,felix"])
        try lab.wait(60, "n\(node) has every block") { try hasAllBlocks(node, "proto 73") }
        try lab.wait(60, "nothing of BIRD and Felix is left on n\(node)") {
            try routes(node, "proto 12").isEmpty && routes(node, "proto 3").isEmpty
        }
    }

    @Test func `a mesh moves from BIRD to Apus node by node, and no ping is lost`() throws {
        var lab = self
        try lab.build()
        for node in Self.nodes { try lab.startBird(node) }
        try lab.lab.wait(60, "every node has every block by BIRD") {
            try Self.nodes.allSatisfy { try lab.hasAllBlocks($0, "proto 12") }
        }
        try lab.resolveNeighbors()
        try lab.startPings()
        try lab.lab.wait(20, "answers come") { lab.pings().answers > 24 * 10 }
        lab.check("before")
        for node in Self.nodes {
            try lab.moveToApus(node)
            lab.check("n\(node) moved")
        }
        let before = lab.pings().answers
        try lab.lab.wait(20, "answers come still") { lab.pings().answers > before + 24 * 10 }
        lab.check("at the end")
        for node in Self.nodes {
            let status = try lab.lab.ctl("n\(node)", "node", "status").text
            #expect(
                status.split(separator: "\n").count { $0.contains("| node-to-node mesh | up    |") } == 6, "\(status)")
        }
    }
}
