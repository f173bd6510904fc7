import BGPMessages
import Glibc
import NetTypes

/// Prefixes and attribute sets in the proportions of a shape, from a seed; or those of an MRT dump.
struct RouteSource {
    private let scenario: LoadScenario
    private let dump: MRTTable?
    let setsPerSender: Int

    init(_ scenario: LoadScenario) throws(LoadError) {
        self.scenario = scenario
        guard case .mrt(let path) = scenario.shape else {
            dump = nil
            setsPerSender = scenario.sets
            return
        }
        let dump = try MRTTable(path: path, limit: scenario.prefixes, families: scenario.families)
        self.dump = dump
        setsPerSender = dump.sets.count
    }

    // MARK: Prefixes

    /// Calls `take` with each prefix of a sender and its set; `take` returns false where the prefix is there already,
    /// and another one is made up.
    func prefixes(_ family: AddressFamily, sender: Int, _ take: (Prefix, Int) -> Bool) {
        if let dump {
            for route in dump.routes where route.prefix.family == family { _ = take(route.prefix, route.set) }
            return
        }
        let sizes = setSizes(sender)
        var random = SeededRandom(seed: scenario.seed &* 7919 &+ UInt64(sender) &* 65_537 &+ UInt64(family.index))
        var number = sender * scenario.prefixes
        for (set, size) in sizes.enumerated() {
            var last: Prefix?
            for _ in 0..<size {
                while true {
                    let prefix =
                        scenario.shape == .internet
                        ? RouteSource.internet(family, after: last, &random) : pod(number, family)
                    number += 1
                    if take(prefix, set) {
                        last = prefix
                        break
                    }
                    last = nil
                }
            }
        }
    }

    /// How many prefixes each set has: as even as can be for pods, heavy-tailed like a full table's (most sets have
    /// one, some have hundreds).
    private func setSizes(_ sender: Int) -> [Int] {
        let count = scenario.sets
        let total = scenario.prefixes
        guard scenario.shape == .internet else {
            return (0..<count).map { (($0 + 1) * total) / count - ($0 * total) / count }
        }
        var random = SeededRandom(seed: scenario.seed &+ UInt64(sender) &* 104_729)
        // Discrete Pareto, weights first: sizes in their proportion, at least one each.
        let weights = (0..<count).map { _ in min(pow(random.fraction() + 1e-4, -1 / 1.2), 1500) }
        let sum = weights.reduce(0, +)
        var sizes = weights.map { 1 + Int(Double(total - count) * $0 / sum) }
        var rest = total - sizes.reduce(0, +)
        var position = 0
        while rest > 0 {
            sizes[position % count] += 1
            position += 1
            rest -= 1
        }
        return sizes
    }

    private func pod(_ number: Int, _ family: AddressFamily) -> Prefix {
        let isBlock = scenario.shape == .blocks || number % 100 < 50
        if family == .ipv4 {
            return isBlock
                ? Prefix(IPAddress(v4: 0x0A00_0000 &+ UInt32(truncatingIfNeeded: number) &* 64), length: 26)
                : Prefix(IPAddress(v4: 0x6440_0000 &+ UInt32(truncatingIfNeeded: number)), length: 32)
        }
        return isBlock
            ? Prefix(IPAddress(high: 0xFD00_0000_0000_0000, low: UInt64(number) << 6), length: 122)
            : Prefix(IPAddress(high: 0xFD00_0000_0000_0001, low: UInt64(number)), length: 128)
    }

    /// Share of each length in 10,000, as in a full table of the day; the rest are /24, or /48.
    private static let lengths4: [(Int, Int)] = [
        (23, 980), (22, 1130), (21, 510), (20, 440), (19, 290), (18, 150), (17, 90), (16, 150), (15, 25), (14, 15),
        (13, 8), (12, 4), (11, 2), (10, 1),
    ]
    private static let lengths6: [(Int, Int)] = [
        (47, 150), (46, 250), (45, 140), (44, 850), (42, 150), (40, 850), (36, 400), (33, 250), (32, 1500), (29, 350),
    ]

