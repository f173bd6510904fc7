/// A bounds-checked cursor over bytes that somebody else owns: the one place that reads a peer's data.
///
/// The compiler does not let it outlive the bytes that it was made over. Reads in network order; a read beyond the end
/// returns nil and moves nothing. Lengths are `Int` from the moment they are read, because arithmetic on narrow
/// integers traps on overflow.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset = 0

    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) { self.bytes = bytes }

    @inlinable public var remaining: Int { bytes.byteCount - offset }
    @inlinable public var isEmpty: Bool { offset == bytes.byteCount }
    /// What has not been read yet.
    public var unread: RawSpan {
        @inlinable @_lifetime(copy self)
        get { bytes.part(offset, remaining) }
    }

    @inlinable @inline(__always) public mutating func u8() -> UInt8? { read(UInt8.self) }
    @inlinable @inline(__always) public mutating func u16() -> UInt16? {
        read(UInt16.self).map { UInt16(bigEndian: $0) }
    }
    @inlinable @inline(__always) public mutating func u32() -> UInt32? {
        read(UInt32.self).map { UInt32(bigEndian: $0) }
    }
    @inlinable @inline(__always) public mutating func u64() -> UInt64? {
        read(UInt64.self).map { UInt64(bigEndian: $0) }
    }

    @inlinable @inline(__always)
    mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value? {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { return nil }
        // Within bounds: checked the line above. Any bits are an integer.
        let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Value.self)
        offset += size
        return value
    }

    /// The next `count` bytes, 8 at most, as the first bytes of a word; what follows them in the word is 0.
    @inlinable @inline(__always)
    public mutating func leading(_ count: Int) -> UInt64? {
        guard count >= 0, count <= 8, remaining >= count else { return nil }
        var word: UInt64 = 0
        if remaining >= 8 {
            // Within bounds: checked the line above. Shifted by 64 for no byte, which leaves none.
            word =
                UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
                & ~(UInt64.max >> UInt64(8 * count))
        } else {
            for index in 0..<count { word |= UInt64(bytes[offset + index]) << UInt64(56 - 8 * index) }
        }
        offset += count
        return word
    }

    /// The next `count` bytes as a view into the same buffer.
    @inlinable
    @_lifetime(copy self)
    public mutating func take(_ count: Int) -> RawSpan? {
        guard count >= 0, remaining >= count else { return nil }
        // Within bounds: checked the line above.
        let part = unsafe bytes.extracting(unchecked: offset..<(offset + count))
        offset += count
        return part
    }
}

extension RawSpan {
    /// One byte. Traps beyond the end.
    public subscript(_ offset: Int) -> UInt8 {
        @inlinable @inline(__always) get {
            precondition(offset >= 0 && offset < byteCount, "a byte beyond the end of a span")
            // Within bounds: checked the line above.
            return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
        }
    }

    /// Eight bytes in the machine's order, for hashes and comparisons. Traps beyond the end.
    @inlinable @inline(__always)
    public func word(_ offset: Int) -> UInt64 {
        precondition(offset >= 0 && byteCount - offset >= 8, "a word beyond the end of a span")
        // Within bounds: checked the line above. Any bits are an integer.
        return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    }

    /// An integer in the machine's order, as the kernel writes them. Traps beyond the end.
    public func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
        precondition(
            offset >= 0 && byteCount - offset >= MemoryLayout<Value>.size, "an integer beyond the end of a span")
        // Within bounds: checked the line above. Any bits are an integer.
        return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Value.self)
    }

    /// Bytes `start..<start+count` as a view. Traps beyond the end.
    @inlinable @inline(__always)
    @_lifetime(copy self)
    public func part(_ start: Int, _ count: Int) -> RawSpan { extracting(start..<(start + count)) }

    /// True where both hold the same bytes.
    public func equals(_ other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        var offset = 0
        // Within bounds, in both: they are as long as each other, and the loops' conditions are the checks.
        while byteCount - offset >= 8 {
            let mine = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            let theirs = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            if mine != theirs { return false }
            offset += 8
        }
        while offset < byteCount {
            if self[offset] != other[offset] { return false }
            offset += 1
        }
        return true
    }
}

extension [UInt8] {
    /// A copy of bytes that are lent.
    public init(_ bytes: RawSpan) { self = unsafe bytes.withUnsafeBytes { unsafe Array($0) } }

    /// The bytes, for as long as the array is borrowed.
    public var rawSpan: RawSpan {
        // Bytes have no padding that could be read uninitialized.
        @inlinable @_lifetime(borrow self)
        get { unsafe span.bytes }
    }

    /// Lends the bytes to `body`.
    public func withBytes<Result: ~Copyable, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result)
        throws(Failure) -> Result
    {
        try body(rawSpan)
    }
}
