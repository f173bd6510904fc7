import BGPMessages
package import NetTypes

/// Writes UPDATEs: as many prefixes as fit in a message, one of {withdrawn, NLRI, MP_REACH, MP_UNREACH} in each, multiprotocol attributes
/// first (RFC 7606 5.1).
package struct UpdateBuilder: Sendable {
    package private(set) var writer = ByteWriter(capacity: 4096)
    private let family: AddressFamily
    private let maximumLength: Int

    package init(family: AddressFamily, maximumLength: Int) {
        self.family = family
        self.maximumLength = maximumLength
    }

    package var isEmpty: Bool { writer.count == 0 }
    package var count: Int { writer.count }

    /// The bytes so far, as one buffer; the builder starts afresh.
    package mutating func take() -> MessageBuffer {
        let buffer = MessageBuffer(writer.bytes)
        writer.removeAll()
        return buffer
    }

    /// True where at least one prefix fits beside a block of attributes.
    package func fits(blockSize: Int) -> Bool {
        let overhead = MessageSize.header + 4 + (family == .ipv6 ? 4 + 5 + 16 : 0)
        return overhead + blockSize + 1 + family.octets <= maximumLength
    }

    /// Announces prefixes with one attribute block. `nextHop` goes into MP_REACH_NLRI for IPv6, and is in the block for IPv4.
    package mutating func announce(_ prefixes: [Prefix], block: [UInt8], nextHop: IPAddress?) {
        var next = 0
        while next < prefixes.count {
            let start = writer.count
            writer.beginMessage(.update)
            writer.u16(0)
            let lengthAt = writer.count
            writer.u16(0)
            if family == .ipv4 {
                writer.append(block)
                writer.patchU16(at: lengthAt, UInt16(block.count))
                append(prefixes, &next, until: start + maximumLength)
            } else {
                writer.u8(AttributeFlags([.optional, .extendedLength]).rawValue)
                writer.u8(AttributeType.mpReachNLRI.rawValue)
                let mpLengthAt = writer.count
                writer.u16(0)
                let afiSafi = AFISAFI(family)
                writer.u16(afiSafi.afi)
                writer.u8(afiSafi.safi)
                writer.u8(16)
                writer.append(nextHop ?? .any(.ipv6))
                writer.u8(0)
                append(prefixes, &next, until: start + maximumLength - block.count)
                writer.patchU16(at: mpLengthAt, UInt16(writer.count - mpLengthAt - 2))
                writer.append(block)
                writer.patchU16(at: lengthAt, UInt16(writer.count - lengthAt - 2))
            }
            writer.endMessage(at: start)
        }
    }

    package mutating func withdraw(_ prefixes: [Prefix]) {
        var next = 0
        while next < prefixes.count {
            let start = writer.count
            writer.beginMessage(.update)
            let lengthAt = writer.count
            writer.u16(0)
            if family == .ipv4 {
                append(prefixes, &next, until: start + maximumLength - 2)
                writer.patchU16(at: lengthAt, UInt16(writer.count - lengthAt - 2))
                writer.u16(0)
            } else {
                let attributesLengthAt = writer.count
                writer.u16(0)
                writer.u8(AttributeFlags([.optional, .extendedLength]).rawValue)
                writer.u8(AttributeType.mpUnreachNLRI.rawValue)
                let mpLengthAt = writer.count
                writer.u16(0)
                let afiSafi = AFISAFI(family)
                writer.u16(afiSafi.afi)
                writer.u8(afiSafi.safi)
                append(prefixes, &next, until: start + maximumLength)
                writer.patchU16(at: mpLengthAt, UInt16(writer.count - mpLengthAt - 2))
                writer.patchU16(at: attributesLengthAt, UInt16(writer.count - attributesLengthAt - 2))
            }
            writer.endMessage(at: start)
        }
    }

    private mutating func append(_ prefixes: [Prefix], _ next: inout Int, until limit: Int) {
        while next < prefixes.count, writer.count + NLRI.encodedSize(prefixes[next]) <= limit {
            writer.append(prefixes[next])
            next += 1
        }
    }
}
