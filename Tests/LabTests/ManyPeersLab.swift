import Foundation
import Testing

/// Thousands of peers that refuse, and thousands of connections that say nothing, while one peer is well.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct ManyPeersLab {
    /// Opens connections from 10.1.0.0/16 and says nothing on them; or opens and closes them, over and over.
    private static let strangers = """
        import resource, socket, sys, time
        mode, remote, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
        resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
        sockets = []
        for i in range(count):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(('10.1.%d.%d' % (i // 250, i % 250 + 1), 0))
            s.settimeout(20)
            s.connect((remote, 179))
            if mode == 'silent':
                sockets.append(s)
                continue
            # An OPEN, so that a session could come up, and the end of it.
            s.recv(4096)
            caps = b'\\x02\\x06\\x01\\x04\\x00\\x01\\x00\\x01'
            body = b'\\x04\\xfc\\x00\\x00\\x5a\\x0a\\x01' + bytes([i // 250, i % 250 + 1, len(caps)]) + caps
            s.sendall(b'\\xff' * 16 + bytes([0, 19 + len(body), 1]) + body + b'\\xff' * 16 + b'\\x00\\x13\\x04')
            s.recv(4096)
            s.close()
        print('done', flush=True)
        if mode == 'silent': time.sleep(600)

        """

    private static let range = Lab.object(
        "BGPPeer", "range", "listenRange: 10.1.0.0/16, asNumber: 64512, maxDynamicPeers: 5000, gracefulRestart: 'off'")
    private static let well = Lab.object("BGPPeer", "bird", "peerIP: 10.0.0.2, asNumber: 64512")

    private static func pair() throws -> Lab {
        let lab = try BirdTests.pair()
        try strangers.write(toFile: lab.folder + "/strangers.py", atomically: true, encoding: .utf8)
        // Every address of 10.1.0.0/16 is the other namespace's.
        try lab.must("ip route add local 10.1.0.0/16 dev lo", in: "peer")
        try lab.must("ip route add 10.1.0.0/16 via 10.0.0.2", in: "node")
        return lab
    }

    /// The peer that is well comes up, status answers, and the daemon is not busy.
    private static func expectCalm(_ lab: Lab, _ agent: Process) throws {
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(10, "the peer that is well is up") { try lab.ctl("n", "peer", "10.0.0.2").status == 0 }
        func ticks() throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(agent.processIdentifier)/stat", encoding: .utf8)
            let fields = text[text.index(after: try #require(text.lastIndex(of: ")")))...].split(separator: " ")
            return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
        }
        let before = try ticks()
        Thread.sleep(forTimeInterval: 4)
        // A debug build on a shared machine: a walk over all peers in each turn took the whole core.
        let used = Double(try ticks() - before) / Double(sysconf(Int32(_SC_CLK_TCK))) / 4
        #expect(used < 0.5, "\(used) of a core")
        let asked = Date()
        #expect(!(try lab.ctl("n", "status").text.contains("does not answer")))
        #expect(Date().timeIntervalSince(asked) < 5)
    }

    @Test func `three thousand peers that refuse keep none from coming up`() throws {
        let lab = try Self.pair()
        let nodes = (0..<3000).map {
            Lab.object("Node", "d\($0)", "bgp: {ipv4Address: 10.1.\($0 / 250).\($0 % 250 + 1)/16}")
        }.joined()
        try lab.write(
            "r.yaml",
            BirdTests.node + nodes + Self.well
                + Lab.object("BGPConfiguration", "default", "asNumber: 64512, nodeToNodeMeshEnabled: true"))
        let agent = try lab.startAgent("n", in: "node")
        try lab.wait(30, "the agent runs") { try lab.ctl("n", "peers").status == 0 }
        try Self.expectCalm(lab, agent)
    }

    @Test func `three thousand connections that say nothing keep no peer from coming up`() throws {
        let lab = try Self.pair()
        try lab.write("r.yaml", BirdTests.node + Self.range + Self.well)
        let agent = try lab.startAgent("n", in: "node")
        try lab.wait(30, "the agent runs") { try lab.ctl("n", "peers").status == 0 }
        try lab.start(
            ["python3", lab.folder + "/strangers.py", "silent", "10.0.0.1", "3000"], in: "peer", log: "strangers.txt")
        try lab.wait(60, "all are connected") { lab.log("strangers.txt").contains("done") }
        try Self.expectCalm(lab, agent)
    }

    @Test func `peers of a range that come up and go at once, and those beyond its limit, leave few lines in the log`()
        throws
    {
        let lab = try Self.pair()
        try lab.write("r.yaml", BirdTests.node + Self.range)
        try lab.startAgent("n", in: "node")
        try lab.wait(30, "the agent runs") { try lab.ctl("n", "peers").status == 0 }
        let stranger = try lab.start(
            ["python3", lab.folder + "/strangers.py", "flap", "10.0.0.1", "2000"], in: "peer", log: "strangers.txt")
        stranger.waitUntilExit()
        #expect(lab.log("strangers.txt").contains("done"), "\(lab.log("strangers.txt"))")
        try lab.wait(20, "all of them are gone") { !(try lab.ctl("n", "peers").text.contains("10.1.")) }
        let lines = lab.log("n.log").split(separator: "\n").count { $0.contains("10.1.") || $0.contains("dynamic") }
        #expect(lines <= 300, "\(lines) lines")
    }
}
