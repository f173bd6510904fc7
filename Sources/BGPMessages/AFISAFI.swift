package import NetTypes

/// An address family and subsequent address family as on the wire (RFC 4760 section 3). Unknown pairs survive.
package struct AFISAFI: Sendable, Hashable {
    package let afi: UInt16
    package let safi: UInt8

    package init(afi: UInt16, safi: UInt8) {
        self.afi = afi
        self.safi = safi
    }

    package init(_ family: AddressFamily) {
        afi = family == .ipv4 ? 1 : 2
        safi = 1
    }

    /// The family that Apus routes, if it is one: unicast IPv4 or IPv6.
    package var family: AddressFamily? {
        guard safi == 1 else { return nil }
        return afi == 1 ? .ipv4 : afi == 2 ? .ipv6 : nil
    }
}
