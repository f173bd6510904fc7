public import NetTypes

/// What is wrong with a received attribute and what RFC 7606 section 2 says to do about it.
public struct AttributeFault: Sendable, Hashable {
    /// The approaches of RFC 7606 section 2, in order of strength.
    public enum Action: UInt8, Sendable, Comparable {
        case attributeDiscard
        case treatAsWithdraw
        case sessionReset
        public static func < (a: Action, b: Action) -> Bool { a.rawValue < b.rawValue }
    }

    public let type: AttributeType
    public let action: Action
    /// A few words for the log, with the section of the RFC.
    public let reason: String

    public init(_ type: AttributeType, _ action: Action, reason: String) {
        self.type = type
        self.action = action
        self.reason = reason
    }

    static func withdraw(_ type: AttributeType, _ reason: String) -> AttributeFault {
        AttributeFault(type, .treatAsWithdraw, reason: reason)
    }
    static func discard(_ type: AttributeType, _ reason: String) -> AttributeFault {
        AttributeFault(type, .attributeDiscard, reason: reason)
    }
}

extension AttributeFault: CustomStringConvertible {
    public var description: String { "\(type.name): \(reason)" }
}

/// What a decoder must know of the session that an attribute block came by.
public struct AttributeContext: Sendable, Hashable {
    /// The peer is in our AS (iBGP).
    public var isInternal: Bool
    /// Both sides announced four-octet AS numbers (RFC 6793).
    public var isFourOctetAS: Bool
    /// Families whose NLRI from the peer carries path identifiers (RFC 7911).
    public var addPath: AddressFamilySet
    /// IPv4 NLRI may come with an IPv6 next hop (RFC 8950).
    public var hasExtendedNextHop: Bool
    public init(
        isInternal: Bool, isFourOctetAS: Bool, addPath: AddressFamilySet = [], hasExtendedNextHop: Bool = false
    ) {
        self.isInternal = isInternal
        self.isFourOctetAS = isFourOctetAS
        self.addPath = addPath
        self.hasExtendedNextHop = hasExtendedNextHop
    }
}
