public import NetTypes

/// AGGREGATOR (RFC 4271 section 5.1.7, RFC 6793): an AS number of 4 bytes (2 with an old speaker) and an IPv4 address.
public struct Aggregator: Sendable, Hashable, CustomStringConvertible {
    public var asNumber: ASNumber
    public var address: IPAddress
    public init(asNumber: ASNumber, address: IPAddress) {
        self.asNumber = asNumber
        self.address = address
    }
    public var description: String { "\(asNumber) \(address)" }

    static func decode(_ value: RawSpan, bytes: Int) -> Aggregator? {
        var reader = ByteReader(value)
        guard value.byteCount == bytes + 4, let number = bytes == 4 ? reader.u32() : reader.u16().map(UInt32.init),
            let address = reader.u32()
        else { return nil }
        return Aggregator(asNumber: ASNumber(number), address: IPAddress(v4: address))
    }
}

extension PathAttributes {
    mutating func readAggregator(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        guard let decoded = Aggregator.decode(value, bytes: context.isFourOctetAS ? 4 : 2) else {
            return .discard(.aggregator, "length is not \(context.isFourOctetAS ? 8 : 6) (RFC 7606 7.7)")
        }
        guard decoded.asNumber != .zero else { return .discard(.aggregator, "AS 0 (RFC 7607 2)") }
        aggregator = decoded
        return nil
    }

    mutating func readAS4Aggregator(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        guard !context.isFourOctetAS else {
            return .discard(.as4Aggregator, "sent by a four-octet speaker (RFC 6793 4.1)")
        }
        guard let decoded = Aggregator.decode(value, bytes: 4), decoded.asNumber != .zero else {
            return .discard(.as4Aggregator, "malformed (RFC 6793 6)")
        }
        as4Aggregator = decoded
        return nil
    }

    func writeAggregator(_ bytes: Int, into writer: inout ByteWriter) {
        guard let aggregator else { return }
        writer.attributeHeader(.aggregator, flags: optionalTransitive(.aggregator), length: bytes + 4)
        if bytes == 4 { writer.u32(aggregator.asNumber.rawValue) } else { writer.u16(aggregator.asNumber.twoBytes) }
        writer.u32(aggregator.address.v4)
    }

    /// Towards an old speaker, and only where the number does not fit (RFC 6793 section 4.2.2).
    func writeAS4Aggregator(into writer: inout ByteWriter) {
        guard let aggregator, aggregator.asNumber.rawValue > 0xFFFF else { return }
        writer.attributeHeader(.as4Aggregator, flags: optionalTransitive(.aggregator), length: 8)
        writer.u32(aggregator.asNumber.rawValue)
        writer.u32(aggregator.address.v4)
    }
}
