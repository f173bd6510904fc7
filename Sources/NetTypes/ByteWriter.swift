/// Appends integers in network order to a growing array of bytes. Reused between messages by `removeAll`.
package struct ByteWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    package var count: Int { bytes.count }
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    package mutating func u8(_ value: UInt8) { bytes.append(value) }
    package mutating func u16(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }
    package mutating func u32(_ value: UInt32) {
        u16(UInt16(truncatingIfNeeded: value >> 16))
        u16(UInt16(truncatingIfNeeded: value))
    }
    package mutating func u64(_ value: UInt64) {
        u32(UInt32(truncatingIfNeeded: value >> 32))
        u32(UInt32(truncatingIfNeeded: value))
    }
    package mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }
    package mutating func append(_ other: UnsafeRawBufferPointer) { bytes.append(contentsOf: other) }
    package mutating func append(_ address: IPAddress) {
        if address.family == .ipv4 {
            u32(address.v4)
        } else {
            u64(address.high)
            u64(address.low)
        }
    }

    /// Overwrites one octet at `offset`.
    package mutating func patchU8(at offset: Int, _ value: UInt8) { bytes[offset] = value }
    /// Overwrites two octets at `offset`, for lengths that are known only afterwards.
    package mutating func patchU16(at offset: Int, _ value: UInt16) {
        bytes[offset] = UInt8(truncatingIfNeeded: value >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
    /// Drops everything after the first `count` bytes.
    package mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }
}
