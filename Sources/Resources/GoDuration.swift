/// Durations as Go and Kubernetes write them: `90s`, `1m30s`, `500ms`, `0`.
package enum GoDuration {
    /// Nil for anything else, negative ones included.
    package static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var total = Duration.zero
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard !digits.isEmpty, let number = Double(digits), number.isFinite, number < 1e9 else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            let seconds: Double
            switch unit {
            case "h": seconds = 3600
            case "m": seconds = 60
            case "s": seconds = 1
            case "ms": seconds = 1e-3
            case "us", "µs": seconds = 1e-6
            case "ns": seconds = 1e-9
            default: return nil
            }
            total += .nanoseconds(Int64(number * seconds * 1e9))
        }
        return total
    }
}
