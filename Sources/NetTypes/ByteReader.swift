/// A bounds-checked cursor over bytes that somebody else owns: the one place that touches raw memory of a peer's data.
///
/// It must not outlive the buffer that it was made over. Reads in network order; a read beyond the end answers nil and moves
/// nothing. Lengths are `Int` from the moment they are read, because arithmetic on narrow integers traps on overflow.
package struct ByteReader {
    private var rest: UnsafeRawBufferPointer

    package init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    package var remaining: Int { rest.count }
    package var isEmpty: Bool { rest.count == 0 }
    /// What has not been read yet.
    package var unread: UnsafeRawBufferPointer { rest }

    package mutating func u8() -> UInt8? {
        guard rest.count >= 1 else { return nil }
        let value = rest[0]
        advance(1)
        return value
    }

    package mutating func u16() -> UInt16? {
        guard rest.count >= 2 else { return nil }
        let value = UInt16(bigEndian: rest.loadUnaligned(as: UInt16.self))
        advance(2)
        return value
    }

    package mutating func u32() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        let value = UInt32(bigEndian: rest.loadUnaligned(as: UInt32.self))
        advance(4)
        return value
    }

    package mutating func u64() -> UInt64? {
        guard rest.count >= 8 else { return nil }
        let value = UInt64(bigEndian: rest.loadUnaligned(as: UInt64.self))
        advance(8)
        return value
    }

    /// The next `count` bytes as a view into the same buffer.
    package mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, rest.count >= count else { return nil }
        let part = UnsafeRawBufferPointer(rebasing: rest[0..<count])
        advance(count)
        return part
    }

    private mutating func advance(_ count: Int) { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
}

extension UnsafeRawBufferPointer {
    /// Bytes `start..<start+count` as a view; the caller has checked the bounds (they are checked again in debug builds).
    package func part(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[start..<(start + count)])
    }
}
