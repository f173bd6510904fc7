import BGPRouting
import NetTypes
import Planning
import Resources
import StatusAPI
import Testing

/// Who is a peer with which keys, who is kept down and why: from resources alone.
@Suite struct PeeringDecisionTests {
    private static let own = object(
        "Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}, ipv4VXLANTunnelAddr: 10.65.0.1")

    private static func decide(
        _ text: String, isReflector: Bool = false, secrets: Secrets = Secrets(), last: [PlannedPeer] = [],
        authenticationFailure: Int32? = nil
    ) throws -> PeeringDecision {
        let resources = load(own + text)
        #expect(resources.problems.isEmpty, "\(resources.problems)")
        let identity = try #require(AttributeTable.Identity(load(own), node: "n"))
        let context = PeeringDecision.Context(node: "n", isReflector: isReflector, identity: identity)
        let loaded = LoadedConfiguration(resources: resources, secrets: secrets)
        return try #require(PeeringDecision(loaded, context, last: last, authenticationFailure: authenticationFailure))
    }

    @Test func `pools and service ranges pass on what is inside, and disableBGPExport nothing`() throws {
        let scope = try Self.decide(
            object("IPPool", "a", "cidr: 10.65.0.0/16")
                + object("IPPool", "b", "cidr: 10.66.0.0/16, disabled: true")
                + object("IPPool", "d", "cidr: 10.67.0.0/16, disabled: true, disableBGPExport: true")
                + object("IPPool", "c", "cidr: 'fd65::/64', disableBGPExport: true")
                + object("BGPConfiguration", "default", "serviceClusterIPs: [{cidr: 10.96.0.0/12}]")
        ).exportScope
        for (text, expected) in [
            ("10.65.1.0/26", nil), ("10.96.0.0/12", nil), ("10.66.1.0/26", nil), ("10.67.1.0/26", .exportDisabled),
            ("10.68.1.0/26", .outsidePools),
            ("fd65::/122", .exportDisabled),
        ] as [(String, ExportReason?)] {
            let prefix = try #require(Prefix(text))
            #expect(scope.refusal(prefix) == expected, "\(text)")
        }
    }

    private static func peer(_ fields: String) -> String {
        object("BGPPeer", "p", "peerIP: 10.0.0.9, asNumber: 64999, \(fields)")
    }

    @Test(
        arguments: [
            ("holdTime: 90s", nil),
            ("password: {secretKeyRef: {name: s, key: k}}", .secretMissing(secret: "s/k", file: "s/k")),
            ("filters: [f]", .noSuchFilter(filter: "f")),
            ("password: {secretKeyRef: {name: s, key: k}}, filters: [f]", .noSuchFilter(filter: "f")),
            ("password: {secretKeyRef: {name: s, key: k}}, shutdown: works", .shutdown(text: "works")),
            ("filters: [f], shutdown: \"\"", .shutdown(text: "")),
        ] as [(String, HoldReason?)])
    func
        `of several reasons to keep a peer down the strongest is given, and a missing key or filter never opens a session`(
            fields: String, reason: HoldReason?
        ) throws
    {
        let decision = try Self.decide(Self.peer(fields))
        #expect(decision.peers.map(\.holdReason) == [reason])
    }

