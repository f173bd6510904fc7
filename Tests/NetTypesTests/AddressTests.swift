import NetTypes
import Testing

@Suite struct AddressTests {
    @Test func `the address of a subnet and its broadcast address are no hosts, but for 31 and 32 bits and IPv6`()
        throws
    {
        let subnet = try #require(Prefix("10.0.0.0/24"))
        for (text, isHost) in [
            ("10.0.0.0", false), ("10.0.0.1", true), ("10.0.0.254", true), ("10.0.0.255", false), ("10.0.1.255", true),
        ] {
            #expect(subnet.isHostAddress(try #require(IPAddress(text))) == isHost, "\(text)")
        }
        for text in ["10.0.0.0/31", "10.0.0.0/32", "fd00::/64"] {
            let prefix = try #require(Prefix(text))
            #expect(prefix.isHostAddress(prefix.address), "\(text)")
        }
    }

    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"),
        ("fe80::1:2:3:4", "fe80::1:2:3:4"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1::", "1::"),
        ("0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"),
    ])
    func `an address is read and written as RFC 5952 says`(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.256", "10.0.0.01", "1.2.3.4.5", ":::", "1::2::3", "12345::", "g::", "1:2:3",
        "1:2:3:4:5:6:7:8:9", "10.0.0.1 ", ":1", "1:", "::1.2.3",
        "1:2:3:4:5:6:7:8::", "+1::",
    ])
    func `a malformed address is refused`(text: String) { #expect(IPAddress(text) == nil) }

    @Test func `random addresses survive text and bytes`() {
        var random = SeededRandom(seed: 42)
        for _ in 0..<2000 {
            // Holes of zeros make the shortening rule work.
            let high = random.next() & random.next() & (random.next() | 0xFFFF_0000_0000_FFFF)
            let address = IPAddress(high: high, low: random.next() & random.next())
            #expect(IPAddress(address.description) == address)
            #expect(IPAddress(bytes: address.bytes) == address)
            let v4 = IPAddress(v4: UInt32(truncatingIfNeeded: random.next()))
            #expect(IPAddress(v4.description) == v4)
            #expect(IPAddress(bytes: v4.bytes) == v4)
        }
    }

    @Test func `a prefix masks its host bits and knows what it contains`() throws {
        let block = try #require(Prefix("10.65.1.77/26"))
        #expect(block.description == "10.65.1.64/26")
        #expect(block.contains(try #require(IPAddress("10.65.1.127"))))
        #expect(!block.contains(try #require(IPAddress("10.65.1.128"))))
        #expect(block.contains(try #require(Prefix("10.65.1.96/27"))))
        #expect(!block.contains(try #require(Prefix("10.65.1.0/25"))))
        #expect(block.overlaps(try #require(Prefix("10.65.1.0/25"))))
        let v6 = try #require(Prefix("2001:db8:0:1::/64"))
        #expect(v6.contains(try #require(IPAddress("2001:db8:0:1:ffff::"))))
        #expect(!v6.contains(try #require(IPAddress("2001:db8:0:2::"))))
        #expect(!v6.contains(try #require(IPAddress("10.0.0.1"))))
        #expect(Prefix("10.0.0.0/33") == nil)
        #expect(Prefix("10.0.0.0") == nil)
        #expect(Prefix("::/129") == nil)
    }
}
