package import ForwardingPlane
import LinuxIO
package import Logging
package import NetTypes

/// Finds the neighbors of unnumbered peers: both ends of a link advertise themselves as routers, and each takes the
/// other's link-local address from it (apus.resources(5), `interface`).
package final class LinkNeighbors {
    private struct Entry {
        var link: LinkState?
        var sent = 0
        var sentAt: Instant?
        var neighbor: IPAddress?
        var heardAt = Instant.zero
        var hasLoggedOthers = false
    }

    /// Quick at first, then now and then (RFC 4861 section 6.2.4 has 16 s for the first ones at most).
    private static let firstInterval: Duration = .seconds(1)
    private static let interval: Duration = .seconds(10)
    private static let firstCount = 5
    /// MIN_DELAY_BETWEEN_RAS.
    private static let leastInterval: Duration = .seconds(3)
    /// Who advertises after a neighbor that was heard within this time does not take its place: three intervals and a
    /// bit.
    private static let lifetime: Duration = .seconds(35)

    private var socket: Box?
    private var entries: [String: Entry] = [:]
    /// By interface: when to advertise, or to look at the link again.
    private var advertisements = Timers<String>()
    private let logger: Logger
    private var limiter = LogLimiter()
    /// Why no link can be watched; nil for no reason.
    private(set) var failure: String?

    private final class Box {
        let socket: RouterAdvertisementSocket
        init() throws(SystemError) { socket = try RouterAdvertisementSocket() }
    }

    package init(logger: Logger) { self.logger = logger }

    var descriptor: Int32? { socket?.socket.fd }

    /// Interfaces with an unnumbered peer. Returns a descriptor to watch, the first time.
    package func configure(_ names: Set<String>, now: Instant) -> Int32? {
        for name in entries.keys where !names.contains(name) {
            entries[name] = nil
            advertisements.remove(name)
        }
        for name in names where entries[name] == nil {
            entries[name] = Entry()
            advertisements.set(name, now)
        }
        guard !names.isEmpty, socket == nil else { return nil }
        do throws(SystemError) {
            socket = try Box()
            failure = nil
            return descriptor
        } catch {
            failure = "router advertisements cannot be sent: \(error)"
            logger.error("unnumbered peers cannot be found", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    package func neighbor(_ name: String) -> IPAddress? { entries[name]?.neighbor }

    package var nextDeadline: Instant? { socket == nil ? nil : advertisements.next }

    /// Sends what is due. `link` returns what an interface is now. A link that went, or came back as another one, has
    /// no neighbor: true where one was lost so.
    package func handleTimeouts(now: Instant, link: (String) -> LinkState?) -> Bool {
        guard let socket else { return false }
        var hasLost = false
        for name in advertisements.takeAllDue(now: now) {
            guard let entry = entries[name] else { continue }
            let current = link(name)
            if current != entry.link {
                entries[name]?.link = current
                entries[name]?.sent = 0
                if current == nil || current?.index != entry.link?.index {
                    hasLost = hasLost || entry.neighbor != nil
                    entries[name]?.neighbor = nil
                }
            }
            guard let current, current.isReady else {
                advertisements.set(name, now + .milliseconds(250))
                continue
            }
            socket.socket.listen(on: current.index)
            socket.socket.advertise(on: current.index)
            let sent = entries[name]?.sent ?? 0
            if sent == 0 { socket.socket.solicit(on: current.index) }
            entries[name]?.sent = sent + 1
            entries[name]?.sentAt = now
            advertisements.set(
                name, now + (sent < LinkNeighbors.firstCount ? LinkNeighbors.firstInterval : LinkNeighbors.interval))
        }
        return hasLost
    }

    /// Takes what came. Returns interfaces whose neighbor is new or another one.
    package func read(now: Instant) -> [String] {
        guard let socket else { return [] }
        var changed: [String] = []
        for _ in 0..<64 {
            guard let message = socket.socket.receive() else { break }
            switch message {
            case .solicitation(let index):
                for (name, entry) in entries where entry.link?.index == index {
                    // RFC 4861 6.2.6: not more often, however many ask.
                    let soonest = entry.sentAt.map { max(now, $0 + LinkNeighbors.leastInterval) } ?? now
                    advertisements.set(name, min(advertisements.deadline(of: name) ?? soonest, soonest))
                }
            case .advertisement(let index, let from):
                for (name, entry) in entries where entry.link?.index == index {
                    if entry.neighbor == from {
                        entries[name]?.heardAt = now
                        continue
                    }
                    if entry.neighbor != nil, now - entry.heardAt < LinkNeighbors.lifetime {
                        if !entry.hasLoggedOthers {
                            logger.warning(
                                "more than one router on the link of an unnumbered peer; the first one stays",
                                metadata: ["interface": "\(name)", "other": "\(from.unscoped)"])
                        }
                        entries[name]?.hasLoggedOthers = true
                        continue
                    }
                    entries[name]?.neighbor = from
                    entries[name]?.heardAt = now
                    // It may not have heard of us yet.
                    advertisements.set(name, now)
                    changed.append(name)
                    if limiter.admit(.range(name), .session, now: now) != nil {
                        logger.info(
                            "neighbor on a link", metadata: ["interface": "\(name)", "address": "\(from.unscoped)"])
                    }
                }
            }
        }
        return changed
    }
}
