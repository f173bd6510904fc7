import BGPMessages
import NetTypes
import Testing

/// One attribute on the wire.
func attribute(_ flags: UInt8, _ type: UInt8, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
    let length = length ?? value.count
    return flags & 0x10 != 0
        ? [flags, type, UInt8(length >> 8), UInt8(length & 255)] + value : [flags, type, UInt8(length)] + value
}

func validate(_ block: [UInt8], internal isInternal: Bool = true, fourOctet: Bool = true) -> ValidatedAttributes {
    block.withBytes { UpdateValidation.decode($0, AttributeContext(isInternal: isInternal, isFourOctetAS: fourOctet)) }
}

let originIGP = attribute(0x40, 1, [0])
let path65000 = attribute(0x40, 2, [2, 1, 0, 0, 0xFD, 0xE8])
let nextHop = attribute(0x40, 3, [10, 0, 0, 1])
let mandatory = originIGP + path65000 + nextHop

@Suite struct ValidationTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: [UInt8]
        /// Nil: accepted.
        var internalAction: AttributeFault.Action?
        var externalAction: AttributeFault.Action?
        var testDescription: String { name }
        init(_ name: String, _ bytes: [UInt8], _ both: AttributeFault.Action?) {
            self.init(name, bytes, both, both)
        }
        init(
            _ name: String, _ bytes: [UInt8], _ internalAction: AttributeFault.Action?,
            _ externalAction: AttributeFault.Action?
        ) {
            self.name = name
            self.bytes = bytes
            self.internalAction = internalAction
            self.externalAction = externalAction
        }
    }

    static let rows: [Row] = [
        // RFC 7606 7.1
        Row("ORIGIN of 1", attribute(0x40, 1, [2]), nil),
        Row("ORIGIN of length 0", attribute(0x40, 1, []), .treatAsWithdraw),
        Row("ORIGIN of length 2", attribute(0x40, 1, [0, 0]), .treatAsWithdraw),
        Row("ORIGIN 3", attribute(0x40, 1, [3]), .treatAsWithdraw),
        Row("ORIGIN optional", attribute(0xC0, 1, [0]), .treatAsWithdraw),
        Row("ORIGIN not transitive", attribute(0x00, 1, [0]), .treatAsWithdraw),
        // 7.2
        Row("AS_PATH empty", attribute(0x40, 2, []), nil),
        Row("AS_PATH of a set", attribute(0x40, 2, [1, 1, 0, 0, 0, 9]), nil),
        Row("AS_PATH of type 0", attribute(0x40, 2, [0, 1, 0, 0, 0, 9]), .treatAsWithdraw),
        Row("AS_PATH of type 5", attribute(0x40, 2, [5, 1, 0, 0, 0, 9]), .treatAsWithdraw),
        Row("AS_PATH with an empty segment", attribute(0x40, 2, [2, 0]), .treatAsWithdraw),
        Row("AS_PATH overrun", attribute(0x40, 2, [2, 2, 0, 0, 0, 9]), .treatAsWithdraw),
        Row("AS_PATH underrun by one byte", attribute(0x40, 2, [2, 1, 0, 0, 0, 9, 2]), .treatAsWithdraw),
        Row("AS_PATH with AS 0 (RFC 7607)", attribute(0x40, 2, [2, 2, 0, 0, 0, 9, 0, 0, 0, 0]), .treatAsWithdraw),
        Row("AS_PATH with a confederation segment", attribute(0x40, 2, [3, 1, 0, 0, 0, 9]), .treatAsWithdraw),
        Row(
            "AS_PATH with a confederation set", attribute(0x40, 2, [2, 1, 0, 0, 0, 9, 4, 1, 0, 0, 0, 9]),
            .treatAsWithdraw),
        // 7.3
        Row("NEXT_HOP of length 3", attribute(0x40, 3, [10, 0, 0]), .treatAsWithdraw),
        Row("NEXT_HOP of length 5", attribute(0x40, 3, [10, 0, 0, 1, 1]), .treatAsWithdraw),
        Row("NEXT_HOP 0.0.0.0", attribute(0x40, 3, [0, 0, 0, 0]), .treatAsWithdraw),
        Row("NEXT_HOP loopback", attribute(0x40, 3, [127, 0, 0, 1]), .treatAsWithdraw),
        Row("NEXT_HOP multicast", attribute(0x40, 3, [224, 0, 0, 5]), .treatAsWithdraw),
        // 7.4, 7.5
        Row("MED", attribute(0x80, 4, [0, 0, 0, 1]), nil),
        Row("MED of length 3", attribute(0x80, 4, [0, 0, 1]), .treatAsWithdraw),
        Row("MED transitive", attribute(0xC0, 4, [0, 0, 0, 1]), .treatAsWithdraw),
        Row("LOCAL_PREF", attribute(0x40, 5, [0, 0, 0, 1]), nil, .attributeDiscard),
        Row("LOCAL_PREF of length 5", attribute(0x40, 5, [0, 0, 0, 1, 1]), .treatAsWithdraw, .attributeDiscard),
        // 7.6, 7.7
        Row("ATOMIC_AGGREGATE", attribute(0x40, 6, []), nil),
        Row("ATOMIC_AGGREGATE of length 1", attribute(0x40, 6, [1]), .attributeDiscard),
        Row("ATOMIC_AGGREGATE optional", attribute(0xC0, 6, []), .attributeDiscard),
        Row("AGGREGATOR", attribute(0xC0, 7, [0, 0, 0, 9, 10, 0, 0, 1]), nil),
        Row("AGGREGATOR of two bytes", attribute(0xC0, 7, [0, 9, 10, 0, 0, 1]), .attributeDiscard),
        Row("AGGREGATOR with AS 0 (RFC 7607)", attribute(0xC0, 7, [0, 0, 0, 0, 10, 0, 0, 1]), .attributeDiscard),
        Row("AGGREGATOR not optional", attribute(0x40, 7, [0, 0, 0, 9, 10, 0, 0, 1]), .attributeDiscard),
        // 7.8
        Row("COMMUNITIES", attribute(0xC0, 8, [0, 1, 0, 2]), nil),
        Row("COMMUNITIES empty", attribute(0xC0, 8, []), .treatAsWithdraw),
        Row("COMMUNITIES of 5", attribute(0xC0, 8, [0, 1, 0, 2, 3]), .treatAsWithdraw),
        // 7.9, 7.10
        Row("ORIGINATOR_ID", attribute(0x80, 9, [1, 1, 1, 1]), nil, .attributeDiscard),
        Row("ORIGINATOR_ID of 3", attribute(0x80, 9, [1, 1, 1]), .treatAsWithdraw, .attributeDiscard),
        Row("CLUSTER_LIST", attribute(0x80, 10, [1, 1, 1, 1]), nil, .attributeDiscard),
        Row("CLUSTER_LIST empty", attribute(0x80, 10, []), .treatAsWithdraw, .attributeDiscard),
        Row("CLUSTER_LIST of 6", attribute(0x80, 10, [1, 1, 1, 1, 2, 2]), .treatAsWithdraw, .attributeDiscard),
        // 7.14, RFC 8092 6
        Row("EXTENDED COMMUNITIES of unknown type", attribute(0xC0, 16, [0x7F, 0x7F, 0, 0, 0, 0, 0, 1]), nil),
        Row("EXTENDED COMMUNITIES of 9", attribute(0xC0, 16, [UInt8](repeating: 0, count: 9)), .treatAsWithdraw),
        Row("LARGE_COMMUNITY", attribute(0xC0, 32, [UInt8](repeating: 1, count: 12)), nil),
        Row("LARGE_COMMUNITY of 11", attribute(0xC0, 32, [UInt8](repeating: 1, count: 11)), .treatAsWithdraw),
        Row("LARGE_COMMUNITY empty", attribute(0xC0, 32, []), .treatAsWithdraw),
        // RFC 6793 4.1
        Row("AS4_PATH from a four-octet speaker", attribute(0xC0, 17, [2, 1, 0, 0, 0, 9]), .attributeDiscard),
        Row(
            "AS4_AGGREGATOR from a four-octet speaker", attribute(0xC0, 18, [0, 0, 0, 9, 1, 1, 1, 1]), .attributeDiscard
        ),
        // RFC 4271 5, 6.3
        Row("unknown optional transitive", attribute(0xC0, 99, [1, 2, 3]), nil),
        Row("unknown optional", attribute(0x80, 99, [1]), nil),
        Row("unknown well-known", attribute(0x40, 99, [1]), .treatAsWithdraw),
        Row("extended length", attribute(0x50, 1, [0]), nil),
        Row("overrun of the block", attribute(0x40, 1, [0], length: 9), .treatAsWithdraw),
        Row("two bytes left", [0x40, 1], .treatAsWithdraw),
    ]

    @Test(arguments: rows)
    func `each attribute error has the outcome of RFC 7606`(row: Row) {
        #expect(validate(row.bytes).action == row.internalAction)
        #expect(validate(row.bytes, internal: false).action == row.externalAction)
    }

    @Test func `the first of a repeated attribute counts and the strongest action wins (RFC 7606 3 g, h)`() {
        let twice = validate(
            attribute(0x80, 4, [0, 0, 0, 1]) + attribute(0x80, 4, [0, 0, 0, 2]) + attribute(0xC0, 99, [1])
                + attribute(0xC0, 99, [2]))
        #expect(twice.action == .attributeDiscard)
        #expect(twice.attributes.multiExitDisc == 1)
        #expect(twice.attributes.unknown.map(\.value) == [[1]])
        #expect(validate(attribute(0x40, 6, [1]) + attribute(0x40, 1, [9])).action == .treatAsWithdraw)
    }

    @Test func `missing mandatory attributes are withdrawals (RFC 7606 3 d)`() {
        func missing(_ block: [UInt8], _ ipv4: Bool = true) -> AttributeType? {
            UpdateValidation.missingMandatory(validate(block).attributes, hasIPv4NLRI: ipv4)?.type
        }
        #expect(missing(mandatory) == nil)
        #expect(missing(path65000 + nextHop) == .origin)
        #expect(missing(originIGP + nextHop) == .asPath)
        #expect(missing(originIGP + path65000) == .nextHop)
        #expect(missing(originIGP + path65000, false) == nil)
    }

    @Test func `every truncation of a whole block is a fault or a shorter block, and never a crash`() {
        let block =
            mandatory + attribute(0x80, 4, [0, 0, 0, 5]) + attribute(0xC0, 8, [0, 1, 0, 2])
            + attribute(0xC0, 99, [1, 2, 3])
        var boundaries: Set<Int> = [0]
        var offset = 0
        while offset < block.count {
            offset += 3 + Int(block[offset + 2])
            boundaries.insert(offset)
        }
        for length in 0...block.count {
            #expect(
                (validate(Array(block[..<length])).action == nil) == boundaries.contains(length), "length \(length)")
        }
    }
}

