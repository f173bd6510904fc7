public import NetTypes

/// UPDATE (RFC 4271 section 4.3), its three fields as views into the message.
///
/// ```
/// | withdrawn routes length 2 | withdrawn routes | total path attribute length 2 | path attributes | NLRI |
/// ```
public struct UpdateMessage: ~Escapable {
    public let withdrawn: RawSpan
    public let attributes: RawSpan
    public let nlri: RawSpan

    /// From a whole message, header included. Throws where the two lengths exceed the message (RFC 4271 6.3, RFC 7606 3
    /// b).
    @_lifetime(copy message)
    public init(message: RawSpan) throws(NotificationMessage) {
        var reader = ByteReader(message)
        guard reader.take(MessageSize.header) != nil, let withdrawnLength = reader.u16(),
            let withdrawn = reader.take(Int(withdrawnLength)),
            let attributesLength = reader.u16(), let attributes = reader.take(Int(attributesLength))
        else { throw .malformedAttributeList }
        self.withdrawn = withdrawn
        self.attributes = attributes
        nlri = reader.unread
    }

    /// An UPDATE with nothing in it is the End-of-RIB marker of IPv4 unicast (RFC 4724 section 2).
    public var isEmpty: Bool { withdrawn.isEmpty && attributes.isEmpty && nlri.isEmpty }

    /// The End-of-RIB marker of a family (RFC 4724 section 2).
    public static func endOfRIB(_ family: AddressFamily) -> [UInt8] {
        var writer = ByteWriter(capacity: 29)
        writer.beginMessage(.update)
        writer.u16(0)
        if family == .ipv4 {
            writer.u16(0)
        } else {
            writer.u16(6)
            writer.attributeHeader(.mpUnreachNLRI, flags: .optional, length: 3)
            let afiSafi = AFISAFI(family)
            writer.u16(afiSafi.afi)
            writer.u8(afiSafi.safi)
        }
        writer.endMessage(at: 0)
        return writer.bytes
    }
}
