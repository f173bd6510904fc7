public import NetTypes

/// The path attributes of a route, decoded: everything but the NLRI. One property per attribute.
///
/// The canonical encoding (`encoded`) has the attributes in ascending order of type, four-octet AS numbers and no
/// repetition, so that two routes have equal attributes exactly where the bytes are equal.
public struct PathAttributes: Sendable, Hashable {
    public var origin: Origin?
    public var asPath: ASPath?
    /// NEXT_HOP of IPv4 routes, or the global next hop of MP_REACH_NLRI.
    public var nextHop: IPAddress?
    public var multiExitDisc: UInt32?
    public var localPref: UInt32?
    public var atomicAggregate = false
    public var aggregator: Aggregator?
    public var communities: [Community] = []
    public var originatorID: BGPIdentifier?
    public var clusterList: [BGPIdentifier] = []
    public var extendedCommunities: [ExtendedCommunity] = []
    public var largeCommunities: [LargeCommunity] = []
    /// OTC: the route may go to customers only (RFC 9234 section 5).
    public var onlyToCustomer: ASNumber?
    /// Optional transitive attributes that Apus passes on without looking into them.
    public var unknown: [UnknownAttribute] = []
    /// Optional transitive attributes among those above that came with the Partial bit.
    public var partial: PartialAttributes = []
    /// Only while decoding what an old speaker sent.
    var as4Path: ASPath?
    var as4Aggregator: Aggregator?

    public init() {}

    /// The canonical block. NEXT_HOP is part of it for IPv4; an IPv6 next hop travels in MP_REACH_NLRI and is not.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        encode(isFourOctetAS: true, into: &writer)
        return writer.bytes
    }

    /// Appends the block, for a peer with four-octet AS numbers or an old one (RFC 6793 section 4.2.2).
    public func encode(isFourOctetAS: Bool, into writer: inout ByteWriter) {
        let bytes = isFourOctetAS ? 4 : 2
        var rest = unknown.sorted { $0.type.rawValue < $1.type.rawValue }
        func flush(below type: UInt8) {
            while let first = rest.first, first.type.rawValue < type {
                PathAttributes.write(first, into: &writer)
                rest.removeFirst()
            }
        }
        // Type 0 is reserved, and survives like any other.
        flush(below: AttributeType.origin.rawValue)
        writeOrigin(into: &writer)
        writeASPath(bytes, into: &writer)
        writeNextHop(into: &writer)
        writeMultiExitDisc(into: &writer)
        writeLocalPref(into: &writer)
        writeAtomicAggregate(into: &writer)
        writeAggregator(bytes, into: &writer)
        writeCommunities(into: &writer)
        writeOriginatorID(into: &writer)
        writeClusterList(into: &writer)
        flush(below: AttributeType.extendedCommunities.rawValue)
        writeExtendedCommunities(into: &writer)
        if !isFourOctetAS {
            writeAS4Path(into: &writer)
            writeAS4Aggregator(into: &writer)
        }
        flush(below: AttributeType.largeCommunities.rawValue)
        writeLargeCommunities(into: &writer)
        flush(below: AttributeType.onlyToCustomer.rawValue)
        writeOnlyToCustomer(into: &writer)
        for attribute in rest { PathAttributes.write(attribute, into: &writer) }
    }

    /// The flags of an optional transitive attribute as it is sent: with the Partial bit where it came with it (RFC
    /// 4271 5).
    func optionalTransitive(_ type: AttributeType) -> AttributeFlags {
        partial.contains(PartialAttributes(type)) ? [.optional, .transitive, .partial] : [.optional, .transitive]
    }

    /// RFC 6793 section 4.2.3: what an old speaker sent, in four bytes.
    mutating func mergeAS4() {
        defer {
            as4Path = nil
            as4Aggregator = nil
            partial.remove(PartialAttributes(.as4Path))
            partial.remove(PartialAttributes(.as4Aggregator))
        }
        if let aggregator, aggregator.asNumber != .trans, as4Aggregator != nil { return }
        if let as4Aggregator, aggregator != nil {
            aggregator = as4Aggregator
            // One value from here on: Partial on either of the two stays.
            if partial.contains(PartialAttributes(.as4Aggregator)) { partial.insert(PartialAttributes(.aggregator)) }
        }
        if let as4Path, let asPath { self.asPath = asPath.merged(withAS4Path: as4Path) }
    }
}