@Suite struct RoundTripTests {
    static func random(_ random: inout SeededRandom) -> PathAttributes {
        var result = PathAttributes()
        func some(_ random: inout SeededRandom) -> Bool { random.next() % 2 == 0 }
        func word(_ random: inout SeededRandom) -> UInt32 {
            UInt32(truncatingIfNeeded: random.next() % 5 == 0 ? random.next() : random.next() % 70000)
        }
        result.origin = Origin(rawValue: UInt8(random.next() % 3))
        result.asPath = ASPath(
            segments: (0..<(random.next() % 4)).map { _ in
                ASPath.Segment(
                    random.next() % 4 == 0 ? .set : .sequence,
                    (0..<(random.next() % 90 + 1)).map { _ in ASNumber(max(1, word(&random))) })
            })
        result.nextHop = IPAddress(v4: 0x0A00_0001 + UInt32(random.next() % 1000))
        if some(&random) { result.multiExitDisc = word(&random) }
        if some(&random) { result.localPref = word(&random) }
        result.atomicAggregate = some(&random)
        if some(&random) {
            result.aggregator = Aggregator(
                asNumber: ASNumber(max(1, word(&random))), address: IPAddress(v4: word(&random)))
        }
        result.communities = (0..<(random.next() % 100)).map { _ in Community(rawValue: word(&random)) }
        if some(&random) { result.originatorID = BGPIdentifier(rawValue: word(&random)) }
        result.clusterList = (0..<(random.next() % 5)).map { _ in BGPIdentifier(rawValue: word(&random)) }
        result.extendedCommunities = (0..<(random.next() % 5)).map { _ in ExtendedCommunity(rawValue: random.next()) }
        result.largeCommunities = (0..<(random.next() % 5)).map { _ in
            LargeCommunity(globalAdministrator: word(&random), localData1: word(&random), localData2: word(&random))
        }
        for type in [11, 21, 40, 99, 255] as [UInt8] where some(&random) {
            result.unknown.append(
                UnknownAttribute(
                    type: AttributeType(rawValue: type), flags: [.optional, .transitive, .partial],
                    value: (0..<(random.next() % 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }))
        }
        return result
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `random attributes survive the wire, and the canonical form is a fixed point`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let attributes = Self.random(&random)
        let bytes = attributes.encoded()
        let decoded = validate(bytes)
        #expect(decoded.faults.isEmpty, "seed \(seed)")
        #expect(decoded.attributes == attributes, "seed \(seed)")
        #expect(decoded.attributes.encoded() == bytes)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `a path goes through an old speaker unharmed (RFC 6793 4_2)`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var attributes = Self.random(&random)
        attributes.unknown = []
        var writer = ByteWriter()
        attributes.encode(isFourOctetAS: false, into: &writer)
        let decoded = validate(writer.bytes, fourOctet: false)
        #expect(decoded.faults.isEmpty, "seed \(seed)")
        #expect(
            decoded.attributes.asPath?.segments.flatMap(\.numbers) == attributes.asPath?.segments.flatMap(\.numbers),
            "seed \(seed)")
        #expect(decoded.attributes.aggregator == attributes.aggregator)
    }

