import Foundation
import Testing

/// What a session between Apus and another daemon is to be like: the one description from which both sides'
/// configurations are written.
struct Scenario {
    /// The other daemon's AS; ours is 64512.
    var peerAS: UInt32 = 64512
    /// The session runs over IPv6.
    var overIPv6 = false
    var families = ["ipv4", "ipv6"]
    var password: String?
    /// RFC 5082.
    var hasTTLSecurity = false
    var hasExtendedNextHop = false
    /// RFC 7911: what the other daemon does.
    var sendsPaths = false
    var receivesPaths = false
    /// What the other daemon is to us; we are the counterpart (RFC 9234).
    var role: String?
    var hasLongLived = false
    var hasBFD = false
    /// RFC 4724; seconds.
    var restartTime = 60
    /// The other daemon announces N (RFC 8538), where it can.
    var hasNotification = true
    /// More prefixes of the other daemon, beside 10.9.0.0/24 and fd00:9::/48.
    var morePrefixes: [String] = []
    /// The session is by link-local addresses of one link.
    var isUnnumbered = false
    /// `apusd reflector` in place of an agent, with these agents as clients beside the daemon.
    var agents: [Int] = []

    var isInternal: Bool { peerAS == 64512 }
    var localAddress: String { overIPv6 ? "fd00::1" : "10.0.0.1" }
    var peerAddress: String { overIPv6 ? "fd00::2" : "10.0.0.2" }
    var hasIPv4: Bool { families.contains("ipv4") }
    var hasIPv6: Bool { families.contains("ipv6") }
    /// What we are to the daemon.
    var ownRole: String? {
        role.map {
            ["provider": "customer", "customer": "provider", "peer": "peer", "rs": "rs-client", "rs-client": "rs"][$0]
                ?? $0
        }
    }
}

/// A route as a daemon shows it.
struct SeenRoute: CustomStringConvertible {
    var nextHop = ""
    var asPath: [UInt32] = []
    var communities: Set<String> = []
    var largeCommunities: Set<String> = []
    var originatorID: String?
    var clusterList: [String] = []
    var isStale = false
    var description: String {
        "via \(nextHop) path \(asPath) \(communities.sorted()) \(largeCommunities.sorted())\(isStale ? " stale" : "")"
    }
}

/// A BGP daemon of somebody else, in the namespace `peer`, with address 10.0.0.2 and fd00::2.
protocol InteropPeer {
    static var name: String { get }
    /// Features of `InteropTests.features` that the daemon does not have, with the reason.
    static var missing: [String: String] { get }
    /// Why external sessions over IPv4 carry IPv4 alone; nil where they carry both families.
    static var externalIPv6Fault: String? { get }
    init(_ lab: InteropLab)
    /// Writes the configuration and starts the daemon; it announces 10.9.0.0/24 and fd00:9::/48 with 65000:7 and
    /// 65000:1:2.
    func start(_ scenario: Scenario) throws
    /// Every path that the daemon has from us, by prefix.
    func routes() throws -> [String: [SeenRoute]]
    /// Ends the daemon as a crash would.
    func kill() throws
    /// Asks us for our routes again.
    func requestRefresh() throws
    /// Everything that it logged, in whatever words.
    var log: String { get }
}

extension InteropPeer {
    static var externalIPv6Fault: String? { nil }
}

/// Two or more hosts on a switch; Apus is the first one.
final class InteropLab {
    let lab: Lab
    private(set) var apus: Process?

    init() throws {
        lab = try Lab()
        try lab.addNamespace("sw")
        try lab.must("ip link add br0 type bridge", in: "sw")
        try lab.must("ip link set br0 up", in: "sw")
        try addHost("apus", 1)
        try addHost("peer", 2)
    }

    func addHost(_ name: String, _ last: Int) throws {
        try lab.addNamespace(name)
        try lab.must("ip link add eth0 type veth peer name p\(last) netns \(lab.name("sw"))", in: name)
        try lab.must("ip link set p\(last) master br0 up", in: "sw")
        // No duplicate address detection: a link-local address is there at once.
        try lab.must("sysctl -qw net.ipv6.conf.eth0.accept_dad=0", in: name)
        try lab.must("ip link set eth0 up", in: name)
        try lab.must("ip addr add 10.0.0.\(last)/24 dev eth0", in: name)
        try lab.must("ip addr add fd00::\(last)/64 dev eth0 nodad", in: name)
    }

    /// Writes our side and starts it.
    func startApus(_ scenario: Scenario) throws {
        try writeResources(scenario)
        if !scenario.agents.isEmpty {
            apus = try lab.startAgent(
                "apus", in: "apus", arguments: ["--metrics", "127.0.0.1:9091", "--health", "127.0.0.1:9091"],
                mode: "reflector")
            for last in scenario.agents {
                try addHost("n\(last)", last)
                _ = try lab.startAgent("n\(last)", in: "n\(last)")
            }
        } else {
            apus = try lab.startAgent("apus", in: "apus", arguments: ["--log-level", "debug"])
        }
    }

    /// Two speakers, 10.0.0.22 and 10.0.0.23 in AS 65100, that announce 10.9.1.0/24 to the daemon: two paths of one
    /// prefix for it to pass on.
    func startInjectors() throws {
        for last in [22, 23] {
            try addHost("i\(last)", last)
            let path = lab.folder + "/injector\(last).conf"
            try """
            neighbor 10.0.0.2 { router-id 10.0.0.\(last); local-address 10.0.0.\(last); local-as 65100; peer-as 64512; \
            family { ipv4 unicast; }
              announce { ipv4 { unicast 10.9.1.0/24 next-hop 10.0.0.\(last); } } }

            """.write(toFile: path, atomically: true, encoding: .utf8)
            try lab.start(
                [
                    "env", "exabgp.daemon.user=root", "exabgp.daemon.daemonize=false", "exabgp.api.cli=false",
                    "exabgp.log.destination=stdout", "exabgp", path,
                ],
                in: "i\(last)", log: "injector\(last).out")
        }
    }

