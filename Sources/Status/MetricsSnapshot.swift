import BGPMessages
import NetTypes
import Node
import StatusAPI

/// What the metrics page is made of.
package struct MetricsSnapshot: Sendable {
    struct Peer: Sendable {
        var address: PeerAddress
        var isEstablished: Bool
        var families: AddressFamilySet
        /// By family index.
        var received: [Int]
        var timesEstablished: UInt64
    }
    var status: DaemonStatus
    var peers: [Peer]
    var turns: UInt64
    /// By phase, in nanoseconds.
    var phaseTime: [Int64]
    var phaseLongest: [Int64]
    /// Nanoseconds of processor time.
    var questionsLongest: Int64

    /// The page, in Prometheus' text format. `logLinesDropped`: lines that standard error did not take. Cost: several
    /// strings a peer; not for the routing thread.
    package func lines(logLinesDropped: Int) -> [String] {
        var lines: [String] = []
        func gauge(_ name: String, _ help: String, values: [(labels: String, value: String)], type: String = "gauge") {
            lines.append("# HELP apus_\(name) \(help)")
            lines.append("# TYPE apus_\(name) \(type)")
            for value in values { lines.append("apus_\(name)\(value.labels) \(value.value)") }
        }
        gauge(
            "build_info", "Version and mode.",
            values: [("{version=\"\(status.version)\",mode=\"\(status.mode.rawValue)\"}", "1")])
        gauge(
            "healthy", "1 where no finding is a fault, and nothing is degraded.",
            values: [("", status.isHealthy ? "1" : "0")])
        gauge(
            "findings", "What was found, by severity and by what it is about; apusctl status lists it.",
            values: MetricsSnapshot.counted(status.findings))
        gauge(
            "prefixes", "Prefixes in the Loc-RIB.",
            values: [("{family=\"ipv4\"}", "\(status.prefixesIPv4)"), ("{family=\"ipv6\"}", "\(status.prefixesIPv6)")])
        gauge(
            "paths", "Paths in the Adj-RIBs-In.",
            values: [("{family=\"ipv4\"}", "\(status.pathsIPv4)"), ("{family=\"ipv6\"}", "\(status.pathsIPv6)")])
        gauge("attribute_sets", "Interned attribute sets.", values: [("", "\(status.attributeSets)")])
        gauge("fib_routes_wanted", "Routes that are to be in the kernel.", values: [("", "\(status.routesWanted)")])
        gauge("fib_routes_kernel", "Our routes that the kernel has.", values: [("", "\(status.routesInKernel)")])
        gauge(
            "fib_routes_missing", "Disagreement between RIB and FIB; 0 when all is well.",
            values: [("", "\(status.routesMissing)")])
        gauge(
            "fib_routes_held", "Routes that are kept though nearly all were withdrawn at once.",
            values: [("", "\(status.routesHeld)")])
        gauge(
            "fib_routes_waiting", "Routes that were found at the start and wait for the peers' tables.",
            values: [("", "\(status.routesWaiting)")])
        gauge("fib_audits_total", "Audits of the kernel's routes.", values: [("", "\(status.audits)")], type: "counter")
        gauge(
            "fib_audit_findings_total", "Differences that audits found and no notification had reported.",
            values: [("", "\(status.auditFindings)")], type: "counter")
        gauge(
            "fib_resyncs_total", "Times that the kernel's notifications were lost and everything was read again.",
            values: [("", "\(status.resyncs)")], type: "counter")
        gauge(
            "fib_repairs_total", "Own routes that others removed or altered and that were put back.",
            values: [("", "\(status.routesRepaired)")], type: "counter")
        gauge(
            "clients_established", "Route reflector clients whose session is up.",
            values: [("", "\(status.load.clientsEstablished)")])
        gauge("update_groups", "Groups of peers that share one encoding.", values: [("", "\(status.updateGroups)")])
        gauge("queued_bytes", "Bytes that wait for peers to read them.", values: [("", "\(status.load.queuedBytes)")])
        gauge(
            "slowest_peer_queued_bytes", "The same of the peer with the most.",
            values: [("", "\(status.load.slowestPeerQueuedBytes)")])
        gauge(
            "peers_too_slow", "Peers that get no routes until they have read what is queued.",
            values: [("", "\(status.load.peersTooSlow)")])
        gauge(
            "keepalive_latest_seconds", "How late a keepalive left at most.",
            values: [("", "\(status.load.keepaliveLatestSeconds)")])
        gauge(
            "keepalives_late_total", "Turns that sent a keepalive more than 100 ms late.",
            values: [("", "\(status.load.lateKeepalives)")], type: "counter")
        gauge(
            "memory_bytes", "Memory of the tables, reserve for growth included.",
            values: [
                ("{of=\"paths\"}", "\(status.load.pathMemory)"),
                ("{of=\"attribute_sets\"}", "\(status.load.attributeMemory)"),
                ("{of=\"groups\"}", "\(status.load.groupMemory)"),
            ])
        let paths = status.pathsIPv4 + status.pathsIPv6
        gauge(
            "path_bytes", "Memory per path, its prefix included.",
            values: paths == 0 ? [] : [("", "\(status.load.pathMemory / paths)")])
        gauge(
            "attribute_set_bytes", "Memory per attribute set, its own bytes included.",
            values: status.attributeSets == 0 ? [] : [("", "\(status.load.attributeMemory / status.attributeSets)")])
        let peers = peers.sorted { $0.address < $1.address }
        gauge(
            "peer_established", "1 where the session is up.",
            values: peers.map { ("{peer=\"\($0.address)\"}", $0.isEstablished ? "1" : "0") })
        gauge(
            "peer_prefixes_received", "Prefixes that the peer announces.",
            values: peers.flatMap { peer in
                peer.families.families.map { family in
                    (
                        "{peer=\"\(peer.address)\",family=\"\(family.name.lowercased())\"}",
                        "\(peer.received[family.index])"
                    )
                }
            })
        gauge(
            "peer_sessions_total", "How often the session came up.",
            values: peers.map { ("{peer=\"\($0.address)\"}", "\($0.timesEstablished)") }, type: "counter")
        gauge("loop_turns_total", "Turns of the routing loop.", values: [("", "\(turns)")], type: "counter")
        gauge(
            "loop_phase_seconds_total", "Time spent in each phase.",
            values: LoopMeter.Phase.allCases.map { ("{phase=\"\($0)\"}", "\(Double(phaseTime[$0.rawValue]) / 1e9)") },
            type: "counter")
        gauge(
            "loop_phase_longest_seconds", "The longest single run of each phase.",
            values: LoopMeter.Phase.allCases.map {
                ("{phase=\"\($0)\"}", "\(Double(phaseLongest[$0.rawValue]) / 1e9)")
            })
        gauge(
            "loop_questions_longest_cpu_seconds", "The most processor time that questions took in one turn.",
            values: [("", "\(Double(questionsLongest) / 1e9)")])
        gauge(
            "log_lines_dropped_total", "Log lines that standard error did not take.",
            values: [("", "\(logLinesDropped)")], type: "counter")
        return lines
    }

    /// Every severity and kind of subject, with 0 where there is nothing: an alert on them never lacks its series.
    private static func counted(_ findings: [Finding]) -> [(labels: String, value: String)] {
        [Finding.Severity.fault, .degraded, .note].flatMap { severity in
            FindingSubject.Kind.allCases.map { kind in
                let count = findings.count { $0.severity == severity && $0.subject.kind == kind }
                return ("{severity=\"\(severity.rawValue)\",subject=\"\(kind.rawValue)\"}", "\(count)")
            }
        }
    }
}
