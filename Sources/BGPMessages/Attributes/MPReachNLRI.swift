public import NetTypes

/// MP_REACH_NLRI (RFC 4760 section 3, RFC 2545 section 3).
///
/// ```
/// | AFI 2 | SAFI 1 | next hop length 1 | next hop | reserved 1 | NLRI ... |
/// ```
public struct MPReachNLRI: ~Escapable {
    public let afiSafi: AFISAFI
    /// Global next hop, of IPv6 for IPv4 NLRI too where RFC 8950 was negotiated. Meaningful only for a family that Apus
    /// routes.
    public let nextHop: IPAddress
    /// The link-local address of RFC 2545, where the peer sent both.
    public let linkLocalNextHop: IPAddress?
    public let nlri: RawSpan

    /// From the attribute. Throws session reset where flags, lengths or the next hop make the NLRI untrustworthy (RFC
    /// 7606 5.3, 7.11). An address family that Apus does not route is returned with its NLRI unread.
    @_lifetime(copy attribute)
    public init(_ attribute: RawAttribute, _ context: AttributeContext) throws(NotificationMessage) {
        guard attribute.flags.contains(.optional), !attribute.flags.contains(.transitive) else {
            throw .optionalAttributeError(attribute)
        }
        var reader = ByteReader(attribute.value)
        guard attribute.value.byteCount >= 5, let afi = reader.u16(), let safi = reader.u8(), let length = reader.u8(),
            let hop = reader.take(Int(length)), reader.u8() != nil
        else { throw .optionalAttributeError(attribute) }
        afiSafi = AFISAFI(afi: afi, safi: safi)
        nlri = reader.unread
        guard let family = afiSafi.family else {
            nextHop = .any(.ipv4)
            linkLocalNextHop = nil
            return
        }
        switch (family, hop.byteCount) {
        case (.ipv4, 4), (.ipv6, 16):
            guard let address = IPAddress(hop) else { throw .optionalAttributeError(attribute) }
            nextHop = address
            linkLocalNextHop = nil
        case (.ipv4, 16) where context.hasExtendedNextHop:
            // RFC 8950 section 3
            guard let address = IPAddress(hop) else { throw .optionalAttributeError(attribute) }
            nextHop = address
            linkLocalNextHop = nil
        case (.ipv6, 32), (.ipv4, 32):
            guard family == .ipv6 || context.hasExtendedNextHop else { throw .optionalAttributeError(attribute) }
            guard let address = IPAddress(hop.part(0, 16)), let linkLocal = IPAddress(hop.part(16, 16)) else {
                throw .optionalAttributeError(attribute)
            }
            nextHop = address
            linkLocalNextHop = linkLocal.isLinkLocal ? linkLocal : nil
        default:
            // RFC 7606 7.11
            throw .optionalAttributeError(attribute)
        }
        guard NLRI.isWellFormed(nlri, family, hasPathID: context.addPath.contains(family)) else {
            throw .optionalAttributeError(attribute)
        }
    }
}

/// MP_UNREACH_NLRI (RFC 4760 section 4): `| AFI 2 | SAFI 1 | withdrawn routes ... |`.
public struct MPUnreachNLRI: ~Escapable {
    public let afiSafi: AFISAFI
    public let nlri: RawSpan

    @_lifetime(copy attribute)
    public init(_ attribute: RawAttribute, _ context: AttributeContext) throws(NotificationMessage) {
        guard attribute.flags.contains(.optional), !attribute.flags.contains(.transitive) else {
            throw .optionalAttributeError(attribute)
        }
        var reader = ByteReader(attribute.value)
        guard attribute.value.byteCount >= 3, let afi = reader.u16(), let safi = reader.u8() else {
            throw .optionalAttributeError(attribute)
        }
        afiSafi = AFISAFI(afi: afi, safi: safi)
        nlri = reader.unread
        if let family = afiSafi.family, !NLRI.isWellFormed(nlri, family, hasPathID: context.addPath.contains(family)) {
            throw .optionalAttributeError(attribute)
        }
    }
}
