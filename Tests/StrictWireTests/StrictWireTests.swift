import StrictWire
import Testing

/// The reader itself: what is right passes, and each thing that is wrong is found.
@Suite struct StrictWireTests {
    static func message(_ type: UInt8, _ body: [UInt8] = [], length: Int? = nil, marker: UInt8 = 0xFF) -> [UInt8] {
        let length = length ?? body.count + 19
        return [UInt8](repeating: 0xFF, count: 15) + [marker, UInt8(length >> 8), UInt8(length & 255), type] + body
    }
    static func attribute(_ flags: UInt8, _ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        [flags, type, UInt8(value.count)] + value
    }
    static func update(withdrawn: [UInt8] = [], _ attributes: [UInt8], nlri: [UInt8] = []) -> [UInt8] {
        func u16(_ count: Int) -> [UInt8] { [UInt8(count >> 8), UInt8(count & 255)] }
        return message(2, u16(withdrawn.count) + withdrawn + u16(attributes.count) + attributes + nlri)
    }
    /// Of AS 64512, or of 65001, with IPv4, IPv6, route refresh and four-octet AS numbers.
    static func open(as number: UInt16 = 64512, hold: UInt8 = 90, more: [UInt8] = []) -> [UInt8] {
        let high = UInt8(number >> 8)
        let low = UInt8(number & 255)
        let capabilities: [UInt8] = [1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 65, 4, 0, 0, high, low] + more
        return message(
            1,
            [4, high, low, 0, hold, 10, 0, 0, 1, UInt8(capabilities.count + 2), 2, UInt8(capabilities.count)]
                + capabilities)
    }
    static let keepalive = message(4)
    static let origin = attribute(0x40, 1, [0])
    static let path = attribute(0x40, 2, [2, 1, 0, 0, 0xFC, 0])
    static let hop = attribute(0x40, 3, [10, 0, 0, 1])
    static let localPref = attribute(0x40, 5, [0, 0, 0, 100])
    static let internalSet = origin + path + hop + localPref
    static let target: [UInt8] = [24, 10, 9, 0]

    static func read(_ sent: [UInt8], peer: UInt16 = 64512, peerMore: [UInt8] = [], more: [UInt8] = []) -> StrictStream
    {
        var stream = StrictStream()
        stream.feed(open(more: more))
        stream.peerSent(open(as: peer, more: peerMore))
        stream.feed(keepalive)
        stream.feed(sent)
        stream.end(isCut: false)
        return stream
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var what: String
        var sent: [UInt8]
        var peer: UInt16 = 64512
        var testDescription: String { what }
    }

    static let rows: [Row] = [
        Row(what: "marker is not all ones", sent: message(4, marker: 0xFE)),
        Row(what: "of 18 bytes", sent: message(2, length: 18)),
        Row(what: "of 4097 bytes", sent: message(2, [UInt8](repeating: 0, count: 4078))),
        Row(what: "message of type 9", sent: message(9)),
        Row(what: "a second OPEN", sent: open()),
        Row(what: "stream ends inside a message", sent: Array(keepalive.dropLast())),
        Row(what: "after a NOTIFICATION", sent: message(3, [6, 7]) + keepalive),
        Row(what: "NOTIFICATION 6,11", sent: message(3, [6, 11])),
        Row(what: "shutdown communication", sent: message(3, [6, 2, 4, 65])),
        Row(what: "ROUTE-REFRESH of a family", sent: message(5, [0, 1, 0, 2])),
        Row(what: "ROUTE-REFRESH of subtype 1", sent: message(5, [0, 1, 1, 1])),
        Row(what: "lengths of an UPDATE", sent: message(2, [0, 9, 0, 0])),
        Row(what: "header is cut off", sent: update([0x40])),
        Row(what: "overruns the block", sent: update([0x40, 1, 9, 0])),
        Row(what: "unused flag bits", sent: update(internalSet + attribute(0xC5, 8, [0, 1, 0, 1]), nlri: target)),
        Row(
            what: "attribute 1: flags c0", sent: update(attribute(0xC0, 1, [0]) + path + hop + localPref, nlri: target)),
        Row(
            what: "Partial on what is not optional",
            sent: update(attribute(0x60, 1, [0]) + path + hop + localPref, nlri: target)),
        Row(what: "unknown, with flags c0", sent: update(internalSet + attribute(0xC0, 99, [1]), nlri: target)),
        Row(
            what: "attribute 8: twice",
            sent: update(
                internalSet + attribute(0xC0, 8, [0, 1, 0, 1]) + attribute(0xC0, 8, [0, 1, 0, 1]), nlri: target)),
        Row(what: "attribute 1: after attribute 2", sent: update(path + origin + hop + localPref, nlri: target)),
        Row(what: "ORIGIN is missing", sent: update(path + hop + localPref, nlri: target)),
        Row(what: "AS_PATH is missing", sent: update(origin + hop + localPref, nlri: target)),
        Row(what: "NEXT_HOP is missing", sent: update(origin + path + localPref, nlri: target)),
        Row(what: "LOCAL_PREF is missing", sent: update(origin + path + hop, nlri: target)),
        Row(what: "attribute 5: to an external peer", sent: update(internalSet, nlri: target), peer: 65001),
        Row(
            what: "empty towards an external peer", sent: update(origin + attribute(0x40, 2, []) + hop, nlri: target),
            peer: 65001),
        Row(
            what: "segment type 3",
            sent: update(origin + attribute(0x40, 2, [3, 1, 0, 0, 0xFC, 0]) + hop + localPref, nlri: target)),
        Row(
            what: "AS 0", sent: update(origin + attribute(0x40, 2, [2, 1, 0, 0, 0, 0]) + hop + localPref, nlri: target)),
        Row(
            what: "a segment is cut off",
            sent: update(origin + attribute(0x40, 2, [2, 2, 0, 0, 0, 9]) + hop + localPref, nlri: target)),
        Row(what: "attribute 8: 3 bytes", sent: update(internalSet + attribute(0xC0, 8, [1, 2, 3]), nlri: target)),
        Row(
            what: "to a four-octet speaker",
            sent: update(internalSet + attribute(0xC0, 17, [2, 1, 0, 0, 0, 9]), nlri: target)),
        Row(what: "a prefix longer than 32 bits", sent: update(internalSet, nlri: [33, 1, 2, 3, 4, 5])),
        Row(what: "a prefix is cut off", sent: update(internalSet, nlri: [24, 10, 9])),
        Row(what: "bits beyond a prefix's length", sent: update(internalSet, nlri: [20, 10, 9, 0x01])),
        Row(what: "more than one field", sent: update(withdrawn: target, internalSet, nlri: target)),
        Row(what: "attributes without a prefix", sent: update(internalSet)),
        Row(
            what: "a next hop of 4 bytes",
            sent: update(attribute(0x80, 14, [0, 2, 1, 4, 10, 0, 0, 1, 0, 8, 0x20]) + origin + path + localPref)),
        Row(what: "a family that was not agreed on", sent: update(attribute(0x80, 15, [0, 1, 2, 24, 10, 9, 0]))),
        Row(
            what: "the reserved byte",
            sent: update(
                attribute(0x80, 14, [0, 2, 1, 16] + [UInt8](repeating: 1, count: 16) + [1, 8, 0x20]) + origin + path
                    + localPref)),
        Row(
            what: "not the first one",
            sent: update(
                origin + path + localPref
                    + attribute(0x80, 14, [0, 2, 1, 16] + [UInt8](repeating: 1, count: 16) + [0, 8, 0x20]))),
    ]

