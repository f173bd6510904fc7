import BGPMessages
import NetTypes
package import Rehearsal

/// Routes of BIRD, from `show route all`. One that is originated here and leaves has the attributes that the export
/// filter set.
extension PlayedRoute {
    /// All routes of a reply to `show route all`, `show route all protocol P` or `show route all export P`.
    package static func parse(_ reply: BIRDReply) throws(BIRDError) -> [PlayedRoute] {
        var routes: [PlayedRoute] = []
        var prefix: Prefix?
        for line in reply.lines {
            switch line.code {
            case 1007:
                // The table's name, or a way of the route above.
                if line.text.hasPrefix("Table ") || line.text.first == "\t" || line.text.trimmed.isEmpty { continue }
                guard let open = line.text.firstIndex(of: "[") else {
                    if isNextHop(line.text) { continue }
                    throw .notUnderstood(line: line.text)
                }
                // Of several routes to one prefix only the first has it before it.
                if line.text.first != " " {
                    let word = line.text.prefix { $0 != " " }
                    guard let parsed = Prefix(String(word)) else { throw .notUnderstood(line: line.text) }
                    prefix = parsed
                }
                guard let prefix,
                    let name = line.text[line.text.index(after: open)...].split(whereSeparator: { " ]".contains($0) })
                        .first
                else { throw .notUnderstood(line: line.text) }
                routes.append(PlayedRoute(prefix: prefix, source: String(name)))
            case 1012:
                guard !routes.isEmpty else { throw .notUnderstood(line: line.text) }
                try routes[routes.count - 1].takeAttribute(line.text.trimmed)
            default: break
            }
        }
        return routes
    }

    private static func isNextHop(_ line: String) -> Bool {
        ["via ", "dev "].contains { line.trimmed.hasPrefix($0) }
    }

    private mutating func takeAttribute(_ line: String) throws(BIRDError) {
        guard line.hasPrefix("BGP."), let colon = line.firstIndex(of: ":") else { return }
        let value = String(line[line.index(after: colon)...]).trimmed
        let words = value.split(separator: " ").map(String.init)
        let failure = BIRDError.notUnderstood(line: line)
        func number() throws(BIRDError) -> UInt32 {
            guard let number = UInt32(value) else { throw failure }
            return number
        }
        switch line[..<colon].dropFirst("BGP.".count) {
        case "origin": attributes.origin = value == "IGP" ? .igp : value == "EGP" ? .egp : .incomplete
        case "as_path":
            guard let path = PlayedRoute.path(words) else { throw failure }
            attributes.asPath = path
        case "next_hop":
            let hops = words.compactMap { IPAddress($0) }
            guard let first = hops.first, hops.count == words.count else { throw failure }
            attributes.nextHop = first
            linkLocalNextHop = hops.dropFirst().first
        case "med": attributes.multiExitDisc = try number()
        case "local_pref": attributes.localPref = try number()
        case "community":
            attributes.communities = try PlayedRoute.groups(value, failure).map { numbers throws(BIRDError) in
                guard numbers.count == 2, let high = UInt16(exactly: numbers[0]), let low = UInt16(exactly: numbers[1])
                else { throw failure }
                return Community(high, low)
            }
        case "large_community":
            attributes.largeCommunities = try PlayedRoute.groups(value, failure).map { numbers throws(BIRDError) in
                guard numbers.count == 3 else { throw failure }
                return LargeCommunity(
                    globalAdministrator: numbers[0], localData1: numbers[1], localData2: numbers[2])
            }
        case "atomic_aggr": attributes.atomicAggregate = true
        case "originator_id": attributes.originatorID = BGPIdentifier(dottedQuad: value)
        case "cluster_list":
            let list = words.compactMap { BGPIdentifier(dottedQuad: $0) }
            guard list.count == words.count else { throw failure }
            attributes.clusterList = list
        default: break
        }
    }

    /// `65001 {65002 65003} 65004`: a sequence, with sets in braces.
    private static func path(_ words: [String]) -> ASPath? {
        var segments: [ASPath.Segment] = []
        var isSet = false
        for word in words {
            var text = word[...]
            if text.first == "{" {
                isSet = true
                segments.append(ASPath.Segment(.set, []))
                text = text.dropFirst()
            }
            let ends = text.last == "}"
            if ends { text = text.dropLast() }
            if !text.isEmpty {
                guard let number = UInt32(text) else { return nil }
                if !isSet, segments.last?.type != .sequence { segments.append(ASPath.Segment(.sequence, [])) }
                segments[segments.count - 1].numbers.append(ASNumber(number))
            }
            if ends { isSet = false }
        }
        return ASPath(segments: segments)
    }

    /// `(65000,2) (65000, 1, 2)`: numbers by groups.
    private static func groups(_ value: String, _ failure: BIRDError) throws(BIRDError) -> [[UInt32]] {
        var groups: [[UInt32]] = []
        for group in value.split(separator: ")") {
            let text = group.trimmed
            guard text.first == "(" else { throw failure }
            let numbers = text.dropFirst().split(separator: ",").map { UInt32($0.trimmed) }
            guard numbers.allSatisfy({ $0 != nil }) else { throw failure }
            groups.append(numbers.compactMap { $0 })
        }
        return groups
    }
}

extension BGPIdentifier {
    /// `10.0.0.1`; nil for anything else.
    init?(dottedQuad text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4, parts.allSatisfy({ $0 != nil }) else { return nil }
        self.init(rawValue: parts.reduce(0) { $0 << 8 | UInt32($1 ?? 0) })
    }
}
