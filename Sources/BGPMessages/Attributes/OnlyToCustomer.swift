import NetTypes

/// OTC, Only to Customer (RFC 9234 section 5): the AS that first sent the route to a customer, a peer or a client of a
/// route server.
extension PathAttributes {
    mutating func readOnlyToCustomer(_ value: RawSpan) -> AttributeFault? {
        var reader = ByteReader(value)
        guard value.byteCount == 4, let number = reader.u32() else {
            return .withdraw(.onlyToCustomer, "length is not 4 (RFC 9234 5)")
        }
        onlyToCustomer = ASNumber(number)
        return nil
    }

    func writeOnlyToCustomer(into writer: inout ByteWriter) {
        guard let onlyToCustomer else { return }
        writer.attributeHeader(.onlyToCustomer, flags: optionalTransitive(.onlyToCustomer), length: 4)
        writer.u32(onlyToCustomer.rawValue)
    }
}
