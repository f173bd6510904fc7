import ArgumentParser
import LinuxIO
import NetTypes
import StatusAPI
import Wording

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Is everything well? Exit code 1 where it is not.")
    @OptionGroup var options: CommonOptions

    func run() throws {
        let answer = try options.ask(StatusRequest(.status))
        guard let status = answer.status else { throw Failure.no(answer.error ?? "no answer") }
        if options.output == .json {
            print(StatusCodec.pretty(status))
        } else {
            print(
                "apusd \(status.version), \(status.mode.rawValue) on node \(status.node), up "
                    + "\(durationText(status.uptime))"
            )
            print(
                "router id   \(status.routerID), AS \(status.asNumber)"
                    + (status.clusterID.map { ", cluster id \($0)" } ?? ""))
            print("peers       \(status.peersEstablished) of \(status.peersConfigured) established")
            print(
                "prefixes    \(status.prefixesIPv4) IPv4, \(status.prefixesIPv6) IPv6 "
                    + "(\(status.pathsIPv4 + status.pathsIPv6) paths, \(status.attributeSets) attribute sets)"
            )
            showLoad(status.load)
            if status.programsRoutes || status.dryRun {
                print(
                    "kernel      \(status.routesInKernel) routes of \(status.routesWanted) wanted, "
                        + "\(status.routesMissing) missing, \(status.routesRepaired) repaired"
                        + (status.routesHeld > 0 ? ", \(status.routesHeld) kept" : "")
                        + (status.routesWaiting > 0 ? ", \(status.routesWaiting) found at the start and waiting" : "")
                        + (status.dryRun ? " (dry run: nothing is written)" : ""))
            } else {
                print(
                    "kernel      no way to its routes (capabilities: "
                        + "\(status.capabilities.isEmpty ? "none" : status.capabilities.joined(separator: ", ")); user id "
                        + "\(status.userID))"
                )
            }
            for own in status.ownPrefixes {
                print(
                    "own         \(own.prefix) (\(own.kind.rawValue)) "
                        + (own.isAnnounced ? "announced" : "not announced: \(own.reason?.text ?? "")"))
            }
            if status.otherObjects > 0 {
                let count = status.otherObjects == 1 ? "1 object" : "\(status.otherObjects) objects"
                print("other       \(count) of Calico's kinds that say nothing about routes")
            }
            for finding in status.findings {
                print("\(padded(finding.severity.text)) \(finding.cause.text)\(since(finding))")
            }
            print(status.healthText)
        }
        if !status.isHealthy { throw ExitCode.failure }
    }

    private func padded(_ word: String) -> String { word + String(repeating: " ", count: max(0, 11 - word.count)) }

    private func since(_ finding: Finding) -> String {
        guard let since = finding.since, finding.severity != .note else { return "" }
        return " (for \(durationText(max(0, wallClockSeconds() - since))))"
    }

    private func showLoad(_ load: LoadStatus) {
        let groups =
            load.groupMembers.prefix(5).map { "\($0)" }.joined(separator: ", ")
            + (load.groupMembers.count > 5 ? ", ..." : "")
        if load.clientsEstablished > 0 { print("clients     \(load.clientsEstablished) established") }
        if !load.groupMembers.isEmpty {
            print("groups      \(load.groupMembers.count) of \(groups) peers: each is one encoding for all its members")
        }
        if load.prefixesUndecided + load.prefixesUnsent > 0 {
            print("under way   \(load.prefixesUndecided) prefixes to decide, \(load.prefixesUnsent) to send")
        }
        if let slowest = load.slowestPeer {
            print(
                "queues      \(load.queuedBytes) bytes; the slowest, \(slowest), has \(load.slowestPeerQueuedBytes)")
        }
        if load.peersTooSlow > 0 {
            print("too slow    \(load.peersTooSlow) peers get no routes until they have read what is queued")
        }
        if load.lateKeepalives > 0 {
            print(
                "late        \(load.lateKeepalives) times a keepalive left more than 100 ms late, at most "
                    + "\(wholeNumber(load.keepaliveLatestSeconds * 1000)) ms"
            )
        }
    }
}

