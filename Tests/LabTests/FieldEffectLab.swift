import Foundation
import Resources
import Testing

/// What the declaration of each BGPPeer field says of its change is what a running session does (ARCHITECTURE, hard
/// rule 8).
@Suite(.serialized, .enabled(if: getuid() == 0)) struct FieldEffectLab {
    /// A field, and a value that is not its default.
    static let changes: [(field: String, value: String)] = [
        ("routeReflectorClient", "true"), ("holdTime", "30s"), ("keepaliveTime", "5s"), ("connectRetryTime", "3s"),
        ("idleHoldTime", "2s"), ("passive", "true"),
        ("minRouteAdvertisementInterval", "1s"), ("import", "all"), ("export", "own"), ("filters", "[f]"),
        ("maxRestartTime", "50s"), ("longLivedStaleTime", "1h"),
        ("gracefulRestart", "helper"), ("extendedMessages", "false"), ("numAllowedLocalASNumbers", "1"),
        ("acceptBlackhole", "true"), ("nextHopMode", "Self"),
        ("keepOriginalNextHop", "true"), ("maxPrefixes", "{limit: 50, warnAt: 5, action: warn, restartAfter: 1m}"),
        ("bfd", "{}"), ("reversePeering", "Manual"),
        ("families", "[ipv4]"), ("addPath", "{receive: true}"), ("extendedNextHop", "true"), ("role", "provider"),
        ("sourceAddress", "None"), ("ttlSecurity", "1"),
        ("localASNumber", "64999"), ("asNumber", "64999"), ("routeTable", "100"), ("routeSourceAddress", "10.0.0.1"),
        ("multihop", "true"), ("nextHopAddressIPv4", "10.0.0.77"),
        ("nextHopAddressIPv6", "'fd00::77'"), ("reexportPrepend", "3"), ("shutdown", "\"for a while\""),
    ]

    @Test func `a change of each field does to the running session what is declared`() throws {
        let lab = try BirdTests.pair()
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; graceful restart;",
            statics: "route 10.70.0.0/24 blackhole;")
        func write(_ fields: [String: String], mark: Int) throws {
            // Both on the session, as in BIRD, whose protocol stays in 'flush' for good where a channel that never came
            // up goes through a graceful restart.
            var all = ["peerIP": "10.0.0.2", "asNumber": "64512", "families": "[ipv4, ipv6]"]
            all.merge(fields) { $1 }
            let text = all.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
            // A peer that is kept down is how we see that this version is in force.
            try lab.write(
                "r.yaml",
                BirdTests.node + Lab.object("BGPFilter", "f", "importV4: [{action: Accept}]")
                    + Lab.object("BGPPeer", "p", text)
                    + Lab.object("BGPPeer", "mark", "peerIP: 10.0.0.99, asNumber: 1, shutdown: \"version \(mark)\""))
            try lab.wait(10, "version \(mark) is in force") {
                try lab.ctl("n", "status").text.contains("shutdown: version \(mark)")
            }
        }
        func times() throws -> Int? {
            let output = try lab.ctl("n", "peers", "-o", "json")
            let rows = (try? JSONSerialization.jsonObject(with: Data(output.text.utf8))) as? [[String: Any]] ?? []
            return rows.first { $0["name"] as? String == "BGPPeer/p" }?["timesEstablished"] as? Int
        }
        func waitUntilUp() throws {
            try lab.wait(30, "the session is up") { try lab.ctl("n", "peer", "10.0.0.2").status == 0 }
        }
        try lab.write("r.yaml", BirdTests.node)
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent runs") { try lab.ctl("n", "peers").status == 0 }
        var mark = 0
        for (field, value) in Self.changes {
            let spec = try #require(Schemas.bgpPeer.fields.first { $0.name == field }, "\(field)")
            mark += 1
            try write([:], mark: mark)
            try waitUntilUp()
            let before = try times()
            mark += 1
            try write([field: value], mark: mark)
            let isReset = try times() != before || lab.ctl("n", "peer", "10.0.0.2").status != 0
            // A peer that is shut down or has another AS is no session any more; that is what was asked for.
            let expected = spec.effect == .sessionReset || field == "shutdown"
            #expect(
                isReset == expected,
                "\(field) is declared as '\(spec.effect.rawValue)', and the session was \(isReset ? "" : "not ")reset")
        }
        // Every field is here, but those that say which peers there are at all.
        let elsewhere: Set = [
            "node", "nodeSelector", "peerIP", "peerSelector", "listenRange", "interface", "localWorkloadSelector",
            "maxDynamicPeers", "password", "tcpAO", "strictRole",
            "reachableBy",
        ]
        let missing = Set(Schemas.bgpPeer.fields.map(\.name)).subtracting(Self.changes.map(\.field)).subtracting(
            elsewhere)
        #expect(missing.isEmpty, "\(missing)")
    }
}
