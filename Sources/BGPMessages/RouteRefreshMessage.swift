import NetTypes

/// ROUTE-REFRESH (RFC 2918 section 3; the subtype octet is RFC 7313's).
///
/// ```
/// | AFI 2 | subtype 1 | SAFI 1 |
/// ```
package struct RouteRefreshMessage: Sendable, Hashable {
    package var afiSafi: AFISAFI
    /// 0: a request. Other subtypes belong to RFC 7313, which Apus does not announce; they are ignored (its section 5).
    package var subtype: UInt8

    package init(_ afiSafi: AFISAFI, subtype: UInt8 = 0) {
        self.afiSafi = afiSafi
        self.subtype = subtype
    }

    /// From a whole message, header included. Nil for a length that is not 23: ignored (RFC 2918 defines no error).
    package init?(message: UnsafeRawBufferPointer) {
        var reader = ByteReader(message)
        guard message.count == 23, reader.take(MessageSize.header) != nil, let afi = reader.u16(), let subtype = reader.u8(),
            let safi = reader.u8()
        else { return nil }
        afiSafi = AFISAFI(afi: afi, safi: safi)
        self.subtype = subtype
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 23)
        writer.beginMessage(.routeRefresh)
        writer.u16(afiSafi.afi)
        writer.u8(subtype)
        writer.u8(afiSafi.safi)
        writer.endMessage(at: 0)
        return writer.bytes
    }
}
