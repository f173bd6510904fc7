import FIB
import Forwarding
import LinuxIO
import Logging

/// What forwarding reports, in words.
extension KernelForwarding {
    func logReports() {
        guard !core.reports.isEmpty else { return }
        for report in core.reports { log(report) }
        core.reports = []
    }

    private func log(_ report: ForwardingReport) {
        switch report {
        case .notificationsLost: noteResync()
        case .setUpRefused(.endpoint(let name), let refused):
            logger.warning(
                "cannot set up a pod's interface",
                metadata: ["endpoint": "\(name)", "reason": "\(text(refused))"])
        case .setUpRefused(.loopback, let refused):
            logger.warning("cannot put an address on lo", metadata: ["reason": "\(text(refused))"])
        case .massWithdrawal(let held):
            logger.error(
                """
                nearly all routes of the cluster were withdrawn at once: they are kept until they are announced \
                again, or until apusctl fib release
                """,
                metadata: ["routes": "\(held)"])
        case .guestArrived(let endpoint, let interface):
            logger.notice(
                "the guest of a live migration has arrived",
                metadata: ["endpoint": "\(endpoint)", "interface": "\(interface)"])
        case .podsWithoutEndpoints(let count):
            logger.warning(
                "pods with routes of an earlier process and no endpoint: their interfaces are up, so their routes stay",
                metadata: ["routes": "\(count)"])
        case .foundRoutesRemoved(let count, let waiting):
            logger.info(
                "routes of an earlier process that nobody wants are removed",
                metadata: ["routes": "\(count)", "waiting": "\(waiting)"])
        case .leftBehindRemoved(let count, let kept):
            logger.notice(
                "routes that BIRD or Felix left behind and nobody wants are removed",
                metadata: ["routes": "\(count)", "podsWithoutEndpointsKept": "\(kept)"])
        case .restartIsOver(let isComplete):
            logger.info(
                "restart is over: routes that nobody wants any more are removed",
                metadata: ["complete": "\(isComplete)"])
        }
    }

    private func text(_ refused: [RefusedRequest]) -> String {
        refused.map { "\($0.request): \(errorText($0.code))" }.joined(separator: "; ")
    }
}
