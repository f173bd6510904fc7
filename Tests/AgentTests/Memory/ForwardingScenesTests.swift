import BGPRouting
import BGPSpeaker
import FIB
import ForwardingPlane
import NetTypes
import Planning
import Testing

@testable import Node

/// What forwarding does when pods, links, routes and peers change, with whole agents on hosts in memory.
@Suite struct ForwardingScenesTests {
    /// Two nodes of a mesh on one link, each with a block.
    struct Pair {
        let network = MemoryNetwork()
        var n: MemoryNode { network.nodes["n"] ?? MemoryNode("n", files: [:]) }
        var m: MemoryNode { network.nodes["m"] ?? MemoryNode("m", files: [:]) }

        init(_ more: String = "", programming: Programming = .all) throws {
            for name in ["n", "m"] {
                let node = network.add(MemoryNode(name, files: ["r.yaml": Pair.resources + more]))
                node.programming = name == "n" ? programming : .all
            }
            try network.attach("n", "lan", interface: "eth0", "10.0.0.1/24")
            try network.attach("m", "lan", interface: "eth0", "10.0.0.2/24")
            for node in network.nodes.values { try node.start(now: network.now) }
            let network = network
            let isUp = network.run { network.nodes["n"]?.established == ["10.0.0.2"] }
            try #require(isUp)
        }

        private static let resources = """
            apiVersion: projectcalico.org/v3
            kind: IPPool
            metadata: {name: pods}
            spec: {cidr: 10.65.0.0/16}
            ---
            apiVersion: projectcalico.org/v3
            kind: Node
            metadata: {name: n}
            spec: {bgp: {ipv4Address: 10.0.0.1/24}}
            ---
            apiVersion: projectcalico.org/v3
            kind: Node
            metadata: {name: m}
            spec: {bgp: {ipv4Address: 10.0.0.2/24}}
            ---
            \(block("n", "10.65.1.0/26"))
            ---
            \(block("m", "10.65.2.0/26"))

            """

        static func block(_ node: String, _ cidr: String) -> String {
            """
            apiVersion: projectcalico.org/v3
            kind: BlockAffinity
            metadata: {name: b-\(cidr.replacing("/", with: "-"))}
            spec: {node: \(node), cidr: \(cidr), state: confirmed}
            """
        }

        /// Waits until a route of ours in n's kernel is this; nil for none.
        func has(_ prefix: String, _ route: String?, _ comment: Comment? = nil) {
            let holds = network.run(.seconds(20)) { n.kernelRoutes[prefix] == route }
            #expect(holds, comment ?? "\(prefix) is \(n.kernelRoutes[prefix] ?? "not there")")
        }
        func peerHas(_ prefix: String, _ route: String?) {
            let holds = network.run(.seconds(20)) { m.kernelRoutes[prefix] == route }
            #expect(holds, "\(prefix) is \(m.kernelRoutes[prefix] ?? "not there") at the peer")
        }
    }

    @Test func `a pod's route follows its interface: late, early, set down, gone and back under another index`() throws
    {
        let pair = try Pair()
        // The endpoint comes first.
        pair.n.files["a.yaml"] = MemoryNetwork.endpoint("a", "n", "10.65.1.7")
        pair.network.run(for: .seconds(1))
        #expect(pair.n.kernelRoutes["10.65.1.7/32"] == nil)
        try pair.network.addPod("a", "n", "10.65.1.7", declares: false)
        pair.has("10.65.1.7/32", "calia")
        #expect(pair.n.host.sysctls["net/ipv4/conf/calia/proxy_arp"] == "1")
        #expect(pair.n.host.sysctls["net/ipv4/conf/calia/route_localnet"] == "0")
        // The interface comes first.
        try pair.network.addPod("b", "n", "10.65.1.8", declares: false)
        pair.n.files["b.yaml"] = MemoryNetwork.endpoint("b", "n", "10.65.1.8")
        pair.has("10.65.1.8/32", "calib")
        pair.n.host.setUp("calia", false)
        pair.has("10.65.1.7/32", nil)
        pair.n.host.setUp("calia", true)
        pair.has("10.65.1.7/32", "calia")
        let before = pair.n.host.index(of: "calia")
        pair.n.host.removeInterface("calia")
        pair.has("10.65.1.7/32", nil)
        pair.n.host.addInterface("calia")
        pair.has("10.65.1.7/32", "calia")
        #expect(pair.n.host.index(of: "calia") != before)
        pair.n.files["a.yaml"] = nil
        pair.has("10.65.1.7/32", nil)
    }

