import NetTypes

/// Cuts a TCP byte stream into messages (RFC 4271 4.1, 6.1; RFC 8654).
///
/// Bytes are parsed where they lie; only a message that is split between two reads is copied. At most one message,
/// 65,535 bytes, is ever kept.
public struct MessageFramer: Sendable {
    /// The longest message that the peer may send now: 4,096, or 65,535 once both sides announced RFC 8654.
    public var maximumLength = MessageSize.standard
    private var partial: [UInt8] = []

    public init() {}

    /// Bytes of an unfinished message that are kept.
    public var bufferedCount: Int { partial.count }

    /// Hands each whole message in `input`, header included, to `body`, in order. `body` returns false to stop: what
    /// follows is dropped, because the connection is closing. Throws what RFC 4271 6.1 says of a bad header.
    public mutating func consume(
        _ input: RawSpan, _ body: (MessageType, RawSpan) -> Bool
    ) throws(NotificationMessage) {
        var input = input
        while !partial.isEmpty && !input.isEmpty {
            // Complete the header first, then the message.
            let wanted =
                partial.count < MessageSize.header ? MessageSize.header : Int(partial[16]) << 8 | Int(partial[17])
            let taken = min(wanted - partial.count, input.byteCount)
            partial += [UInt8](input.part(0, taken))
            input = input.part(taken, input.byteCount - taken)
            guard partial.count >= MessageSize.header else { return }
            let length = try checkHeader(partial.rawSpan).length
            guard partial.count == length else { continue }
            let message = partial
            partial.removeAll(keepingCapacity: true)
            guard body(MessageType(rawValue: message[18]), message.rawSpan) else { return }
        }
        while input.byteCount >= MessageSize.header {
            let header = try checkHeader(input)
            guard input.byteCount >= header.length else { break }
            guard body(header.type, input.part(0, header.length)) else { return }
            input = input.part(header.length, input.byteCount - header.length)
        }
        if !input.isEmpty {
            // A bad marker is reported as soon as it is seen, not when the header is complete.
            for index in 0..<min(16, input.byteCount) where input[index] != 0xFF { throw .connectionNotSynchronized }
            partial += [UInt8](input)
        }
    }

    /// Hands the UPDATEs that lie whole in `input` to `body`, as `consume` will, and changes nothing. What is wrong
    /// ends it silently: `consume` will say so.
    public func peek(_ input: RawSpan, _ body: (RawSpan) -> Void) {
        var offset = 0
        if !partial.isEmpty {
            guard partial.count + input.byteCount >= 18 else { return }
            func byte(_ at: Int) -> Int { Int(at < partial.count ? partial[at] : input[at - partial.count]) }
            offset = (byte(16) << 8 | byte(17)) - partial.count
        }
        while offset >= 0, input.byteCount - offset >= MessageSize.header {
            let length = Int(input[offset + 16]) << 8 | Int(input[offset + 17])
            guard length >= MessageSize.header, input.byteCount - offset >= length else { return }
            if MessageType(rawValue: input[offset + 18]) == .update { body(input.part(offset, length)) }
            offset += length
        }
    }

    private func checkHeader(_ bytes: RawSpan) throws(NotificationMessage) -> (type: MessageType, length: Int) {
        var reader = ByteReader(bytes)
        guard let first = reader.u64(), let second = reader.u64(), let rawLength = reader.u16(),
            let rawType = reader.u8()
        else {
            throw .connectionNotSynchronized
        }
        guard first == .max, second == .max else { throw .connectionNotSynchronized }
        let length = Int(rawLength)
        let type = MessageType(rawValue: rawType)
        guard length >= MessageSize.header, length <= maximumLength else { throw .badMessageLength(length) }
        guard let minimum = type.minimumLength else { throw .badMessageType(rawType) }
        // RFC 8654 section 4: OPEN and KEEPALIVE never exceed 4,096 bytes. RFC 7313: a ROUTE-REFRESH has its own
        // length error.
        let exact = type == .keepalive ? length == minimum : length >= minimum
        guard exact, type != .open || length <= MessageSize.standard else { throw .badMessageLength(length) }
        return (type, length)
    }
}