struct Peers: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "All peers, a line each.")
    @OptionGroup var options: CommonOptions

    func run() throws {
        let peers = try options.ask(StatusRequest(.peers)).peers ?? []
        if options.output == .json { return print(StatusCodec.pretty(peers)) }
        if peers.isEmpty { return print("no peers are configured") }
        var table = Table("PEER", "AS", "STATE", "SINCE", "IN", "OUT", "NAME", "LAST ERROR")
        let now = wallClockSeconds()
        for peer in peers {
            table.add(
                PeerAddress.text(peer.address, port: peer.port), peer.remoteAS.map { "\($0)" } ?? "any",
                peer.state.rawValue,
                peer.since.map { durationText(now - $0) } ?? "-",
                sum(peer.prefixesReceived), sum(peer.prefixesAnnounced), peer.name,
                peer.state == .established ? "" : peer.lastErrorText)
        }
        print(table.printed())
    }

    private func sum(_ counts: [String: Int]) -> String { "\(counts.values.reduce(0, +))" }
}

struct Peer: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "One peer in full. Exit code 1 where it is not established.")
    @Argument(help: "Address or name of the peer; with :PORT where several have the address.")
    var peer: String
    @OptionGroup var options: CommonOptions

    func run() throws {
        let answer = try options.ask(StatusRequest(.peer, argument: peer))
        guard let peers = answer.peers, let first = peers.first else {
            throw options.unknown(peer: peer, answer.error)
        }
        if options.output == .json {
            print(StatusCodec.pretty(peers.count == 1 ? [first] : peers))
        } else {
            for peer in peers { show(peer) }
        }
        if peers.contains(where: { $0.state != .established }) { throw ExitCode.failure }
    }

    private func show(_ peer: PeerStatus) {
        print(
            "peer          \(peer.address) port \(peer.port) (\(peer.name), "
                + "\(peer.type.rawValue)\(peer.isDynamic ? ", dynamic" : ""))"
        )
        print(
            "remote AS     "
                + "\(peer.remoteAS.map { "\($0)" } ?? "any")\(peer.isReflectorClient ? ", our route reflector client" : "")"
        )
        print(
            "state         \(peer.state.rawValue)"
                + (peer.since.map { " for \(durationText(wallClockSeconds() - $0))" } ?? ""))
        if let id = peer.routerID { print("router id     \(id)") }
        if let hold = peer.holdTime { print("hold time     \(wholeNumber(hold))s") }
        if let bfd = peer.bfd { print("BFD           \(bfd.rawValue)") }
        if let interface = peer.interface { print("interface     \(interface)") }
        if !peer.families.isEmpty { print("families      \(peer.families.joined(separator: ", "))") }
        for capability in peer.capabilities { print("capability    \(capability.text)") }
        for (family, count) in peer.prefixesReceived.sorted(by: { $0.key < $1.key }) {
            print(
                "\(family)          \(count) received, \(peer.prefixesAnnounced[family] ?? 0) "
                    + "announced\(peer.staleFamilies.contains(family) ? ", stale: the peer restarts" : "")"
            )
        }
        print(
            "messages      \(peer.messagesReceived) received, \(peer.updatesReceived) of them UPDATEs, "
                + "\(peer.treatedAsWithdraw) treated as withdraw"
        )
        print("established   \(peer.timesEstablished) times, \(peer.queuedBytes) bytes queued")
        let now = wallClockSeconds()
        func ago(_ time: Double?) -> String { time.map { ", \(durationText(max(0, now - $0))) ago" } ?? "" }
        if let error = peer.lastError {
            print(
                "last error    \(error.text)\(ago(peer.lastErrorAt))"
                    + (peer.isLastErrorPast ? ", before the session that is up" : ""))
        }
        if let error = peer.connectionErrorSince { print("since then    \(error.text)\(ago(peer.connectionErrorAt))") }
        for end in peer.ends { print("ended         \(durationText(max(0, now - end.at))) ago: \(end.reason.text)") }
    }
}

