import NetTypes
import Testing

@testable import Dataplane

@Suite struct DryRunLogTests {
    @Test func `of a full table the first ten are written one by one, and the rest is counted`() throws {
        var log = DryRunLog()
        var now = Instant(nanoseconds: 0)
        #expect(log.nextDeadline == nil)
        var lines = 0
        for _ in 0..<500_000 { if log.admit(now: now) { lines += 1 } }
        now = now + .milliseconds(900)
        #expect(log.sum(now: now) == nil)
        if log.admit(now: now) { lines += 1 }
        #expect(lines == 10)
        now = try #require(log.nextDeadline)
        #expect(log.sum(now: now) == 499_991)
        // The next burst begins anew.
        #expect(log.nextDeadline == nil && log.admit(now: now))
        #expect(log.sum(now: now + .seconds(1)) == nil)
    }

    @Test func `changes that never end are summed up too`() {
        var log = DryRunLog()
        var sums: [Int] = []
        for second in 0..<700 {
            let now = Instant(nanoseconds: 0) + .milliseconds(100 * second)
            _ = log.admit(now: now)
            if let more = log.sum(now: now) { sums.append(more) }
        }
        #expect(sums.count == 2 && sums.allSatisfy { $0 > 200 }, "\(sums)")
    }
}
