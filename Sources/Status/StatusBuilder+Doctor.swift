package import ForwardingPlane
import LinuxIO
import NetTypes
import Node
import Resources
import StatusAPI

extension StatusBuilder {
    /// The round's beginning: what the daemon knows of itself.
    package func beginDoctor() -> DoctorRound {
        let status = status()
        var findings: [Finding] = []
        for problem in core.peering.plan.problems + core.peering.plan.alarms {
            findings.append(Finding(.fault, problem))
        }
        for held in status.peersHeldDown {
            findings.append(
                Finding(.degraded, .peerHeldDown(peer: held.name, address: held.address, reason: held.reason)))
        }
        if status.peersConfigured == 0 {
            findings.append(Finding(.degraded, .noPeerConfigured))
        } else if status.peersEstablished < status.peersConfigured {
            findings.append(
                Finding(
                    status.peersEstablished == 0 ? .fault : .degraded,
                    .peersDown(
                        count: status.peersConfigured - status.peersEstablished, of: status.peersConfigured)))
        } else {
            findings.append(Finding(.fine, .allPeersEstablished(count: status.peersConfigured)))
        }
        var round = DoctorRound()
        round.add(findings)
        return round
    }
}
