import BGPRouting
import BGPSpeaker
import ForwardingPlane
import NetTypes
import Node
import Resources
import StatusAPI

/// `apusctl why`. Work: the lengths of prefixes that occur, the paths of one prefix, the peers of a page, and one
/// judgment for each of their update groups.
extension StatusBuilder {
    func why(_ wanted: Prefix, from start: PageCursor, _ answer: inout StatusAnswer) {
        if start == .start {
            let pods = core.plane.endpointStatus().filter { $0.addresses.contains("\(wanted.address)") }
            if wanted.isHost, !pods.isEmpty { answer.endpoints = pods }
            // The host route of a pod of this node is announced by its block, or by itself.
            answer.fib = [core.plane.fibRow(wanted)].compactMap { $0 }
        }
        // An address is answered by the longest prefix that covers it.
        guard
            let index = core.speaker.find(wanted)
                ?? (wanted.isHost ? core.speaker.longestMatch(wanted.address) : nil),
            let prefix = core.speaker.prefix(at: index, wanted.family)
        else {
            answer.routes = []
            // It went between two pages.
            guard start == .start else { return }
            if answer.endpoints != nil { return }
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
        if start == .start, prefix != wanted {
            answer.fib = (answer.fib ?? []) + [core.plane.fibRow(prefix)].compactMap { $0 }
        }
    }

    /// A pod is `NAMESPACE/NAME` or its name alone, a block and a peer an object with or without its kind. Work: the
    /// pods of this node, or the objects, or a page of peers.
    func why(named name: String, from start: PageCursor, _ answer: inout StatusAnswer) {
        let pods = core.plane.endpointStatus().filter { $0.name == name || $0.name.hasSuffix("/" + name) }
        if let address = pods.first?.addresses.first.flatMap({ IPAddress($0) }) {
            why(Prefix(host: address), from: start, &answer)
        }
        if !pods.isEmpty {
            guard start == .start else { return }
            answer.error = nil
            answer.endpoints = pods
            answer.findings = health().filter { finding in pods.contains { $0.name == finding.subject.name } }
            return
        }
        let block = core.peering.loaded.resources.resources.lazy.compactMap { resource -> Prefix? in
            guard case .blockAffinity(let affinity) = resource.value,
                [resource.key.name, "BlockAffinity/\(resource.key.name)"].contains(name)
            else { return nil }
            return affinity.cidr
        }.first
        if let block { return why(block, from: start, &answer) }
        (answer.peers, answer.next) = peers(named: name, from: start)
        let found = answer.peers ?? []
        // What is known of them, and of peers that are kept down.
        answer.findings = health().filter { finding in
            if case .peerHeldDown(let peer, let address, _) = finding.cause {
                return peer == name || peer.hasSuffix("/" + name) || address == name
            }
            return finding.subject.kind == .peer && found.contains { finding.subject.name == $0.address }
        }
        if found.isEmpty, answer.next == nil, start == .start, answer.findings?.isEmpty ?? true {
            answer.error =
                "nothing here is called \(name): no pod of this node, no block and no peer; why takes a prefix or an "
                + "address, too"
        }
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