    @Test func `what others delete or replace of ours is put back, and nothing foreign is touched`() throws {
        let pair = try Pair()
        pair.has("10.65.2.0/26", "10.0.0.2")
        let (prefix, other) = (try #require(Prefix("10.65.2.0/26")), try #require(Prefix("10.77.0.0/16")))
        let index = try #require(pair.n.host.index(of: "eth0"))
        let gateway: IPAddress = try #require(IPAddress("10.0.0.9"))
        let foreign = ForeignRoute(
            prefix: other, metric: 0, routeProtocol: 4,
            nextHops: [FIBNextHop(gateway: gateway, interface: index, isOnlink: false)])
        pair.n.host.addForeign(foreign)
        for isReported in [true, false] {
            pair.n.host.deleteOwn(prefix, metric: 1024, isReported: isReported)
            // Without a notification the audit finds it.
            let isBack = pair.network.run(.seconds(200)) { pair.n.kernelRoutes["10.65.2.0/26"] == "10.0.0.2" }
            #expect(isBack, "reported: \(isReported)")
        }
        pair.n.host.loseEvents()
        pair.n.host.deleteOwn(prefix, metric: 1024, isReported: false)
        pair.has("10.65.2.0/26", "10.0.0.2")
        #expect(pair.n.host.routes.foreign.values.contains(foreign))
        // Somebody's route with our key stays, and is shown; when it goes ours comes back.
        let theirs = ForeignRoute(prefix: prefix, metric: 1024, routeProtocol: 4, nextHops: foreign.nextHops)
        pair.n.host.addForeign(theirs, replaces: true)
        pair.network.run(for: .seconds(2))
        #expect(pair.n.host.routes.foreign.values.contains(theirs) && pair.n.kernelRoutes["10.65.2.0/26"] == nil)
        pair.n.host.removeForeign(theirs)
        pair.has("10.65.2.0/26", "10.0.0.2")
    }

    @Test func `a link that goes down takes its routes along, and they come back with it`() throws {
        let pair = try Pair()
        pair.has("10.65.2.0/26", "10.0.0.2")
        pair.n.host.setUp("eth0", false)
        pair.has("10.65.2.0/26", nil)
        #expect(pair.n.kernelRoutes["10.65.1.0/26"] == "blackhole")
        pair.n.host.setUp("eth0", true)
        pair.has("10.65.2.0/26", "10.0.0.2")
        // The next hop is off every link now.
        let address: IPAddress = try #require(IPAddress("10.0.0.1"))
        pair.n.host.removeAddress(address, from: "eth0")
        pair.has("10.65.2.0/26", nil)
        pair.n.host.addAddress(address, length: 24, to: "eth0")
        pair.has("10.65.2.0/26", "10.0.0.2")
    }

    @Test func `a peer that falls silent loses its routes when the hold time or the restart time is over, not before`()
        throws
    {
        let pair = try Pair()
        pair.has("10.65.2.0/26", "10.0.0.2")
        pair.network.cut("lan")
        let isLost = pair.network.run(.seconds(300)) { pair.n.established.isEmpty }
        #expect(isLost)
        // The peer restarts, for all that is known: its routes stay (RFC 4724).
        #expect(pair.n.kernelRoutes["10.65.2.0/26"] == "10.0.0.2")
        let isGone = pair.network.run(.seconds(600)) { pair.n.kernelRoutes["10.65.2.0/26"] == nil }
        #expect(isGone)
        pair.network.mend("lan")
        let isBack = pair.network.run(.seconds(300)) { pair.n.kernelRoutes["10.65.2.0/26"] == "10.0.0.2" }
        #expect(isBack)
    }

    @Test func `a mass withdrawal keeps the routes until they are announced again or released`() throws {
        let blocks = (10..<50).map { "---\n" + Pair.block("m", "10.65.\($0).0/26") + "\n" }.joined()
        let pair = try Pair(blocks)
        let hasAll = pair.network.run { pair.n.kernelRoutes.count == 42 }
        try #require(hasAll)
        let all = pair.m.files
        for node in [pair.n, pair.m] { node.files["r.yaml"] = all["r.yaml"]?.replacing(blocks, with: "") }
        pair.network.run(for: .seconds(5))
        #expect(pair.m.kernelRoutes.count == 2 && pair.n.kernelRoutes.count == 42, "\(pair.n.kernelRoutes.count)")
        for node in [pair.n, pair.m] { node.files = all }
        pair.network.run(for: .seconds(5))
        for node in [pair.n, pair.m] { node.files["r.yaml"] = all["r.yaml"]?.replacing(blocks, with: "") }
        pair.network.run(for: .seconds(5))
        #expect(pair.n.kernelRoutes.count == 42)
        let core = try #require(pair.n.core)
        #expect(core.plane.releaseHeld(core.speaker) == 40)
        let isReleased = pair.network.run { pair.n.kernelRoutes.count == 2 }
        #expect(isReleased, "\(pair.n.kernelRoutes)")
    }

    @Test func `equal paths go by one group, and a dead one leaves it with one request`() throws {
        let pair = try Pair()
        let third = pair.network.add(MemoryNode("o", files: pair.n.files))
        for node in pair.network.nodes.values {
            node.files["o.yaml"] =
                "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: o}\nspec: {bgp: {ipv4Address: "
                + "10.0.0.3/24}}\n"
        }
        try pair.network.attach("o", "lan", interface: "eth0", "10.0.0.3/24")
        try third.start(now: pair.network.now)
        // One pod address, at two nodes: anycast.
        try pair.network.addPod("x", "m", "10.65.9.9", declares: false)
        third.host.addInterface("caliy")
        for node in pair.network.nodes.values {
            node.files["x.yaml"] = MemoryNetwork.endpoint("x", "m", "10.65.9.9")
            if node === third { node.files["x.yaml"] = MemoryNetwork.endpoint("y", "o", "10.65.9.9") }
        }
        pair.has("10.65.9.9/32", "10.0.0.2 10.0.0.3")
        third.host.removeInterface("caliy")
        pair.has("10.65.9.9/32", "10.0.0.2")
    }

    @Test func `tables and sources go by pool and FelixConfiguration`() throws {
        let pair = try Pair(
            """
            ---
            apiVersion: projectcalico.org/v3
            kind: FelixConfiguration
            metadata: {name: default}
            spec: {deviceRouteSourceAddress: 10.0.0.1}
            ---
            apiVersion: projectcalico.org/v3
            kind: IPPool
            metadata: {name: apart}
            spec: {cidr: 10.66.0.0/16, routeTable: 77}
            ---
            \(Pair.block("m", "10.66.2.0/26"))

            """)
        func route(_ text: String) -> FIBRoute? {
            pair.n.host.routes.own.values.first { "\($0.prefix)" == text && $0.kind == .unicast }
        }
        let isThere = pair.network.run {
            route("10.66.2.0/26")?.table == 77 && route("10.65.2.0/26")?.source == IPAddress("10.0.0.1")
        }
        #expect(isThere, "\(pair.n.host.routes.own)")
        #expect(route("10.65.2.0/26")?.table == Ownership.mainTable)
    }

    @Test func `local only: pods and blocks are programmed and announced, and no route to another node is`() throws {
        let pair = try Pair(programming: .local)
        try pair.network.addPod("a", "n", "10.65.1.7")
        pair.has("10.65.1.7/32", "calia")
        pair.peerHas("10.65.1.0/26", "10.0.0.1")
        pair.network.run(for: .seconds(5))
        #expect(pair.n.kernelRoutes["10.65.2.0/26"] == nil)
    }

    @Test
    func `a live pod keeps its route though a restarted agent has no endpoint of it, and loses it with its interface`()
        throws
    {
        let pair = try Pair()
        try pair.network.addPod("a", "n", "10.65.1.7")
        pair.has("10.65.1.7/32", "calia")
        pair.n.kill()
        for node in [pair.n, pair.m] { node.files["a.yaml"] = nil }
        try pair.n.start(now: pair.network.now)
        pair.network.watchRoutes()
        pair.network.run(for: .seconds(200))
        #expect(pair.n.kernelRoutes["10.65.1.7/32"] == "calia" && pair.network.deleted.isEmpty)
        pair.n.host.removeInterface("calia")
        pair.has("10.65.1.7/32", nil)
    }

    @Test func `live migration: a target has no route until its guest speaks, and is preferred then`() throws {
        let pair = try Pair()
        try pair.network.addPod("a", "m", "10.65.2.7")
        pair.peerHas("10.65.2.7/32", "calia")
        try pair.network.addPod("a", "n", "10.65.2.7", declares: false)
        pair.n.files["a.yaml"] = MemoryNetwork.endpoint("a", "n", "10.65.2.7", fields: ", routePriority: Target")
        pair.network.run(for: .seconds(2))
        #expect(pair.n.kernelRoutes["10.65.2.7/32"] == nil && pair.n.host.listensForGuests)
        let index = try #require(pair.n.host.index(of: "calia"))
        // A gratuitous ARP of the guest (RFC 5227).
        var frame: [UInt8] = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
        frame += [2, 0, 0, 0, 0, 7, 10, 65, 2, 7, 0, 0, 0, 0, 0, 0, 10, 65, 2, 7]
        pair.n.host.guestFrames.append((index, frame))
        pair.has("10.65.2.7/32", "calia")
        #expect(pair.n.host.routes.own.values.contains { "\($0.prefix)" == "10.65.2.7/32" && $0.metric == 512 })
        // The node that it leaves follows, though its own pod is still there.
        pair.peerHas("10.65.2.7/32", "10.0.0.1")
    }

    @Test func `VXLAN devices and their entries follow the nodes`() throws {
        let pair = try Pair()
        let overlay = pair.n.files["r.yaml"]?
            .replacing("{cidr: 10.65.0.0/16}", with: "{cidr: 10.65.0.0/16, vxlanMode: Always}")
            .replacing(
                "{bgp: {ipv4Address: 10.0.0.1/24}}",
                with: "{bgp: {ipv4Address: 10.0.0.1/24}, ipv4VXLANTunnelAddr: 10.65.1.1}"
            )
            .replacing(
                "{bgp: {ipv4Address: 10.0.0.2/24}}",
                with: "{bgp: {ipv4Address: 10.0.0.2/24}, ipv4VXLANTunnelAddr: 10.65.2.1}")
        for node in [pair.n, pair.m] { node.files["r.yaml"] = overlay }
        pair.has("10.65.2.0/26", "10.65.2.1")
        let device = try #require(pair.n.host.link(named: "vxlan.calico"))
        #expect(device.mtu == 1450 && device.alias == "apus" && pair.n.host.entries[device.index]?.count == 2)
        #expect(pair.n.host.addresses.contains { $0.interface == device.index && "\($0.address)" == "10.65.1.1" })
        // Somebody removes the device: it is made again, with all that it had.
        pair.n.host.removeInterface("vxlan.calico")
        let isBack = pair.network.run {
            pair.n.host.link(named: "vxlan.calico").flatMap { pair.n.host.entries[$0.index]?.count } == 2
                && pair.n.kernelRoutes["10.65.2.0/26"] == "10.65.2.1"
        }
        #expect(isBack)
        for node in [pair.n, pair.m] {
            node.files["r.yaml"] = overlay?.replacing("vxlanMode: Always", with: "vxlanMode: Never")
        }
        pair.has("10.65.2.0/26", "10.0.0.2")
        let isGone = pair.network.run { pair.n.host.link(named: "vxlan.calico") == nil }
        #expect(isGone)
    }

    @Test func `own blocks have the LOCAL_PREF of a normal metric, as beside BIRD, and the kernel's metric is normal`()
        throws
    {
        let pair = try Pair()
        pair.has("10.65.2.0/26", "10.0.0.2")
        let core = try #require(pair.n.core)
        let prefix = try #require(Prefix("10.65.2.0/26"))
        let found = core.speaker.find(prefix)
        let best = core.speaker.bestPath(try #require(found), .ipv4)
        #expect(core.speaker.localPref(of: try #require(best).attributes) == 2_147_482_623)
        #expect(pair.n.host.routes.own.values.contains { $0.prefix == prefix && $0.metric == 1024 })
    }

    @Test func `nodes of another AS are in the mesh, by external sessions`() throws {
        let pair = try Pair()
        for node in [pair.n, pair.m] {
            node.kill()
            node.files["r.yaml"] = node.files["r.yaml"]?.replacing(
                "{bgp: {ipv4Address: 10.0.0.2/24}}", with: "{bgp: {ipv4Address: 10.0.0.2/24, asNumber: 65001}}")
            try node.start(now: pair.network.now)
        }
        pair.has("10.65.2.0/26", "10.0.0.2")
        pair.peerHas("10.65.1.0/26", "10.0.0.1")
    }
}
