import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

func prefix(_ text: String) -> Prefix { Prefix(text) ?? .default(.ipv4) }
let block = prefix("10.65.1.0/26")
let block6 = prefix("fd00:65:1::/122")

@Suite struct SpeakerTests {
    @Test
    func `a route of each family crosses an internal session with LOCAL_PREF, an empty path and the right next hop`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.originate(a, block)
        net.originate(a, block6)
        net.peer(a, b)
        #expect(net.isUp(a, b) && net.isUp(b, a))
        let v4 = net.best(b, block)
        #expect(v4?.nextHop == net.nodes[a].address)
        #expect(v4?.localPref == 100)
        #expect(v4?.asPath == ASPath())
        #expect(net.best(b, block6)?.nextHop == IPAddress("2001:db8::a00:1"))
        net.withdraw(a, block)
        net.withdraw(a, block6)
        #expect(net.best(b, block) == nil && net.best(b, block6) == nil)
        #expect(net.prefixCount(b) == 0)
        #expect(net.attributeCount(b) == 0)
    }

    @Test
    func
        `an external session prepends the AS once, drops LOCAL_PREF, and sends only own routes (RFC 4271 5_1)`()
    {
        let net = Network()
        let node = net.add(1)
        let tor = net.add(2, as: 65000)
        let other = net.add(3)
        net.peer(node, tor)
        net.peer(node, other)
        net.originate(node, block) { $0.localPref = 500 }
        net.originate(other, prefix("10.65.3.0/26"))
        let seen = net.best(tor, block)
        #expect(seen?.asPath?.description == "64512")
        #expect(seen?.localPref == nil)
        #expect(seen?.nextHop == net.nodes[node].address)
        #expect(net.best(tor, prefix("10.65.3.0/26")) == nil)
        // What the ToR says goes on to internal peers with its next hop (5.1.3).
        net.originate(tor, prefix("10.9.0.0/24"))
        #expect(net.best(other, prefix("10.9.0.0/24"))?.nextHop == net.nodes[tor].address)
        #expect(net.best(other, prefix("10.9.0.0/24"))?.asPath?.description == "65000")
    }

    @Test func `transit is sent where it is asked for, without the neighbor's MED (RFC 4271 5_1_4)`() {
        let net = Network()
        let left = net.add(1, as: 65001)
        let middle = net.add(2)
        let right = net.add(3, as: 65003)
        net.peer(left, middle)
        net.peer(middle, right) { own, settings in if own == middle { settings.exportMode = .all } }
        net.originate(left, prefix("203.0.113.0/24")) { $0.multiExitDisc = 7 }
        #expect(net.best(middle, prefix("203.0.113.0/24"))?.multiExitDisc == 7)
        let far = net.best(right, prefix("203.0.113.0/24"))
        #expect(far?.asPath?.description == "64512 65001")
        #expect(far?.multiExitDisc == nil)
    }

    @Test func `our own AS in a path makes it ineligible, and it is kept (RFC 4271 9_1_2)`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2, as: 65000)
        net.peer(a, b)
        net.originate(b, prefix("203.0.113.0/24")) { $0.asPath = ASPath([64512, 9]) }
        #expect(net.best(a, prefix("203.0.113.0/24")) == nil)
        #expect(net.pathCount(a, prefix("203.0.113.0/24")) == 1)
    }

    @Test(
        arguments: [
            ("no-advertise", Community.noAdvertise, false, false), ("no-export", Community.noExport, true, false),
            ("subconfed", Community.noExportSubconfed, true, false),
            ("other", Community(1, 2), true, true),
        ] as [(String, Community, Bool, Bool)])
    func `well-known communities are in force without any policy (RFC 1997)`(
        name: String, community: Community, toInternal: Bool, toExternal: Bool
    ) {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        let c = net.add(3, as: 65000)
        net.peer(a, b)
        net.peer(a, c)
        net.originate(a, block) { $0.communities = [community] }
        #expect((net.best(b, block) != nil) == toInternal)
        #expect((net.best(c, block) != nil) == toExternal)
    }

    // MARK: Reflection (RFC 4456)

    @Test
    func `a client's route goes to everyone, a non-client's to clients only, with ORIGINATOR_ID and CLUSTER_LIST`() {
        let net = Network()
        let rr = net.add(9)
        let clients = [net.add(1), net.add(2)]
        let others = [net.add(3), net.add(4)]
        for client in clients { net.peer(rr, client) { own, settings in settings.isClient = own == rr } }
        for other in others { net.peer(rr, other) }
        net.originate(clients[0], block)
        net.originate(others[0], prefix("10.65.3.0/26"))
        for node in [clients[1], others[0], others[1]] {
            let seen = net.best(node, block)
            #expect(seen?.originatorID == BGPIdentifier(rawValue: net.nodes[clients[0]].address.v4))
            #expect(seen?.clusterList == [BGPIdentifier(rawValue: net.nodes[rr].address.v4)])
            #expect(seen?.nextHop == net.nodes[clients[0]].address)
            #expect(seen?.localPref == 100)
        }
        #expect(net.best(clients[0], prefix("10.65.3.0/26")) != nil)
        #expect(net.best(others[1], prefix("10.65.3.0/26")) == nil)
        // Split horizon: the source hears nothing of its own.
        #expect(net.pathCount(clients[0], block) == 1)
    }

    @Test(arguments: [true, false])
    func `two reflectors of one cluster or of two: no loop, no lost route`(sameCluster: Bool) {
        let net = Network()
        let left = net.add(8, cluster: sameCluster ? 77 : nil)
        let right = net.add(9, cluster: sameCluster ? 77 : nil)
        let clients = [net.add(1), net.add(2), net.add(3)]
        net.peer(left, right) { _, settings in settings.isClient = true }
        for client in clients {
            for rr in [left, right] { net.peer(rr, client) { own, settings in settings.isClient = own == rr } }
        }
        net.originate(clients[0], block)
        for node in [clients[1], clients[2]] {
            #expect(net.best(node, block)?.nextHop == net.nodes[clients[0]].address)
            #expect(net.pathCount(node, block) == 2)
        }
        // Our own ORIGINATOR_ID coming back is no candidate.
        net.withdraw(clients[0], block)
        for node in [left, right] + clients { #expect(net.pathCount(node, block) == 0) }
    }

    @Test func `when the best path moves from one client to another, both hear what they must and no more`() {
        let net = Network()
        let rr = net.add(9)
        let clients = [net.add(1), net.add(2), net.add(3)]
        for client in clients { net.peer(rr, client) { own, settings in settings.isClient = own == rr } }
        net.originate(clients[0], block) { $0.localPref = 200 }
        #expect(net.best(clients[1], block)?.nextHop == net.nodes[clients[0]].address)
        net.originate(clients[1], block) { $0.localPref = 300 }
        // The old best hears of the new one, and the new one loses what it had: it must not see its own route back.
        #expect(net.pathCount(clients[0], block) == 2)
        #expect(net.pathCount(clients[1], block) == 1)
        #expect(net.best(clients[2], block)?.nextHop == net.nodes[clients[1]].address)
        net.withdraw(clients[1], block)
        #expect(net.best(clients[1], block)?.nextHop == net.nodes[clients[0]].address)
        #expect(net.pathCount(clients[0], block) == 1)
    }

    // MARK: What is sent

    @Test func `an identical announcement is not sent again, and a route that was never sent is not withdrawn`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b)
        net.originate(a, block)
        _ = net.updates(a, b)
        net.originate(a, block)
        #expect(net.updates(a, b).isEmpty)
        // Announced and withdrawn between two turns: silence.
        var attributes = PathAttributes()
        attributes.origin = .igp
        attributes.asPath = ASPath()
        net.nodes[a].speaker.originate(prefix("10.65.9.0/26"), attributes)
        net.nodes[a].speaker.withdrawOwn(prefix("10.65.9.0/26"))
        net.settle()
        #expect(net.updates(a, b).isEmpty)
    }

    @Test func `a new peer gets the table and then End-of-RIB of each family, also of an empty one (RFC 4724 4_2)`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        for i in 0..<250 { net.originate(a, Prefix(IPAddress(v4: 0x0A41_0000 + UInt32(i) * 64), length: 26)) }
        net.peer(a, b)
        #expect(net.prefixCount(b) == 250)
        let updates = net.updates(a, b)
        #expect(updates.filter { $0 == UpdateMessage.endOfRIB(.ipv4) }.count == 1)
        #expect(updates.filter { $0 == UpdateMessage.endOfRIB(.ipv6) }.count == 1)
        let marker = updates.lastIndex(of: UpdateMessage.endOfRIB(.ipv4)) ?? 0
        #expect(!updates[(marker + 1)...].contains { $0.count > 30 })
        #expect(net.nodes[b].events.contains { if case .endOfRIB(.ipv4) = $0.1 { true } else { false } })
    }

    @Test func `a route refresh is answered with the whole table (RFC 2918 4)`() {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b)
        for i in 0..<100 { net.originate(a, Prefix(IPAddress(v4: 0x0A41_0000 + UInt32(i) * 64), length: 26)) }
        _ = net.updates(a, b)
        guard let peer = net.nodes[a].peers[b] else { return }
        let refresh = RouteRefreshMessage(AFISAFI(.ipv4)).encoded()
        for side in PeerFSM.Side.allCases {
            refresh.withBytes { net.nodes[a].speaker.received(peer, side, bytes: $0, now: net.now) }
        }
        net.settle()
        // 100 prefixes of five bytes each, in messages with their attributes.
        #expect(net.updates(a, b).reduce(0) { $0 + $1.count } > 500)
        #expect(net.prefixCount(b) == 100)
    }

    // MARK: Policy at run time

    @Test
    func
        `safe import refuses defaults, own blocks and martians, but takes a moved pod from an internal peer`()
    {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        let tor = net.add(3, as: 65000)
        net.peer(a, b)
        net.peer(a, tor)
        var policy = ImportPolicy()
        policy.ownBlocks = [block]
        net.nodes[a].speaker.setImportPolicy(policy)
        for (text, fromInternal, fromExternal) in [
            ("0.0.0.0/0", false, false), ("10.65.1.0/26", false, false), ("10.65.1.0/27", false, false),
            ("10.65.1.7/32", true, false),
            ("127.0.0.0/24", false, false), ("169.254.0.0/16", false, false), ("224.0.0.0/8", false, false),
            ("198.51.100.0/24", true, true),
        ] {
            net.originate(b, prefix(text))
            #expect((net.best(a, prefix(text)) != nil) == fromInternal, "\(text) from b")
            net.withdraw(b, prefix(text))
            net.originate(tor, prefix(text))
            #expect((net.best(a, prefix(text)) != nil) == fromExternal, "\(text) from the ToR")
            net.withdraw(tor, prefix(text))
        }
    }

    @Test func `import and export change on the running session, and nothing is reset`() throws {
        let net = Network()
        let a = net.add(1)
        let tor = net.add(2, as: 65000)
        let b = net.add(3)
        net.peer(a, tor)
        net.peer(a, b)
        net.originate(tor, .default(.ipv4))
        net.originate(b, prefix("10.65.3.0/26"))
        let peer = try #require(net.nodes[a].peers[tor])
        guard var settings = net.nodes[a].speaker.settings(peer) else { return }
        #expect(net.best(a, .default(.ipv4)) == nil)
        settings.importSettings.mode = .all
        settings.exportMode = .all
        net.nodes[a].speaker.updatePeer(peer, settings, now: net.now)
        net.settle()
        #expect(net.best(a, .default(.ipv4)) != nil)
        #expect(net.best(tor, prefix("10.65.3.0/26")) != nil)
        settings.importSettings.mode = .safe
        settings.exportMode = .own
        net.nodes[a].speaker.updatePeer(peer, settings, now: net.now)
        net.settle()
        #expect(net.best(a, .default(.ipv4)) == nil)
        #expect(net.best(tor, prefix("10.65.3.0/26")) == nil)
        #expect(net.timesEstablished(a, peer) == 1)
    }

    @Test func `too many prefixes end the session with Cease 1, and it comes back after the wait (RFC 4486)`() throws {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b) { own, settings in
            if own == a {
                settings.maximumPrefixes.limit = 3
                settings.maximumPrefixes.restartAfter = .seconds(60)
            }
        }
        for i in 0..<4 { net.originate(b, Prefix(IPAddress(v4: 0x0A41_0000 + UInt32(i) * 64), length: 26)) }
        #expect(!net.isUp(a, b))
        #expect(
            net.nodes[b].events.contains {
                if case .down(.notificationReceived(.hardReset(.maximumPrefixes(.ipv4, limit: 3)))) = $0.1 {
                    true
                } else {
                    false
                }
            })
        net.withdraw(b, Prefix(IPAddress(v4: 0x0A41_0000), length: 26))
        net.advance(59)
        #expect(!net.isUp(a, b))
        net.advance(70)
        #expect(net.isUp(a, b))
    }

    @Test(arguments: [PeerSettings.PrefixLimit.Action.restart, .idle])
    func `a changed prefix limit brings a peer back that was stopped by it, and no other change does`(
        action: PeerSettings.PrefixLimit.Action
    ) throws {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b) { own, settings in
            if own == a {
                settings.maximumPrefixes.limit = 3
                settings.maximumPrefixes.action = action
                settings.maximumPrefixes.restartAfter = .seconds(3600)
            }
        }
        for i in 0..<4 { net.originate(b, Prefix(IPAddress(v4: 0x0A41_0000 + UInt32(i) * 64), length: 26)) }
        #expect(!net.isUp(a, b))
        let peer = try #require(net.nodes[a].peers[b])
        guard var settings = net.nodes[a].speaker.settings(peer) else {
            Issue.record("the peer is gone")
            return
        }
        settings.minimumInterval = .seconds(1)
        net.nodes[a].speaker.updatePeer(peer, settings, now: net.now)
        net.advance(100)
        #expect(!net.isUp(a, b))
        settings.maximumPrefixes.limit = 4
        net.nodes[a].speaker.updatePeer(peer, settings, now: net.now)
        net.advance(100)
        #expect(net.isUp(a, b))
    }

    // MARK: A slow peer

    @Test func `a peer that does not read is left out, and then sent what it missed`() throws {
        let net = Network()
        let rr = net.add(9)
        let a = net.add(1)
        let slow = net.add(2)
        let quick = net.add(3)
        for client in [a, slow, quick] { net.peer(rr, client) { own, settings in settings.isClient = own == rr } }
        net.originate(a, block)
        net.originate(a, prefix("10.65.2.0/26"))
        let peer = try #require(net.nodes[rr].peers[slow])
        net.nodes[rr].speaker.setBacklogged(peer, true)
        net.withdraw(a, block)
        net.originate(a, prefix("10.65.3.0/26"))
        #expect(net.best(quick, prefix("10.65.3.0/26")) != nil)
        #expect(net.best(slow, block) != nil && net.best(slow, prefix("10.65.3.0/26")) == nil)
        net.nodes[rr].speaker.setBacklogged(peer, false)
        net.settle()
        #expect(net.best(slow, block) == nil)
        #expect(net.best(slow, prefix("10.65.2.0/26")) != nil)
        #expect(net.best(slow, prefix("10.65.3.0/26")) != nil)
    }
}
