import BGPMessages
import LoadGenerator
import NetTypes
import Testing

func scenario(_ change: (inout LoadScenario) -> Void = { _ in }) throws -> LoadScenario {
    var result = LoadScenario(
        target: try #require(IPAddress("198.18.0.1")), source: try #require(IPAddress("198.18.1.1")))
    change(&result)
    return result
}

@Suite struct RoutePlanTests {
    @Test(arguments: [LoadScenario.Shape.pod, .blocks, .internet], [AddressFamilySet.ipv4, .ipv6, .all])
    func `every sender announces its own prefixes, each once, in the number of sets asked for`(
        shape: LoadScenario.Shape, families: AddressFamilySet
    ) throws {
        let values = try scenario {
            $0.shape = shape
            $0.families = families
            $0.senders = 3
            $0.speakers = 3
            $0.prefixes = 500
            $0.sets = 20
        }
        let plan = try RoutePlan(values)
        #expect(plan.prefixCount == 3 * 500 * families.families.count)
        var seen: Set<Prefix> = []
        for sender in 0..<3 {
            var sets: Set<Int> = []
            var count = 0
            for range in plan.numbers(of: sender) {
                for number in range {
                    let prefix = try #require(plan.prefix(number))
                    #expect(seen.insert(prefix).inserted)
                    #expect(plan.number(prefix) == number)
                    sets.insert(plan.set(number, sender: sender))
                    count += 1
                }
            }
            #expect(count == 500 * families.families.count)
            #expect(sets == Set((sender * 20)..<(sender * 20 + 20)))
        }
        #expect(plan.number(try #require(Prefix("198.18.0.0/15"))) == nil)
    }

    @Test func `the same seed makes the same routes, another one others`() throws {
        func sets(_ seed: UInt64) throws -> [UInt64] {
            let values = try scenario {
                $0.shape = .internet
                $0.prefixes = 300
                $0.sets = 50
                $0.seed = seed
            }
            let plan = try RoutePlan(values)
            return (0..<plan.prefixCount).map { plan.fingerprint($0, sender: 0) }
        }
        #expect(try sets(1) == sets(1))
        #expect(try sets(1) != sets(2))
    }

    @Test func `of a shared prefix the shortest path wins, then the first sender`() throws {
        let values = try scenario {
            $0.isShared = true
            $0.senders = 5
            $0.speakers = 6
            $0.receivers = 1
            $0.prefixes = 200
            $0.sets = 10
        }
        let plan = try RoutePlan(values)
        #expect(plan.prefixCount == 200)
        for number in 0..<200 {
            let lengths = (0..<5).map { plan.attributes(plan.set(number, sender: $0)).asPath?.decisionLength ?? 0 }
            #expect(plan.winner(number) == lengths.firstIndex(of: lengths.min() ?? 0))
        }
    }

    static let wrongValues: [(String, @Sendable (inout LoadScenario) -> Void)] = [
        ("--speakers 0", { $0.speakers = 0 }), ("--senders 3", { $0.senders = 3 }),
        ("--receivers 9", { $0.receivers = 9 }),
        ("--prefixes 0", { $0.prefixes = 0 }), ("--sets 2000", { $0.sets = 2000 }),
        ("--families", { $0.families = [] }),
        ("--expect external", { $0.expectation = .external }),
        ("--expect reflected", { $0.externalAS = ASNumber(65000) }),
        ("--shared", { $0.isShared = true }), ("churn", { $0.phases = [.churn(rate: 0, seconds: 1)] }),
        ("latency", { $0.phases = [.latency(count: 0)] }),
        ("--next-hops", { $0.nextHops = -1 }), ("two families", { $0.target = IPAddress(high: 0, low: 1) }),
    ]

    @Test(arguments: wrongValues)
    func `values that cannot be are reported by the option's name`(
        option: String, change: @Sendable (inout LoadScenario) -> Void
    ) throws {
        #expect(try scenario(change).problem?.contains(option) == true)
    }

    @Test func `the values that stand in for none are fine`() throws { #expect(try scenario().problem == nil) }
}

@Suite struct FingerprintTests {
    /// A sender's set as a reflector passes it on.
    private func reflected(_ values: LoadScenario, _ change: (inout PathAttributes) -> Void = { _ in }) throws -> (
        UInt64?, UInt64
    ) {
        let plan = try RoutePlan(values)
        var set = plan.attributes(0)
        set.originatorID = values.identifier(0)
        set.clusterList = [BGPIdentifier(rawValue: 1)]
        change(&set)
        return (
            Fingerprint.received(set, values).map { $0 ^ Fingerprint.hop(set.nextHop, values) },
            plan.fingerprint(0, sender: 0)
        )
    }

    @Test func `a reflected set is right whatever its cluster list`() throws {
        let (received, wanted) = try reflected(try scenario())
        #expect(received == wanted)
        let (longer, _) = try reflected(try scenario()) { $0.clusterList.append(BGPIdentifier(rawValue: 2)) }
        #expect(longer == wanted)
    }

    static let changes: [@Sendable (inout PathAttributes) -> Void] = [
        { $0.clusterList = [] }, { $0.originatorID = BGPIdentifier(rawValue: 9) }, { $0.originatorID = nil },
        { $0.localPref = 99 }, { $0.localPref = nil },
        { $0.nextHop = IPAddress(v4: 1) }, { $0.asPath = ASPath([1]) }, { $0.communities = [] },
        { $0.origin = .incomplete }, { $0.multiExitDisc = 1 },
        { $0.largeCommunities = [LargeCommunity(globalAdministrator: 1, localData1: 2, localData2: 3)] },
    ]

    @Test(arguments: changes)
    func `any other change is seen`(change: @Sendable (inout PathAttributes) -> Void) throws {
        let (received, wanted) = try reflected(try scenario(), change)
        #expect(received != wanted)
    }

    @Test func `another AS puts itself in front and its next hop in, and drops what is local`() throws {
        let values = try scenario {
            $0.externalAS = ASNumber(65001)
            $0.expectation = .external
        }
        let plan = try RoutePlan(values)
        var set = plan.attributes(0)
        set.asPath = ASPath([64512, 65001])
        set.nextHop = IPAddress(v4: 7)
        #expect(Fingerprint.received(set, values) == plan.fingerprint(0, sender: 0))
        set.localPref = 100
        #expect(Fingerprint.received(set, values) == nil)
        set.localPref = nil
        set.asPath = ASPath([65001])
        #expect(Fingerprint.received(set, values) != plan.fingerprint(0, sender: 0))
    }
}

@Suite struct NumberSetTests {
    @Test func `it counts as a set of integers does`() {
        var random = SeededRandom(seed: 3)
        var set = NumberSet(capacity: 1000)
        var model: Set<Int> = []
        for _ in 0..<5000 {
            let number = Int(random.next() % 1000)
            if random.next() & 1 == 0 {
                set.insert(number)
                model.insert(number)
            } else {
                set.remove(number)
                model.remove(number)
            }
            #expect(set.count == model.count)
        }
        #expect((0..<1000).allSatisfy { set.contains($0) == model.contains($0) })
        var other = NumberSet(capacity: 1000)
        other.insert(5)
        #expect(other.countMissing(in: set) == (model.contains(5) ? 0 : 1))
        #expect(set.countMissing(in: other) == model.subtracting([5]).count)
    }
}

@Suite struct MRTTableTests {
    /// A record of TABLE_DUMP_V2 with one entry.
    private func record(_ subtype: UInt16, _ prefix: [UInt8], _ attributes: [UInt8]) -> [UInt8] {
        var body = ByteWriter()
        body.u32(1)
        body.append(prefix)
        body.u16(1)
        body.u16(0)
        body.u32(0)
        body.u16(UInt16(attributes.count))
        body.append(attributes)
        var writer = ByteWriter()
        writer.u32(0)
        writer.u16(13)
        writer.u16(subtype)
        writer.u32(UInt32(body.count))
        writer.append(body.bytes)
        return writer.bytes
    }

    private func attributes(_ path: [UInt32]) -> [UInt8] {
        var set = PathAttributes()
        set.origin = .igp
        set.asPath = ASPath(path)
        set.nextHop = IPAddress(v4: 0x0102_0304)
        set.localPref = 7
        return set.encoded()
    }

    @Test func `prefixes and sets come out, without what belongs to a session`() throws {
        let bytes =
            record(1, [], []) + record(2, [8, 20], attributes([1, 2])) + record(2, [24, 30, 1, 2], attributes([1, 2]))
            + record(4, [32, 0x20, 1, 2, 3], attributes([3]))
        let table = try MRTTable(bytes: bytes, name: "x", limit: 10, families: .all)
        #expect(table.routes.map(\.prefix) == [Prefix("20.0.0.0/8"), Prefix("30.1.2.0/24"), Prefix("2001:203::/32")])
        #expect(table.routes.map(\.set) == [0, 0, 1])
        #expect(table.sets.allSatisfy { $0.nextHop == nil && $0.localPref == nil && $0.asPath != nil })
        #expect(try MRTTable(bytes: bytes, name: "x", limit: 1, families: .ipv4).routes.count == 1)
    }

    @Test(
        arguments: [([1, 2, 3], "byte 0"), ([0x1F, 0x8B, 0], "compressed"), ([], "no route")] as [([UInt8], String)])
    func `what is no dump is reported, with the place`(bytes: [UInt8], text: String) {
        #expect {
            _ = try MRTTable(bytes: bytes, name: "x", limit: 1, families: .all)
        } throws: { ($0 as? LoadError)?.description.contains(text) ?? false }
    }

    @Test func `random bytes never crash it`() {
        var random = SeededRandom(seed: 8)
        let whole = record(2, [8, 20], attributes([1, 2])) + record(4, [32, 0x20, 1, 2, 3], attributes([3]))
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = try? MRTTable(
                bytes: Array(bytes.prefix(Int(random.next() % UInt64(bytes.count + 1)))), name: "x", limit: 10,
                families: .all)
        }
    }
}

@Suite struct KernelWatchTests {
    @Test func `looks at the kernel are far apart while much is left, and close together towards the end`() {
        // Nothing came yet, or it goes slowly.
        #expect(KernelWatch.pause(left: 100_000, of: 100_000, after: .milliseconds(50)) == .milliseconds(25))
        #expect(KernelWatch.pause(left: 50_000, of: 100_000, after: .milliseconds(400)) == .milliseconds(25))
        // 90,000 took 180 ms: 10,000 will take 20, and half of that is waited for.
        #expect(KernelWatch.pause(left: 10_000, of: 100_000, after: .milliseconds(180)) == .milliseconds(10))
        #expect(KernelWatch.pause(left: 100, of: 100_000, after: .milliseconds(200)) == .milliseconds(2))
        // More are there than at the start.
        #expect(KernelWatch.pause(left: 100_001, of: 100_000, after: .milliseconds(50)) == .milliseconds(25))
    }
}
