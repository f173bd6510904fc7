import FIB
import NetTypes
import Testing

/// What the kernel's connected routes say of a peer and of a next hop.
@Suite struct PeerLinkTests {
    private static let eth0 = InterfaceIndex(rawValue: 2)
    private static let eth1 = InterfaceIndex(rawValue: 3)
    private let preferred = [IPAddress("10.0.0.1"), IPAddress("fd00::1")]

    private static func interfaces() -> InterfaceTable {
        var table = InterfaceTable()
        table.set(Interface(index: eth0, name: "eth0", isUp: true, hasCarrier: true))
        table.set(Interface(index: eth1, name: "eth1", isUp: true, hasCarrier: true))
        for (index, text, length) in [
            (eth0, "10.0.0.1", 24), (eth0, "fd00::1", 64), (eth0, "fe80::1", 64), (eth1, "192.0.2.1", 24),
            (eth1, "2001:db8::1", 64), (eth1, "fe80::2", 64),
        ] as [(InterfaceIndex, String, UInt8)] {
            table.add(InterfaceAddress(interface: index, address: address(text), prefixLength: length))
        }
        return table
    }

    private static func route(_ text: String, _ gateway: String?, _ index: InterfaceIndex) -> ForeignRoute {
        ForeignRoute(
            prefix: prefix(text), metric: 0, routeProtocol: 2,
            nextHops: [FIBNextHop(gateway: gateway.map { address($0) }, interface: index, isOnlink: false)])
    }

    private static func routes() -> ForeignRoutes {
        var routes = ForeignRoutes(seed: 1)
        routes.insert(route("10.0.0.0/24", nil, eth0))
        routes.insert(route("fd00::/64", nil, eth0))
        routes.insert(route("192.0.2.0/24", nil, eth1))
        routes.insert(route("2001:db8::/64", nil, eth1))
        routes.insert(route("198.51.100.0/24", "10.0.0.254", eth0))
        routes.insert(route("0.0.0.0/0", "10.0.0.254", eth0))
        return routes
    }

    @Test func `a peer on the second link is on a link, and our addresses there are those of that link`() {
        let link = NextHopTable().link(
            to: address("192.0.2.2"), local: address("10.0.0.1"), preferred: preferred, Self.interfaces(), Self.routes()
        )
        #expect(link.interface == Self.eth1)
        #expect(link.addresses == [address("192.0.2.1"), address("2001:db8::1")])
    }

    @Test func `a peer on the Node's own link gets the Node's addresses, whatever others the interface has`() {
        var interfaces = Self.interfaces()
        interfaces.add(InterfaceAddress(interface: Self.eth0, address: address("10.0.0.0"), prefixLength: 32))
        interfaces.add(InterfaceAddress(interface: Self.eth0, address: address("fd00::"), prefixLength: 128))
        let link = NextHopTable().link(
            to: address("fd00::2"), local: nil, preferred: preferred, interfaces, Self.routes())
        #expect(link.interface == Self.eth0 && link.addresses == preferred)
    }

    @Test(arguments: ["198.51.100.7", "203.0.113.1"])
    func `a peer behind a gateway is on no link, and the interface of our end of the session shows our addresses`(
        peer: String
    ) {
        let link = NextHopTable().link(
            to: address(peer), local: address("192.0.2.1"), preferred: preferred, Self.interfaces(), Self.routes())
        #expect(!link.isOnLink && link.addresses == [address("192.0.2.1"), address("2001:db8::1")])
        for local in [nil, preferred[0]] {
            #expect(
                NextHopTable().link(
                    to: address(peer), local: local, preferred: preferred, Self.interfaces(), Self.routes()
                ).addresses == [nil, nil])
        }
    }

    @Test
    func
        `a default route without a gateway puts nobody on a link, and a route that is more specific than the subnet takes a peer off it`()
    {
        var routes = Self.routes()
        routes.insert(Self.route("0.0.0.0/0", nil, Self.eth1))
        #expect(
            !NextHopTable().link(
                to: address("203.0.113.1"), local: nil, preferred: preferred, Self.interfaces(), routes
            ).isOnLink)
        routes.insert(Self.route("192.0.2.2/32", "10.0.0.254", Self.eth0))
        #expect(
            !NextHopTable().link(to: address("192.0.2.2"), local: nil, preferred: preferred, Self.interfaces(), routes)
                .isOnLink)
    }

    @Test func `a pod is on its own link, and a peer with a static route of ours is behind its gateway`() {
        var table = NextHopTable()
        table.locals[address("10.65.0.7")] = Self.eth1
        table.statics[address("192.0.2.2")] = address("10.0.0.254")
        #expect(
            table.link(to: address("10.65.0.7"), local: nil, preferred: preferred, Self.interfaces(), Self.routes())
                .interface == Self.eth1)
        #expect(
            !table.link(to: address("192.0.2.2"), local: nil, preferred: preferred, Self.interfaces(), Self.routes())
                .isOnLink)
    }

    @Test
    func
        `a next hop is on a link, routed, or reached by the default route alone, and a change of that is reported though the attributes is the same`()
    {
        var table = NextHopTable()
        let hop = address("198.51.100.7")
        #expect(
            table.track(address("192.0.2.9"), interfaces: Self.interfaces(), routes: Self.routes()).place == .onLink)
        #expect(table.track(hop, interfaces: Self.interfaces(), routes: Self.routes()).place == .routed)
        #expect(
            table.track(address("203.0.113.1"), interfaces: Self.interfaces(), routes: Self.routes()).place
                == .byDefault)
        var routes = Self.routes()
        routes.remove(Self.route("198.51.100.0/24", "10.0.0.254", Self.eth0))
        let changes = table.refresh(Self.interfaces(), routes)
        #expect(changes.map(\.address) == [hop] && changes.first?.resolution.place == .byDefault)
        #expect(changes.first?.before.nextHops == changes.first?.resolution.nextHops)
    }

    @Test func `of many changed prefixes each peer is asked for, and beyond a limit all are`() {
        var changes = LinkChanges()
        changes.note(prefix("0.0.0.0/0"))
        changes.note(prefix("fe80::/64"))
        #expect(changes.isEmpty)
        changes.note(prefix("192.0.2.0/24"))
        #expect(changes.concern(address("192.0.2.2")) && !changes.concern(address("10.0.0.2")))
        for number in 0...UInt32(LinkChanges.limit) { changes.note(Prefix(host: IPAddress(v4: number + 1))) }
        #expect(changes.concern(address("10.0.0.2")))
    }
}
