import LinuxIO
import NetTypes
import Testing

/// What the kernel sends before a connection is accepted.
@Suite struct HandshakeTests {
    /// True once the connection is made; false where it is not within a time.
    private func connects(_ socket: borrowing TCPSocket, within limit: Duration) throws -> Bool {
        let poller = try Poller()
        try poller.add(socket.fd, token: 1, write: true)
        var ready: [Readiness] = []
        poller.wait(timeout: limit, into: &ready)
        return ready.contains { $0.canWrite && !$0.isBroken } && socket.connectError() == 0
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `a peer with GTSM takes the SYN-ACK of a listener with full TTL, and of no other`(text: String) throws {
        let address = try #require(IPAddress(text))
        let listener = try TCPListener(on: SocketAddress(address, port: 0))
        let options = TCPSocket.Options(ttlSecurityHops: 1)
        let early = try TCPSocket(connectingTo: listener.address, from: nil, options)
        #expect(try !connects(early, within: .milliseconds(300)), "a SYN-ACK with the default TTL was taken")
        try listener.setFullTimeToLive(true)
        // The kernel sends its SYN again after a second.
        #expect(try connects(early, within: .seconds(10)))
        let second = try TCPSocket(connectingTo: listener.address, from: nil, options)
        #expect(try connects(second, within: .seconds(10)))
        try listener.setFullTimeToLive(false)
        let late = try TCPSocket(connectingTo: listener.address, from: nil, options)
        #expect(try !connects(late, within: .milliseconds(300)), "the TTL stayed")
        // A peer without GTSM is served either way.
        let plain = try TCPSocket(connectingTo: listener.address, from: nil, TCPSocket.Options())
        #expect(try connects(plain, within: .seconds(10)))
    }
}
