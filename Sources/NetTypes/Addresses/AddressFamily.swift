/// The address families that Apus routes: unicast IPv4 and IPv6.
///
/// The raw value is an index (0, 1) into per-family arrays; the numbers on the wire are AFI 1 and 2 (RFC 4760 section
/// 3).
public enum AddressFamily: UInt8, Sendable, Hashable, CaseIterable {
    case ipv4 = 0
    case ipv6 = 1

    /// Bits in an address: 32 or 128.
    public var bits: Int { self == .ipv4 ? 32 : 128 }
    /// Bytes in an address: 4 or 16.
    public var bytes: Int { self == .ipv4 ? 4 : 16 }
    /// `IPv4` or `IPv6`, for people.
    public var name: String { self == .ipv4 ? "IPv4" : "IPv6" }
    /// Index for per-family arrays.
    public var index: Int { Int(rawValue) }
}

/// A set of address families, one bit each.
public struct AddressFamilySet: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public init(_ family: AddressFamily) { rawValue = 1 << family.rawValue }
    public static let ipv4 = AddressFamilySet(.ipv4)
    public static let ipv6 = AddressFamilySet(.ipv6)
    public static let all: AddressFamilySet = [.ipv4, .ipv6]
    public func contains(_ family: AddressFamily) -> Bool { rawValue & (1 << family.rawValue) != 0 }
    /// The members in the order IPv4, IPv6.
    public var families: [AddressFamily] { AddressFamily.allCases.filter { contains($0) } }
}
