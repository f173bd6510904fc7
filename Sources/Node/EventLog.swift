import LinuxIO
import Logging
package import StatusAPI

/// What the log said last, at notice and above, for `apusctl events`: bounded, the oldest goes first.
package struct EventLog {
    /// Events that are kept.
    package static let capacity = 1024
    /// Characters of a field that are kept: a peer's text may be long.
    private static let longestField = 512

    private var ring: [EventStatus] = []
    /// The number of the next event; numbers start at 0 and never come again.
    private var nextID = 0

    package init() {}

    mutating func add(_ level: Logger.Level, _ message: Logger.Message, fields: Logger.Metadata) {
        guard level >= .notice else { return }
        let event = EventStatus(
            id: nextID, at: wallClockSeconds(), level: level.rawValue, message: "\(message)",
            fields: fields.mapValues { String("\($0)".prefix(EventLog.longestField)) })
        if ring.count < EventLog.capacity {
            ring.append(event)
        } else {
            ring[nextID % EventLog.capacity] = event
        }
        nextID += 1
    }

    /// Events from a number on, the oldest first; those before the oldest that is kept are gone. `next` is nil where
    /// nothing follows.
    package func page(from start: Int, limit: Int) -> (events: [EventStatus], next: Int?) {
        let oldest = max(0, nextID - EventLog.capacity)
        let first = min(max(start, oldest), nextID)
        let end = min(nextID, first + limit)
        return ((first..<end).map { ring[$0 % EventLog.capacity] }, end < nextID ? end : nil)
    }
}
