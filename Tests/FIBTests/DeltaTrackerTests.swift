import FIB
import NetTypes
import Testing

func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
func prefix(_ text: String) -> Prefix { Prefix(text) ?? .default(.ipv4) }
func hop(_ gateway: String?, _ interface: Int32 = 2) -> FIBNextHop {
    FIBNextHop(
        gateway: gateway.flatMap { IPAddress($0) }, interface: InterfaceIndex(rawValue: interface),
        isOnlink: gateway != nil)
}
func route(_ text: String, _ hops: FIBNextHop..., metric: UInt32 = 1024) -> FIBRoute {
    FIBRoute(prefix: prefix(text), kind: hops.isEmpty ? .blackhole : .unicast, metric: metric, nextHops: hops)
}

/// A tracker over a kernel in memory.
final class Lab {
    var tracker = DeltaTracker(seed: 1, fewAttributes: 8)
    var kernel = MemoryKernel()
    var now = 0.0

    init(dump: Bool = true) { if dump { load() } }

    func load() {
        tracker.beginDump()
        for route in kernel.own.values { tracker.kernelHas(route) }
        for route in kernel.foreign.values { tracker.foreignAdded(route) }
        tracker.endDump()
    }

    func isInstalled(_ prefix: Prefix) -> Bool { tracker.isInstalled(prefix) }
    func skipReason(_ prefix: Prefix) -> FIBSkipReason? { tracker.skipReason(prefix) }
    func stateInKernel(_ prefix: Prefix) -> FIBRoute? { tracker.kernel(prefix) }
    var kernelCount: Int { tracker.kernelCount }
    var desiredCount: Int { tracker.desiredCount }
    var repairCount: Int { tracker.repairCount }
    var failureCount: Int { tracker.failureCount }
    var dirtyCount: Int { tracker.dirtyCount }

    /// Plans and applies until nothing is left, or the turns are used up. Answers the operations.
    @discardableResult
    func run(turns: Int = 50, step: Double = 0) -> [FIBOperation] {
        var all: [FIBOperation] = []
        for _ in 0..<turns {
            now += step
            let operations = tracker.plan(budget: 3, now: at(now))
            if operations.isEmpty && tracker.dirtyCount == 0 && step == 0 { break }
            let failed = kernel.apply(operations)
            tracker.acknowledge(operations, failed, now: at(now))
            all += operations
        }
        return all
    }
}

@Suite struct DeltaTrackerTests {
    @Test func `what is wanted is written, replaced and removed`() {
        let lab = Lab()
        lab.tracker.releaseFound()
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26", hop("10.0.1.1")))
        #expect(!lab.isInstalled(prefix("10.0.0.0/26")))
        lab.run()
        #expect(lab.isInstalled(prefix("10.0.0.0/26")))
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26", hop("10.0.1.2")))
        #expect(lab.run() == [.replace(route("10.0.0.0/26", hop("10.0.1.2")))])
        lab.tracker.setDesired(prefix("10.0.0.0/26"), nil)
        lab.run()
        #expect(lab.kernel.own.isEmpty)
        #expect(lab.kernelCount == 0 && lab.desiredCount == 0)
    }

    @Test func `a restarted process adopts what is there and writes nothing`() {
        let lab = Lab(dump: false)
        lab.kernel.preset(route("10.0.0.0/26", hop("10.0.1.1")))
        lab.kernel.preset(route("10.0.1.0/26"))
        lab.load()
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26", hop("10.0.1.1")))
        lab.tracker.setDesired(prefix("10.0.1.0/26"), route("10.0.1.0/26"))
        #expect(lab.run().isEmpty)
        #expect(lab.isInstalled(prefix("10.0.0.0/26")))
    }

    @Test func `nothing is deleted before the picture is whole, and then only what nobody wants`() {
        let lab = Lab(dump: false)
        lab.kernel.preset(route("10.0.0.0/26", hop("10.0.1.1")))
        lab.kernel.preset(route("10.0.1.0/26", hop("10.0.1.1")))
        lab.load()
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26", hop("10.0.1.1")))
        #expect(lab.run().isEmpty)
        lab.tracker.releaseFound()
        #expect(lab.run() == [.delete(prefix("10.0.1.0/26"), metric: 1024)])
    }

    @Test func `what others remove or alter is put back and counted`() {
        let lab = Lab()
        lab.tracker.releaseFound()
        let wanted = route("10.0.0.0/26", hop("10.0.1.1"))
        lab.tracker.setDesired(wanted.prefix, wanted)
        lab.run()
        lab.kernel.removeBehindOurBack(wanted.prefix, metric: 1024)
        lab.tracker.kernelLost(wanted.prefix, metric: 1024)
        #expect(lab.run() == [.add(wanted)])
        lab.tracker.kernelHas(route("10.0.0.0/26", hop("10.9.9.9")))
        #expect(lab.run() == [.replace(wanted)])
        #expect(lab.repairCount == 2)
        // A dump that does not mention it says the same.
        lab.kernel.removeBehindOurBack(wanted.prefix, metric: 1024)
        lab.load()
        #expect(lab.run() == [.add(wanted)])
        #expect(lab.repairCount == 3)
    }

