public import NetTypes

/// The type code of a path attribute (IANA registry). Unknown codes survive.
public struct AttributeType: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let origin = AttributeType(rawValue: 1)
    public static let asPath = AttributeType(rawValue: 2)
    public static let nextHop = AttributeType(rawValue: 3)
    public static let multiExitDisc = AttributeType(rawValue: 4)
    public static let localPref = AttributeType(rawValue: 5)
    public static let atomicAggregate = AttributeType(rawValue: 6)
    public static let aggregator = AttributeType(rawValue: 7)
    public static let communities = AttributeType(rawValue: 8)
    public static let originatorID = AttributeType(rawValue: 9)
    public static let clusterList = AttributeType(rawValue: 10)
    public static let mpReachNLRI = AttributeType(rawValue: 14)
    public static let mpUnreachNLRI = AttributeType(rawValue: 15)
    public static let extendedCommunities = AttributeType(rawValue: 16)
    public static let as4Path = AttributeType(rawValue: 17)
    public static let as4Aggregator = AttributeType(rawValue: 18)
    public static let ipv6ExtendedCommunities = AttributeType(rawValue: 25)
    public static let largeCommunities = AttributeType(rawValue: 32)
    public static let onlyToCustomer = AttributeType(rawValue: 35)

    /// The Optional and Transitive bits that the attribute's RFC prescribes; nil for an attribute that Apus does not
    /// know.
    public var prescribedFlags: AttributeFlags? {
        switch self {
        case .origin, .asPath, .nextHop, .localPref, .atomicAggregate: .transitive
        case .multiExitDisc, .originatorID, .clusterList, .mpReachNLRI, .mpUnreachNLRI: .optional
        case .aggregator, .communities, .extendedCommunities, .as4Path, .as4Aggregator, .largeCommunities,
            .ipv6ExtendedCommunities, .onlyToCustomer:
            [.optional, .transitive]
        default: nil
        }
    }

    /// The name in the RFCs, or `attribute N`.
    public var name: String {
        switch self {
        case .origin: "ORIGIN"
        case .asPath: "AS_PATH"
        case .nextHop: "NEXT_HOP"
        case .multiExitDisc: "MULTI_EXIT_DISC"
        case .localPref: "LOCAL_PREF"
        case .atomicAggregate: "ATOMIC_AGGREGATE"
        case .aggregator: "AGGREGATOR"
        case .communities: "COMMUNITIES"
        case .originatorID: "ORIGINATOR_ID"
        case .clusterList: "CLUSTER_LIST"
        case .mpReachNLRI: "MP_REACH_NLRI"
        case .mpUnreachNLRI: "MP_UNREACH_NLRI"
        case .extendedCommunities: "EXTENDED COMMUNITIES"
        case .as4Path: "AS4_PATH"
        case .as4Aggregator: "AS4_AGGREGATOR"
        case .ipv6ExtendedCommunities: "IPv6 EXTENDED COMMUNITIES"
        case .largeCommunities: "LARGE_COMMUNITY"
        case .onlyToCustomer: "OTC"
        default: "attribute \(rawValue)"
        }
    }
}

/// The flags byte of a path attribute (RFC 4271 section 4.3).
public struct AttributeFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let optional = AttributeFlags(rawValue: 0x80)
    public static let transitive = AttributeFlags(rawValue: 0x40)
    public static let partial = AttributeFlags(rawValue: 0x20)
    public static let extendedLength = AttributeFlags(rawValue: 0x10)
    /// What goes on to other peers: Extended Length belongs to the encoding, and the unused low-order bits MUST be zero
    /// when sent (RFC 4271 4.3).
    public static let forwarded: AttributeFlags = [.optional, .transitive, .partial]
}

/// Attributes that came with the Partial bit. Once set it MUST NOT be set back to 0 (RFC 4271 5), so it belongs to the
/// value.
public struct PartialAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The set with one attribute in it. Types from 64 on are kept as `UnknownAttribute`, with flags of their own.
    public init(_ type: AttributeType) { rawValue = type.rawValue < 64 ? 1 << UInt64(type.rawValue) : 0 }
}

/// One attribute of a block: its header read, its value a view.
public struct RawAttribute: ~Escapable {
    public let flags: AttributeFlags
    public let type: AttributeType
    public let value: RawSpan

    @_lifetime(copy value)
    private init(flags: AttributeFlags, type: AttributeType, value: RawSpan) {
        self.flags = flags
        self.type = type
        self.value = value
    }

    /// Reads the next attribute. Nil where fewer than 3 (or 4) bytes are left, or the value would overrun the block
    /// (RFC 7606 section 4).
    @inline(__always)
    @_lifetime(copy reader)
    public static func next(_ reader: inout ByteReader) -> RawAttribute? {
        guard let rawFlags = reader.u8(), let rawType = reader.u8() else { return nil }
        let flags = AttributeFlags(rawValue: rawFlags)
        guard let length = flags.contains(.extendedLength) ? reader.u16().map(Int.init) : reader.u8().map(Int.init),
            let value = reader.take(length)
        else { return nil }
        return RawAttribute(flags: flags, type: AttributeType(rawValue: rawType), value: value)
    }
}

extension ByteWriter {
    /// Flags, type and length of an attribute; the extended form where the length exceeds 255. Unused flag bits are
    /// sent as zero.
    ///
    /// A value beyond 65,535 bytes (a path that just fitted and was prepended to, say) gets a length that does not
    /// hold: its block fits into no message, and `UpdateBuilder.fits` keeps it from being sent.
    public mutating func attributeHeader(_ type: AttributeType, flags: AttributeFlags, length: Int) {
        let flags = flags.intersection(.forwarded)
        if length > 255 {
            u8(flags.union(.extendedLength).rawValue)
            u8(type.rawValue)
            u16(UInt16(clamping: length))
        } else {
            u8(flags.rawValue)
            u8(type.rawValue)
            u8(UInt8(length))
        }
    }
}
