package import NetTypes

/// Network layer reachability information: a list of prefixes (RFC 4271 section 4.3, RFC 4760 section 5).
///
/// ```
/// | path identifier 4, with ADD-PATH (RFC 7911 section 3) | length in bits 1 | prefix: as many octets as the bits need |
/// ```
package enum NLRI {
    /// Reads the next prefix; host bits are masked. Nil where the length is beyond the family's, or the octets run out (RFC 7606 5.3).
    @inline(__always)
    package static func next(_ reader: inout ByteReader, _ family: AddressFamily) -> Prefix? {
        guard let rawLength = reader.u8() else { return nil }
        let length = Int(rawLength)
        guard length <= family.bits, let octets = reader.take((length + 7) >> 3) else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        if octets.count <= 8 {
            for octet in octets { high = high << 8 | UInt64(octet) }
            // No octets: shifted out by the whole width.
            high = high << UInt64(64 - 8 * octets.count)
        } else {
            for i in 0..<8 { high = high << 8 | UInt64(octets[i]) }
            for i in 8..<octets.count { low = low << 8 | UInt64(octets[i]) }
            low <<= UInt64(128 - 8 * octets.count)
        }
        return Prefix(IPAddress(high: high, low: low, family: family), length: length)
    }

    /// The next path identifier and prefix of a field of a family with ADD-PATH; without it the identifier is 0.
    @inline(__always)
    package static func next(_ reader: inout ByteReader, _ family: AddressFamily, hasPathID: Bool) -> (prefix: Prefix, pathID: UInt32)? {
        var pathID: UInt32 = 0
        if hasPathID {
            guard let value = reader.u32() else { return nil }
            pathID = value
        }
        guard let prefix = next(&reader, family) else { return nil }
        return (prefix, pathID)
    }

    /// True where the whole field is a list of well-formed prefixes (RFC 7606 5.3).
    package static func isWellFormed(_ field: UnsafeRawBufferPointer, _ family: AddressFamily, hasPathID: Bool = false) -> Bool {
        var offset = 0
        while offset < field.count {
            if hasPathID {
                guard field.count - offset > 4 else { return false }
                offset += 4
            }
            let length = Int(field[offset])
            let octets = (length + 7) >> 3
            guard length <= family.bits, field.count - offset - 1 >= octets else { return false }
            offset += 1 + octets
        }
        return true
    }

    /// Octets that a prefix takes: 1 to 17.
    package static func encodedSize(_ prefix: Prefix) -> Int { 1 + (Int(prefix.length) + 7) >> 3 }
}

extension ByteWriter {
    package mutating func append(_ prefix: Prefix) {
        u8(prefix.length)
        let octets = (Int(prefix.length) + 7) >> 3
        withUnsafeBytes(of: (prefix.high.bigEndian, prefix.low.bigEndian)) { append($0.part(0, octets)) }
    }
}
