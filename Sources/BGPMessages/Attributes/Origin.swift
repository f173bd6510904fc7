import NetTypes

/// ORIGIN (RFC 4271 section 5.1.1): one byte. Lower is preferred.
public enum Origin: UInt8, Sendable, Hashable, Comparable, CustomStringConvertible {
    case igp = 0
    case egp = 1
    case incomplete = 2
    public static func < (a: Origin, b: Origin) -> Bool { a.rawValue < b.rawValue }
    public var description: String { self == .igp ? "IGP" : self == .egp ? "EGP" : "incomplete" }
}

extension PathAttributes {
    mutating func readOrigin(_ value: RawSpan) -> AttributeFault? {
        // RFC 7606 7.1
        guard value.byteCount == 1, let origin = Origin(rawValue: value[0]) else {
            return .withdraw(.origin, "length is not 1 or the value is undefined (RFC 7606 7.1)")
        }
        self.origin = origin
        return nil
    }

    func writeOrigin(into writer: inout ByteWriter) {
        guard let origin else { return }
        writer.attributeHeader(.origin, flags: .transitive, length: 1)
        writer.u8(origin.rawValue)
    }
}
