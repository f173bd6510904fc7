import LinuxIO
import Logging
import NetTypes

/// Finds the neighbours of unnumbered peers: both ends of a link advertise themselves as routers, and each takes the other's link-local address
/// from it (SPEC, `interface`).
final class LinkNeighbors {
    /// A link as the kernel shows it now.
    struct Link: Hashable {
        var index: UInt32
        /// Up, with a carrier and a link-local address: without one nothing can be sent.
        var isReady: Bool
    }

    private struct Entry {
        var link: Link?
        var nextAdvertisement: Instant
        var sent = 0
        var sentAt: Instant?
        var neighbor: IPAddress?
        var heardAt = Instant.zero
        var hasToldOfOthers = false
    }

    /// Quick at first, then now and then (RFC 4861 section 6.2.4 has 16 s for the first ones at most).
    private static let firstInterval: Duration = .seconds(1)
    private static let interval: Duration = .seconds(10)
    private static let firstCount = 5
    /// MIN_DELAY_BETWEEN_RAS.
    private static let leastInterval: Duration = .seconds(3)
    /// Who advertises after a neighbour that was heard within this time does not take its place: three intervals and a bit.
    private static let lifetime: Duration = .seconds(35)

    private var socket: Box?
    private var entries: [String: Entry] = [:]
    private let logger: Logger
    /// Why no link can be watched; nil for no reason.
    private(set) var failure: String?

    private final class Box {
        let socket: RouterAdvertisementSocket
        init() throws(SystemError) { socket = try RouterAdvertisementSocket() }
    }

    init(logger: Logger) { self.logger = logger }

    var descriptor: Int32? { socket?.socket.fd }

    /// Interfaces with an unnumbered peer. Answers a descriptor to watch, the first time.
    func configure(_ names: Set<String>, now: Instant) -> Int32? {
        for name in entries.keys where !names.contains(name) { entries[name] = nil }
        for name in names where entries[name] == nil { entries[name] = Entry(link: nil, nextAdvertisement: now) }
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

    func neighbor(_ name: String) -> IPAddress? { entries[name]?.neighbor }

    var nextDeadline: Instant? { socket == nil ? nil : entries.values.map(\.nextAdvertisement).min() }

    /// Sends what is due. `link` answers what an interface is now. A link that went, or came back as another one, has no neighbour.
    func handleTimeouts(now: Instant, link: (String) -> Link?) {
        guard let socket else { return }
        for (name, entry) in entries where entry.nextAdvertisement <= now {
            let current = link(name)
            if current != entry.link {
                entries[name]?.link = current
                entries[name]?.sent = 0
                if current == nil || current?.index != entry.link?.index { entries[name]?.neighbor = nil }
            }
            guard let current, current.isReady else {
                entries[name]?.nextAdvertisement = now + .milliseconds(250)
                continue
            }
            socket.socket.listen(on: current.index)
            socket.socket.advertise(on: current.index)
            let sent = entries[name]?.sent ?? 0
            if sent == 0 { socket.socket.solicit(on: current.index) }
            entries[name]?.sent = sent + 1
            entries[name]?.sentAt = now
            entries[name]?.nextAdvertisement = now + (sent < LinkNeighbors.firstCount ? LinkNeighbors.firstInterval : LinkNeighbors.interval)
        }
    }

    /// Takes what came. Answers interfaces whose neighbour is new or another one.
    func read(now: Instant) -> [String] {
        guard let socket else { return [] }
        var changed: [String] = []
        for _ in 0..<64 {
            guard let message = socket.socket.receive() else { break }
            switch message {
            case .solicitation(let index):
                for (name, entry) in entries where entry.link?.index == index {
                    // RFC 4861 6.2.6: not more often, however many ask.
                    let soonest = entry.sentAt.map { max(now, $0 + LinkNeighbors.leastInterval) } ?? now
                    entries[name]?.nextAdvertisement = min(entry.nextAdvertisement, soonest)
                }
            case .advertisement(let index, let from):
                for (name, entry) in entries where entry.link?.index == index {
                    if entry.neighbor == from {
                        entries[name]?.heardAt = now
                        continue
                    }
                    if entry.neighbor != nil, now - entry.heardAt < LinkNeighbors.lifetime {
                        if !entry.hasToldOfOthers {
                            logger.warning(
                                "more than one router on the link of an unnumbered peer; the first one stays",
                                metadata: ["interface": "\(name)", "other": "\(from.unscoped)"])
                        }
                        entries[name]?.hasToldOfOthers = true
                        continue
                    }
                    entries[name]?.neighbor = from
                    entries[name]?.heardAt = now
                    // It may not have heard of us yet.
                    entries[name]?.nextAdvertisement = now
                    changed.append(name)
                    logger.info("neighbour on a link", metadata: ["interface": "\(name)", "address": "\(from.unscoped)"])
                }
            }
        }
        return changed
    }
}
