import BGPMessages
import BGPRouting
import NetTypes
import Testing

/// Rules of a BGPFilter, beside a second evaluator that is written as plainly as the documentation.
@Suite struct RouteFilterTests {
    private struct Route {
        var prefix: Prefix
        var segments: [ASPath.Segment]
        var interface: String
    }

    private static func firstMatch(_ rule: RouteFilter.Rule, _ route: Route) -> Bool {
        var filter = RouteFilter()
        filter.rules[route.prefix.family.index] = [rule]
        var attributes = PathAttributes()
        attributes.asPath = ASPath(segments: route.segments)
        let facts = RouteFilter.RouteFacts(
            isLocal: false, isInternalPeer: true, localPref: 100, interface: route.interface)
        return filter.firstMatch(route.prefix, route: facts) { attributes } != nil
    }

    /// Bits as text, the path as a list of words, `*` by trying every split.
    private static func plainly(_ rule: RouteFilter.Rule, _ route: Route) -> Bool {
        func bits(_ prefix: Prefix) -> String {
            prefix.address.bytes.map { byte in
                let digits = String(byte, radix: 2)
                return String(repeating: "0", count: 8 - digits.count) + digits
            }.joined().prefix(Int(prefix.length)).description
        }
        func glob(_ pattern: Substring, _ name: Substring) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            if first == "*" {
                return glob(pattern.dropFirst(), name) || !name.isEmpty && glob(pattern, name.dropFirst())
            }
            return name.first == first && glob(pattern.dropFirst(), name.dropFirst())
        }
        if let cidr = rule.cidr {
            let isInside = bits(route.prefix).hasPrefix(bits(cidr))
            let isSame = bits(route.prefix) == bits(cidr)
            let isLong = rule.lengths.map {
                $0.lowerBound <= route.prefix.length && route.prefix.length <= $0.upperBound
            }
            let holds: Bool
            switch rule.cidrOperator {
            case .isIn: holds = isInside && isLong != false
            case .equal: holds = isSame && isLong != false
            case .notIn: holds = !(isInside && isLong != false)
            case .notEqual: holds = !(isSame && isLong != false)
            }
            if !holds { return false }
        }
        if let pattern = rule.interface, route.interface.isEmpty || !glob(pattern[...], route.interface[...]) {
            return false
        }
        let words = route.segments.flatMap { segment in
            segment.type == .sequence ? segment.numbers.map { "\($0)" } : ["set"]
        }
        return Array(words.prefix(rule.asPathPrefix.count)) == rule.asPathPrefix.map { "\($0)" }
    }

    private static func rule(_ change: (inout RouteFilter.Rule) -> Void) -> RouteFilter.Rule {
        var rule = RouteFilter.Rule(label: "r")
        change(&rule)
        return rule
    }

    private static func route(_ prefix: String, _ segments: [ASPath.Segment] = [], interface: String = "") throws
        -> Route
    {
        Route(prefix: try #require(Prefix(prefix)), segments: segments, interface: interface)
    }

    @Test func `how a path is cut into segments does not evade a rule, and a set at the beginning is no number`() throws
    {
        let rule = Self.rule { $0.asPathPrefix = [ASNumber(65001), ASNumber(65101)] }
        let (one, two) = (ASNumber(65001), ASNumber(65101))
        let cut = try Self.route(
            "10.44.0.0/16",
            [ASPath.Segment(.sequence, [one]), ASPath.Segment(.sequence, [two])])
        #expect(Self.firstMatch(rule, cut))
        let behindSet = try Self.route(
            "10.44.0.0/16",
            [
                ASPath.Segment(.set, [ASNumber(1), ASNumber(2)]),
                ASPath.Segment(.sequence, [one, two]),
            ])
        #expect(!Self.firstMatch(rule, behindSet))
    }

    @Test(arguments: [("10.44.2.0/24", true), ("10.0.0.0/9", true), ("10.44.2.0/27", false), ("10.45.0.0/26", true)])
    func `NotIn with lengths is the negation of both together`(prefix: String, matches: Bool) throws {
        let rule = Self.rule {
            $0.cidr = Prefix("10.44.0.0/16")
            $0.cidrOperator = .notIn
            $0.lengths = 26...32
        }
        #expect(Self.firstMatch(rule, try Self.route(prefix)) == matches)
    }

    @Test(arguments: [
        ("*.calico", "vxlan.calico", true), ("*.calico", "calico", false), ("cali*", "cali1", true),
        ("e*h*", "eth0", true), ("e*h*1", "eth0", false), ("*", "", false), ("eth0", "eth0", true),
    ])
    func `an asterisk stands for any characters, anywhere`(pattern: String, name: String, matches: Bool) {
        #expect(InterfacePattern.matches(pattern, name) == matches)
    }

    @Test func `twenty thousand random rules and routes are judged alike by both evaluators`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        func number(_ below: Int) -> Int { Int(random.next() % UInt64(below)) }
        func prefix() -> Prefix {
            Prefix(
                IPAddress(v4: 0x0A2C_0000 | UInt32(number(4)) << 22 | UInt32(number(4)) << 8), length: 8 + number(25))
        }
        func word(_ letters: [String], _ most: Int) -> String {
            (0..<number(most + 1)).map { _ in letters[number(letters.count)] }.joined()
        }
        for _ in 0..<20_000 {
            let rule = Self.rule {
                if number(4) > 0 { $0.cidr = prefix() }
                $0.cidrOperator = RouteFilter.CIDROperator.allCases[number(4)]
                let shortest = UInt8(number(33))
                if $0.cidr != nil, number(2) == 0 { $0.lengths = shortest...max(shortest, UInt8(number(33))) }
                if number(3) == 0 { $0.interface = "a" + word(["a", "b", "*"], 4) }
                if number(2) == 0 { $0.asPathPrefix = (0..<number(3)).map { _ in ASNumber(UInt32(1 + number(2))) } }
            }
            let route = Route(
                prefix: prefix(),
                segments: (0..<number(4)).map { _ in
                    ASPath.Segment(
                        number(4) == 0 ? .set : .sequence,
                        (0..<(1 + number(2))).map { _ in ASNumber(UInt32(1 + number(2))) })
                }, interface: word(["a", "b"], 5))
            #expect(Self.firstMatch(rule, route) == Self.plainly(rule, route), "seed \(seed): \(rule) \(route)")
        }
    }
}
