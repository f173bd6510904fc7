import BGPMessages
import BGPRouting
import BGPSession
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import Node

/// The place of sockets in a rehearsal: every peer that is there is played. Nothing leaves the process.
final class RehearsalTransport: PeerTransport {
    private struct Key: Hashable {
        var peer: PeerIndex
        var side: PeerFSM.Side
    }
    /// In the order of the sessions that are established.
    let counterparts: [Counterpart]
    private var connections: [Key: Counterpart] = [:]
    /// Connections that were begun and not completed yet, and those that never will be.
    private var begun: [(peer: PeerIndex, counterpart: Counterpart)] = []
    private var hanging: Set<PeerIndex> = []

    init(_ state: PlayedPeers) {
        counterparts = state.sessions.filter(\.session.isEstablished).map { Counterpart($0) }
    }

    /// A counterpart at an address that has no connection yet.
    private func free(at address: IPAddress) -> Counterpart? {
        counterparts.first { $0.session.address == address.unscoped && !$0.isConnected }
    }

    /// Completes connections and moves what was sent to where it goes. True where something moved.
    func deliver(to core: NodeCore) -> Bool {
        var hasMoved = false
        for (peer, counterpart) in begun {
            connections[Key(peer: peer, side: .active)] = counterpart
            core.connected(peer, .active)
            hasMoved = true
        }
        begun = []
        // Who is not connected to connects to us.
        if !core.plane.isStarting {
            for counterpart in counterparts where !counterpart.isConnected {
                guard let address = counterpart.session.address, let admitted = core.admit(address),
                    admitted.isAdmitted
                else { continue }
                core.carryOutActions()
                counterpart.isConnected = true
                connections[Key(peer: admitted.peer, side: .passive)] = counterpart
                core.connected(admitted.peer, .passive)
                hasMoved = true
            }
        }
        for (key, counterpart) in connections {
            let bytes = counterpart.takeOutput()
            guard !bytes.isEmpty else { continue }
            core.received(key.peer, key.side, bytes: bytes.rawSpan)
            hasMoved = true
        }
        return hasMoved
    }

    // MARK: PeerTransport

    var listenAddresses: [SocketAddress] { [] }
    func listen(on addresses: [SocketAddress]) {}
    var listenFailures: [(address: SocketAddress, code: Int32)] { [] }
    func setPassword(_ password: [UInt8]?, for prefix: Prefix) throws(SystemError) {}
    func setAuthentication(_ key: TCPSocket.AuthenticationKey?, old: TCPSocket.AuthenticationKey?, for prefix: Prefix)
        throws(SystemError)
    {}
    func setFullTimeToLive(_ families: AddressFamilySet, _ logger: Logger) {}
    func changePassword(_ peer: PeerIndex, _ password: [UInt8], address: IPAddress, logger: Logger) {}
    var mayConnect: Bool { true }
    func connect(_ peer: PeerIndex, _ address: SocketAddress, from source: IPAddress?, options: TCPSocket.Options)
        throws(SystemError)
    {
        guard let counterpart = free(at: address.address) else {
            hanging.insert(peer)
            return
        }
        counterpart.isConnected = true
        begun.append((peer, counterpart))
    }
    func hasConnection(_ peer: PeerIndex, _ side: PeerFSM.Side) -> Bool {
        connections[Key(peer: peer, side: side)] != nil
            || side == .active && (hanging.contains(peer) || begun.contains { $0.peer == peer })
    }
    func localAddress(_ peer: PeerIndex) -> IPAddress? {
        localAddress(peer, .active) ?? localAddress(peer, .passive)
    }
    func localAddress(_ peer: PeerIndex, _ side: PeerFSM.Side) -> IPAddress? {
        connections[Key(peer: peer, side: side)]?.session.source
    }
    func queuedBytes(_ peer: PeerIndex) -> Int { 0 }
    func recentRefusals(now: Instant) -> (limit: Int, closed: Int)? { nil }
    func send(_ peer: PeerIndex, _ side: PeerFSM.Side, buffer: MessageBuffer) {
        connections[Key(peer: peer, side: side)]?.receive([UInt8](buffer.bytes))
    }
    func close(_ peer: PeerIndex, _ side: PeerFSM.Side, now: Instant) {
        connections[Key(peer: peer, side: side)] = nil
        if side == .active { hanging.remove(peer) }
    }
}
