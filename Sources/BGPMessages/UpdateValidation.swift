import NetTypes

/// The attribute block of an UPDATE, cut into the multiprotocol attributes and the rest.
///
/// `plain` is what is interned: the same for every UPDATE that carries the same attributes, whatever its NLRI.
public struct AttributeBlock: ~Escapable {
    public let mpReach: MPReachNLRI?
    public let mpUnreach: MPUnreachNLRI?
    /// Every attribute but MP_REACH_NLRI and MP_UNREACH_NLRI, contiguous where the sender put those first or last.
    public let plain: RawSpan
    /// Where they stand between others, the rest is copied together here, and `plain` is empty.
    public let gathered: [UInt8]
    /// The block ends inside an attribute (RFC 7606 section 4): treat-as-withdraw.
    public let isOverrun: Bool
    public let isEmpty: Bool

    /// Throws session reset for a repeated or broken multiprotocol attribute (RFC 7606 3 g, 5.3).
    @_lifetime(copy block)
    public init(_ block: RawSpan, _ context: AttributeContext) throws(NotificationMessage) {
        var reader = ByteReader(block)
        var reach: MPReachNLRI?
        var unreach: MPUnreachNLRI?
        var gathered: [UInt8] = []
        var isOverrun = false
        var isEmpty = true
        var first: Int?
        var end = 0
        var isSplit = false
        while !reader.isEmpty {
            let offset = block.byteCount - reader.remaining
            guard let attribute = RawAttribute.next(&reader) else {
                isOverrun = true
                break
            }
            let next = block.byteCount - reader.remaining
            switch attribute.type {
            case .mpReachNLRI:
                guard reach == nil else { throw .malformedAttributeList }
                reach = try MPReachNLRI(attribute, context)
            case .mpUnreachNLRI:
                guard unreach == nil else { throw .malformedAttributeList }
                unreach = try MPUnreachNLRI(attribute, context)
            default:
                isEmpty = false
                if first == nil { first = offset } else if end != offset { isSplit = true }
                if isSplit && gathered.isEmpty, let first { gathered += [UInt8](block.part(first, end - first)) }
                if isSplit { gathered += [UInt8](block.part(offset, next - offset)) }
                end = next
            }
        }
        mpReach = reach
        mpUnreach = unreach
        plain = isSplit ? block.part(0, 0) : block.part(first ?? 0, end - (first ?? 0))
        self.gathered = gathered
        self.isOverrun = isOverrun
        self.isEmpty = isEmpty
    }
}

/// What RFC 7606 makes of an attribute block.
public struct ValidatedAttributes: Sendable {
    public var attributes = PathAttributes()
    /// Everything that was wrong, in order of appearance.
    public var faults: [AttributeFault] = []

    public init() {}

    /// The strongest action asked for (RFC 7606 3 h); nil where nothing is wrong.
    public var action: AttributeFault.Action? { faults.map(\.action).max() }
}

/// Decoding checks structure; this checks meaning, attribute by attribute.
public enum UpdateValidation {
    /// Decodes a block without its multiprotocol attributes. Never throws: every fault is a value.
    public static func decode(_ block: RawSpan, _ context: AttributeContext) -> ValidatedAttributes {
        var result = ValidatedAttributes()
        var reader = ByteReader(block)
        // One bit per type code, for repetitions.
        var seen: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        while !reader.isEmpty {
            guard let attribute = RawAttribute.next(&reader) else {
                result.faults.append(
                    .withdraw(AttributeType(rawValue: 0), "attribute overruns the attribute block (RFC 7606 4)"))
                break
            }
            guard mark(attribute.type.rawValue, &seen) else {
                result.faults.append(.discard(attribute.type, "repeated; the first one counts (RFC 7606 3 g)"))
                continue
            }
            if let fault = read(attribute, context: context, into: &result.attributes) {
                result.faults.append(fault)
            } else if attribute.flags.contains(.partial), attribute.type.prescribedFlags == [.optional, .transitive] {
                result.attributes.partial.insert(PartialAttributes(attribute.type))
            }
        }
        if !context.isFourOctetAS {
            result.attributes.mergeAS4()
            // Twice as long in four bytes: it must still be an attribute.
            if let path = result.attributes.asPath, path.encodedSize(bytes: 4) > 0xFFFF {
                result.attributes.asPath = nil
                result.faults.append(.withdraw(.asPath, "too long for an attribute in four bytes (RFC 6793 4.2.3)"))
            }
        }
        return result
    }

