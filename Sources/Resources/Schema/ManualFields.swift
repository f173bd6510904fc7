/// The generated part of apus.resources(5): every kind with its fields, from the declarations that validation uses.
package enum ManualFields {
    package static func mdoc() -> String {
        var text = ""
        for kind in Schemas.all {
            text += ".Ss \(kind.kind)\n\(escape(kind.documentation))\n.Bl -tag -width Ds\n"
            text += fields(kind.fields, prefix: "spec.")
            text += fields(kind.annotations, prefix: "metadata.annotations.")
            text += ".El\n"
        }
        return text
    }

    private static func fields(_ specs: [FieldSpec], prefix: String) -> String {
        var text = ""
        for spec in specs {
            if case .refused = spec.type {
                text += ".It Cm \(prefix)\(spec.name)\n\(escape(spec.documentation))\n"
                continue
            }
            let form: String
            if case .object = spec.type { form = "" } else { form = " : " + escape(spec.type.text) }
            text += ".It Cm \(prefix)\(spec.name)\(form)\n\(escape(spec.documentation))\n"
            var facts: [String] = []
            if spec.isRequired { facts.append("Required.") }
            if !spec.defaultText.isEmpty { facts.append("Default: \(spec.defaultText).") }
            if spec.effect != .none { facts.append("Change: \(spec.effect.rawValue).") }
            if !facts.isEmpty { text += escape(facts.joined(separator: " ")) + "\n" }
            if let inner = innerFields(spec.type) {
                text += self.fields(inner.fields, prefix: prefix + spec.name + inner.brackets + ".")
            }
        }
        return text
    }

    /// The fields of an object, or of the objects in a list: `importV4[].action`.
    private static func innerFields(_ type: FieldType) -> (fields: [FieldSpec], brackets: String)? {
        switch type {
        case .object(let fields), .objectWithOthers(let fields): (fields, "")
        case .list(let element): innerFields(element).map { ($0.fields, "[]" + $0.brackets) }
        default: nil
        }
    }

    /// Sentences on lines of their own, as mdoc wants them; no line begins with a control character.
    private static func escape(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\e").replacing("…", with: " to ").replacing("|", with: "\\*(Ba")
        return escaped.replacing(". ", with: ".\n").split(separator: "\n").map {
            $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&" + $0 : String($0)
        }
        .joined(separator: "\n")
    }
}
