package import BFD
package import LinuxIO
package import NetTypes
package import Resources
package import StatusAPI

/// What edge threads send to the routing loop.
package enum LoopMessage: Sendable {
    case change(ResourceChange)
    /// What a name of `--ip-autodetection-method can-reach=` stands for.
    case resolved(String, [IPAddress])
    case question(StatusQuestion, Promise<StatusAnswer>)
    case bfd(BFDReport)
    /// What an examination of the host found, and its kernel counted; the promise of who asked for it, by `apusctl
    /// doctor`.
    case examined([Finding], TCPRefusals, Promise<StatusAnswer>?)
    case metrics(Promise<MetricsPage>)
    case readiness(Promise<ReadinessReport>)
    /// A page cannot be served, for its flag; nil where it is from now on.
    case listener(flag: String, FindingCause?)
    /// Answered by a loop that turns.
    case alive(Promise<Bool>)
}
