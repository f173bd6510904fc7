import BFD
import FIB
import ForwardingPlane
import LinuxIO
import NetTypes
import Node
import Status
import StatusAPI
import Testing

/// Two agents, a pod on the first, and all indicators of the first: a fault is put in, and taken away again.
final class HealthScene {
    let network = MemoryNetwork()
    /// What the host's kernel has counted.
    var refusals = TCPRefusals()
    /// What the log was given since `takeLog`.
    private var log: [HealthMonitor.Line] = []

    var health: HealthMonitor { get throws { try #require(try node.core).health } }
    var node: MemoryNode { get throws { try #require(network.nodes["node1"]) } }

    static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "---\napiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
    }
    static func node(_ number: Int) -> String {
        object("Node", "node\(number)", "bgp: {ipv4Address: 10.0.1.\(number)/24}")
    }
    static func block(_ number: Int) -> String {
        object("BlockAffinity", "b\(number)", "node: node\(number), cidr: 10.65.\(number).0/26, state: confirmed")
    }
    static func peer(_ number: Int, _ fields: String = "") -> String {
        object("BGPPeer", "p\(number)", "peerIP: 10.0.1.\(number), asNumber: 64512\(fields)")
    }
    static let fixed =
        object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
        + object("IPPool", "pods", "cidr: 10.65.0.0/16")

    /// Both up, and the first healthy.
    init() throws {
        for number in [1, 2] {
            let name = "node\(number)"
            network.add(
                MemoryNode(
                    name,
                    files: [
                        "fixed.yaml": Self.fixed, "node.yaml": Self.node(number), "block.yaml": Self.block(number),
                        "peers.yaml": Self.peer(3 - number),
                    ]))
            try network.attach(name, "switch", interface: "eth0", "10.0.1.\(number)/24")
            try network.addDefaultRoute(name, via: "10.0.1.254", interface: "eth0")
            try network.nodes[name]?.start(now: network.now)
        }
        try network.addPod("a", "node1", "10.65.1.2")
        try waitUntilHealthy()
    }

    /// Every indicator is green within two minutes.
    func waitUntilHealthy(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let isHealthy = network.run(.seconds(120)) { (try? indicators().isGreen) ?? false }
        let last = try indicators()
        #expect(isHealthy, "\(last)", sourceLocation: sourceLocation)
    }

    // MARK: Indicators

    private var builder: StatusBuilder {
        get throws {
            StatusBuilder(
                try #require(node.core), meter: LoopMeter(started: network.now),
                mode: NodeMode(isReflector: false, isDryRun: false))
        }
    }

    /// As the daemon does it every ten seconds, and when doctor asks.
    func examine() throws {
        let core = try #require(node.core)
        var round = try builder.beginExamination()
        repeat { core.plane.examine(&round) } while round.walk != nil
        core.health.examined(round.findings(), refusals: refusals, now: network.now)
    }

    func indicators() throws -> Indicators {
        try examine()
        let core = try #require(node.core)
        let builder = try builder
        let status = try #require(builder.answer(.status).status)
        var round = MetricsRound()
        repeat { round.goOn(core.speaker) { core.peering.peers.knows($0) } } while round.next != nil
        let result = Indicators(
            status: status, doctor: builder.doctor(), metrics: builder.metrics(round).lines(logLinesDropped: 0),
            unreadiness: builder.unreadiness())
        log += core.health.takeLines()
        return result
    }

    /// Lines of the log since the last call.
    func takeLog() -> [HealthMonitor.Line] {
        defer { log = [] }
        return log
    }

    /// What each of them says at one moment.
    struct Indicators: CustomStringConvertible {
        var status: DaemonStatus
        var doctor: [Finding]
        var metrics: [String]
        var unreadiness: Unreadiness?

        var isGreen: Bool {
            status.isHealthy && !doctor.contains(where: \.severity.isUnhealthy) && unreadiness == nil
                && metrics.contains("apus_healthy 1")
        }
        /// Faults and what is degraded, as the metrics count them.
        var counted: Int {
            metrics.filter { $0.hasPrefix("apus_findings{") && !$0.contains("\"note\"") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
        }
        /// Where two of them contradict each other: what, or nil.
        var contradiction: String? {
            let wrong = status.findings.filter(\.severity.isUnhealthy)
            if status.isHealthy != wrong.isEmpty { return "status is healthy: \(status.isHealthy), findings: \(wrong)" }
            if doctor.filter({ $0.severity != .fine }) != status.findings {
                return "doctor has other findings than status"
            }
            if counted != wrong.count { return "the metrics count \(counted) findings of \(wrong.count)" }
            if metrics.contains("apus_healthy 1") != status.isHealthy { return "apus_healthy is not what status says" }
            if let unreadiness, status.isHealthy { return "not ready (\(unreadiness)), and healthy" }
            return nil
        }
        var description: String {
            "\(status.findings.map { "\($0.severity.rawValue) \($0.cause)" }) readiness \(String(describing: unreadiness))"
        }
    }
}
