import Foundation
import RegexBuilder
import Testing

/// How long files, types and signatures may be. Read from the text: `make lint` keeps it in the shape that this
/// relies on.
@Suite struct SizeTests {
    static func files(_ folder: String) throws -> [(name: String, lines: [Substring])] {
        let names = try LayeringTests.run(["git", "ls-files", folder]).split(separator: "\n").map(String.init)
            .filter { $0.hasSuffix(".swift") }
        #expect(names.count > 100)
        return try names.filter { FileManager.default.fileExists(atPath: LayeringTests.root.appending(path: $0).path) }
            .map {
                (
                    $0,
                    try String(contentsOf: LayeringTests.root.appending(path: $0), encoding: .utf8)
                        .split(separator: "\n", omittingEmptySubsequences: false)
                )
            }
    }

    @Test func `a file of tests has at most 400 lines`() throws {
        for (name, lines) in try Self.files("Tests") { #expect(lines.count <= 401, "\(name)") }
    }

    /// A type, and how many stored properties it has.
    struct Counted: Equatable {
        var name: String
        var count: Int
        /// Its documentation gives the reason for having many.
        var saysWhy: Bool
    }

    /// How many properties `a: Int, b: [Int: Int]` declares: 1, and 1 for each comma that is inside no type or value.
    private static func declared(_ text: String) -> Int {
        var depth = 0
        var count = 1
        for character in text {
            if "([<{".contains(character) { depth += 1 }
            if ")]>}".contains(character) { depth -= 1 }
            if character == ",", depth == 0 { count += 1 }
        }
        return count
    }

    /// The types of a file with their stored properties.
    static func types(_ lines: [Substring]) -> [Counted] {
        let modifiers =
            /(?:@\w+(?:\([^)]*\))? +)*(?:(?:package|private|fileprivate|public|final|indirect|weak|unowned|lazy|nonisolated|unsafe|(?:private|package|internal|fileprivate)\(set\)|nonisolated\(unsafe\)|unowned\(unsafe\)) +)*/
        let declaration = Regex {
            /^ */
            modifiers
            /(?:struct|class|enum|actor|extension) +([\w.]+)/
        }
        let property = Regex {
            /^ */
            modifiers
            /(?:let|var) +(.*)$/
        }
        var found: [Counted] = []
        var open: [(index: Int, indent: Int)] = []
        var documentation = ""
        for (number, line) in lines.enumerated() {
            let text = line.drop { $0 == " " }
            guard !text.isEmpty else { continue }
            if text.hasPrefix("///") {
                documentation += text
                continue
            }
            defer { if !text.hasPrefix("@") { documentation = "" } }
            let indent = line.count - text.count
            while let last = open.last, indent <= last.indent, !text.hasPrefix(")") { open.removeLast() }
            if let match = line.firstMatch(of: declaration), !text.hasPrefix("class func"), !text.hasPrefix("class var")
            {
                found.append(
                    Counted(name: String(match.1), count: 0, saysWhy: documentation.contains("One property per")))
                open.append((found.count - 1, indent))
            } else if let last = open.last, indent == last.indent + 4, let match = line.firstMatch(of: property) {
                let rest = String(match.1).replacing(/"[^"]*"/, with: "")
                let beforeBrace = rest.prefix { $0 != "{" }
                let observers = lines[number..<min(number + 3, lines.count)].contains {
                    $0.contains("didSet") || $0.contains("willSet")
                }
                if beforeBrace.count < rest.count, !beforeBrace.contains("="), !observers { continue }
                found[last.index].count += declared(rest)
            }
        }
        return found
    }

    @Test func `no type has more than 15 stored properties, but lists of like things that say so`() throws {
        var properties = 0
        for (name, lines) in try Self.files("Sources") {
            for type in Self.types(lines) {
                properties += type.count
                #expect(type.count <= 15 || type.saysWhy, "\(name): \(type.name) has \(type.count)")
            }
        }
        #expect(properties > 1000, "the files could not be read")
    }

    /// Names of functions with three unlabelled parameters or more, in a file's text.
    static func unlabelled(_ text: String) -> [String] {
        var found: [String] = []
        for match in text.matches(of: /\b(func +[^\s(<]+|init[?!]?|subscript) *(?:<[^>]*>)?\(/) {
            var depth = 1
            var isAtStart = true
            var count = 0
            var previous: Character = "("
            for character in text[match.range.upperBound...] {
                if "([{<".contains(character) { depth += 1 }
                if ")]}".contains(character) || character == ">" && previous != "-" { depth -= 1 }
                if depth == 0 { break }
                if isAtStart, character == "_" { count += 1 }
                if character == ",", depth == 1 {
                    isAtStart = true
                } else if !character.isWhitespace {
                    isAtStart = false
                }
                previous = character
            }
            if count >= 3 { found.append(String(match.1)) }
        }
        return found
    }

    @Test func `no function has three unlabelled parameters`() throws {
        for (name, lines) in try Self.files("Sources") {
            let found = Self.unlabelled(lines.joined(separator: "\n"))
            #expect(found.isEmpty, "\(name): \(found)")
        }
    }

    @Test func `the measures see what they are to see`() {
        let source = """
            /// One property per field.
            struct A: Sendable {
                let a: Int, b: Int
                private(set) var list: [String: (Int, Int)] = [:]
                var computed: Int { a }
                static let none = 0
                struct B {
                    var c = 1
                }
                func f(_ a: Int, _ b: (Int, Int) -> Void, c: [Int: Int], _ d: Int) {
                    let local = 1
                }
            }
            """
        let types = Self.types(source.split(separator: "\n"))
        #expect(
            types == [Counted(name: "A", count: 3, saysWhy: true), Counted(name: "B", count: 1, saysWhy: false)])
        #expect(Self.unlabelled(source) == ["func f"])
        #expect(Self.unlabelled("func g(_ a: Int, _ b: Int, c: Int)").isEmpty)
    }
}
