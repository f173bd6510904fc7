/// The number of an entry in a table: a type of its own for each table, so that the number of a path is never taken for
/// that of a prefix. 4 bytes, dense from 0.
public protocol TableIndex: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible
where RawValue == UInt32 {
    init(rawValue: UInt32)
}

extension TableIndex {
    /// The entry at a place of an array.
    @inlinable public init(_ place: some BinaryInteger) { self.init(rawValue: UInt32(place)) }
    /// All places of a table of `count`, in order.
    @inlinable public static func all(below count: Int) -> LazyMapSequence<Range<Int>, Self> {
        (0..<count).lazy.map { Self($0) }
    }
    /// What a list or a hash slot has of it: 0 is none there.
    @inlinable public var link: UInt32 { rawValue + 1 }
    /// The entry that a link leads to, nil for none.
    @inlinable public init?(link: UInt32) {
        guard link != 0 else { return nil }
        self.init(rawValue: link - 1)
    }
    /// Its place in an array.
    @inlinable public var index: Int { Int(rawValue) }
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}

extension Int {
    @inlinable public init(_ index: some TableIndex) { self = index.index }
}
extension UInt32 {
    @inlinable public init(_ index: some TableIndex) { self = index.rawValue }
}

/// The number that a `PrefixTable` gave a prefix. Given to another prefix after its removal.
public struct PrefixIndex: TableIndex {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}
