public import NetTypes

/// An address family and subsequent address family as on the wire (RFC 4760 section 3). Unknown pairs survive.
public struct AFISAFI: Sendable, Hashable {
    public let afi: UInt16
    public let safi: UInt8

    public init(afi: UInt16, safi: UInt8) {
        self.afi = afi
        self.safi = safi
    }

    public init(_ family: AddressFamily) {
        afi = family == .ipv4 ? 1 : 2
        safi = 1
    }

    /// The family that Apus routes, if it is one: unicast IPv4 or IPv6.
    public var family: AddressFamily? {
        guard safi == 1 else { return nil }
        return afi == 1 ? .ipv4 : afi == 2 ? .ipv6 : nil
    }
}
