internal import CLibMNL
import NetTypes

/// One received message, as a view into the buffer that it came in.
///
/// ```
/// | length 4 | type 2 | flags 2 | sequence 4 | port 4 | fixed part, by type | attributes: | length 2 | type 2 | value | padding to 4 | ... |
/// ```
/// All integers of the header and of attribute headers are in host order.
struct NetlinkMessage: ~Escapable {
    private let bytes: RawSpan
    let type: UInt16
    let flags: UInt16
    let sequence: UInt32

    private static let headerSize = 16

    @_lifetime(copy bytes)
    private init(_ bytes: RawSpan) {
        self.bytes = bytes
        type = bytes.integer(4, as: UInt16.self)
        flags = bytes.integer(6, as: UInt16.self)
        sequence = bytes.integer(8, as: UInt32.self)
    }

    /// The messages of a received buffer, one after the other, until `body` returns false. What is cut short ends it.
    static func forEach(_ buffer: RawSpan, _ body: (NetlinkMessage) -> Bool) {
        var offset = 0
        while buffer.byteCount - offset >= headerSize {
            let length = Int(buffer.integer(offset, as: UInt32.self))
            guard length >= headerSize, length <= buffer.byteCount - offset,
                body(NetlinkMessage(buffer.part(offset, length)))
            else { return }
            offset += aligned(length)
        }
    }

    static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }

    /// What follows the header.
    var payload: RawSpan {
        @_lifetime(copy self)
        get { bytes.part(NetlinkMessage.headerSize, bytes.byteCount - NetlinkMessage.headerSize) }
    }

    /// The fixed part; nil where the message is too short to have one. `Part` is a structure of C of integers alone.
    func fixedPart<Part: BitwiseCopyable>(as part: Part.Type) -> Part? {
        guard payload.byteCount >= MemoryLayout<Part>.size else { return nil }
        // Within bounds: checked the line above. Any bits are a structure of integers.
        return unsafe payload.unsafeLoadUnaligned(as: Part.self)
    }

    /// The attributes behind a fixed part of `size` bytes.
    func forEachAttribute(after size: Int, _ body: (Int32, NetlinkAttribute) -> Void) {
        let start = NetlinkMessage.aligned(size)
        guard payload.byteCount > start else { return }
        NetlinkAttribute.forEach(payload.part(start, payload.byteCount - start), body)
    }

    /// Of NLMSG_ERROR: the negative errno, or 0 of an acknowledgement.
    var error: Int32 { payload.byteCount >= 4 ? Int32(bitPattern: payload.integer(0, as: UInt32.self)) : 0 }
    /// The last message of a dump: its end, or the error in place of it.
    var endsDump: Bool { Int(type) == APUS_NLMSG_DONE || Int(type) == APUS_NLMSG_ERROR }
}

/// One attribute, as a view. Kinds are without the bits for nested attributes and byte order.
struct NetlinkAttribute: ~Escapable {
    let kind: Int32
    let bytes: RawSpan
    /// NLA_TYPE_MASK.
    private static let kindMask: UInt16 = 0x3FFF

    @_lifetime(copy bytes)
    private init(kind: Int32, _ bytes: RawSpan) {
        self.kind = kind
        self.bytes = bytes
    }

    /// The first attribute of a list; nil where it is empty, or cut short.
    @_lifetime(copy list)
    private static func first(_ list: RawSpan) -> NetlinkAttribute? {
        guard list.byteCount >= 4 else { return nil }
        let length = Int(list.integer(0, as: UInt16.self))
        guard length >= 4, length <= list.byteCount else { return nil }
        return NetlinkAttribute(
            kind: Int32(list.integer(2, as: UInt16.self) & NetlinkAttribute.kindMask), list.part(4, length - 4))
    }

    static func forEach(_ list: RawSpan, _ body: (Int32, NetlinkAttribute) -> Void) {
        var rest = list
        while let attribute = first(rest) {
            body(attribute.kind, attribute)
            let size = min(NetlinkMessage.aligned(4 + attribute.bytes.byteCount), rest.byteCount)
            rest = rest.part(size, rest.byteCount - size)
        }
    }

    /// The attributes inside of this one.
    func forEachNested(_ body: (Int32, NetlinkAttribute) -> Void) { NetlinkAttribute.forEach(bytes, body) }

    /// The last attribute of a kind inside of this one.
    @_lifetime(copy self)
    func nested(_ kind: Int) -> NetlinkAttribute? {
        var rest = bytes
        var found: NetlinkAttribute?
        while let attribute = NetlinkAttribute.first(rest) {
            if Int(attribute.kind) == kind { found = attribute }
            let size = min(NetlinkMessage.aligned(4 + attribute.bytes.byteCount), rest.byteCount)
            rest = rest.part(size, rest.byteCount - size)
        }
        return found
    }

    /// A value of four bytes in host order; 0 for any other size.
    var u32: UInt32 { bytes.byteCount == 4 ? bytes.integer(0, as: UInt32.self) : 0 }
    /// An address of 4 or 16 bytes; nil for any other size.
    var address: IPAddress? { IPAddress(bytes) }
    /// `struct rtvia`: a family of two bytes, then the address (RFC 8950 in the kernel's terms).
    var via: IPAddress? { bytes.byteCount > 2 ? IPAddress(bytes.part(2, bytes.byteCount - 2)) : nil }
    var mac: MACAddress? { MACAddress(bytes: [UInt8](bytes)) }
    /// Up to the first byte of 0.
    var text: String { String(decoding: [UInt8](bytes).prefix { $0 != 0 }, as: UTF8.self) }
}
