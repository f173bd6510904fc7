import FIB
import NetTypes
import Testing

@Suite struct GuestAnnouncementTests {
    static let guest: [UInt8] = [2, 0, 0, 0, 0, 9]
    static func ethernet(_ type: UInt16, _ body: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 0xFF, count: 6) + guest + [UInt8(type >> 8), UInt8(type & 0xFF)] + body
    }
    static func arp(_ operation: UInt8, sender: [UInt8], target: [UInt8]) -> [UInt8] {
        [0, 1, 8, 0, 6, 4, 0, operation] + guest + sender + [UInt8](repeating: 0, count: 6) + target
    }
    static func advertisement(hopLimit: UInt8 = 255, type: UInt8 = 136, target: IPAddress) -> [UInt8] {
        [0x60, 0, 0, 0, 0, 32, 58, hopLimit] + [UInt8](repeating: 0, count: 32) + [type, 0, 0, 0, 0x20, 0, 0, 0]
            + target.bytes + [2, 1] + guest
    }

    @Test func `gratuitous ARP, an ARP request, RARP and a neighbor advertisement are heard`() throws {
        let pod = try #require(IPAddress("10.65.1.7"))
        let pod6 = try #require(IPAddress("fd00:65:1::7"))
        let mac = try #require(MACAddress("02:00:00:00:00:09"))
        #expect(
            GuestAnnouncement.parse(Self.ethernet(0x0806, Self.arp(1, sender: pod.bytes, target: pod.bytes)))
                == .address(pod), "RFC 5227 3")
        #expect(
            GuestAnnouncement.parse(Self.ethernet(0x0806, Self.arp(2, sender: pod.bytes, target: pod.bytes)))
                == .address(pod))
        #expect(
            GuestAnnouncement.parse(Self.ethernet(0x0806, Self.arp(1, sender: pod.bytes, target: [169, 254, 1, 1])))
                == .address(pod))
        #expect(
            GuestAnnouncement.parse(Self.ethernet(0x8035, Self.arp(3, sender: [0, 0, 0, 0], target: [0, 0, 0, 0])))
                == .hardware(mac))
        #expect(GuestAnnouncement.parse(Self.ethernet(0x86DD, Self.advertisement(target: pod6))) == .address(pod6))
    }

    @Test func `a probe, another hop limit, another type and what is cut short are nothing`() throws {
        let pod6 = try #require(IPAddress("fd00:65:1::7"))
        #expect(
            GuestAnnouncement.parse(Self.ethernet(0x0806, Self.arp(1, sender: [0, 0, 0, 0], target: [10, 65, 1, 7])))
                == nil, "RFC 5227 2.1.1")
        #expect(
            GuestAnnouncement.parse(Self.ethernet(0x86DD, Self.advertisement(hopLimit: 64, target: pod6))) == nil,
            "RFC 4861 7.1.2")
        #expect(GuestAnnouncement.parse(Self.ethernet(0x86DD, Self.advertisement(type: 135, target: pod6))) == nil)
        #expect(
            GuestAnnouncement.parse(
                Self.ethernet(0x0800, Self.arp(1, sender: [10, 65, 1, 7], target: [10, 65, 1, 7]))) == nil)
        for whole in [
            Self.ethernet(0x0806, Self.arp(1, sender: [10, 65, 1, 7], target: [10, 65, 1, 7])),
            Self.ethernet(0x86DD, Self.advertisement(target: pod6)),
        ] {
            let needed = whole.count == 42 ? 42 : 14 + 64
            for count in 0..<whole.count {
                #expect((GuestAnnouncement.parse(whole.prefix(count)) != nil) == (count >= needed), "\(count) bytes")
            }
        }
    }

    @Test(arguments: 0..<20) func `no frame of a guest ends the process`(seed: UInt64) {
        var random = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        var heard = 0
        for _ in 0..<5_000 {
            var frame: [UInt8] = []
            for _ in 0..<Int(random % 101) {
                random ^= random << 13
                random ^= random >> 7
                random ^= random << 17
                frame.append(
                    [0, 1, 2, 4, 6, 8, 58, 136, 255, UInt8(truncatingIfNeeded: random >> 24)][Int(random % 10)])
            }
            if frame.count > 14 { (frame[12], frame[13]) = [(8, 6), (0x80, 0x35), (0x86, 0xDD)][Int(random % 3)] }
            if GuestAnnouncement.parse(frame) != nil { heard += 1 }
        }
        #expect(heard < 5_000)
    }
}
