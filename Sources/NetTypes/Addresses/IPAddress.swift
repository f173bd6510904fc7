/// An IPv4 or IPv6 address as a value of 128 bits, most significant first.
///
/// An IPv4 address occupies the top 32 bits of `high`, so that prefix arithmetic is one code path for both families.
public struct IPAddress: Sendable, Hashable {
    public let high: UInt64
    public let low: UInt64
    public let family: AddressFamily

    /// An IPv6 address from its two halves, in host order.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
        family = .ipv6
    }

    /// An IPv4 address from its 32-bit value in host order (10.0.0.1 is 0x0A000001).
    public init(v4 value: UInt32) {
        high = UInt64(value) << 32
        low = 0
        family = .ipv4
    }

    public init(high: UInt64, low: UInt64, family: AddressFamily) {
        self.high = high
        self.low = low
        self.family = family
    }

    // MARK: Scope of IPv6 link-local addresses (RFC 4007)

    /// The link that an IPv6 link-local address is of, as the index of our interface; 0 where none was given, and for
    /// every other address.
    ///
    /// It is kept in the bits that RFC 4291 2.5.6 wants to be zero, so that the same address on two links is two
    /// addresses everywhere. It never leaves the process: `unscoped` is what goes on the wire.
    public var scope: UInt32 { family == .ipv6 && isLinkLocal ? UInt32(truncatingIfNeeded: high) : 0 }
    public func scoped(_ scope: UInt32) -> IPAddress {
        guard family == .ipv6, isLinkLocal else { return self }
        return IPAddress(high: high & 0xFFFF_FFFF_0000_0000 | UInt64(scope), low: low)
    }
    public var unscoped: IPAddress { scoped(0) }

    /// The IPv4 value in host order. Meaningful only where `family == .ipv4`.
    public var v4: UInt32 { UInt32(truncatingIfNeeded: high >> 32) }

    public static func any(_ family: AddressFamily) -> IPAddress { IPAddress(high: 0, low: 0, family: family) }

    public var isUnspecified: Bool { high == 0 && low == 0 }
    /// 127/8 or ::1.
    public var isLoopback: Bool {
        family == .ipv4 ? v4 >> 24 == 127 : high == 0 && low == 1
    }
    /// 224/4 or ff00::/8.
    public var isMulticast: Bool { family == .ipv4 ? v4 >> 28 == 0xE : high >> 56 == 0xFF }
    /// 240/4, the former class E, with the limited broadcast address.
    public var isReserved: Bool { family == .ipv4 && v4 >> 28 == 0xF }
    /// 169.254/16 or fe80::/10.
    public var isLinkLocal: Bool { family == .ipv4 ? v4 >> 16 == 0xA9FE : high >> 54 == 0x3FA }

    /// An IPv6 address that stands for an IPv4 one: ::a.b.c.d or ::ffff:a.b.c.d (RFC 4291 2.5.5). :: and ::1 have the
    /// form of the first.
    public var embedsIPv4: Bool { family == .ipv6 && high == 0 && (low >> 32 == 0 || low >> 32 == 0xFFFF) }

    /// The bytes in network order: 4 or 16 of them.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(family.bytes)
        for i in 0..<min(8, family.bytes) { out.append(UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * i))) }
        if family == .ipv6 { for i in 0..<8 { out.append(UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * i))) } }
        return out
    }

    /// From 4 or 16 bytes in network order; nil for any other count.
    public init?(_ bytes: RawSpan) {
        var reader = ByteReader(bytes)
        switch bytes.byteCount {
        case 4:
            guard let value = reader.u32() else { return nil }
            self.init(v4: value)
        case 16:
            guard let high = reader.u64(), let low = reader.u64() else { return nil }
            self.init(high: high, low: low)
        default: return nil
        }
    }

    /// From 4 or 16 bytes in network order; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        switch bytes.count {
        case 4:
            for byte in bytes { high = high << 8 | UInt64(byte) }
            self.init(high: high << 32, low: 0, family: .ipv4)
        case 16:
            for (i, byte) in bytes.enumerated() {
                if i < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
            }
            self.init(high: high, low: low)
        default: return nil
        }
    }
}

