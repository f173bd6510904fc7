import BGPRouting
import BGPSpeaker
import NetTypes
import StatusAPI

/// `apusctl why`. Work: the lengths of prefixes that occur, the paths of one prefix, and the peers.
extension StatusBuilder {
    func why(_ wanted: Prefix, _ answer: inout StatusAnswer) {
        let family = wanted.family.index
        // An address is answered by the longest prefix that covers it.
        guard
            let index = loop.speaker.rib.tables[family].find(wanted)
                ?? (wanted.isHost ? loop.speaker.rib.tables[family].longestMatch(wanted.address) : nil),
            let prefix = loop.speaker.rib.tables[family].prefix(at: index)
        else {
            answer.routes = []
            answer.fib = loop.plane.fibPage(wanted, from: .start, PageLimit(rows: 50)).rows
            answer.error = "no peer has announced \(wanted), and this node does not originate it"
            return
        }
        var rows = loop.speaker.routeStatus(prefix, index)
        if let best = loop.speaker.rib.tables[prefix.family.index].best(index), let position = rows.firstIndex(where: \.isBest) {
            var told: [String] = []
            var untold: [String: String] = [:]
            for peer in loop.speaker.peerIndices {
                guard let snapshot = loop.speaker.snapshot(peer) else { continue }
                let name = "\(snapshot.settings.address)"
                if loop.speaker.rib.isAnnounced(prefix, to: peer) { told.append(name) } else { untold[name] = reason(best, peer, snapshot, prefix) }
            }
            rows[position].announcedTo = told.sorted()
            rows[position].notAnnouncedTo = untold
        }
        answer.routes = rows
        answer.fib = [loop.plane.fibRow(prefix)].compactMap { $0 }
    }

    private func reason(_ best: Path, _ peer: PeerIndex, _ snapshot: PeerSnapshot, _ prefix: Prefix) -> String {
        guard snapshot.session != nil else { return "the session is not established" }
        guard let profile = loop.speaker.rib.peers[peer.index]?.profiles[prefix.family.index] else { return "the session does not carry \(prefix.family.name)" }
        if best.peer == peer { return "the best path came from this peer (split horizon)" }
        guard let index = loop.speaker.rib.tables[prefix.family.index].find(prefix) else { return "no peer announces it any more" }
        let verdict = loop.speaker.rib.exportVerdict(best, index, profile)
        if case .rejectedByRule(let rule) = verdict { return "rejected by \(profile.filter.rule(rule, prefix.family).label)" }
        if !verdict.isAnnounced { return verdict.text }
        return snapshot.isBacklogged ? "the peer does not read" : "its address is the next hop (RFC 4271 5.1.3)"
    }
}
