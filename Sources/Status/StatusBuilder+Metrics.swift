import BGPMessages
package import BGPRouting
package import BGPSpeaker
import NetTypes
import Node
import StatusAPI

/// `/metrics` while its values are collected: peers in pieces, a turn each; their text is made on the server's thread.
package struct MetricsRound {
    /// Peers of one turn: about a tenth of a millisecond.
    static let peersOfTurn = 1024

    private(set) var peers: [MetricsSnapshot.Peer] = []
    /// The number of the peer to go on from; nil when all are there.
    package private(set) var next: Int? = 0

    package init() {}

    /// Adds the peers of one more turn.
    package mutating func goOn(_ speaker: borrowing Speaker, isShown: (PeerIndex) -> Bool) {
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
    package func metrics(_ round: MetricsRound) -> MetricsSnapshot {
        MetricsSnapshot(
            status: status(), peers: round.peers, turns: meter.turns, phaseTime: meter.phaseTime,
            phaseLongest: meter.phaseLongest, questionsLongest: meter.questionsLongest)
    }
}
