/// An IPv4 or IPv6 prefix. Host bits are always zero, so that equal prefixes are equal values.
public struct Prefix: Sendable, Hashable {
    public let high: UInt64
    public let low: UInt64
    /// 0...32 or 0...128.
    public let length: UInt8
    public let family: AddressFamily

    /// Masks host bits away. `length` beyond the family's width is a broken invariant of the caller.
    public init(_ address: IPAddress, length: Int) {
        precondition(length >= 0 && length <= address.family.bits, "prefix length out of range")
        let mask = Prefix.mask(length)
        high = address.high & mask.high
        low = address.low & mask.low
        self.length = UInt8(length)
        family = address.family
    }

    /// The /32 or /128 of an address.
    public init(host address: IPAddress) { self.init(address, length: address.family.bits) }

    public static func `default`(_ family: AddressFamily) -> Prefix { Prefix(.any(family), length: 0) }

    /// The network address.
    public var address: IPAddress { IPAddress(high: high, low: low, family: family) }
    public var isHost: Bool { Int(length) == family.bits }
    public var isDefault: Bool { length == 0 }

    /// False for the address of an IPv4 subnet itself and for its broadcast address; a subnet of 31 bits has neither
    /// (RFC 3021).
    public func isHostAddress(_ address: IPAddress) -> Bool {
        guard family == .ipv4, length < 31, contains(address) else { return true }
        let hostBits = UInt32.max >> UInt32(length)
        let host = address.v4 & hostBits
        return host != 0 && host != hostBits
    }

    public func contains(_ address: IPAddress) -> Bool {
        guard address.family == family else { return false }
        let mask = Prefix.mask(Int(length))
        return address.high & mask.high == high && address.low & mask.low == low
    }

    /// True where `other` is this prefix or lies inside it.
    public func contains(_ other: Prefix) -> Bool {
        other.length >= length && contains(other.address)
    }

    public func overlaps(_ other: Prefix) -> Bool { contains(other) || other.contains(self) }

    /// The mask of a length as two words; `length` 0...128.
    public static func mask(_ length: Int) -> (high: UInt64, low: UInt64) {
        if length <= 0 { return (0, 0) }
        if length <= 64 { return (~UInt64(0) << UInt64(64 - length), 0) }
        return (~0, ~UInt64(0) << UInt64(128 - length))
    }
}

extension Prefix: Comparable {
    /// IPv4 first, then by address, then the shorter prefix.
    public static func < (a: Prefix, b: Prefix) -> Bool {
        if a.family != b.family { return a.family == .ipv4 }
        if a.high != b.high { return a.high < b.high }
        if a.low != b.low { return a.low < b.low }
        return a.length < b.length
    }
}

extension Prefix: CustomStringConvertible, LosslessStringConvertible {
    /// `address/length`; host bits are masked. Nil for anything else.
    public init?(_ text: String) {
        guard let parsed = Prefix.parse(text) else { return nil }
        self = parsed.prefix
    }

    /// `address/length` with the address as it was written, for interfaces' addresses such as 10.0.0.1/24.
    public static func parse(_ text: String) -> (address: IPAddress, prefix: Prefix)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])),
            parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            let length = Int(parts[1]), length <= address.family.bits
        else { return nil }
        return (address, Prefix(address, length: length))
    }

    public var description: String { "\(address)/\(length)" }
}
