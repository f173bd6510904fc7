/// Calico's selector language (contract 2.5): `label == 'v'`, `!=`, `in {'a','b'}`, `not in`, `contains`, `starts
/// with`, `ends with`, `has(l)`, `!`, `&&`, `||`, parentheses, `all()`, `global()`. `||` binds loosest; an empty string
/// selects everything.
package struct Selector: Sendable, Hashable {
    private indirect enum Expression: Sendable, Hashable {
        case all
        case none
        case equals(String, String)
        case differs(String, String)
        case within(String, [String])
        case notWithin(String, [String])
        case contains(String, String)
        case starts(String, String)
        case ends(String, String)
        case has(String)
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
    }

    package let text: String
    private let expression: Expression

    package struct SyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
        package let description: String
    }

    package init(_ text: String) throws(SyntaxError) {
        self.text = text
        var parser = Parser(text)
        expression = try parser.parse()
    }

    package func matches(_ labels: [String: String]) -> Bool { Selector.evaluate(expression, labels) }

    private static func evaluate(_ expression: Expression, _ labels: [String: String]) -> Bool {
        switch expression {
        case .all: true
        case .none: false
        case .equals(let label, let value): labels[label] == value
        // As Calico: true also where the label is absent.
        case .differs(let label, let value): labels[label] != value
        case .within(let label, let values): labels[label].map(values.contains) ?? false
        case .notWithin(let label, let values): !(labels[label].map(values.contains) ?? false)
        case .contains(let label, let value): labels[label].map { contains($0, value) } ?? false
        case .starts(let label, let value): labels[label]?.hasPrefix(value) ?? false
        case .ends(let label, let value): labels[label]?.hasSuffix(value) ?? false
        case .has(let label): labels[label] != nil
        case .not(let inner): !evaluate(inner, labels)
        case .and(let a, let b): evaluate(a, labels) && evaluate(b, labels)
        case .or(let a, let b): evaluate(a, labels) || evaluate(b, labels)
        }
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8)
        let part = Array(part.utf8)
        guard part.count <= text.count else { return false }
        return part.isEmpty || (0...(text.count - part.count)).contains { Array(text[$0..<($0 + part.count)]) == part }
    }

    // MARK: Parser

    private struct Parser {
        private enum Token: Hashable {
            case word(String)
            case quoted(String)
            case symbol(String)
        }

        private var tokens: [Token] = []
        private var position = 0
        private var lexError: SyntaxError?
        private var depth = 0

        init(_ text: String) {
            var rest = Substring(text)
            while let first = rest.first {
                if first.isWhitespace {
                    rest.removeFirst()
                } else if first == "'" || first == "\"" {
                    rest.removeFirst()
                    guard let end = rest.firstIndex(of: first) else {
                        lexError = SyntaxError(description: "a quote is not closed")
                        return
                    }
                    tokens.append(.quoted(String(rest[..<end])))
                    rest = rest[rest.index(after: end)...]
                } else if let symbol = ["==", "!=", "&&", "||", "{", "}", "(", ")", ",", "!"].first(where: {
                    rest.hasPrefix($0)
                }) {
                    tokens.append(.symbol(symbol))
                    rest = rest.dropFirst(symbol.count)
                } else {
                    let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "_./-".contains($0)) }
                    guard !word.isEmpty else {
                        lexError = SyntaxError(description: "unexpected character \(first)")
                        return
                    }
                    tokens.append(.word(String(word)))
                    rest = rest.dropFirst(word.count)
                }
            }
        }

        mutating func parse() throws(SyntaxError) -> Expression {
            if let lexError { throw lexError }
            if tokens.isEmpty { return .all }
            let result = try parseOr()
            guard position == tokens.count else {
                throw SyntaxError(description: "unexpected \(name(tokens[position]))")
            }
            return result
        }

        private mutating func parseOr() throws(SyntaxError) -> Expression {
            var result = try parseAnd()
            while take(.symbol("||")) { result = .or(result, try parseAnd()) }
            return result
        }

        private mutating func parseAnd() throws(SyntaxError) -> Expression {
            var result = try parseTerm()
            while take(.symbol("&&")) { result = .and(result, try parseTerm()) }
            return result
        }

        private mutating func parseTerm() throws(SyntaxError) -> Expression {
            depth += 1
            defer { depth -= 1 }
            guard depth < 100 else { throw SyntaxError(description: "nested too deeply") }
            if take(.symbol("!")) { return .not(try parseTerm()) }
            if take(.symbol("(")) {
                let inner = try parseOr()
                try expect(")")
                return inner
            }
            guard position < tokens.count, case .word(let word) = tokens[position] else {
                throw SyntaxError(
                    description: position < tokens.count ? "unexpected \(name(tokens[position]))" : "ends too early")
            }
            position += 1
            if take(.symbol("(")) {
                switch word {
                case "all", "global":
                    try expect(")")
                    return word == "all" ? .all : .none
                case "has":
                    guard position < tokens.count, case .word(let label) = tokens[position] else {
                        throw SyntaxError(description: "has() needs a label")
                    }
                    position += 1
                    try expect(")")
                    return .has(label)
                default: throw SyntaxError(description: "there is no function \(word)()")
                }
            }
            return try parseComparison(word)
        }

        private mutating func parseComparison(_ label: String) throws(SyntaxError) -> Expression {
            if take(.symbol("==")) { return .equals(label, try value()) }
            if take(.symbol("!=")) { return .differs(label, try value()) }
            if take(.word("in")) { return .within(label, try set()) }
            if take(.word("not")) {
                guard take(.word("in")) else { throw SyntaxError(description: "after not there must be in") }
                return .notWithin(label, try set())
            }
            if take(.word("contains")) { return .contains(label, try value()) }
            if take(.word("starts")) {
                guard take(.word("with")) else { throw SyntaxError(description: "after starts there must be with") }
                return .starts(label, try value())
            }
            if take(.word("ends")) {
                guard take(.word("with")) else { throw SyntaxError(description: "after ends there must be with") }
                return .ends(label, try value())
            }
            throw SyntaxError(description: "after the label \(label) there must be a comparison such as == 'value'")
        }

        private mutating func set() throws(SyntaxError) -> [String] {
            try expect("{")
            var values: [String] = []
            while !take(.symbol("}")) {
                if !values.isEmpty { try expect(",") }
                values.append(try value())
            }
            return values
        }

        private mutating func value() throws(SyntaxError) -> String {
            guard position < tokens.count, case .quoted(let text) = tokens[position] else {
                throw SyntaxError(description: "a value must be in quotes, as in 'value'")
            }
            position += 1
            return text
        }

        private mutating func take(_ token: Token) -> Bool {
            guard position < tokens.count, tokens[position] == token else { return false }
            position += 1
            return true
        }

        private mutating func expect(_ symbol: String) throws(SyntaxError) {
            guard take(.symbol(symbol)) else { throw SyntaxError(description: "\(symbol) is missing") }
        }

        private func name(_ token: Token) -> String {
            switch token {
            case .word(let text), .symbol(let text): text
            case .quoted(let text): "'\(text)'"
            }
        }
    }
}
