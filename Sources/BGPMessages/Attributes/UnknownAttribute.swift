import NetTypes

/// An attribute that Apus does not know. Optional transitive ones are kept byte for byte with the Partial bit set;
/// optional non-transitive ones are dropped silently (RFC 4271 section 5).
public struct UnknownAttribute: Sendable, Hashable {
    public var type: AttributeType
    public var flags: AttributeFlags
    public var value: [UInt8]
    public init(type: AttributeType, flags: AttributeFlags, value: [UInt8]) {
        self.type = type
        self.flags = flags
        self.value = value
    }
}

extension PathAttributes {
    mutating func readUnknown(_ attribute: RawAttribute) -> AttributeFault? {
        guard attribute.flags.contains(.optional) else {
            // RFC 4271 6.3 asks for a reset; RFC 7606 speakers withdraw, because the NLRI is still intact.
            return .withdraw(attribute.type, "unrecognized well-known attribute (RFC 4271 6.3, RFC 7606 2)")
        }
        guard attribute.flags.contains(.transitive) else { return nil }
        unknown.append(
            UnknownAttribute(
                type: attribute.type, flags: attribute.flags.intersection(.forwarded).union(.partial),
                value: [UInt8](attribute.value)))
        return nil
    }

    /// IPv6 address specific extended communities (RFC 5701): judged by their length (RFC 7606 7.15), passed on as they
    /// are.
    mutating func readIPv6ExtendedCommunities(_ attribute: RawAttribute) -> AttributeFault? {
        guard attribute.value.byteCount > 0, attribute.value.byteCount % 20 == 0 else {
            return .withdraw(.ipv6ExtendedCommunities, "length is not a non-zero multiple of 20 (RFC 7606 7.15)")
        }
        unknown.append(
            UnknownAttribute(
                type: attribute.type, flags: attribute.flags.intersection(.forwarded), value: [UInt8](attribute.value)))
        return nil
    }

    static func write(_ attribute: UnknownAttribute, into writer: inout ByteWriter) {
        writer.attributeHeader(attribute.type, flags: attribute.flags, length: attribute.value.count)
        writer.append(attribute.value)
    }
}
