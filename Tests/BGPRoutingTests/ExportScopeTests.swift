import BGPMessages
import BGPRouting
import NetTypes
import Testing

/// `export: pools` and `reexportPrepend` in the routing core.
@Suite struct ExportScopeTests {
    private static let block = Prefix(IPAddress(v4: 0x0A41_0200), length: 26)
    private static let other = Prefix(IPAddress(v4: 0x0A4D_0200), length: 26)
    private static let pool = Prefix(IPAddress(v4: 0x0A41_0000), length: 16)
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private static func profile(isInternal: Bool) -> ExportProfile {
        var profile = ExportProfile(family: .ipv4, isInternal: isInternal, localAS: identity.localAS)
        profile.nextHop.own = IPAddress(v4: 0x0A00_0001)
        profile.mode = .pools
        profile.isClient = isInternal
        profile.reexportPrepend = isInternal ? 0 : 1
        return profile
    }

    /// An owner (internal), and who is to hear of its routes: an external peer, and a client of ours.
    private static func rib() throws -> (RIBBox, [PeerIndex]) {
        let box = RIBBox(
            RIB(identity: identity, assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1))
        var peers: [PeerIndex] = []
        for number in 0..<3 as Range<UInt32> {
            let isInternal = number != 1
            let index = box.rib.addPeer()
            box.rib.peerUp(
                index,
                RoutingPeer(
                    address: IPAddress(v4: 0x0A00_0002 + number), identifier: BGPIdentifier(rawValue: 2 + number),
                    asNumber: isInternal ? identity.localAS : ASNumber(65001), isInternal: isInternal,
                    isClient: isInternal, policy: ImportSettings(),
                    context: AttributeContext(isInternal: isInternal, isFourOctetAS: true),
                    profiles: [profile(isInternal: isInternal), nil]))
            peers.append(index)
        }
        var update = UpdateBuilder(family: .ipv4, maximumLength: 4096)
        update.announce([OutboundNLRI(block), OutboundNLRI(other)], block: attributes.encoded(), nextHop: [])
        let message = update.take()
        _ = try box.rib.receive(message.bytes, from: peers[0], families: .all)
        box.settle()
        return (box, peers)
    }

    private static var attributes: PathAttributes {
        var set = PathAttributes()
        set.origin = .igp
        set.asPath = ASPath([])
        set.localPref = 100
        set.nextHop = IPAddress(v4: 0x0A00_0002)
        return set
    }

    private final class RIBBox {
        var rib: RIB
        init(_ rib: consuming RIB) { self.rib = rib }
        func settle() {
            rib.decide(budget: .max)
            var deliveries: [Delivery] = []
            var done: [RIB.ReplayDone] = []
            for second in 1..<5 as Range<Int64> {
                rib.export(replayBudget: 1000, now: Instant(nanoseconds: second * 1_000_000_000), &deliveries, &done)
            }
        }
        func why(_ prefix: Prefix, _ peer: PeerIndex) throws -> RIB.NotAnnounced? {
            let found = rib.tables[.ipv4].find(prefix)
            return rib.whyNotAnnounced(try #require(found), .ipv4, to: peer)
        }
    }

    @Test func `routes of others pass inside pools alone, and a change decides only what it is about`() throws {
        let (box, peers) = try Self.rib()
        for peer in peers.dropFirst() {
            #expect(try box.why(Self.block, peer) == .policy(.outsidePools))
        }
        box.rib.setExportScope(ExportScope(included: [Self.pool]))
        #expect(box.rib.dirtyCount == 1)
        box.settle()
        for peer in peers.dropFirst() {
            #expect(try box.why(Self.block, peer) == nil)
            #expect(try box.why(Self.other, peer) == .policy(.outsidePools))
        }
        box.rib.setExportScope(ExportScope(included: [Self.pool]))
        #expect(box.rib.dirtyCount == 0)
        box.rib.setExportScope(ExportScope(included: [Self.pool], excluded: [Self.pool]))
        #expect(box.rib.dirtyCount == 1)
        box.settle()
        for peer in peers.dropFirst() { #expect(try box.why(Self.block, peer) == .policy(.exportDisabled)) }
    }

    @Test func `a prefix that covers a pool is outside of it`() {
        let scope = ExportScope(included: [Self.block])
        #expect(scope.refusal(Self.block) == nil && scope.refusal(Self.pool) == .outsidePools)
        #expect(scope.refusal(.default(.ipv6)) == .outsidePools)
    }

    @Test func `the AS stands once more before another node's route with our own next hop, and before no other`() {
        func path(_ source: RouteSource, _ change: (inout ExportProfile) -> Void = { _ in }) -> Int? {
            var profile = Self.profile(isInternal: false)
            change(&profile)
            return OutboundAttributes.transform(
                Self.attributes, source: source, sourceIdentifier: BGPIdentifier(rawValue: 2), profile: profile,
                identity: Self.identity
            ).asPath?.decisionLength
        }
        #expect(path(.nonClient) == 2 && path(.client) == 2)
        #expect(path(.local) == 1 && path(.external) == 1)
        #expect(path(.nonClient) { $0.nextHop.mode = .keep } == 1)
        #expect(path(.nonClient) { $0.reexportPrepend = 0 } == 1)
        #expect(path(.nonClient) { $0.reexportPrepend = 10 } == 11)
    }
}