    @Test func `a foreign route in the attributes is reported and not fought, and its place is taken when it goes`() {
        let lab = Lab(dump: false)
        let foreign = ForeignRoute(
            prefix: prefix("10.0.0.0/26"), metric: 1024, routeProtocol: 4, nextHops: [hop("10.0.1.9")])
        lab.kernel.foreign[.init(prefix: foreign.prefix, metric: 1024)] = foreign
        lab.load()
        lab.tracker.releaseFound()
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26", hop("10.0.1.1")))
        lab.run(turns: 20, step: 10)
        #expect(lab.kernel.foreign.count == 1)
        #expect(lab.skipReason(prefix("10.0.0.0/26")) == .foreignRoute(routeProtocol: 4))
        lab.kernel.foreign = [:]
        lab.tracker.foreignRemoved(foreign)
        lab.run()
        #expect(lab.isInstalled(prefix("10.0.0.0/26")))
        lab.tracker.setDesired(prefix("10.0.0.0/26"), nil)
        lab.run()
        #expect(lab.kernel.own.isEmpty)
    }

    @Test func `of two deletions of a prefix the one that succeeds does not hide the one that fails`() {
        let lab = Lab()
        lab.kernel.preset(route("10.0.0.7/32", hop(nil)))
        lab.kernel.preset(route("10.0.0.7/32", hop(nil), metric: 512))
        lab.load()
        lab.kernel.inject = { (operation: FIBOperation) -> Int32? in
            if case .delete(_, 1024, _) = operation { return KernelError.busy }
            return nil
        }
        lab.tracker.releaseFound()
        lab.run()
        #expect(lab.kernel.own.count == 1 && lab.failureCount == 1)
        #expect(lab.skipReason(prefix("10.0.0.7/32")) == .kernelError(KernelError.busy))
        lab.kernel.inject = nil
        lab.run(step: 1)
        #expect(lab.kernel.own.isEmpty && lab.failureCount == 0)
    }

