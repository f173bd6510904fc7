/// Appends integers in network order to a growing array of bytes. Reused between messages by `removeAll`.
///
/// `unsafe`: bytes that a closure lends are copied inside of it.
public struct ByteWriter: Sendable {
    private var storage: [UInt8] = []
    public var bytes: [UInt8] { storage }

    public init(capacity: Int = 0) { storage.reserveCapacity(capacity) }

    public var count: Int { storage.count }
    public mutating func removeAll() { storage.removeAll(keepingCapacity: true) }

    public mutating func u8(_ value: UInt8) { storage.append(value) }
    public mutating func u16(_ value: UInt16) { append(value) }
    public mutating func u32(_ value: UInt32) { append(value) }
    public mutating func u64(_ value: UInt64) { append(value) }
    private mutating func append(_ value: some FixedWidthInteger) {
        unsafe withUnsafeBytes(of: value.bigEndian) { unsafe storage.append(contentsOf: $0) }
    }
    public mutating func append(_ other: [UInt8]) { storage.append(contentsOf: other) }
    public mutating func append(_ other: RawSpan) {
        unsafe other.withUnsafeBytes { unsafe storage.append(contentsOf: $0) }
    }
    public mutating func append(_ address: IPAddress) {
        if address.family == .ipv4 {
            u32(address.v4)
        } else {
            u64(address.high)
            u64(address.low)
        }
    }

    /// Overwrites one byte at `offset`.
    public mutating func patchU8(at offset: Int, _ value: UInt8) { storage[offset] = value }
    /// Overwrites two bytes at `offset`, for lengths that are known only afterwards.
    public mutating func patchU16(at offset: Int, _ value: UInt16) {
        storage[offset] = UInt8(truncatingIfNeeded: value >> 8)
        storage[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
