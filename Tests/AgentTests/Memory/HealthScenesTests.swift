import BFD
import BGPSpeaker
import FIB
import Glibc
import LinuxIO
import NetTypes
import Node
import StatusAPI
import Testing
import Wording

/// Faults as an operator meets them: each is put in, every indicator says so, it is taken away, and all are green.
@Suite struct HealthScenesTests {
    /// A fault, what it must be called, and whether pods' packets are concerned, so that the node is not ready.
    struct Fault: Sendable, CustomTestStringConvertible {
        var name: String
        /// The finding's cause; `subject` is what it is about.
        var cause: String
        var subject: String?
        var isUnready = false
        /// What the sentence must have.
        var words: [String] = []
        var inject: @Sendable (HealthScene) throws -> Void
        var remove: @Sendable (HealthScene) throws -> Void
        var testDescription: String { name }
    }

    private static func files(_ scene: HealthScene, _ file: String, _ text: String?) throws {
        try scene.node.files[file] = text
    }
    private static func host(_ scene: HealthScene) throws -> MemoryHost { try scene.node.host }
    private static func address(_ text: String) throws -> IPAddress {
        let address: IPAddress? = IPAddress(text)
        return try #require(address)
    }

    static let faults: [Fault] = [
        Fault(
            name: "the peer is gone", cause: "peersDown", isUnready: true, words: ["1 of 1 peers down"],
            inject: { $0.network.cut("switch") }, remove: { $0.network.mend("switch") }),
        Fault(
            name: "another process has the port of --metrics", cause: "listenerTaken", subject: "--metrics",
            words: ["--metrics 127.0.0.1:9091: another process has this port"],
            inject: { scene in
                try scene.health.listenerChanged(
                    "--metrics", .listenerTaken(flag: "--metrics", address: "127.0.0.1:9091"), now: scene.network.now)
            },
            remove: { scene in
                try scene.health.listenerChanged("--metrics", nil, now: scene.network.now)
            }),
        Fault(
            name: "another process has BGP's port", cause: "notListening", subject: nil,
            words: ["0.0.0.0:1790 cannot be accepted: Address already in use"],
            inject: { scene in
                try scene.node.transport.refusedAddresses = [.any(.ipv4): EADDRINUSE]
                try files(scene, "port.yaml", HealthScene.object("BGPConfiguration", "node.node1", "listenPort: 1790"))
            },
            remove: { scene in
                try scene.node.transport.refusedAddresses = [:]
                try files(scene, "port.yaml", nil)
            }),
        Fault(
            name: "one of two peers does not answer", cause: "peerDown", subject: "10.0.1.9", words: ["BGPPeer/p9"],
            inject: { try files($0, "more.yaml", HealthScene.peer(9)) }, remove: { try files($0, "more.yaml", nil) }),
        Fault(
            name: "the Node's address is removed", cause: "addressOnNoInterface", subject: "10.0.1.1",
            isUnready: true, words: ["10.0.1.1", "is on no interface"],
            inject: { try host($0).removeAddress(address("10.0.1.1"), from: "eth0") },
            remove: {
                try host($0).addAddress(address("10.0.1.1"), length: 24, to: "eth0")
                // It went with the address.
                try host($0).addForeign(defaultRoute($0))
            }),
        Fault(
            name: "the uplink is set down", cause: "peerDown", subject: "10.0.1.2", isUnready: true,
            words: ["interface eth0 is down"],
            inject: { try host($0).setUp("eth0", false) },
            remove: {
                try host($0).setUp("eth0", true)
                // As whoever set the interface up does it.
                try host($0).addForeign(defaultRoute($0))
            }),
        Fault(
            name: "the uplink lost its carrier", cause: "peerDown", subject: "10.0.1.2", isUnready: true,
            words: ["interface eth0 is down"],
            inject: { try host($0).setCarrier("eth0", false) }, remove: { try host($0).setCarrier("eth0", true) }),
        Fault(
            name: "a pod's interface is down", cause: "podNotUp", subject: "demo/a",
            words: ["demo/a", "calia", "down"],
            inject: { try host($0).setUp("calia", false) }, remove: { try host($0).setUp("calia", true) }),
        Fault(
            name: "a pod's interface is missing", cause: "podNotUp", subject: "demo/b", words: ["demo/b", "calib"],
            inject: { try files($0, "b.yaml", MemoryNetwork.endpoint("b", "node1", "10.65.1.3")) },
            remove: { try files($0, "b.yaml", nil) }),
        Fault(
            name: "an export filter rejects all own blocks", cause: "peerSentNoBlocks", subject: "10.0.1.2",
            words: ["BGPPeer/p2", "none of our 1 block", "BGPFilter/x"],
            inject: {
                try files(
                    $0, "peers.yaml",
                    HealthScene.peer(2, ", filters: [x]")
                        + HealthScene.object("BGPFilter", "x", "exportV4: [{action: Reject}]"))
            }, remove: { try files($0, "peers.yaml", HealthScene.peer(2)) }),
        Fault(
            name: "another route wins by its metric", cause: "foreignRouteWins", subject: "10.65.2.0/26",
            words: ["10.65.2.0/26", "metric 1", "protocol 4"],
            inject: { try host($0).addForeign(foreign($0, "10.65.2.0/26")) },
            remove: { try host($0).removeForeign(foreign($0, "10.65.2.0/26")) }),
        Fault(
            name: "another route wins for an address of a block", cause: "foreignRouteWins", subject: "10.65.2.0/26",
            words: ["10.65.2.7/32"],
            inject: { try host($0).addForeign(foreign($0, "10.65.2.7/32")) },
            remove: { try host($0).removeForeign(foreign($0, "10.65.2.7/32")) }),
        Fault(
            name: "the kernel refuses a route", cause: "routesMissing", isUnready: true, words: ["10.65.1.64/26"],
            inject: {
                try host($0).refuseRoutes { $0.prefix == Prefix("10.65.1.64/26") ? 12 : nil }
                try files(
                    $0, "second.yaml",
                    HealthScene.object(
                        "BlockAffinity", "c", "node: node1, cidr: 10.65.1.64/26, state: confirmed"))
            },
            remove: {
                try host($0).refuseRoutes(nil)
                try files($0, "second.yaml", nil)
            }),
        Fault(
            name: "the filter of a peer is missing", cause: "peerHeldDown", subject: "10.0.1.8",
            words: ["BGPFilter/none"],
            inject: { try files($0, "more.yaml", HealthScene.peer(8, ", filters: [none]")) },
            remove: { try files($0, "more.yaml", nil) }),
        Fault(
            name: "this node's Node object is gone", cause: "nodeGone", subject: "Node/node1", words: ["put it back"],
            inject: { try files($0, "node.yaml", nil) }, remove: { try files($0, "node.yaml", HealthScene.node(1)) }),
        Fault(
            name: "no peer is configured", cause: "noPeerConfigured",
            inject: { try files($0, "peers.yaml", nil) },
            remove: { try files($0, "peers.yaml", HealthScene.peer(2)) }),
        Fault(
            name: "forwarding is off", cause: "forwardingOff", words: ["net.ipv4.ip_forward is 0", "sysctl -w"],
            inject: { try host($0).sysctls["net/ipv4/ip_forward"] = "0" },
            remove: { try host($0).sysctls["net/ipv4/ip_forward"] = "1" }),
        Fault(
            name: "somebody changed a setting of a pod's interface", cause: "podSettingsChanged",
            words: ["net.ipv4.conf.calia.proxy_arp"],
            inject: { try host($0).sysctls["net/ipv4/conf/calia/proxy_arp"] = "0" },
            remove: { try host($0).sysctls["net/ipv4/conf/calia/proxy_arp"] = "1" }),
        Fault(
            name: "no default route, so that no pod's gateway is answered for", cause: "noRouteToPodGateway",
            words: ["169.254.1.1"],
            inject: { try host($0).removeForeign(defaultRoute($0)) },
            remove: { try host($0).addForeign(defaultRoute($0)) }),
        Fault(
            name: "a mistake in the resources", cause: "resource", subject: "BGPPeer/p7",
            words: ["broken.yaml", "peerIP"],
            inject: {
                try files($0, "broken.yaml", HealthScene.object("BGPPeer", "p7", "peerIP: 10.0.1, asNumber: 64512"))
            }, remove: { try files($0, "broken.yaml", nil) }),
        Fault(
            name: "a block of two nodes", cause: "blockOfSeveralNodes", subject: "10.65.1.0/26",
            words: ["node1, node2"],
            inject: {
                try files(
                    $0, "twice.yaml",
                    HealthScene.object("BlockAffinity", "twice", "node: node2, cidr: 10.65.1.0/26, state: confirmed"))
            }, remove: { try files($0, "twice.yaml", nil) }),
        Fault(
            name: "an address of two pods", cause: "addressOfSeveralPods", subject: "10.65.1.2",
            words: ["demo/a on node1", "demo/z on node2"],
            inject: { try files($0, "z.yaml", MemoryNetwork.endpoint("z", "node2", "10.65.1.2")) },
            remove: { try files($0, "z.yaml", nil) }),
        Fault(
            name: "the peer announces more prefixes than it may", cause: "prefixLimitReached", subject: "10.0.1.2",
            isUnready: true, words: ["more than 1 prefixes", "begun again in", "apusctl reset 10.0.1.2"],
            inject: {
                $0.network.nodes["node2"]?.files["more.yaml"] = HealthScene.object(
                    "BlockAffinity", "more", "node: node2, cidr: 10.65.2.64/26, state: confirmed")
                try files($0, "peers.yaml", HealthScene.peer(2, ", maxPrefixes: {limit: 1}"))
            },
            remove: {
                $0.network.nodes["node2"]?.files["more.yaml"] = nil
                try files($0, "peers.yaml", HealthScene.peer(2))
            }),
        Fault(
            name: "the neighbor signs its segments, and no password is configured here", cause: "segmentsRefused",
            subject: "10.0.1.2", isUnready: true, words: ["MD5 signature", "TCPMD5Unexpected", "spec.password"],
            inject: { scene in
                scene.network.cut("switch")
                scene.network.run(for: .seconds(100))
                _ = try scene.indicators()
                scene.refusals.counts[.unexpectedSignature] = 3
            },
            remove: { $0.network.mend("switch") }),
        Fault(
            name: "BFD is configured, and the peer is silent", cause: "bfdDown", subject: "10.0.1.2",
            words: ["BGPPeer/p2", "UDP 3784"],
            inject: { try files($0, "peers.yaml", HealthScene.peer(2, ", bfd: {}")) },
            remove: { try files($0, "peers.yaml", HealthScene.peer(2)) }),
    ]

