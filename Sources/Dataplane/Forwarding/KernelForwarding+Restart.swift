import BGPRouting
import BGPSpeaker
import FIB
import Logging
import NetTypes
import Planning

/// The end of a restart: routes that the kernel had before this process, and that nobody wants, go when no peer can
/// want them any more.
extension KernelForwarding {
    /// Between two looks, and where looking costs something because many members of the mesh are missing.
    private static let checkPause = Duration.milliseconds(250)
    private static let longCheckPause = Duration.seconds(2)
    private static let manyGateways = 200

    /// Releases what need not wait any more: of a family whose peers have all told what they have, of members of the
    /// mesh that are there, and at the deadline everything. What was learned or written since the start does not wait
    /// for this at all.
    func cleanUpAfterRestart(_ speaker: inout Speaker, _ now: Instant) {
        guard let deadline = restartDeadline else { return }
        if let check = restartCheck, now < check, now < deadline { return }
        restartCheck = now + KernelForwarding.checkPause
        let isDue = now >= deadline
        // What BGP has and has not decided yet is not wanted yet.
        guard isDue || !isStarting && speaker.isDecided else { return }
        let wait = isDue ? RestartWait([.nobody, .nobody]) : restartWait(speaker, now)
        if wait.gatewayCount > KernelForwarding.manyGateways { restartCheck = now + KernelForwarding.longCheckPause }
        if wait != restartWait {
            restartWait = wait
            release(wait, now)
        }
        guard wait.isOver else { return }
        restartDeadline = nil
        restartCheck = nil
        speaker.endRestart()
        tunnels.allowRemoval()
        logger.info(
            "restart is over: routes that nobody wants any more are removed", metadata: ["complete": "\(!isDue)"])
    }

    private func release(_ wait: RestartWait, _ now: Instant) {
        adoptPods(wait)
        keepUnwanted(wait, now)
        let count = delta.releaseFound(where: wait.mayGo)
        if count > 0 {
            logger.info(
                "routes of an earlier process that nobody wants are removed",
                metadata: ["routes": "\(count)", "waiting": "\(delta.waitingCount)"])
        }
    }

    /// Whose tables are missing.
    private func restartWait(_ speaker: borrowing Speaker, _ now: Instant) -> RestartWait {
        var missing: [RestartWait.Missing] = [.nobody, .nobody]
        for peer in speaker.peerIndices {
            for family in AddressFamily.allCases
            where missing[family.index] != .anybody && !speaker.isSynchronized(peer, family, now: now) {
                guard let settings = speaker.settings(peer), settings.announcesOnlyItself else {
                    missing[family.index] = .anybody
                    continue
                }
                var gateways: Set<IPAddress> = []
                if case .members(let known) = missing[family.index] { gateways = known }
                // The Node's address of the family is the next hop of its routes, whatever the session runs over.
                for address in state.addresses(ofNodeWith: settings.address) {
                    gateways.formUnion(self.gateways(to: address))
                }
                missing[family.index] = .members(gateways)
            }
        }
        return RestartWait(missing)
    }

    /// The gateways by which routes with a next hop leave: as it resolves, itself, and through tunnels.
    private func gateways(to nextHop: IPAddress) -> Set<IPAddress> {
        var result: Set<IPAddress> = [nextHop]
        result.formUnion(nextHops.resolve(nextHop, interfaces, delta.foreign).nextHops.compactMap(\.gateway))
        for ends in tunnels.encapsulation.endpoints.values { if let end = ends[nextHop] { result.insert(end.gateway) } }
        return result
    }
}
