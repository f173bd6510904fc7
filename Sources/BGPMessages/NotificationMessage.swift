public import NetTypes

/// The code byte of a NOTIFICATION (RFC 4271 section 4.5, RFC 7313, RFC 9687).
public struct ErrorCode: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let messageHeader = ErrorCode(rawValue: 1)
    public static let openMessage = ErrorCode(rawValue: 2)
    public static let updateMessage = ErrorCode(rawValue: 3)
    public static let holdTimerExpired = ErrorCode(rawValue: 4)
    public static let finiteStateMachine = ErrorCode(rawValue: 5)
    public static let cease = ErrorCode(rawValue: 6)
    public static let routeRefresh = ErrorCode(rawValue: 7)
    public static let sendHoldTimerExpired = ErrorCode(rawValue: 8)
}

/// A NOTIFICATION: why a session ends. Also the typed error of every decoder whose failure resets the session.
///
/// ```
/// | error code 1 | error subcode 1 | data ... |
/// ```
public struct NotificationMessage: Error, Sendable, Hashable {
    public let code: ErrorCode
    public let subcode: UInt8
    /// As the RFC asks for each (code, subcode); empty where it asks for none.
    public let data: [UInt8]

    public init(_ code: ErrorCode, _ subcode: UInt8, data: [UInt8] = []) {
        self.code = code
        self.subcode = subcode
        self.data = data
    }

    /// From a whole message, header included and its length checked by the framer.
    public init?(message: RawSpan) {
        guard message.byteCount >= 21 else { return nil }
        code = ErrorCode(rawValue: message[19])
        subcode = message[20]
        data = [UInt8](message.part(21, message.byteCount - 21))
    }

    /// The whole message. Data beyond what fits in 4,096 bytes is cut (RFC 8654 section 5: the peer may not take
    /// more).
    public func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 21 + data.count)
        writer.beginMessage(.notification)
        writer.u8(code.rawValue)
        writer.u8(subcode)
        writer.append(Array(data.prefix(MessageSize.standard - 21)))
        writer.endMessage(at: 0)
        return writer.bytes
    }
}

// MARK: The errors by their names in the RFCs
extension NotificationMessage {
    // RFC 4271 6.1
    public static let connectionNotSynchronized = NotificationMessage(.messageHeader, 1)
    public static func badMessageLength(_ length: Int) -> NotificationMessage {
        NotificationMessage(
            .messageHeader, 2, data: [UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)])
    }
    public static func badMessageType(_ type: UInt8) -> NotificationMessage {
        NotificationMessage(.messageHeader, 3, data: [type])
    }

    // RFC 4271 6.2
    public static let openUnspecific = NotificationMessage(.openMessage, 0)
    public static let unsupportedVersion = NotificationMessage(.openMessage, 1, data: [0, 4])
    public static let badPeerAS = NotificationMessage(.openMessage, 2)
    /// Data is the AS of the OPEN in four bytes, as other speakers send it; the RFC leaves it open.
    public static func badPeerAS(_ number: ASNumber) -> NotificationMessage {
        NotificationMessage(
            .openMessage, 2, data: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number.rawValue >> $0) })
    }
    /// The AS that a Bad Peer AS is about, where its data say so.
    public var refusedAS: ASNumber? {
        guard code == .openMessage, subcode == 2, data.count == 4 else { return nil }
        return ASNumber(data.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }
    public static let badBGPIdentifier = NotificationMessage(.openMessage, 3)
    public static let unsupportedOptionalParameter = NotificationMessage(.openMessage, 4)
    public static let unacceptableHoldTime = NotificationMessage(.openMessage, 6)
    /// RFC 9234 section 4.2.
    public static let roleMismatch = NotificationMessage(.openMessage, 11)
    /// RFC 5492 section 3: data are the capabilities that were missing, each with code and length.
    public static func unsupportedCapability(_ capabilities: [UInt8]) -> NotificationMessage {
        NotificationMessage(.openMessage, 7, data: capabilities)
    }

    // RFC 4271 6.3
    public static let malformedAttributeList = NotificationMessage(.updateMessage, 1)
    /// Data is the attribute: flags, type, length and value (RFC 4271 6.3, RFC 4760 section 7).
    public static func optionalAttributeError(_ attribute: RawAttribute) -> NotificationMessage {
        let length = attribute.value.byteCount
        let isLong = attribute.flags.contains(.extendedLength)
        let head =
            [attribute.flags.rawValue, attribute.type.rawValue]
            + (isLong ? [UInt8(truncatingIfNeeded: length >> 8)] : [])
        return NotificationMessage(
            .updateMessage, 9, data: head + [UInt8(truncatingIfNeeded: length)] + [UInt8](attribute.value))
    }
    public static let invalidNetworkField = NotificationMessage(.updateMessage, 10)

    // RFC 4271 6.5, RFC 9687
    public static let holdTimerExpired = NotificationMessage(.holdTimerExpired, 0)
    public static let sendHoldTimerExpired = NotificationMessage(.sendHoldTimerExpired, 0)

    // RFC 6608 section 3: data is the type of the message that was unexpected
    public static func unexpectedInOpenSent(_ type: MessageType) -> NotificationMessage {
        NotificationMessage(.finiteStateMachine, 1, data: [type.rawValue])
    }
    public static func unexpectedInOpenConfirm(_ type: MessageType) -> NotificationMessage {
        NotificationMessage(.finiteStateMachine, 2, data: [type.rawValue])
    }
    public static func unexpectedInEstablished(_ type: MessageType) -> NotificationMessage {
        NotificationMessage(.finiteStateMachine, 3, data: [type.rawValue])
    }
    /// RFC 7313 section 5: data is the whole message.
    public static func invalidRouteRefreshLength(_ message: RawSpan) -> NotificationMessage {
        NotificationMessage(.routeRefresh, 1, data: [UInt8](message))
    }

    // RFC 4486 section 3
    /// RFC 4486 section 4: AFI, SAFI and the limit.
    public static func maximumPrefixes(_ family: AddressFamily, limit: UInt32) -> NotificationMessage {
        let afi = AFISAFI(family)
        return NotificationMessage(
            .cease, 1,
            data: [
                UInt8(afi.afi >> 8), UInt8(afi.afi & 255), afi.safi, UInt8(limit >> 24), UInt8(limit >> 16 & 255),
                UInt8(limit >> 8 & 255), UInt8(limit & 255),
            ])
    }
    public static let peerDeconfigured = NotificationMessage(.cease, 3)
    public static let configurationChange = NotificationMessage(.cease, 6)
    public static let connectionCollision = NotificationMessage(.cease, 7)
    /// RFC 9384 section 3.
    public static let bfdDown = NotificationMessage(.cease, 10)
    /// Hard Reset (RFC 8538 section 3.1): the peer is not to keep our routes. Data is the NOTIFICATION that it stands
    /// for.
    public static func hardReset(_ inner: NotificationMessage) -> NotificationMessage {
        NotificationMessage(.cease, 9, data: [inner.code.rawValue, inner.subcode] + inner.data)
    }
    /// What a Hard Reset stands for; nil for any other NOTIFICATION, or where it says nothing.
    public var hardResetReason: NotificationMessage? {
        // One level: a Hard Reset in a Hard Reset says nothing.
        guard code == .cease, subcode == 9, data.count >= 2, data[0] != ErrorCode.cease.rawValue || data[1] != 9 else {
            return nil
        }
        return NotificationMessage(ErrorCode(rawValue: data[0]), data[1], data: Array(data[2...]))
    }

    /// Administrative Shutdown with a text of at most 255 bytes of UTF-8 (RFC 9003 section 2); longer text is cut at a
    /// character.
    public static func administrativeShutdown(_ text: String = "") -> NotificationMessage { communication(2, text) }
    /// Administrative Reset, likewise.
    public static func administrativeReset(_ text: String = "") -> NotificationMessage { communication(4, text) }

    private static func communication(_ subcode: UInt8, _ text: String) -> NotificationMessage {
        guard !text.isEmpty else { return NotificationMessage(.cease, subcode) }
        var utf8: [UInt8] = []
        for character in text {
            let bytes = Array(String(character).utf8)
            if utf8.count + bytes.count > 255 { break }
            utf8 += bytes
        }
        return NotificationMessage(.cease, subcode, data: [UInt8(utf8.count)] + utf8)
    }

    /// The text of an Administrative Shutdown or Reset (RFC 9003). Nil where there is none or it is not valid UTF-8.
    public var shutdownCommunication: String? {
        guard code == .cease, subcode == 2 || subcode == 4, let length = data.first, length > 0,
            data.count >= 1 + Int(length)
        else { return nil }
        return String(validating: data[1...Int(length)], as: UTF8.self)
    }
}

