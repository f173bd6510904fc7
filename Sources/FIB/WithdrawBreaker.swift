package import NetTypes

/// Keeps the kernel's routes when nearly all of them are withdrawn at once though their next hops are alive: a control plane that lost its head
/// must not take the pods' traffic with it (SPEC, promise 2).
///
/// ```
///   armed ──more than the share gone within the window──> tripped: what went in the window is put back, what goes from now on is kept
///     ^                                                      │
///     └──────────── released, or all kept routes are announced again ──┘
/// ```
package struct WithdrawBreaker: Sendable {
    /// What of the routes may go within the window, in percent; 0: no limit.
    package var percent = 50
    /// Fewer than this may always go.
    package var minimum = 20
    package static let window = Duration.seconds(10)

    private var recent: [(prefix: Prefix, route: FIBRoute, at: Instant)] = []
    /// Routes that are kept though nobody announces them.
    package private(set) var held: [Prefix: FIBRoute] = [:]
    package private(set) var isTripped = false
    package private(set) var trippedAt: Instant?

    package init() {}

    /// Routes that BGP withdrew while their next hops are alive. `remaining`: how many of their kind are still there.
    /// Answers those to keep, those of earlier calls included.
    package mutating func withdrawn(_ routes: [FIBRoute], remaining: @autoclosure () -> Int, now: Instant) -> [FIBRoute] {
        guard percent > 0, !routes.isEmpty else { return [] }
        if isTripped {
            for route in routes { held[route.prefix] = route }
            return routes
        }
        recent.removeAll { $0.at + WithdrawBreaker.window <= now }
        recent += routes.map { ($0.prefix, $0, now) }
        guard recent.count >= minimum, recent.count * 100 > percent * (remaining() + recent.count) else { return [] }
        isTripped = true
        trippedAt = now
        for entry in recent { held[entry.prefix] = entry.route }
        recent = []
        return held.values.sorted { $0.prefix < $1.prefix }
    }

    /// A prefix is announced again, or somebody else's by now: nothing of it is kept.
    package mutating func forget(_ prefix: Prefix) {
        if !recent.isEmpty { recent.removeAll { $0.prefix == prefix } }
        guard isTripped, held.removeValue(forKey: prefix) != nil else { return }
        rearm()
    }

    /// Lets kept routes go, all of them or those that a predicate names. Answers their prefixes.
    package mutating func release(where isReleased: (FIBRoute) -> Bool = { _ in true }) -> [Prefix] {
        let gone = held.values.filter(isReleased).map(\.prefix).sorted()
        for prefix in gone { held[prefix] = nil }
        if !gone.isEmpty { rearm() }
        return gone
    }

    private mutating func rearm() {
        guard held.isEmpty else { return }
        isTripped = false
        trippedAt = nil
        recent = []
    }
}
