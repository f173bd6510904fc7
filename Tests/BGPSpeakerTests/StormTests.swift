import BGPMessages
import BGPRouting
import BGPSpeaker
import NetTypes
import Testing

/// Clients that come while routes come and go: nobody misses a change, nobody keeps what is gone.
@Suite struct StormTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `clients that join a reflector during churn end with the table of all others`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let net = Network()
        let reflector = net.add(1)
        let sources = (0..<3).map { net.add(10 + $0) }
        for source in sources { net.peer(reflector, source) { own, settings in settings.isClient = own == reflector } }
        var live: [Prefix: Int] = [:]
        func change() {
            let number = UInt32(random.next() % 120)
            let prefix = Prefix(IPAddress(v4: 0x0B00_0000 + number << 8), length: 24)
            let source = sources[Int(number) % sources.count]
            if live[prefix] != nil, random.next() % 3 == 0 {
                net.withdraw(source, prefix)
                live[prefix] = nil
            } else {
                let preference = UInt32(random.next() % 50)
                net.originate(source, prefix) { $0.localPref = preference }
                live[prefix] = Int(preference)
            }
        }
        net.isSettling = false
        for _ in 0..<200 { change() }
        net.settle()
        // Forty clients, a few at a time, with replays of seven prefixes a turn and changes in every turn.
        var clients: [Int] = []
        for step in 0..<300 {
            if step % 5 == 0, clients.count < 40 {
                let client = net.add(100 + UInt32(clients.count))
                clients.append(client)
                net.peer(reflector, client) { own, settings in settings.isClient = own == reflector }
            }
            change()
            net.turn(decideBudget: 5, replayBudget: 7)
        }
        net.settle()
        for client in clients {
            #expect(net.isUp(reflector, client), "seed \(seed)")
            #expect(net.prefixCount(client) == live.count, "seed \(seed), client \(client)")
            for (prefix, preference) in live {
                let best = net.best(client, prefix)
                #expect(best?.localPref == UInt32(preference), "seed \(seed), client \(client), \(prefix)")
            }
        }
    }

    @Test
    func `forty clients that announce at once hear of all the others, in joined buffers, and never of themselves`() {
        let net = Network()
        let reflector = net.add(1)
        let clients = (0..<40).map { net.add(10 + $0) }
        for client in clients { net.peer(reflector, client) { own, settings in settings.isClient = own == reflector } }
        func prefix(_ client: Int) -> Prefix { Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(client) << 8), length: 24) }
        let before = clients.map { client in
            net.nodes[reflector].peers[client].map { net.nodes[reflector].messages[$0]?.count ?? 0 } ?? 0
        }
        net.isSettling = false
        for client in clients { net.originate(client, prefix(client)) }
        net.settle()
        for (position, client) in clients.enumerated() {
            #expect(net.prefixCount(client) == 40)
            // Its own route is there once: as its own.
            #expect(clients.allSatisfy { net.pathCount(client, prefix($0)) == 1 })
            #expect(net.best(client, prefix(client))?.originatorID == nil)
            let sent = net.nodes[reflector].peers[client].map { net.nodes[reflector].messages[$0]?.count ?? 0 } ?? 0
            #expect(sent - before[position] <= 4, "39 routes came in \(sent - before[position]) buffers")
        }
        for client in clients { net.withdraw(client, prefix(client)) }
        net.settle()
        #expect(clients.allSatisfy { net.prefixCount($0) == 0 })
    }
}
