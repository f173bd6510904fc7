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
        case .refresh(let name, let all):
            let peers = ordered(name, all: all, &answer)
            for peer in peers {
                let called = peering.peers.name(peer)
                if speaker.requestRefresh(peer) {
                    note("asked \(called) for its routes", &answer.done)
                } else {
                    note("\(called) is not established, or does not know ROUTE-REFRESH", &answer.error)
                }
                log(order, called)
            }
        case .reset(let name, let all, let text):
            for peer in ordered(name, all: all, &answer) {
                let called = peering.peers.name(peer)
                speaker.resetPeer(peer, .administrativeReset(text), now: now)
                note("reset the session to \(called)", &answer.done)
                log(order, called)
            }
        }
        carryOutActions()
        return answer
    }

    private func note(_ line: String, _ text: inout String?) { text = text.map { $0 + "\n" + line } ?? line }

    private func log(_ order: StatusOrder, _ peer: String) {
        log(.notice, "operator's order", fields: ["order": "\(order.name)", "peer": "\(peer)"])
    }

    /// Peers of an order that are named in an error at most.
    private static let mostNamed = 16

    /// The peers that an order is about; none, with the error, where there is none, or where there are several and one
    /// was meant.
    private func ordered(_ name: String, all: Bool, _ answer: inout StatusAnswer) -> [PeerIndex] {
        let wanted = PeerName(name)
        let found = speaker.peerIndices.filter { peering.peers.matches($0, wanted) }
        if found.isEmpty { answer.error = "no peer has the address or name \(name)" }
        guard found.count > 1, !all else { return found }
        let names = found.prefix(NodeCore.mostNamed).map { peering.peers.name($0) }.joined(separator: ", ")
        answer.error =
            "\(found.count) peers are called \(name): \(names)\(found.count > NodeCore.mostNamed ? ", ..." : ""); name "
            + "one, with its port where it needs one, or give --all"
        return []
    }
}
