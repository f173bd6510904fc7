import Foundation

/// GoBGP.
final class GoBGPPeer: InteropPeer {
    static let name = "GoBGP"
    static let missing: [String: String] = [
        "roles and OTC": "not in GoBGP 3.10", "BFD": "not in GoBGP",
        "route refresh, asked by the peer": "its softresetin looks at its own Adj-RIB-In again, and asks nobody",
        "unnumbered link": "GoBGP sends no router advertisements, by which the neighbor is found",
        "extended messages": "not in GoBGP 3.10",
    ]
    private let lab: InteropLab
    private var process: Process?
    private var starts = 0
    init(_ lab: InteropLab) { self.lab = lab }
    private var folder: String { lab.lab.folder }

    func start(_ s: Scenario) throws {
        var text = """
            [global.config]
            as = \(s.peerAS)
            router-id = "10.0.0.2"
            [[neighbors]]
            [neighbors.config]
            neighbor-address = "\(s.localAddress)"
            peer-as = 64512
            \(s.password.map { "auth-password = \"\($0)\"" } ?? "")
            [neighbors.timers.config]
            connect-retry = 5
            [neighbors.transport.config]
            local-address = "\(s.peerAddress)"
            \(s.hasTTLSecurity ? "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255" : "")
            [neighbors.graceful-restart.config]
            enabled = true
            notification-enabled = \(s.hasNotification)
            restart-time = \(s.restartTime)
            \(s.hasLongLived ? "long-lived-enabled = true" : "")

            """
        for family in s.families {
            text +=
                "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "
                + "\"\(family)-unicast\"\n[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n"
            if s.hasLongLived {
                text +=
                    "[neighbors.afi-safis.long-lived-graceful-restart.config]\nenabled = true\nrestart-time = 3600\n"
            }
            if s.sendsPaths || s.receivesPaths {
                text +=
                    "[neighbors.afi-safis.add-paths.config]\nreceive = \(s.receivesPaths)\nsend-max = "
                    + "\(s.sendsPaths ? 8 : 0)\n"
            }
        }
        try text.write(toFile: folder + "/gobgp.toml", atomically: true, encoding: .utf8)
        starts += 1
        process = try lab.lab.start(
            ["gobgpd", "-f", folder + "/gobgp.toml", "--api-hosts", "127.0.0.1:50051"] + (starts > 1 ? ["-r"] : []),
            in: "peer", log: "gobgp.log")
        try lab.lab.wait(30, "GoBGP starts") { try gobgp("global").status == 0 }
        let attributes = "community 65000:7 large-community 65000:1:2".split(separator: " ").map(String.init)
        for prefix in ["10.9.0.0/24"] + s.morePrefixes {
            _ = try gobgp(
                ["global", "rib", "add", prefix, "nexthop", s.hasExtendedNextHop ? "fd00::2" : "10.0.0.2"] + attributes)
        }
        if s.sendsPaths {
            for (id, hop) in [("1", "10.0.0.22"), ("2", "10.0.0.23")] {
                _ = try gobgp(["global", "rib", "add", "10.9.1.0/24", "identifier", id, "nexthop", hop] + attributes)
            }
        }
        _ = try gobgp(["global", "rib", "add", "-a", "ipv6", "fd00:9::/48", "nexthop", "fd00::2"] + attributes)
    }

    private func gobgp(_ command: String) throws -> Lab.Output {
        try gobgp(command.split(separator: " ").map(String.init))
    }
    private func gobgp(_ words: [String]) throws -> Lab.Output {
        try Lab.run(["ip", "netns", "exec", lab.lab.name("peer"), "gobgp"] + words)
    }

    func routes() throws -> [String: [SeenRoute]] {
        var result: [String: [SeenRoute]] = [:]
        for family in ["ipv4", "ipv6"] {
            let text = try gobgp("global rib -a \(family) -j").text
            guard let root = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] else {
                continue
            }
            for (prefix, value) in root {
                for path in value as? [[String: Any]] ?? [] {
                    guard let source = path["neighbor-ip"] as? String, source != "<nil>", !source.isEmpty else {
                        continue
                    }
                    var route = SeenRoute()
                    route.isStale = path["stale"] as? Bool ?? false
                    for attribute in path["attrs"] as? [[String: Any]] ?? [] {
                        switch attribute["type"] as? Int {
                        case 2:
                            for segment in attribute["as_paths"] as? [[String: Any]] ?? [] {
                                route.asPath += (segment["asns"] as? [Any] ?? []).compactMap {
                                    ($0 as? NSNumber)?.uint32Value
                                }
                            }
                        case 3, 14: route.nextHop = attribute["nexthop"] as? String ?? route.nextHop
                        case 8:
                            route.communities = Set(
                                (attribute["communities"] as? [Any] ?? []).compactMap { ($0 as? NSNumber)?.uint32Value }
                                    .map { "\($0 >> 16):\($0 & 0xFFFF)" })
                        case 9: route.originatorID = attribute["value"] as? String
                        case 10: route.clusterList = attribute["value"] as? [String] ?? []
                        case 32:
                            route.largeCommunities = Set(
                                (attribute["value"] as? [[String: Any]] ?? []).map { item in
                                    ["ASN", "LocalData1", "LocalData2"].map {
                                        "\((item[$0] as? NSNumber)?.uint32Value ?? 0)"
                                    }.joined(separator: ":")
                                })
                        default: break
                        }
                    }
                    result[prefix, default: []].append(route)
                }
            }
        }
        return result
    }

    func kill() throws {
        if let process { Foundation.kill(process.processIdentifier, SIGKILL) }
        process?.waitUntilExit()
    }
    func requestRefresh() throws { _ = try gobgp("neighbor all softresetin") }
    var log: String { lab.lab.log("gobgp.log") }
}
