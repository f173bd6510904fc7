import FIB
import NetTypes
import Testing

/// SplitMix64: the same seed gives the same run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The reconciler over a kernel in memory that refuses with every errno of rtnetlink, whose notifications come or are
/// lost, and in which others delete, alter, replace and add.
@Suite struct FIBSimulation {
    /// What rtnetlink answers to RTM_NEWROUTE and RTM_DELROUTE (net/ipv4/fib_*.c, net/ipv6/route.c,
    /// net/core/rtnetlink.c).
    static let errors: [Int32] = [
        1, 2, 3, 4, 5, 11, 12, 13, 16, 17, 19, 22, 28, 90, 93, 95, 97, 99, 100, 101, 105, 113,
    ]

    final class World {
        var tracker: DeltaTracker
        var kernel = MemoryKernel()
        var random: Seeded
        var now = 0.0
        /// What others have, as they left it.
        var foreign: [MemoryKernel.Key: ForeignRoute] = [:]
        var wanted: [Prefix: FIBRoute] = [:]
        var planned: [FIBBatch] = []
        var errorRate = 0.0
        var seenErrors: Set<Int32> = []

        init(seed: UInt64) {
            random = Seeded(state: seed)
            // Ways that nobody uses go at once: what is left must be numbered rightly.
            tracker = DeltaTracker(seed: seed, fewAttributes: 2)
            // The kernel was empty at the start.
            tracker.beginDump()
            tracker.endDump()
        }

        func prefix() -> Prefix {
            Prefix(
                IPAddress(v4: 0x0A00_0000 + UInt32.random(in: 0..<24, using: &random) * 64),
                length: Bool.random(using: &random) ? 26 : 32)
        }
        func route(_ prefix: Prefix) -> FIBRoute {
            let hops = (0..<Int.random(in: 0...3, using: &random)).map {
                FIBNextHop(
                    gateway: IPAddress(v4: 0x0A01_0000 + UInt32($0)), interface: InterfaceIndex(rawValue: 2),
                    isOnlink: true)
            }
            return FIBRoute(
                prefix: prefix, kind: hops.isEmpty ? .blackhole : .unicast,
                metric: Bool.random(using: &random) ? 1024 : 512, nextHops: hops,
                table: Int.random(in: 0..<8, using: &random) == 0 ? 100 : 254)
        }

        func dump() {
            tracker.beginDump()
            for route in kernel.own.values { tracker.kernelHas(route) }
            for route in kernel.foreign.values { tracker.foreignAdded(route) }
            tracker.endDump()
        }

        func apply(_ operations: FIBBatch) -> [FIBFailure] {
            var failures: [FIBFailure] = []
            for (index, operation) in operations.enumerated() {
                if Double.random(in: 0..<1, using: &random) < errorRate,
                    let error = FIBSimulation.errors.randomElement(using: &random)
                {
                    seenErrors.insert(error)
                    failures.append(FIBFailure(index: index, error: error))
                    // These two say that the route is not there, and the kernel does not lie.
                    if [KernelError.noEntry, KernelError.noSuchProcess].contains(error) { lose(operation) }
                } else {
                    failures += kernel.apply([operation]).map { FIBFailure(index: index, error: $0.error) }
                }
            }
            return failures
        }

        private func lose(_ operation: FIBOperation) {
            switch operation {
            case .add: break
            case .replace(let route): kernel.removeBehindOurBack(route.prefix, metric: route.metric, table: route.table)
            case .delete(let prefix, let metric, let table):
                kernel.removeBehindOurBack(prefix, metric: metric, table: table)
            }
        }

        /// As the agent does it: where something is there that was not known, everything is read again.
        func acknowledge(_ operations: FIBBatch) {
            let failures = apply(operations)
            if failures.contains(where: { $0.error == KernelError.exists }) { needsDump = true }
            tracker.acknowledge(operations, failures, now: at(now))
            if needsDump, planned.isEmpty {
                needsDump = false
                dump()
            }
        }
        var needsDump = false