    private static func foreign(_ scene: HealthScene, _ prefix: String) throws -> ForeignRoute {
        let index = try #require(try host(scene).index(of: "eth0"))
        return ForeignRoute(
            prefix: try #require(Prefix(prefix)), metric: 1, routeProtocol: 4,
            nextHops: [FIBNextHop(gateway: try address("10.0.1.77"), interface: index, isOnlink: false)])
    }
    private static func defaultRoute(_ scene: HealthScene) throws -> ForeignRoute {
        let index = try #require(try host(scene).index(of: "eth0"))
        return ForeignRoute(
            prefix: .default(.ipv4), metric: 0, routeProtocol: 3,
            nextHops: [FIBNextHop(gateway: try address("10.0.1.254"), interface: index, isOnlink: false)])
    }

    @Test(arguments: faults)
    func `every indicator reports it, and is green when it is over`(fault: Fault) throws {
        let scene = try HealthScene()
        _ = scene.takeLog()
        let before = scene.network.now
        try fault.inject(scene)
        func find() throws -> Finding? {
            try scene.indicators().status.findings.first {
                $0.cause.name == fault.cause && (fault.subject == nil || $0.subject.name == fault.subject)
            }
        }
        let isFound = scene.network.run(.seconds(300)) { ((try? find()) ?? nil) != nil }
        let seen = try scene.indicators()
        #expect(isFound, "\(seen)")
        // What the log waits for before it says so.
        scene.network.run(for: .seconds(12)) { _ = try? scene.indicators() }
        let indicators = try scene.indicators()
        let finding = try #require(try find(), "\(indicators)")
        #expect(finding.severity.isUnhealthy)
        #expect(indicators.contradiction == nil)
        #expect(!indicators.status.isHealthy && !indicators.isGreen, "\(indicators)")
        #expect(indicators.status.healthText.hasPrefix("NOT healthy: "))
        #expect((indicators.unreadiness != nil) == fault.isUnready, "\(indicators)")
        for word in fault.words { #expect(finding.cause.text.contains(word), "\(finding.cause.text)") }
        #expect(finding.since != nil)
        let said = scene.takeLog()
        let lines = said.filter {
            if case .found(let logged) = $0 { logged.cause.identity == finding.cause.identity } else { false }
        }
        #expect(lines.count == 1, "\(said)")
        #expect(scene.network.now - before < .seconds(320))

        try fault.remove(scene)
        try scene.waitUntilHealthy()
        #expect(
            scene.takeLog().contains {
                if case .isOver(let over) = $0 { over.cause.identity == finding.cause.identity } else { false }
            })
    }