    @Test
    func
        `a path of an old speaker that is too long in four bytes is withdrawn, and one that prepending makes too long does not crash`()
    {
        func path(_ segments: Int, _ bytes: Int) -> [UInt8] {
            let segment: [UInt8] = [2, 255] + [UInt8](repeating: 1, count: 255 * bytes)
            return attribute(0x50, 2, (0..<segments).flatMap { _ in segment })
        }
        #expect(validate(path(100, 2), fourOctet: false).action == .treatAsWithdraw)
        #expect(validate(path(60, 2), fourOctet: false).action == nil)
        let longest = validate(path(64, 4))
        #expect(longest.action == nil)
        var attributes = longest.attributes
        for _ in 0..<200 { attributes.asPath = attributes.asPath?.prepending(ASNumber(1)) }
        #expect(attributes.encoded().count > 0xFFFF)
    }

    @Test func `AS4 attributes are ignored where the AGGREGATOR shows that an old speaker aggregated (RFC 6793 4_2_3)`()
    {
        let block =
            originIGP + attribute(0x40, 2, [2, 2, 0x5B, 0xA0, 0, 9]) + nextHop + attribute(0xC0, 7, [0, 7, 1, 1, 1, 1])
            + attribute(0xC0, 17, [2, 1, 0, 1, 0, 1]) + attribute(0xC0, 18, [0, 1, 0, 1, 2, 2, 2, 2])
        let decoded = validate(block, fourOctet: false)
        #expect(decoded.attributes.asPath?.description == "23456 9")
        #expect(decoded.attributes.aggregator?.asNumber == ASNumber(7))
    }

