import BGPMessages
import BGPRouting
import Glibc
import NetTypes

// `unsafe` here: a function of a preloaded library, found by name; its type is that of Benchmarks/malloc-count.c.

/// What one step of the way of the data costs a route: nanoseconds and allocations, the median of eleven rounds.
///
/// `make bench-micro` runs it with `malloc-count.so` preloaded; without, allocations are not told.
@main
struct MicroBenchmarks {
    static func main() {
        print("| step | ns a route | allocations a route |\n|---|---|---|")
        Tables.run()
        Codec.run()
        Routing.run()
    }
}

/// Times a step. `prepare` makes what the step needs, outside the clock; the step answers something, so that it is
/// done.
func measure<State: ~Copyable>(_ name: String, routes: Int, prepare: () -> State, step: (inout State) -> Int) {
    var times: [Double] = []
    var allocations: [Double] = []
    var sum = 0
    for _ in 0..<11 {
        var state = prepare()
        let counted = allocationCount?()
        let start = nanoseconds()
        sum &+= step(&state)
        times.append(Double(nanoseconds() - start) / Double(routes))
        if let counted, let after = allocationCount?() { allocations.append(Double(after - counted) / Double(routes)) }
    }
    times.sort()
    allocations.sort()
    func text(_ value: Double) -> String {
        "\(Int(value * 100 + 0.5) / 100).\(String(Int(value * 100 + 0.5) % 100 + 100).dropFirst())"
    }
    print("| \(name) | \(text(times[5])) | \(allocations.isEmpty ? "not counted" : text(allocations[5])) |")
    if sum == .min { print("") }
}

private func nanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

private let allocationCount: (@convention(c) () -> UInt)? = unsafe dlsym(
    UnsafeMutableRawPointer(bitPattern: 0), "apus_allocations"
).map {
    unsafe unsafeBitCast($0, to: (@convention(c) () -> UInt).self)
}

/// 100,000 /24 in a random order, as a table's are.
let prefixes: [Prefix] = {
    var random = SeededRandom(seed: 4)
    return (0..<100_000).map { Prefix(IPAddress(v4: 0x0B00_0000 + UInt32($0) << 8), length: 24) }.shuffled(
        using: &random)
}()

/// Sets with a path of four and three communities; `count` different ones.
func sets(_ count: Int) -> [PathAttributes] {
    (0..<count).map { number in
        var set = PathAttributes()
        set.origin = .igp
        set.asPath = ASPath([64500, 3000, 7018, UInt32(100_000 + number)])
        set.nextHop = IPAddress(v4: 0x0A00_0001)
        set.localPref = 100
        set.communities = [
            Community(64500, 1), Community(64500, 2), Community(64500, UInt16(truncatingIfNeeded: number)),
        ]
        return set
    }
}

/// UPDATEs with so many prefixes each, every one with the next set.
func updates(_ each: Int, _ sets: [PathAttributes]) -> [MessageBuffer] {
    stride(from: 0, to: prefixes.count, by: each).enumerated().map { number, start in
        var builder = UpdateBuilder(family: .ipv4, maximumLength: 4096)
        builder.announce(
            prefixes[start..<min(start + each, prefixes.count)].map { OutboundNLRI($0) },
            block: sets[number % sets.count].encoded(), nextHop: [])
        return builder.take()
    }
}

/// UPDATEs that withdraw all prefixes, as full as they get.
func withdrawals() -> [MessageBuffer] {
    stride(from: 0, to: prefixes.count, by: 800).map { start in
        var builder = UpdateBuilder(family: .ipv4, maximumLength: 4096)
        builder.withdraw(prefixes[start..<min(start + 800, prefixes.count)].map { OutboundNLRI($0) })
        return builder.take()
    }
}

enum Tables {
    static func run() {
        measure(
            "prefix table: insert", routes: prefixes.count, prepare: { PrefixTable(family: .ipv4, seed: 1) },
            step: { table in
                for prefix in prefixes { _ = table.insert(prefix) }
                return table.count
            })
        func filled() -> PrefixTable {
            var table = PrefixTable(family: .ipv4, seed: 1)
            for prefix in prefixes { _ = table.insert(prefix) }
            return table
        }
        measure(
            "prefix table: find", routes: prefixes.count, prepare: filled,
            step: { table in
                prefixes.reduce(0) { $0 &+ (table.find($1)?.index ?? 0) }
            })
        measure(
            "prefix table: remove", routes: prefixes.count, prepare: filled,
            step: { table in
                for index in PrefixIndex.all(below: prefixes.count) { table.remove(index) }
                return table.count
            })
    }
}

