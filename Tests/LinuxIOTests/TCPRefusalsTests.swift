import LinuxIO
import Testing

@Suite struct TCPRefusalsTests {
    @Test func `counters are found by their names`() {
        let text = """
            TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPMinTTLDrop Other
            TcpExt: 9 1 2 3 4 5
            IpExt: InNoRoutes TCPMD5Failure
            IpExt: 7 8

            """
        #expect(
            TCPRefusals(text).counts == [
                .missingSignature: 1, .unexpectedSignature: 2, .wrongSignature: 3, .ttlTooSmall: 4,
            ])
    }

    @Test(arguments: ["", "TcpExt: TCPMD5Failure\n", "TcpExt:\nTcpExt:\n", "TcpExt: TCPMD5Failure\nTcpExt: x\n"])
    func `what is not understood counts nothing`(text: String) { #expect(TCPRefusals(text).counts.isEmpty) }

    @Test func `this kernel has them`() { #expect(TCPRefusals.read().counts.count == 4) }
}
