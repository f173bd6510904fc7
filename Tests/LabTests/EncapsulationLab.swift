import Foundation
import Testing

/// Three nodes on two subnets with a router between them that knows nothing of pods: what the pools' modes make of it,
/// on the machine's kernel.
///
/// ```
///   p1─n1 ┐                    ┌ n2─p2
///         ├ 10.0.1.0/24 ─ r ─ 10.0.2.0/24
///   p3─n3 ┘   fd00:1::/64      fd00:2::/64
/// ```
final class TunnelLab {
    let lab: Lab
    static let subnet = [1: 1, 2: 2, 3: 1]
    static func address(_ node: Int) -> String { "10.0.\(subnet[node] ?? 1).\(node)" }
    static func address6(_ node: Int) -> String { "fd00:\(subnet[node] ?? 1)::\(node)" }
    static func pod(_ node: Int) -> String { "10.65.\(node).7" }
    static func pod6(_ node: Int) -> String { "fd00:65:\(node)::7" }

    /// `dryRun`: the node whose agent writes nothing.
    init(pool: String, pool6: String = "", nodes: String = "", felix: String = "", dryRun: Int? = nil) throws {
        lab = try Lab()
        try lab.addNamespace("r")
        try lab.must("ip link add br0 type bridge", in: "r")
        try lab.must("ip link set br0 up", in: "r")
        for node in 1...3 {
            try lab.addNamespace("n\(node)")
            try lab.link("n\(node)", "eth0", "r", "n\(node)")
            try lab.must("ip addr add \(Self.address(node))/24 dev eth0", in: "n\(node)")
            try lab.must("ip addr add \(Self.address6(node))/64 dev eth0 nodad", in: "n\(node)")
            if node != 2 { try lab.must("ip link set n\(node) master br0", in: "r") }
            try lab.addPod("p\(node)", of: "n\(node)", "cali0", ["\(Self.pod(node))/32", "\(Self.pod6(node))/128"])
        }
        for (device, subnet) in [("br0", 1), ("n2", 2)] {
            try lab.must("ip addr add 10.0.\(subnet).254/24 dev \(device)", in: "r")
            try lab.must("ip addr add fd00:\(subnet)::254/64 dev \(device) nodad", in: "r")
        }
        for path in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
            try lab.must("sysctl -q -w \(path)", in: "r")
        }
        for node in 1...3 {
            let subnet = Self.subnet[node] ?? 1
            try lab.must("ip route add default via 10.0.\(subnet).254", in: "n\(node)")
            try lab.must("ip -6 route add default via fd00:\(subnet)::254", in: "n\(node)")
        }
        try write(pool: pool, pool6: pool6, nodes: nodes, felix: felix)
        for node in 1...3 {
            try lab.startAgent(
                "n\(node)", in: "n\(node)",
                arguments: ["--metrics", "", "--health", ""] + (node == dryRun ? ["--dry-run"] : []))
        }
    }

    func write(pool: String, pool6: String, nodes: String, felix: String) throws {
        var text = ""
        for node in 1...3 {
            let tunnels = nodes.replacingOccurrences(of: "@", with: "\(node)")
            text += Lab.object(
                "Node", "n\(node)",
                "bgp: {ipv4Address: \(Self.address(node))/24, ipv6Address: '\(Self.address6(node))/64'}\(tunnels)")
            text += Lab.object(
                "BlockAffinity", "b\(node)", "node: n\(node), cidr: 10.65.\(node).0/26, state: confirmed")
            text += Lab.object(
                "BlockAffinity", "c\(node)", "node: n\(node), cidr: 'fd00:65:\(node)::/122', state: confirmed")
            text += Self.endpoint(node)
        }
        text +=
            Lab.object("IPPool", "pool4", "cidr: 10.65.0.0/16\(pool)")
            + Lab.object("IPPool", "pool6", "cidr: 'fd00:65::/32'\(pool6)")
        if !felix.isEmpty { text += Lab.object("FelixConfiguration", "default", felix) }
        try lab.write("r.yaml", text)
    }

    private static func endpoint(_ node: Int) -> String {
        Lab.object(
            "WorkloadEndpoint", "p\(node)",
            "node: n\(node), interfaceName: cali0, ipNetworks: [\(pod(node))/32, '\(pod6(node))/128']")
    }

    /// A node's pod ends: its endpoint goes from the resources.
    func removeEndpoint(_ node: Int) throws {
        let text = try String(contentsOfFile: lab.folder + "/resources/r.yaml", encoding: .utf8)
        try lab.write("r.yaml", text.replacingOccurrences(of: Self.endpoint(node), with: ""))
    }

    func routes(_ node: Int, _ family: String = "-4") throws -> String {
        try lab.must("ip \(family) route show proto 73", in: "n\(node)")
    }

    func pings(_ from: Int, _ to: String, size: Int? = nil, count: Int = 2) throws -> Bool {
        let options = size.map { ["-M", "do", "-s", "\($0)"] } ?? []
        return try Lab.run(
            ["ip", "netns", "exec", lab.name("p\(from)"), "ping", "-q", "-c", "\(count)", "-i", "0.2", "-W", "2"]
                + options + [to]
        ).status == 0
    }

    /// A megabyte from one pod to another, and whether all of it arrived.
    func transfers(from: Int, to: Int, _ address: String) throws -> Bool {
        let family = address.contains(":") ? "AF_INET6" : "AF_INET"
        let server =
            "import socket,sys; s=socket.socket(socket.\(family)); "
            + "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('\(address)',7777)); s.listen(); "
            + "print('listening',flush=True); s.settimeout(20); c=s.accept()[0]; n=0\nwhile True:\n  d=c.recv(65536)\n "
            + " if not d: break\n  n+=len(d)\nprint('received',n,flush=True)"
        let log = "tcp-\(from)-\(to)-\(UInt32.random(in: 0...999_999)).txt"
        try lab.start(["python3", "-c", server], in: "p\(to)", log: log)
        try lab.wait(10, "the server listens") { lab.log(log).contains("listening") }
        let client =
            "import socket; s=socket.create_connection(('\(address)',7777),10); s.sendall(b'x'*1000000); s.close()"
        guard try Lab.run(["ip", "netns", "exec", lab.name("p\(from)"), "python3", "-c", client]).status == 0 else {
            return false
        }
        try lab.wait(10, "the transfer is complete") { lab.log(log).contains("received") }
        return lab.log(log).contains("received 1000000")
    }

    /// Bytes of outer packets that crossed the router's interface to n2, seen with tcpdump's filter; none where there
    /// were none.
    func seesOnWire(_ filter: String, while body: () throws -> Void) throws -> Bool {
        let log = "wire-\(UInt32.random(in: 0...999_999)).txt"
        let capture = try lab.start(["tcpdump", "-l", "-n", "-c", "1", "-i", "n2", filter], in: "r", log: log)
        try lab.wait(10, "tcpdump listens") { lab.log(log).contains("listening on") }
        try body()
        let end = Date().addingTimeInterval(3)
        while capture.isRunning, Date() < end { Thread.sleep(forTimeInterval: 0.05) }
        let isSeen = !capture.isRunning
        if capture.isRunning { kill(capture.processIdentifier, SIGINT) }
        return isSeen
    }
}

