import Foundation
import Testing

/// A dual-stack mesh of four nodes on BIRD, configured as Calico's confd configures it, with pods' routes as Felix
/// writes them: it moves to Apus node by node and back, while every pod pings every other one.
///
/// ```
///   p1 ─ n1 ─┬─ n2 ─ p2        10.0.0.N, fd00::N; blocks 10.65.N.0/26, fd00:65:N::/122
///   p3 ─ n3 ─┴─ n4 ─ p4
/// ```
/// What is done on a node is what `docs/migrating-from-calico.md` says. BIRD and Felix of n3 write their routes with
/// metric 0, as those of Calico before 3.32 did.
@Suite(.serialized) struct CalicoMigrationLab {
    static let nodes = 1...4
    static func address(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.0.0.\(node)" : "fd00::\(node)"
    }
    static func block(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.65.\(node).0/26" : "fd00:65:\(node)::/122"
    }
    static func pod(_ node: Int, _ family: Int) -> String {
        family == 4 ? "10.65.\(node).7" : "fd00:65:\(node)::7"
    }

    let lab: Lab
    var birds: [Int: Process] = [:]
    var agents: [Int: Process] = [:]
    /// Which nodes run Apus; BIRD runs on the others.
    var onApus: Set<Int> = []
    static func metric(_ node: Int) -> Int { node == 3 ? 0 : 1024 }

    init() throws { lab = try Lab() }

    // MARK: Calico's side

    /// confd's configuration: routes stay when BIRD ends (`persist`), metric 1024, a session per family.
    private static func configuration(of node: Int) -> String {
        var text = "log stderr all; router id 10.0.0.\(node); protocol device { scan time 1; }\n"
        text += "protocol direct { ipv4; ipv6; interface -\"cali*\", \"*\"; }\n"
        for family in [4, 6] {
            text += """
                protocol static s\(family) { ipv\(family); route \(block(node, family)) blackhole; }
                protocol kernel k\(family) { learn; persist; scan time 2; merge paths on;
                metric \(metric(node)); graceful restart;
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

    /// As calico/node starts it: `-R`, in recovery from a restart.
    mutating func startBird(_ node: Int) throws {
        let path = lab.folder + "/bird\(node)"
        try Self.configuration(of: node).write(toFile: path + ".conf", atomically: true, encoding: .utf8)
        birds[node] = try lab.start(
            ["bird", "-R", "-f", "-c", path + ".conf", "-s", path + ".ctl"], in: "n\(node)",
            log: "bird\(node).log")
    }

    func bird(_ node: Int, _ command: String) throws -> String {
        try Lab.run(["birdc", "-s", lab.folder + "/bird\(node).ctl"] + command.split(separator: " ").map(String.init))
            .text
    }

    /// The pods' routes as Felix writes them.
    func addFelixRoutes(_ node: Int) throws {
        for family in [4, 6] {
            try lab.must(
                "ip -\(family) route replace \(Self.pod(node, family)) dev cali\(node) proto 3 metric \(Self.metric(node))"
                    + (family == 4 ? " scope link" : ""), in: "n\(node)")
        }
    }

    // MARK: The network

    func build() throws {
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
    func resolveNeighbors() throws {
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

    /// What changes in each node's routes, from here on.
    func startMonitors() throws {
        for node in Self.nodes {
            try lab.start(["ip", "-ts", "monitor", "route"], in: "n\(node)", log: "monitor-\(node).txt")
        }
    }

    /// Every pod pings every other one, twenty times a second, until the lab ends; `-O` names each missing answer.
    func startPings() throws {
        for (from, to) in pairs {
            for family in [4, 6] {
                try lab.start(
                    ["ping", "-\(family)", "-O", "-i", "0.05", "-W", "1", Self.pod(to, family)], in: "p\(from)",
                    log: "ping-\(from)-\(to)-\(family).txt")
            }
        }
    }
    var pairs: [(Int, Int)] {
        Self.nodes.flatMap { from in Self.nodes.filter { $0 != from }.map { (from, $0) } }
    }

    /// The answers that are missing so far, and how many came.
    func pings() -> (missing: [String], answers: Int) {
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

    func routes(_ node: Int, _ selection: String) throws -> String {
        try [4, 6].map { try lab.must("ip -\($0) route show \(selection)", in: "n\(node)") }.joined()
    }

    /// Gateways by which a node may be reached: its address, and for IPv6 its link-local one, where it sends that too.
    private func gateways(_ node: Int, _ family: Int) throws -> [String] {
        guard family == 6 else { return [Self.address(node, 4)] }
        let words = try lab.must("ip -6 -o addr show dev eth0 scope link", in: "n\(node)").split(separator: " ")
        return [Self.address(node, 6)] + words.filter { $0.hasPrefix("fe80:") }.map { String($0.prefix { $0 != "/" }) }
    }

    /// Both families' blocks of all others, of one protocol, in a node's kernel.
    func hasAllBlocks(_ node: Int, _ selection: String) throws -> Bool {
        let lines = try routes(node, selection).split(separator: "\n")
        for other in Self.nodes where other != node {
            for family in [4, 6] {
                let starts = try gateways(other, family).map { "\(Self.block(other, family)) via \($0) " }
                // One, and no other one beside it.
                guard lines.count(where: { line in starts.contains { line.hasPrefix($0) } }) == 1,
                    lines.count(where: { $0.hasPrefix("\(Self.block(other, family)) ") }) == 1
                else { return false }
            }
        }
        return true
    }

    /// The same blocks in the table of a node's daemon, with LOCAL_PREF as Calico's nodes send it.
    private func hasAllPaths(_ node: Int) throws -> Bool {
        for other in Self.nodes where other != node {
            for family in [4, 6] {
                let prefix = Self.block(other, family)
                let text =
                    try onApus.contains(node)
                    ? lab.ctl("n\(node)", "routes", prefix, "-o", "json").text
                    : bird(node, "show route all \(prefix)")
                let words =
                    onApus.contains(node)
                    ? ["\"from\" : \"\(Self.address(other, family))\"", "\"localPref\" : 2147482623"]
                    : ["[Mesh_\(family)_\(other) ", "BGP.local_pref: 2147482623"]
                guard words.allSatisfy(text.contains) else { return false }
            }
        }
        return true
    }

    /// Every node has every block by the daemon that runs there, in its table and in its kernel, and nothing of the one
    /// that does not; and no answer to a ping is missing.
    func compare(_ step: String) throws {
        for node in Self.nodes {
            let (own, gone) =
                onApus.contains(node) ? ("proto 73", ["proto 12", "proto 3"]) : ("proto 12", ["proto 73"])
            try lab.wait(30, "\(step): n\(node) has every block of both families") {
                try hasAllPaths(node) && hasAllBlocks(node, own)
            }
            for selection in gone {
                #expect(try routes(node, selection).isEmpty, "\(step): n\(node) \(selection)")
            }
        }
        let (missing, _) = pings()
        #expect(missing.isEmpty, "\(step): \(missing.prefix(5).joined(separator: "\n"))")
    }
}
