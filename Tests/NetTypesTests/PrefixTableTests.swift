import NetTypes
import Testing

@Suite struct PrefixTableTests {
    @Test(arguments: AddressFamily.allCases, [1, 2, 3] as [UInt64])
    func `a table agrees with a dictionary under random insertion and removal`(family: AddressFamily, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = PrefixTable(family: family, seed: seed)
        var model: [Prefix: PrefixIndex] = [:]
        for step in 0..<20_000 {
            let bits = random.next() % 400
            // Few distinct values, so that removal hits and chains collide.
            let address =
                family == .ipv4 ? IPAddress(v4: UInt32(bits) << 16) : IPAddress(high: bits << 40, low: bits & 3)
            let prefix = Prefix(address, length: Int(random.next() % UInt64(family.bits + 1)))
            if random.next() % 3 == 0 {
                if let index = model.removeValue(forKey: prefix) { table.remove(index) }
            } else {
                let index = table.insert(prefix)
                if let known = model[prefix] { #expect(known == index, "seed \(seed), step \(step)") }
                model[prefix] = index
            }
        }
        #expect(table.count == model.count)
        #expect(Set(model.values).count == model.count)
        for (prefix, index) in model {
            #expect(table.find(prefix) == index)
            #expect(table.prefix(at: index) == prefix)
        }
        for index in model.values { table.remove(index) }
        #expect(table.count == 0)
        #expect(table.capacity == 0)
    }

    @Test func `longest match prefers the longer prefix that is accepted`() throws {
        var table = PrefixTable(family: .ipv4, seed: 7)
        let all = table.insert(try #require(Prefix("0.0.0.0/0")))
        let wide = table.insert(try #require(Prefix("10.0.0.0/8")))
        let narrow = table.insert(try #require(Prefix("10.1.0.0/16")))
        let address = try #require(IPAddress("10.1.2.3"))
        #expect(table.longestMatch(address) == narrow)
        #expect(table.longestMatch(address) { $0 != narrow } == wide)
        #expect(table.longestMatch(try #require(IPAddress("11.0.0.1"))) == all)
        #expect(table.longestMatch(try #require(IPAddress("::1"))) == nil)
        table.remove(narrow)
        #expect(table.longestMatch(address) == wide)
    }

    @Test func `the empty prefix of IPv6 and the address of zeros are keys like others`() {
        for family in AddressFamily.allCases {
            var table = PrefixTable(family: family, seed: 0)
            let indices = (0...family.bits).map { table.insert(Prefix(.any(family), length: $0)) }
            #expect(Set(indices).count == family.bits + 1)
        }
    }

    @Test(arguments: AddressFamily.allCases)
    func `a table that grows and shrinks between ten and sixty thousand prefixes loses none`(family: AddressFamily) {
        var table = PrefixTable(family: family, seed: 11)
        var random = SeededRandom(seed: 5)
        var held: [(prefix: Prefix, index: PrefixIndex)] = []
        var known: Set<Prefix> = []
        for round in 0..<3 {
            while held.count < 60_000 {
                let address = IPAddress(high: random.next(), low: random.next(), family: family)
                let prefix = Prefix(address, length: family == .ipv4 ? 24 : 64)
                if known.insert(prefix).inserted { held.append((prefix, table.insert(prefix))) }
            }
            while held.count > 10_000 {
                let gone = held.swapRemove(at: Int(random.next() % UInt64(held.count)))
                known.remove(gone.prefix)
                table.remove(gone.index)
                #expect(table.find(gone.prefix) == nil)
            }
            let lost = held.filter { table.find($0.prefix) != $0.index || table.prefix(at: $0.index) != $0.prefix }
            #expect(lost.isEmpty, "round \(round)")
        }
        #expect(table.count == 10_000)
    }
}

extension Array {
    fileprivate mutating func swapRemove(at position: Int) -> Element {
        swapAt(position, count - 1)
        return removeLast()
    }
}
