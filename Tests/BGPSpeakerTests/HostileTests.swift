import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

@Suite struct HostileTests {
    @Test
    func `every truncation of an UPDATE, with a true or a lying length, leaves the speaker and its other session up`()
        throws
    {
        for lies in [false, true] {
            let net = Network()
            let victim = net.add(1)
            let hostile = net.add(2)
            let friend = net.add(3)
            net.peer(victim, hostile)
            net.peer(victim, friend)
            net.originate(hostile, block) {
                $0.communities = [Community(1, 2)]
                $0.multiExitDisc = 5
            }
            net.originate(hostile, block6)
            let whole = net.updates(hostile, victim).filter { $0.count > 30 }
            #expect(whole.count == 2)
            let peer = try #require(net.nodes[victim].peers[hostile])
            for message in whole {
                for length in 19..<message.count {
                    var cut = Array(message[..<length])
                    if !lies { (cut[16], cut[17]) = (UInt8(length >> 8), UInt8(length & 255)) }
                    for side in PeerFSM.Side.allCases {
                        cut.withBytes { net.nodes[victim].speaker.received(peer, side, bytes: $0, now: net.now) }
                    }
                    net.settle()
                    if !net.isUp(victim, hostile) || lies { net.advance(100) }
                }
            }
            #expect(net.isUp(victim, friend))
            net.advance(100)
            #expect(net.isUp(victim, hostile))
        }
    }

    /// 40 seeds of 5,000 messages: 200,000.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `mutated messages never crash the speaker, its memory is bounded, and its other sessions converge`(
        seed: UInt64
    ) throws {
        let net = Network()
        let victim = net.add(1)
        let hostile = net.add(2)
        let friend = net.add(3)
        // Every other seed with all the capabilities.
        let isRich = seed % 2 == 1
        net.peer(victim, hostile) { own, settings in
            settings.session.addPath.receives = isRich
            settings.session.addPath.sends = isRich
            settings.session.offersExtendedNextHop = isRich
            settings.session.restart.longLivedStaleTime = isRich ? 100 : nil
            settings.session.idleHoldTime = .milliseconds(100)
            settings.isClient = own == victim && isRich
        }
        net.peer(victim, friend)
        for i in 0..<20 {
            net.originate(hostile, Prefix(IPAddress(v4: 0x0A41_0000 + UInt32(i) * 64), length: 26)) {
                $0.communities = [Community(1, UInt16(i))]
            }
        }
        net.originate(hostile, block6)
        var templates = net.updates(hostile, victim)
        for subtype in 0...2 as ClosedRange<UInt8> {
            templates.append(RouteRefreshMessage(AFISAFI(.ipv4), subtype: subtype).encoded())
        }
        templates.append(NotificationMessage.administrativeShutdown("bye").encoded())
        templates.append(
            OpenMessage(
                asNumber: ASNumber(64512), holdTime: 90, identifier: BGPIdentifier(rawValue: 7),
                capabilities: [.routeRefresh]
            ).encoded())
        var random = SeededRandom(seed: seed)
        let peer = try #require(net.nodes[victim].peers[hostile])
        for _ in 0..<5000 {
            var message = templates[Int(random.next() % UInt64(templates.count))]
            for _ in 0..<(1 + random.next() % 4) {
                let position = 16 + Int(random.next() % UInt64(message.count - 16))
                switch random.next() % 3 {
                case 0: message[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: message[position] ^= 1 << UInt8(random.next() % 8)
                default: if message.count > 24 { message.remove(at: position) }
                }
            }
            // Mostly a true length, so that the damage is found deeper.
            if random.next() % 4 != 0 {
                message[16] = UInt8(message.count >> 8)
                message[17] = UInt8(message.count & 255)
            }
            for side in PeerFSM.Side.allCases {
                message.withBytes { net.nodes[victim].speaker.received(peer, side, bytes: $0, now: net.now) }
            }
            net.settle()
            if !net.isUp(victim, hostile) { net.advance(70) }
        }
        net.originate(friend, prefix("10.99.0.0/24"))
        #expect(net.best(victim, prefix("10.99.0.0/24")) != nil, "seed \(seed)")
        #expect(net.isUp(victim, friend))
        #expect(net.prefixCount(victim) < 20_000 && net.attributeCount(victim) < 20_000, "seed \(seed)")
        // What it left goes with it.
        net.nodes[victim].speaker.removePeer(peer, now: net.now)
        net.settle()
        net.withdraw(friend, prefix("10.99.0.0/24"))
        #expect(
            net.attributeCount(victim) == 0 && net.prefixCount(victim) == 0 && net.prefixCount(victim, .ipv6) == 0,
            "seed \(seed)")
    }
}
