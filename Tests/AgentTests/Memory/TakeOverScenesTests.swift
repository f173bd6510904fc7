import FIB
import NetTypes
import Testing

/// A host that moves from BIRD and Felix to Apus, with what they left in its kernel.
@Suite struct TakeOverScenesTests {
    private struct Host {
        let pair: ForwardingScenesTests.Pair
        let gateway: IPAddress
        var n: MemoryNode { pair.n }

        init(_ predecessors: Set<Predecessor>) throws {
            pair = try ForwardingScenesTests.Pair(
                "\n---\n" + MemoryNetwork.endpoint("a", "n", "10.65.1.7") + "\n---\n"
                    + MemoryNetwork.endpoint("d", "n", "10.65.1.9"))
            gateway = try #require(IPAddress("10.0.0.2"))
            pair.has("10.65.2.0/26", "10.0.0.2")
            // As if Calico had run here: the daemon and its routes are gone, theirs stand there.
            n.kill()
            for route in n.host.routes.own.values { n.host.deleteOwn(route.prefix, metric: route.metric) }
            for name in ["calia", "calib"] { n.host.addInterface(name) }
            let lan = try #require(n.host.index(of: "eth0"))
            func add(_ text: String, _ metric: UInt32, _ number: UInt8, _ hops: [FIBNextHop]) throws {
                let prefix = try #require(Prefix(text))
                n.host.addForeign(
                    ForeignRoute(prefix: prefix, metric: metric, routeProtocol: number, nextHops: hops))
            }
            let out = [FIBNextHop(gateway: gateway, interface: lan, isOnlink: false)]
            try add("10.65.2.0/26", 1024, 12, out)
            try add("10.65.1.0/26", 1024, 12, [])
            try add("10.65.77.0/26", 1024, 12, out)
            try add("10.65.78.0/26", 0, 80, out)
            try add("10.77.0.0/16", 0, 4, out)
            for (name, pod) in [("calia", "10.65.1.7/32"), ("calib", "10.65.1.8/32")] {
                let index = try #require(n.host.index(of: name))
                try add(pod, 0, 3, [FIBNextHop(gateway: nil, interface: index, isOnlink: false)])
            }
            n.takeOver = TakeOver(predecessors)
            try n.start(now: pair.network.now)
        }

        /// Foreign routes: `prefix protocol`.
        var foreign: Set<String> {
            Set(
                n.host.routes.foreign.values.filter { $0.routeProtocol != 2 }.map {
                    "\($0.prefix) \($0.routeProtocol)"
                })
        }
    }

    @Test func `with both named ours stand in their places, and the rest is removed`() throws {
        let host = try Host([.bird, .felix])
        // The route of the live pod that no endpoint names stays, as do routes of the administrator.
        let isClean = host.pair.network.run(.seconds(150)) { host.foreign == ["10.77.0.0/16 4", "10.65.1.8/32 3"] }
        #expect(isClean, "\(host.foreign)")
        #expect(host.n.kernelRoutes["10.65.2.0/26"] == "10.0.0.2")
        #expect(host.n.kernelRoutes["10.65.1.0/26"] == "blackhole")
        #expect(host.n.kernelRoutes["10.65.1.7/32"] == "calia")
        // What comes later is foreign: it is not fought.
        let block = try #require(Prefix("10.65.2.0/26"))
        let lan = try #require(host.n.host.index(of: "eth0"))
        host.n.host.addForeign(
            ForeignRoute(
                prefix: block, metric: 1024, routeProtocol: 12,
                nextHops: [FIBNextHop(gateway: host.gateway, interface: lan, isOnlink: false)]), replaces: true)
        host.pair.network.run(for: .seconds(5))
        #expect(host.foreign.contains("10.65.2.0/26 12") && host.n.kernelRoutes["10.65.2.0/26"] == nil)
    }

    @Test func `while a peer may still send its table, nothing that it may announce is removed`() throws {
        let host = try Host([.bird])
        host.pair.network.nodes["m"]?.kill()
        host.pair.network.run(for: .seconds(30))
        #expect(host.foreign.contains("10.65.2.0/26 12") && host.foreign.contains("10.65.77.0/26 12"))
    }

    @Test func `without the option theirs are foreign, and stay`() throws {
        let host = try Host([])
        let before = host.foreign
        host.pair.network.run(for: .seconds(150))
        #expect(host.foreign == before && before.count == 7)
        #expect(host.n.kernelRoutes["10.65.2.0/26"] == nil)
    }
}
