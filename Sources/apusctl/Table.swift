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

    /// As calicoctl draws it (contract 2.10): every column centred in its heading, cells to the left.
    func boxed() -> String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        let rule = "+" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "+") + "+"
        func cell(_ text: String, _ width: Int, centred: Bool) -> String {
            let space = width - text.count
            let left = centred ? space / 2 : 0
            return " " + String(repeating: " ", count: left) + text + String(repeating: " ", count: space - left) + " "
        }
        var lines = [
            rule, "|" + header.enumerated().map { cell($1, widths[$0], centred: true) }.joined(separator: "|") + "|",
            rule,
        ]
        for row in rows {
            lines.append(
                "|" + row.enumerated().map { cell($1, widths[$0], centred: false) }.joined(separator: "|") + "|")
        }
        lines.append(rule)
        return lines.joined(separator: "\n")
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
