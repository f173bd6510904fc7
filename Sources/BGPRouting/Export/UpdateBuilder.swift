import BGPMessages
public import NetTypes

/// A prefix as it is sent to a peer. As large as a prefix alone.
public struct OutboundNLRI: Sendable, Hashable {
    public var prefix: Prefix
    /// Ours (RFC 7911); 0 towards peers that take none.
    public var pathID: UInt32
    public init(_ prefix: Prefix, pathID: UInt32 = 0) {
        self.prefix = prefix
        self.pathID = pathID
    }
}

/// Writes UPDATEs: as many prefixes as fit in a message, one of {withdrawn, NLRI, MP_REACH, MP_UNREACH} in each,
/// multiprotocol attributes first (RFC 7606 5.1).
public struct UpdateBuilder: Sendable {
    public private(set) var writer = ByteWriter(capacity: 4096)
    private let family: AddressFamily
    private let maximumLength: Int
    private let sendsPathIDs: Bool

    public init(family: AddressFamily, maximumLength: Int, sendsPathIDs: Bool = false) {
        self.family = family
        self.maximumLength = maximumLength
        self.sendsPathIDs = sendsPathIDs
    }

    public init(_ profile: ExportProfile) {
        self.init(
            family: profile.family, maximumLength: profile.maximumMessageLength, sendsPathIDs: profile.sendsPathIDs)
    }

    public var isEmpty: Bool { writer.count == 0 }
    public var count: Int { writer.count }

    /// The bytes so far, as one buffer; the builder starts afresh.
    public mutating func take() -> MessageBuffer {
        let buffer = MessageBuffer(writer.bytes)
        writer.removeAll()
        return buffer
    }

    /// True where at least one prefix fits beside a block of attributes.
    public func fits(blockSize: Int) -> Bool {
        let overhead = MessageSize.header + 4 + 4 + 5 + 32
        return overhead + blockSize + (sendsPathIDs ? 4 : 0) + 1 + family.bytes <= maximumLength
    }

    /// Announces prefixes with one attribute block. `nextHop`: the 4, 16 or 32 bytes that go into MP_REACH_NLRI; empty
    /// for IPv4 with its next hop in the block.
    public mutating func announce(_ prefixes: [OutboundNLRI], block: [UInt8], nextHop: [UInt8]) {
        var next = 0
        while next < prefixes.count {
            let start = writer.count
            writer.beginMessage(.update)
            writer.u16(0)
            let lengthAt = writer.count
            writer.u16(0)
            if nextHop.isEmpty {
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
                writer.u8(UInt8(nextHop.count))
                writer.append(nextHop)
                writer.u8(0)
                append(prefixes, &next, until: start + maximumLength - block.count)
                writer.patchU16(at: mpLengthAt, UInt16(writer.count - mpLengthAt - 2))
                writer.append(block)
                writer.patchU16(at: lengthAt, UInt16(writer.count - lengthAt - 2))
            }
            writer.endMessage(at: start)
        }
    }

    public mutating func withdraw(_ prefixes: [OutboundNLRI]) {
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

    private mutating func append(_ prefixes: [OutboundNLRI], _ next: inout Int, until limit: Int) {
        let extra = sendsPathIDs ? 4 : 0
        while next < prefixes.count, writer.count + NLRI.encodedSize(prefixes[next].prefix) + extra <= limit {
            if sendsPathIDs { writer.u32(prefixes[next].pathID) }
            writer.append(prefixes[next].prefix)
            next += 1
        }
    }
}