    /// All of `faults` one after the other on one node, some at once: at no moment do two indicators contradict.
    @Test func `no two indicators ever disagree`() throws {
        let scene = try HealthScene()
        for (number, fault) in Self.faults.enumerated() {
            let other = Self.faults[(number + 4) % Self.faults.count]
            for step in [fault.inject, other.inject, fault.remove, other.remove] {
                try step(scene)
                scene.network.run(for: .seconds(4)) {
                    if let contradiction = try? scene.indicators().contradiction {
                        Issue.record("\(fault.name), \(other.name): \(contradiction)")
                    }
                }
            }
        }
        try scene.waitUntilHealthy()
    }

    /// Fast external fallover, on a session inside of an AS: the hold timer has 90 seconds.
    @Test(arguments: ["uplink is set down", "uplink lost its carrier", "Node's address is removed"])
    func `a session ends within a second of its link`(name: String) throws {
        let scene = try HealthScene()
        let fault = try #require(Self.faults.first { $0.name.hasSuffix(name) })
        #expect(try scene.node.established == ["10.0.1.2"])
        try fault.inject(scene)
        #expect(scene.network.run(.seconds(1)) { (try? scene.node.established.isEmpty) ?? false })
        // Another interface is none of its business.
        try fault.remove(scene)
        try scene.waitUntilHealthy()
        try Self.host(scene).setUp("calia", false)
        scene.network.run(for: .seconds(5))
        #expect(try scene.node.established == ["10.0.1.2"])
    }