    func writeResources(_ scenario: Scenario, extra: String = "", removing: [String] = []) throws {
        var peer: [String] = []
        if scenario.isUnnumbered {
            peer.append("interface: eth0")
        } else {
            peer.append("peerIP: \"\(scenario.peerAddress)\"")
        }
        peer += [
            "asNumber: \(scenario.peerAS)", "families: [\(scenario.families.joined(separator: ", "))]",
            "maxRestartTime: \(scenario.restartTime)s",
        ]
        if scenario.password != nil {
            peer.append("password: {secretKeyRef: {name: bgp, key: peer}}")
            try writeSecret(scenario.password ?? "")
        }
        if scenario.hasTTLSecurity { peer.append("ttlSecurity: 1") }
        if scenario.hasExtendedNextHop { peer.append("extendedNextHop: true") }
        if scenario.sendsPaths || scenario.receivesPaths {
            peer.append("addPath: {receive: \(scenario.sendsPaths)\(scenario.receivesPaths ? ", send: all" : "")}")
        }
        if let role = scenario.ownRole { peer.append("role: \(role)") }
        if scenario.hasLongLived { peer.append("longLivedStaleTime: 1h") }
        if scenario.hasBFD { peer.append("bfd: {minTransmitInterval: 100ms, minReceiveInterval: 100ms}") }
        if !scenario.agents.isEmpty { peer.append("routeReflectorClient: true") }
        if !extra.isEmpty { peer.append(extra) }
        let isReflector = !scenario.agents.isEmpty
        var text = Lab.object(
            "Node", "apus",
            "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: "
                + "\"fd00::1/64\"\(isReflector ? ", routeReflectorClusterID: 9.9.9.9" : "")}, podCIDRs: [10.65.1.0/26, "
                + "\"fd00:65:1::/122\"]"
        )
        for last in scenario.agents {
            text += Lab.object(
                "Node", "n\(last)",
                "bgp: {ipv4Address: 10.0.0.\(last)/24, ipv6Address: \"fd00::\(last)/64\"}, podCIDRs: "
                    + "[10.65.\(last).0/26]"
            )
        }
        text += Lab.object(
            "BGPConfiguration", "default",
            "nodeToNodeMeshEnabled: false, serviceClusterIPs: [{cidr: 10.96.0.0/16}], communities: [{name: pods, "
                + "value: \"64512:65\"}], prefixAdvertisements: [{cidr: 10.65.0.0/16, communities: [pods, "
                + "\"64512:6:5\"]}, {cidr: \"fd00:65::/32\", communities: [pods, \"64512:6:5\"]}]"
        )
        text += Lab.object("BGPPeer", "peer", "node: apus, " + peer.joined(separator: ", "))
        if isReflector { text += Lab.object("BGPPeer", "rr", "nodeSelector: \"!has(rr)\", peerSelector: \"has(rr)\"") }
        text =
            isReflector
            ? text.replacingOccurrences(
                of: "metadata: {name: apus}", with: "metadata: {name: apus, labels: {rr: \"\"}}") : text
        try lab.write("all.yaml", text)
    }

    func writeSecret(_ text: String) throws {
        try FileManager.default.createDirectory(atPath: lab.folder + "/secrets/bgp", withIntermediateDirectories: true)
        let path = lab.folder + "/secrets/bgp/peer"
        try text.write(toFile: path + ".new", atomically: false, encoding: .utf8)
        try lab.must("chmod 600 \(path).new")
        try lab.must("mv \(path).new \(path)")
    }

    // MARK: Our side

    func peers(_ node: String = "apus") throws -> [[String: Any]] { try json(node, "peers") }
    func json(_ node: String, _ arguments: String...) throws -> [[String: Any]] {
        let output = try Lab.run(
            [Lab.products + "/apusctl"] + arguments + ["-o", "json", "--socket", lab.folder + "/\(node).sock"])
        return (try? JSONSerialization.jsonObject(with: Data(output.text.utf8))) as? [[String: Any]] ?? []
    }

    /// The peer's own row.
    func peer() throws -> [String: Any]? { try peers().first { ($0["name"] as? String) == "BGPPeer/peer" } }
    func isUp() throws -> Bool { try peer()?["state"] as? String == "Established" }
    func waitUntilUp(_ what: String) throws { try lab.wait(40, "\(what): the session comes up") { try isUp() } }

    /// The peer's paths as we have them.
    func routes(node: String = "apus") throws -> [String: [SeenRoute]] {
        var result: [String: [SeenRoute]] = [:]
        for row in try json(node, "routes") {
            guard let prefix = row["prefix"] as? String, row["from"] as? String != "local" else { continue }
            var route = SeenRoute()
            route.nextHop = row["nextHop"] as? String ?? ""
            route.asPath = (row["asPath"] as? String ?? "").split(separator: " ").compactMap { UInt32($0) }
            for text in row["communities"] as? [String] ?? [] {
                if text.split(separator: ":").count == 3 {
                    route.largeCommunities.insert(text)
                } else {
                    route.communities.insert(text)
                }
            }
            route.isStale = row["isStale"] as? Bool ?? false
            result[prefix, default: []].append(route)
        }
        return result
    }
}