    private static func internet(_ family: AddressFamily, after last: Prefix?, _ random: inout SeededRandom) -> Prefix {
        // Neighbors in the table are often neighbors in the address space.
        if let last, random.next() & 1 == 0, let next = last.next, isGlobal(next) { return next }
        while true {
            var share = Int(random.next() % 10_000)
            var length = family == .ipv4 ? 24 : 48
            for (candidate, weight) in family == .ipv4 ? lengths4 : lengths6 {
                if share < weight {
                    length = candidate
                    break
                }
                share -= weight
            }
            let value = random.next()
            let address =
                family == .ipv4
                ? IPAddress(v4: UInt32(truncatingIfNeeded: value))
                : IPAddress(high: 0x2000_0000_0000_0000 | value >> 3, low: 0)
            let prefix = Prefix(address, length: length)
            if isGlobal(prefix) { return prefix }
        }
    }

    /// Ranges that no table has, so that no import rule stands in the way.
    private static let special = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001:db8::/32", "2002::/16", "3ffe::/16",
    ].compactMap { Prefix($0) }

    private static func isGlobal(_ prefix: Prefix) -> Bool { !special.contains { $0.overlaps(prefix) } }

    // MARK: Attributes

    /// A sender's set. The next hop is the sender's address in the route's family; for IPv6 it travels in
    /// MP_REACH_NLRI.
    func attributes(sender: Int, set: Int) -> PathAttributes {
        var result = dump?.sets[set] ?? madeUp(sender: sender, set: set)
        result.nextHop = scenario.source.family == .ipv4 ? scenario.address(sender) : nil
        if scenario.nextHops > 0 {
            result.nextHop = scenario.firstNextHop.advanced(
                by: UInt64((sender * setsPerSender + set) % scenario.nextHops))
        }
        if let external = scenario.externalAS {
            result.asPath = (result.asPath ?? ASPath()).prepending(ASNumber(external.rawValue + UInt32(sender)))
            result.localPref = nil
        } else {
            result.localPref = PathAttributes.defaultLocalPref
        }
        return result
    }

    private func madeUp(sender: Int, set: Int) -> PathAttributes {
        var random = SeededRandom(seed: scenario.seed &* 1_000_003 &+ UInt64(sender) &* 2_147_483_647 &+ UInt64(set))
        var result = PathAttributes()
        result.origin = .igp
        let isInternet = scenario.shape == .internet
        // Hops as in a full table: four or five mostly. Shared prefixes differ by them.
        let hops =
            scenario.isShared
            ? 1 + Int(random.next() % 6)
            : isInternet ? [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 6][Int(random.next() % 16)] : 0
        result.asPath = ASPath((0..<hops).map { UInt32(1000 + random.next() % ($0 == hops - 1 ? 400_000 : 5000)) })
        guard isInternet else {
            // A cluster's routes bear the community of their node, and the set's number where there are several.
            result.communities = [
                Community(UInt16(truncatingIfNeeded: sender &+ 1), UInt16(truncatingIfNeeded: set &+ 1))
            ]
            return result
        }
        if !scenario.isShared, random.next() % 10 == 0 { result.origin = .incomplete }
        if !scenario.isShared, random.next() % 10 == 0 { result.multiExitDisc = UInt32(1 + random.next() % 200) }
        if random.next() & 1 == 0 {
            let communities = (0...(random.next() % 8)).map { _ in
                Community(UInt16(1000 + random.next() % 60_000), UInt16(random.next() % 4000))
            }
            result.communities = Array(Set(communities)).sorted()
        }
        if random.next() % 20 == 0 {
            result.largeCommunities = [
                LargeCommunity(
                    globalAdministrator: UInt32(1000 + random.next() % 400_000),
                    localData1: UInt32(random.next() % 1000), localData2: UInt32(random.next() % 1000))
            ]
        }
        return result
    }
}

extension SeededRandom {
    /// 0 up to 1.
    mutating func fraction() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}

extension Prefix {
    /// The prefix of the same length that follows; nil at the end of the address space's first 64 bits.
    fileprivate var next: Prefix? {
        guard length > 0, length <= 64 else { return nil }
        let (sum, overflow) = high.addingReportingOverflow(1 << UInt64(64 - Int(length)))
        return overflow ? nil : Prefix(IPAddress(high: sum, low: 0, family: family), length: Int(length))
    }
}
