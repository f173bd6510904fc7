import NetTypes
import Testing

@Suite struct TimersTests {
    private func at(_ value: Int64) -> Instant { Instant(nanoseconds: value) }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `in whatever order deadlines are set, changed and taken away, the earliest is next and each is due once`(
        seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        var timers = Timers<Int>()
        var model: [Int: Int64] = [:]
        for _ in 0..<2000 {
            let key = Int(random.next() % 100)
            switch random.next() % 4 {
            case 0, 1:
                let deadline = Int64(random.next() % 1000)
                timers.set(key, at(deadline))
                model[key] = deadline
            case 2:
                timers.set(key, nil)
                model[key] = nil
            default:
                let now = Int64(random.next() % 200)
                let due = timers.takeAllDue(now: at(now))
                #expect(due.map { model[$0] ?? -1 } == model.values.filter { $0 <= now }.sorted(), "seed \(seed)")
                #expect(Set(due).count == due.count)
                for key in due { model[key] = nil }
            }
            #expect(timers.count == model.count)
            #expect(timers.next == model.values.min().map { at($0) })
            #expect(timers.deadline(of: key) == model[key].map { at($0) })
        }
    }

    @Test func `what is set again while the due ones are taken waits for the next call`() {
        var timers = Timers<String>()
        timers.set("a", at(1))
        timers.set("b", at(2))
        for key in timers.takeAllDue(now: at(5)) { timers.set(key, at(0)) }
        #expect(timers.count == 2 && timers.next == at(0))
    }

    @Test func `a budget leaves the later ones for the next call`() {
        var timers = Timers<Int>()
        for key in 0..<10 { timers.set(key, at(Int64(10 - key))) }
        #expect(timers.takeAllDue(now: at(100), budget: 3) == [9, 8, 7])
        #expect(timers.next == at(4))
        #expect(timers.takeAllDue(now: at(5)) == [6, 5])
        #expect(!timers.isEmpty && timers.takeDue(now: at(5)) == nil)
    }
}
