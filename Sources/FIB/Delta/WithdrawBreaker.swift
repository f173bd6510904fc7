package import NetTypes

/// Keeps the kernel's routes when nearly all of them are withdrawn at once though their next hops are alive: a control
/// plane that lost its head must not take the pods' traffic with it (docs/promises.md, promise 2).
///
/// ```
///   armed ──more than the share gone within the window──> tripped: what went in the window is put back, what goes from
///   now on is kept
///     ^                                                      │
///     └──────────── released, or all kept routes are announced again ──┘
/// ```
package struct WithdrawBreaker: Sendable {
    /// What of the routes may go within the window, in percent; 0: no limit.
    package var percent = 50
    /// Fewer than this may always go.
    package var minimum = 20
    package static let window = Duration.seconds(10)

    /// Routes withdrawn within the last `window`.
    private var recent = RecentWithdrawals()
    /// Routes that are kept though nobody announces them.
    package private(set) var held: [Prefix: FIBRoute] = [:]
    package private(set) var isTripped = false

    package init() {}

    /// Routes that BGP withdrew while their next hops are alive. `remaining`: how many of their kind are still there.
    /// Returns those to keep, those of earlier calls included.
    package mutating func withdrawn(_ routes: [FIBRoute], remaining: @autoclosure () -> Int, now: Instant) -> [FIBRoute]
    {
        guard percent > 0, !routes.isEmpty else { return [] }
        if isTripped {
            for route in routes { held[route.prefix] = route }
            return routes
        }
        recent.expire(before: now + (.zero - WithdrawBreaker.window))
        for route in routes { recent.append(route, at: now) }
        guard recent.count >= minimum, recent.count * 100 > percent * (remaining() + recent.count) else { return [] }
        isTripped = true
        recent.visit { held[$0.prefix] = $0 }
        recent = RecentWithdrawals()
        return held.values.sorted { $0.prefix < $1.prefix }
    }

    /// Forgets what was withdrawn longer ago than `window`.
    package mutating func expire(now: Instant) { recent.expire(before: now + (.zero - WithdrawBreaker.window)) }

    /// A prefix is announced again, or somebody else's by now: nothing of it is kept.
    package mutating func forget(_ prefix: Prefix) {
        recent.remove(prefix)
        guard isTripped, held.removeValue(forKey: prefix) != nil else { return }
        rearm()
    }

    /// Lets kept routes go, all of them or those that a predicate names. Returns their prefixes.
    package mutating func release(where isReleased: (FIBRoute) -> Bool = { _ in true }) -> [Prefix] {
        let gone = held.values.filter(isReleased).map(\.prefix).sorted()
        for prefix in gone { held[prefix] = nil }
        if !gone.isEmpty { rearm() }
        return gone
    }

    private mutating func rearm() {
        guard held.isEmpty else { return }
        isTripped = false
        recent = RecentWithdrawals()
    }
}

/// Withdrawals in the order of time, each found by its prefix: a full table that goes and comes costs the same per
/// route, whatever its size.
private struct RecentWithdrawals: Sendable {
    private var entries: [(route: FIBRoute, at: Instant, isIn: Bool)] = []
    /// Entries before it have expired.
    private var head = 0
    /// Entries that were dropped from the front of `entries`: positions are counted from the first one ever.
    private var dropped = 0
    /// Position of the last entry of a prefix.
    private var positions: [Prefix: Int] = [:]

    var count: Int { positions.count }

    mutating func append(_ route: FIBRoute, at now: Instant) {
        remove(route.prefix)
        positions[route.prefix] = dropped + entries.count
        entries.append((route, now, true))
    }

    mutating func remove(_ prefix: Prefix) {
        if let position = positions.removeValue(forKey: prefix) { entries[position - dropped].isIn = false }
    }

    /// Drops what was withdrawn at `limit` or before.
    mutating func expire(before limit: Instant) {
        while head < entries.count, entries[head].at <= limit {
            if entries[head].isIn { positions[entries[head].route.prefix] = nil }
            head += 1
        }
        if head == entries.count {
            self = RecentWithdrawals()
        } else if head > 1024, head > entries.count / 2 {
            entries.removeFirst(head)
            dropped += head
            head = 0
        }
    }

    func visit(_ body: (FIBRoute) -> Void) { for entry in entries[head...] where entry.isIn { body(entry.route) } }
}
