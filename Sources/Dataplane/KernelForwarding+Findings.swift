import FIB
import Forwarding
import LinuxIO
import NetTypes
package import StatusAPI

/// What is wrong with own routes, pods and tunnels, as far as it is known without a look at the host.
extension KernelForwarding {
    /// Pods that are named one by one.
    private static let mostPods = 16

    package func findings() -> [Finding] {
        var findings = routeFindings()
        findings += core.tunnels.pendingFailures.map {
            Finding(.fault, .tunnelStepFailed(attempt: "\($0.attempt)", code: $0.code))
        }
        for kind in TunnelKind.allCases where core.tunnels.device(kind) != nil {
            if let failure = core.tunnels.failure(kind) {
                findings.append(Finding(.fault, .tunnelDown(device: kind.deviceName, reason: failure)))
            }
        }
        findings += core.missingAddresses.map { Finding(.fault, .addressOnNoInterface(address: "\($0)")) }
        return findings + podFindings()
    }

    private func routeFindings() -> [Finding] {
        var findings: [Finding] = []
        let missing = missingCount
        if missing > 0 {
            var budget = 64
            var examples = core.delta.examplesOfMissing(most: 3)
            for family in AddressFamily.allCases {
                _ = core.unprogrammed.visit(family, overlapping: nil, from: 0, budget: &budget) { prefix, _ in
                    if examples.count <= 3 { examples.append(prefix) }
                    return examples.count <= 3
                }
            }
            findings.append(
                Finding(
                    .fault,
                    .routesMissing(count: missing, examples: examples.sorted().prefix(3).map { "\($0)" })))
        }
        if core.breaker.isTripped {
            findings.append(Finding(.fault, .massWithdrawal(routes: core.breaker.held.count)))
        }
        return findings
    }

    private func podFindings() -> [Finding] {
        var findings: [Finding] = []
        if let guestError, core.local.awaitsGuests {
            findings.append(Finding(.fault, .guestsNotHeard(code: guestError.code)))
        }
        let rows = endpointStatus(exceptUp: true)
        findings += rows.prefix(KernelForwarding.mostPods).map {
            // A live migration's target waits for its guest: that is how it goes.
            Finding(
                $0.state == .waitingForGuest ? .note : .fault,
                .podNotUp(pod: $0.name, interface: $0.interface, state: $0.state, reason: $0.reason))
        }
        if rows.count > KernelForwarding.mostPods {
            findings.append(Finding(.fault, .morePodsNotUp(count: rows.count - KernelForwarding.mostPods)))
        }
        return findings
    }
}
