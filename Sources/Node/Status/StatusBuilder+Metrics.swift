import BGPMessages
import BGPRouting
import BGPSpeaker
import NetTypes
import StatusAPI

/// `/metrics` while its values are collected: peers in pieces, a turn each; their text is made on the server's thread.
struct MetricsRound {
    /// Peers of one turn: about a tenth of a millisecond.
    static let peersOfTurn = 1024

    private(set) var peers: [MetricsSnapshot.Peer] = []
    /// The number of the peer to go on from; nil when all are there.
    private(set) var next: Int? = 0

    /// Adds the peers of one more turn.
    mutating func goOn(_ speaker: borrowing Speaker, isShown: (PeerIndex) -> Bool) {
        guard let start = next else { return }
        var left = MetricsRound.peersOfTurn
        next = speaker.visitPeers(from: start) { peer in
            guard left > 0 else { return false }
            left -= 1
            if isShown(peer.index) {
                peers.append(
                    MetricsSnapshot.Peer(
                        address: peer.address, isEstablished: peer.isEstablished, families: peer.families,
                        received: AddressFamily.allCases.map { speaker.receivedCount(peer.index, $0) },
                        timesEstablished: peer.timesEstablished))
            }
            return true
        }
    }
}

extension StatusBuilder {
    /// The page of a round that has all peers.
    func metrics(_ round: MetricsRound) -> MetricsSnapshot {
        MetricsSnapshot(
            status: status(), peers: round.peers, turns: loop.meter.turns, phaseTime: loop.meter.phaseTime,
            phaseLongest: loop.meter.phaseLongest, questionsLongest: loop.meter.questionsLongest)
    }
}