struct Refresh: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a peer for all its routes again (RFC 2918). The session stays.")
    @Argument(help: "Address or name of the peer; with :PORT where several have the address.")
    var peer: String
    @Flag(help: "Each of the peers, where several have the name or the address.")
    var all = false
    @OptionGroup var options: CommonOptions

    func run() throws { try carryOut(StatusRequest(.refresh, argument: peer, all: all), options) }
}

struct Reset: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a session with Cease, Administrative Reset, and begin it again.")
    @Argument(help: "Address or name of the peer; with :PORT where several have the address.")
    var peer: String
    @Option(help: "Text for the peer, at most 255 bytes (RFC 9003).")
    var message: String = ""
    @Flag(help: "Each of the peers, where several have the name or the address.")
    var all = false
    @OptionGroup var options: CommonOptions

    func run() throws { try carryOut(StatusRequest(.reset, argument: peer, text: message, all: all), options) }
}

private func carryOut(_ request: StatusRequest, _ options: CommonOptions) throws {
    let answer = try options.ask(request)
    if let error = answer.error {
        throw request.argument.map { options.unknown(peer: $0, error) } ?? Failure.no(error)
    }
    print(options.output == .json ? StatusCodec.pretty(answer) : answer.done ?? "")
}

struct Endpoints: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Pods of this node. Exit code 1 where one is not up.")
    @OptionGroup var options: CommonOptions

    func run() throws {
        let endpoints = try options.ask(StatusRequest(.endpoints)).endpoints ?? []
        if options.output == .json {
            print(StatusCodec.pretty(endpoints))
        } else if endpoints.isEmpty {
            print("no endpoints on this node")
        } else {
            var table = Table("ENDPOINT", "INTERFACE", "ADDRESSES", "STATE", "REASON")
            for endpoint in endpoints {
                table.add(
                    endpoint.name, endpoint.interface, endpoint.addresses.joined(separator: ","),
                    endpoint.state.rawValue, endpoint.reason?.text ?? "")
            }
            print(table.printed())
        }
        if endpoints.contains(where: { $0.state != .up }) { throw ExitCode.failure }
    }
}

struct FIB: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fib", abstract: "Wanted routes and the kernel's; fib release lets kept routes go.",
        subcommands: [FIBShow.self, FIBRelease.self],
        defaultSubcommand: FIBShow.self)
}

struct FIBShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Wanted routes and the kernel's. Exit code 1 where they differ.")
    @Argument(help: "Only what overlaps this prefix or address.")
    var prefix: String?
    @OptionGroup var options: CommonOptions

    func run() throws {
        let answer = try options.ask(StatusRequest(.fib, argument: prefix))
        if let error = answer.error { throw Failure(code: 2, message: error) }
        let rows = (answer.fib ?? []).sorted { $0.prefix < $1.prefix }
        if options.output == .json {
            print(StatusCodec.pretty(rows))
        } else if rows.isEmpty {
            print("no routes")
        } else {
            var table = Table("PREFIX", "STATE", "ROUTE", "REASON")
            for row in rows {
                table.add(row.prefix, row.state.rawValue, row.kernel ?? row.wanted ?? "", row.reason?.text ?? "")
            }
            print(table.printed())
        }
        if rows.contains(where: { $0.state != .installed }) { throw ExitCode.failure }
    }
}

struct FIBRelease: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Let routes go that are kept because nearly all were withdrawn at once (massWithdrawal).")
    @OptionGroup var options: CommonOptions

    func run() throws { try carryOut(StatusRequest(.releaseRoutes), options) }
}

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What keeps packets from going, and what to do about it. Exit code 1 where the node is not healthy.")
    @OptionGroup var options: CommonOptions

    func run() throws {
        let answer = try options.ask(StatusRequest(.doctor))
        let findings = answer.findings ?? []
        if options.output == .json {
            print(StatusCodec.pretty(findings))
        } else {
            var table = Table("", "WHAT", "FOUND")
            for finding in findings {
                table.add(finding.severity.text, finding.subject.text, finding.cause.text)
            }
            print(table.printed())
        }
        if findings.contains(where: \.severity.isUnhealthy) { throw ExitCode.failure }
    }
}
