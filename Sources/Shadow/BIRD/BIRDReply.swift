/// What BIRD says to one command on its control socket.
///
/// A reply is lines. The first of a kind has four digits and `-` before its text, the last of all four digits and a
/// blank; a line that begins with a blank goes on with the digits of the line before. Codes from 8000 on are errors.
package struct BIRDReply: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        package var code: Int
        package var text: String
    }
    package private(set) var lines: [Line] = []
    /// The last line was read: nothing follows.
    package private(set) var isComplete = false

    package init() {}

    /// A reply that is whole. Throws where it is not, or is an error.
    package init(_ text: String) throws(BIRDError) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) where !isComplete {
            try append(line)
        }
        guard isComplete else { throw .notUnderstood(line: "the reply ends early") }
    }

    /// The next line, without its end.
    package mutating func append(_ line: some StringProtocol) throws(BIRDError) {
        guard !isComplete else { throw .notUnderstood(line: String(line)) }
        let bytes = Array(line.utf8.prefix(5))
        if bytes.first == UInt8(ascii: " ") {
            guard let last = lines.last else { throw .notUnderstood(line: String(line)) }
            lines.append(Line(code: last.code, text: String(line.dropFirst())))
            return
        }
        guard bytes.count == 5, bytes.prefix(4).allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let code = Int(line.prefix(4)), bytes[4] == UInt8(ascii: "-") || bytes[4] == UInt8(ascii: " ")
        else { throw .notUnderstood(line: String(line)) }
        let text = String(line.dropFirst(5))
        guard code < 8000 else { throw .refused(text: text) }
        if !text.isEmpty || code != 0 { lines.append(Line(code: code, text: text)) }
        isComplete = bytes[4] == UInt8(ascii: " ")
    }
}

/// Why BIRD's state is not known.
package enum BIRDError: Error, Sendable, Hashable {
    /// A line of a reply that is none of those that BIRD 1.6 and 2 are known to print.
    case notUnderstood(line: String)
    /// BIRD refused a command.
    case refused(text: String)
    /// The socket cannot be asked: errno.
    case unreachable(code: Int32)
}
