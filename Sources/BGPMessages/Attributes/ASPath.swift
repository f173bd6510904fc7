public import NetTypes

/// AS_PATH (RFC 4271 section 5.1.2, RFC 6793): segments of AS numbers.
///
/// ```
/// { | segment type 1 | count 1 | count x AS number of 4 bytes (2 towards and from an old speaker) | } ...
/// ```
public struct ASPath: Sendable, Hashable {
    public enum SegmentType: UInt8, Sendable, Hashable {
        case set = 1
        case sequence = 2
        case confedSequence = 3
        case confedSet = 4
    }

    public struct Segment: Sendable, Hashable {
        public var type: SegmentType
        /// 1...255 numbers.
        public var numbers: [ASNumber]
        public init(_ type: SegmentType, _ numbers: [ASNumber]) {
            self.type = type
            self.numbers = numbers
        }
    }

    public var segments: [Segment]

    public init(segments: [Segment] = []) { self.segments = segments }
    /// A single AS_SEQUENCE; empty for no numbers.
    public init(_ numbers: [UInt32]) {
        segments = numbers.isEmpty ? [] : [Segment(.sequence, numbers.map { ASNumber($0) })]
    }

    /// The length that the decision process compares: a set counts 1, confederation segments 0 (RFC 4271 9.1.2.2 a, RFC
    /// 5065 5.3).
    public var decisionLength: Int {
        segments.reduce(0) { sum, segment in
            switch segment.type {
            case .sequence: sum + segment.numbers.count
            case .set: sum + 1
            case .confedSequence, .confedSet: sum
            }
        }
    }

    /// The neighbor AS of a route: the leftmost number, where the path begins with a sequence.
    public var firstAS: ASNumber? {
        guard let first = segments.first(where: { $0.type == .sequence || $0.type == .set }), first.type == .sequence
        else { return nil }
        return first.numbers.first
    }

    /// The AS that originated a route: the rightmost number, where the path ends in a sequence (RFC 6811 section 2). Nil
    /// for an empty path too: then it is the AS of whoever sent it.
    public var originAS: ASNumber? {
        guard let last = segments.last, last.type == .sequence else { return nil }
        return last.numbers.last
    }

    /// How often a number occurs, in any kind of segment.
    public func occurrences(of number: ASNumber) -> Int {
        segments.reduce(0) { $0 + $1.numbers.reduce(0) { $0 + ($1 == number ? 1 : 0) } }
    }

    /// Prepends a number once (RFC 4271 5.1.2 b): a new segment where the first is no sequence or is full.
    public func prepending(_ number: ASNumber) -> ASPath {
        var result = self
        if let first = segments.first, first.type == .sequence, first.numbers.count < 255 {
            result.segments[0].numbers.insert(number, at: 0)
        } else {
            result.segments.insert(Segment(.sequence, [number]), at: 0)
        }
        return result
    }

    /// True where a number does not fit in two bytes, so that an old speaker needs AS4_PATH.
    var needsFourBytes: Bool { segments.contains { $0.numbers.contains { $0.rawValue > 0xFFFF } } }

    // MARK: Decode

    enum Flaw { case malformed, confederation, zero }

    static func decode(_ value: RawSpan, bytes: Int) -> Result<ASPath, FlawError> {
        var reader = ByteReader(value)
        var path = ASPath()
        while !reader.isEmpty {
            guard let rawType = reader.u8(), let type = SegmentType(rawValue: rawType), let count = reader.u8(),
                count > 0,
                reader.remaining >= Int(count) * bytes
            else { return .failure(FlawError(.malformed)) }
            var numbers: [ASNumber] = []
            numbers.reserveCapacity(Int(count))
            for _ in 0..<count {
                guard let number = bytes == 4 ? reader.u32() : reader.u16().map(UInt32.init) else {
                    return .failure(FlawError(.malformed))
                }
                // RFC 7607 section 2
                guard number != 0 else { return .failure(FlawError(.zero)) }
                numbers.append(ASNumber(number))
            }
            path.segments.append(Segment(type, numbers))
        }
        return .success(path)
    }

    struct FlawError: Error {
        let flaw: Flaw
        init(_ flaw: Flaw) { self.flaw = flaw }
    }

    // MARK: Encode

