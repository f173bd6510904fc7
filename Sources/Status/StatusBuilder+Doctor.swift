package import ForwardingPlane
import Node
import Planning
import Resources
package import StatusAPI

extension StatusBuilder {
    /// The beginning of an examination, to be gone on with by `ForwardingPlane.examine`.
    package func beginExamination() -> DoctorRound {
        var round = DoctorRound()
        round.checks.append { [resources = core.peering.loaded.resources, node = core.peering.node] in
            Duplicates.find(resources, node: node).map { Finding(.fault, $0) }
        }
        return round
    }

    /// What is found now: the log, and whoever asks later, knows of it.
    @discardableResult
    package func health() -> [Finding] { status().findings }

    /// `apusctl doctor`, once an examination is over: every finding of status, and what was looked at and is well.
    package func doctor() -> [Finding] {
        let status = status()
        var fine = core.health.examination.filter { $0.severity == .fine }
        if status.peersConfigured > 0, status.peersEstablished == status.peersConfigured {
            fine.insert(Finding(.fine, .allPeersEstablished(count: status.peersConfigured)), at: 0)
        }
        if status.programsRoutes, status.routesMissing == 0 {
            fine.append(Finding(.fine, .allRoutesInKernel(count: status.routesWanted)))
        }
        return status.findings + fine
    }
}
