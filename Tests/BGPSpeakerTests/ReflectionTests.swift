import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

@Suite struct HierarchyTests {
    @Test func `routes cross three levels of reflectors and come back to nobody (RFC 4456 7)`() {
        let net = Network()
        let top = net.add(1, cluster: 1)
        let middles = [net.add(11, cluster: 11), net.add(12, cluster: 12)]
        let leaves = (0..<4).map { net.add(21 + UInt32($0)) }
        for middle in middles { net.peer(top, middle) { own, settings in settings.isClient = own == top } }
        for (position, leaf) in leaves.enumerated() {
            net.peer(middles[position / 2], leaf) { own, settings in settings.isClient = middles.contains(own) }
        }
        for (position, leaf) in leaves.enumerated() {
            net.originate(leaf, Prefix(IPAddress(v4: 0x0A41_0000 + UInt32(position) * 64), length: 26))
        }
        for leaf in leaves { #expect(net.prefixCount(leaf) == 4) }
        let far = net.best(leaves[3], prefix("10.65.0.0/26"))
        #expect(far?.originatorID?.rawValue == net.nodes[leaves[0]].address.v4)
        #expect(far?.clusterList.map(\.rawValue) == [12, 1, 11])
        #expect(far?.nextHop == net.nodes[leaves[0]].address)
        net.withdraw(leaves[0], prefix("10.65.0.0/26"))
        for leaf in leaves { #expect(net.best(leaf, prefix("10.65.0.0/26")) == nil) }
    }
}

@Suite struct AddPathTests {
    /// A reflector with add-path to one client, and random routes of others: the client has exactly what it should,
    /// always.
    @Test(arguments: 0..<30 as Range<UInt64>)
    func `a client of many paths has the best ones at every moment, and a plain one the best`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let limit = Int(random.next() % 4) == 0 ? Int.max : 1 + Int(random.next() % 3)
        let net = Network()
        let reflector = net.add(1, cluster: 9)
        let sources = (0..<5).map { net.add(11 + UInt32($0)) }
        let many = net.add(21)
        let plain = net.add(22)
        for source in sources { net.peer(reflector, source) { own, settings in settings.isClient = own == reflector } }
        net.peer(reflector, many) { own, settings in
            settings.isClient = own == reflector
            settings.session.addPath.sends = own == reflector
            settings.session.addPath.receives = own == many
            settings.addPathLimit = limit
        }
        net.peer(reflector, plain) { own, settings in settings.isClient = own == reflector }
        let prefixes = (0..<4).map { Prefix(IPAddress(v4: 0x0A41_0000 + UInt32($0) * 64), length: 26) }
        var wanted: [Prefix: Set<Int>] = [:]
        for _ in 0..<200 {
            let source = Int(random.next() % 5)
            let chosen = prefixes[Int(random.next() % 4)]
            switch random.next() % 8 {
            case 0:
                net.disconnect(reflector, sources[source])
                net.advance(3)
            case 1, 2:
                net.withdraw(sources[source], chosen)
                wanted[chosen]?.remove(source)
            default:
                let preference = UInt32(100 + random.next() % 3)
                net.originate(sources[source], chosen) { $0.localPref = preference }
                wanted[chosen, default: []].insert(source)
            }
            for item in prefixes {
                let count = wanted[item]?.count ?? 0
                #expect(net.pathCount(many, item) == min(count, limit), "seed \(seed)")
                #expect((net.best(plain, item) != nil) == (count > 0), "seed \(seed)")
                #expect(net.best(many, item)?.nextHop == net.best(reflector, item)?.nextHop, "seed \(seed)")
                #expect(net.best(plain, item)?.nextHop == net.best(reflector, item)?.nextHop, "seed \(seed)")
            }
        }
    }

    @Test func `one peer cannot make us remember paths without bound`() throws {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b) { own, settings in
            settings.session.addPath.receives = own == a
            settings.session.addPath.sends = own == b
        }
        let peer = try #require(net.nodes[a].peers[b])
        for id in 0..<1000 as Range<UInt32> {
            var writer = ByteWriter()
            writer.beginMessage(.update)
            writer.u16(0)
            let attributes: [UInt8] = [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 0, 0, 2, 0x40, 5, 4, 0, 0, 0, 100]
            writer.u16(UInt16(attributes.count))
            writer.append(attributes)
            writer.u32(id)
            writer.append(block)
            writer.endMessage(at: 0)
            for side in PeerFSM.Side.allCases {
                writer.bytes.withBytes { net.nodes[a].speaker.received(peer, side, bytes: $0, now: net.now) }
            }
        }
        net.settle()
        #expect(net.pathCount(a, block) == PathTable.pathsPerPrefix)
        #expect(net.nodes[a].events.contains { if case .pathsRefused = $0.1 { true } else { false } })
        #expect(net.isUp(a, b))
    }
}
