import NetTypes

/// MULTI_EXIT_DISC (RFC 4271 section 5.1.4): four bytes. Lower is preferred, absent counts as 0.
extension PathAttributes {
    mutating func readMultiExitDisc(_ value: RawSpan) -> AttributeFault? {
        var reader = ByteReader(value)
        guard value.byteCount == 4, let med = reader.u32() else {
            return .withdraw(.multiExitDisc, "length is not 4 (RFC 7606 7.4)")
        }
        multiExitDisc = med
        return nil
    }

    func writeMultiExitDisc(into writer: inout ByteWriter) {
        guard let multiExitDisc else { return }
        writer.attributeHeader(.multiExitDisc, flags: .optional, length: 4)
        writer.u32(multiExitDisc)
    }
}
