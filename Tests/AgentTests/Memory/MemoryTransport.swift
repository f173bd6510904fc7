import BGPMessages
import BGPRouting
import BGPSession
import FIB
import LinuxIO
import Logging
import NetTypes

@testable import Node

/// Pipes in memory in the place of sockets: what a node has sent, and what is on its way to it.
final class MemoryTransport: PeerTransport {
    struct Key: Hashable {
        var peer: PeerIndex
        var side: PeerFSM.Side
    }
    /// One end of a connection.
    final class End {
        let local: IPAddress
        let remote: IPAddress
        /// Bytes that this end has sent and the other has not received.
        var outgoing: [UInt8] = []
        /// Nothing more comes: this end is closed once `outgoing` is delivered.
        var isClosed = false
        weak var other: End?
        /// The node of this end, and its process.
        let owner: String
        weak var transport: MemoryTransport?
        init(local: IPAddress, remote: IPAddress, _ owner: String, _ transport: MemoryTransport) {
            self.local = local
            self.remote = remote
            self.owner = owner
            self.transport = transport
        }
    }

    struct Attempt {
        let peer: PeerIndex
        let address: IPAddress
        let port: UInt16
        let source: IPAddress?
    }

    private(set) var ends: [Key: End] = [:]
    /// Connections that are asked for.
    private(set) var attempts: [Attempt] = []
    /// Keys by peer or range, as text.
    private(set) var passwords: [Prefix: [UInt8]] = [:]

    private(set) var listenAddresses: [SocketAddress] = []
    /// Addresses that are refused, as if another process had them.
    var refusedAddresses: [IPAddress: Int32] = [:]
    private(set) var listenFailures: [(address: SocketAddress, code: Int32)] = []
    func listen(on addresses: [SocketAddress]) {
        listenAddresses = addresses.filter { refusedAddresses[$0.address] == nil }
        listenFailures = addresses.compactMap { address in refusedAddresses[address.address].map { (address, $0) } }
    }
    func setPassword(_ password: [UInt8]?, for prefix: Prefix) throws(SystemError) { passwords[prefix] = password }
    func setAuthentication(_ key: TCPSocket.AuthenticationKey?, old: TCPSocket.AuthenticationKey?, for prefix: Prefix)
        throws(SystemError)
    {}
    func setFullTimeToLive(_ families: AddressFamilySet, _ logger: Logger) {}
    func changePassword(_ peer: PeerIndex, _ password: [UInt8], address: IPAddress, logger: Logger) {}

    var mayConnect: Bool { true }
    func connect(_ peer: PeerIndex, _ address: SocketAddress, from source: IPAddress?, options: TCPSocket.Options)
        throws(SystemError)
    { attempts.append(Attempt(peer: peer, address: address.address, port: address.port, source: source)) }
    func hasConnection(_ peer: PeerIndex, _ side: PeerFSM.Side) -> Bool {
        ends[Key(peer: peer, side: side)] != nil || side == .active && attempts.contains { $0.peer == peer }
    }
    func localAddress(_ peer: PeerIndex) -> IPAddress? {
        localAddress(peer, .active) ?? localAddress(peer, .passive)
    }
    func localAddress(_ peer: PeerIndex, _ side: PeerFSM.Side) -> IPAddress? {
        ends[Key(peer: peer, side: side)]?.local
    }
    func queuedBytes(_ peer: PeerIndex) -> Int {
        PeerFSM.Side.allCases.reduce(0) { $0 + (ends[Key(peer: peer, side: $1)]?.outgoing.count ?? 0) }
    }
    func recentRefusals(now: Instant) -> (limit: Int, closed: Int)? { nil }

    func send(_ peer: PeerIndex, _ side: PeerFSM.Side, buffer: MessageBuffer) {
        ends[Key(peer: peer, side: side)]?.outgoing += [UInt8](buffer.bytes)
    }
    func close(_ peer: PeerIndex, _ side: PeerFSM.Side, now: Instant) {
        ends.removeValue(forKey: Key(peer: peer, side: side))?.isClosed = true
        if side == .active { attempts.removeAll { $0.peer == peer } }
    }

    // MARK: For the network

    var hasAttempts: Bool { !attempts.isEmpty }
    func takeAttempts() -> [Attempt] {
        defer { attempts = [] }
        return attempts
    }
    func keep(_ attempt: Attempt) { attempts.append(attempt) }
    func adopt(_ end: End, _ peer: PeerIndex, _ side: PeerFSM.Side) { ends[Key(peer: peer, side: side)] = end }
    func forget(_ key: Key) { ends[key] = nil }
}
