package import BGPMessages
package import BGPRouting
package import BGPSession
import ForwardingPlane
package import LinuxIO
package import Logging
package import NetTypes

/// Sockets: listeners, connections, and which of them carries which side of which peer.
package final class Transport {
    /// More than this queued to a peer, and it gets no routes until it has read what is there.
    package static let backlogLimit = 32 << 20
    /// How long the end of a session may take to be written.
    private static let lingerTime: Duration = .seconds(1)

    package let poller: Poller
    private let listeners = Listeners()
    private var connections: [UInt64: Connection] = [:]
    /// By peer index: the connections of its active and passive side.
    private var sides: [PerSide<Connection?>] = []
    /// Connections whose session is over, by token, until they go.
    private var closing = Timers<UInt64>()
    /// Connections that something was queued on in this turn.
    private var touched: [UInt64] = []
    private var nextToken: UInt64 = 1000
    private var limiter = LogLimiter()

    /// Connections at most: descriptors are left for files, the kernel and the operator.
    let maximumConnections: Int
    private static let reservedDescriptors = 64
    package var isFull: Bool { connections.count >= maximumConnections }
    /// Connections that we are opening: peers that do not answer hold half of the descriptors at most.
    private var connectingCount = 0
    package var mayConnect: Bool { connectingCount < maximumConnections / 2 }
    /// Connections that were closed at once because there were so many.
    private(set) var refusals = 0
    private var refusedAt: Instant?
    private static let refusalMemory = Duration.seconds(60)

    /// Returns whether it is the first one for a minute.
    package func noteRefusal(now: Instant) -> Bool {
        let isFirst = recentRefusals(now: now) == nil
        refusals += 1
        refusedAt = now
        return isFirst
    }

    /// Connections at most, and how many were closed at once; nil where none was for a minute.
    package func recentRefusals(now: Instant) -> (limit: Int, closed: Int)? {
        guard let refusedAt, now - refusedAt < Transport.refusalMemory else { return nil }
        return (maximumConnections, refusals)
    }

    /// `openFiles`: descriptors that this process may have.
    package init(openFiles: Int) throws(SystemError) {
        poller = try Poller()
        maximumConnections = max(16, openFiles - Transport.reservedDescriptors)
    }

    // MARK: Listening

    /// Listens on these addresses and on no others; `listenFailures` has what could not be done. Connections that were
    /// accepted stay.
    package func listen(on addresses: [SocketAddress]) { listeners.listen(on: addresses, poller, token: takeToken) }
    package var listenFailures: [(address: SocketAddress, code: Int32)] { listeners.failures }

    package func isListener(_ token: UInt64) -> Bool { listeners.isListener(token) }
    package var listenAddresses: [SocketAddress] { listeners.addresses }
    package func accept(_ token: UInt64) -> AcceptedConnection? { listeners.accept(token) }

    package func setPassword(_ password: [UInt8]?, for prefix: Prefix) throws(SystemError) {
        try listeners.setPassword(password, for: prefix)
    }
    package func setAuthentication(
        _ key: TCPSocket.AuthenticationKey?, old: TCPSocket.AuthenticationKey?, for prefix: Prefix
    ) throws(SystemError) { try listeners.setAuthentication(key, old: old, for: prefix) }
    package func setFullTimeToLive(_ families: AddressFamilySet, _ logger: Logger) {
        listeners.setFullTimeToLive(families, logger)
    }

    /// The new password of a peer on its running connections.
    package func changePassword(_ peer: PeerIndex, _ password: [UInt8], address: IPAddress, logger: Logger) {
        for side in PeerFSM.Side.allCases {
            guard let connection = connection(peer, side) else { continue }
            do throws(SystemError) {
                try connection.socket.changePassword(password, peer: address)
            } catch {
                logger.warning(
                    "cannot change a TCP MD5 password", metadata: ["peer": "\(address)", "reason": "\(error)"])
            }
        }
    }

    // MARK: Connections

    package func connection(_ token: UInt64) -> Connection? { connections[token] }
    package func connection(_ peer: PeerIndex, _ side: PeerFSM.Side) -> Connection? {
        peer.index < sides.count ? sides[peer.index][side] : nil
    }
    package func hasConnection(_ peer: PeerIndex, _ side: PeerFSM.Side) -> Bool { connection(peer, side) != nil }
    package func localAddress(_ peer: PeerIndex, _ side: PeerFSM.Side) -> IPAddress? {
        connection(peer, side)?.socket.localAddress()?.address
    }
    /// Our end of a peer's connection; of the active one where there are two.
    package func localAddress(_ peer: PeerIndex) -> IPAddress? {
        (connection(peer, .active).flatMap { $0.isConnecting ? nil : $0 } ?? connection(peer, .passive))?.socket
            .localAddress()?.address
    }
    package func queuedBytes(_ peer: PeerIndex) -> Int {
        (connection(peer, .active)?.queuedBytes ?? 0) + (connection(peer, .passive)?.queuedBytes ?? 0)
    }

    package func connect(
        _ peer: PeerIndex, _ address: SocketAddress, from source: IPAddress?, options: TCPSocket.Options
    )
        throws(SystemError)
    {
        let socket = try TCPSocket(connectingTo: address, from: source, options)
        let connection = Connection(socket, token: takeToken(), peer: peer, side: .active, isConnecting: true)
        try register(connection)
    }

    package func adopt(
        _ socket: consuming TCPSocket, _ peer: PeerIndex, options: TCPSocket.Options, logger: Logger, now: Instant
    ) {
        func warn(_ what: Logger.Message, _ error: SystemError) {
            guard let leftOut = limiter.admit(.strangers, .refusal, now: now) else { return }
            logger.warning(what, metadata: ["reason": "\(error)", "leftOut": "\(leftOut)"])
        }
        do throws(SystemError) { try socket.apply(options) } catch { warn("cannot set a socket option", error) }
        let connection = Connection(socket, token: takeToken(), peer: peer, side: .passive, isConnecting: false)
        do throws(SystemError) { try register(connection) } catch { warn("cannot watch a connection", error) }
    }

    private func register(_ connection: Connection) throws(SystemError) {
        try connection.watch(poller)
        connections[connection.token] = connection
        if connection.isConnecting { connectingCount += 1 }
        while sides.count <= connection.peer.index { sides.append(PerSide(nil, nil)) }
        sides[connection.peer.index][connection.side] = connection
    }

    package func send(_ peer: PeerIndex, _ side: PeerFSM.Side, buffer: MessageBuffer) {
        guard let connection = connection(peer, side), connection.closeDeadline == nil else { return }
        if !connection.hasQueued { touched.append(connection.token) }
        connection.enqueue(buffer)
    }

    /// The connection that we opened is there.
    package func finishConnecting(_ connection: Connection) {
        guard connection.isConnecting else { return }
        connection.isConnecting = false
        connectingCount -= 1
        connection.updateInterest(poller)
    }

    /// The session on it is over: nothing more is reported, what is queued is written, then it goes.
    package func close(_ peer: PeerIndex, _ side: PeerFSM.Side, now: Instant) {
        guard let connection = connection(peer, side) else { return }
        sides[peer.index][side] = nil
        if connection.isConnecting {
            drop(connection)
            return
        }
        linger(connection, now)
    }

    /// A connection that is not wanted: the other end gets the reason, and what it has sent meanwhile is read, because
    /// unread bytes would turn the end into a reset that takes the NOTIFICATION with it.
    package func refuse(_ socket: consuming TCPSocket, _ peer: PeerIndex, reason: NotificationMessage, now: Instant) {
        let connection = Connection(socket, token: takeToken(), peer: peer, side: .passive, isConnecting: false)
        guard (try? connection.watch(poller)) != nil else { return }
        connections[connection.token] = connection
        connection.enqueue(MessageBuffer(reason.encoded()))
        linger(connection, now)
    }

    /// Until the other end closes, or the deadline. One address does not hold more than a few descriptors in this way:
    /// beyond that they close at once.
    private func linger(_ connection: Connection, _ now: Instant) {
        guard lingering[connection.peer, default: 0] < Transport.lingeringPerPeer else {
            // What is queued goes if the socket takes it.
            _ = connection.write(budget: Transport.lastWrite)
            drop(connection)
            return
        }
        lingering[connection.peer, default: 0] += 1
        connection.closeDeadline = now + Transport.lingerTime
        closing.set(connection.token, now + Transport.lingerTime)
        touched.append(connection.token)
    }
    private var lingering: [PeerIndex: Int] = [:]
    private static let lingeringPerPeer = 8
    private static let lastWrite = 1 << 16

    /// Everything is written: the other end sees it, and has until the deadline to close.
    package func finish(_ connection: Connection) { connection.socket.finishWriting() }

    /// Forgets a connection; the descriptor closes with it.
    package func drop(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.token) != nil else { return }
        poller.remove(connection.socket.fd)
        closing.remove(connection.token)
        if connection.closeDeadline != nil, let count = lingering[connection.peer] {
            lingering[connection.peer] = count > 1 ? count - 1 : nil
        }
        if connection.isConnecting { connectingCount -= 1 }
        if connection.peer.index < sides.count, sides[connection.peer.index][connection.side] === connection {
            sides[connection.peer.index][connection.side] = nil
        }
    }

    /// Connections that have something to write and may: those queued on in this turn, and those that became writable.
    package func takeWritable(_ ready: [Readiness]) -> [Connection] {
        var result = touched.compactMap { connections[$0] }.filter { !$0.waitsForWritability }
        touched.removeAll(keepingCapacity: true)
        for event in ready where event.canWrite {
            if let connection = connections[event.token], !connection.isConnecting, connection.hasQueued {
                result.append(connection)
            }
        }
        return result
    }

    /// Connections whose session is over, and which have something to write or wait for the other end to close.
    var closingConnections: [Connection] { connections.values.filter { $0.closeDeadline != nil } }

    // MARK: Time

    package var nextDeadline: Instant? { closing.next }

    package func handleTimeouts(now: Instant) {
        for token in closing.takeAllDue(now: now) { if let connection = connections[token] { drop(connection) } }
    }

    private func takeToken() -> UInt64 {
        nextToken += 1
        return nextToken
    }
}
