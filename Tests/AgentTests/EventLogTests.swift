import Logging
import StatusAPI
import Testing

@testable import Node

/// The log of `apusctl events` is bounded, and whoever follows it misses nothing that is still there.
@Suite struct EventLogTests {
    @Test func `events come once, in order, in pages`() {
        var log = EventLog()
        #expect(log.page(from: 0, limit: 10).events.isEmpty)
        for number in 0..<25 { log.add(.notice, "event \(number)", fields: ["n": "\(number)"]) }
        var seen: [Int] = []
        var start: Int? = 0
        while let from = start {
            let page = log.page(from: from, limit: 10)
            seen += page.events.map(\.id)
            start = page.next
        }
        #expect(seen == Array(0..<25))
        #expect(log.page(from: 25, limit: 10).events.isEmpty && log.page(from: .max, limit: 10).events.isEmpty)
        log.add(.warning, "one more", fields: [:])
        #expect(log.page(from: 25, limit: 10).events.map(\.message) == ["one more"])
    }

    @Test func `the oldest go first, and long texts are cut`() {
        var log = EventLog()
        for number in 0..<(EventLog.capacity + 100) { log.add(.error, "\(number)", fields: [:]) }
        let page = log.page(from: 0, limit: EventLog.capacity)
        #expect(page.events.first?.id == 100 && page.events.count == EventLog.capacity && page.next == nil)
        #expect(page.events.allSatisfy { $0.message == "\($0.id)" })
        log.add(.error, "long", fields: ["text": "\(String(repeating: "x", count: 100_000))"])
        #expect(log.page(from: EventLog.capacity + 100, limit: 1).events.first?.fields["text"]?.count == 512)
    }

    @Test func `what the log says at debug and info is no event`() {
        var log = EventLog()
        log.add(.debug, "a", fields: [:])
        log.add(.info, "b", fields: [:])
        #expect(log.page(from: 0, limit: 10).events.isEmpty)
    }
}
