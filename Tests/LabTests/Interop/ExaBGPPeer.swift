import Foundation

/// ExaBGP 4: no table of its own; what it receives is what its process was sent.
final class ExaBGPPeer: InteropPeer {
    static let name = "ExaBGP"
    static let missing: [String: String] = [
        "graceful restart, our own": "ExaBGP keeps no routes", "long-lived graceful restart": "not in ExaBGP",
        "roles and OTC": "not in ExaBGP 4.2", "BFD": "not in ExaBGP", "unnumbered link": "not in ExaBGP",
        "route refresh, asked by the peer": "ExaBGP 4.2 asks for none by itself",
        "route refresh, asked by us": "ExaBGP 4.2.21 ends the session at a ROUTE-REFRESH",
        "shutdown text":
            "ExaBGP 4.2.21 answers a NOTIFICATION with 'can not decode update message of type 3', and shows no text",
    ]
    private let lab: InteropLab
    private var process: Process?
    init(_ lab: InteropLab) { self.lab = lab }
    private var folder: String { lab.lab.folder }

    func start(_ s: Scenario) throws {
        let attributes = "community [65000:7] large-community [65000:1:2]"
        var routes = (["10.9.0.0/24"] + s.morePrefixes).map { "unicast \($0) next-hop 10.0.0.2 \(attributes);" }
        if s.sendsPaths {
            routes += [("0.0.0.1", "10.0.0.22"), ("0.0.0.2", "10.0.0.23")].map {
                "unicast 10.9.1.0/24 path-information \($0.0) next-hop \($0.1) \(attributes);"
            }
        }
        if s.hasExtendedNextHop { routes = ["unicast 10.9.0.0/24 next-hop fd00::2 \(attributes);"] }
        let script = folder + "/exabgp-dump.sh"
        // The shell keeps standard output open: for ExaBGP its end would be the end of the process.
        try "#!/bin/sh\ncat >> \(folder)/exabgp.json\n".write(toFile: script, atomically: true, encoding: .utf8)
        try lab.lab.must("chmod 755 \(script)")
        let addPath =
            s.sendsPaths && s.receivesPaths
            ? "send/receive" : s.sendsPaths ? "send" : s.receivesPaths ? "receive" : "disable"
        let text = """
            process dump { run \(script); encoder json; }
            neighbor \(s.localAddress) {
              router-id 10.0.0.2; local-address \(s.peerAddress); local-as \(s.peerAS); peer-as 64512;
              \(s.password.map { "md5-password \"\($0)\";" } ?? "") \
            \(s.hasTTLSecurity ? "incoming-ttl 255; outgoing-ttl 255;" : "")
              \(s.hasTTLSecurity ? "" : "") group-updates false;
              capability { asn4 enable; route-refresh enable; graceful-restart \(s.restartTime); add-path \(addPath); \
            \(s.hasExtendedNextHop ? "nexthop enable;" : "") extended-message enable; }
              \(s.hasExtendedNextHop ? "nexthop { ipv4 unicast ipv6; }" : "")
              family { \(s.hasIPv4 ? "ipv4 unicast;" : "") \(s.hasIPv6 ? "ipv6 unicast;" : "") }
              \(addPath != "disable" ? "add-path { \(s.hasIPv4 ? "ipv4 unicast;" : "") \(s.hasIPv6 ? "ipv6 unicast;" : "") }" : "")
              api { processes [dump]; receive { parsed; update; } neighbor-changes; }
              announce { ipv4 { \(routes.joined(separator: " ")) } \
            \(s.hasIPv6 ? "ipv6 { unicast fd00:9::/48 next-hop fd00::2 \(attributes); }" : "") }
            }

            """
        try text.write(toFile: folder + "/exabgp.conf", atomically: true, encoding: .utf8)
        process = try lab.lab.start(
            [
                "env", "exabgp.daemon.user=root", "exabgp.daemon.daemonize=false", "exabgp.api.cli=false",
                "exabgp.log.destination=stdout", "exabgp.log.level=INFO",
                "exabgp.api.respawn=false", "exabgp", folder + "/exabgp.conf",
            ],
            in: "peer", log: "exabgp.log")
    }

    func routes() throws -> [String: [SeenRoute]] {
        var result: [String: [String: SeenRoute]] = [:]
        for line in lab.lab.log("exabgp.json").split(separator: "\n") {
            guard let root = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any],
                let neighbor = root["neighbor"] as? [String: Any]
            else { continue }
            if root["type"] as? String == "state", neighbor["state"] as? String == "down" { result = [:] }
            guard let update = (neighbor["message"] as? [String: Any])?["update"] as? [String: Any] else { continue }
            let attributes = update["attribute"] as? [String: Any] ?? [:]
            for family in ["ipv4 unicast", "ipv6 unicast"] {
                // A next hop of 32 bytes (RFC 2545 3) is shown as two: the global address counts where there is one.
                let hops = (update["announce"] as? [String: Any])?[family] as? [String: Any] ?? [:]
                for (hop, list) in hops.sorted(by: { $0.key.hasPrefix("fe80") && !$1.key.hasPrefix("fe80") }) {
                    for item in list as? [[String: Any]] ?? [] {
                        var route = SeenRoute()
                        route.nextHop = hop
                        if let path = attributes["as-path"] as? [Any] {
                            route.asPath = path.compactMap { ($0 as? NSNumber)?.uint32Value }
                        } else if let segments = attributes["as-path"] as? [String: Any] {
                            route.asPath = segments.sorted { $0.key < $1.key }.flatMap {
                                (($0.value as? [String: Any])?["value"] as? [Any] ?? []).compactMap {
                                    ($0 as? NSNumber)?.uint32Value
                                }
                            }
                        }
                        route.communities = Set(
                            (attributes["community"] as? [[Any]] ?? []).map {
                                $0.map { "\($0)" }.joined(separator: ":")
                            })
                        route.largeCommunities = Set(
                            (attributes["large-community"] as? [[Any]] ?? []).map {
                                $0.map { "\($0)" }.joined(separator: ":")
                            })
                        route.originatorID = attributes["originator-id"] as? String
                        route.clusterList = attributes["cluster-list"] as? [String] ?? []
                        result[item["nlri"] as? String ?? "", default: [:]][item["path-information"] as? String ?? ""] =
                            route
                    }
                }
                for item in (update["withdraw"] as? [String: Any])?[family] as? [[String: Any]] ?? [] {
                    result[item["nlri"] as? String ?? ""]?[item["path-information"] as? String ?? ""] = nil
                }
            }
        }
        return result.mapValues { Array($0.values) }.filter { !$0.value.isEmpty }
    }

    func kill() throws {
        if let process { Foundation.kill(process.processIdentifier, SIGKILL) }
        process?.waitUntilExit()
    }
    func requestRefresh() throws {}
    var log: String { lab.lab.log("exabgp.log") + lab.lab.log("exabgp.json") }
}
