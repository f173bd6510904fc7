import BGPMessages
import BGPRouting
import NetTypes
import Testing

/// What the tables cost, and that they give it back: the figures that `apus_path_bytes` and `apus_attribute_set_bytes`
/// export.
@Suite struct MemoryTests {
    private let identity = AttributeTable.Identity(
        localAS: ASNumber(1), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private func fill(_ rib: inout RIB, peers: [PeerIndex], prefixes: Int, set: PathAttributes) {
        for peer in peers {
            for number in 0..<prefixes {
                var builder = UpdateBuilder(family: .ipv4, maximumLength: 4096)
                builder.announce(
                    [OutboundNLRI(Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(number) << 8), length: 24))],
                    block: set.encoded(), nextHop: [])
                let message = builder.take()
                _ = try? rib.receive(message.bytes, from: peer, families: .all)
            }
        }
        rib.decide(budget: .max)
    }

    @Test
    func
        `a path beyond the first of its prefix costs at most 64 bytes, and a table that is withdrawn gives its memory back`()
        throws
    {
        var rib = RIB(
            identity: identity, assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        var set = PathAttributes()
        set.origin = .igp
        set.asPath = ASPath([])
        set.nextHop = IPAddress(v4: 0x0A00_0001)
        set.localPref = 100
        let peers = (0..<5).map { number -> PeerIndex in
            let index = rib.addPeer()
            rib.peerUp(
                index,
                RoutingPeer(
                    address: IPAddress(v4: 0x0A00_0001 + UInt32(number)),
                    identifier: BGPIdentifier(rawValue: 2 + UInt32(number)), asNumber: ASNumber(1), isInternal: true,
                    isClient: true, policy: ImportSettings(),
                    context: AttributeContext(isInternal: true, isFourOctetAS: true), profiles: [nil, nil]))
            return index
        }
        fill(&rib, peers: [peers[0]], prefixes: 20_000, set: set)
        let one = rib.tables[.ipv4].memory
        #expect(rib.tables[.ipv4].pathCount == 20_000)
        fill(&rib, peers: Array(peers.dropFirst()), prefixes: 20_000, set: set)
        #expect(rib.tables[.ipv4].pathCount == 100_000)
        let each = (rib.tables[.ipv4].memory - one) / 80_000
        #expect(each <= 64, "\(each) bytes a path")
        for peer in peers { rib.flush(peer, .ipv4, onlyStale: false) }
        rib.decide(budget: .max)
        var deliveries: [Delivery] = []
        var done: [RIB.ReplayDone] = []
        rib.export(replayBudget: .max, now: .zero, &deliveries, &done)
        #expect(rib.tables[.ipv4].prefixCount == 0)
        #expect(rib.tables[.ipv4].memory < one / 20, "\(rib.tables[.ipv4].memory) bytes are left")
        #expect(rib.attributes.count == 0 && rib.attributes.memory < 4096)
    }

    @Test func `an attribute set costs its own bytes and at most 100 more, and a table without sets next to nothing`() {
        var table = AttributeTable(identity: identity, assumesReachableNextHops: true, seed: 1)
        var handles: [AttributeHandle] = []
        var own = 0
        for number in 0..<50_000 {
            var set = PathAttributes()
            set.origin = .igp
            set.asPath = ASPath([64500, UInt32(number)])
            set.nextHop = IPAddress(v4: 0x0A00_0001)
            own += set.encoded().count
            handles.append(table.intern(set, separateNextHop: nil))
        }
        let beside = (table.memory - own) / handles.count
        // What arrays keep to grow into is in `memory`: between a half and all of what is used.
        #expect(beside <= 200, "\(beside) bytes beside the set's own")
        #expect(table.memoryPerSet <= 100, "\(table.memoryPerSet) bytes in use beside the set's own")
        for handle in handles { table.release(handle) }
        #expect(table.memory < 4096)
    }
}
