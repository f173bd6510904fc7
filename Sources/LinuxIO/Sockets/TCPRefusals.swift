/// TCP segments that this host's kernel dropped before any socket saw them, since it started: why a peer whose
/// password or TTL is another one is known for time-outs alone.
package struct TCPRefusals: Sendable, Hashable {
    package enum Reason: String, Sendable, CaseIterable {
        /// Signed with TCP MD5 (RFC 2385), and no password is configured here.
        case unexpectedSignature = "TCPMD5Unexpected"
        /// Not signed, and a password is configured here.
        case missingSignature = "TCPMD5NotFound"
        /// Signed with another password.
        case wrongSignature = "TCPMD5Failure"
        /// Fewer hops to live than GTSM (RFC 5082) accepts.
        case ttlTooSmall = "TCPMinTTLDrop"
    }
    /// By reason; a counter that the kernel lacks is 0.
    package var counts: [Reason: UInt64] = [:]

    package init() {}

    /// Of /proc/net/netstat: a line of names and a line of values for each group, both with the group's name in front.
    package init(_ text: some StringProtocol) {
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("TcpExt:") }
        guard lines.count == 2 else { return }
        let (names, values) = (lines[0].split(separator: " "), lines[1].split(separator: " "))
        for (name, value) in zip(names, values) {
            if let reason = Reason(rawValue: String(name)), let count = UInt64(value) { counts[reason] = count }
        }
    }

    /// Of this thread's network namespace; none where they cannot be read.
    package static func read() -> TCPRefusals {
        guard let bytes = try? readWholeFile("/proc/net/netstat") else { return TCPRefusals() }
        return TCPRefusals(String(decoding: bytes, as: UTF8.self))
    }
}
