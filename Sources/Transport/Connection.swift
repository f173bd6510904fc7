package import BGPRouting
package import BGPSession
package import LinuxIO
package import NetTypes

/// One TCP connection with its queue of buffers, which are shared with other connections and written by reference.
package final class Connection {
    package let socket: TCPSocket
    package let token: UInt64
    package let peer: PeerIndex
    package let side: PeerFSM.Side
    package var isConnecting: Bool
    /// Set once the session is over: what is queued is still written, nothing is read any more, and at the deadline it
    /// goes.
    package var closeDeadline: Instant?
    package private(set) var queuedBytes = 0
    private var queue: [MessageBuffer] = []
    private var head = 0
    /// Bytes of the first buffer that were written already.
    private var offset = 0
    package private(set) var waitsForWritability = false
    /// The state machine knows that nothing goes out (RFC 9687).
    package var isSendBlocked = false

    init(_ socket: consuming TCPSocket, token: UInt64, peer: PeerIndex, side: PeerFSM.Side, isConnecting: Bool) {
        self.socket = socket
        self.token = token
        self.peer = peer
        self.side = side
        self.isConnecting = isConnecting
    }

    var hasQueued: Bool { head < queue.count }

    func enqueue(_ buffer: MessageBuffer) {
        queue.append(buffer)
        queuedBytes += buffer.count
    }

    package enum WriteResult { case done, blocked, failed }

    /// Writes what the socket takes, at most `budget` bytes.
    package func write(budget: Int) -> WriteResult {
        var left = budget
        while head < queue.count {
            guard left > 0 else { return .blocked }
            let buffers = queue[head..<min(queue.count, head + TCPSocket.buffersInOneWrite)]
            let total = buffers.reduce(-offset) { $0 + $1.count }
            switch socket.write(buffers, skipping: offset) {
            case .done(let count):
                advance(count)
                left -= count
                if count < total { return .blocked }
            case .wouldBlock: return .blocked
            case .closed, .failed: return .failed
            }
        }
        return .done
    }

    private func advance(_ count: Int) {
        queuedBytes -= count
        var count = count
        while count > 0 {
            let rest = queue[head].count - offset
            if count < rest {
                offset += count
                return
            }
            count -= rest
            offset = 0
            head += 1
        }
        if head == queue.count {
            queue.removeAll(keepingCapacity: queue.count < 1024)
            head = 0
        } else if head > 1024 {
            queue.removeFirst(head)
            head = 0
        }
    }

    /// Begins to watch the socket.
    func watch(_ poller: borrowing Poller) throws(SystemError) {
        waitsForWritability = isConnecting || hasQueued
        try poller.add(socket.fd, token: token, write: waitsForWritability)
    }

    /// Arms or disarms waiting for writability.
    package func updateInterest(_ poller: borrowing Poller) {
        let wanted = isConnecting || hasQueued
        guard wanted != waitsForWritability else { return }
        waitsForWritability = wanted
        poller.modify(socket.fd, token: token, write: wanted)
    }
}
