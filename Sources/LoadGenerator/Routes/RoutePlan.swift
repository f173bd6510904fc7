package import BGPMessages
package import NetTypes

/// Every route that the senders announce, with what it must look like when it arrives.
///
/// Prefixes are numbered in the order in which they are announced; what is received is looked up once and then is a
/// number.
package final class RoutePlan: Sendable {
    /// What an attribute set is known by when it comes back, but for the next hop: see `Fingerprint`.
    private let fingerprints: [UInt64]
    private let scenario: LoadScenario
    /// The set of a prefix by a sender: `setOf[prefix]`, and with shared prefixes so many sets further for each sender.
    package let setOf: [UInt32]
    /// The prefixes of each sender, by number; one range for all where they are shared.
    package let ranges: [Range<Int>]
    package let isShared: Bool
    private let setsPerSender: Int
    private let tables: InlineArray<2, PrefixTable>
    /// A table's own numbers to ours: IPv6 follows IPv4.
    private let firstIPv6: Int
    private let attributes: [PathAttributes]

    package var prefixCount: Int { setOf.count }
    package var senders: Int { isShared ? setCount / max(setsPerSender, 1) : ranges.count }
    package var setCount: Int { fingerprints.count }

    package init(_ scenario: LoadScenario) throws(LoadError) {
        self.scenario = scenario
        let source = try RouteSource(scenario)
        var tables = InlineArray<2, PrefixTable> {
            PrefixTable(family: AddressFamily.allCases[$0], seed: scenario.seed)
        }
        isShared = scenario.isShared
        let lists = scenario.isShared ? min(scenario.senders, 1) : scenario.senders
        // Families one after the other, so that a table's numbers are ours but for an offset.
        var setOf: [UInt32] = []
        var byFamily: [[Range<Int>]] = []
        var firstIPv6 = 0
        for family in AddressFamily.allCases {
            firstIPv6 = family == .ipv6 ? setOf.count : 0
            var ranges: [Range<Int>] = []
            for sender in 0..<lists where scenario.families.contains(family) {
                let start = setOf.count
                source.prefixes(family, sender: sender) { prefix, set in
                    let before = tables[family.index].count
                    _ = tables[family.index].insert(prefix)
                    guard tables[family.index].count > before else { return false }
                    setOf.append(UInt32(sender * source.setsPerSender + set))
                    return true
                }
                ranges.append(start..<setOf.count)
            }
            byFamily.append(ranges)
        }
        self.setOf = setOf
        self.tables = tables
        self.firstIPv6 = firstIPv6
        ranges = byFamily[0] + byFamily[1]
        setsPerSender = source.setsPerSender
        let attributes = (0..<scenario.senders).flatMap { sender in
            (0..<source.setsPerSender).map { source.attributes(sender: sender, set: $0) }
        }
        self.attributes = attributes
        fingerprints = attributes.enumerated().map { number, set in
            Fingerprint.expected(set, scenario, sender: number / source.setsPerSender)
        }
    }

    /// The number of a prefix; nil for one that nobody announces.
    package func number(_ prefix: Prefix) -> Int? {
        tables[prefix.family.index].find(prefix).map { Int($0) + (prefix.family == .ipv6 ? firstIPv6 : 0) }
    }

    package func prefix(_ number: Int) -> Prefix? {
        number < firstIPv6 || tables[1].count == 0
            ? tables[0].prefix(at: PrefixIndex(number)) : tables[1].prefix(at: PrefixIndex(number - firstIPv6))
    }

    /// Prefixes that a sender announces.
    package func numbers(of sender: Int) -> [Range<Int>] {
        if isShared { return ranges }
        let perFamily = ranges.count / max(families, 1)
        return (0..<families).map { ranges[$0 * perFamily + sender] }
    }
    private var families: Int { (tables[0].count > 0 ? 1 : 0) + (tables[1].count > 0 ? 1 : 0) }

    /// What a prefix must look like when it comes from a sender.
    package func fingerprint(_ number: Int, sender: Int) -> UInt64 {
        let set = set(number, sender: sender)
        let family: AddressFamily = tables[1].count > 0 && number >= firstIPv6 ? .ipv6 : .ipv4
        return fingerprints[set] ^ Fingerprint.hop(nextHop(family, set, sender: self.sender(ofSet: set)), scenario)
    }

    /// The next hop that a sender's routes of a family and set have: NEXT_HOP on IPv4 sessions, in MP_REACH_NLRI an
    /// address of the family.
    package func nextHop(_ family: AddressFamily, _ set: Int, sender: Int) -> IPAddress {
        if family == .ipv4, let hop = attributes[set].nextHop { return hop }
        if scenario.source.family == family { return scenario.address(sender) }
        return family == .ipv4
            ? IPAddress(v4: 0xC612_0001 + UInt32(sender))
            : IPAddress(high: 0x2001_0DB8_0000_0000, low: 1 + UInt64(sender))
    }

    /// The attribute set of a prefix as a sender announces it.
    package func set(_ number: Int, sender: Int) -> Int { Int(setOf[number]) + (isShared ? sender * setsPerSender : 0) }
    package func sender(ofSet set: Int) -> Int { set / max(setsPerSender, 1) }
    package func attributes(_ set: Int) -> PathAttributes { attributes[set] }

    /// The sender whose path of a shared prefix is the best: the shortest AS_PATH, then the lowest BGP Identifier. The
    /// rest is equal.
    package func winner(_ number: Int) -> Int {
        (0..<senders).min { pathLength(number, $0) < pathLength(number, $1) } ?? 0
    }
    private func pathLength(_ number: Int, _ sender: Int) -> Int {
        attributes[set(number, sender: sender)].asPath?.decisionLength ?? 0
    }
}
