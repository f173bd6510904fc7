/// A value of a YAML document, and where it stands. JSON is YAML: a manifest of either kind becomes one of these.
struct YAMLNode {
    enum Content {
        /// `isPlain`: written without quotes and without a tag.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// Keys in their order; no two scalar keys are equal.
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }
    var content: Content
    /// From 1.
    var line: Int
    /// Values that it is made of, itself included, aliases by what they stand for.
    var count = 1

    var scalar: String? { if case .scalar(let text, _) = content { text } else { nil } }
    var sequence: [YAMLNode]? { if case .sequence(let items) = content { items } else { nil } }
    var mapping: [(key: YAMLNode, value: YAMLNode)]? { if case .mapping(let pairs) = content { pairs } else { nil } }
    /// `field:`, `field: null` and `field: ~` say nothing.
    var isNull: Bool {
        if case .scalar(let text, isPlain: true) = content { ["", "null", "~"].contains(text) } else { false }
    }
    /// What YAML 1.1 reads as a boolean (its type bool), which `scalar` leaves as it was written.
    var boolean: Bool? {
        guard case .scalar(let text, isPlain: true) = content, text.utf8.count <= 5 else { return nil }
        // Each in small letters, with a capital, or in capitals alone: yEs is a string.
        guard
            [text.lowercased(), text.uppercased(), text.prefix(1).uppercased() + text.dropFirst().lowercased()]
                .contains(text)
        else { return nil }
        switch text.lowercased() {
        case "y", "yes", "true", "on": return true
        case "n", "no", "false", "off": return false
        default: return nil
        }
    }
}
