/// A regular expression for names of interfaces, in the syntax of Go (RE2) that Calico's variables are written in.
///
/// The time of a match is bounded by the length of the expression times that of the name, whatever the expression is:
/// all states are followed at once, and nothing is tried twice. As in Calico a name matches where any part of it does;
/// `^` and `$` tie an expression to its ends.
package struct NamePattern: Sendable, Hashable, CustomStringConvertible {
    /// Bytes of an expression at most, states of its program, and groups inside each other.
    package static let longest = 256
    package static let mostStates = 2048
    static let deepest = 16

    package let text: String
    private let program: [Step]

    /// What is wrong with an expression, as the end of a sentence that names it.
    package struct SyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
        package let description: String
    }

    package init(_ text: String) throws(SyntaxError) {
        guard !text.isEmpty else { throw SyntaxError(description: "an expression is empty") }
        guard text.utf8.count <= NamePattern.longest else {
            throw SyntaxError(description: "it is longer than \(NamePattern.longest) bytes")
        }
        self.text = text
        var parser = Parser(bytes: Array(text.utf8))
        let tree = try parser.alternatives(depth: 0)
        guard parser.isAtEnd else { throw SyntaxError(description: "')' has no '('") }
        var program: [Step] = []
        try tree.emit(into: &program)
        program.append(.match)
        self.program = program
    }

    package var description: String { text }

    /// True where a part of the name matches.
    package func matches(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        var states: Set<Int> = []
        for position in 0...bytes.count {
            // A match may begin at each byte.
            if follow(0, at: position, of: bytes.count, into: &states) { return true }
            guard position < bytes.count else { break }
            var next: Set<Int> = []
            for state in states {
                if case .byte(let set) = program[state], set.contains(bytes[position]),
                    follow(state + 1, at: position + 1, of: bytes.count, into: &next)
                {
                    return true
                }
            }
            states = next
        }
        return false
    }

    /// Adds what is reached from a state without a byte. True where that is the end of the expression.
    private func follow(_ start: Int, at position: Int, of end: Int, into states: inout Set<Int>) -> Bool {
        var waiting = [start]
        while let state = waiting.popLast() {
            guard states.insert(state).inserted else { continue }
            switch program[state] {
            case .byte: break
            case .fork(let a, let b): waiting += [a, b]
            case .jump(let target): waiting.append(target)
            case .atStart: if position == 0 { waiting.append(state + 1) }
            case .atEnd: if position == end { waiting.append(state + 1) }
            case .match: return true
            }
        }
        return false
    }

    // MARK: Program

    fileprivate enum Step: Sendable, Hashable {
        case byte(ByteSet)
        case fork(Int, Int)
        case jump(Int)
        case atStart, atEnd, match
    }

    fileprivate struct ByteSet: Sendable, Hashable {
        private var words: [UInt64] = [0, 0, 0, 0]
        func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }
        mutating func insert(_ range: ClosedRange<UInt8>) {
            for byte in range { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
        }
        mutating func formUnion(_ other: ByteSet) { for index in words.indices { words[index] |= other.words[index] } }
        var inverted: ByteSet {
            var result = self
            for index in words.indices { result.words[index] = ~words[index] }
            return result
        }
        init(_ ranges: ClosedRange<UInt8>...) { for range in ranges { insert(range) } }
        static let digits = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))
        static let wordBytes: ByteSet = {
            var result = ByteSet(
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_")...UInt8(ascii: "_"))
            result.formUnion(digits)
            return result
        }()
        static let spaces = ByteSet(9...10, 12...13, 32...32)
    }

    fileprivate indirect enum Tree {
        case empty, atStart, atEnd
        case byte(ByteSet)
        case sequence([Tree])
        case either(Tree, Tree)
        /// `most` nil: any number.
        case repeated(Tree, least: Int, most: Int?)

        fileprivate func emit(into program: inout [Step]) throws(SyntaxError) {
            guard program.count < NamePattern.mostStates else {
                throw SyntaxError(description: "it is too large: repetitions multiply each other")
            }
            switch self {
            case .empty: break
            case .atStart: program.append(.atStart)
            case .atEnd: program.append(.atEnd)
            case .byte(let set): program.append(.byte(set))
            case .sequence(let parts): for part in parts { try part.emit(into: &program) }
            case .either(let a, let b):
                let fork = program.count
                program.append(.match)
                try a.emit(into: &program)
                let jump = program.count
                program.append(.match)
                program[fork] = .fork(fork + 1, program.count)
                try b.emit(into: &program)
                program[jump] = .jump(program.count)
            case .repeated(let part, let least, let most):
                for _ in 0..<least { try part.emit(into: &program) }
                guard let most else {
                    let fork = program.count
                    program.append(.match)
                    try part.emit(into: &program)
                    program.append(.jump(fork))
                    program[fork] = .fork(fork + 1, program.count)
                    return
                }
                for _ in least..<max(least, most) { try Tree.either(part, .empty).emit(into: &program) }
            }
        }
    }

    // MARK: Parser

    fileprivate struct Parser {
        let bytes: [UInt8]
        var position = 0
        var isAtEnd: Bool { position == bytes.count }
        private var next: UInt8? { isAtEnd ? nil : bytes[position] }

        init(bytes: [UInt8]) { self.bytes = bytes }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard next == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func alternatives(depth: Int) throws(SyntaxError) -> Tree {
            guard depth <= NamePattern.deepest else { throw SyntaxError(description: "its groups nest too deeply") }
            var result = try sequence(depth)
            while take("|") { result = .either(result, try sequence(depth)) }
            return result
        }

        private mutating func sequence(_ depth: Int) throws(SyntaxError) -> Tree {
            var parts: [Tree] = []
            while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
                parts.append(try repetition(of: atom(depth)))
            }
            return .sequence(parts)
        }

        private mutating func repetition(of atom: Tree) throws(SyntaxError) -> Tree {
            let result: Tree
            if take("*") {
                result = .repeated(atom, least: 0, most: nil)
            } else if take("+") {
                result = .repeated(atom, least: 1, most: nil)
            } else if take("?") {
                result = .repeated(atom, least: 0, most: 1)
            } else if take("{") {
                guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "}")),
                    let count = Int(String(decoding: bytes[position..<end], as: UTF8.self)), 1...100 ~= count
                else {
                    throw SyntaxError(
                        description: "'{' needs a number of 1 to 100 and '}'; a comma separates expressions here, so "
                            + "that {2,4} is written as {2}.?.?")
                }
                position = end + 1
                result = .repeated(atom, least: count, most: count)
            } else {
                return atom
            }
            // The shortest match or the longest: it is a match.
            _ = take("?")
            if let byte = next, [UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?")].contains(byte) {
                throw SyntaxError(description: "a repetition is repeated")
            }
            return result
        }

        private mutating func atom(_ depth: Int) throws(SyntaxError) -> Tree {
            let byte = bytes[position]
            position += 1
            switch Unicode.Scalar(byte) {
            case "(":
                if take("?"), !take(":") {
                    throw SyntaxError(description: "'(?' is supported as '(?:' alone")
                }
                let inner = try alternatives(depth: depth + 1)
                guard take(")") else { throw SyntaxError(description: "'(' has no ')'") }
                return inner
            case "[": return .byte(try bracket())
            case ".": return .byte(ByteSet(0...255))
            case "^": return .atStart
            case "$": return .atEnd
            case "\\": return .byte(try escape())
            case "*", "+", "?": throw SyntaxError(description: "'\(Unicode.Scalar(byte))' has nothing to repeat")
            default: return .byte(ByteSet(byte...byte))
            }
        }

        private mutating func escape() throws(SyntaxError) -> ByteSet {
            guard let byte = next else { throw SyntaxError(description: "it ends with '\\'") }
            position += 1
            switch Unicode.Scalar(byte) {
            case "d": return .digits
            case "D": return ByteSet.digits.inverted
            case "w": return .wordBytes
            case "W": return ByteSet.wordBytes.inverted
            case "s": return .spaces
            case "S": return ByteSet.spaces.inverted
            default:
                guard !ByteSet.wordBytes.contains(byte) else {
                    throw SyntaxError(description: "'\\\(Unicode.Scalar(byte))' is not supported")
                }
                return ByteSet(byte...byte)
            }
        }

        private mutating func bracket() throws(SyntaxError) -> ByteSet {
            let isInverted = take("^")
            var result = ByteSet()
            var isFirst = true
            while isFirst || next != UInt8(ascii: "]") {
                guard let byte = next else { throw SyntaxError(description: "'[' has no ']'") }
                isFirst = false
                position += 1
                if byte == UInt8(ascii: "\\") {
                    result.formUnion(try escape())
                    continue
                }
                if next == UInt8(ascii: "-"), position + 1 < bytes.count, bytes[position + 1] != UInt8(ascii: "]") {
                    let last = bytes[position + 1]
                    guard last >= byte else { throw SyntaxError(description: "a range of '[ ]' runs backwards") }
                    position += 2
                    result.insert(byte...last)
                } else {
                    result.insert(byte...byte)
                }
            }
            position += 1
            return isInverted ? result.inverted : result
        }
    }
}
