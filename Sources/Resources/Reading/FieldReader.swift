package import NetTypes

/// A YAML object while it is validated against its schema: typed values out, problems collected with line and field.
struct FieldReader {
    let node: [(key: YAMLNode, value: YAMLNode)]
    let path: String
    let line: Int
    /// Shared by all readers of one object.
    let problems: ProblemList

    func has(_ name: String) -> Bool { value(name) != nil }

    func string(_ name: String) -> String? { value(name)?.scalar }
    func bool(_ name: String) -> Bool? { parsed(name) { Bool($0) } }
    func integer(_ name: String) -> Int64? { parsed(name) { Int64($0) } }
    /// An integer as the type that the field becomes. Whatever the schema let pass and the type cannot hold is a
    /// problem, not a default.
    func number<Number: FixedWidthInteger>(_ name: String, as type: Number.Type = Number.self) -> Number? {
        guard let value = integer(name) else { return nil }
        if let number = Number(exactly: value) { return number }
        complainUnlessKnown(name, "\(value) is out of range")
        return nil
    }
    /// A name as the type that the field becomes. Whatever the schema let pass and the type does not know is a problem,
    /// not a default.
    func choice<Choice: FieldChoice>(_ name: String, of type: Choice.Type = Choice.self) -> Choice? {
        guard let text = string(name) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        complainUnlessKnown(
            name, "\"\(FieldReader.shown(text))\" is none of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))"
        )
        return nil
    }
    /// Nothing where the schema has complained of the field.
    func complainUnlessKnown(_ name: String, _ message: String) {
        let field = join(name)
        if !problems.problems.contains(where: { $0.field == field }) { complain(name, message) }
    }
    /// A text as the type that the field becomes. Whatever the schema let pass and the type does not take is a problem,
    /// not a default.
    private func parsed<Value>(_ name: String, _ parse: (String) -> Value?) -> Value? {
        guard let text = string(name) else { return nil }
        if let value = parse(text) { return value }
        complainUnlessKnown(name, "\"\(FieldReader.shown(text))\" cannot be read")
        return nil
    }

    func asNumber(_ name: String) -> ASNumber? { parsed(name) { ASNumberText.parse($0).map { ASNumber($0) } } }
    func duration(_ name: String) -> Duration? { parsed(name) { GoDuration.parse($0) } }
    func address(_ name: String) -> IPAddress? { parsed(name) { IPAddress($0) } }
    func prefix(_ name: String) -> Prefix? { parsed(name) { Prefix($0) } }
    /// A number of paths; `all` is `Int.max`.
    func pathCount(_ name: String) -> Int? { parsed(name) { $0 == "all" ? Int.max : Int($0) } }
    func mac(_ name: String) -> MACAddress? { parsed(name) { MACAddress($0) } }
    /// The entries of a list as the type that they become; one that is none is a problem, not left out.
    func values<Value>(_ name: String, _ parse: (String) -> Value?) -> [Value] {
        (strings(name) ?? []).enumerated().compactMap { index, text in
            if let value = parse(text) { return value }
            complainUnlessKnown("\(name)[\(index)]", "\"\(FieldReader.shown(text))\" cannot be read")
            return nil
        }
    }
    func prefixes(_ name: String) -> [Prefix] { values(name) { Prefix($0) } }
    func community(_ name: String) -> CommunityValue? { parsed(name) { CommunityValue($0) } }
    func selector(_ name: String) -> Selector? {
        parsed(name) { $0.utf8.count <= FieldType.longestSelector ? try? Selector($0) : nil }
    }
    func strings(_ name: String) -> [String]? {
        value(name)?.sequence?.compactMap(\.scalar)
    }
    func object(_ name: String) -> FieldReader? {
        guard let value = value(name), let mapping = value.mapping else { return nil }
        return FieldReader(node: mapping, path: join(name), line: value.line, problems: problems)
    }
    /// The objects of a list.
    func objects(_ name: String) -> [FieldReader] {
        (value(name)?.sequence ?? []).enumerated().compactMap { index, item in
            item.mapping.map {
                FieldReader(node: $0, path: "\(join(name))[\(index)]", line: item.line, problems: problems)
            }
        }
    }
    /// The fields whose names begin so, without those that are the empty text.
    func filled(withPrefix prefix: String) -> FieldReader {
        FieldReader(
            node: node.filter { ($0.key.scalar ?? "").hasPrefix(prefix) && $0.value.scalar != "" }, path: path,
            line: line, problems: problems)
    }
    func map(_ name: String) -> [String: String] {
        var result: [String: String] = [:]
        for (key, value) in value(name)?.mapping ?? [] {
            if let key = key.scalar, let text = value.scalar { result[key] = text }
        }
        return result
    }

