import BGPMessages
import BGPRouting
import NetTypes
import Testing

/// A path with everything equal, to be changed in one respect.
func candidate(_ path: PathIndex, _ change: (inout Candidate) -> Void = { _ in }) -> Candidate {
    var key = DecisionKey()
    key.pathLength = 2
    key.neighborAS = 65000
    key.multiExitDisc = 10
    key.origin = .egp
    key.clusterListLength = 1
    var result = Candidate(
        path: path, key: key, isLocal: false, isExternal: false, interiorCost: 10, identifier: 100,
        peerAddress: IPAddress(v4: 0x0A00_0005))
    change(&result)
    return result
}

func permutations<T>(_ items: [T]) -> [[T]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index -> [[T]] in
        var rest = items
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
    }
}

/// A test writes numbers of paths as they are.
extension PathIndex: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: UInt32) { self.init(rawValue: value) }
}

@Suite struct DecisionTests {
    struct Step: Sendable, CustomTestStringConvertible {
        var reason: BestPathReason
        var better: @Sendable (inout Candidate) -> Void
        var testDescription: String { "\(reason.rawValue) \(reason)" }
    }

    /// One row per numbered step of the process.
    static let steps: [Step] = [
        Step(reason: .locallyOriginated) { $0.isLocal = true },
        Step(reason: .localPref) { $0.key.localPref = 101 },
        Step(reason: .asPathLength) { $0.key.pathLength = 1 },
        Step(reason: .origin) { $0.key.origin = .igp },
        Step(reason: .multiExitDisc) { $0.key.multiExitDisc = 9 },
        Step(reason: .external) { $0.isExternal = true },
        Step(reason: .interiorCost) { $0.interiorCost = 9 },
        Step(reason: .identifier) { $0.identifier = 99 },
        Step(reason: .clusterListLength) { $0.key.clusterListLength = 0 },
        Step(reason: .peerAddress) { $0.peerAddress = IPAddress(v4: 0x0A00_0004) },
    ]

