import FIB
import NetTypes
import Planning
import Resources
import Testing

/// What the resources say of a node's own routes, and of its tunnels.
@Suite struct NodeStateTests {
    private static func node(_ name: String, _ last: Int, _ more: String = "") -> String {
        object("Node", name, "bgp: {ipv4Address: 10.0.\(last).1/24}, podCIDRs: [10.65.\(last).0/24]\(more)")
    }
    private static func pool(_ more: String) -> String { object("IPPool", "p", "cidr: 10.65.0.0/16\(more)") }

    private static func endpoint(_ interface: String) -> String {
        "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: w, namespace: d}\n"
            + "spec: {node: n, interfaceName: \(interface), ipNetworks: [10.65.1.9/32]}\n---\n"
    }

    @Test func `a block in a pool with disableBGPExport is ours, and is not announced`() {
        #expect(NodeState(load(Self.node("n", 1) + Self.pool("")), node: "n").own.blocks.map(\.isExported) == [true])
        #expect(
            NodeState(load(Self.node("n", 1) + Self.pool(", disableBGPExport: true")), node: "n").own.blocks.map(
                \.isExported) == [false])
    }

    @Test func `another node has neither our pods nor our blocks`() {
        let text = Self.node("n", 1) + Self.node("m", 2)
        let resources = load(text + Self.endpoint("cali1"))
        let states = ["n", "m"].map { NodeState(resources, node: $0) }
        let whole = ResourceChange(whole: LoadedConfiguration(resources: resources, secrets: Secrets()))
        #expect(["n", "m"].map { NodeChange(whole, node: $0).endpoints.count } == [1, 0])
        #expect(states.map { $0.own.blocks.map { "\($0.prefix)" } } == [["10.65.1.0/24"], ["10.65.2.0/24"]])
    }

    @Test func `a change carries the endpoints of this node that came, changed, moved and went, with their origin`() {
        func loaded(_ text: String) -> LoadedConfiguration {
            LoadedConfiguration(resources: load(Self.node("n", 1) + Self.node("m", 2) + text), secrets: Secrets())
        }
        let (none, first, second) = (loaded(""), loaded(Self.endpoint("cali1")), loaded(Self.endpoint("cali2")))
        let whole = NodeChange(ResourceChange(whole: first), node: "n")
        #expect(whole.isWhole && whole.state != nil && whole.endpoints.map(\.endpoint?.interfaceName) == ["cali1"])
        let change = ResourceChange(from: first, to: second)
        #expect(change.isOfEndpointsAlone && change.items.count == 1)
        if case .file(_, let line)? = change.items.first?.origin { #expect(line > 1) }
        let small = NodeChange(change, node: "n")
        #expect(small.state == nil && !small.isWhole && small.endpoints.map(\.endpoint?.interfaceName) == ["cali2"])
        #expect(NodeChange(change, node: "m").endpoints.isEmpty)
        let gone = NodeChange(ResourceChange(from: second, to: none), node: "n")
        #expect(gone.state == nil && gone.endpoints.count == 1 && gone.endpoints.first?.endpoint == nil)
        let moved = ResourceChange(
            from: first, to: loaded(Self.endpoint("cali1").replacing("node: n", with: "node: m")))
        #expect(NodeChange(moved, node: "n").endpoints.map { $0.endpoint == nil } == [true])
        #expect(NodeChange(moved, node: "m").endpoints.map(\.endpoint?.interfaceName) == ["cali1"])
    }

    @Test
    func
        `an encapsulated pool makes a device of this node and ends of the others, and none where somebody else writes the routes`()
        throws
    {
        let text =
            Self.node("n", 1, ", ipv4VXLANTunnelAddr: 10.65.1.1")
            + Self.node("m", 2, ", ipv4VXLANTunnelAddr: 10.65.2.1")
        let resources = load(text + Self.pool(", vxlanMode: CrossSubnet"))
        let tunnels = NodeState(resources, node: "n").tunnels
        let device = try #require(tunnels.devices.first)
        #expect(tunnels.devices.count == 1 && device.kind == .vxlanIPv4 && device.address == IPAddress("10.65.1.1"))
        let end = try #require(tunnels.encapsulation.endpoints[.vxlanIPv4]?.values.first)
        #expect(end.underlay == IPAddress("10.0.2.1") && end.gateway == IPAddress("10.65.2.1"))
        // 66 and the first five bytes of the SHA-1 of the name: what Calico's nodes expect of each other.
        #expect(end.mac?.description.hasPrefix("66:") == true && end.mac != device.mac)
        #expect(tunnels.encapsulation.pools.first?.isCrossSubnet == true)
        #expect(NodeState(resources, node: "n", programming: .local).tunnels == TunnelSettings())
        #expect(NodeState(resources, node: "n", programming: .remote).tunnels.devices.isEmpty)
    }

    @Test func `tables and source addresses go by pool, and by the addresses of a peer`() throws {
        let text =
            Self.node("n", 1) + Self.pool(", routeTable: 100, routeSourceAddress: 10.0.1.1")
            + object("BGPPeer", "up", "peerIP: 10.0.1.254, asNumber: 65000, routeTable: 7")
        let resources = load(text)
        #expect(resources.problems.isEmpty, "\(resources.problems)")
        let state = NodeState(resources, node: "n")
        #expect(
            state.placement.pools.map(\.placement.table) == [100]
                && state.placement.pools.map(\.placement.source) == [IPAddress("10.0.1.1")])
        #expect(state.placement.peers.map(\.peers) == [Prefix(host: try #require(IPAddress("10.0.1.254")))])
        #expect(state.placement.peers.map(\.placement.table) == [7])
    }

    @Test func `all addresses of a Node belong together`() throws {
        let state = NodeState(
            load(object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}")), node: "n")
        let both = try [#require(IPAddress("10.0.0.1")), #require(IPAddress("fd00::1"))]
        let stranger = try #require(IPAddress("10.9.9.9"))
        #expect(state.addresses(ofNodeWith: both[1]) == both && state.addresses(ofNodeWith: stranger) == [stranger])
    }
}
