/// An IEEE 802 MAC address: six bytes.
package struct MACAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The bytes in the low 48 bits, first byte highest.
    package let rawValue: UInt64

    /// Nil unless there are exactly six bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        rawValue = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// `02:00:00:00:00:01`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.count == 2 ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6 else { return nil }
        self.init(bytes: bytes)
    }

    /// Six bytes in the order of the wire.
    package var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: rawValue >> (40 - 8 * UInt64($0))) } }

    package static func < (a: MACAddress, b: MACAddress) -> Bool { a.rawValue < b.rawValue }
    package var description: String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: ":")
    }
}
