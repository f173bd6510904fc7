import BGPRouting
import BGPSpeaker
import ForwardingPlane
import NetTypes
import StatusAPI

/// `apusctl why`. Work: the lengths of prefixes that occur, the paths of one prefix, and the peers.
extension StatusBuilder {
    func why(_ wanted: Prefix, _ answer: inout StatusAnswer) {
        // An address is answered by the longest prefix that covers it.
        guard
            let index = loop.core.speaker.find(wanted)
                ?? (wanted.isHost ? loop.core.speaker.longestMatch(wanted.address) : nil),
            let prefix = loop.core.speaker.prefix(at: index, wanted.family)
        else {
            answer.routes = []
            answer.fib = loop.core.plane.fibPage(wanted, from: .start, PageLimit(rows: 50)).rows
            answer.error = "no peer has announced \(wanted), and this node does not originate it"
            return
        }
        var rows = loop.core.speaker.routeStatus(prefix, index)
        if let position = rows.firstIndex(where: \.isBest) {
            var announced: [String] = []
            var others: [String: NotAnnouncedReason] = [:]
            for peer in loop.core.speaker.peerIndices {
                guard let address = loop.core.speaker.settings(peer)?.address else { continue }
                if let reason = loop.core.speaker.reasonNotAnnounced(index, prefix.family, to: peer) {
                    others["\(address)"] = reason
                } else {
                    announced.append("\(address)")
                }
            }
            rows[position].announcedTo = announced.sorted()
            rows[position].notAnnouncedTo = others
        }
        answer.routes = rows
        answer.fib = [loop.core.plane.fibRow(prefix)].compactMap { $0 }
    }
}

extension Speaker {
    /// Nil where the peer has the best path of a prefix announced.
    func reasonNotAnnounced(_ index: PrefixIndex, _ family: AddressFamily, to peer: PeerIndex) -> NotAnnouncedReason? {
        guard let snapshot = snapshot(peer), snapshot.session != nil else { return .sessionDown }
        guard let reason: RIB.NotAnnounced = whyNotAnnounced(index, family, to: peer) else { return nil }
        if reason == .undecided, snapshot.isBacklogged { return .peerDoesNotRead }
        return NotAnnouncedReason(reason, family)
    }
}