    @Test(arguments: rows) func `what a sender must not send is found`(row: Row) {
        let stream = Self.read(row.sent, peer: row.peer)
        #expect(stream.violations.count == 1 && stream.violations[0].contains(row.what), "\(stream.violations)")
    }

    @Test func `what is right passes, byte by byte as in one piece`() {
        let good: [[UInt8]] = [
            Self.keepalive, Self.update(Self.internalSet, nlri: Self.target + Self.target),
            Self.update(withdrawn: Self.target, []), Self.update([]),
            Self.update(Self.attribute(0x80, 15, [0, 2, 1])),
            Self.update(
                Self.attribute(0x80, 14, [0, 2, 1, 16] + [UInt8](repeating: 1, count: 16) + [0, 8, 0x20]) + Self.origin
                    + Self.path + Self.localPref),
            Self.update(
                Self.internalSet + Self.attribute(0xE0, 8, [0, 1, 0, 1]) + Self.attribute(0xE0, 99, [1]),
                nlri: Self.target),
            Self.message(5, [0, 1, 0, 1]), Self.message(3, [6, 2, 2, 0xC3, 0xA4]),
        ]
        let stream = Self.read(good.flatMap { $0 })
        #expect(stream.violations.isEmpty && stream.messageCount == good.count + 2, "\(stream.violations)")
        var slow = StrictStream()
        slow.peerSent(Self.open())
        for byte in Self.open() + Self.keepalive + good.flatMap({ $0 }) { slow.feed([byte]) }
        #expect(slow.violations.isEmpty && slow.messageCount == good.count + 2, "\(slow.violations)")
    }

    @Test func `a refused connection gets one NOTIFICATION with a marker of ones`() {
        var good = StrictStream()
        good.feed(Self.message(3, [6, 7]))
        #expect(good.violations.isEmpty && good.counts == [3: 1])
        var bad = StrictStream()
        bad.feed([0x10, 0x7A] + [UInt8](repeating: 0, count: 14) + [0, 21, 3, 6, 7])
        #expect(bad.violations.first?.contains("marker") ?? false)
        var early = StrictStream()
        early.feed(Self.keepalive)
        #expect(early.violations.first?.contains("before the OPEN") ?? false)
    }

    @Test func `path identifiers are expected where both agreed on them`() {
        let nlri: [UInt8] = [0, 0, 0, 1] + Self.target
        let sends: [UInt8] = [69, 4, 0, 1, 1, 2]
        let receives: [UInt8] = [69, 4, 0, 1, 1, 1]
        #expect(
            Self.read(Self.update(Self.internalSet, nlri: nlri), peerMore: receives, more: sends).violations.isEmpty)
        #expect(
            !Self.read(Self.update(Self.internalSet, nlri: [0, 0] + Self.target), peerMore: receives, more: sends)
                .violations.isEmpty)
    }
}
