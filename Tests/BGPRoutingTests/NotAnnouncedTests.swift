import BGPMessages
import BGPRouting
import NetTypes
import Testing

/// Why a peer does not have a route announced (`RIB.whyNotAnnounced`).
@Suite struct NotAnnouncedTests {
    private static let prefix = Prefix(IPAddress(v4: 0x0B00_0000), length: 24)

    /// A RIB with two external peers that take 4,096 bytes, and their indices.
    private static func rib(_ peers: inout [PeerIndex]) -> RIB {
        var rib = RIB(
            identity: AttributeTable.Identity(
                localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1)),
            assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        for number in 0..<2 as Range<UInt32> {
            var profile = ExportProfile(family: .ipv4, isInternal: false, localAS: ASNumber(64512))
            profile.nextHop.own = IPAddress(v4: 0x0A00_0001)
            profile.nextHop.mode = .keep
            let index = rib.addPeer()
            rib.peerUp(
                index,
                RoutingPeer(
                    address: IPAddress(v4: 0x0A00_0002 + number), identifier: BGPIdentifier(rawValue: 2 + number),
                    asNumber: ASNumber(65001 + number), isInternal: false,
                    isClient: false, policy: ImportSettings(),
                    context: AttributeContext(isInternal: false, isFourOctetAS: true), profiles: [profile, nil]))
            peers.append(index)
        }
        return rib
    }

    private static func attributes(communities: Int = 0) -> PathAttributes {
        var set = PathAttributes()
        set.origin = .igp
        set.asPath = ASPath([])
        set.communities = (0..<communities).map { Community(rawValue: 0xFC00_0000 + UInt32($0)) }
        return set
    }

    private static func index(_ rib: borrowing RIB, _ prefix: Prefix) throws -> PrefixIndex {
        let found = rib.tables[prefix.family].find(prefix)
        return try #require(found)
    }

    private static func settle(_ rib: inout RIB) {
        rib.decide(budget: .max)
        var deliveries: [Delivery] = []
        var done: [RIB.ReplayDone] = []
        for second in 1..<10 as Range<Int64> {
            rib.export(replayBudget: 1000, now: Instant(nanoseconds: second * 1_000_000_000), &deliveries, &done)
        }
    }

    @Test func `an UPDATE that the peer cannot take has a reason of its own, as long as it is too large`() throws {
        var peers: [PeerIndex] = []
        var rib = Self.rib(&peers)
        Self.settle(&rib)
        // 1,100 communities are 4,400 bytes.
        rib.originate(Self.prefix, Self.attributes(communities: 1100))
        let waiting = try Self.index(rib, Self.prefix)
        #expect(rib.whyNotAnnounced(waiting, .ipv4, to: peers[0]) == .undecided)
        Self.settle(&rib)
        let index = try Self.index(rib, Self.prefix)
        for peer in peers { #expect(rib.whyNotAnnounced(index, .ipv4, to: peer) == .tooLarge) }
        rib.originate(Self.prefix, Self.attributes())
        Self.settle(&rib)
        for peer in peers { #expect(rib.whyNotAnnounced(index, .ipv4, to: peer) == nil) }
        rib.originate(Self.prefix, Self.attributes(communities: 1200))
        Self.settle(&rib)
        for peer in peers { #expect(rib.whyNotAnnounced(index, .ipv4, to: peer) == .tooLarge) }
    }

    @Test func `the peer that is the next hop, and a family that was not agreed on, are told apart`() throws {
        var peers: [PeerIndex] = []
        var rib = Self.rib(&peers)
        var update = UpdateBuilder(family: .ipv4, maximumLength: 4096)
        var set = Self.attributes()
        set.asPath = ASPath([65001])
        set.nextHop = IPAddress(v4: 0x0A00_0003)
        update.announce([OutboundNLRI(Self.prefix)], block: set.encoded(), nextHop: [])
        let message = update.take()
        _ = try rib.receive(message.bytes, from: peers[0], families: .all)
        Self.settle(&rib)
        let index = try Self.index(rib, Self.prefix)
        #expect(rib.whyNotAnnounced(index, .ipv4, to: peers[0]) == .splitHorizon)
        #expect(rib.whyNotAnnounced(index, .ipv4, to: peers[1]) == .peerIsNextHop)
        let six = Prefix(IPAddress(high: 0xFD00_0000_0000_0000, low: 0), length: 64)
        rib.originate(six, Self.attributes())
        Self.settle(&rib)
        let sixth = try Self.index(rib, six)
        #expect(rib.whyNotAnnounced(sixth, .ipv6, to: peers[1]) == .familyNotNegotiated)
    }

    @Test func `thousands of members cost a judgment for each group, and exceptions are still told apart`() throws {
        var rib = RIB(
            identity: AttributeTable.Identity(
                localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1)),
            assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        var peers: [PeerIndex] = []
        for number in 0..<5000 as Range<UInt32> {
            // Clients, others and external peers by turns: three groups.
            var profile = ExportProfile(
                family: .ipv4, isInternal: number % 3 != 2, localAS: ASNumber(64512))
            profile.isClient = number % 3 == 0
            profile.nextHop.own = IPAddress(v4: 0x0A00_0001)
            profile.nextHop.mode = .keep
            let index = rib.addPeer()
            rib.peerUp(
                index,
                RoutingPeer(
                    address: IPAddress(v4: 0x0A01_0000 + number), identifier: BGPIdentifier(rawValue: 2 + number),
                    asNumber: ASNumber(number % 3 == 2 ? 65001 : 64512), isInternal: number % 3 != 2,
                    isClient: number % 3 == 0, policy: ImportSettings(),
                    context: AttributeContext(isInternal: number % 3 != 2, isFourOctetAS: true),
                    profiles: [profile, nil]))
            peers.append(index)
        }
        Self.settle(&rib)
        // From a peer that is no client, with another one as next hop.
        var set = Self.attributes()
        set.localPref = 100
        set.nextHop = IPAddress(v4: 0x0A01_0003)
        var update = UpdateBuilder(family: .ipv4, maximumLength: 4096)
        update.announce([OutboundNLRI(Self.prefix)], block: set.encoded(), nextHop: [])
        let message = update.take()
        _ = try rib.receive(message.bytes, from: peers[1], families: .all)
        Self.settle(&rib)
        let index = try Self.index(rib, Self.prefix)
        var verdicts = GroupVerdicts(of: index, .ipv4)
        for (number, peer) in peers.enumerated() {
            let reason = rib.whyNotAnnounced(to: peer, &verdicts)
            let wanted: RIB.NotAnnounced? =
                switch number {
                case 1: .splitHorizon
                case 3: .peerIsNextHop
                default: number % 3 == 1 ? .policy(.notReflected) : nil
                }
            #expect(reason == wanted, "\(number)")
        }
        #expect(verdicts.judged == 3)
    }
}
