internal import CLibYAML

// `unsafe` here: libyaml's parser lives at a fixed address that `YAMLReader` owns; its strings are copied while the
// event that owns them lives.

/// Text to documents, by libyaml's events. What YAML allows and nobody's manifest needs is bounded: aliases that
/// multiply ('billion laughs'), and nesting.
@safe struct YAMLReader: ~Copyable {
    /// Why a text is no YAML.
    struct SyntaxError: Error {
        /// From 1; 0 where it is not known.
        var line: Int
        var message: String
    }

    /// Values of all documents of a text, aliases by what they stand for.
    private static let mostValues = 1_000_000

    /// Objects and lists within each other; a manifest has a dozen. The reader calls itself for each.
    private static let mostNesting = 100

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var anchors: [String: YAMLNode] = [:]
    private var count = 0
    private var nesting = 0

    private init() throws(SyntaxError) {
        unsafe parser = .allocate(capacity: 1)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            throw SyntaxError(line: 0, message: "no memory to read it")
        }
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
    }

    /// The documents of a text, in its order. Errors are thrown for the text as a whole.
    static func documents(_ text: String) throws(SyntaxError) -> [YAMLNode] {
        var text = text
        let read = text.withUTF8 { bytes in
            Result { () throws(SyntaxError) in
                var reader = try YAMLReader()
                unsafe yaml_parser_set_input_string(reader.parser, bytes.baseAddress, bytes.count)
                do throws(SyntaxError) {
                    return try reader.stream()
                } catch {
                    // libyaml says where in bytes, not in lines, if a byte is none of YAML's.
                    guard error.line == 0, unsafe reader.parser.pointee.error == YAML_READER_ERROR else { throw error }
                    let before = unsafe bytes.prefix(reader.parser.pointee.problem_offset)
                    throw unsafe SyntaxError(line: 1 + before.count { $0 == 0x0A }, message: error.message)
                }
            }
        }
        return try read.get()
    }

    private mutating func stream() throws(SyntaxError) -> [YAMLNode] {
        var documents: [YAMLNode] = []
        while true {
            var event = unsafe try nextEvent()
            defer { unsafe yaml_event_delete(&event) }
            switch unsafe event.type {
            case YAML_STREAM_END_EVENT: return documents
            // An anchor is known in its document only (YAML 1.2, 3.2.2.2).
            case YAML_DOCUMENT_START_EVENT: anchors = [:]
            case YAML_STREAM_START_EVENT, YAML_DOCUMENT_END_EVENT: continue
            default: unsafe documents.append(try node(event))
            }
        }
    }

    /// The node that an event begins.
    private mutating func node(_ event: yaml_event_t) throws(SyntaxError) -> YAMLNode {
        let anchor = unsafe withUnsafePointer(to: event) {
            unsafe apus_yaml_anchor($0).map { unsafe String(cString: $0) }
        }
        let line = unsafe Int(event.start_mark.line) + 1
        if unsafe event.type == YAML_ALIAS_EVENT {
            guard var node = anchors[anchor ?? ""] else {
                throw SyntaxError(line: line, message: "*\(FieldReader.shown(anchor ?? "")) names no anchor before it")
            }
            node.line = line
            try take(node.count, line)
            return node
        }
        try take(1, line)
        nesting += 1
        defer { nesting -= 1 }
        if nesting > YAMLReader.mostNesting {
            throw SyntaxError(
                line: line, message: "more than \(YAMLReader.mostNesting) objects and lists within each other")
        }
        var node: YAMLNode
        switch unsafe event.type {
        case YAML_SEQUENCE_START_EVENT: node = try sequence(line)
        case YAML_MAPPING_START_EVENT: node = try mapping(line)
        default:
            let text = unsafe withUnsafePointer(to: event) { event in
                unsafe UnsafeRawBufferPointer(start: apus_yaml_value(event), count: apus_yaml_length(event))
                    .withMemoryRebound(to: UInt8.self) {
                        unsafe String(decoding: $0, as: UTF8.self)
                    }
            }
            node = unsafe YAMLNode(
                content: .scalar(text, isPlain: withUnsafePointer(to: event) { unsafe apus_yaml_is_plain($0) } == 1),
                line: line)
        }
        // Only now: a node within itself names no anchor.
        if let anchor { anchors[anchor] = node }
        return node
    }

    private mutating func sequence(_ line: Int) throws(SyntaxError) -> YAMLNode {
        var items: [YAMLNode] = []
        var count = 1
        while let item = try nextNode(until: YAML_SEQUENCE_END_EVENT) {
            items.append(item)
            count += item.count
        }
        return YAMLNode(content: .sequence(items), line: line, count: count)
    }

    private mutating func mapping(_ line: Int) throws(SyntaxError) -> YAMLNode {
        var pairs: [(key: YAMLNode, value: YAMLNode)] = []
        var lines: [String: Int] = [:]
        var count = 1
        while let key = try nextNode(until: YAML_MAPPING_END_EVENT) {
            if let name = key.scalar, let first = lines.updateValue(key.line, forKey: name) {
                throw SyntaxError(
                    line: key.line,
                    message: "\"\(FieldReader.shown(name))\" stands twice in one object, at line \(first) and here")
            }
            guard let value = try nextNode(until: YAML_MAPPING_END_EVENT) else { break }
            pairs.append((key, value))
            count += key.count + value.count
        }
        return YAMLNode(content: .mapping(pairs), line: line, count: count)
    }

    private mutating func nextNode(until end: yaml_event_type_t) throws(SyntaxError) -> YAMLNode? {
        var event = unsafe try nextEvent()
        defer { unsafe yaml_event_delete(&event) }
        return unsafe event.type == end ? nil : try node(event)
    }

    private mutating func take(_ values: Int, _ line: Int) throws(SyntaxError) {
        count += values
        if count > YAMLReader.mostValues {
            throw SyntaxError(
                line: line, message: "more than \(YAMLReader.mostValues) values, aliases by what they stand for")
        }
    }

    /// The caller deletes it.
    private func nextEvent() throws(SyntaxError) -> yaml_event_t {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else {
            let state = unsafe parser.pointee
            let problem = unsafe state.problem.map { unsafe String(cString: $0) } ?? "it cannot be read"
            guard unsafe state.error != YAML_READER_ERROR else { throw SyntaxError(line: 0, message: problem) }
            let context =
                unsafe state.context.map { unsafe "\(String(cString: $0)) at line \(state.context_mark.line + 1): " }
                ?? ""
            throw unsafe SyntaxError(line: Int(state.problem_mark.line) + 1, message: context + problem)
        }
        return unsafe event
    }
}
