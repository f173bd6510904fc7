import FIB
import NetTypes
import Testing

@Suite struct NextHopTests {
    static func interfaces() -> InterfaceTable {
        var table = InterfaceTable()
        table.set(Interface(index: InterfaceIndex(rawValue: 2), name: "eth0", isUp: true, hasCarrier: true))
        table.set(Interface(index: InterfaceIndex(rawValue: 3), name: "eth1", isUp: true, hasCarrier: false))
        table.add(
            InterfaceAddress(
                interface: InterfaceIndex(rawValue: 2), address: IPAddress(v4: 0x0A00_0101), prefixLength: 24))
        return table
    }
    static func routes() -> ForeignRoutes {
        var routes = ForeignRoutes(seed: 1)
        routes.insert(
            ForeignRoute(
                prefix: prefix("10.0.1.0/24"), metric: 0, routeProtocol: 2,
                nextHops: [FIBNextHop(gateway: nil, interface: InterfaceIndex(rawValue: 2), isOnlink: false)]))
        routes.insert(
            ForeignRoute(
                prefix: .default(.ipv4), metric: 100, routeProtocol: 16,
                nextHops: [
                    FIBNextHop(
                        gateway: IPAddress(v4: 0x0A00_01FE), interface: InterfaceIndex(rawValue: 2), isOnlink: false)
                ]))
        routes.insert(ForeignRoute(prefix: prefix("10.7.0.0/16"), metric: 0, routeProtocol: 4, nextHops: []))
        routes.insert(
            ForeignRoute(
                prefix: prefix("10.8.0.0/16"), metric: 0, routeProtocol: 4,
                nextHops: [
                    FIBNextHop(
                        gateway: IPAddress(v4: 0x0A09_0001), interface: InterfaceIndex(rawValue: 3), isOnlink: false)
                ]))
        return routes
    }

    @Test
    func `a neighbor is reached directly, others through the route that leads there, and a dead link not at all`() {
        func resolve(_ text: String) -> NextHopResolution {
            NextHopTable.resolve(IPAddress(text) ?? .any(.ipv4), interfaces: Self.interfaces(), routes: Self.routes())
        }
        #expect(resolve("10.0.1.2") == NextHopResolution(nextHops: [hop("10.0.1.2")], cost: 0, place: .onLink))
        #expect(resolve("192.0.2.1") == NextHopResolution(nextHops: [hop("10.0.1.254")], cost: 100, place: .byDefault))
        #expect(!resolve("10.7.0.1").isReachable)
        #expect(!resolve("10.8.0.1").isReachable)
        #expect(!resolve("10.0.1.1").isReachable, "our own address")
        #expect(!resolve("2001:db8::1").isReachable)
        #expect(
            !resolve("10.0.1.0").isReachable && !resolve("10.0.1.255").isReachable,
            "no hosts of the subnet (RFC 4271 6.3)")
    }

    @Test func `a change of the kernel's routes is reported for the next hops that it concerns`() {
        var table = NextHopTable()
        var routes = Self.routes()
        let interfaces = Self.interfaces()
        let far = IPAddress(v4: 0xC000_0201)
        _ = table.track(far, interfaces: interfaces, routes: routes)
        _ = table.track(IPAddress(v4: 0x0A00_0102), interfaces: interfaces, routes: routes)
        routes.remove(ForeignRoute(prefix: .default(.ipv4), metric: 100, routeProtocol: 16, nextHops: []))
        let changed = table.refresh(interfaces, routes)
        #expect(changed.map(\.address) == [far])
        #expect(table[far]?.isReachable == false)
        #expect(table.refresh(interfaces, routes).isEmpty)
    }

    @Test func `a group that lost a member is no difference once BGP wants the same`() {
        let lab = Lab()
        lab.tracker.releaseFound()
        let both = [hop("10.0.1.1"), hop("10.0.1.2")]
        for index in 0..<4 {
            let target = prefix("10.0.\(index).0/26")
            lab.tracker.setDesired(target, FIBRoute(prefix: target, kind: .unicast, metric: 1024, nextHops: both))
        }
        lab.tracker.setDesired(prefix("10.9.0.0/26"), route("10.9.0.0/26", hop("10.0.1.2")))
        lab.run()
        // The kernel's groups have one member now.
        lab.tracker.kernelChanged(both, to: [hop("10.0.1.2")])
        #expect(lab.run().isEmpty, "nothing is written back before BGP has decided")
        for index in 0..<3 {
            let target = prefix("10.0.\(index).0/26")
            lab.tracker.setDesired(
                target, FIBRoute(prefix: target, kind: .unicast, metric: 1024, nextHops: [hop("10.0.1.2")]))
        }
        #expect(lab.run().isEmpty, "what BGP wants is there")
        #expect(lab.isInstalled(prefix("10.0.0.0/26")) && !lab.isInstalled(prefix("10.0.3.0/26")))
        // Who still wants both gets them.
        lab.tracker.markDifferences()
        #expect(lab.run().count == 1)
        #expect(lab.isInstalled(prefix("10.0.3.0/26")))
    }

    @Test func `a next hop is dead when nothing leads by it any more`() {
        var interfaces = InterfaceTable()
        interfaces.set(Interface(index: InterfaceIndex(rawValue: 2), name: "eth0", isUp: true, hasCarrier: true))
        var foreign = ForeignRoutes(seed: 1)
        func add(_ text: String, _ gateway: String?) {
            foreign.insert(ForeignRoute(prefix: prefix(text), metric: 0, routeProtocol: 4, nextHops: [hop(gateway)]))
        }
        add("10.1.0.0/24", "10.0.0.1")
        add("10.2.0.0/24", "10.0.0.1")
        var table = NextHopTable()
        for text in ["10.1.0.9", "10.2.0.9"] {
            #expect(table.track(address(text), interfaces: interfaces, routes: foreign).isReachable)
        }
        // One of the two that lead by 10.0.0.1 goes another way: the way itself lives.
        add("10.1.0.0/24", "10.0.0.7")
        let first = table.refresh(interfaces, foreign)
        #expect(first.count == 1 && table.dead(first).isEmpty)
        add("10.2.0.0/24", "10.0.0.7")
        let second = table.refresh(interfaces, foreign)
        #expect(table.dead(second) == [hop("10.0.0.1")])
    }
}
