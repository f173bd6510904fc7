import StrictWire
import Testing

/// Captures made by hand: segments out of order, sent again, forwarded, on the loopback interface.
@Suite struct CaptureTests {
    struct Packet {
        var source: (UInt8, UInt16)
        var destination: (UInt8, UInt16)
        var sequence: UInt32
        var flags: UInt8 = 0x10
        var isOutgoing: Bool
        var hardware: UInt8 = 1
        var payload: [UInt8] = []
    }

    static func file(_ packets: [Packet]) -> [UInt8] {
        func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> ($0 * 8) & 255) } }
        func big(_ value: UInt32) -> [UInt8] { little(value).reversed() }
        func u16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
        var bytes = little(0xA1B2_C3D4) + [2, 0, 4, 0] + little(0) + little(0) + little(262144) + little(276)
        for packet in packets {
            let total = UInt16(40 + packet.payload.count)
            var data: [UInt8] = [0x08, 0, 0, 0, 0, 0, 0, 2]
            if packet.hardware == 1 { data += [0, 1] } else { data += [3, 4] }
            data += [packet.isOutgoing ? 4 : 0, 6] + [UInt8](repeating: 0, count: 8)
            data +=
                [0x45, 0] + u16(total) + [
                    0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, packet.source.0, 10, 0, 0, packet.destination.0,
                ]
            data +=
                u16(packet.source.1) + u16(packet.destination.1) + big(packet.sequence) + big(0) + [0x50, packet.flags]
                + [UInt8](repeating: 0, count: 6)
            data += packet.payload
            bytes += little(0) + little(0) + little(UInt32(data.count)) + little(UInt32(data.count)) + data
        }
        return bytes
    }

    /// A connection from .1, which is ours, to .2 with what each sends; `bad` spoils a marker.
    static func session(bad: Bool = false, hardware: UInt8 = 1, forwarded: Bool = false) -> [Packet] {
        let stream =
            StrictWireTests.open() + StrictWireTests.keepalive
            + (bad ? StrictWireTests.message(4, marker: 0) : StrictWireTests.keepalive)
        let own = (UInt8(1), UInt16(40000))
        let other = (UInt8(2), UInt16(179))
        func ours(_ range: Range<Int>) -> Packet {
            Packet(
                source: own, destination: other, sequence: 1001 + UInt32(range.lowerBound), isOutgoing: true,
                hardware: hardware, payload: Array(stream[range]))
        }
        var packets = [
            Packet(source: own, destination: other, sequence: 1000, flags: 2, isOutgoing: true, hardware: hardware),
            Packet(source: other, destination: own, sequence: .max, flags: 0x12, isOutgoing: false, hardware: hardware),
            ours(0..<30),
            Packet(
                source: other, destination: own, sequence: 0, isOutgoing: false, hardware: hardware,
                payload: StrictWireTests.open()),
            // Out of order, overlapping, and once more.
            ours(60..<stream.count), ours(20..<60), ours(0..<30), ours(60..<stream.count),
        ]
        if forwarded {
            packets += packets.map {
                var copy = $0
                copy.isOutgoing.toggle()
                return copy
            }
        }
        return packets
    }

    @Test func `segments in any order are read as the stream that they are`() throws {
        let result = try Capture.read(Self.file(Self.session()))
        #expect(
            result.streams == 1 && result.messages == 3 && result.incomplete == 0 && result.violations.isEmpty,
            "\(result)")
    }

    @Test func `a wrong byte is found, with the two ends of the connection`() throws {
        let result = try Capture.read(Self.file(Self.session(bad: true)))
        #expect(
            result.violations.count == 1 && result.violations[0].hasPrefix("10.0.0.1:40000 to 10.0.0.2:179: marker"),
            "\(result)")
    }

    @Test func `what was only forwarded, and what the opening end sent on loopback, is left out`() throws {
        #expect(try Capture.read(Self.file(Self.session(bad: true, forwarded: true))).streams == 0)
        #expect(try Capture.read(Self.file(Self.session(bad: true, hardware: 2))).violations.isEmpty)
    }

    @Test func `a hole ends the reading of a stream and is counted`() throws {
        var packets = Self.session()
        packets.removeAll { $0.sequence == 1021 }
        let result = try Capture.read(Self.file(packets))
        #expect(result.incomplete == 1 && result.violations.isEmpty, "\(result)")
    }

    @Test func `what is no capture is refused`() {
        #expect(throws: Capture.Failure.self) { try Capture.read([1, 2, 3]) }
        #expect(throws: Capture.Failure.self) { try Capture.read([UInt8](repeating: 0, count: 100)) }
    }
}
