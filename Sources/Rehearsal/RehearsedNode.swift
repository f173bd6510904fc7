package import BGPMessages
package import BGPRouting
import BGPSession
import BGPSpeaker
package import FIB
package import ForwardingPlane
package import Logging
package import NetTypes
import Node
package import Planning
package import Resources
import Status
package import StatusAPI

/// A host on which a rehearsed node runs: its forwarding plane, over a copy.
package struct RehearsalStage {
    let plane: any ForwardingPlane
    /// The host has something to say.
    let hasNews: () -> Bool
    /// What the node has written to the main table.
    let routes: () -> [FIBRoute]

    package init(
        plane: any ForwardingPlane, hasNews: @escaping () -> Bool = { false },
        routes: @escaping () -> [FIBRoute] = { [] }
    ) {
        self.plane = plane
        self.hasNews = hasNews
        self.routes = routes
    }
}

/// A whole node on a copy of the host, under simulated time, whose peers are played.
///
/// It is the code of the agent, and not a model of it: what it announces and writes is what the agent would.
package struct RehearsedNode {
    /// What the node came to.
    package struct Outcome: Sendable {
        package var peers: [PeeringDecision.Peer] = []
        /// In the order of the established sessions.
        package var announced: [[Prefix: PathAttributes]] = []
        /// Of each established session, routes that import refuses.
        package var refused: [[Prefix: ShadowReason]] = []
        /// In the main table of the copy.
        package var routes: [FIBRoute] = []
        /// What of the resources is not in force.
        package var problems: [FindingCause] = []
    }

    /// How long the node is given to come to rest: longer than anything that it waits for without a restart.
    private static let simulatedTime: Duration = .seconds(60)
    /// Turns at one moment, at most.
    private static let turnLimit = 10_000

    /// When simulated time begins.
    package static let start = Instant(nanoseconds: 1_000_000_000)

    /// `identity`: that of the process, which a change of the resources does not alter; nil: as the resources have it.
    /// Nil where the resources have no Node of the name with an address.
    package static func run(
        _ loaded: LoadedConfiguration, node name: String, isReflector: Bool = false,
        identity known: AttributeTable.Identity? = nil, on stage: RehearsalStage,
        beside peers: PlayedPeers, logger: Logger
    ) -> Outcome? {
        guard let identity = known ?? AttributeTable.Identity(loaded.resources, node: name) else { return nil }
        let context = PeeringDecision.Context(node: name, isReflector: isReflector, identity: identity)
        guard let decision = PeeringDecision(loaded, context, last: [], authenticationFailure: nil) else { return nil }
        let configuration = loaded.resources.configuration(of: name)
        var now = start
        let plane = stage.plane
        let speaker = Speaker(
            identity: identity, tracksNextHops: plane.tracksNextHops && (configuration.tracksNextHops ?? true),
            maximumPaths: configuration.maximumPaths ?? 16, recordsChanges: plane.programsRoutes,
            restart: RestartState(), seed: 1, now: now)
        let transport = RehearsalTransport(peers)
        let peering = Peering(node: name, isReflector: isReflector, identity: identity, first: loaded, logger: logger)
        let core = NodeCore(
            speaker: speaker, plane: plane, peering: peering, transport: transport, logger: logger, now: now)
        core.apply(ResourceChange(whole: loaded))
        let end = now + simulatedTime
        while now <= end {
            settle(core, transport: transport, stage: stage, now: now)
            let next = core.nextDeadline.map { max($0, now + .milliseconds(1)) } ?? end
            now = min(next, now + .seconds(1))
        }
        var outcome = Outcome()
        outcome.peers = decision.peers
        outcome.problems = decision.alarms + core.peering.plan.problems
        outcome.announced = transport.counterparts.map(\.announced)
        outcome.refused = transport.counterparts.map { refused($0, core) }
        outcome.routes = stage.routes()
        return outcome
    }

    /// Everything that can happen at one moment.
    private static func settle(_ core: NodeCore, transport: RehearsalTransport, stage: RehearsalStage, now: Instant) {
        for _ in 0..<turnLimit {
            core.now = now
            core.hasMoreWork = false
            var isBusy = transport.deliver(to: core)
            core.plane.read(&core.speaker)
            core.handleTimeouts()
            core.carryOutActions()
            core.decide()
            core.export()
            core.carryOutActions()
            core.reconcile()
            core.removeEndedPeers()
            core.carryOutActions()
            core.beginWaitingConnects()
            isBusy = isBusy || core.hasMoreWork || core.speaker.hasWork(now: now) || stage.hasNews()
            if !isBusy { return }
        }
    }

    private static func refused(_ counterpart: Counterpart, _ core: NodeCore) -> [Prefix: ShadowReason] {
        var result: [Prefix: ShadowReason] = [:]
        for prefix in counterpart.prefixes {
            guard let index = core.speaker.find(prefix) else { continue }
            for path in core.speaker.explainedPaths(index, prefix.family) {
                guard let reason = path.ineligible,
                    core.speaker.settings(path.path.peer)?.address.unscoped == counterpart.session.address
                else { continue }
                result[prefix] = .refused(reason: PathIneligibility(reason), rule: path.importRule)
            }
        }
        return result
    }
}
