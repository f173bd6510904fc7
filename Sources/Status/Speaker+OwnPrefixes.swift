import BGPRouting
import BGPSpeaker
import NetTypes
import StatusAPI

/// What of this node's prefixes is announced: not what may leave, but what a session has.
extension Speaker {
    /// Peers that are asked why they do not have a prefix.
    private static let askedPeers = 16

    /// Corrects rows of prefixes that may leave. Work: one short look at each peer, and for each prefix the update
    /// groups.
    func judgeAnnouncements(_ rows: inout [OwnPrefixStatus]) {
        guard rows.contains(where: \.isAnnounced) else { return }
        var configured: AddressFamilySet = []
        // By family index.
        var carrying: [[PeerLoad]] = [[], []]
        visitPeers { peer in
            configured.formUnion(peer.families)
            for family in peer.sessionFamilies.families where carrying[family.index].count < Speaker.askedPeers {
                carrying[family.index].append(peer)
            }
            return true
        }
        for row in rows.indices where rows[row].isAnnounced {
            guard let prefix = Prefix(rows[row].prefix), !isAnnouncedToAny(prefix) else { continue }
            let family = prefix.family
            rows[row].isAnnounced = false
            if !configured.contains(family) {
                rows[row].reason = .noPeer(family: family.name)
            } else if carrying[family.index].isEmpty {
                rows[row].reason = .noSession(family: family.name)
            } else if let index = find(prefix) {
                var verdicts = GroupVerdicts(of: index, family)
                let reasons = carrying[family.index].compactMap { reasonNotAnnounced(to: $0, family, &verdicts) }
                rows[row].reason =
                    reasons.contains(.undecided)
                    ? .aboutToBeAnnounced : reasons.first.map { .keptBack(reason: $0) } ?? .aboutToBeAnnounced
            } else {
                rows[row].reason = .aboutToBeAnnounced
            }
        }
    }
}
