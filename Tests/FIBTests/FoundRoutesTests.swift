import FIB
import NetTypes
import Testing

/// Routes that the kernel had before this process: they alone wait for the peers.
@Suite struct FoundRoutesTests {
    private static let found = route("10.9.0.0/26", hop("10.0.1.9"))

    /// A tracker that has found one route.
    private func restarted() -> Lab {
        let lab = Lab(dump: false)
        lab.kernel.preset(Self.found)
        lab.load()
        return lab
    }

    @Test func `what was learned after the start and withdrawn is removed at once, and what was found waits`() {
        let lab = restarted()
        // A hostile table that comes and goes, and a pod's route.
        let hostile = (0..<1000).map { Prefix(IPAddress(v4: 0x0B00_0000 + UInt32($0) * 64), length: 26) }
        for target in hostile {
            lab.tracker.setDesired(
                target, FIBRoute(prefix: target, kind: .unicast, metric: 1024, nextHops: [hop("10.0.1.1")]))
        }
        lab.tracker.setDesired(prefix("10.65.1.7/32"), route("10.65.1.7/32", hop(nil)), isUrgent: true)
        lab.run(turns: 1000)
        #expect(lab.kernel.own.count == 1002)
        for target in hostile { lab.tracker.setDesired(target, nil) }
        lab.tracker.setDesired(prefix("10.65.1.7/32"), nil)
        lab.run(turns: 1000)
        #expect(Array(lab.kernel.own.values) == [Self.found])
        #expect(lab.tracker.waitingCount == 1 && lab.tracker.isWaiting(Self.found.prefix))
        lab.tracker.releaseFound()
        #expect(lab.run() == [.delete(Self.found.prefix, metric: 1024)])
        #expect(lab.tracker.waitingCount == 0 && lab.kernelCount == 0)
    }

    @Test func `a route that was found, wanted as it is and withdrawn again waits no more`() {
        let lab = restarted()
        lab.tracker.setDesired(Self.found.prefix, Self.found)
        #expect(lab.run().isEmpty && lab.tracker.waitingCount == 0)
        lab.tracker.setDesired(Self.found.prefix, nil)
        #expect(lab.run() == [.delete(Self.found.prefix, metric: 1024)])
    }

    @Test func `a prefix that is wanted elsewhere leaves its found place once the new one is there`() {
        let lab = restarted()
        let wanted = route("10.9.0.0/26", hop("10.0.1.1"), metric: 512)
        lab.tracker.setDesired(wanted.prefix, wanted)
        #expect(lab.run() == [.add(wanted), .delete(wanted.prefix, metric: 1024)])
    }

    @Test func `what is ours and unknown is found at the start alone: later it is removed`() {
        let lab = restarted()
        let late = route("10.9.1.0/26", hop("10.0.1.9"))
        lab.kernel.preset(late)
        lab.load()
        #expect(lab.run() == [.delete(late.prefix, metric: 1024)])
        #expect(lab.tracker.waitingCount == 1, "a second dump forgets nothing")
        // Gone without us: nothing waits.
        lab.kernel.removeBehindOurBack(Self.found.prefix, metric: 1024)
        lab.load()
        #expect(lab.tracker.waitingCount == 0 && lab.run().isEmpty)
    }

    @Test
    func
        `a dead member of the mesh keeps its own routes waiting, a peer that may announce any next hop keeps all of its families`()
    {
        let dead = address("10.0.1.9")
        let other = route("10.9.1.0/26", hop("10.0.1.1"))
        let both = route("10.9.2.0/26", hop("10.0.1.1"), hop("10.0.1.9"))
        let pod = route("10.9.3.1/32", hop(nil))
        let blackhole = route("10.9.4.0/26")
        let all = [Self.found, other, both, pod, blackhole]
        #expect(all.map { RestartWait([.members([dead]), .anybody]).mayGo($0) } == [false, true, false, false, false])
        #expect(all.map { RestartWait([.anybody, .nobody]).mayGo($0) } == [false, false, false, false, false])
        #expect(all.map { RestartWait([.nobody, .anybody]).mayGo($0) } == [true, true, true, true, true])
        #expect(!RestartWait([.nobody, .members([])]).isOver && RestartWait([.nobody, .nobody]).isOver)
    }

    @Test func `only those that are released go`() {
        let lab = restarted()
        let other = route("10.9.1.0/26", hop("10.0.1.1"))
        let second = Lab(dump: false)
        second.kernel.preset(Self.found)
        second.kernel.preset(other)
        second.load()
        #expect(second.tracker.releaseFound { $0 == other } == 1)
        #expect(second.run() == [.delete(other.prefix, metric: 1024)])
        #expect(second.tracker.isWaiting(Self.found.prefix) && lab.tracker.isWaiting(Self.found.prefix))
    }
}
