package import FIB
package import NetTypes
import Planning

/// What another programmer left behind, where it is to be taken over (`--take-over`). A route of its that stands where
/// ours is wanted is replaced in one step (`DeltaTracker.plan`); the rest goes when the restart is over, since until
/// then a peer may still announce the same prefix.
extension Forwarder {
    /// Between two looks at what is left, while our own route of a prefix is being written.
    private static let takeOverPause = Duration.seconds(1)

    /// Whose route it is, where it may be taken over: one that a dump shows, or a notification of what a dump has
    /// shown. Another one is written by somebody who lives, and is not fought.
    func predecessor(of route: ForeignRoute) -> Predecessor? {
        guard !settings.takeOver.predecessors.isEmpty, !restart.isTakenOver else { return nil }
        guard delta.isDumping else {
            guard var known = delta.foreign.find(route.prefix, metric: route.metric) else { return nil }
            let predecessor = known.predecessor
            known.predecessor = nil
            return known == route ? predecessor : nil
        }
        return settings.takeOver.predecessor(of: route) { index in isPodInterface(index) }
    }

    private func isPodInterface(_ index: InterfaceIndex) -> Bool {
        guard let name = interfaces[index]?.name else { return false }
        // Before the first resources are read, Calico's own prefix.
        let prefixes = state.interfacePrefixes.isEmpty ? ["cali"] : state.interfacePrefixes
        return prefixes.contains(where: name.hasPrefix)
    }

    /// The next routes of predecessors to remove, at most `most`. Host routes of live pods that no endpoint names stay,
    /// foreign from now on (`docs/decisions/0013-live-pods-without-endpoints.md`).
    package mutating func takeLeftBehind(most: Int, now: Instant) -> [ForeignRoute] {
        if restart.leftBehind.isEmpty, let check = restart.takeOverCheck, check <= now {
            restart.takeOverCheck = now + Forwarder.takeOverPause
            var kept = 0
            for route in delta.removableOfPredecessors() {
                let isLivePod =
                    route.prefix.isHost && delta.desired(route.prefix) == nil
                    && route.nextHops.contains {
                        isPodInterface($0.interface) && interfaces[$0.interface]?.isUp ?? false
                    }
                if isLivePod {
                    delta.leave(route)
                    kept += 1
                } else {
                    restart.leftBehind.append(route)
                }
            }
            if !restart.leftBehind.isEmpty || kept > 0 {
                reports.append(.leftBehindRemoved(restart.leftBehind.count, keptPods: kept))
            }
        }
        let count = min(most, restart.leftBehind.count)
        let result = Array(restart.leftBehind.suffix(count))
        restart.leftBehind.removeLast(count)
        if restart.leftBehind.isEmpty, result.isEmpty, restart.takeOverCheck != nil, delta.foreign.takeableCount == 0 {
            restart.takeOverCheck = nil
            restart.isTakenOver = true
        }
        return result
    }

    /// What came of removing a route: 0, or an errno; then it stays, foreign.
    package mutating func leftBehindRemoved(_ route: ForeignRoute, code: Int32) {
        if code == 0 { absorb(.foreignRouteRemoved(route)) } else { delta.leave(route) }
    }

    /// More is to be removed at once.
    package var hasLeftBehind: Bool { !restart.leftBehind.isEmpty }
}
