import Foundation

/// BIRD 2.
final class BirdPeer: InteropPeer {
    static let name = "BIRD 2"
    static let missing: [String: String] = [:]
    private let lab: InteropLab
    private var process: Process?
    private var starts = 0
    init(_ lab: InteropLab) { self.lab = lab }
    private var folder: String { lab.lab.folder }
    private var socket: String { folder + "/bird.ctl" }

    func start(_ s: Scenario) throws {
        let attributes = "{ bgp_community.add((65000,7)); bgp_large_community.add((65000,1,2)); }"
        var text = "router id 10.0.0.2;\nlog \"\(folder)/bird-peer.log\" all;\nprotocol device { scan time 1; }\n"
        let four = ["10.9.0.0/24"] + s.morePrefixes
        if s.sendsPaths {
            // Two protocols with a route each: two paths of one prefix.
            for (index, hop) in ["10.0.0.22", "10.0.0.23"].enumerated() {
                text +=
                    "protocol static s4\(index) { ipv4 { preference \(200 + index); }; route 10.9.1.0/24 via \(hop) "
                    + "\(attributes); }\n"
            }
        }
        text +=
            "protocol static s4 { ipv4; "
            + "\(four.map { "route \($0) blackhole \(attributes);" }.joined(separator: " ")) }\n"
        text += "protocol static s6 { ipv6; route fd00:9::/48 blackhole \(attributes); }\n"
        if s.hasBFD {
            text +=
                "protocol bfd { interface \"eth0\" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; "
                + "}; }\n"
        }
        if s.isUnnumbered { text += "protocol radv { interface \"eth0\" { max ra interval 5; }; }\n" }
        let paths =
            s.sendsPaths && s.receivesPaths
            ? "add paths on;" : s.sendsPaths ? "add paths tx;" : s.receivesPaths ? "add paths rx;" : ""
        let neighbor =
            s.isUnnumbered
            ? "neighbor range fe80::/10 as 64512; interface \"eth0\"; dynamic name \"apus\""
            : "neighbor \(s.localAddress) as 64512"
        let local = s.isUnnumbered ? "local as \(s.peerAS)" : "local \(s.peerAddress) as \(s.peerAS)"
        text += """
            protocol bgp apus {
              \(local); \(neighbor); \(s.isUnnumbered ? "" : "direct;")
              connect retry time 2; error wait time 1, 2; graceful restart on; graceful restart time \(s.restartTime); \
            enable extended messages on;
              \(s.password.map { "password \"\($0)\";" } ?? "") \(s.hasTTLSecurity ? "ttl security on;" : "") \
            \(s.hasBFD ? "bfd on;" : "")
              \(s.role.map { "local role \(Self.role($0));" } ?? "") \
            \(s.hasLongLived ? "long lived graceful restart on; long lived stale time 3600;" : "")
            \(s.hasIPv4 ? "  ipv4 { import all; export where source = RTS_STATIC; next hop self ebgp; \(paths) \(s.hasExtendedNextHop || s.isUnnumbered ? "extended next hop on;" : "") };" : "")
            \(s.hasIPv6 ? "  ipv6 { import all; export where source = RTS_STATIC; next hop self ebgp; \(paths) };" : "")
            }

            """
        try text.write(toFile: folder + "/bird-peer.conf", atomically: true, encoding: .utf8)
        starts += 1
        process = try lab.lab.start(
            ["bird", "-f", "-c", folder + "/bird-peer.conf", "-s", socket, "-P", folder + "/bird-peer.pid"]
                + (starts > 1 ? ["-R"] : []), in: "peer", log: "bird.out")
        try lab.lab.wait(20, "BIRD starts") { try Lab.run(["birdc", "-s", socket, "show", "status"]).status == 0 }
    }

    private static func role(_ name: String) -> String {
        name == "rs" ? "rs_server" : name == "rs-client" ? "rs_client" : name
    }

    func routes() throws -> [String: [SeenRoute]] {
        var result: [String: [SeenRoute]] = [:]
        var prefix = ""
        var route: SeenRoute?
        func flush() { if let route { result[prefix, default: []].append(route) } }
        for line in try Lab.run(["birdc", "-s", socket, "show", "route", "all", "where", "source", "=", "RTS_BGP"]).text
            .split(separator: "\n")
        {
            let words = line.split(whereSeparator: { " \t".contains($0) }).map(String.init)
            if line.contains("unicast [") || line.contains("unreachable [") {
                flush()
                if !line.hasPrefix(" ") && !line.hasPrefix("\t"), let first = words.first { prefix = first }
                route = SeenRoute()
            } else if line.contains("BGP.as_path:") {
                route?.asPath = words.dropFirst().compactMap { UInt32($0) }
            } else if line.contains("BGP.next_hop:") {
                // Global and link-local: `:: fe80::1` where there is no global one.
                route?.nextHop = words.dropFirst().first { $0 != "::" } ?? ""
            } else if line.contains("BGP.community:") {
                route?.communities = Set(
                    words.dropFirst().map {
                        $0.trimmingCharacters(in: ["(", ")"]).replacingOccurrences(of: ",", with: ":")
                    })
            } else if line.contains("BGP.large_community:") {
                let joined = words.dropFirst().joined().replacingOccurrences(of: ")(", with: ") (")
                route?.largeCommunities = Set(
                    joined.split(separator: " ").map {
                        $0.trimmingCharacters(in: ["(", ")"]).replacingOccurrences(of: ",", with: ":")
                    })
            } else if line.contains("BGP.originator_id:") {
                route?.originatorID = words.last
            } else if line.contains("BGP.cluster_list:") {
                route?.clusterList = Array(words.dropFirst())
            }
        }
        flush()
        return result
    }

    func kill() throws {
        if let process { Foundation.kill(pid(process), SIGKILL) }
        process?.waitUntilExit()
    }
    private func pid(_ process: Process) -> pid_t { process.processIdentifier }

    func requestRefresh() throws { _ = try Lab.run(["birdc", "-s", socket, "reload", "in", "all"]) }
    var log: String { (try? String(contentsOfFile: folder + "/bird-peer.log", encoding: .utf8)) ?? "" }
}
