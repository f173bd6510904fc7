import BGPMessages
package import BGPRouting
package import BGPSession
package import LinuxIO
package import Logging
package import NetTypes

/// What a node asks of its connections: sockets (`Transport`), or pipes in memory.
package protocol PeerTransport: AnyObject {
    /// What is listened on.
    var listenAddresses: [SocketAddress] { get }
    /// Listens on these addresses and on no others.
    func listen(on addresses: [SocketAddress])
    /// Addresses that could not be listened on, with errno.
    var listenFailures: [(address: SocketAddress, code: Int32)] { get }
    /// The MD5 key of a peer or a range, on every listener of its family; nil removes it.
    func setPassword(_ password: [UInt8]?, for prefix: Prefix) throws(SystemError)
    /// The TCP-AO key of a peer or a range, likewise.
    func setAuthentication(_ key: TCPSocket.AuthenticationKey?, old: TCPSocket.AuthenticationKey?, for prefix: Prefix)
        throws(SystemError)
    /// Families whose listeners send with TTL or hop limit 255 (RFC 5082).
    func setFullTimeToLive(_ families: AddressFamilySet, _ logger: Logger)
    /// The new password of a peer on its running connections.
    func changePassword(_ peer: PeerIndex, _ password: [UInt8], address: IPAddress, logger: Logger)

    /// Another connection may be begun now.
    var mayConnect: Bool { get }
    /// Begins a connection to a peer; what becomes of it is an event of a later turn.
    func connect(_ peer: PeerIndex, _ address: SocketAddress, from source: IPAddress?, options: TCPSocket.Options)
        throws(SystemError)
    func hasConnection(_ peer: PeerIndex, _ side: PeerFSM.Side) -> Bool
    /// Our end of a peer's connection; of the active one where there are two.
    func localAddress(_ peer: PeerIndex) -> IPAddress?
    func localAddress(_ peer: PeerIndex, _ side: PeerFSM.Side) -> IPAddress?
    /// Bytes that wait for a peer to read them.
    func queuedBytes(_ peer: PeerIndex) -> Int
    /// Connections at most, and how many were closed at once; nil where none was for a minute.
    func recentRefusals(now: Instant) -> (limit: Int, closed: Int)?
    func send(_ peer: PeerIndex, _ side: PeerFSM.Side, buffer: MessageBuffer)
    /// Closes a connection once what is queued has been sent.
    func close(_ peer: PeerIndex, _ side: PeerFSM.Side, now: Instant)
}
