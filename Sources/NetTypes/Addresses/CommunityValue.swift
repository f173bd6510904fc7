/// A community of either kind, as resources name it: `65000:100` (RFC 1997), or `65000:1:2` for a large one (RFC 8092).
public enum CommunityValue: Sendable, Hashable, CustomStringConvertible {
    /// Two numbers of 16 bits: the first in the upper half.
    case standard(UInt32)
    /// Global administrator and two parts of local data.
    case large(UInt32, UInt32, UInt32)

    /// Decimal numbers between colons; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.count {
        case 2:
            guard let high = UInt16(parts[0]), let low = UInt16(parts[1]) else { return nil }
            self = .standard(UInt32(high) << 16 | UInt32(low))
        case 3:
            guard let first = UInt32(parts[0]), let second = UInt32(parts[1]), let third = UInt32(parts[2]) else {
                return nil
            }
            self = .large(first, second, third)
        default: return nil
        }
    }

    public var description: String {
        switch self {
        case .standard(let value): "\(value >> 16):\(value & 0xFFFF)"
        case .large(let first, let second, let third): "\(first):\(second):\(third)"
        }
    }
}
