package import BFD
package import LinuxIO
package import Resources
package import StatusAPI

/// What edge threads send to the routing loop.
package enum LoopMessage: Sendable {
    case change(ResourceChange)
    case question(StatusQuestion, Promise<StatusAnswer>)
    case bfd(BFDReport)
    case metrics(Promise<MetricsPage>)
    case readiness(Promise<ReadinessReport>)
    /// Answered by a loop that turns.
    case alive(Promise<Bool>)
}