enum Codec {
    static func run() {
        let some = sets(1000)
        let messages = updates(100, some)
        measure(
            "UPDATE: read the prefixes, 100 a message", routes: prefixes.count, prepare: { 0 },
            step: { _ in
                var sum = 0
                for message in messages {
                    guard let update = try? UpdateMessage(message: message.bytes) else { continue }
                    var reader = ByteReader(update.nlri)
                    while let prefix = NLRI.next(&reader, .ipv4) { sum &+= Int(prefix.length) }
                }
                return sum
            })
        let blocks = some.map { $0.encoded() }
        measure(
            "attributes: decode and validate, a set a route", routes: blocks.count, prepare: { 0 },
            step: { _ in
                blocks.reduce(0) { sum, block in
                    sum
                        + block.withBytes {
                            UpdateValidation.decode($0, AttributeContext(isInternal: true, isFourOctetAS: true))
                                .attributes.communities.count
                        }
                }
            })
        measure(
            "attributes: encode, a set a route", routes: some.count, prepare: { 0 },
            step: { _ in some.reduce(0) { $0 + $1.encoded().count } })
        let outbound = prefixes.map { OutboundNLRI($0) }
        let block = some[0].encoded()
        measure(
            "UPDATE: write the prefixes, as full as it gets", routes: prefixes.count,
            prepare: { UpdateBuilder(family: .ipv4, maximumLength: 4096) },
            step: { builder in
                builder.announce(outbound, block: block, nextHop: [])
                return builder.count
            })
    }
}

enum Routing {
    static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    static func run() {
        let some = sets(10_000)
        measure(
            "attribute table: intern a new set", routes: some.count,
            prepare: { AttributeTable(identity: identity, assumesReachableNextHops: true, seed: 1) },
            step: { table in
                some.reduce(0) { $0 &+ Int(table.intern($1, separateNextHop: nil)) }
            })
        let candidates = (0..<20).map { number -> Candidate in
            var key = DecisionKey()
            key.pathLength = UInt16(3 + number % 4)
            return Candidate(
                path: PathIndex(number), key: key, isLocal: false, isExternal: false, interiorCost: 0,
                identifier: UInt32(number), peerAddress: IPAddress(v4: UInt32(number)))
        }
        measure(
            "decision process: one prefix with 20 paths, a path", routes: 20_000, prepare: { candidates },
            step: { scratch in
                var sum = 0
                for _ in 0..<1000 {
                    scratch.removeAll(keepingCapacity: true)
                    scratch += candidates
                    sum &+= DecisionProcess.decide(&scratch, maximumPaths: 1)?.best.index ?? 0
                }
                return sum
            })
        let pods = updates(700, sets(1))
        let internet = updates(7, sets(15_000))
        for (name, messages) in [
            ("one set, 700 prefixes a message", pods), ("a new set with every 7 prefixes", internet),
        ] {
            measure(
                "reflector: from UPDATE to UPDATE, \(name)", routes: prefixes.count, prepare: { reflector() },
                step: { rib in pass(messages, &rib) })
            measure(
                "the same again, nothing being new", routes: prefixes.count, prepare: { filled(messages) },
                step: { rib in pass(messages, &rib) })
        }
        let gone = withdrawals()
        measure(
            "reflector: withdrawal of all, 800 a message", routes: prefixes.count, prepare: { filled(pods) },
            step: { rib in pass(gone, &rib) })
    }

    /// A RIB with a client that announces and one that is told.
    private static func reflector() -> RIB {
        var rib = RIB(
            identity: identity, assumesReachableNextHops: true, maximumPaths: 1, recordsChanges: false, seed: 1)
        for number in 1...2 as ClosedRange<UInt32> {
            var profile = ExportProfile(family: .ipv4, isInternal: true, localAS: ASNumber(64512))
            profile.isClient = true
            rib.peerUp(
                rib.addPeer(),
                RoutingPeer(
                    address: IPAddress(v4: 0x0A00_0000 + number), identifier: BGPIdentifier(rawValue: 1 + number),
                    asNumber: ASNumber(64512), isInternal: true, isClient: true,
                    policy: ImportSettings(), context: AttributeContext(isInternal: true, isFourOctetAS: true),
                    profiles: [profile, nil]))
        }
        // The replay that every new member gets, of nothing.
        _ = pass([], &rib)
        return rib
    }

    private static func filled(_ messages: [MessageBuffer]) -> RIB {
        var rib = reflector()
        _ = pass(messages, &rib)
        return rib
    }

    private static func pass(_ messages: [MessageBuffer], _ rib: inout RIB) -> Int {
        for message in messages { _ = try? rib.receive(message.bytes, from: PeerIndex(rawValue: 1), families: .all) }
        rib.decide(budget: .max)
        var deliveries: [Delivery] = []
        var done: [RIB.ReplayDone] = []
        rib.export(replayBudget: .max, now: .zero, &deliveries, &done)
        return deliveries.reduce(0) { $0 + $1.buffer.count }
    }
}