    /// The same of labels. One that YAML 1.1 reads as a boolean, such as `yes` without quotes, is "true" or "false":
    /// calicoctl and kubectl store it so, and selectors were written against that.
    func labels(_ name: String) -> [String: String] {
        var result: [String: String] = [:]
        for (key, value) in value(name)?.mapping ?? [] {
            if let key = key.scalar, let text = value.scalar { result[key] = value.boolean.map { "\($0)" } ?? text }
        }
        return result
    }

    /// Reports something about a field that the schema cannot say.
    func complain(_ name: String, _ message: String) {
        problems.add(line: value(name)?.line ?? line, field: join(name), message: message)
    }

    private func value(_ name: String) -> YAMLNode? { node.first { $0.key.scalar == name && !$0.value.isNull }?.value }

    private func join(_ name: String) -> String {
        path.isEmpty ? FieldReader.shown(name) : "\(path).\(FieldReader.shown(name))"
    }

    // MARK: Validation

    /// Checks every key against the schema: unknown ones with a suggestion, wrong values with what would be right.
    func validate(_ fields: [FieldSpec], acceptsOthers: Bool = false) {
        for (keyNode, value) in node {
            guard let key = keyNode.scalar else { continue }
            guard let spec = fields.first(where: { $0.name == key }) else {
                let near = Suggestion.nearest(to: key, among: fields.map(\.name), atMost: acceptsOthers ? 2 : nil)
                if acceptsOthers, near == nil { continue }
                let guess = near.map { "; did you mean \($0)?" } ?? ""
                problems.add(line: keyNode.line, field: join(key), message: "unknown field\(guess)")
                continue
            }
            if value.isNull { continue }
            check(value, spec.type, field: join(key))
        }
        for spec in fields where spec.isRequired && !has(spec.name) {
            problems.add(line: line, field: join(spec.name), message: "is missing: \(spec.type.text)")
        }
    }

    private func check(_ value: YAMLNode, _ type: FieldType, field: String) {
        let line = value.line
        func complain(_ message: String) { problems.add(line: line, field: field, message: message) }
        switch type {
        case .any: return
        case .refused(let reason): complain("not supported: \(reason)")
        case .object(let fields):
            guard let mapping = value.mapping else {
                return complain("must be an object with the fields \(fields.map(\.name).joined(separator: ", "))")
            }
            FieldReader(node: mapping, path: field, line: line, problems: problems).validate(fields)
        case .objectWithOthers(let fields):
            guard let mapping = value.mapping else { return complain("must be an object") }
            FieldReader(node: mapping, path: field, line: line, problems: problems).validate(
                fields, acceptsOthers: true)
        case .map:
            guard value.mapping != nil else { return complain("must be a map of strings") }
        case .list(let element):
            guard let sequence = value.sequence else { return complain("must be a list: \(element.text)") }
            for (index, item) in sequence.enumerated() { check(item, element, field: "\(field)[\(index)]") }
        default:
            guard let text = value.scalar else { return complain("must be a single value: \(type.text)") }
            if let message = FieldReader.complaint(text, type) { complain(message) }
        }
    }

    /// A value in a sentence: cut, because a whole file may be one value.
    static func shown(_ text: String) -> String { text.utf8.count <= 100 ? text : String(text.prefix(80)) + "..." }

