import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import Logging
package import StatusAPI

/// What an operator orders.
extension NodeCore {
    /// Carries out an operator's order.
    package func carryOut(_ order: StatusOrder) -> StatusAnswer {
        var answer = StatusAnswer()
        switch order {
        case .releaseRoutes:
            let count = plane.releaseHeld(speaker)
            hasMoreWork = true
            answer.done = count == 0 ? "no routes were kept" : "let \(count) routes go"
            return answer
        case .refresh(let name):
            guard let peer = ordered(name, &answer) else { return answer }
            if speaker.requestRefresh(peer) {
                answer.done = "asked \(peering.peers.name(peer)) for its routes"
            } else {
                answer.error = "\(peering.peers.name(peer)) is not established, or does not know ROUTE-REFRESH"
            }
            logger.notice(
                "operator's order", metadata: ["order": "\(order.name)", "peer": "\(peering.peers.name(peer))"])
        case .reset(let name, let text):
            guard let peer = ordered(name, &answer) else { return answer }
            speaker.resetPeer(peer, .administrativeReset(text), now: now)
            answer.done = "reset the session to \(peering.peers.name(peer))"
            logger.notice(
                "operator's order", metadata: ["order": "\(order.name)", "peer": "\(peering.peers.name(peer))"])
        }
        carryOutActions()
        return answer
    }

    /// The peer that an order is about; nil, with the error, where there is none.
    private func ordered(_ name: String, _ answer: inout StatusAnswer) -> PeerIndex? {
        let wanted = PeerName(name)
        if let peer = speaker.peerIndices.first(where: { peering.peers.matches($0, wanted) }) { return peer }
        answer.error = "no peer has the address or name \(name)"
        return nil
    }
}
