import BGPMessages
import BGPRouting
import NetTypes
import Testing

@Suite struct ReflectionTests {
    static func randomAttributes(_ random: inout SeededRandom) -> PathAttributes {
        func number(_ bound: UInt64) -> UInt64 { random.next() % bound }
        func some<Value>(_ make: () -> Value) -> Value? { number(2) == 0 ? make() : nil }
        var set = PathAttributes()
        set.origin = Origin(rawValue: UInt8(number(3)))
        set.asPath = ASPath((0..<number(4)).map { _ in 1 + UInt32(number(100_000)) })
        set.nextHop = IPAddress(v4: 0x0A00_0000 + UInt32(number(1000)) + 1)
        set.localPref = UInt32(number(1000))
        set.multiExitDisc = some { UInt32(number(1000)) }
        set.atomicAggregate = number(2) == 0
        set.aggregator = some { Aggregator(asNumber: ASNumber(7), address: IPAddress(v4: 9)) }
        set.communities = (0..<number(4)).map { _ in Community(rawValue: UInt32(number(1 << 32))) }
        set.originatorID = some { BGPIdentifier(rawValue: 1 + UInt32(number(1000))) }
        set.clusterList = (0..<number(70)).map { _ in BGPIdentifier(rawValue: UInt32(number(1000))) }
        set.extendedCommunities = (0..<number(3)).map { _ in ExtendedCommunity(rawValue: random.next()) }
        set.largeCommunities = (0..<number(3)).map { _ in
            LargeCommunity(globalAdministrator: 1, localData1: 2, localData2: UInt32(number(9)))
        }
        set.onlyToCustomer = some { ASNumber(65000) }
        if number(3) == 0 {
            set.unknown = [
                UnknownAttribute(
                    type: AttributeType(rawValue: 200), flags: [.optional, .transitive, .partial], value: [1, 2, 3])
            ]
        }
        return set
    }

    @Test(arguments: 0..<500 as Range<UInt64>)
    func `reflection by bytes is reflection by attributes`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let set = Self.randomAttributes(&random)
        let identity = AttributeTable.Identity(
            localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 77), clusterID: BGPIdentifier(rawValue: 88))
        let profile = ExportProfile(family: .ipv4, isInternal: true, localAS: ASNumber(64512))
        let source = BGPIdentifier(rawValue: 99)
        let slow = OutboundAttributes.transform(
            set, source: .client, sourceIdentifier: source, profile: profile, identity: identity
        ).encoded()
        let fast = set.encoded().withBytes {
            OutboundAttributes.reflect($0, originator: source, clusterID: identity.clusterID)
        }
        #expect(fast == slow, "seed \(seed)")
    }
}