    @Test
    func `an unknown transitive attribute is kept byte for byte with Partial set, others are dropped (RFC 4271 5)`() {
        let decoded = validate(attribute(0xC0, 99, [9, 8, 7]) + attribute(0x80, 98, [1]))
        #expect(decoded.attributes.encoded() == attribute(0xE0, 99, [9, 8, 7]))
    }

    @Test func `prepending opens a new segment for a set and for a full sequence (RFC 4271 5_1_2)`() {
        let full = ASPath(segments: [.init(.sequence, [ASNumber](repeating: ASNumber(7), count: 255))])
        #expect(full.prepending(ASNumber(1)).segments.map(\.numbers.count) == [1, 255])
        #expect(ASPath(segments: [.init(.set, [ASNumber(5)])]).prepending(ASNumber(1)).description == "1 {5}")
        #expect(ASPath([2, 3]).prepending(ASNumber(1)).description == "1 2 3")
        #expect(ASPath().prepending(ASNumber(1)).decisionLength == 1)
        #expect(
            ASPath(segments: [
                .init(.sequence, [ASNumber(1), ASNumber(2)]), .init(.set, [ASNumber(3), ASNumber(4)]),
                .init(.confedSequence, [ASNumber(5)]),
            ]).decisionLength == 3)
    }
}