extension NotificationMessage: CustomStringConvertible {
    /// `Cease/Administrative Shutdown: "text"`, in the words of the IANA registry.
    public var description: String {
        var text = codeName
        if let name = subcodeName { text += "/\(name)" } else if subcode != 0 { text += "/\(subcode)" }
        if let inner = hardResetReason { text += " (\(inner))" }
        if let words = shutdownCommunication { text += ": \"\(words.filter { $0.isASCII ? $0 >= " " : true })\"" }
        return text
    }

    private var codeName: String {
        switch code {
        case .messageHeader: "Message Header Error"
        case .openMessage: "OPEN Message Error"
        case .updateMessage: "UPDATE Message Error"
        case .holdTimerExpired: "Hold Timer Expired"
        case .finiteStateMachine: "Finite State Machine Error"
        case .cease: "Cease"
        case .routeRefresh: "ROUTE-REFRESH Message Error"
        case .sendHoldTimerExpired: "Send Hold Timer Expired"
        default: "Error \(code.rawValue)"
        }
    }

    private var subcodeName: String? {
        let names: [UInt8: String]
        switch code {
        case .messageHeader: names = [1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type"]
        case .openMessage:
            names = [
                1: "Unsupported Version Number", 2: "Bad Peer AS", 3: "Bad BGP Identifier",
                4: "Unsupported Optional Parameter",
                6: "Unacceptable Hold Time", 7: "Unsupported Capability", 11: "Role Mismatch",
            ]
        case .updateMessage:
            names = [
                1: "Malformed Attribute List", 2: "Unrecognized Well-known Attribute",
                3: "Missing Well-known Attribute",
                4: "Attribute Flags Error", 5: "Attribute Length Error", 6: "Invalid ORIGIN Attribute",
                8: "Invalid NEXT_HOP Attribute",
                9: "Optional Attribute Error", 10: "Invalid Network Field", 11: "Malformed AS_PATH",
            ]
        case .finiteStateMachine:
            names = [
                1: "Unexpected Message in OpenSent", 2: "Unexpected Message in OpenConfirm",
                3: "Unexpected Message in Established",
            ]
        case .cease:
            names = [
                1: "Maximum Number of Prefixes Reached", 2: "Administrative Shutdown", 3: "Peer De-configured",
                4: "Administrative Reset",
                5: "Connection Rejected", 6: "Other Configuration Change", 7: "Connection Collision Resolution",
                8: "Out of Resources",
                9: "Hard Reset", 10: "BFD Down",
            ]
        case .routeRefresh: names = [1: "Invalid Message Length"]
        default: names = [:]
        }
        return names[subcode]
    }
}
