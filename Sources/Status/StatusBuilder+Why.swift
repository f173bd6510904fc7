import BGPRouting
import BGPSpeaker
import ForwardingPlane
import NetTypes
import Node
import StatusAPI

/// `apusctl why`. Work: the lengths of prefixes that occur, the paths of one prefix, the peers of a page, and one
/// judgment for each of their update groups.
extension StatusBuilder {
    func why(_ wanted: Prefix, from start: PageCursor, _ answer: inout StatusAnswer) {
        // An address is answered by the longest prefix that covers it.
        guard
            let index = core.speaker.find(wanted)
                ?? (wanted.isHost ? core.speaker.longestMatch(wanted.address) : nil),
            let prefix = core.speaker.prefix(at: index, wanted.family)
        else {
            answer.routes = []
            // It went between two pages.
            guard start == .start else { return }
            answer.fib = core.plane.fibPage(wanted, from: .start, PageLimit(rows: 50)).rows
            answer.error = "no peer has announced \(wanted), and this node does not originate it"
            return
        }
        var rows = core.speaker.routeStatus(prefix, index)
        if let position = rows.firstIndex(where: \.isBest) {
            let page = core.speaker.announcementPage(
                index, prefix.family, from: start.position, limit: PageLimit(rows: Speaker.announcementsOfPage))
            rows[position].announcedTo = page.announcedTo.sorted()
            rows[position].notAnnouncedTo = page.notAnnouncedTo
            answer.next = page.next
        }
        answer.routes = start == .start ? rows : rows.filter(\.isBest)
        if start == .start { answer.fib = [core.plane.fibRow(prefix)].compactMap { $0 } }
    }
}

/// To which peers of a page the best path of a prefix is announced.
struct AnnouncementPage {
    var announcedTo: [String] = []
    var notAnnouncedTo: [String: NotAnnouncedReason] = [:]
    /// The number of a peer to go on from; nil where nothing follows.
    var next: Int?
    /// Peers that were asked about, and update groups that were judged: the work.
    var looked = 0
    var judged = 0
}

extension Speaker {
    /// Peers that a page of `why` lists: an address and a reason each.
    static let announcementsOfPage = 256

    /// What became of a prefix at at most `limit.rows` peers, from a number on.
    func announcementPage(
        _ index: PrefixIndex, _ family: AddressFamily, from start: Int, limit: PageLimit
    ) -> AnnouncementPage {
        var page = AnnouncementPage()
        var verdicts = GroupVerdicts(of: index, family)
        page.next = visitPeers(from: start) { peer in
            guard page.looked < limit.rows else { return false }
            page.looked += 1
            if let reason = reasonNotAnnounced(to: peer, family, &verdicts) {
                page.notAnnouncedTo["\(peer.address)"] = reason
            } else {
                page.announcedTo.append("\(peer.address)")
            }
            return true
        }
        page.judged = verdicts.judged
        return page
    }

    /// Nil where the peer has the best path of a prefix announced.
    func reasonNotAnnounced(
        to peer: PeerLoad, _ family: AddressFamily, _ verdicts: inout GroupVerdicts
    ) -> NotAnnouncedReason? {
        guard peer.isEstablished else { return .sessionDown }
        guard let reason = whyNotAnnounced(to: peer.index, &verdicts) else { return nil }
        if reason == .undecided, peer.isBacklogged { return .peerDoesNotRead }
        return NotAnnouncedReason(reason, family)
    }
}
