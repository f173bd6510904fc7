/// The type byte of a BGP message header (RFC 4271 section 4.1, RFC 2918). Unknown values survive as raw numbers.
public struct MessageType: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let open = MessageType(rawValue: 1)
    public static let update = MessageType(rawValue: 2)
    public static let notification = MessageType(rawValue: 3)
    public static let keepalive = MessageType(rawValue: 4)
    public static let routeRefresh = MessageType(rawValue: 5)

    /// The smallest length that a message of this type can have, header included (RFC 4271 4.1 to 4.5). Nil for an
    /// unknown type.
    public var minimumLength: Int? {
        switch self {
        case .open: 29
        case .update: 23
        case .notification: 21
        case .keepalive: 19
        // A BoRR or EoRR that is too short has an error of its own (RFC 7313 section 5): the length is judged with the
        // message.
        case .routeRefresh: 19
        default: nil
        }
    }
}

/// Sizes of BGP messages in bytes, header included.
public enum MessageSize {
    public static let header = 19
    /// RFC 4271 section 4.1.
    public static let standard = 4096
    /// RFC 8654 section 3.
    public static let extended = 65535
}