    @Test func `another metric is written before the old one goes`() {
        let lab = Lab()
        lab.tracker.releaseFound()
        lab.tracker.setDesired(prefix("10.0.0.7/32"), route("10.0.0.7/32", hop(nil)))
        lab.run()
        lab.tracker.setDesired(prefix("10.0.0.7/32"), route("10.0.0.7/32", hop(nil), metric: 512))
        #expect(
            lab.run() == [
                .add(route("10.0.0.7/32", hop(nil), metric: 512)), .delete(prefix("10.0.0.7/32"), metric: 1024),
            ])
        #expect(lab.kernel.own.count == 1)
    }

    @Test func `two of ours with different metrics after a restart: the wanted one stays`() {
        let lab = Lab(dump: false)
        lab.kernel.preset(route("10.0.0.7/32", hop(nil)))
        lab.kernel.preset(route("10.0.0.7/32", hop(nil), metric: 512))
        lab.load()
        lab.tracker.setDesired(prefix("10.0.0.7/32"), route("10.0.0.7/32", hop(nil)))
        lab.run()
        lab.tracker.releaseFound()
        lab.run(turns: 10, step: 1)
        #expect(lab.kernel.own.values.map(\.metric) == [1024])
    }

    @Test
    func `exceptions are written before the blackholes that they are exceptions to, and additions before deletions`() {
        let lab = Lab()
        lab.tracker.releaseFound()
        lab.tracker.setDesired(prefix("10.9.0.0/26"), route("10.9.0.0/26", hop("10.0.1.1")))
        lab.run()
        lab.tracker.setDesired(prefix("10.9.0.0/26"), nil)
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26"))
        lab.tracker.setDesired(prefix("10.0.0.7/32"), route("10.0.0.7/32", hop(nil)))
        let operations = lab.tracker.plan(budget: 100, now: at(0))
        #expect(
            Array(operations) == [
                .add(route("10.0.0.7/32", hop(nil))), .add(route("10.0.0.0/26")),
                .delete(prefix("10.9.0.0/26"), metric: 1024),
            ])
    }

    @Test(arguments: [1, 2, 12, 16, 17, 19, 22, 28, 95, 99, 100, 101, 105, 113] as [Int32])
    func `each errno stays with its route, is tried again with back-off, and heals`(code: Int32) {
        let lab = Lab()
        lab.tracker.releaseFound()
        lab.kernel.inject = { $0.prefix == prefix("10.0.0.0/26") ? code : nil }
        lab.tracker.setDesired(prefix("10.0.0.0/26"), route("10.0.0.0/26", hop("10.0.1.1")))
        lab.tracker.setDesired(prefix("10.0.1.0/26"), route("10.0.1.0/26", hop("10.0.1.1")))
        lab.run()
        #expect(lab.isInstalled(prefix("10.0.1.0/26")))
        #expect(!lab.isInstalled(prefix("10.0.0.0/26")))
        #expect(lab.skipReason(prefix("10.0.0.0/26")) == .kernelError(code))
        // An hour of failing is a few hundred attempts, not a storm.
        let before = lab.kernel.operationCount
        for _ in 0..<3600 { lab.run(turns: 1, step: 1) }
        #expect(lab.kernel.operationCount - before < 200)
        lab.kernel.inject = nil
        lab.tracker.retryFailures()
        lab.run(turns: 3, step: 1)
        #expect(lab.isInstalled(prefix("10.0.0.0/26")))
        #expect(lab.failureCount == 0)
    }

    @Test func `replacing what is gone is adding, deleting what is absent is done`() {
        let lab = Lab()
        lab.tracker.releaseFound()
        let wanted = route("10.0.0.0/26", hop("10.0.1.1"))
        lab.tracker.setDesired(wanted.prefix, wanted)
        lab.run()
        lab.kernel.removeBehindOurBack(wanted.prefix, metric: 1024)
        lab.tracker.setDesired(wanted.prefix, route("10.0.0.0/26", hop("10.0.1.2")))
        lab.run(turns: 5, step: 1)
        #expect(lab.isInstalled(wanted.prefix))
        lab.kernel.removeBehindOurBack(wanted.prefix, metric: 1024)
        lab.tracker.setDesired(wanted.prefix, nil)
        lab.run()
        #expect(lab.failureCount == 0)
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `a seeded chaos of wants, errors, thieves and dumps converges`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let lab = Lab()
        let codes: [Int32] = [12, 16, 17, 19, 22, 100, 101, 105, 113, 2, 3]
        var wanted: [Prefix: FIBRoute] = [:]
        let family4: [Prefix] = (0..<12).map { (i: Int) -> Prefix in
            Prefix(IPAddress(v4: 0x0A00_0000 + UInt32(i) * 64), length: i % 3 == 0 ? 32 : 26)
        }
        let family6: [Prefix] = (0..<6).map { (i: Int) -> Prefix in
            Prefix(IPAddress(high: 0xFD00_0000_0000_0000 + UInt64(i) << 16, low: 0), length: 64)
        }
        let family = family4 + family6
        for step in 0..<400 {
            let target = family[Int(random.next() % UInt64(family.count))]
            switch random.next() % 8 {
            case 0, 1, 2:
                var hops: Set<FIBNextHop> = []
                for _ in 0..<(1 + random.next() % 2) {
                    let gateway = IPAddress(v4: 0x0A01_0000 + UInt32(random.next() % 3))
                    hops.insert(FIBNextHop(gateway: gateway, interface: InterfaceIndex(rawValue: 2), isOnlink: true))
                }
                let new = FIBRoute(
                    prefix: target, kind: .unicast, metric: random.next() % 4 == 0 ? 512 : 1024, nextHops: Array(hops))
                wanted[target] = new
                lab.tracker.setDesired(target, new)
            case 3:
                wanted[target] = nil
                lab.tracker.setDesired(target, nil)
            case 4:
                if let victim = lab.kernel.own.keys.first(where: { $0.prefix == target }) {
                    lab.kernel.removeBehindOurBack(victim.prefix, metric: victim.metric)
                    // Sometimes the notification is lost, until the next dump.
                    if random.next() % 2 == 0 { lab.tracker.kernelLost(victim.prefix, metric: victim.metric) }
                }
            case 5: lab.load()
            case 6: if step == 200 { lab.tracker.releaseFound() }
            default:
                let code = codes[Int(random.next() % UInt64(codes.count))]
                let every = random.next() % 3
                if every == 0 {
                    lab.kernel.inject = nil
                } else {
                    lab.kernel.inject = { (operation: FIBOperation) -> Int32? in
                        (operation.prefix.high >> 38) % 3 == every ? code : nil
                    }
                }
            }
            lab.run(turns: 2, step: 0.05)
        }
        lab.kernel.inject = nil
        lab.tracker.releaseFound()
        lab.load()
        lab.tracker.retryFailures()
        lab.run(turns: 400, step: 1)
        #expect(Set(lab.kernel.own.values) == Set(wanted.values), "seed \(seed)")
        #expect(lab.failureCount == 0 && lab.dirtyCount == 0, "seed \(seed)")
        for (target, route) in wanted { #expect(lab.stateInKernel(target) == route) }
    }
}
