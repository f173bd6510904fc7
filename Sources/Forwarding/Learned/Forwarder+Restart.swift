package import BGPRouting
import FIB
package import NetTypes
import Planning

/// The cleanup after a restart: when it is looked at, and whom routes wait for.
struct RestartCleanup {
    /// When routes that were found at the start and that nobody wants go at the latest; nil once they are gone.
    var deadline: Instant?
    /// When it is looked at again whom they wait for; nil once the restart is over.
    var check: Instant?
    /// Whom they waited for at the last look.
    var wait = RestartWait()
    /// What of the predecessors is left to be removed, the last first; looked for when the restart is over.
    var leftBehind: [ForeignRoute] = []
    /// When what predecessors left is looked for again; nil before the restart is over, and once nothing is left.
    var takeOverCheck: Instant?
    /// Nothing of predecessors is left: what comes from now on is foreign.
    var isTakenOver = false
    init(deadline: Instant) { self.deadline = deadline }
}

/// The end of a restart: routes that the kernel had before this process, and that nobody wants, go when no peer can
/// want them any more.
extension Forwarder {
    /// Between two looks, and where looking costs something because many members of the mesh are missing.
    private static let checkPause = Duration.milliseconds(250)
    private static let longCheckPause = Duration.seconds(2)
    private static let manyGateways = 200

    /// Releases what need not wait any more: of a family whose peers have all sent what they have, of members of the
    /// mesh that are there, and at the deadline everything. What was learned or written since the start does not wait
    /// for this at all.
    /// Returns true once, when the restart is over.
    package mutating func cleanUpAfterRestart<View: RouteView & ~Copyable>(
        _ routes: borrowing View, isStarting: Bool, now: Instant
    ) -> Bool {
        guard let deadline = restart.deadline else { return false }
        if let check = restart.check, now < check, now < deadline { return false }
        restart.check = now + Forwarder.checkPause
        let isDue = now >= deadline
        // What BGP has and has not decided yet is not wanted yet.
        guard isDue || !isStarting && routes.isDecided else { return false }
        let wait = isDue ? RestartWait([.nobody, .nobody]) : restartWait(routes, now)
        if wait.gatewayCount > Forwarder.manyGateways { restart.check = now + Forwarder.longCheckPause }
        if wait != restart.wait {
            restart.wait = wait
            release(wait, now)
        }
        guard wait.isOver else { return false }
        restart.deadline = nil
        restart.check = nil
        restart.takeOverCheck = now
        tunnels.allowRemoval()
        reports.append(.restartIsOver(isComplete: !isDue))
        return true
    }

    private mutating func release(_ wait: RestartWait, _ now: Instant) {
        adoptPods(wait)
        keepUnwanted(wait, now)
        let count = delta.releaseFound(where: wait.mayGo)
        if count > 0 { reports.append(.foundRoutesRemoved(count, waiting: delta.waitingCount)) }
    }

    /// Whose tables are missing.
    private func restartWait<View: RouteView & ~Copyable>(_ routes: borrowing View, _ now: Instant) -> RestartWait {
        var missing: [RestartWait.Missing] = [.nobody, .nobody]
        for peer in routes.peerIndices {
            for family in AddressFamily.allCases
            where missing[family.index] != .anybody && !routes.isSynchronized(peer, family, now: now) {
                guard let address = routes.address(of: peer)?.address, routes.announcesOnlyItself(peer) else {
                    missing[family.index] = .anybody
                    continue
                }
                var gateways: Set<IPAddress> = []
                if case .members(let known) = missing[family.index] { gateways = known }
                // The Node's address of the family is the next hop of its routes, whatever the session runs over.
                for address in state.addresses(ofNodeWith: address) {
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
        result.formUnion(
            nextHops.resolve(nextHop, interfaces: interfaces, routes: delta.foreign).nextHops.compactMap(\.gateway))
        for ends in tunnels.encapsulation.endpoints.values { if let end = ends[nextHop] { result.insert(end.gateway) } }
        return result
    }
}
