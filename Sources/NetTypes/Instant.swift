/// A point on a monotonic clock, in nanoseconds from an arbitrary start.
///
/// The core never reads a clock: it is given `now`, so that a simulation can run it under any time.
public struct Instant: Sendable, Hashable, Comparable {
    public let nanoseconds: Int64
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    public static let zero = Instant(nanoseconds: 0)

    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Saturates at the far future, so that 'never' stays 'never'.
    public static func + (a: Instant, b: Duration) -> Instant {
        let sum = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        return Instant(nanoseconds: sum.overflow ? .max : sum.partialValue)
    }
    /// Saturates as well.
    public static func - (a: Instant, b: Instant) -> Duration {
        let difference = a.nanoseconds.subtractingReportingOverflow(b.nanoseconds)
        return .nanoseconds(difference.overflow ? (a > b ? .max : .min) : difference.partialValue)
    }
    /// The next multiple of `step`, on a beat that all share. Never before this.
    public func roundedUp(to step: Duration) -> Instant {
        let rest = nanoseconds % max(1, step.nanoseconds)
        return rest == 0 ? self : self + .nanoseconds(step.nanoseconds - rest)
    }
    /// The earlier of two deadlines, of which each may be none.
    public static func earliest(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }

    /// The earliest of several deadlines, of which each may be none.
    public static func earliest(_ deadlines: [Instant?]) -> Instant? {
        deadlines.reduce(nil) { earliest($0, $1) }
    }
}

extension Duration {
    /// The whole duration in nanoseconds, saturating at about 292 years either way.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let sum = whole.partialValue.addingReportingOverflow(attoseconds / 1_000_000_000)
        return whole.overflow || sum.overflow ? (seconds < 0 ? .min : .max) : sum.partialValue
    }
    /// A share of it, such as jitter makes, to the nanosecond and saturating: `Int64(Double)` traps beyond its range
    /// and on what is no number.
    public func scaled(by factor: Double) -> Duration {
        let product = Double(nanoseconds) * factor
        if let exact = Int64(exactly: product.rounded(.towardZero)) { return .nanoseconds(exact) }
        return product.isNaN ? .zero : .nanoseconds(product < 0 ? Int64.min : Int64.max)
    }
    /// As a floating number of seconds, for people and metrics.
    public var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

/// A small seeded generator (SplitMix64) for jitter and hash seeds: reproducible in tests, not for secrets.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64
    public init(seed: UInt64) { state = seed }
    public mutating func next() -> UInt64 {
        // Wrapping on purpose: this is a mixing function.
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    /// A factor in 0.75...1.0, the jitter of RFC 4271 section 10.
    public mutating func jitter() -> Double { 0.75 + 0.25 * (Double(next() >> 11) / Double(1 << 53)) }
}