extension IPAddress: Comparable {
    /// Numeric order; all of IPv4 before all of IPv6.
    public static func < (a: IPAddress, b: IPAddress) -> Bool {
        if a.family != b.family { return a.family == .ipv4 }
        return a.high != b.high ? a.high < b.high : a.low < b.low
    }
}

// MARK: Text (RFC 4291 2.2, RFC 5952)
extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    public init?(_ text: String) {
        let utf8 = Array(text.utf8)
        if utf8.contains(UInt8(ascii: ":")) {
            guard let words = IPAddress.parseIPv6(utf8) else { return nil }
            var high: UInt64 = 0
            var low: UInt64 = 0
            for i in 0..<4 { high = high << 16 | UInt64(words[i]) }
            for i in 4..<8 { low = low << 16 | UInt64(words[i]) }
            self.init(high: high, low: low)
        } else {
            guard let value = IPAddress.parseIPv4(utf8[...]) else { return nil }
            self.init(v4: value)
        }
    }

    public var description: String {
        if family == .ipv4 { return IPAddress.dottedQuad(v4) }
        return scope == 0 ? ipv6Text : "\(unscoped.ipv6Text)%\(scope)"
    }

    /// `a.b.c.d` for a 32-bit value in host order.
    public static func dottedQuad(_ value: UInt32) -> String {
        "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
    }

    private var ipv6Text: String {
        var words: [UInt16] = []
        for i in 0..<4 { words.append(UInt16(truncatingIfNeeded: high >> UInt64(48 - 16 * i))) }
        for i in 0..<4 { words.append(UInt16(truncatingIfNeeded: low >> UInt64(48 - 16 * i))) }
        // RFC 5952 4.2: the longest run of at least two zero words is shortened, the first one on a tie.
        var best = (start: 0, length: 0)
        var i = 0
        while i < 8 {
            var j = i
            while j < 8 && words[j] == 0 { j += 1 }
            if j - i > best.length { best = (i, j - i) }
            i = max(j, i + 1)
        }
        if best.length < 2 { return words.map { String($0, radix: 16) }.joined(separator: ":") }
        let head = words[..<best.start].map { String($0, radix: 16) }.joined(separator: ":")
        let tail = words[(best.start + best.length)...].map { String($0, radix: 16) }.joined(separator: ":")
        return head + "::" + tail
    }

    private static func parseIPv4(_ text: ArraySlice<UInt8>) -> UInt32? {
        var value: UInt32 = 0
        var bytes = 0
        for part in text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var byte: UInt32 = 0
            for digit in part {
                guard (48...57).contains(digit) else { return nil }
                byte = byte * 10 + UInt32(digit - 48)
            }
            guard byte <= 255, bytes < 4 else { return nil }
            value = value << 8 | byte
            bytes += 1
        }
        return bytes == 4 ? value : nil
    }

    private static func parseIPv6(_ text: [UInt8]) -> [UInt16]? {
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var sawGap = false
        var i = 0
        let colon = UInt8(ascii: ":")
        if text.first == colon {
            guard text.count >= 2, text[1] == colon else { return nil }
        }
        while i < text.count {
            if text[i] == colon {
                guard i + 1 < text.count else { return nil }
                if text[i + 1] == colon {
                    guard !sawGap else { return nil }
                    sawGap = true
                    i += 2
                    continue
                }
                guard i > 0 else { return nil }
                i += 1
            }
            let end = text[i...].firstIndex(of: colon) ?? text.count
            let part = text[i..<end]
            if part.contains(UInt8(ascii: ".")) {
                guard end == text.count, let v4 = parseIPv4(part) else { return nil }
                let words = [UInt16(v4 >> 16), UInt16(v4 & 0xFFFF)]
                if sawGap { tail += words } else { head += words }
                break
            }
            guard (1...4).contains(part.count), let word = UInt16(String(decoding: part, as: UTF8.self), radix: 16),
                part.first != UInt8(ascii: "+")
            else { return nil }
            if sawGap { tail.append(word) } else { head.append(word) }
            i = end
        }
        let count = head.count + tail.count
        guard sawGap ? count <= 7 : count == 8 else { return nil }
        return head + [UInt16](repeating: 0, count: 8 - count) + tail
    }
}