    @Test func `keys come from the secrets, and why one could not be read is the reason`() throws {
        let fields = "password: {secretKeyRef: {name: s, key: k}}, ttlSecurity: 1"
        let reference = SecretReference(name: "s", key: "k")
        var secrets = Secrets()
        secrets.values[reference] = [1, 2, 3]
        let decision = try Self.decide(Self.peer(fields), secrets: secrets)
        #expect(decision.peers[0].keys.password == [1, 2, 3] && decision.peers[0].keys.ttlSecurityHops == 1)
        #expect(decision.peers[0].holdReason == nil)
        secrets = Secrets()
        secrets.failures[reference] = .readableByOthers(file: "/s/k")
        #expect(
            try Self.decide(Self.peer(fields), secrets: secrets).peers[0].holdReason
                == .secretReadableByOthers(secret: "s/k", file: "/s/k"))
    }

    @Test func `TCP-AO needs a kernel that has it`() throws {
        let text = Self.peer("tcpAO: {secretKeyRef: {name: s, key: k}, sendID: 1, receiveID: 2}")
        var secrets = Secrets()
        secrets.values[SecretReference(name: "s", key: "k")] = [7]
        let without = try Self.decide(text, secrets: secrets, authenticationFailure: 92)
        #expect(without.peers[0].holdReason == .noTCPAO(code: 92))
        let with = try Self.decide(text, secrets: secrets).peers[0]
        #expect(
            with.holdReason == nil && with.keys.authentication?.secret == [7]
                && with.keys.authentication?.receiveID == 2)
    }

    @Test func `a reflector has no way to the links`() throws {
        let text = object("BGPPeer", "up", "node: n, interface: eth1, asNumber: 0")
        #expect(try Self.decide(text).peers[0].holdReason == nil)
        #expect(try Self.decide(text, isReflector: true).peers[0].holdReason == .unnumberedNeedsAgent)
    }

    @Test
    func
        `the last peers of a selector that matches nothing any more are kept, with an alarm, until the selector changes`()
        throws
    {
        func peers(_ selector: String) -> String {
            object("BGPPeer", "racks", "node: n, peerSelector: \"\(selector)\"")
        }
        let mesh = object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
        func other(_ labels: String) -> String {
            object("Node", "m", "bgp: {ipv4Address: 10.0.0.2/24}", labels: labels)
        }
        let first = try Self.decide(mesh + peers("has(rack)") + other("rack: a"))
        #expect(first.plan.count == 1 && first.alarms.isEmpty)
        let kept = try Self.decide(mesh + peers("has(rack)") + other(""), last: first.plan)
        #expect(kept.plan == first.plan)
        #expect(kept.alarms == [.selectorMatchesNothing(object: "BGPPeer/racks", kept: 1)])
        #expect(try Self.decide(mesh + peers("has(row)") + other(""), last: first.plan).plan.isEmpty)
        #expect(try Self.decide(mesh + other(""), last: first.plan).plan.isEmpty)
    }

    @Test func `another AS waits for a restart, and no Node is no decision`() throws {
        let text = object("BGPConfiguration", "default", "asNumber: 64600")
        #expect(
            try Self.decide(text).alarms == [.restartNeeded(node: "n")])
        let identity = try #require(AttributeTable.Identity(load(Self.own), node: "n"))
        let context = PeeringDecision.Context(node: "gone", isReflector: false, identity: identity)
        let loaded = LoadedConfiguration(resources: load(Self.own), secrets: Secrets())
        #expect(PeeringDecision(loaded, context, last: [], authenticationFailure: nil) == nil)
    }

    @Test func `own addresses are the Node's, inside tunnels too`() throws {
        let wanted = ["10.0.0.1", "fd00::1", "10.65.0.1"].compactMap { IPAddress($0) }
        #expect(try Self.decide("").ownAddresses == Set(wanted))
    }

    @Test func `the source address is the Node's, the declared one, or none`() throws {
        let address = try #require(IPAddress("10.0.0.9"))
        func source(_ fields: String) throws -> IPAddress? {
            let resources = load(Self.own + Self.peer(fields))
            let planned = try #require(PeeringPlan.peers(of: "n", in: resources).first)
            return planned.sourceAddress(towards: address, resources, node: "n")
        }
        #expect(try source("sourceAddress: UseNodeIP") == IPAddress("10.0.0.1"))
        #expect(try source("sourceAddress: None") == nil)
    }

    @Test func `a node without an IPv4 address has the same identifier on every start, and its name's own`() throws {
        func identity(_ name: String) throws -> AttributeTable.Identity {
            try #require(
                AttributeTable.Identity(load(object("Node", name, "bgp: {ipv6Address: 'fd00::1/64'}")), node: name))
        }
        #expect(try identity("a") == identity("a") && identity("a").identifier != identity("b").identifier)
        #expect(try identity("a").clusterID == identity("a").identifier)
        #expect(try Self.decide("").alarms.isEmpty)
    }
}
