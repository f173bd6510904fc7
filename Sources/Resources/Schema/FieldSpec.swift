/// What a change of a field does to sessions that are up (apus.resources(5)).
package enum FieldEffect: String, Sendable, Hashable {
    /// Takes effect at once; no session notices.
    case live
    /// Routes are judged or sent again; no session is reset.
    case softRefresh = "soft refresh"
    /// The sessions that it concerns are reset.
    case sessionReset = "session reset"
    /// Takes effect when the session comes up the next time; the running one goes on.
    case nextSession = "next session"
    /// Read when the process starts.
    case restart
    /// Accepted because Calico's manifests have it; means nothing here.
    case none
}

/// The form of a field's value.
package indirect enum FieldType: Sendable, Hashable {
    /// 1 to `longestString` bytes.
    case string
    /// Words for people, at most so many bytes; none are words too.
    case text(Int)
    case bool
    case integer(ClosedRange<Int64>)
    /// As a number, or as two of 16 bits with a dot between them (RFC 5396 asdot).
    case asNumber(ClosedRange<Int64>)
    /// Every duration has bounds: what is computed from it must fit, too.
    case duration(ClosedRange<Duration>)
    case address
    /// `ADDRESS` or `ADDRESS:PORT`, `[v6]:PORT`.
    case endpoint
    case cidr
    /// `ADDRESS/LENGTH` with host bits.
    case interfaceAddress
    case mac
    case selector
    /// `aa:nn` or `aa:nn:mm`.
    case community
    /// 1 to 255, or `all`.
    case pathCount
    case choice([String])
    case list(FieldType)
    case map
    case object([FieldSpec])
    /// Fields that are not named here are accepted without effect, unless one looks like a slip of the pen.
    case objectWithOthers([FieldSpec])
    /// Anything; not looked into.
    case any
    /// Known to Calico, refused here with a reason: ignoring it would change what the operator asked for.
    case refused(String)

    /// Bytes of a string, and of a selector, at most: names have 253, regular expressions and selectors are short.
    package static let longestString = 1024
    package static let longestSelector = 4096

    package var text: String {
        switch self {
        case .string: "string"
        case .text(let most): "text of at most \(most) bytes; may be empty"
        case .bool: "true | false"
        case .integer(let range): "\(range.lowerBound)…\(range.upperBound)"
        case .asNumber(let range): "\(range.lowerBound)…\(range.upperBound), or as 1.10"
        case .duration(let range):
            "duration such as 90s, \(GoDuration.text(range.lowerBound))…\(GoDuration.text(range.upperBound))"
        case .address: "IP address"
        case .endpoint: "IP address, with :PORT if need be"
        case .cidr: "prefix such as 10.65.0.0/26"
        case .interfaceAddress: "address with prefix length, such as 10.0.0.1/24"
        case .mac: "MAC address"
        case .selector: "selector"
        case .community: "community such as 65000:100 or 65000:1:2"
        case .pathCount: "1…255 | all"
        case .choice(let values): values.joined(separator: " | ")
        case .list(let element): "list of " + element.text
        case .map: "map of strings"
        case .object, .objectWithOthers: "object"
        case .any: "anything"
        case .refused: "not supported"
        }
    }
}

/// A configuration field, declared once: validation, the man page and `plan` come from here (ARCHITECTURE, hard rule
/// 8).
package struct FieldSpec: Sendable, Hashable {
    package var name: String
    package var type: FieldType
    package var isRequired: Bool
    /// As the man page prints it; empty for none.
    package var defaultText: String
    package var effect: FieldEffect
    package var documentation: String

    package init(
        _ name: String, _ type: FieldType, required: Bool = false, default defaultText: String = "",
        effect: FieldEffect,
        documentation: String
    ) {
        self.name = name
        self.type = type
        isRequired = required
        self.defaultText = defaultText
        self.effect = effect
        self.documentation = documentation
    }

    /// Accepted without effect.
    static func ignored(_ name: String, _ documentation: String = "Accepted for Calico's manifests; has no effect.")
        -> FieldSpec
    {
        FieldSpec(name, .any, effect: .none, documentation: documentation)
    }
    static func refused(_ name: String, _ reason: String) -> FieldSpec {
        FieldSpec(name, .refused(reason), effect: .none, documentation: "Refused: \(reason)")
    }
}

/// A kind of resource.
package struct KindSpec: Sendable, Hashable {
    package var kind: String
    package var documentation: String
    /// Fields of `spec`.
    package var fields: [FieldSpec]
    /// Annotations of the object of the same name in the Kubernetes API.
    package var annotations: [FieldSpec] = []
    /// Calico has fields of this kind that are none of our business.
    package var acceptsOtherFields = false
}
