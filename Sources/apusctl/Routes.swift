import ArgumentParser
import NetTypes
import StatusAPI
import Wording

struct Routes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Paths that peers announced and this node originates; > is the best, = shares traffic with it.",
        discussion: """
            apusctl routes 10.65.0.0/16
            apusctl routes --best --origin-as 65010
            apusctl routes --community 65000:100
            apusctl routes --peer tor1 received
            apusctl routes --peer 10.0.0.1 advertised
            """)
    @Argument(
        help: "Only what overlaps this prefix or address; with --peer also one of received, accepted, advertised.")
    var what: [String] = []
    @Option(
        help:
            "Only of this peer, by address or name: as it sent them (received), or what is left of it after import policy (accepted), or as we send them (advertised)."
    )
    var peer: String?
    @Flag(help: "Only best paths.")
    var best = false
    @Option(help: "Only with this community: 65000:100, 65000:1:2, or a name as no-export.")
    var community: String?
    @Option(name: .customLong("origin-as"), help: "Only what this AS originates: the rightmost number of the AS_PATH.")
    var originAS: UInt32?
    @OptionGroup var options: CommonOptions

    private var sides: [RouteSide] { what.compactMap { RouteSide(rawValue: $0) } }
    private var prefixes: [String] { what.filter { RouteSide(rawValue: $0) == nil } }

    func validate() throws {
        if sides.count > 1 { throw ValidationError("one of received, accepted and advertised, not several") }
        if let side = sides.first, peer == nil {
            throw ValidationError("\(side.rawValue) is asked of one peer: apusctl routes --peer NAME \(side.rawValue)")
        }
        if prefixes.count > 1 {
            let unknown = prefixes.first { Prefix($0) == nil && IPAddress($0) == nil }
            guard let unknown else { throw ValidationError("one prefix or address, not several") }
            throw ValidationError(
                "\"\(unknown)\" is neither a prefix, an address, nor one of received, accepted and advertised"
                    + suggestion(unknown, among: RouteSide.allCases.map(\.rawValue)))
        }
        if let only = prefixes.first, peer != nil, Prefix(only) == nil, IPAddress(only) == nil {
            throw ValidationError(
                "\"\(only)\" is neither a prefix, an address, nor one of received, accepted and advertised"
                    + suggestion(only, among: RouteSide.allCases.map(\.rawValue)))
        }
    }

    func run() throws {
        let select = RouteSelect(
            peer: try peer.map(options.address(ofPeer:)), side: sides.first, best: best ? true : nil,
            community: community, originAS: originAS)
        let answer = try options.ask(StatusRequest(.routes, argument: prefixes.first, select: select))
        if let error = answer.error { throw Failure(code: 2, message: error) }
        let routes = sorted(answer.routes ?? [])
        if options.output == .json {
            print(StatusCodec.pretty(routes))
        } else if routes.isEmpty {
            print("no routes")
        } else {
            print(routeTable(routes))
        }
        if routes.isEmpty && !prefixes.isEmpty { throw ExitCode.failure }
    }

    /// By prefix, the best path of each first, then by peer and path identifier.
    private func sorted(_ routes: [RouteStatus]) -> [RouteStatus] {
        struct Key: Comparable {
            let prefix: Prefix
            let rank: Int
            let peer: String
            let pathID: UInt32
            static func < (a: Key, b: Key) -> Bool {
                a.prefix != b.prefix
                    ? a.prefix < b.prefix : (a.rank, a.peer, a.pathID) < (b.rank, b.peer, b.pathID)
            }
        }
        let keyed = routes.map { route in
            (
                Key(
                    prefix: Prefix(route.prefix) ?? .init(host: .any(.ipv4)),
                    rank: route.isBest ? 0 : route.isMultipath ? 1 : route.ineligible == nil ? 2 : 3,
                    peer: route.from, pathID: route.pathID ?? 0), route
            )
        }
        return keyed.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

func routeTable(_ routes: [RouteStatus]) -> String {
    var table = Table("", "PREFIX", "NEXT HOP", "FROM", "LPREF", "MED", "AS PATH", "REMARK")
    for route in routes {
        let mark = route.isBest ? ">" : route.isMultipath ? "=" : route.ineligible != nil ? "x" : " "
        var remarks = [route.ineligibleText, route.isStale ? "stale" : nil].compactMap { $0 }
        if route.isWaiting == true { remarks.append("still to be sent") }
        if route.isBest, let reason = route.bestReason, reason != .onlyPath { remarks.append(reason.text) }
        table.add(
            mark, route.prefix, route.nextHop ?? "self", route.from, route.localPref.map { "\($0)" } ?? "-",
            route.med.map { "\($0)" } ?? "-",
            route.asPath.isEmpty ? "-" : route.asPath, remarks.joined(separator: ", "))
    }
    return table.printed()
}
