import NetTypes

/// ORIGINATOR_ID (RFC 4456 section 8): the BGP Identifier of the route's originator in the AS.
extension PathAttributes {
    mutating func readOriginatorID(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        guard context.isInternal else { return .discard(.originatorID, "from an external peer (RFC 7606 7.9)") }
        var reader = ByteReader(value)
        guard value.byteCount == 4, let raw = reader.u32() else {
            return .withdraw(.originatorID, "length is not 4 (RFC 7606 7.9)")
        }
        originatorID = BGPIdentifier(rawValue: raw)
        return nil
    }

    func writeOriginatorID(into writer: inout ByteWriter) {
        guard let originatorID else { return }
        writer.attributeHeader(.originatorID, flags: .optional, length: 4)
        writer.u32(originatorID.rawValue)
    }
}