        /// What differs, for the reader of a failure.
        var differences: String {
            let places = Set(kernel.own.keys).union(expected.keys)
            return places.filter { kernel.own[$0] != expected[$0] }.map { place in
                "\(place.prefix) metric \(place.metric) table \(place.table): wanted "
                    + "\(expected[place].map { "\($0)" } ?? "none"), is \(kernel.own[place].map { "\($0)" } ?? "none"), "
                    + "tracker has \(tracker.kernel(place.prefix).map { "\($0)" } ?? "none"), skips it because "
                    + "\(tracker.skipReason(place.prefix).map { "\($0)" } ?? "-")"
            }.joined(separator: "\n")
        }

        /// One thing that may happen. `isHeard`: the kernel's notification arrives.
        func disturb(isHeard: Bool) {
            let key = kernel.own.keys.sorted { ($0.prefix, $0.metric, $0.table) < ($1.prefix, $1.metric, $1.table) }
                .randomElement(using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0, 1, 2:
                let prefix = prefix()
                let route = Int.random(in: 0..<4, using: &random) == 0 ? nil : route(prefix)
                wanted[prefix] = route
                tracker.setDesired(prefix, route, isUrgent: Bool.random(using: &random))
            case 3:
                guard let key else { return }
                kernel.removeBehindOurBack(key.prefix, metric: key.metric, table: key.table)
                if isHeard { tracker.kernelLost(key.prefix, metric: key.metric, table: key.table) }
            case 4:
                guard let key, var altered = kernel.own[key] else { return }
                altered.kind = .unicast
                altered.nextHops = [
                    FIBNextHop(
                        gateway: IPAddress(v4: 0x0A09_0909), interface: InterfaceIndex(rawValue: 9), isOnlink: true)
                ]
                kernel.preset(altered)
                if isHeard { tracker.kernelHas(altered) }
            case 5:
                let route = ForeignRoute(prefix: prefix(), metric: 1024, routeProtocol: 4, nextHops: [])
                let place = MemoryKernel.Key(prefix: route.prefix, metric: 1024)
                let replaces = kernel.own[place] != nil
                kernel.replaceBehindOurBack(route)
                foreign[place] = route
                if isHeard { tracker.foreignAdded(route, replaces: replaces) }
            default:
                guard let place = foreign.keys.sorted(by: { $0.prefix < $1.prefix }).randomElement(using: &random),
                    let route = foreign.removeValue(forKey: place)
                else { return }
                kernel.foreign[place] = nil
                if isHeard { tracker.foreignRemoved(route) }
            }
        }

        /// Others' routes are as they left them.
        func checkForeign() { #expect(kernel.foreign == foreign) }

        /// Wanted, but for what a foreign route is in the way of.
        var expected: [MemoryKernel.Key: FIBRoute] {
            var result: [MemoryKernel.Key: FIBRoute] = [:]
            for route in wanted.values {
                let key = MemoryKernel.Key(prefix: route.prefix, metric: route.metric, table: route.table)
                if foreign[key] == nil { result[key] = route }
            }
            return result
        }
    }

