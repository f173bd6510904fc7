import NetTypes
import Testing

/// Walks over a table in pieces (`PrefixTable.visit`).
@Suite struct PrefixVisitTests {
    /// A table of prefixes that lie close together; `all`: them.
    private static func table(_ family: AddressFamily, count: Int, seed: UInt64, _ all: inout Set<Prefix>)
        -> PrefixTable
    {
        var random = SeededRandom(seed: seed)
        var table = PrefixTable(family: family, seed: seed)
        for _ in 0..<count {
            let bits = random.next() & 0xFFFF
            let address =
                family == .ipv4
                ? IPAddress(v4: 0x0A00_0000 | UInt32(bits)) : IPAddress(high: 0x2001_0DB8_0000_0000, low: bits)
            let prefix = Prefix(address, length: family.bits - Int(random.next() % 20))
            _ = table.insert(prefix)
            all.insert(prefix)
        }
        return table
    }

    /// All that a walk sees in pieces of a budget, and the places that it looked at.
    private static func walk(_ table: borrowing PrefixTable, _ wanted: Prefix?, budget: Int, room: Int = .max) -> (
        seen: [Prefix], looked: Int, pieces: Int
    ) {
        var seen: [Prefix] = []
        var (looked, pieces) = (0, 0)
        var position: Int? = 0
        while let start = position {
            var left = budget
            var taken = 0
            position = table.visit(overlapping: wanted, from: start, budget: &left) { _, prefix in
                guard taken < room else { return false }
                taken += 1
                seen.append(prefix)
                return true
            }
            looked += budget - left
            pieces += 1
            if pieces > 1_000_000 { break }
        }
        return (seen, looked, pieces)
    }

    @Test(arguments: AddressFamily.allCases, [1, 7, 100_000])
    func `a walk in pieces sees what overlaps, each once, whatever the budget`(family: AddressFamily, budget: Int) {
        var all: Set<Prefix> = []
        let table = Self.table(family, count: 3000, seed: 11, &all)
        var questions: [Prefix?] = [nil, .default(family)]
        for prefix in all.sorted().prefix(40) {
            questions += [
                prefix, Prefix(prefix.address, length: family.bits - 10),
                Prefix(prefix.address, length: family.bits - 11),
            ]
        }
        for wanted in questions {
            let result = Self.walk(table, wanted, budget: budget, room: max(1, budget / 2))
            let expected = all.filter { prefix in wanted.map { $0.overlaps(prefix) } ?? true }
            #expect(result.seen.count == expected.count, "\(wanted.map { "\($0)" } ?? "all")")
            #expect(Set(result.seen) == expected)
        }
    }

    @Test(arguments: AddressFamily.allCases)
    func `what stays during a walk is seen exactly once though others come and go`(family: AddressFamily) {
        var all: Set<Prefix> = []
        var table = Self.table(family, count: 3000, seed: 12, &all)
        var random = SeededRandom(seed: 13)
        let staying = Set(all.filter { _ in random.next() % 2 == 0 })
        var going = all.subtracting(staying).sorted()
        var seen: [Prefix: Int] = [:]
        var position: Int? = 0
        while let start = position {
            var budget = 50
            position = table.visit(overlapping: nil, from: start, budget: &budget) { _, prefix in
                seen[prefix, default: 0] += 1
                return true
            }
            for _ in 0..<20 { if let gone = going.popLast(), let index = table.find(gone) { table.remove(index) } }
            let new = Prefix(IPAddress(high: random.next() | 0x8000_0000_0000_0000, low: 0, family: family), length: 24)
            _ = table.insert(new)
        }
        for prefix in staying { #expect(seen[prefix] == 1, "\(prefix)") }
    }

    @Test func `a question about an address or a small prefix looks at few places of a large table`() throws {
        var table = PrefixTable(family: .ipv4, seed: 1)
        for number in 0..<200_000 {
            _ = table.insert(Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(number) << 8), length: 24))
        }
        let host = Self.walk(table, Prefix("11.0.7.9/32"), budget: 1000)
        #expect(host.seen == [try #require(Prefix("11.0.7.0/24"))] && host.looked <= 33)
        // Only lengths that occur are looked up.
        let block = Self.walk(table, Prefix("11.0.8.0/22"), budget: 1000)
        #expect(block.seen.count == 4 && block.looked <= 23 + 4)
    }

    @Test func `a whole walk looks at each place once`() {
        var table = PrefixTable(family: .ipv4, seed: 1)
        for number in 0..<100_000 {
            _ = table.insert(Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(number) << 8), length: 24))
        }
        let result = Self.walk(table, nil, budget: 4096, room: 100)
        #expect(result.seen.count == 100_000)
        // Each piece looks again at the prefix that the one before had no room for.
        #expect(result.looked <= 100_000 + result.pieces)
    }

    @Test(arguments: [nil, "0.0.0.0/0", "10.0.0.0/22", "10.0.0.0/21", "10.0.0.1/32"] as [String?])
    func `a position beyond the end has nothing behind it`(wanted: String?) {
        var all: Set<Prefix> = []
        let table = Self.table(.ipv4, count: 10, seed: 1, &all)
        for position in [5000, Int.max >> 2, Int.max] {
            var budget = 100
            let next = table.visit(overlapping: wanted.flatMap { Prefix($0) }, from: position, budget: &budget) {
                _, _ in true
            }
            #expect(next == nil && budget == 100)
        }
    }

    @Test(arguments: AddressFamily.allCases)
    func `a map of prefixes agrees with a dictionary`(family: AddressFamily) {
        var random = SeededRandom(seed: 5)
        var map = PrefixMap<Int>(seed: 5)
        var model: [Prefix: Int] = [:]
        for step in 0..<5000 {
            let bits = random.next() & 0xFF
            let prefix = Prefix(
                family == .ipv4 ? IPAddress(v4: UInt32(bits) << 8) : IPAddress(high: bits, low: 0),
                length: family.bits - Int(random.next() % 3))
            let value = random.next() % 3 == 0 ? nil : step
            map[prefix] = value
            model[prefix] = value
            #expect(map.count == model.count && map.isEmpty == model.isEmpty)
        }
        var seen: [Prefix: Int] = [:]
        var budget = 100_000
        #expect(
            map.visit(family, overlapping: nil, from: 0, budget: &budget) {
                seen[$0] = $1
                return true
            } == nil)
        #expect(seen == model)
        for prefix in model.keys { #expect(map[prefix] == model[prefix]) }
    }
}
