import BGPRouting
import BGPSpeaker
import ForwardingPlane
import NetTypes
import Node
import StatusAPI

/// `apusctl routes`.
extension StatusBuilder {
    /// A page of the routes of a query.
    func routes(_ query: RouteQuery, from start: PageCursor, _ answer: inout StatusAnswer) {
        var peer: PeerIndex?
        if let wanted = query.peer {
            let found = core.peering.peers.peers(at: wanted)
            guard let first = found.first else {
                answer.error = "no peer has the address \(wanted)"
                return
            }
            guard found.count == 1 else {
                answer.error =
                    "several peers have the address \(wanted): "
                    + found.compactMap { core.speaker.address(of: $0).map { "\($0)" } }.sorted().joined(separator: ", ")
                return
            }
            if query.side == .advertised, !AddressFamily.allCases.contains(where: { core.speaker.isSentTo(first, $0) })
            {
                answer.error = "no session with \(wanted) is up, so that nothing is advertised to it"
                return
            }
            peer = first
        }
        let page = core.speaker.routePage(query, of: peer, from: start, PageLimit())
        (answer.routes, answer.next) = (page.rows, page.next)
    }
}