    /// A second look at why each path lost, against the decision itself.
    @Test func `every path but the best lost at a step, to one that is better there, and the last step decided`() {
        var random = SeededRandom(seed: 4271)
        for _ in 0..<4000 {
            let all = (0..<Int.random(in: 2...6, using: &random)).map { number in
                candidate(PathIndex(rawValue: UInt32(number))) { path in
                    path.isLocal = Int.random(in: 0..<40, using: &random) == 0
                    path.key.localPref = Bool.random(using: &random) ? 100 : 101
                    path.key.pathLength = UInt16.random(in: 1...2, using: &random)
                    path.key.origin = Bool.random(using: &random) ? .igp : .egp
                    path.key.neighborAS = UInt32.random(in: 65000...65001, using: &random)
                    path.key.multiExitDisc = UInt32.random(in: 1...2, using: &random)
                    path.isExternal = Bool.random(using: &random)
                    path.interiorCost = UInt32.random(in: 1...2, using: &random)
                    path.identifier = UInt32.random(in: 1...2, using: &random)
                    path.key.clusterListLength = UInt16.random(in: 0...1, using: &random)
                    path.peerAddress = IPAddress(v4: 0x0A00_0000 + UInt32(number))
                    if Int.random(in: 0..<8, using: &random) == 0 { path.key.flags.insert(.longLivedStale) }
                }
            }
            var scratch = all
            guard let outcome = DecisionProcess.decide(&scratch, maximumPaths: 16) else { continue }
            let losses = DecisionProcess.losses(all)
            #expect(Set(losses.keys) == Set(all.map(\.path)).subtracting([outcome.best]))
            #expect(losses.values.map(\.step).max() == outcome.reason)
            for (path, loss) in losses {
                #expect(isWorse(loss), "\(path): \(loss)")
                // What shares traffic lost later than at the cost.
                #expect(outcome.multipath.contains(path) == (loss.step > .interiorCost))
                if loss.step != .multiExitDisc { #expect(loss.rival == outcome.best) }
            }
        }
    }

    private func isWorse(_ loss: DecisionLoss) -> Bool {
        switch (loss.own, loss.other) {
        case (.number(let own), .number(let other)): loss.step == .localPref ? own < other : own > other
        case (.origin(let own), .origin(let other)): own > other
        case (.identifier(let own), .identifier(let other)): own > other
        case (.peer(let own, let id), .peer(let other, let otherID)): (own, id) > (other, otherID)
        case (.isPreferred(let own), .isPreferred(let other)): !own && other
        default: false
        }
    }

    @Test(arguments: steps, [true, false])
    func `each step decides, in both directions`(step: Step, betterFirst: Bool) {
        let better = candidate(betterFirst ? 0 : 1, step.better)
        let other = candidate(betterFirst ? 1 : 0)
        var candidates = betterFirst ? [better, other] : [other, better]
        let outcome = DecisionProcess.decide(&candidates, maximumPaths: 1)
        #expect(outcome?.best == better.path)
        #expect(outcome?.reason == step.reason)
    }

    @Test(arguments: Array(steps.indices), Array(steps.indices))
    func `an earlier step outweighs every later one`(earlier: Int, later: Int) {
        guard earlier < later else { return }
        let first = candidate(0, Self.steps[earlier].better)
        let second = candidate(1, Self.steps[later].better)
        for order in permutations([first, second]) {
            var candidates = order
            let outcome = DecisionProcess.decide(&candidates, maximumPaths: 1)
            #expect(outcome?.best == 0)
            #expect(outcome?.reason == Self.steps[earlier].reason)
        }
    }

    @Test func `the MED cycle has one answer in every order of arrival (RFC 4271 9_1_2_2 c)`() {
        // A and B of one neighbor AS, C of another: pairwise comparison would go in a circle.
        let a = candidate(0) {
            $0.key.neighborAS = 1
            $0.key.multiExitDisc = 10
            $0.identifier = 1
        }
        let b = candidate(1) {
            $0.key.neighborAS = 1
            $0.key.multiExitDisc = 5
            $0.identifier = 3
        }
        let c = candidate(2) {
            $0.key.neighborAS = 2
            $0.key.multiExitDisc = 20
            $0.identifier = 2
        }
        for order in permutations([a, b, c]) {
            var candidates = order
            #expect(DecisionProcess.decide(&candidates, maximumPaths: 1)?.best == 2)
        }
    }

    @Test func `MED is not compared between neighbors, and the rest decides`() {
        let a = candidate(0) {
            $0.key.neighborAS = 1
            $0.key.multiExitDisc = 100
            $0.identifier = 1
        }
        let b = candidate(1) {
            $0.key.neighborAS = 2
            $0.key.multiExitDisc = 1
        }
        for order in permutations([a, b]) {
            var candidates = order
            let outcome = DecisionProcess.decide(&candidates, maximumPaths: 1)
            #expect(outcome?.best == 0 && outcome?.reason == .identifier)
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `random candidates have one answer in every order`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let candidates = (0..<4).map { index in
            candidate(PathIndex(index)) {
                $0.key.localPref = UInt32(random.next() % 2)
                $0.key.pathLength = UInt16(random.next() % 2)
                $0.key.neighborAS = UInt32(random.next() % 2)
                $0.key.multiExitDisc = UInt32(random.next() % 3)
                $0.isExternal = random.next() % 2 == 0
                $0.interiorCost = UInt32(random.next() % 2)
                $0.identifier = UInt32(random.next() % 2)
                $0.peerAddress = IPAddress(v4: UInt32(index))
            }
        }
        var answers: Set<PathIndex> = []
        var sets: Set<Set<PathIndex>> = []
        for order in permutations(candidates) {
            var scratch = order
            guard let outcome = DecisionProcess.decide(&scratch, maximumPaths: 8) else { continue }
            answers.insert(outcome.best)
            sets.insert(Set(outcome.multipath))
        }
        #expect(answers.count == 1, "seed \(seed)")
        #expect(sets.count == 1, "seed \(seed)")
    }

    @Test func `paths equal through the interior cost share traffic, up to the limit`() {
        let all = (0..<5).map { index in
            candidate(PathIndex(index)) {
                $0.identifier = UInt32(index)
                $0.interiorCost = index == 4 ? 20 : 10
            }
        }
        var scratch = all
        #expect(DecisionProcess.decide(&scratch, maximumPaths: 16)?.multipath == [0, 1, 2, 3])
        scratch = all
        #expect(DecisionProcess.decide(&scratch, maximumPaths: 2)?.multipath == [0, 1])
        scratch = []
        #expect(DecisionProcess.decide(&scratch, maximumPaths: 2) == nil)
    }
}
