import Foundation

/// OpenBGPD (portable).
final class OpenBGPDPeer: InteropPeer {
    static let name = "OpenBGPD"
    static let missing: [String: String] = [
        "long-lived graceful restart": "not in OpenBGPD", "BFD": "not in OpenBGPD",
        "unnumbered link": "not in OpenBGPD",
        "graceful restart": "OpenBGPD is a helper only: it asks nobody to keep its routes",
        "route refresh, asked by us":
            "OpenBGPD 7.7 answers every request, BIRD's too, with 'AID IPv4 unicast not negotiated'",
        "IPv4 with IPv6 next hops": "not in OpenBGPD 7.7", "extended messages": "not in OpenBGPD 7.7",
    ]
    static let externalIPv6Fault: String? =
        "IPv4 alone: over an external IPv4 session OpenBGPD 7.7 sends ::1 as the next hop of IPv6"
    private let lab: InteropLab
    private var process: Process?
    init(_ lab: InteropLab) { self.lab = lab }
    private var folder: String { lab.lab.folder }
    private var socket: String { folder + "/openbgpd.sock" }

    func start(_ s: Scenario) throws {
        // Left to itself it takes ::1 for IPv6 over an IPv4 session.
        let attributes = ["10.0.0.2", "fd00::2"].map {
            "set { nexthop \($0) community 65000:7 large-community 65000:1:2 }"
        }
        var text = "AS \(s.peerAS)\nrouter-id 10.0.0.2\nfib-update no\nsocket \"\(socket)\"\nlog updates\n"
        if s.hasIPv4 {
            for prefix in ["10.9.0.0/24"] + s.morePrefixes { text += "network \(prefix) \(attributes[0])\n" }
        }
        if s.hasIPv6 { text += "network fd00:9::/48 \(attributes[1])\n" }
        if s.sendsPaths {
            try lab.startInjectors()
            for last in [22, 23] { text += "neighbor 10.0.0.\(last) { remote-as 65100 }\n" }
        }
        text += """
            neighbor \(s.localAddress) {
                descr apus
                remote-as 64512
                local-address \(s.peerAddress)
                \(s.hasIPv4 ? "announce IPv4 unicast" : "announce IPv4 none")
                \(s.hasIPv6 ? "announce IPv6 unicast" : "announce IPv6 none")
                announce restart yes
                announce enhanced refresh yes
                \(s.password.map { "tcp md5sig password \($0)" } ?? "")
                \(s.hasTTLSecurity ? "ttl-security yes" : "")
                \(s.receivesPaths ? "announce add-path recv yes" : "")
                \(s.sendsPaths ? "announce add-path send all" : "")
                \(s.role.map { "announce policy \($0)" } ?? "")
            }
            allow from any
            allow to any

            """
        let path = folder + "/openbgpd.conf"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try lab.lab.must("chmod 600 \(path)")
        // Its children give up root in their user's home, which the package leaves to its service to make.
        let home = try Lab.run(["sh", "-c", "getent passwd _openbgpd | cut -d: -f6"]).text.trimmingCharacters(
            in: .whitespacesAndNewlines)
        if !home.isEmpty { try lab.lab.must("mkdir -p \(home)") }
        process = try lab.lab.start(["bgpd", "-d", "-f", path], in: "peer", log: "openbgpd.log")
        try lab.lab.wait(30, "OpenBGPD starts") { try bgpctl("show summary").status == 0 }
    }

    private func bgpctl(_ command: String) throws -> Lab.Output {
        try Lab.run(
            ["ip", "netns", "exec", lab.lab.name("peer"), "bgpctl", "-s", socket]
                + command.split(separator: " ").map(String.init))
    }

    func routes() throws -> [String: [SeenRoute]] {
        var result: [String: [SeenRoute]] = [:]
        let text = try bgpctl("-j show rib detail").text
        guard let root = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] else {
            return [:]
        }
        for row in root["rib"] as? [[String: Any]] ?? [] {
            guard let prefix = row["prefix"] as? String, row["announced"] as? Bool != true else { continue }
            var route = SeenRoute()
            route.nextHop = row["exit_nexthop"] as? String ?? ""
            route.asPath = (row["aspath"] as? String ?? "").split(separator: " ").compactMap { UInt32($0) }
            route.communities = Set(row["communities"] as? [String] ?? [])
            route.largeCommunities = Set(row["large_communities"] as? [String] ?? [])
            route.isStale = row["stale"] as? Bool ?? false
            for attribute in row["attributes"] as? [[String: Any]] ?? [] {
                route.originatorID = attribute["originator"] as? String ?? route.originatorID
                route.clusterList =
                    attribute["cluster_list"] as? [String] ?? attribute["clusters"] as? [String] ?? route.clusterList
            }
            result[prefix, default: []].append(route)
        }
        return result
    }

    /// The parent and its two children.
    func kill() throws {
        guard let process else { return }
        let parent = process.processIdentifier
        let children = try Lab.run(["ps", "-o", "pid=", "--ppid", "\(parent)"]).text.split(
            whereSeparator: \.isWhitespace
        ).compactMap { pid_t($0) }
        for pid in [parent] + children { Foundation.kill(pid, SIGKILL) }
        process.waitUntilExit()
    }
    func requestRefresh() throws { _ = try bgpctl("neighbor \("apus") refresh") }
    var log: String { lab.lab.log("openbgpd.log") }
}
