import BGPMessages
import Dataplane
import FIB
import Forwarding
import ForwardingPlane
import Logging
import NetTypes
import Planning
import Rehearsal
import Resources
import Shadow
import StatusAPI
import Testing

/// A node on a copy of a host, beside what a BIRD is said to have.
@Suite struct ShadowNodeTests {
    private static let logger = Logger(label: "shadow") { _ in SwiftLogNoOpLogHandler() }

    private static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "---\napiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name), namespace: d}\nspec: {\(spec)}\n"
    }
    private static let cluster =
        object("Node", "n1", "bgp: {ipv4Address: 10.0.0.1/24}")
        + object("Node", "n2", "bgp: {ipv4Address: 10.0.0.2/24}")
        + object("IPPool", "p", "cidr: 10.65.0.0/16")
        + object("BlockAffinity", "b", "node: n1, cidr: 10.65.1.0/26, state: confirmed")
        + object("WorkloadEndpoint", "w", "node: n1, interfaceName: cali1, ipNetworks: [10.65.1.7/32]")
        + object("BGPPeer", "tor", "node: n1, peerIP: 10.0.0.254, asNumber: 65001")

    private static func host() throws -> (host: MemoryHost, eth0: InterfaceIndex, cali1: InterfaceIndex) {
        let host = MemoryHost()
        let eth0 = host.addInterface("eth0")
        let cali1 = host.addInterface("cali1")
        host.addAddress(try #require(IPAddress("10.0.0.1")), length: 24, to: "eth0")
        return (host, eth0, cali1)
    }

    private static func route(
        _ prefix: String, _ routeProtocol: UInt8, via gateway: String? = nil, dev interface: InterfaceIndex?
    ) throws -> ForeignRoute {
        let hop = interface.map {
            FIBNextHop(gateway: gateway.flatMap { IPAddress($0) }, interface: $0, isOnlink: false)
        }
        return ForeignRoute(
            prefix: try #require(Prefix(prefix)), metric: 1024, routeProtocol: routeProtocol,
            nextHops: [hop].compactMap { $0 })
    }

    private static func session(
        _ name: String, _ address: String, _ asNumber: UInt32, received: [String], sent: [String]
    ) throws -> PlayedPeers.Session {
        var session = PlayedSession(name: name)
        session.isEstablished = true
        session.address = IPAddress(address)
        session.neighborAS = ASNumber(asNumber)
        session.source = IPAddress("10.0.0.1")
        session.families = .ipv4
        var result = PlayedPeers.Session(session: session)
        result.received = try received.map {
            var route = PlayedRoute(prefix: try #require(Prefix($0)), source: name)
            route.attributes.nextHop = IPAddress(address)
            route.attributes.asPath = asNumber == 64512 ? ASPath() : ASPath([asNumber])
            route.attributes.localPref = asNumber == 64512 ? 2_147_482_623 : nil
            return route
        }
        result.sent = try sent.map { PlayedRoute(prefix: try #require(Prefix($0)), source: "static1") }
        return result
    }

    private static func compare(_ calico: PlayedPeers, _ host: MemoryHost, _ text: String = cluster) throws
        -> [ShadowDifference]
    {
        let resources = ResourceSet(
            [ResourceParser.parse(text, file: "r.yaml")], files: ["r.yaml"], previous: ResourceSet())
        #expect(resources.problems.isEmpty, "\(resources.problems)")
        let copy = try HostCopy(of: host, deviceProtocol: 3, includesFelix: true, podPrefixes: ["cali"])
        let settings = ForwardingSettings(isDryRun: false, maximumPaths: 16, restartTime: .seconds(120))
        let kernel = try KernelForwarding(settings, host: copy.host, logger: logger, now: RehearsedNode.start)
        let stage = RehearsalStage(
            plane: kernel, hasNews: { copy.host.hasNews }, routes: { Array(copy.host.routes.own.values) })
        let outcome = try #require(
            RehearsedNode.run(
                LoadedConfiguration(resources: resources, secrets: Secrets()), node: "n1", on: stage, beside: calico,
                logger: logger))
        return Comparison(calico, outcome, on: copy).differences
    }

    /// What Calico has of `cluster`, kernel included.
    private static func calico() throws -> (PlayedPeers, MemoryHost) {
        let (host, eth0, cali1) = try host()
        host.addForeign(try route("10.65.1.0/26", 12, dev: nil))
        host.addForeign(try route("10.65.2.0/26", 12, via: "10.0.0.2", dev: eth0))
        host.addForeign(try route("192.0.2.0/24", 12, via: "10.0.0.254", dev: eth0))
        host.addForeign(try route("10.65.1.7/32", 3, dev: cali1))
        // Somebody else's, which stays and is not compared.
        host.addForeign(try route("198.51.100.0/24", 4, via: "10.0.0.9", dev: eth0))
        var state = PlayedPeers()
        state.sessions = [
            try session("Mesh_10_0_0_2", "10.0.0.2", 64512, received: ["10.65.2.0/26"], sent: ["10.65.1.0/26"]),
            try session(
                "Node_10_0_0_254", "10.0.0.254", 65001, received: ["192.0.2.0/24"],
                sent: ["10.65.1.0/26", "10.65.2.0/26"]),
        ]
        return (state, host)
    }

    @Test func `what Calico has is what Apus would have`() throws {
        let (state, host) = try Self.calico()
        #expect(try Self.compare(state, host) == [])
        // The host itself is as it was.
        #expect(host.routes.own.isEmpty && host.routes.foreign.count == 6)
    }

    @Test func `a default route of a ToR is let in by Calico alone, and the reason is given`() throws {
        var (state, host) = try Self.calico()
        state.sessions[1].received.append(
            try Self.session("x", "10.0.0.254", 65001, received: ["0.0.0.0/0"], sent: []).received[0])
        let eth0 = try #require(host.index(of: "eth0"))
        host.addForeign(try Self.route("0.0.0.0/0", 12, via: "10.0.0.254", dev: eth0))
        let found = try Self.compare(state, host)
        #expect(
            found == [
                ShadowDifference(
                    .received, peer: "10.0.0.254", prefix: "0.0.0.0/0", calico: "accepted", apus: "refused",
                    reason: found.first?.reason),
                ShadowDifference(.route, prefix: "0.0.0.0/0", calico: "via 10.0.0.254 dev eth0", apus: nil),
            ])
        #expect(found.first?.reason == .refused(reason: .defaultRoute, rule: nil))
    }

    @Test func `a session that is down in BIRD brings no routes, and is compared by what it is`() throws {
        var (state, host) = try Self.calico()
        state.sessions[0].session.isEstablished = false
        state.sessions[0].session.neighborAS = ASNumber(64999)
        let found = try Self.compare(state, host)
        #expect(
            found.map(\.kind) == [.session, .announced, .route] && found[0].field == "AS"
                && found[1].calico == "announced" && found[1].apus == nil && found[2].apus == nil, "\(found)")
    }

    @Test func `a peer that is kept down is a difference with its reason`() throws {
        let (state, host) = try Self.calico()
        let text = Self.cluster.replacing("asNumber: 65001", with: "asNumber: 65001, shutdown: works")
        let found = try Self.compare(state, host, text)
        #expect(
            found.contains {
                $0.kind == .session && $0.peer == "10.0.0.254" && $0.field == "state"
                    && $0.reason == .heldDown(reason: .shutdown(text: "works"))
            }, "\(found)")
    }

    @Test func `next hops are compared by neighbor, whichever of its addresses`() throws {
        let (state, host) = try Self.calico()
        let eth0 = try #require(host.index(of: "eth0"))
        host.addForeign(try Self.route("10.65.2.0/26", 12, via: "10.0.0.3", dev: eth0), replaces: true)
        #expect(
            try Self.compare(state, host) == [
                ShadowDifference(
                    .route, prefix: "10.65.2.0/26", field: "next hops", calico: "via 10.0.0.3 dev eth0",
                    apus: "via 10.0.0.2 dev eth0")
            ])
    }
}
