import ForwardingPlane
package import Node
package import StatusAPI

/// Answers questions from a node's state, on the thread that owns it: a file each for peers, routes, why, readiness,
/// metrics and doctor.
///
/// No answer costs the size of a table: long ones come in pages (`PageLimit`), and what takes long beside is a
/// `DoctorRound` or a `MetricsRound`. Totals over all peers are the one walk that is done at once: some ten nanoseconds
/// a peer.
package struct StatusBuilder {
    let core: NodeCore
    let meter: LoopMeter
    let mode: NodeMode

    /// `meter`: what the loop's turns cost so far.
    package init(_ core: NodeCore, meter: LoopMeter, mode: NodeMode) {
        self.core = core
        self.meter = meter
        self.mode = mode
    }

    package func answer(_ question: StatusQuestion) -> StatusAnswer {
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
        case .routes(let query, let start): routes(query, from: start, &answer)
        case .endpoints: answer.endpoints = core.plane.endpointStatus()
        case .fib(let wanted, let start):
            let page = core.plane.fibPage(wanted, from: start, PageLimit())
            (answer.fib, answer.next) = (page.rows, page.next)
        case .events(let start):
            let page = core.events.page(from: start.position, limit: PageLimit().rows)
            (answer.events, answer.next) = (page.events, page.next)
        case .why(let wanted, let start): why(wanted, from: start, &answer)
        case .whyNamed(let name, let start): why(named: name, from: start, &answer)
        case .doctor, .plan: answer.error = "this takes several turns"
        case .shadow:
            answer.error = "this apusd is no shadow: beside a Calico that runs, start apusd agent --shadow"
        case .order: answer.error = "an order, not a question"
        }
        return answer
    }
}

/// What status has to know of how the process was started.
package struct NodeMode: Sendable {
    var isReflector: Bool
    var isDryRun: Bool

    package init(isReflector: Bool, isDryRun: Bool) {
        self.isReflector = isReflector
        self.isDryRun = isDryRun
    }
}
