public import NetTypes

/// NEXT_HOP (RFC 4271 section 5.1.3): an IPv4 address of four bytes.
extension PathAttributes {
    mutating func readNextHop(_ value: RawSpan) -> AttributeFault? {
        guard let address = IPAddress(value), address.family == .ipv4 else {
            return .withdraw(.nextHop, "length is not 4 (RFC 7606 7.3)")
        }
        guard PathAttributes.isValidNextHop(address) else {
            return .withdraw(.nextHop, "\(address) is no unicast host address (RFC 4271 6.3, RFC 7606 3 e)")
        }
        nextHop = address
        return nil
    }

    func writeNextHop(into writer: inout ByteWriter) {
        guard let nextHop, nextHop.family == .ipv4 else { return }
        writer.attributeHeader(.nextHop, flags: .transitive, length: 4)
        writer.u32(nextHop.v4)
    }

    /// RFC 4271 6.3: a valid unicast host address. An IPv4 address inside an IPv6 one (RFC 4291 2.5.5) is none on any
    /// link.
    public static func isValidNextHop(_ address: IPAddress) -> Bool {
        !address.isUnspecified && !address.isLoopback && !address.isMulticast && !address.isReserved
            && !address.embedsIPv4
            && !(address.family == .ipv4 && address.v4 >> 24 == 0)
    }
}
