import NetTypes

/// Extended communities of eight bytes each (RFC 4360). An unknown type is no error (RFC 7606 section 7.14).
public struct ExtendedCommunity: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Bit 6 of the type byte: set for a community that does not leave its AS (RFC 4360 section 2).
    public var isTransitive: Bool { rawValue >> 62 & 1 == 0 }
    public var description: String {
        "0x" + String(repeating: "0", count: max(0, 16 - String(rawValue, radix: 16).count))
            + String(rawValue, radix: 16)
    }
}

extension PathAttributes {
    mutating func readExtendedCommunities(_ value: RawSpan) -> AttributeFault? {
        guard value.byteCount > 0, value.byteCount % 8 == 0 else {
            return .withdraw(.extendedCommunities, "length is not a non-zero multiple of 8 (RFC 7606 7.14)")
        }
        var reader = ByteReader(value)
        while let raw = reader.u64() { extendedCommunities.append(ExtendedCommunity(rawValue: raw)) }
        return nil
    }

    func writeExtendedCommunities(into writer: inout ByteWriter) {
        guard !extendedCommunities.isEmpty else { return }
        writer.attributeHeader(
            .extendedCommunities, flags: optionalTransitive(.extendedCommunities), length: extendedCommunities.count * 8
        )
        for community in extendedCommunities { writer.u64(community.rawValue) }
    }
}
