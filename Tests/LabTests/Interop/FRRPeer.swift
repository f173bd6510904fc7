import Foundation

/// FRR: zebra, bgpd and for BFD bfdd.
final class FRRPeer: InteropPeer {
    static let name = "FRR"
    static let missing: [String: String] = [:]
    private let lab: InteropLab
    private var processes: [Process] = []
    init(_ lab: InteropLab) { self.lab = lab }
    private var folder: String { lab.lab.folder }
    private var run: String { folder + "/frr" }

    func start(_ s: Scenario) throws {
        try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
        // Its daemons give up root.
        try lab.lab.must("chown frr:frr \(run)")
        try lab.lab.must("chmod 755 \(folder)")
        let neighbor = s.isUnnumbered ? "eth0" : s.localAddress
        var lines = [
            "log file \(run)/frr-peer.log debugging", "debug bgp neighbor-events", "debug bgp updates",
            "router bgp \(s.peerAS)", " bgp router-id 10.0.0.2",
            " no bgp ebgp-requires-policy", " no bgp network import-check", " no bgp default ipv4-unicast",
            " bgp graceful-restart",
            " bgp graceful-restart restart-time \(s.restartTime)", " bgp graceful-restart preserve-fw-state",
        ]
        if s.isUnnumbered {
            lines += [" neighbor eth0 interface", " neighbor eth0 remote-as 64512"]
        } else {
            lines.append(" neighbor \(neighbor) remote-as 64512")
        }
        lines.append(" neighbor \(neighbor) timers connect 2")
        if let password = s.password { lines.append(" neighbor \(neighbor) password \(password)") }
        if s.hasTTLSecurity { lines.append(" neighbor \(neighbor) ttl-security hops 1") }
        if s.hasExtendedNextHop { lines.append(" neighbor \(neighbor) capability extended-nexthop") }
        if let role = s.role { lines.append(" neighbor \(neighbor) local-role \(role == "rs" ? "rs-server" : role)") }
        if s.sendsPaths { for last in [22, 23] { lines.append(" neighbor 10.0.0.\(last) remote-as 65100") } }
        if s.hasLongLived { lines.append(" bgp long-lived-graceful-restart stale-time 3600") }
        if s.hasBFD { lines += [" neighbor \(neighbor) bfd", " neighbor \(neighbor) bfd 3 100 100"] }
        for (family, own, isOn) in [("ipv4", "10.9.0.0/24", s.hasIPv4), ("ipv6", "fd00:9::/48", s.hasIPv6)] where isOn {
            lines.append(" address-family \(family) unicast")
            lines.append("  network \(own) route-map own")
            if family == "ipv4" { for prefix in s.morePrefixes { lines.append("  network \(prefix) route-map own") } }
            lines += ["  neighbor \(neighbor) activate", "  neighbor \(neighbor) soft-reconfiguration inbound"]
            if s.sendsPaths {
                lines += [
                    "  neighbor \(neighbor) addpath-tx-all-paths", "  neighbor 10.0.0.22 activate",
                    "  neighbor 10.0.0.23 activate",
                ]
            }
            lines.append(" exit-address-family")
        }
        lines += [
            "exit", "route-map own permit 10", " set community 65000:7", " set large-community 65000:1:2", "exit",
        ]
        if s.hasBFD {
            lines += [
                "bfd", " peer \(s.localAddress)\(s.overIPv6 ? "" : "")", "  receive-interval 100",
                "  transmit-interval 100", " exit", "exit",
            ]
        }
        if s.isUnnumbered {
            lines.insert(
                contentsOf: ["interface eth0", " no ipv6 nd suppress-ra", " ipv6 nd ra-interval 5", "exit"], at: 1)
        }
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: folder + "/frr-peer.conf", atomically: true, encoding: .utf8)
        var daemons = ["zebra", "bgpd"]
        if s.hasBFD { daemons.insert("bfdd", at: 1) }
        if s.sendsPaths { try lab.startInjectors() }
        for daemon in daemons {
            var command = [
                "/usr/lib/frr/\(daemon)", "-f", folder + "/frr-peer.conf", "-z", run + "/zserv.api", "-i",
                run + "/\(daemon).pid", "--vty_socket", run,
            ]
            if daemon == "bfdd" { command += ["--bfdctl", run + "/bfdd.sock"] }
            if daemon == "bgpd" { command += ["-p", "179"] }
            processes.append(try lab.lab.start(command, in: "peer", log: "frr-\(daemon).out"))
            try lab.lab.wait(20, "\(daemon) starts") { FileManager.default.fileExists(atPath: run + "/\(daemon).vty") }
        }
        try lab.lab.wait(20, "bgpd answers") { try vtysh("show version").status == 0 }
    }

    private func vtysh(_ command: String) throws -> Lab.Output {
        try Lab.run(["ip", "netns", "exec", lab.lab.name("peer"), "vtysh", "--vty_socket", run, "-c", command])
    }

    func routes() throws -> [String: [SeenRoute]] {
        var result: [String: [SeenRoute]] = [:]
        for family in ["ipv4", "ipv6"] {
            let table = try vtysh("show bgp \(family) unicast json").text
            guard let root = (try? JSONSerialization.jsonObject(with: Data(table.utf8))) as? [String: Any],
                let rows = root["routes"] as? [String: Any]
            else { continue }
            for (prefix, value) in rows {
                // Its own have no peer.
                guard (value as? [[String: Any]] ?? []).contains(where: { $0["peerId"] as? String != "(unspec)" })
                else { continue }
                let text = try vtysh("show bgp \(family) unicast \(prefix) json").text
                guard let detail = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] else {
                    continue
                }
                for path in detail["paths"] as? [[String: Any]] ?? [] {
                    if path["sourced"] as? Bool == true { continue }
                    var route = SeenRoute()
                    let hops = path["nexthops"] as? [[String: Any]] ?? []
                    // Where both were sent it uses the link-local one (RFC 2545 3).
                    let hop =
                        hops.first { $0["scope"] as? String == "global" } ?? hops.first { $0["used"] as? Bool == true }
                        ?? hops.first
                    route.nextHop = hop?["ip"] as? String ?? ""
                    let segments = (path["aspath"] as? [String: Any])?["segments"] as? [[String: Any]] ?? []
                    route.asPath = segments.flatMap {
                        ($0["list"] as? [Any] ?? []).compactMap { ($0 as? NSNumber)?.uint32Value }
                    }
                    route.communities = Set((path["community"] as? [String: Any])?["list"] as? [String] ?? [])
                    route.largeCommunities = Set((path["largeCommunity"] as? [String: Any])?["list"] as? [String] ?? [])
                    route.originatorID = path["originatorId"] as? String
                    route.clusterList = (path["clusterList"] as? [String: Any])?["list"] as? [String] ?? []
                    route.isStale = path["stale"] as? Bool ?? false
                    result[prefix, default: []].append(route)
                }
            }
        }
        return result
    }

    func kill() throws {
        for process in processes { Foundation.kill(process.processIdentifier, SIGKILL) }
        for process in processes { process.waitUntilExit() }
        processes = []
        try? FileManager.default.removeItem(atPath: run)
    }
    func requestRefresh() throws { _ = try vtysh("clear bgp * in") }
    var log: String {
        ((try? String(contentsOfFile: run + "/frr-peer.log", encoding: .utf8)) ?? "") + lab.lab.log("frr-bgpd.out")
    }
}
