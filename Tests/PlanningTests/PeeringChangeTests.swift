import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Planning
import Resources
import StatusAPI
import Testing

/// What another plan does to a session: each field in its own way.
@Suite struct PeeringChangeTests {
    private static let node1 = """
        ---
        apiVersion: projectcalico.org/v3
        kind: Node
        metadata: {name: node1}
        spec: {bgp: {ipv4Address: 10.0.0.1/24, asNumber: 64512}}

        """

    /// The session of node1 with a peer that has these fields.
    private static func session(_ fields: String, secrets: [String: String] = [:]) throws -> SessionPlan {
        let text =
            node1 + """
                ---
                apiVersion: projectcalico.org/v3
                kind: BGPFilter
                metadata: {name: f}
                spec: {exportV4: [{action: Reject, matchOperator: In, cidr: 10.1.0.0/16}]}
                ---
                apiVersion: projectcalico.org/v3
                kind: BGPPeer
                metadata: {name: tor}
                spec: {node: node1, \(fields)}

                """
        let parsed = ResourceParser.parse(text, file: "a.yaml")
        try #require(parsed.problems.isEmpty, "\(parsed.problems)")
        let resources = ResourceSet([parsed], files: ["a.yaml"], previous: ResourceSet())
        var values = Secrets()
        for (name, value) in secrets { values.values[SecretReference(name: name, key: "k")] = Array(value.utf8) }
        let identity = try #require(AttributeTable.Identity(resources, node: "node1"))
        let context = PeeringDecision.Context(node: "node1", isReflector: false, identity: identity)
        let decision = try #require(
            PeeringDecision(
                LoadedConfiguration(resources: resources, secrets: values), context, last: [],
                authenticationFailure: nil))
        let peer = try #require(decision.peers.first)
        return SessionPlan(
            peer, try #require(IPAddress("10.0.0.9")), resources: resources, nodeAddresses: resources.nodeAddresses,
            context: context, linkLocal: nil)
    }
    private static let plain = "peerIP: 10.0.0.9, asNumber: 65000"

    @Test(arguments: [
        ("peerIP: 10.0.0.9, asNumber: 65000", SessionChange.stay, [SessionResetReason]()),
        ("peerIP: 10.0.0.9, asNumber: 65000, keepaliveTime: 20s, holdTime: 60s", .refresh, []),
        ("peerIP: 10.0.0.9, asNumber: 65000, filters: [f]", .refresh, []),
        ("peerIP: 10.0.0.9, asNumber: 65000, export: all", .refresh, []),
        ("peerIP: 10.0.0.9, asNumber: 65000, maxPrefixes: {limit: 10}", .refresh, []),
        ("peerIP: 10.0.0.9, asNumber: 65000, passive: true", .refresh, []),
        ("peerIP: 10.0.0.9, asNumber: 65000, bfd: {}", .refresh, []),
        ("peerIP: 10.0.0.9, asNumber: 65001", .reset, [.remoteAS]),
        ("peerIP: 10.0.0.9, asNumber: 65000, localASNumber: 65010", .reset, [.localAS]),
        ("peerIP: 10.0.0.9, asNumber: 65000, families: [ipv4, ipv6]", .reset, [.families]),
        ("peerIP: 10.0.0.9, asNumber: 65000, role: customer", .reset, [.capabilities]),
        ("peerIP: 10.0.0.9, asNumber: 65000, addPath: {receive: true}", .reset, [.addPath]),
        ("peerIP: 10.0.0.9, asNumber: 65000, ttlSecurity: 1", .reset, [.ttlSecurity]),
        ("peerIP: 10.0.0.9, asNumber: 65000, sourceAddress: None", .reset, [.source]),
        ("peerIP: \"10.0.0.9:1790\", asNumber: 65000", .reset, [.port]),
        (
            "peerIP: \"10.0.0.9:1790\", asNumber: 65001, families: [ipv6]", .reset,
            [.remoteAS, .families, .port]
        ),
    ])
    func `a field of a peer`(_ fields: String, _ change: SessionChange, _ reasons: [SessionResetReason]) throws {
        let result = PeeringChange(
            from: try Self.session(Self.plain), to: try Self.session(fields), isEstablished: true)
        #expect(result.change == change)
        #expect(result.reasons == reasons)
        let connection: Set<SessionResetReason> = [.ttlSecurity, .source, .port]
        #expect(result.needsConnection == !connection.isDisjoint(with: reasons))
    }

    @Test func `another password stays on a session that is up, and needs a new connection else`() throws {
        let fields = "peerIP: 10.0.0.9, asNumber: 65000, password: {secretKeyRef: {name: s, key: k}}"
        let old = try Self.session(fields, secrets: ["s": "one"])
        let new = try Self.session(fields, secrets: ["s": "two"])
        let up = PeeringChange(from: old, to: new, isEstablished: true)
        #expect(up.change == .refresh && up.changesPassword && !up.needsConnection)
        let down = PeeringChange(from: old, to: new, isEstablished: false)
        #expect(down.change == .reset && down.reasons == [.password] && down.needsConnection && !down.changesPassword)
        // The first password and the last one change what the first segment is.
        let first = PeeringChange(from: try Self.session(Self.plain), to: new, isEstablished: true)
        #expect(first.change == .reset && first.reasons == [.password])
        let last = PeeringChange(from: new, to: try Self.session(Self.plain), isEstablished: true)
        #expect(last.change == .reset && last.reasons == [.password])
    }

    @Test func `a peer that only changes its name stays`() throws {
        let old = try Self.session(Self.plain)
        var new = old
        new.settings.name = "mesh/tor"
        #expect(PeeringChange(from: old, to: new, isEstablished: true).change == .stay)
    }

    // MARK: Who becomes whom

    private static func present(_ number: UInt16, _ address: String, port: UInt16 = 179) throws -> PeeringSteps.Present
    {
        PeeringSteps.Present(
            index: PeerIndex(rawValue: number), address: try #require(IPAddress(address)), port: port,
            remoteAS: ASNumber(65000))
    }

    private static func decision(_ peers: [String]) throws -> [PeeringDecision.Peer] {
        var text = node1
        for (number, fields) in peers.enumerated() {
            text += """
                ---
                apiVersion: projectcalico.org/v3
                kind: BGPPeer
                metadata: {name: p\(number)}
                spec: {node: node1, \(fields)}

                """
        }
        let parsed = ResourceParser.parse(text, file: "a.yaml")
        try #require(parsed.problems.isEmpty, "\(parsed.problems)")
        let resources = ResourceSet([parsed], files: ["a.yaml"], previous: ResourceSet())
        let identity = try #require(AttributeTable.Identity(resources, node: "node1"))
        let context = PeeringDecision.Context(node: "node1", isReflector: false, identity: identity)
        let loaded = LoadedConfiguration(resources: resources, secrets: Secrets())
        return try #require(PeeringDecision(loaded, context, last: [], authenticationFailure: nil)).peers
    }

    private static func words(_ steps: PeeringSteps) -> [String] {
        steps.steps.map { step in
            switch step {
            case .apply(let peer, let address, let index):
                "\(index.map { "\($0.rawValue)" } ?? "new") is \(PeerAddress(address, port: peer.planned.port))"
            case .hold(let planned, _, let index): "\(planned.name) held, \(index.map { "\($0.rawValue)" } ?? "-") goes"
            case .leave(let index): "\(index.rawValue) leaves"
            }
        }
    }

    @Test func `a peer keeps its session by address and port, and one whose port nobody wants has moved`() throws {
        let wanted = try Self.decision([
            "peerIP: 10.0.0.9, asNumber: 65000", "peerIP: \"10.0.0.8:1790\", asNumber: 65000",
            "peerIP: 10.0.0.7, asNumber: 65000",
        ])
        let steps = PeeringSteps(
            wanted,
            present: [
                try Self.present(1, "10.0.0.9"), try Self.present(2, "10.0.0.8"), try Self.present(3, "10.0.0.6"),
            ], limit: 10)
        #expect(
            Self.words(steps) == ["1 is 10.0.0.9", "2 is 10.0.0.8:1790", "new is 10.0.0.7", "3 leaves"])
    }

    @Test func `held peers go at once, dynamic ones follow their range, and a limit holds new ones back`() throws {
        let wanted = try Self.decision([
            "peerIP: 10.0.0.9, asNumber: 65000, shutdown: bye", "listenRange: 10.9.0.0/16, asNumber: 65000",
            "peerIP: 10.0.0.7, asNumber: 65000",
        ])
        var inside = try Self.present(2, "10.9.0.1")
        var outside = try Self.present(3, "10.8.0.1")
        var leaving = try Self.present(4, "10.8.0.2")
        (inside.isDynamic, outside.isDynamic, leaving.isLeaving) = (true, true, true)
        let steps = PeeringSteps(
            wanted, present: [try Self.present(1, "10.0.0.9"), inside, outside, leaving], limit: 3)
        #expect(
            Self.words(steps) == [
                "BGPPeer/p0 held, 1 goes", "BGPPeer/p2 held, - goes", "2 is 10.9.0.1", "3 leaves",
            ])
        #expect(steps.ranges.count == 1)
    }

    @Test func `of a range's peers the newest go, and first those without a session`() {
        func member(_ number: UInt16, _ isUp: Bool) -> PeeringSteps.Member {
            PeeringSteps.Member(index: PeerIndex(rawValue: number), isUp: isUp, arrival: UInt64(number))
        }
        let members = [member(1, false), member(2, true), member(3, true), member(4, false)]
        #expect(PeeringSteps.excess(members, limit: 4).isEmpty)
        #expect(PeeringSteps.excess(members, limit: 1).map(\.rawValue) == [3, 1, 4])
    }
}
