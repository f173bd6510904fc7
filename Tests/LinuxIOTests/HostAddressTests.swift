import LinuxIO
import NetTypes
import Testing

/// The addresses of interfaces, read without netlink.
@Suite struct HostAddressTests {
    @Test func `loopback is there with its prefix lengths, its name and its index`() throws {
        let all = HostAddresses.read()
        let four = try #require(all.first { $0.address == IPAddress("127.0.0.1") })
        #expect(four.prefixLength == 8 && four.name == "lo" && four.index == 1 && four.isUp)
        if let six = all.first(where: { $0.address == IPAddress("::1") }) {
            #expect(six.prefixLength == 128 && six.name == "lo" && six.index == 1)
        }
    }

    @Test func `lines of if_inet6 are read, and what is none is left out`() {
        let text = """
            fe800000000000000000000000000001 0a 40 20 80     eth0
            20010db8000000000000000000000007 0b 7f 00 00 a.b-c
            20010db8000000000000000000000007 0b 81 00 00 eth2
            20010db80000000000000000000007 0b 40 00 00 eth3
            20010db8000000000000000000000007 0b 40 00

            """
        let wanted = [
            HostAddress(
                index: 10, name: "eth0", address: IPAddress(high: 0xFE80_0000_0000_0000, low: 1), prefixLength: 64),
            HostAddress(
                index: 11, name: "a.b-c", address: IPAddress(high: 0x2001_0DB8_0000_0000, low: 7), prefixLength: 127),
        ]
        #expect(HostAddresses.parseIPv6(text) == wanted)
    }

    @Test func `the way to loopback begins there, and a name of /etc/hosts is resolved`() throws {
        let loopback: IPAddress = try #require(IPAddress("127.0.0.1"))
        #expect(UDPSocket.sourceAddress(towards: loopback) == loopback)
        #expect(HostNames.resolve("localhost").contains { $0.isLoopback })
        #expect(HostNames.resolve("no-such-name.invalid").isEmpty)
    }
}
