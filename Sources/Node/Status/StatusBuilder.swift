import ForwardingPlane
import StatusAPI

/// Returns questions from the loop's state, on the loop's thread: a file each for peers, routes, why, readiness,
/// metrics and doctor.
///
/// No answer costs the size of a table: long ones come in pages (`PageLimit`), and what takes long beside is a
/// `DoctorRound` or a `MetricsRound`. Totals over all peers are the one walk that is done at once: some ten nanoseconds
/// a peer.
struct StatusBuilder {
    let loop: RoutingLoop

    func answer(_ question: StatusQuestion) -> StatusAnswer {
        var answer = StatusAnswer()
        switch question {
        case .status: answer.status = status()
        case .peers(let start): (answer.peers, answer.next) = peers(from: start)
        case .peer(let wanted, let start):
            let (found, next) = peers(named: wanted, from: start)
            if found.isEmpty, start == .start, next == nil {
                answer.error = "no peer has the address or name \(wanted)"
            } else {
                (answer.peers, answer.next) = (found, next)
            }
        case .routes(let wanted, let start):
            let page = loop.core.speaker.routePage(wanted, from: start, PageLimit())
            (answer.routes, answer.next) = (page.rows, page.next)
        case .endpoints: answer.endpoints = loop.core.plane.endpointStatus()
        case .fib(let wanted, let start):
            let page = loop.core.plane.fibPage(wanted, from: start, PageLimit())
            (answer.fib, answer.next) = (page.rows, page.next)
        case .why(let wanted, let start): why(wanted, from: start, &answer)
        case .doctor: answer.error = "doctor takes several turns"
        case .order: answer.error = "an order, not a question"
        }
        return answer
    }
}
