import ArgumentParser
import LinuxIO
import NetTypes
import StatusAPI
import Wording

struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Everything about a prefix, an address, a pod, a block or a peer: who announced it, what decided, what the "
            + "kernel says, to whom it was sent.",
        discussion:
            "apusctl why 10.65.3.0/26\napusctl why 10.65.3.7\napusctl why demo/web\napusctl why BGPPeer/tor"
    )
    @Argument(help: "A prefix, an address for the longest prefix that covers it, or a name.")
    var what: String
    @OptionGroup var options: CommonOptions

    func run() throws {
        let answer = try options.ask(StatusRequest(.why, argument: what))
        let routes = answer.routes ?? []
        let isKnown = !(routes.isEmpty && (answer.endpoints ?? []).isEmpty && (answer.peers ?? []).isEmpty)
        if options.output == .json {
            print(StatusCodec.pretty(answer))
            if !isKnown { throw ExitCode.failure }
            return
        }
        for pod in answer.endpoints ?? [] { show(pod) }
        for peer in answer.peers ?? [] { show(peer) }
        for finding in answer.findings ?? [] { print("\(finding.severity.text): \(finding.cause.text)") }
        if let first = routes.first { print("prefix  \(first.prefix)") }
        for route in routes { show(route) }
        for row in answer.fib ?? [] {
            print(
                "kernel  \(row.prefix) \(row.state.rawValue): "
                    + "\(row.kernel ?? row.wanted ?? "")\(row.reason.map { " (\($0.text))" } ?? "")"
            )
        }
        if let best = routes.first(where: \.isBest) {
            if let peers = best.announcedTo, !peers.isEmpty { print("sent to \(peers.joined(separator: ", "))") }
            for (peer, reason) in (best.notAnnouncedTo ?? [:]).sorted(by: { $0.key < $1.key }) {
                print("not sent to \(peer): \(reason.text)")
            }
        }
        if !isKnown { throw Failure.no(answer.error ?? "nothing is known of \(what)") }
    }

    private func show(_ pod: EndpointStatus) {
        print(
            "pod     \(pod.name) on \(pod.interface), \(pod.addresses.joined(separator: ", ")): \(pod.state.rawValue)"
                + (pod.reason.map { ": \($0.text)" } ?? ""))
    }

    private func show(_ peer: PeerStatus) {
        let since = peer.since.map { " for \(durationText(wallClockSeconds() - $0))" } ?? ""
        let error = peer.state == .established ? "" : peer.lastErrorText
        func sum(_ counts: [String: Int]) -> Int { counts.values.reduce(0, +) }
        print(
            "peer    \(peer.name) at \(PeerAddress.text(peer.address, port: peer.port)), AS "
                + "\(peer.remoteAS.map { "\($0)" } ?? "any"): \(peer.state.rawValue)\(since)"
                + (error.isEmpty ? "" : ": \(error)"))
        print("        \(sum(peer.prefixesReceived)) prefixes came, \(sum(peer.prefixesAnnounced)) were sent")
    }

    private func show(_ route: RouteStatus) {
        var verdict = route.ineligibleText ?? (route.isMultipath ? "shares traffic with the best" : "not the best")
        if let loss = route.loss { verdict += ", \(loss.text)" }
        if route.isBest { verdict = "best: \(route.bestReason?.text ?? "")" }
        print("path    from \(route.from) (\(route.peer)), next hop \(route.nextHop ?? "this node"): \(verdict)")
        print(
            "        LOCAL_PREF \(route.localPref.map { "\($0)" } ?? "100 (default)"), AS_PATH "
                + "\(route.asPath.isEmpty ? "empty" : route.asPath), ORIGIN \(route.origin), MED "
                + "\(route.med.map { "\($0)" } ?? "none")"
        )
        if let originator = route.originatorID {
            print("        ORIGINATOR_ID \(originator), CLUSTER_LIST \(route.clusterList.joined(separator: " "))")
        }
        if let rule = route.importRule { print("        import rule \(rule)") }
        if let customer = route.onlyToCustomer { print("        OTC \(customer)") }
        if !route.communities.isEmpty { print("        communities \(route.communities.joined(separator: " "))") }
    }
}