    @Test(arguments: 0..<600)
    func `whatever the kernel answers and others do, the reconciler converges, and touches nothing foreign`(seed: Int) {
        let world = World(seed: UInt64(seed))
        world.errorRate = [0, 0.1, 0.5, 0.9][seed % 4]
        var trims = 0
        for _ in 0..<200 {
            world.now += 0.01
            // What is heard is heard before anything is written.
            if world.planned.isEmpty { world.disturb(isHeard: true) }
            if Int.random(in: 0..<30, using: &world.random) == 0, world.planned.isEmpty { world.dump() }
            if Bool.random(using: &world.random) {
                let operations = world.tracker.plan(
                    budget: Int.random(in: 1...8, using: &world.random), now: at(world.now))
                if !operations.isEmpty { world.planned.append(operations) }
            }
            if !world.planned.isEmpty, Bool.random(using: &world.random) {
                let operations = world.planned.removeFirst()
                world.acknowledge(operations)
            }
            // Memory may be given back at any time.
            if Int.random(in: 0..<10, using: &world.random) == 0 { trims += world.tracker.trim() ? 1 : 0 }
            world.checkForeign()
        }
        if world.errorRate == 0 { #expect(trims > 0, "seed \(seed): never trimmed") }
        // The kernel takes everything again.
        world.errorRate = 0
        for _ in 0..<200 {
            world.now += 1
            while !world.planned.isEmpty {
                let operations = world.planned.removeFirst()
                world.acknowledge(operations)
            }
            let operations = world.tracker.plan(budget: 100, now: at(world.now))
            if !operations.isEmpty { world.planned.append(operations) }
        }
        let differences = world.differences
        #expect(differences.isEmpty, "seed \(seed)")
        world.checkForeign()
    }

    @Test(arguments: 0..<300)
    func `what no notification reported is found by an audit in slices while everything else goes on`(seed: Int) {
        let world = World(seed: UInt64(seed) &+ 1000)
        for _ in 0..<60 { world.disturb(isHeard: true) }
        for _ in 0..<20 {
            world.now += 1
            let operations = world.tracker.plan(budget: 100, now: at(world.now))
            if !operations.isEmpty { world.acknowledge(operations) }
        }
        // Deaf: others delete and alter. What they replace with routes of their own is for a dump to find.
        for _ in 0..<10 {
            let key = world.kernel.own.keys.sorted {
                ($0.prefix, $0.metric, $0.table) < ($1.prefix, $1.metric, $1.table)
            }.randomElement(using: &world.random)
            guard let key, let route = world.kernel.own[key] else { continue }
            if Bool.random(using: &world.random) {
                world.kernel.removeBehindOurBack(key.prefix, metric: key.metric, table: key.table)
            } else {
                world.kernel.preset(
                    FIBRoute(
                        prefix: route.prefix, kind: .blackhole, metric: route.metric, nextHops: [], table: route.table))
            }
        }
        // The list is the kernel's of one moment; meanwhile routes are wanted, written and acknowledged.
        world.tracker.beginAudit()
        let list = world.kernel.own.values.sorted {
            ($0.prefix, $0.metric, $0.table) < ($1.prefix, $1.metric, $1.table)
        }
        for route in list {
            world.tracker.auditSaw(route)
            if Int.random(in: 0..<3, using: &world.random) == 0 {
                let prefix = world.prefix()
                let wanted = world.route(prefix)
                world.wanted[prefix] = wanted
                world.tracker.setDesired(prefix, wanted)
                let operations = world.tracker.plan(budget: 4, now: at(world.now))
                if !operations.isEmpty { world.acknowledge(operations) }
            }
        }
        _ = world.tracker.endAudit()
        for _ in 0..<60 {
            world.now += 1
            let operations = world.tracker.plan(budget: 100, now: at(world.now))
            if !operations.isEmpty { world.acknowledge(operations) }
        }
        // One more audit: what an operation hid from the first.
        world.tracker.beginAudit()
        for route in world.kernel.own.values { world.tracker.auditSaw(route) }
        _ = world.tracker.endAudit()
        for _ in 0..<60 {
            world.now += 1
            let operations = world.tracker.plan(budget: 100, now: at(world.now))
            if !operations.isEmpty { world.acknowledge(operations) }
        }
        let differences = world.differences
        #expect(differences.isEmpty, "seed \(seed)")
        world.checkForeign()
        // In step, an audit finds nothing.
        world.tracker.beginAudit()
        for route in world.kernel.own.values { world.tracker.auditSaw(route) }
        #expect(world.tracker.endAudit() == 0)
    }

    @Test func `every errno is met in the simulation`() {
        var seen: Set<Int32> = []
        for seed in 0..<8 {
            let world = World(seed: UInt64(seed))
            world.errorRate = 0.9
            for step in 0..<300 {
                world.now += 1
                world.disturb(isHeard: true)
                let operations = world.tracker.plan(budget: 8, now: at(Double(step)))
                if !operations.isEmpty {
                    world.tracker.acknowledge(operations, world.apply(operations), now: at(Double(step)))
                }
            }
            seen.formUnion(world.seenErrors)
        }
        #expect(seen == Set(Self.errors))
    }
}

@Suite struct WithdrawBreakerTests {
    func routes(_ range: Range<Int>) -> [FIBRoute] {
        range.map {
            FIBRoute(
                prefix: Prefix(IPAddress(v4: 0x0A00_0000 + UInt32($0) * 64), length: 26), kind: .unicast, metric: 1024,
                nextHops: [hop("10.0.0.1")])
        }
    }

