public import NetTypes

// MARK: RFC 4271 4.1: | marker 16 x 0xFF | length 2 | type 1 |
extension ByteWriter {
    /// Appends a header whose length is filled in by `endMessage`.
    public mutating func beginMessage(_ type: MessageType) {
        u64(.max)
        u64(.max)
        u16(0)
        u8(type.rawValue)
    }

    /// Writes the length of the message that began at `start`. At most 65,535 bytes; more is a broken invariant of the
    /// caller.
    public mutating func endMessage(at start: Int) {
        let length = count - start
        precondition(length <= MessageSize.extended, "BGP message longer than 65535 bytes")
        patchU16(at: start + 16, UInt16(length))
    }
}

/// The KEEPALIVE message: a header and nothing else (RFC 4271 section 4.4).
public enum KeepaliveMessage {
    public static let encoded: [UInt8] = [UInt8](repeating: 0xFF, count: 16) + [0, 19, 4]
}
