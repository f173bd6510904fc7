/// An autonomous system number of four bytes (RFC 6793).
package struct ASNumber: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ value: UInt32) { rawValue = value }

    /// AS_TRANS, which stands for a number that two bytes cannot hold (RFC 6793 section 9).
    package static let trans = ASNumber(23456)
    /// Zero is reserved and never valid on the wire (RFC 7607).
    package static let zero = ASNumber(0)

    /// What a field of two bytes carries: the number, or AS_TRANS.
    package var twoBytes: UInt16 { rawValue <= 0xFFFF ? UInt16(rawValue) : 23456 }
    package var description: String { String(rawValue) }
    package static func < (a: ASNumber, b: ASNumber) -> Bool { a.rawValue < b.rawValue }
}

/// A BGP Identifier: four bytes, non-zero, unique within an AS (RFC 6286). Written as a dotted quad.
package struct BGPIdentifier: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package var description: String { IPAddress.dottedQuad(rawValue) }
    package static func < (a: BGPIdentifier, b: BGPIdentifier) -> Bool { a.rawValue < b.rawValue }
}

/// A kernel interface index; positive for a real interface.
package struct InterfaceIndex: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }
    package static func < (a: InterfaceIndex, b: InterfaceIndex) -> Bool { a.rawValue < b.rawValue }
}