    @Test func `a few may go, and slowly all of them`() {
        var breaker = WithdrawBreaker()
        #expect(breaker.withdrawn(routes(0..<19), remaining: 0, now: at(0)).isEmpty, "fewer than the minimum")
        #expect(breaker.withdrawn(routes(100..<140), remaining: 60, now: at(20)).isEmpty, "40 of 100")
        #expect(
            breaker.withdrawn(routes(140..<160), remaining: 40, now: at(40)).isEmpty, "20 of 60, the others longer ago")
        #expect(!breaker.isTripped)
    }

    @Test func `beyond the share all are kept, those included that went before in the window`() {
        var breaker = WithdrawBreaker()
        #expect(breaker.withdrawn(routes(0..<30), remaining: 70, now: at(0)).isEmpty)
        #expect(
            breaker.withdrawn(routes(30..<60), remaining: 40, now: at(5)).map(\.prefix) == routes(0..<60).map(\.prefix))
        #expect(breaker.isTripped && breaker.held.count == 60)
        #expect(
            breaker.withdrawn(routes(60..<61), remaining: 39, now: at(100)).count == 1,
            "while it is tripped nothing goes")
        // Announced again, one by one; the last one arms it again.
        for route in routes(0..<61) { breaker.forget(route.prefix) }
        #expect(!breaker.isTripped)
        #expect(breaker.withdrawn(routes(0..<30), remaining: 31, now: at(101)).isEmpty)
    }

    @Test func `what is released goes, and what is announced again in time does not count`() {
        var breaker = WithdrawBreaker()
        _ = breaker.withdrawn(routes(0..<60), remaining: 0, now: at(0))
        #expect(breaker.release { $0.prefix == routes(3..<4)[0].prefix } == [routes(3..<4)[0].prefix])
        #expect(breaker.isTripped)
        #expect(breaker.release().count == 59)
        #expect(!breaker.isTripped && breaker.held.isEmpty)
        var second = WithdrawBreaker()
        #expect(second.withdrawn(routes(0..<40), remaining: 60, now: at(0)).isEmpty)
        for route in routes(0..<40) { second.forget(route.prefix) }
        #expect(second.withdrawn(routes(40..<80), remaining: 60, now: at(1)).isEmpty, "40 of 100 again")
    }

    @Test func `without a limit nothing is kept`() {
        var breaker = WithdrawBreaker()
        breaker.percent = 0
        #expect(breaker.withdrawn(routes(0..<60), remaining: 0, now: at(0)).isEmpty)
    }
}

@Suite struct KernelErrorTests {
    @Test func `an errno is explained by what is known of the interface`() {
        var interfaces = InterfaceTable()
        interfaces.set(Interface(index: InterfaceIndex(rawValue: 2), name: "cali1", isUp: true, hasCarrier: true))
        interfaces.set(Interface(index: InterfaceIndex(rawValue: 3), name: "cali2", isUp: false, hasCarrier: false))
        interfaces.add(
            InterfaceAddress(interface: InterfaceIndex(rawValue: 2), address: address("10.0.0.1"), prefixLength: 24))
        func meaning(_ code: Int32, _ route: FIBRoute) -> KernelError.Meaning? {
            KernelError.meaning(code, of: route, interfaces)
        }
        #expect(meaning(100, route("10.0.0.0/26", hop("10.0.0.9", 3))) == .interfaceDown("cali2"))
        #expect(meaning(19, route("10.0.0.0/26", hop("10.0.0.9", 7))) == .interfaceGone(7))
        #expect(meaning(22, route("10.0.0.0/26", hop("10.0.0.1"))) == .gatewayIsThisHost(address("10.0.0.1")))
        var sourced = route("10.0.0.0/26", hop("10.0.0.9"))
        sourced.source = address("198.51.100.1")
        #expect(meaning(22, sourced) == .sourceNotOurs(address("198.51.100.1")))
        #expect(meaning(1, route("10.0.0.0/26", hop("10.0.0.9"))) == .noPermission)
        #expect(meaning(105, route("10.0.0.0/26", hop("10.0.0.9"))) == .outOfMemory)
        #expect(meaning(5, route("10.0.0.0/26", hop("10.0.0.9"))) == nil)
    }
}
