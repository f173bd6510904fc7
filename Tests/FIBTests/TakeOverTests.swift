import FIB
import NetTypes
import Testing

/// Routes that BIRD and Felix left behind, which ours replace and which are removed in the end.
@Suite struct TakeOverTests {
    private static let block = prefix("10.65.2.0/26")
    private static let wanted = route("10.65.2.0/26", hop("10.0.1.2"))

    private static func left(
        _ text: String, metric: UInt32 = 1024, number: UInt8 = 12, by predecessor: Predecessor? = .bird
    ) -> ForeignRoute {
        var route = ForeignRoute(
            prefix: prefix(text), metric: metric, routeProtocol: number, nextHops: [hop("10.0.1.2")])
        route.predecessor = predecessor
        return route
    }

    @Test func `a route in the place of ours is replaced in one step`() {
        let lab = Lab()
        lab.tracker.foreignAdded(Self.left("10.65.2.0/26"))
        lab.tracker.setDesired(Self.block, Self.wanted)
        #expect(lab.run() == [.replace(Self.wanted)])
        #expect(lab.tracker.isInstalled(Self.block) && lab.tracker.takenOverCount == 1)
        #expect(lab.tracker.foreign.count == 0 && lab.tracker.foreign.takeableCount == 0)
        // It is ours from now on.
        lab.tracker.setDesired(Self.block, nil)
        #expect(lab.run() == [.delete(Self.block, metric: 1024)])
    }

    @Test func `a route of anybody else is in the way as ever`() {
        let lab = Lab()
        lab.tracker.foreignAdded(Self.left("10.65.2.0/26", by: nil))
        lab.tracker.setDesired(Self.block, Self.wanted)
        #expect(lab.run().isEmpty)
        #expect(lab.tracker.skipReason(Self.block) == .foreignRoute(routeProtocol: 12))
    }

    @Test func `what is left is removed where nothing of ours waits to take its place`() {
        let lab = Lab()
        let (unwanted, beside) = (Self.left("10.65.9.0/26"), Self.left("10.65.2.0/26", metric: 0))
        for route in [unwanted, beside, Self.left("10.65.3.0/26", by: nil)] { lab.tracker.foreignAdded(route) }
        lab.tracker.setDesired(Self.block, Self.wanted)
        // Ours is not in the kernel yet: theirs carries the packets.
        #expect(lab.tracker.removableOfPredecessors() == [unwanted])
        #expect(lab.run() == [.add(Self.wanted)])
        #expect(Set(lab.tracker.removableOfPredecessors()) == [unwanted, beside])
        lab.tracker.foreignRemoved(beside)
        lab.tracker.leave(unwanted)
        #expect(lab.tracker.removableOfPredecessors().isEmpty && lab.tracker.foreign.takeableCount == 0)
        #expect(lab.tracker.foreign.count == 2)
    }

    @Test(arguments: [
        (UInt8(12), "10.65.2.0/26", Predecessor?.some(.bird)), (80, "10.65.2.0/26", .felix),
        (3, "10.65.1.7/32", .felix), (3, "10.65.1.0/26", nil), (4, "10.65.2.0/26", nil), (2, "10.0.1.0/24", nil),
    ])
    func `whose a route is follows from its protocol, and for pods from the interface`(
        number: UInt8, text: String, expected: Predecessor?
    ) {
        let found = ForeignRoute(
            prefix: prefix(text), metric: 0, routeProtocol: number, nextHops: [hop(number == 3 ? nil : "10.0.1.2")])
        let all = TakeOver(Set(Predecessor.allCases))
        #expect(all.predecessor(of: found) { _ in true } == expected)
        #expect(TakeOver().predecessor(of: found) { _ in true } == nil)
        if number == 3 { #expect(all.predecessor(of: found) { _ in false } == nil) }
    }
}
