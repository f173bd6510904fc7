public import NetTypes

/// Network layer reachability information: a list of prefixes (RFC 4271 section 4.3, RFC 4760 section 5).
///
/// ```
/// | path identifier 4, with ADD-PATH (RFC 7911 section 3) | length in bits 1 | prefix: as many bytes as the bits need |
/// ```
public enum NLRI {
    /// Reads the next prefix; host bits are masked. Nil where the length is beyond the family's, or the bytes run out
    /// (RFC 7606 5.3).
    @inline(__always)
    public static func next(_ reader: inout ByteReader, _ family: AddressFamily) -> Prefix? {
        guard let rawLength = reader.u8() else { return nil }
        let length = Int(rawLength)
        let bytes = (length + 7) >> 3
        guard length <= family.bits else { return nil }
        guard bytes > 8 else {
            return reader.leading(bytes).map { Prefix(IPAddress(high: $0, low: 0, family: family), length: length) }
        }
        guard let high = reader.u64(), let low = reader.leading(bytes - 8) else { return nil }
        return Prefix(IPAddress(high: high, low: low, family: family), length: length)
    }

    /// The next path identifier and prefix of a field of a family with ADD-PATH; without it the identifier is 0.
    @inline(__always)
    public static func next(_ reader: inout ByteReader, _ family: AddressFamily, hasPathID: Bool) -> (
        prefix: Prefix, pathID: UInt32
    )? {
        var pathID: UInt32 = 0
        if hasPathID {
            guard let value = reader.u32() else { return nil }
            pathID = value
        }
        guard let prefix = next(&reader, family) else { return nil }
        return (prefix, pathID)
    }

    /// True where the whole field is a list of well-formed prefixes (RFC 7606 5.3).
    public static func isWellFormed(_ field: RawSpan, _ family: AddressFamily, hasPathID: Bool = false) -> Bool {
        var offset = 0
        while offset < field.byteCount {
            if hasPathID {
                guard field.byteCount - offset > 4 else { return false }
                offset += 4
            }
            let length = Int(field[offset])
            let bytes = (length + 7) >> 3
            guard length <= family.bits, field.byteCount - offset - 1 >= bytes else { return false }
            offset += 1 + bytes
        }
        return true
    }

    /// Bytes that a prefix takes: 1 to 17.
    public static func encodedSize(_ prefix: Prefix) -> Int { 1 + (Int(prefix.length) + 7) >> 3 }
}

extension ByteWriter {
    public mutating func append(_ prefix: Prefix) {
        u8(prefix.length)
        let bytes = (Int(prefix.length) + 7) >> 3
        let words: InlineArray<2, UInt64> = [prefix.high.bigEndian, prefix.low.bigEndian]
        // Integers have no padding that could be read uninitialized.
        append(unsafe words.span.bytes.part(0, bytes))
    }
}