    /// What is wrong with a scalar; nil for nothing.
    private static func complaint(_ text: String, _ type: FieldType) -> String? {
        let shown = "\"\(FieldReader.shown(text))\""
        switch type {
        case .string:
            if text.utf8.count > FieldType.longestString {
                return "has \(text.utf8.count) bytes; at most \(FieldType.longestString) are possible"
            }
            return text.isEmpty ? "must not be empty" : nil
        case .text(let most):
            return text.utf8.count > most ? "has \(text.utf8.count) bytes; at most \(most) are possible" : nil
        case .bool: return Bool(text) == nil ? "\(shown) is neither true nor false" : nil
        case .integer(let range):
            guard let number = Int64(text) else {
                return "\(shown) is not a number; it must be \(range.lowerBound) to \(range.upperBound)"
            }
            return range.contains(number)
                ? nil
                : "\(FieldReader.shown(text)) is out of range; it must be \(range.lowerBound) to \(range.upperBound)"
        case .asNumber(let range):
            let bounds = "it must be \(range.lowerBound) to \(range.upperBound), or two numbers of 16 bits as in 1.10"
            guard text.contains(".") || Int64(text) != nil else { return "\(shown) is not a number; \(bounds)" }
            return ASNumberText.parse(text).map { range.contains(Int64($0)) } ?? false
                ? nil : "\(shown) is out of range; \(bounds)"
        case .duration(let range):
            let bounds = "it must be \(GoDuration.text(range.lowerBound)) to \(GoDuration.text(range.upperBound))"
            guard let duration = GoDuration.parse(text) else {
                return "\(shown) is not a duration; write it as 90s or 1m30s; \(bounds)"
            }
            return range.contains(duration) ? nil : "\(FieldReader.shown(text)) is out of range; \(bounds)"
        case .address:
            return IPAddress(text) == nil ? "\(shown) is not an IP address; write it as 10.0.0.1 or 2001:db8::1" : nil
        case .endpoint:
            // Dumps of Calico's own tools have an empty one beside a selector: it stands for none.
            if text.isEmpty { return nil }
            guard let endpoint = PeerEndpoint(text) else {
                return
                    "\(shown) is not an address of a peer; write it as 10.0.0.1, 10.0.0.1:1790 or [2001:db8::1]:1790"
            }
            return endpoint.complaint.map { "\(shown) \($0)" }
        case .cidr:
            guard let parsed = Prefix.parse(text) else {
                return "\(shown) is not a prefix; write it as 10.65.0.0/26 or 2001:db8::/122"
            }
            return parsed.address == parsed.prefix.address
                ? nil : "\(shown) has bits beyond its prefix length; it would be \(parsed.prefix)"
        case .interfaceAddress:
            return Prefix.parse(text) == nil && IPAddress(text) == nil
                ? "\(shown) is not an address with prefix length; write it as 10.0.0.1/24" : nil
        case .mac: return MACAddress(text) == nil ? "\(shown) is not a MAC address; write it as 02:00:00:00:00:01" : nil
        case .selector:
            if text.utf8.count > FieldType.longestSelector {
                return "has \(text.utf8.count) bytes; at most \(FieldType.longestSelector) are possible"
            }
            do throws(Selector.SyntaxError) {
                _ = try Selector(text)
                return nil
            } catch {
                return "\(shown) is not a selector: \(FieldReader.shown(error.description))"
            }
        case .community:
            return CommunityValue(text) != nil
                ? nil : "\(shown) is not a community; write it as 65000:100, or as 65000:1:2 for a large one"
        case .pathCount:
            guard text != "all" else { return nil }
            return Int(text).map { (1...255).contains($0) } ?? false
                ? nil : "\(shown) is neither a number from 1 to 255 nor all"
        case .choice(let values):
            guard !values.contains(text) else { return nil }
            let guess = Suggestion.nearest(to: text, among: values).map { "; did you mean \($0)?" } ?? ""
            return values.count == 1
                ? "\(shown) is not supported by this version; only \(values[0])"
                : "\(shown) is none of \(values.joined(separator: ", "))\(guess)"
        case .any, .list, .map, .object, .objectWithOthers, .refused: return nil
        }
    }
}

/// Collects problems of one object. One thread at a time.
final class ProblemList {
    let file: String
    var object = ""
    private(set) var problems: [Problem] = []
    init(file: String) { self.file = file }
    func add(line: Int, field: String, message: String) {
        problems.append(Problem(file: file, line: line, field: field, message: message, object: object))
    }
}

/// `ADDRESS`, `ADDRESS:PORT` or `[v6]:PORT`.
package struct PeerEndpoint: Sendable, Hashable {
    package var address: IPAddress
    package var port: UInt16?

    package init?(_ text: String) {
        if let address = IPAddress(text) {
            self.address = address
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(String(host)), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        self.address = address
        self.port = port
    }
}

extension PeerEndpoint {
    /// Why no peer can have the address; nil where one can.
    fileprivate var complaint: String? {
        if address.isUnspecified { return "is no host's address; it must be the one that the peer has" }
        if address.isMulticast { return "is a multicast address; BGP runs over TCP, to the address of one host" }
        if address.family == .ipv4, address.v4 == .max {
            return "is the broadcast address; it must be the address of one host"
        }
        if address.embedsIPv4, !address.isLoopback {
            let plain = IPAddress(v4: UInt32(truncatingIfNeeded: address.low))
            return "is an IPv4 address written as an IPv6 one; write it as \(plain)\(port.map { ":\($0)" } ?? "")"
        }
        return nil
    }
}

/// An AS number as a number or, as RFC 5396 has it, as `hi.lo`.
package enum ASNumberText {
    package static func parse(_ text: String) -> UInt32? {
        guard let dot = text.firstIndex(of: ".") else { return UInt32(text) }
        let (high, low) = (text[..<dot], text[text.index(after: dot)...])
        guard (high + low).utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let high = UInt16(high), let low = UInt16(low)
        else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }
}

/// 'Did you mean …?'
enum Suggestion {
    /// The candidate that differs least, where that is at most a third of its letters, or `atMost` letters.
    static func nearest(to word: String, among candidates: [String], atMost: Int? = nil) -> String? {
        // Nobody slips by more letters than a name has.
        guard word.utf8.count <= 64 else { return nil }
        let scored = candidates.map { ($0, distance(word.lowercased(), $0.lowercased())) }
        guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= atMost ?? max(1, best.0.count / 3) else {
            return nil
        }
        return best.0
    }

    private static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.utf8)
        let b = Array(b.utf8)
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
                diagonal = above
            }
        }
        return row[b.count]
    }
}
