/// An autonomous system number of four bytes (RFC 6793).
public struct ASNumber: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public init(_ value: UInt32) { rawValue = value }

    /// AS_TRANS, which stands for a number that two bytes cannot hold (RFC 6793 section 9).
    public static let trans = ASNumber(23456)
    /// Zero is reserved and never valid on the wire (RFC 7607).
    public static let zero = ASNumber(0)

    /// What a field of two bytes carries: the number, or AS_TRANS.
    public var twoBytes: UInt16 { rawValue <= 0xFFFF ? UInt16(rawValue) : 23456 }
    public var description: String { String(rawValue) }
    public static func < (a: ASNumber, b: ASNumber) -> Bool { a.rawValue < b.rawValue }
}

/// A BGP Identifier: four bytes, non-zero, unique within an AS (RFC 6286). Written as a dotted quad.
public struct BGPIdentifier: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public var description: String { IPAddress.dottedQuad(rawValue) }
    public static func < (a: BGPIdentifier, b: BGPIdentifier) -> Bool { a.rawValue < b.rawValue }
}

/// A kernel interface index; positive for a real interface.
public struct InterfaceIndex: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }
    public var description: String { String(rawValue) }
    public static func < (a: InterfaceIndex, b: InterfaceIndex) -> Bool { a.rawValue < b.rawValue }
}
