import LinuxIO
import StatusAPI

/// What edge threads tell the routing loop.
enum LoopMessage: Sendable {
    case configuration(LoadedConfiguration)
    case question(StatusRequest, Promise<StatusAnswer>)
    case bfd(BFDReport)
    case metrics(Promise<MetricsSnapshot>)
}
