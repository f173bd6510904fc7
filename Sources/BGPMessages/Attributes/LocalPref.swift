import NetTypes

/// LOCAL_PREF (RFC 4271 section 5.1.5): four bytes, inside an AS only. Higher is preferred.
extension PathAttributes {
    /// What a route gets that came without one.
    /// Differs: RFC 4271 5.1.5 wants it on every internal UPDATE, but RFC 7606 3 d names it in no list of what must be
    /// withdrawn when missing; as BIRD does, 100 is taken for it.
    public static let defaultLocalPref: UInt32 = 100

    mutating func readLocalPref(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        guard context.isInternal else { return .discard(.localPref, "from an external peer (RFC 7606 7.5)") }
        var reader = ByteReader(value)
        guard value.byteCount == 4, let preference = reader.u32() else {
            return .withdraw(.localPref, "length is not 4 (RFC 7606 7.5)")
        }
        localPref = preference
        return nil
    }

    func writeLocalPref(into writer: inout ByteWriter) {
        guard let localPref else { return }
        writer.attributeHeader(.localPref, flags: .transitive, length: 4)
        writer.u32(localPref)
    }
}
