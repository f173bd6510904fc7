import FIB
import NetTypes
import Testing

/// In which order the tracker writes, and what it forgets.
@Suite struct WriteOrderTests {
    @Test
    func
        `many IPv4 prefixes are taken far from one another, each exactly once, and go as they came; few, and IPv6 prefixes, are taken in their order`()
    {
        func orders(_ count: Int, _ family: AddressFamily = .ipv4) -> (added: [Prefix], deleted: [Prefix]) {
            var tracker = DeltaTracker(seed: 7)
            tracker.releaseFound()
            let prefixes = (0..<count).map { number in
                family == .ipv4
                    ? Prefix(IPAddress(v4: 0x0A00_0000 + UInt32(number) * 64), length: 26)
                    : Prefix(IPAddress(high: 0xFD00 << 48, low: UInt64(number) * 64), length: 122)
            }
            func drain() -> [Prefix] {
                var all: [Prefix] = []
                while true {
                    let operations = tracker.plan(budget: 1000, now: at(0))
                    if operations.isEmpty { return all }
                    all += operations.map(\.prefix)
                    tracker.acknowledge(operations, [], now: at(0))
                }
            }
            for target in prefixes {
                tracker.setDesired(
                    target, FIBRoute(prefix: target, kind: .unicast, metric: 1024, nextHops: [hop("10.0.1.1")]))
            }
            let added = drain()
            for target in prefixes { tracker.setDesired(target, nil) }
            return (added, drain())
        }
        let many = orders(30000)
        for order in [many.added, many.deleted] {
            #expect(Set(order).count == 30000 && order.count == 30000)
            let neighbors = zip(order.prefix(10000), order.dropFirst()).count { $1.address.v4 == $0.address.v4 + 64 }
            #expect(neighbors < 100, "\(neighbors) of 10,000 follow their neighbor")
        }
        #expect(many.added.prefix(20000) == many.deleted.prefix(20000))
        for inOrder in [orders(2000), orders(30000, .ipv6)] {
            #expect(inOrder.added == inOrder.added.sorted() && inOrder.deleted == inOrder.deleted.sorted())
        }
    }

    @Test func `a pod's route does not wait for a full table, and is written once`() {
        var tracker = DeltaTracker(seed: 7)
        tracker.releaseFound()
        for index in 0..<30000 {
            let target = Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(index) * 64), length: 26)
            tracker.setDesired(
                target, FIBRoute(prefix: target, kind: .unicast, metric: 1024, nextHops: [hop("10.0.1.1")]))
        }
        var written: [Prefix: Int] = [:]
        func turn() -> FIBBatch {
            let operations = tracker.plan(budget: 1000, now: at(0))
            tracker.acknowledge(operations, [], now: at(0))
            for operation in operations { written[operation.prefix, default: 0] += 1 }
            return operations
        }
        _ = turn()
        let pod = prefix("10.65.1.7/32")
        tracker.setDesired(pod, route("10.65.1.7/32", hop(nil)), isUrgent: true)
        #expect(turn().contains { $0.prefix == pod })
        // Also where the whole queue fits into one turn.
        var small = DeltaTracker(seed: 7)
        for text in ["10.1.0.0/26", "10.2.0.0/26", "10.3.0.7/32"] {
            small.setDesired(prefix(text), route(text, hop("10.0.1.1")), isUrgent: true)
        }
        #expect(small.plan(budget: 1000, now: at(0)).count == 3)
        // Gone again before anybody looked: nothing is left of it.
        let brief = prefix("10.65.1.8/32")
        tracker.setDesired(brief, route("10.65.1.8/32", hop(nil)), isUrgent: true)
        tracker.setDesired(brief, nil, isUrgent: true)
        while !turn().isEmpty {}
        #expect(written.count == 30001 && written.values.allSatisfy { $0 == 1 })
        #expect(written[brief] == nil && tracker.dirtyCount == 0 && tracker.kernelCount == 30001)
    }

    @Test func `next hops that no route has any more are forgotten`() {
        let lab = Lab()
        let stays = route("10.65.9.0/26", hop("10.0.9.9"))
        lab.tracker.setDesired(prefix("10.65.9.0/26"), stays)
        for number in 0..<1_000 {
            lab.tracker.setDesired(
                prefix("10.65.0.0/26"), route("10.65.0.0/26", hop("10.0.\(number / 250).\(number % 250 + 1)")))
        }
        #expect(lab.tracker.attributesCount > 1_000)
        lab.run()
        #expect(lab.tracker.attributesCount < 20)
        #expect(
            lab.stateInKernel(prefix("10.65.9.0/26")) == stays
                && lab.stateInKernel(prefix("10.65.0.0/26")) == route("10.65.0.0/26", hop("10.0.3.250")))
    }
}
