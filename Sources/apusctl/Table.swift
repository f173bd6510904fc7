import Glibc

// `unsafe` here: calls of the C library with the address of a variable for the length of the call; `tm` is unsafe by
// its `tm_zone`, which is not read.

/// Rows of text as columns that line up, for people.
struct Table {
    let header: [String]
    var rows: [[String]] = []

    init(_ header: String...) { self.header = header }

    mutating func add(_ cells: String...) { rows.append(cells) }

    func printed() -> String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }.joined(separator: "\n")
    }

    /// As calicoctl draws it (contract 2.10): every column centred in its heading, cells to the left, and what is
    /// longer than `limit` in several lines.
    func boxed(wrappedAt limit: Int) -> String {
        let cells = rows.map { $0.map { Table.wrapped($0, limit) } }
        let widths = header.indices.map { column in
            let longest = rows.map { min(limit, $0[column].count) } + cells.flatMap { $0[column].map(\.count) }
            return max(header[column].count, longest.max() ?? 0)
        }
        let rule = "+" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "+") + "+"
        func cell(_ text: String, _ width: Int, centred: Bool) -> String {
            let space = width - text.count
            let left = centred ? space / 2 : 0
            return " " + String(repeating: " ", count: left) + text + String(repeating: " ", count: space - left) + " "
        }
        func line(_ texts: [String], centred: Bool = false) -> String {
            "|" + texts.enumerated().map { cell($1, widths[$0], centred: centred) }.joined(separator: "|") + "|"
        }
        var lines = [rule, line(header, centred: true), rule]
        for row in cells {
            for number in 0..<(row.map(\.count).max() ?? 0) {
                lines.append(line(row.map { number < $0.count ? $0[number] : "" }))
            }
        }
        lines.append(rule)
        return lines.joined(separator: "\n")
    }

    /// A cell in lines of at most `limit` characters, so that all but the last are as even as can be; a word that is
    /// longer stands alone.
    static func wrapped(_ text: String, _ limit: Int) -> [String] {
        let words = text.split(separator: " ").map(String.init)
        guard text.count > limit, words.count > 1 else { return [text] }
        func length(_ range: Range<Int>) -> Int { words[range].reduce(range.count - 1) { $0 + $1.count } }
        // From the end: what the lines from a word on cost, and where the first of them ends.
        var cost = [Int](repeating: 0, count: words.count + 1)
        var end = [Int](repeating: words.count, count: words.count + 1)
        for start in words.indices.reversed() where length(start..<words.count) > limit {
            cost[start] = .max
            for next in start + 1..<words.count + 1 {
                let space = limit - length(start..<next)
                guard space >= 0 || next == start + 1 else { break }
                let total = cost[next] + space * space + (space < 0 ? 100_000 : 0)
                if total < cost[start] { (cost[start], end[start]) = (total, next) }
            }
        }
        var lines: [String] = []
        var start = 0
        while start < words.count {
            lines.append(words[start..<end[start]].joined(separator: " "))
            start = end[start]
        }
        return lines
    }
}

/// `1d2h`, `3m20s`: the two largest units.
func durationText(_ seconds: Double) -> String {
    let total = wholeNumber(max(0, seconds))
    let parts = [(total / 86400, "d"), (total / 3600 % 24, "h"), (total / 60 % 60, "m"), (total % 60, "s")]
    guard let first = parts.firstIndex(where: { $0.0 > 0 }) else { return "0s" }
    return parts[first...].prefix(2).filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
}

/// The integer nearest to a number that came from elsewhere: `Int(Double)` traps on what is out of range or no number.
func wholeNumber(_ value: Double) -> Int { Int(exactly: value.rounded(.towardZero)) ?? (value > 0 ? .max : 0) }

/// RFC 3339, in UTC to the millisecond, of seconds since 1970.
func timeText(_ seconds: Double) -> String {
    let milliseconds = wholeNumber((seconds * 1000).rounded())
    var time = time_t(milliseconds / 1000)
    var parts = unsafe tm()
    unsafe gmtime_r(&time, &parts)
    func padded(_ value: Int, _ width: Int) -> String {
        let digits = "\(value)"
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date = unsafe [
        padded(Int(parts.tm_year) + 1900, 4), padded(Int(parts.tm_mon) + 1, 2), padded(Int(parts.tm_mday), 2),
    ]
    let clock = unsafe [padded(Int(parts.tm_hour), 2), padded(Int(parts.tm_min), 2), padded(Int(parts.tm_sec), 2)]
    return date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "." + padded(milliseconds % 1000, 3) + "Z"
}
