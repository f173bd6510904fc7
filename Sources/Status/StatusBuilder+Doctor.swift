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
            findings.append(Finding(.fault, "resources", text: problem))
        }
        for held in status.peersHeldDown {
            findings.append(
                Finding(.warning, "peers", text: "\(held.name) \(held.address) is kept down: \(held.reason)"))
        }
        if status.peersConfigured == 0 {
            findings.append(Finding(.warning, "peers", text: "none is configured: no route comes or goes"))
        } else if status.peersEstablished < status.peersConfigured {
            findings.append(
                Finding(
                    status.peersEstablished == 0 ? .fault : .warning, "peers",
                    text: "\(status.peersConfigured - status.peersEstablished) of \(status.peersConfigured) are not "
                        + "established; apusctl peers says why"
                ))
        } else {
            findings.append(Finding(.fine, "peers", text: "all \(status.peersConfigured) are established"))
        }
        var round = DoctorRound()
        round.add(findings)
        return round
    }
}
