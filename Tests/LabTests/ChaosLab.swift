import Foundation
import Testing

/// Everything that somebody else can do to the kernel's routes at once, on the machine's kernel.
@Suite(.serialized) struct ChaosLab {
    static let routeCount = 2000
    static let routeCount6 = 500
    static let learned = (0..<routeCount).map { "10.\(128 + $0 / 256).\($0 % 256).0/24" }
    static let learned6 = (1...routeCount6).map { "fd00:8:\(String($0, radix: 16))::/64" }

    /// A node with a pod, 2,000 IPv4 and 500 IPv6 routes of a peer; on a second link, which nothing happens to, a host
    /// that the pod pings all the time.
    final class Scene {
        let lab: Lab
        init() throws {
            lab = try BirdTests.pair()
            try lab.addPod("pod", of: "node", "cali0", ["10.65.1.7/32"])
            try lab.addNamespace("far")
            try lab.link("node", "eth1", "far", "eth0")
            try lab.must("ip addr add 10.0.9.1/24 dev eth1", in: "node")
            try lab.must("ip addr add 10.0.9.2/24 dev eth0", in: "far")
            try lab.must("ip route add default via 10.0.9.1", in: "far")
            try lab.must("ip route add default via 10.0.9.2", in: "node")
            let pod = Lab.object("WorkloadEndpoint", "p", "node: n, interfaceName: cali0, ipNetworks: [10.65.1.7/32]")
            try lab.write(
                "r.yaml",
                BirdTests.node + pod
                    + Lab.object(
                        "BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, families: [ipv4, ipv6], holdTime: 90s"))
            try lab.startAgent("n", in: "node")
            let statics = (ChaosLab.learned + ChaosLab.learned6).map { "route \($0) blackhole;" }.joined(
                separator: "\n")
            try BirdTests.startBird(lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: statics)
            try lab.wait(30, "all routes are there", until: isAsDesired)
        }

        /// The kernel has exactly what is wanted, by the kernel's own word and by the agent's.
        func isAsDesired() throws -> Bool {
            let routes = try lab.must("ip route show proto 73", in: "node").split(separator: "\n")
            let routes6 = try lab.must("ip -6 route show proto 73", in: "node").split(separator: "\n")
            let learned = routes.count { $0.contains("via 10.0.0.2 dev eth0 metric 1024 onlink") }
            let learned6 = routes6.count {
                $0.hasPrefix("fd00:8:") && $0.contains("via fd00::2 dev eth0 metric 1024 onlink")
            }
            return try learned == ChaosLab.routeCount && routes.count == ChaosLab.routeCount + 2
                && routes.contains { $0.contains("10.65.1.7 dev cali0") }
                && routes.contains { $0.contains("blackhole 10.65.1.0/26") } && learned6 == ChaosLab.routeCount6
                && routes6.count == ChaosLab.routeCount6 + 1
                && routes6.contains { $0.contains("blackhole fd00:65:1::/122") }
                && lab.ctl("n", "status").text.contains(" 0 missing")
        }

        /// Runs a disturbance while the pod pings the far host; answers how long after it the kernel was as desired
        /// again, and the pings lost.
        func disturb(_ what: String, _ body: () throws -> Void) throws -> (seconds: Double, lost: Int) {
            let log = "ping-\(UInt32.random(in: 0...999_999)).txt"
            let ping = try lab.start(["ping", "-i", "0.01", "10.0.9.2"], in: "pod", log: log)
            /// Numbers of the pings that were answered.
            func answered() -> [Int] {
                lab.log(log).split(separator: "\n").compactMap { line in
                    line.split(separator: " ").first { $0.hasPrefix("icmp_seq=") }.flatMap { Int($0.dropFirst(9)) }
                }
            }
            try body()
            let start = Date()
            try lab.wait(20, "after \(what) the kernel is as desired", until: isAsDesired)
            let seconds = Date().timeIntervalSince(start)
            // Those that are on their way when it ends are not lost: an answer to one that was sent after all the
            // others is waited for.
            let sent = answered().max() ?? 0
            try lab.wait(10, "after \(what) pings are answered") { (answered().max() ?? 0) > sent + 1 }
            kill(ping.processIdentifier, SIGINT)
            ping.waitUntilExit()
            let numbers = Set(answered())
            return (seconds, try #require(numbers.max()) - numbers.count)
        }

        func foreignCount() throws -> Int {
            try lab.must("ip route show proto static", in: "node").split(separator: "\n").count
        }
        func batch(_ lines: [String]) throws {
            let path = lab.folder + "/batch.txt"
            try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
            try lab.must("ip -force -batch \(path)", in: "node")
        }
        func metric(_ name: String) throws -> Double {
            let text = try Lab.run([
                "ip", "netns", "exec", lab.name("node"), "python3", "-c",
                "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9091/metrics').read().decode())",
            ]).text
            return text.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last.flatMap {
                Double($0)
            } ?? -1
        }
    }