    func encode(bytes: Int, into writer: inout ByteWriter) {
        for segment in segments {
            writer.u8(segment.type.rawValue)
            writer.u8(UInt8(segment.numbers.count))
            for number in segment.numbers {
                if bytes == 4 { writer.u32(number.rawValue) } else { writer.u16(number.twoBytes) }
            }
        }
    }

    func encodedSize(bytes: Int) -> Int { segments.reduce(0) { $0 + 2 + $1.numbers.count * bytes } }

    /// Joins what an old speaker sent with its AS4_PATH (RFC 6793 section 4.2.3).
    func merged(withAS4Path as4: ASPath) -> ASPath {
        let ownLength = decisionLength
        let otherLength = as4.decisionLength
        guard ownLength >= otherLength else { return self }
        var keep = ownLength - otherLength
        var result = ASPath()
        for segment in segments where keep > 0 {
            switch segment.type {
            case .sequence:
                let taken = min(keep, segment.numbers.count)
                result.segments.append(Segment(.sequence, Array(segment.numbers.prefix(taken))))
                keep -= taken
            case .set:
                result.segments.append(segment)
                keep -= 1
            case .confedSequence, .confedSet: result.segments.append(segment)
            }
        }
        for segment in as4.segments {
            if let last = result.segments.last, last.type == .sequence, segment.type == .sequence,
                last.numbers.count + segment.numbers.count <= 255
            {
                result.segments[result.segments.count - 1].numbers += segment.numbers
            } else {
                result.segments.append(segment)
            }
        }
        return result
    }
}

extension ASPath: CustomStringConvertible {
    /// `64512 65000 {65001 65002}`: sets in braces, confederation segments in parentheses.
    public var description: String {
        segments.map { segment in
            let numbers = segment.numbers.map(\.description).joined(separator: " ")
            switch segment.type {
            case .sequence: return numbers
            case .set: return "{\(numbers)}"
            case .confedSequence: return "(\(numbers))"
            case .confedSet: return "[\(numbers)]"
            }
        }.joined(separator: " ")
    }
}

extension PathAttributes {
    mutating func readASPath(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        switch ASPath.decode(value, bytes: context.isFourOctetAS ? 4 : 2) {
        case .failure(let error):
            // RFC 7606 7.2; RFC 7607 2 for AS 0
            return .withdraw(
                .asPath, error.flaw == .zero ? "contains AS 0 (RFC 7607 2)" : "malformed segments (RFC 7606 7.2)")
        case .success(let path):
            // RFC 5065 5: no peer of a speaker outside a confederation may send its segments, an internal one neither.
            if path.segments.contains(where: { $0.type == .confedSequence || $0.type == .confedSet }) {
                return .withdraw(.asPath, "confederation segment outside a confederation (RFC 5065 5, RFC 7606 7.2)")
            }
            asPath = path
            return nil
        }
    }

    /// AS4_PATH: from an old speaker only (RFC 6793 section 4.1); a malformed one is discarded (section 6).
    mutating func readAS4Path(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        guard !context.isFourOctetAS else { return .discard(.as4Path, "sent by a four-octet speaker (RFC 6793 4.1)") }
        guard case .success(var path) = ASPath.decode(value, bytes: 4) else {
            return .discard(.as4Path, "malformed (RFC 6793 6)")
        }
        path.segments.removeAll { $0.type == .confedSequence || $0.type == .confedSet }
        as4Path = path
        return nil
    }

    func writeASPath(_ bytes: Int, into writer: inout ByteWriter) {
        guard let asPath else { return }
        writer.attributeHeader(.asPath, flags: .transitive, length: asPath.encodedSize(bytes: bytes))
        asPath.encode(bytes: bytes, into: &writer)
    }

    /// Towards an old speaker, and only where a number does not fit (RFC 6793 section 4.2.2).
    func writeAS4Path(into writer: inout ByteWriter) {
        guard let asPath, asPath.needsFourBytes else { return }
        var plain = asPath
        plain.segments.removeAll { $0.type == .confedSequence || $0.type == .confedSet }
        writer.attributeHeader(.as4Path, flags: [.optional, .transitive], length: plain.encodedSize(bytes: 4))
        plain.encode(bytes: 4, into: &writer)
    }
}
