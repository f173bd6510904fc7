import BGPMessages
import BGPRouting
import NetTypes
import Testing

/// A table that was large gives its memory back while some routes stay, and goes on as before.
@Suite struct TrimTests {
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(1), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private static func peer(_ number: UInt32, addPathLimit: Int = 0) -> RoutingPeer {
        var profile = ExportProfile(family: .ipv4, isInternal: true, localAS: ASNumber(1))
        profile.isClient = true
        profile.nextHop.own = IPAddress(v4: 0x0A00_0001)
        profile.addPathLimit = addPathLimit
        return RoutingPeer(
            address: IPAddress(v4: 0x0A00_0000 + number), identifier: BGPIdentifier(rawValue: number),
            asNumber: ASNumber(1), isInternal: true, isClient: true,
            policy: ImportSettings(), context: AttributeContext(isInternal: true, isFourOctetAS: true),
            profiles: [profile, nil])
    }

    private static func set(_ number: Int) -> PathAttributes {
        var set = PathAttributes()
        set.origin = .igp
        set.asPath = ASPath([])
        set.nextHop = IPAddress(v4: 0x0A00_0002)
        set.localPref = 100
        set.communities = [Community(rawValue: UInt32(number))]
        return set
    }

    private static func prefix(_ number: Int) -> Prefix {
        Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(number) << 8), length: 24)
    }

    /// Announces, or withdraws, prefixes of a peer, each eight with an attribute set of their own.
    private static func announce(_ rib: inout RIB, _ peer: PeerIndex, _ numbers: Range<Int>, withdraw: Bool = false)
        throws
    {
        for number in numbers {
            var builder = UpdateBuilder(family: .ipv4, maximumLength: 4096)
            let nlri = [OutboundNLRI(prefix(number))]
            if withdraw {
                builder.withdraw(nlri)
            } else {
                builder.announce(nlri, block: set(number / 8).encoded(), nextHop: [])
            }
            _ = try rib.receive(builder.take().bytes, from: peer, families: .all)
        }
        settle(&rib)
    }

    private static func settle(_ rib: inout RIB) {
        rib.decide(budget: .max)
        var deliveries: [Delivery] = []
        var done: [RIB.ReplayDone] = []
        while rib.hasExportWork(now: .zero) { rib.export(replayBudget: .max, now: .zero, &deliveries, &done) }
    }

    private static func trim(_ rib: inout RIB, _ isExpected: Bool, _ what: Comment) {
        let isDone = rib.trim()
        #expect(isDone == isExpected, what)
    }

    private static func memory(_ rib: borrowing RIB) -> Int {
        rib.tables[.ipv4].memory + rib.attributes.memory + rib.groupMemory
    }

    @Test(arguments: [0, 3]) func `forty thousand prefixes that came and went three times leave what was there before`(
        addPathLimit: Int
    ) throws {
        var rib = RIB(
            identity: Self.identity, assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        let source = rib.addPeer()
        rib.peerUp(source, Self.peer(2, addPathLimit: addPathLimit))
        let other = rib.addPeer()
        rib.peerUp(other, Self.peer(3, addPathLimit: addPathLimit))
        try Self.announce(&rib, source, 0..<100)
        Self.trim(&rib, true, "at the start")
        let before = Self.memory(rib)
        let paths = (0..<100).map { rib.tables[.ipv4].find(Self.prefix($0)).flatMap { rib.tables[.ipv4].single($0) } }
        for _ in 0..<3 {
            try Self.announce(&rib, source, 100..<40_100)
            try Self.announce(&rib, source, 100..<40_100, withdraw: true)
            Self.trim(&rib, true, "after a round")
            let now = Self.memory(rib)
            #expect(now <= before + before / 5, "\(now) bytes, \(before) at the start")
        }
        // What stayed is as it was: the same slots (path identifiers are made of them), the same attributes.
        let after = (0..<100).map { rib.tables[.ipv4].find(Self.prefix($0)).flatMap { rib.tables[.ipv4].single($0) } }
        #expect(after == paths)
        for number in 0..<100 {
            let best = rib.tables[.ipv4].find(Self.prefix(number)).flatMap { rib.tables[.ipv4].best($0) }
            let attributes = best.map { rib.attributes.attributes($0.attributes) }
            let isAnnounced = rib.isAnnounced(Self.prefix(number), to: other)
            #expect(attributes == Self.set(number / 8) && isAnnounced)
        }
        let left = (paths: rib.tables[.ipv4].pathCount, sets: rib.attributes.count)
        #expect(left == (100, 13))
    }

    @Test func `what routes use falls with their attributes and next hops, not with their number alone`() throws {
        var rib = RIB(
            identity: Self.identity, assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        let source = rib.addPeer()
        rib.peerUp(source, Self.peer(2))
        Self.settle(&rib)
        func announce(_ bytes: Int) throws {
            for number in 0..<500 {
                var set = Self.set(number)
                set.nextHop = IPAddress(v4: 0x0A00_0002 + UInt32(bytes == 0 ? 0 : number))
                if bytes > 0 {
                    set.unknown = [
                        UnknownAttribute(
                            type: AttributeType(rawValue: 255), flags: [.optional, .transitive],
                            value: Array(repeating: 7, count: bytes))
                    ]
                }
                var builder = UpdateBuilder(family: .ipv4, maximumLength: 4096)
                builder.announce([OutboundNLRI(Self.prefix(number))], block: set.encoded(), nextHop: [])
                _ = try rib.receive(builder.take().bytes, from: source, families: .all)
            }
            Self.settle(&rib)
        }
        try announce(0)
        let small = rib.usedBytes
        try announce(3000)
        let large = rib.usedBytes
        #expect(large > 1_500_000 && large > small * 10)
        // The same prefixes with small attributes again.
        try announce(0)
        let again = rib.usedBytes
        #expect(again == small)
        Self.trim(&rib, true, "afterwards")
        let left = rib.attributes.nextHops.entries.count
        #expect(left == 2, "next hops that nobody uses are gone")
    }

    @Test func `nothing is trimmed while something waits`() {
        var rib = RIB(
            identity: Self.identity, assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        let source = rib.addPeer()
        rib.peerUp(source, Self.peer(2))
        Self.trim(&rib, false, "a replay waits")
        Self.settle(&rib)
        Self.trim(&rib, true, "nothing waits")
        rib.originate(Self.prefix(1), Self.set(1))
        Self.trim(&rib, false, "a prefix is to be decided")
        rib.decide(budget: .max)
        Self.trim(&rib, false, "an announcement is to be sent")
        Self.settle(&rib)
        Self.trim(&rib, true, "nothing waits")
    }

    /// Against a dictionary, with trims in between; 20 seeds.
    @Test(arguments: 0..<20 as Range<UInt64>) func `a prefix table that is trimmed at any time finds what it has`(
        seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        for family in AddressFamily.allCases {
            var table = PrefixTable(family: family, seed: seed)
            var known: [Prefix: PrefixIndex] = [:]
            for step in 0..<4000 {
                let number = random.next() % 700
                let address =
                    family == .ipv4
                    ? IPAddress(v4: UInt32(number) << 12) : IPAddress(high: 0x2001 << 48 | number << 8, low: 0)
                let prefix = Prefix(address, length: family == .ipv4 ? 24 : 64)
                // Phases of growth and of decline.
                if random.next() % 10 < (step / 500 % 2 == 0 ? 8 : 2) {
                    let index = table.insert(prefix)
                    #expect(known[prefix] == nil || known[prefix] == index)
                    known[prefix] = index
                } else if let index = known.removeValue(forKey: prefix) {
                    table.remove(index)
                }
                if random.next() % 50 == 0 {
                    table.trim()
                    let capacity = table.capacity
                    #expect(capacity == (known.values.max().map { Int($0) + 1 } ?? 0), "seed \(seed), step \(step)")
                }
            }
            let isRight =
                table.count == known.count
                && known.allSatisfy { table.find($0.key) == $0.value && table.prefix(at: $0.value) == $0.key }
            #expect(isRight, "seed \(seed)")
        }
    }
}