@Suite(.serialized) struct EncapsulationLab {
    @Test
    func
        `VXLAN carries both families between all nodes, full packets included, and its device goes when no pool wants it`()
        throws
    {
        let tunnels = ", ipv4VXLANTunnelAddr: 10.65.@.1, ipv6VXLANTunnelAddr: 'fd00:65:@::1'"
        let scene = try TunnelLab(pool: ", vxlanMode: Always", pool6: ", vxlanMode: Always", nodes: tunnels)
        let lab = scene.lab
        try lab.wait(30, "routes lead through the devices") {
            try scene.routes(1).contains("10.65.2.0/26 via 10.65.2.1 dev vxlan.calico")
                && scene.routes(2).contains("10.65.1.0/26 via 10.65.1.1 dev vxlan.calico")
                && scene.routes(3).contains("10.65.2.0/26 via")
                && scene.routes(1).contains("10.65.3.0/26 via 10.65.3.1 dev vxlan.calico")
                && scene.routes(1, "-6").contains("fd00:65:2::/122 via fd00:65:2::1 dev vxlan-v6.calico")
                && scene.routes(2, "-6").contains("fd00:65:1::/122 via")
                && scene.routes(2).contains("10.65.3.0/26") && scene.routes(2, "-6").contains("fd00:65:3::/122")
        }
        // The contract: VNI, port, MAC address by the name's SHA-1, no learning, MTU less 50 and 70.
        let device = try lab.must("ip -d link show vxlan.calico", in: "n1")
        // printf n1 | sha1sum
        #expect(
            device.contains("vxlan id 4096 local 10.0.1.1 dev eth0") && device.contains("dstport 4789 nolearning")
                && device.contains("mtu 1450"))
        let digest = try Lab.run(["sh", "-c", "printf n1 | sha1sum"]).text
        let mac = "66" + (0..<5).map { ":" + digest.dropFirst(2 * $0).prefix(2) }.joined()
        #expect(device.contains("link/ether \(mac)"), "\(device)")
        #expect(try lab.must("ip -d link show vxlan-v6.calico", in: "n1").contains("mtu 1430"))
        #expect(
            try lab.must("bridge fdb show dev vxlan.calico", in: "n2").contains("\(mac) dst 10.0.1.1 self permanent"))
        #expect(try lab.must("ip neigh show dev vxlan.calico", in: "n2").contains("10.65.1.1 lladdr \(mac) PERMANENT"))
        let isEncapsulated = try scene.seesOnWire("udp port 4789") { _ = try scene.pings(1, TunnelLab.pod(2)) }
        #expect(isEncapsulated, "nothing went through the tunnel")
        for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 2)] {
            #expect(try scene.pings(from, TunnelLab.pod(to)), "\(from) to \(to)")
            #expect(try scene.pings(from, TunnelLab.pod6(to)), "\(from) to \(to), IPv6")
        }
        // 1450 less 28 bytes of IPv4 and ICMP, 1430 less 48: they fit, one more does not, and the sender hears of it.
        #expect(try scene.pings(1, TunnelLab.pod(2), size: 1422))
        #expect(try !scene.pings(1, TunnelLab.pod(2), size: 1423))
        #expect(try scene.pings(1, TunnelLab.pod6(2), size: 1382))
        #expect(try scene.transfers(from: 1, to: 2, TunnelLab.pod(2)))
        #expect(try scene.transfers(from: 2, to: 3, TunnelLab.pod6(3)))
        // The host itself reaches pods, with its address on the device.
        #expect(
            try Lab.run(["ip", "netns", "exec", lab.name("n1"), "ping", "-q", "-c", "1", "-W", "2", TunnelLab.pod(2)])
                .status == 0)

        // What others take away comes back: an entry, the address, the device itself.
        try lab.must("bridge fdb del \(mac) dst 10.0.1.1 dev vxlan.calico", in: "n2")
        try lab.must("ip neigh del 10.65.1.1 dev vxlan.calico", in: "n2")
        try lab.wait(5, "the entries are back") {
            try lab.must("bridge fdb show dev vxlan.calico", in: "n2").contains("\(mac) dst 10.0.1.1")
                && lab.must("ip neigh show dev vxlan.calico", in: "n2").contains("10.65.1.1 lladdr \(mac)")
        }
        try lab.must("ip link del vxlan.calico", in: "n2")
        try lab.wait(5, "the device and its routes are back") {
            try scene.routes(2).contains("10.65.1.0/26 via 10.65.1.1 dev vxlan.calico")
        }
        #expect(try scene.pings(1, TunnelLab.pod(2)))
        let fib = try lab.ctl("n2", "fib")
        #expect(fib.status == 0, "\(fib.text)")

        // No pool wants them: the devices go, and routes lead plainly where the subnet is shared.
        try scene.write(pool: "", pool6: "", nodes: tunnels, felix: "")
        try lab.wait(20, "the devices are gone") {
            try (1...3).allSatisfy { try !lab.must("ip link show", in: "n\($0)").contains("vxlan") }
        }
        try lab.wait(10, "routes are plain") { try scene.routes(1).contains("10.65.3.0/26 via 10.0.1.3 dev eth0") }
        #expect(try scene.pings(1, TunnelLab.pod(3)))
    }

    @Test
    func
        `CrossSubnet goes plainly on the own subnet and through VXLAN beyond it, and a restart changes nothing on the way`()
        throws
    {
        let scene = try TunnelLab(
            pool: ", vxlanMode: CrossSubnet", pool6: ", vxlanMode: CrossSubnet",
            felix: "vxlanVNI: 77, vxlanPort: 8472, vxlanMTU: 1400, vxlanMTUV6: 1380, bpfEnabled: false")
        let lab = scene.lab
        try lab.wait(30, "routes are there") {
            try scene.routes(1).contains("10.65.3.0/26 via 10.0.1.3 dev eth0")
                && scene.routes(1).contains("10.65.2.0/26 via 10.0.2.2 dev vxlan.calico")
                && scene.routes(2).contains("10.65.1.0/26 via 10.0.1.1 dev vxlan.calico")
                && scene.routes(3).contains("10.65.1.0/26")
                && scene.routes(1, "-6").contains("fd00:65:3::/122 via fd00:1::3 dev eth0")
                && scene.routes(1, "-6").contains("fd00:65:2::/122 via fd00:2::2 dev vxlan-v6.calico")
                && scene.routes(2, "-6").contains("fd00:65:1::/122 via fd00:1::1 dev vxlan-v6.calico")
        }
        let before = try lab.must("ip -d link show vxlan.calico", in: "n1")
        #expect(
            before.contains("vxlan id 77 local 10.0.1.1 dev eth0") && before.contains("dstport 8472 nolearning")
                && before.contains("mtu 1400"))
        #expect(try scene.pings(1, TunnelLab.pod(2), size: 1372))
        #expect(try scene.pings(1, TunnelLab.pod(3), size: 1472))
        #expect(try scene.transfers(from: 1, to: 2, TunnelLab.pod(2)))
        // 48 bytes of IPv6 and ICMPv6 headers.
        #expect(try scene.pings(1, TunnelLab.pod6(2), size: 1332) && scene.pings(1, TunnelLab.pod6(3), size: 1452))
        #expect(try scene.transfers(from: 1, to: 2, TunnelLab.pod6(2)))
        #expect(
            try scene.transfers(from: 1, to: 3, TunnelLab.pod(3)) && scene.transfers(from: 3, to: 1, TunnelLab.pod6(1)))
        // Killed and started again while a ping runs every 10 ms: not one is lost, and the device is the same.
        let ping = try lab.start(
            ["ping", "-q", "-i", "0.01", "-c", "600", TunnelLab.pod(2)], in: "p1", log: "ping.txt")
        try lab.restartAgent("n1")
        try lab.wait(20, "the restarted agent is up") { try lab.ctl("n1", "status").status == 0 }
        ping.waitUntilExit()
        #expect(lab.log("ping.txt").contains(" 0% packet loss"), "\(lab.log("ping.txt"))")
        let index = { (text: String) in text.split(separator: ":").first.map(String.init) ?? "" }
        #expect(index(before) == index(try lab.must("ip -d link show vxlan.calico", in: "n1")))
    }

    @Test
    func
        `a device of another under the name is replaced where it does not fit and used where it does, and what bears no mark stays`()
        throws
    {
        let scene = try TunnelLab(pool: "")
        let lab = scene.lab
        try lab.wait(30, "plain routes are there") {
            try scene.routes(1).contains("10.65.3.0/26 via 10.0.1.3 dev eth0")
        }
        try lab.must("ip link add vxlan.calico type vxlan id 5 dstport 4789 dev eth0", in: "n1")
        try scene.write(pool: ", vxlanMode: Always", pool6: "", nodes: "", felix: "")
        try lab.wait(20, "the one with another VNI is replaced, and routes lead through it") {
            try lab.must("ip -d link show", in: "n1").contains("vxlan id 4096")
                && scene.routes(1).contains("10.65.2.0/26 via 10.0.2.2 dev vxlan.calico")
        }
        try lab.must("ip link set vxlan.calico mtu 1200", in: "n1")
        try lab.wait(10, "the MTU is put right") { try lab.must("ip link show", in: "n1").contains("mtu 1450") }
        try lab.must("ip link set vxlan.calico down", in: "n1")
        try lab.wait(10, "it is up again, with its routes") {
            try scene.routes(1).contains("10.65.2.0/26 via 10.0.2.2 dev vxlan.calico")
        }
        #expect(try scene.pings(1, TunnelLab.pod(2)))
        // The MTU is that of the host's interfaces, by the names that the operator gives.
        try lab.must("ip link set eth0 mtu 1400", in: "n1")
        try lab.wait(10, "the MTU follows the host's") { try lab.must("ip link show", in: "n1").contains("mtu 1350") }
        try lab.must("ip link add wan0 mtu 1300 type veth peer name wan1", in: "n1")
        try lab.must("ip link set wan0 up", in: "n1")
        try scene.write(pool: ", vxlanMode: Always", pool6: "", nodes: "", felix: "mtuIfacePattern: '^wan'")
        try lab.wait(10, "the MTU follows the interface of the pattern") {
            try lab.must("ip link show", in: "n1").contains("mtu 1250")
        }
        try lab.must("ip link set eth0 mtu 1500", in: "n1")
        // A device without our mark and without a pool that wants it is none of our business.
        try lab.must("ip link add vxlan-v6.calico type vxlan id 9 dstport 4789 dev eth0", in: "n1")
        try scene.write(pool: "", pool6: "", nodes: "", felix: "")
        try lab.wait(20, "ours is gone") { try !lab.must("ip link show", in: "n1").contains("vxlan.calico") }
        #expect(try lab.must("ip link show", in: "n1").contains("vxlan-v6.calico"))
    }

    @Test func `a dry run says which devices, entries and routes it would make, and makes none`() throws {
        let scene = try TunnelLab(pool: ", vxlanMode: Always", dryRun: 3)
        let lab = scene.lab
        try lab.wait(30, "it says so") {
            let log = lab.log("n3.log")
            return log.contains("would add device vxlan.calico from 10.0.1.3 id 4096 port 4789 mtu 1450")
                && log.contains("would add forwarding entry")
                && log.contains("would add 10.65.2.0/26 via 10.0.2.2 dev vxlan.calico onlink metric 1024")
                && log.contains("would add 10.65.3.7/32 dev cali0 metric 1024")
        }
        #expect(try !lab.must("ip link show", in: "n3").contains("vxlan"))
        #expect(try scene.routes(3).isEmpty)
        #expect(try lab.ctl("n3", "fib", "10.65.2.0/26").text.contains("installed"))
        // An audit would find nothing of what it says to have written.
        try lab.write("felix.yaml", Lab.object("FelixConfiguration", "default", "routeRefreshInterval: 1s"))
        func saidTimes() -> Int {
            lab.log("n3.log").split(separator: "\n").count { $0.contains("would add 10.65.2.0/26") }
        }
        let before = saidTimes()
        // An address that goes may take routes along without a word: all is read again, and nothing of what was said is
        // there.
        try lab.must("ip addr add 192.0.2.9/32 dev lo", in: "n3")
        try lab.must("ip addr del 192.0.2.9/32 dev lo", in: "n3")
        // A span under test: nothing may happen in it.
        Thread.sleep(forTimeInterval: 3)
        #expect(saidTimes() == before && !lab.log("n3.log").contains("audit found"), "\(lab.log("n3.log"))")
    }
}
