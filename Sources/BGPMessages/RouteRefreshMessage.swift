import NetTypes

/// ROUTE-REFRESH (RFC 2918 section 3; the subtype byte is RFC 7313's).
///
/// ```
/// | AFI 2 | subtype 1 | SAFI 1 |
/// ```
public struct RouteRefreshMessage: Sendable, Hashable {
    public var afiSafi: AFISAFI
    /// `request`, `begin` or `end`; another value is ignored (RFC 7313 section 5).
    public var subtype: UInt8

    public static let request: UInt8 = 0
    /// BoRR: what follows is the whole table.
    public static let begin: UInt8 = 1
    /// EoRR: what was not sent since BoRR is gone.
    public static let end: UInt8 = 2

    public init(_ afiSafi: AFISAFI, subtype: UInt8 = request) {
        self.afiSafi = afiSafi
        self.subtype = subtype
    }

    /// True for a BoRR or EoRR whose length is not 4 beside the header: error 7,1 with the whole message (RFC 7313
    /// section 5).
    public static func hasInvalidLength(_ message: RawSpan) -> Bool {
        message.byteCount != 23 && message.byteCount > 21 && (message[21] == begin || message[21] == end)
    }

    /// From a whole message, header included. Nil for a length that is not 23: ignored (RFC 2918 defines no error).
    public init?(message: RawSpan) {
        var reader = ByteReader(message)
        guard message.byteCount == 23, reader.take(MessageSize.header) != nil, let afi = reader.u16(),
            let subtype = reader.u8(),
            let safi = reader.u8()
        else { return nil }
        afiSafi = AFISAFI(afi: afi, safi: safi)
        self.subtype = subtype
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 23)
        writer.beginMessage(.routeRefresh)
        writer.u16(afiSafi.afi)
        writer.u8(subtype)
        writer.u8(afiSafi.safi)
        writer.endMessage(at: 0)
        return writer.bytes
    }
}