    @Test
    func
        `after everything that others can do the kernel is as desired, nothing foreign is touched, and no ping is lost that need not be`()
        throws
    {
        let scene = try Scene()
        let lab = scene.lab
        var report: [String] = []
        func note(_ what: String, _ result: (seconds: Double, lost: Int), mayLose: Bool = false) {
            report.append(
                "\(what): as desired after \((result.seconds * 1000).rounded() / 1000) s, \(result.lost) pings lost")
            if !mayLose { #expect(result.lost == 0, "\(what)") }
        }
        let learned = Self.learned
        let learned6 = Self.learned6

        note(
            "all our routes deleted, the pod's too",
            try scene.disturb("deletion") {
                try scene.batch(
                    (learned + learned6).map { "route del \($0)" } + [
                        "route del 10.65.1.7", "route del blackhole 10.65.1.0/26",
                    ])
                try lab.must("ip -6 route del blackhole fd00:65:1::/122", in: "node")
            }, mayLose: true)
        note(
            "the learned ones deleted one by one",
            try scene.disturb("deletion") { try scene.batch((learned + learned6).map { "route del \($0)" }) })
        note(
            "half of them altered",
            try scene.disturb("alteration") {
                try scene.batch(
                    learned.prefix(1000).map {
                        "route replace \($0) via 10.0.0.77 dev eth0 proto 73 metric 1024 onlink"
                    })
                try scene.batch(
                    learned6.prefix(250).map { "route replace \($0) via fd00::77 dev eth0 proto 73 metric 1024 onlink" }
                )
            })
        // A foreign route in our place is not fought: 150 of ours are missing until it goes.
        try scene.batch(
            learned.prefix(100).map { "route replace \($0) via 10.0.0.88 dev eth0 proto static metric 1024 onlink" })
        try scene.batch(
            learned6.prefix(50).map { "route replace \($0) via fd00::88 dev eth0 proto static metric 1024 onlink" })
        try lab.wait(10, "the agent says so") { try lab.ctl("n", "status").text.contains(" 150 missing") }
        #expect(try scene.foreignCount() == 100)
        for prefix in ["10.128.7.0/24", learned6[7]] {
            #expect(try lab.ctl("n", "fib", prefix).text.contains("a route of protocol 4 is in the way"))
        }
        note(
            "foreign routes in our place taken away",
            try scene.disturb("foreign routes") {
                try scene.batch((learned.prefix(100) + learned6.prefix(50)).map { "route del \($0) proto static" })
            })

        let foreign = (0..<50000).map {
            "100.\(64 + $0 / 65536).\($0 / 256 % 256).\($0 % 256)/32 via 10.0.0.9 dev eth0 proto static onlink"
        }
        note(
            "50,000 foreign routes added",
            try scene.disturb("a flood") { try scene.batch(foreign.map { "route add \($0)" }) })
        #expect(try scene.foreignCount() == 50000)

        // The daemon stands still while the kernel reports 150,000 changes and somebody deletes routes of ours: most
        // of it is lost.
        let before = try scene.metric("apus_fib_resyncs_total")
        try lab.signalAgent("n", SIGSTOP)
        let overflow = try scene.disturb("an overflow") {
            try scene.batch(foreign.map { "route del \($0)" })
            try scene.batch((learned.prefix(200) + learned6.prefix(100)).map { "route del \($0)" })
            try scene.batch(foreign.map { "route add \($0)" })
            try scene.batch(foreign.map { "route change \($0.replacingOccurrences(of: "10.0.0.9", with: "10.0.0.8"))" })
            try lab.signalAgent("n", SIGCONT)
        }
        note("the notifications' buffer overflowed", overflow)
        #expect(try scene.metric("apus_fib_resyncs_total") > before, "nothing was lost: the test shows nothing")
        #expect(try scene.foreignCount() == 50000)

        note(
            "the link flapped",
            try scene.disturb("flapping") {
                for _ in 0..<10 {
                    try lab.must("ip link set eth0 down", in: "node")
                    try lab.must("ip link set eth0 up", in: "node")
                }
                // What the administrator had on the interface went with it.
                try lab.must("ip addr replace 10.0.0.1/24 dev eth0", in: "node")
                try lab.must("ip addr replace fd00::1/64 dev eth0 nodad", in: "node")
            })
        note(
            "the pod's interface flapped",
            try scene.disturb("flapping of the pod") {
                for _ in 0..<10 {
                    try lab.must("ip link set cali0 down", in: "node")
                    try lab.must("ip link set cali0 up", in: "node")
                }
            }, mayLose: true)
        for line in report { print(line) }
        // Not one session was lost on the way.
        #expect(try lab.ctl("n", "peers", "-o", "json").text.contains("\"timesEstablished\" : 1"))
        #expect(try lab.ctl("n", "doctor").status == 0)
    }

    @Test func `an audit finds what no notification reported, in a table of thousands, without holding anything up`()
        throws
    {
        let scene = try Scene()
        let lab = scene.lab
        try lab.write("felix.yaml", Lab.object("FelixConfiguration", "default", "routeRefreshInterval: 1s"))
        let before = try scene.metric("apus_fib_audits_total")
        try lab.wait(20, "audits go on") { try scene.metric("apus_fib_audits_total") >= before + 3 }
        #expect(try scene.metric("apus_fib_audit_findings_total") == 0, "in step, an audit finds nothing")
        #expect(try scene.isAsDesired())
    }
}