@Suite struct BlockTests {
    static func block(_ bytes: [UInt8]) -> (
        error: NotificationMessage?, plain: [UInt8], gathered: [UInt8], isOverrun: Bool
    ) {
        bytes.withBytes { raw in
            do throws(NotificationMessage) {
                let block = try AttributeBlock(raw, AttributeContext(isInternal: true, isFourOctetAS: true))
                return (nil, Array(block.plain), block.gathered, block.isOverrun)
            } catch {
                return (error, [], [], false)
            }
        }
    }
    static let reach = attribute(
        0x80, 14, [0, 2, 1, 16] + [UInt8](repeating: 0x20, count: 16) + [0, 64, 0x20, 1, 0x0D, 0xB8, 0, 0, 0, 1])

    @Test func `the plain attributes are one piece where MP_REACH is first or last, and gathered where it is between`()
    {
        #expect(Self.block(Self.reach + mandatory).plain == mandatory)
        #expect(Self.block(mandatory + Self.reach).plain == mandatory)
        let between = Self.block(originIGP + Self.reach + path65000 + nextHop)
        #expect(between.plain.isEmpty && between.gathered == mandatory)
        #expect(Self.block(mandatory + [0x40]).isOverrun)
    }

    @Test func `multiprotocol attributes that cannot be trusted reset the session (RFC 7606 3 g, 5_3, 7_11)`() {
        #expect(Self.block(Self.reach + Self.reach).error == .malformedAttributeList)
        #expect(
            Self.block(attribute(0x80, 15, [0, 2, 1]) + attribute(0x80, 15, [0, 2, 1])).error == .malformedAttributeList
        )
        #expect(Self.block(attribute(0x80, 14, [0, 2, 1, 0])).error?.isOptionalAttributeError == true)
        #expect(Self.block(attribute(0x80, 15, [0, 2])).error?.isOptionalAttributeError == true)
        #expect(Self.block(attribute(0xC0, 15, [0, 2, 1])).error?.isOptionalAttributeError == true)
        #expect(
            Self.block(attribute(0x80, 14, [0, 2, 1, 15] + [UInt8](repeating: 1, count: 16))).error?
                .isOptionalAttributeError == true)
        #expect(
            Self.block(attribute(0x80, 15, [0, 2, 1, 129] + [UInt8](repeating: 1, count: 17))).error?
                .isOptionalAttributeError == true)
        #expect(Self.block(attribute(0x80, 15, [0, 2, 1, 64, 1])).error?.isOptionalAttributeError == true)
        // A family that we do not route is none of our business.
        #expect(Self.block(attribute(0x80, 14, [0, 25, 70, 4, 1, 1, 1, 1, 0, 9, 9, 9])).error == nil)
    }
}

extension NotificationMessage {
    fileprivate var isOptionalAttributeError: Bool { code == .updateMessage && subcode == 9 && data.count >= 3 }
}