    @Test func `a link that flaps ends no session`() throws {
        let scene = try HealthScene()
        let core = try #require(try scene.node.core)
        let peer = try #require(core.speaker.peerIndices.first)
        for _ in 0..<5 {
            try Self.host(scene).setUp("eth0", false)
            scene.network.run(for: .milliseconds(300))
            try Self.host(scene).setUp("eth0", true)
            try Self.host(scene).addForeign(Self.defaultRoute(scene))
            scene.network.run(for: .milliseconds(300))
        }
        scene.network.run(for: .seconds(5))
        #expect(core.speaker.snapshot(peer)?.counters.establishedCount == 1)
        try scene.waitUntilHealthy()
    }

    @Test func `a peer that is shut down is expected down, and said all the same`() throws {
        let scene = try HealthScene()
        try scene.node.files["more.yaml"] = HealthScene.peer(8, ", shutdown: works on the cable")
        scene.network.run(for: .seconds(15)) { _ = try? scene.indicators() }
        let status = try scene.indicators().status
        #expect(status.isHealthy)
        let note = try #require(status.findings.first { $0.cause.name == "peerHeldDown" })
        #expect(note.severity == .note && note.cause.text.contains("works on the cable"))
    }

    @Test func `events have the session, the change of the resources and the finding`() throws {
        let scene = try HealthScene()
        try scene.node.files["more.yaml"] = HealthScene.peer(8, ", filters: [none]")
        scene.network.run(for: .seconds(20)) {
            _ = try? scene.indicators()
            try? scene.node.core?.logHealth()
        }
        let events = try #require(try scene.node.core).events.page(from: 0, limit: 1000).events
        #expect(events.contains { $0.message == "resources are read" })
        #expect(events.contains { $0.message == "session is up" && $0.fields["peer"]?.contains("10.0.1.2") == true })
        #expect(
            events.contains {
                $0.message == "resources changed" && $0.fields["came"] == "1" && $0.fields["objects"] == "BGPPeer/p8"
            })
        #expect(events.map(\.id) == Array(0..<events.count))
    }

    @Test func `the log says it once, then at doubling intervals`() throws {
        let scene = try HealthScene()
        _ = scene.takeLog()
        scene.network.cut("switch")
        // 90 s until the hold timer expires, 10 until it is said, and then after 60, 120 and 240 more.
        scene.network.run(for: .seconds(550)) { _ = try? scene.indicators() }
        let lines = scene.takeLog().filter {
            switch $0 {
            case .found(let finding), .goesOn(let finding): finding.cause.name == "peersDown"
            case .isOver: false
            }
        }
        #expect(lines.count == 4, "\(lines)")
        scene.network.mend("switch")
        try scene.waitUntilHealthy()
    }
}
