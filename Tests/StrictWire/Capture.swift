/// A packet capture of one network namespace (`tcpdump -i any`), read for the BGP streams that left it.
///
/// What a daemon of the namespace sent is told from what it received and forwarded by the direction that the kernel
/// noted: its packets are outgoing on a link and never incoming. On the loopback interface, where every packet is both,
/// only what the accepting end sent is read.
package struct Capture {
    package struct Result {
        /// Streams that were read, and whole messages in them.
        package var streams = 0
        package var messages = 0
        /// Streams that the capture has a hole in: read up to there.
        package var incomplete = 0
        /// Each with the two ends of the connection.
        package var violations: [String] = []
    }

    package enum Failure: Error { case notACapture(String) }

    /// Reads a whole file in the format of pcap with LINKTYPE_LINUX_SLL2 (276).
    package static func read(_ file: [UInt8]) throws -> Result {
        guard file.count >= 24 else { throw Failure.notACapture("\(file.count) bytes") }
        guard word(file, 0) == 0xA1B2_C3D4, word(file, 20) & 0xFFFF == 276 else {
            throw Failure.notACapture("magic or link type")
        }
        var connections: [Ends: Connection] = [:]
        var order: [Ends] = []
        var position = 24
        while position + 16 <= file.count {
            let length = Int(word(file, position + 8))
            let start = position + 16
            // The last packet may be cut off: tcpdump was still writing.
            guard start + length <= file.count else { break }
            if let segment = Segment(file[start..<(start + length)]) {
                let ends = Ends(segment)
                if connections[ends] == nil || (segment.isSYN && !segment.isACK && connections[ends]?.isOver ?? false) {
                    if let old = connections[ends] { connections[Ends(segment, generation: order.count)] = old }
                    connections[ends] = Connection()
                    order.append(ends)
                }
                connections[ends]?.take(segment)
            }
            position = start + length
        }
        var result = Result()
        for connection in connections.values {
            for half in connection.halves where half.isRead(connection) {
                result.streams += 1
                result.messages += half.stream.messageCount
                if half.hasGap { result.incomplete += 1 }
                result.violations += half.stream.violations.map { "\(half.name): \($0)" }
            }
        }
        return result
    }

    /// Little-endian, as the header of every file that this machine writes.
    private static func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }
}

/// The two ends of a connection, whichever sent.
private struct Ends: Hashable {
    var low: [UInt8]
    var high: [UInt8]
    var generation = 0
    init(_ segment: Segment, generation: Int = 0) {
        let isOrdered = segment.source.lexicographicallyPrecedes(segment.destination)
        low = isOrdered ? segment.source : segment.destination
        high = isOrdered ? segment.destination : segment.source
        self.generation = generation
    }
}

/// One TCP segment with its addresses, each with the port as its last two bytes.
private struct Segment {
    var source: [UInt8]
    var destination: [UInt8]
    var sequence: UInt32
    var isSYN: Bool
    var isACK: Bool
    var isOver: Bool
    var isLoopback: Bool
    var isOutgoing: Bool
    var payload: ArraySlice<UInt8>

