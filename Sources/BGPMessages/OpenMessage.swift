public import NetTypes

/// OPEN (RFC 4271 section 4.2, RFC 5492, RFC 9072).
///
/// ```
/// | version 1 | my AS 2 | hold time 2 | BGP identifier 4 | optional parameters length 1 | parameters ... |
/// parameter:            | type 1 | length 1 | value |
/// RFC 9072 (extended):  length = 255, then | 255 | length 2 | { type 1 | length 2 | value } ... |
/// ```
public struct OpenMessage: Sendable, Hashable {
    /// The field of two bytes: AS_TRANS where the real number needs four (RFC 6793 section 4.2.1).
    public var myAS: UInt16
    /// Seconds; 0, or 3 and more (RFC 4271 6.2 checks that, not the decoder).
    public var holdTime: UInt16
    public var identifier: BGPIdentifier
    /// In the order of the message, repetitions included.
    public var capabilities: [Capability]

    public init(asNumber: ASNumber, holdTime: UInt16, identifier: BGPIdentifier, capabilities: [Capability]) {
        myAS = asNumber.twoBytes
        self.holdTime = holdTime
        self.identifier = identifier
        self.capabilities = capabilities
    }

    /// The sender's AS: of the four-octet capability where there is one, else of the two-byte field (RFC 6793 section
    /// 4.1).
    public var asNumber: ASNumber {
        for case .fourOctetAS(let number) in capabilities { return number }
        return ASNumber(UInt32(myAS))
    }

    // MARK: Decode

    /// From a whole message, header included. Checks structure and version; the meaning is `OpenNegotiation`'s.
    public init(message: RawSpan) throws(NotificationMessage) {
        var reader = ByteReader(message)
        guard reader.take(MessageSize.header) != nil, let version = reader.u8(), let myAS = reader.u16(),
            let holdTime = reader.u16(),
            let identifier = reader.u32(), let shortLength = reader.u8()
        else { throw .badMessageLength(message.byteCount) }
        guard version == 4 else { throw .unsupportedVersion }
        self.myAS = myAS
        self.holdTime = holdTime
        self.identifier = BGPIdentifier(rawValue: identifier)
        capabilities = []

        // RFC 9072 section 2: the first parameter's type byte of 255 marks the extended form, whatever the length
        // byte says, provided that the length byte is not 0.
        var isExtended = false
        if shortLength != 0, !reader.isEmpty, reader.unread[0] == 255 {
            guard reader.u8() != nil, let length = reader.u16(), Int(length) == reader.remaining else {
                throw .openUnspecific
            }
            isExtended = true
        } else {
            guard Int(shortLength) == reader.remaining else { throw .openUnspecific }
        }
        while !reader.isEmpty {
            guard let type = reader.u8() else { throw .openUnspecific }
            guard let length = isExtended ? reader.u16().map(Int.init) : reader.u8().map(Int.init),
                let value = reader.take(length)
            else {
                throw .openUnspecific
            }
            guard type == 2 else { throw .unsupportedOptionalParameter }
            try decodeCapabilities(value)
        }
    }

    private mutating func decodeCapabilities(_ bytes: RawSpan) throws(NotificationMessage) {
        var reader = ByteReader(bytes)
        while !reader.isEmpty {
            guard let code = reader.u8(), let length = reader.u8(), let value = reader.take(Int(length)),
                let capability = Capability.decode(code, value)
            else { throw .openUnspecific }
            capabilities.append(capability)
        }
    }

    // MARK: Encode

    /// The whole message. The extended form of RFC 9072 is used only where the capabilities do not fit in 255 bytes.
    public func encoded() -> [UInt8] {
        var parameters = ByteWriter()
        for capability in capabilities { capability.encode(into: &parameters) }
        var writer = ByteWriter(capacity: 32 + parameters.count)
        writer.beginMessage(.open)
        writer.u8(4)
        writer.u16(myAS)
        writer.u16(holdTime)
        writer.u32(identifier.rawValue)
        if parameters.count == 0 {
            writer.u8(0)
        } else if parameters.count + 2 <= 255 {
            writer.u8(UInt8(parameters.count + 2))
            writer.u8(2)
            writer.u8(UInt8(parameters.count))
        } else {
            writer.u8(255)
            writer.u8(255)
            writer.u16(UInt16(parameters.count + 3))
            writer.u8(2)
            writer.u16(UInt16(parameters.count))
        }
        writer.append(parameters.bytes)
        writer.endMessage(at: 0)
        return writer.bytes
    }
}
