import NetTypes

/// Durations as Go and Kubernetes write them: `90s`, `1m30s`, `500ms`, `0`.
package enum GoDuration {
    /// More than any field takes; whatever is written beyond it counts as this much, so that the field's bounds refuse
    /// it.
    private static let most = Duration.seconds(1_000_000_000)

    /// Nil for anything else, negative ones included.
    package static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var total = Duration.zero
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard !digits.isEmpty, let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            let size: Int64
            switch unit {
            case "h": size = 3_600_000_000_000
            case "m": size = 60_000_000_000
            case "s": size = 1_000_000_000
            case "ms": size = 1_000_000
            case "us", "µs": size = 1000
            case "ns": size = 1
            default: return nil
            }
            // Whole numbers to the nanosecond; a fraction as near as a Double comes. What does not fit, or is infinite,
            // is beyond all bounds.
            let whole = Int64(digits)?.multipliedReportingOverflow(by: size)
            let nanoseconds =
                whole.map { $0.overflow ? nil : $0.partialValue } ?? Int64(exactly: (number * Double(size)).rounded())
            let part = nanoseconds.map { Duration.nanoseconds($0) } ?? most
            total = min(most, total + min(most, part))
        }
        return total
    }

    /// As a person writes it: `100ms`, `65535s`, `24h`.
    package static func text(_ duration: Duration) -> String {
        let nanoseconds = duration.nanoseconds
        for (size, unit) in [(3_600_000_000_000, "h"), (1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us")]
            as [(Int64, String)]
        where nanoseconds != 0 && nanoseconds % size == 0 {
            return "\(nanoseconds / size)\(unit)"
        }
        return nanoseconds == 0 ? "0s" : "\(nanoseconds)ns"
    }
}