    /// From a packet with the header of LINKTYPE_LINUX_SLL2; nil for what is no TCP.
    init?(_ packet: ArraySlice<UInt8>) {
        let bytes = packet
        let base = bytes.startIndex
        guard bytes.count >= 40 else { return nil }
        func u16(_ at: Int) -> Int { Int(bytes[base + at]) << 8 | Int(bytes[base + at + 1]) }
        func u32(_ at: Int) -> UInt32 { UInt32(u16(at)) << 16 | UInt32(u16(at + 2)) }
        isLoopback = u16(8) == 772
        isOutgoing = bytes[base + 10] == 4
        let ip = 20
        let tcp: Int
        let end: Int
        let addresses: (Range<Int>, Range<Int>)
        switch u16(0) {
        case 0x0800:
            guard bytes[base + ip + 9] == 6 else { return nil }
            tcp = ip + Int(bytes[base + ip] & 15) * 4
            // 0 with segmentation offload.
            end = u16(ip + 2) == 0 ? bytes.count : min(bytes.count, ip + u16(ip + 2))
            addresses = (ip + 12..<ip + 16, ip + 16..<ip + 20)
        case 0x86DD:
            guard bytes.count >= ip + 60, bytes[base + ip + 6] == 6 else { return nil }
            tcp = ip + 40
            end = u16(ip + 4) == 0 ? bytes.count : min(bytes.count, ip + 40 + u16(ip + 4))
            addresses = (ip + 8..<ip + 24, ip + 24..<ip + 40)
        default: return nil
        }
        guard end >= tcp + 20, bytes.count >= tcp + 20 else { return nil }
        let data = tcp + Int(bytes[base + tcp + 12] >> 4) * 4
        guard data <= end else { return nil }
        let flags = bytes[base + tcp + 13]
        source =
            Array(bytes[(base + addresses.0.lowerBound)..<(base + addresses.0.upperBound)])
            + Array(bytes[(base + tcp)..<(base + tcp + 2)])
        destination =
            Array(bytes[(base + addresses.1.lowerBound)..<(base + addresses.1.upperBound)])
            + Array(bytes[(base + tcp + 2)..<(base + tcp + 4)])
        sequence = u32(tcp + 4)
        isSYN = flags & 2 != 0
        isACK = flags & 16 != 0
        isOver = flags & 5 != 0
        payload = bytes[(base + data)..<(base + end)]
    }
}

/// Both directions of a connection.
private struct Connection {
    struct Half {
        var stream = StrictStream()
        var name = ""
        var next: UInt32?
        var waiting: [UInt32: ArraySlice<UInt8>] = [:]
        var isAccepting = false
        var wasOutgoing = false
        var wasIncoming = false
        var isLoopback = false
        var hasGap: Bool { !waiting.isEmpty }

        /// True for a stream that a process of the namespace sent. One whose beginning was not seen is left out.
        func isRead(_ connection: Connection) -> Bool {
            guard next != nil, connection.sawBeginning else { return false }
            return isLoopback ? isAccepting : wasOutgoing && !wasIncoming
        }
    }

    var halves: [Half] = [Half(), Half()]
    private var first: [UInt8] = []
    private(set) var isOver = false
    /// The SYN of both ends.
    var sawBeginning: Bool { halves.allSatisfy { $0.next != nil } }

    mutating func take(_ segment: Segment) {
        if first.isEmpty { first = segment.source }
        let index = segment.source == first ? 0 : 1
        halves[index].isLoopback = segment.isLoopback
        if segment.isOutgoing { halves[index].wasOutgoing = true } else { halves[index].wasIncoming = true }
        if segment.isOver { isOver = true }
        if segment.isSYN {
            guard halves[index].next == nil else { return }
            halves[index].next = segment.sequence &+ 1
            halves[index].isAccepting = segment.isACK
            halves[index].name = "\(Connection.text(segment.source)) to \(Connection.text(segment.destination))"
            return
        }
        guard let next = halves[index].next, !segment.payload.isEmpty else { return }
        insert(segment.sequence, segment.payload, next, index)
    }

    /// In order to the readers; what came early waits, what came twice is dropped.
    private mutating func insert(_ sequence: UInt32, _ payload: ArraySlice<UInt8>, _ next: UInt32, _ index: Int) {
        let ahead = Int32(bitPattern: sequence &- next)
        if ahead > 0 {
            halves[index].waiting[sequence] = payload
            return
        }
        deliver(payload.dropFirst(-Int(ahead)), index)
        while let now = halves[index].next,
            let early = halves[index].waiting.first(where: { Int32(bitPattern: $0.key &- now) <= 0 })
        {
            halves[index].waiting[early.key] = nil
            deliver(early.value.dropFirst(Int(Int32(bitPattern: now &- early.key))), index)
        }
    }

    private mutating func deliver(_ fresh: ArraySlice<UInt8>, _ index: Int) {
        guard !fresh.isEmpty, let next = halves[index].next else { return }
        halves[index].next = next &+ UInt32(fresh.count)
        halves[index].stream.feed(fresh)
        halves[1 - index].stream.peerSent(fresh)
    }

    private static func text(_ end: [UInt8]) -> String {
        let port = Int(end[end.count - 2]) << 8 | Int(end[end.count - 1])
        let address = end.dropLast(2)
        return address.count == 4
            ? address.map(String.init).joined(separator: ".") + ":\(port)" : "[\(hex(address))]:\(port)"
    }
}
