import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

/// Graceful restart (RFC 4724), and what ends a peer's routes.
@Suite struct RestartTests {
    @Test
    func `a crashed node's routes stay until it is back and has sent its table, and what is gone goes (RFC 4724)`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.originate(a, block)
        net.originate(a, prefix("10.65.2.0/26"))
        net.peer(a, b)
        net.crash(a, restart: RestartState(isRestarting: true, preservedFamilies: .all))
        net.settle()
        #expect(net.best(b, block) != nil)
        net.advance(30)
        #expect(net.best(b, block) != nil, "within the restart time nothing goes")
        net.originate(a, block)
        net.repeer(a, b)
        net.advance(10)
        #expect(net.isUp(a, b))
        #expect(net.best(b, block) != nil)
        #expect(net.best(b, prefix("10.65.2.0/26")) == nil)
        #expect(net.nodes[b].events.contains { if case .flushedStaleRoutes = $0.1 { true } else { false } })
    }

    @Test func `a node that does not come back loses its routes after the restart time`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.originate(a, block)
        net.peer(a, b)
        net.cut.insert([a, b])
        net.disconnect(a, b)
        net.advance(119)
        #expect(net.best(b, block) != nil)
        net.advance(2)
        #expect(net.best(b, block) == nil)
    }

    @Test func `a peer that was taken away loses its routes at once`() throws {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.originate(a, block)
        net.peer(a, b)
        net.nodes[a].speaker.removePeer(try #require(net.nodes[a].peers[b]), now: net.now)
        net.settle()
        #expect(net.best(b, block) == nil)
    }

    @Test func `sessions stay up for an hour on keepalives alone`() {
        let net = Network()
        let nodes = (1...4).map { net.add(UInt32($0)) }
        for i in nodes { for j in nodes where j > i { net.peer(i, j) } }
        net.originate(nodes[0], block)
        net.advance(3600)
        for i in nodes { for j in nodes where j != i { #expect(net.isUp(i, j)) } }
        for i in nodes {
            for (_, event) in net.nodes[i].events { if case .down = event { Issue.record("a session went down") } }
        }
    }
}