    /// Well-known attributes that an UPDATE with reachable NLRI must have (RFC 4271 5, RFC 7606 3 d).
    public static func missingMandatory(_ attributes: PathAttributes, hasIPv4NLRI: Bool) -> AttributeFault? {
        if attributes.origin == nil { return .withdraw(.origin, "missing (RFC 7606 3 d)") }
        if attributes.asPath == nil { return .withdraw(.asPath, "missing (RFC 7606 3 d)") }
        if hasIPv4NLRI, attributes.nextHop == nil { return .withdraw(.nextHop, "missing (RFC 7606 3 d)") }
        return nil
    }

    private static func read(_ attribute: RawAttribute, context: AttributeContext, into: inout PathAttributes)
        -> AttributeFault?
    {
        guard let prescribed = attribute.type.prescribedFlags else { return into.readUnknown(attribute) }
        // What external peers may not send goes first: it is discarded whatever it looks like.
        if !context.isInternal {
            switch attribute.type {
            case .localPref: return into.readLocalPref(attribute.value, context)
            case .originatorID: return into.readOriginatorID(attribute.value, context)
            case .clusterList: return into.readClusterList(attribute.value, context)
            default: break
            }
        }
        // RFC 7606 3 c, 3 f
        guard attribute.flags.intersection([.optional, .transitive]) == prescribed else {
            switch attribute.type {
            case .atomicAggregate, .aggregator, .as4Path, .as4Aggregator:
                return .discard(attribute.type, "wrong attribute flags (RFC 7606 3 f)")
            default: return .withdraw(attribute.type, "wrong attribute flags (RFC 7606 3 c)")
            }
        }
        switch attribute.type {
        case .origin: return into.readOrigin(attribute.value)
        case .asPath: return into.readASPath(attribute.value, context)
        case .nextHop: return into.readNextHop(attribute.value)
        case .multiExitDisc: return into.readMultiExitDisc(attribute.value)
        case .localPref: return into.readLocalPref(attribute.value, context)
        case .atomicAggregate: return into.readAtomicAggregate(attribute.value)
        case .aggregator: return into.readAggregator(attribute.value, context)
        case .communities: return into.readCommunities(attribute.value)
        case .originatorID: return into.readOriginatorID(attribute.value, context)
        case .clusterList: return into.readClusterList(attribute.value, context)
        case .extendedCommunities: return into.readExtendedCommunities(attribute.value)
        case .as4Path: return into.readAS4Path(attribute.value, context)
        case .as4Aggregator: return into.readAS4Aggregator(attribute.value, context)
        case .largeCommunities: return into.readLargeCommunities(attribute.value)
        case .ipv6ExtendedCommunities: return into.readIPv6ExtendedCommunities(attribute)
        case .onlyToCustomer: return into.readOnlyToCustomer(attribute.value)
        default: return nil
        }
    }

    private static func mark(_ type: UInt8, _ seen: inout (UInt64, UInt64, UInt64, UInt64)) -> Bool {
        let bit = UInt64(1) << UInt64(type & 63)
        func test(_ word: inout UInt64) -> Bool {
            defer { word |= bit }
            return word & bit == 0
        }
        switch type >> 6 {
        case 0: return test(&seen.0)
        case 1: return test(&seen.1)
        case 2: return test(&seen.2)
        default: return test(&seen.3)
        }
    }
}
