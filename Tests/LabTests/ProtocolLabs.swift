import Foundation
import Testing

/// What needs a kernel, real sockets or real time, and no daemon of somebody else's kind in particular.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct ProtocolLabs {
    /// A BGP speaker in a few lines, for what no daemon does: it says OPEN and KEEPALIVE, and writes down when what
    /// came.
    private static let rawPeer = """
        import socket, struct, sys, time, select
        mode, local, remote, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
        def message(kind, body=b''): return b'\\xff' * 16 + struct.pack('!HB', 19 + len(body), kind) + body
        if mode == 'knock':
            for i in range(int(seconds)):
                s = socket.socket()
                s.bind((local, 0))
                try:
                    s.connect((remote, 179))
                    s.settimeout(5)
                    s.recv(100)
                except OSError: pass
                s.close()
            print('done', flush=True)
            sys.exit()
        s = socket.socket()
        s.bind((local, 0))
        s.connect((remote, 179))
        caps = b'\\x02\\x06\\x01\\x04\\x00\\x01\\x00\\x01' + b'\\x02\\x06\\x41\\x04' + struct.pack('!I', 64512)
        if mode == 'graceful': caps += b'\\x02\\x08\\x40\\x06' + struct.pack('!HHBB', 120, 1, 1, 128)
        s.sendall(message(1, struct.pack('!BHHI', 4, 64512, 9, int(local.split('.')[3])) + bytes([len(caps)]) + caps) \
        + message(4))
        buffer, last, longest, end, sent, count = b'', time.time(), 0, time.time() + seconds, 0, 0
        s.setblocking(False)
        while time.time() < end:
            if time.time() - sent > 2:
                s.setblocking(True); s.sendall(message(4)); s.setblocking(False); sent = time.time()
            if not select.select([s], [], [], 0.05)[0]: continue
            try: data = s.recv(1 << 16)
            except ConnectionResetError: data = b''
            if not data: print('closed', flush=True); sys.exit(1)
            buffer += data
            while len(buffer) >= 19:
                length = struct.unpack('!H', buffer[16:18])[0]
                if len(buffer) < length: break
                if buffer[18] == 4:
                    longest, last, count = max(longest, time.time() - last), time.time(), count + 1
                if buffer[18] == 3: print('notification', buffer[19:length].hex(), flush=True); sys.exit(1)
                buffer = buffer[length:]
        print('keepalives', count, 'longest', round(longest, 3), flush=True)

        """

    private static func pair() throws -> Lab {
        let lab = try BirdTests.pair()
        try rawPeer.write(toFile: lab.folder + "/raw.py", atomically: true, encoding: .utf8)
        return lab
    }

    @Test
    func `a keepalive is never late while a table of 200,000 routes loads and the resources change (conformance 34)`()
        throws
    {
        let lab = try Self.pair()
        try lab.must("ip addr add 10.0.0.3/24 dev eth0", in: "peer")
        let peers =
            Lab.object("BGPPeer", "bird", "peerIP: 10.0.0.2, asNumber: 65000")
            + Lab.object("BGPPeer", "raw", "peerIP: 10.0.0.3, asNumber: 64512, passive: true")
        try lab.write("r.yaml", BirdTests.node + peers)
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent listens") { try lab.ctl("n", "peers").status == 0 }
        let raw = try lab.start(
            ["python3", lab.folder + "/raw.py", "peer", "10.0.0.3", "10.0.0.1", "20"], in: "peer", log: "raw.txt")
        try lab.wait(20, "the raw peer is up") { try lab.ctl("n", "peer", "10.0.0.3").status == 0 }
        let statics = (0..<200_000).map { "route \(20 + $0 / 65536).\($0 / 256 % 256).\($0 % 256).0/24 blackhole;" }
            .joined(separator: "\n")
        try BirdTests.startBird(lab, "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512;", statics: statics)
        for index in 0..<20 {
            Thread.sleep(forTimeInterval: 0.3)
            try lab.write(
                "r.yaml",
                BirdTests.node + peers
                    + Lab.object("BlockAffinity", "b\(index)", "node: n, cidr: 10.66.\(index).0/26, state: confirmed"))
        }
        try lab.wait(60, "the table is in the kernel") {
            try lab.ctl("n", "status").text.contains("0 missing") && lab.ctl("n", "routes", "23.0.0.0/24").status == 0
        }
        raw.waitUntilExit()
        let words = lab.log("raw.txt").split(whereSeparator: \.isWhitespace)
        try #require(words.first == "keepalives", "\(lab.log("raw.txt"))")
        let longest = try #require(Double(words[3]))
        // Every 3 s, and never so late that a third of the hold time more has passed.
        #expect(longest < 6, "the longest silence was \(longest) s")
        #expect((Int(words[1]) ?? 0) >= 5)
    }

    @Test
    func
        `SIGTERM says Cease to those peers alone that do not keep our routes, and leaves them in the kernel (conformance 124)`()
        throws
    {
        let lab = try Self.pair()
        for last in [3, 4, 5] { try lab.must("ip addr add 10.0.0.\(last)/24 dev eth0", in: "peer") }
        // The third one speaks of graceful restart, but we do not.
        let peers = [(3, ""), (4, ""), (5, ", gracefulRestart: 'off'")]
        try lab.write(
            "r.yaml",
            BirdTests.node
                + peers.map {
                    Lab.object("BGPPeer", "p\($0.0)", "peerIP: 10.0.0.\($0.0), asNumber: 64512, passive: true\($0.1)")
                }.joined())
        let agent = try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent listens") { try lab.ctl("n", "peers").status == 0 }
        var raws: [Process] = []
        for (last, mode) in [(3, "peer"), (4, "graceful"), (5, "graceful")] {
            raws.append(
                try lab.start(
                    ["python3", lab.folder + "/raw.py", mode, "10.0.0.\(last)", "10.0.0.1", "60"], in: "peer",
                    log: "raw\(last).txt"))
        }
        for (last, _) in peers {
            try lab.wait(20, "\(last) is up") { try lab.ctl("n", "peer", "10.0.0.\(last)").status == 0 }
        }
        try lab.wait(20, "the blackhole") { try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26") }
        kill(agent.processIdentifier, SIGTERM)
        agent.waitUntilExit()
        #expect(agent.terminationStatus == 0)
        for raw in raws { raw.waitUntilExit() }
        let text = "apusd on n is stopping"
        let cease =
            "notification 0602"
            + ([UInt8(text.utf8.count)] + Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            .joined() + "\n"
        #expect(lab.log("raw3.txt") == cease)
        #expect(lab.log("raw4.txt") == "closed\n")
        #expect(lab.log("raw5.txt") == cease)
        #expect(try BirdTests.routes(lab).contains("blackhole 10.65.1.0/26"))
    }

    @Test func `a peer that is no longer passive is connected to at once`() throws {
        let lab = try Self.pair()
        let peer = "peerIP: 10.0.0.2, asNumber: 64512"
        try lab.write("r.yaml", BirdTests.node + Lab.object("BGPPeer", "p", peer + ", passive: true"))
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent listens") { try lab.ctl("n", "peers").status == 0 }
        try BirdTests.startBird(
            lab, "passive; local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;",
            statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(20, "BIRD listens") { try lab.must("ss -Hltn sport = :179", in: "peer").contains(":179") }
        #expect(try lab.ctl("n", "peer", "10.0.0.2").status != 0)
        try lab.write("r.yaml", BirdTests.node + Lab.object("BGPPeer", "p", peer))
        try lab.wait(5, "the peer is up") { try lab.ctl("n", "peer", "10.0.0.2").status == 0 }
    }

    @Test func `ten thousand connections from an address that is no peer leave nothing behind (conformance 39)`() throws
    {
        let lab = try Self.pair()
        try lab.must("ip addr add 10.0.0.9/24 dev eth0", in: "peer")
        try lab.write("r.yaml", BirdTests.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512"))
        let agent = try lab.startAgent("n", in: "node")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512;", statics: "route 10.70.0.0/24 blackhole;")
        try lab.wait(30, "the peer is up") { try lab.ctl("n", "peer", "10.0.0.2").status == 0 }
        func descriptors() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(agent.processIdentifier)/fd").count
        }
        func memory() throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(agent.processIdentifier)/status", encoding: .utf8)
            return text.split(separator: "\n").first { $0.hasPrefix("VmRSS") }.flatMap {
                Int($0.split(whereSeparator: \.isWhitespace)[1])
            } ?? 0
        }
        let before = (try descriptors(), try memory())
        let knocker = try lab.start(
            ["python3", lab.folder + "/raw.py", "knock", "10.0.0.9", "10.0.0.1", "10000"], in: "peer", log: "knock.txt")
        knocker.waitUntilExit()
        #expect(lab.log("knock.txt").contains("done"))
        try lab.wait(30, "no descriptor stays") { try descriptors() <= before.0 + 1 }
        let after = try memory()
        #expect(after < before.1 + 8192, "kB: \(before.1) became \(after)")
        #expect(try lab.ctl("n", "peer", "10.0.0.2").status == 0)
        #expect(try lab.ctl("n", "peer", "10.0.0.9").status == 1)
    }

    @Test func `a range takes so many peers and no more, and another one when one has gone (maxDynamicPeers)`() throws {
        let lab = try Self.pair()
        for last in [3, 4] { try lab.must("ip addr add 10.0.0.\(last)/24 dev eth0", in: "peer") }
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object(
                    "BGPPeer", "range",
                    "listenRange: 10.0.0.0/24, asNumber: 64512, maxDynamicPeers: 1, gracefulRestart: 'off'"))
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent listens") { try lab.ctl("n", "peers").status == 0 }
        func raw(_ last: Int, _ seconds: Int) throws -> Process {
            try lab.start(
                ["python3", lab.folder + "/raw.py", "peer", "10.0.0.\(last)", "10.0.0.1", "\(seconds)"], in: "peer",
                log: "raw\(last).txt")
        }
        let first = try raw(3, 60)
        try lab.wait(20, "the first one is up") { try lab.ctl("n", "peer", "10.0.0.3").status == 0 }
        let second = try raw(4, 60)
        second.waitUntilExit()
        #expect(second.terminationStatus != 0)
        #expect(try lab.ctl("n", "peer", "10.0.0.4").status == 1)
        try lab.wait(5, "the log says why") { lab.log("n.log").contains("too many dynamic peers") }
        kill(first.processIdentifier, SIGKILL)
        try lab.wait(20, "the first one is gone") {
            try lab.ctl("n", "peer", "10.0.0.3").text.contains("no peer has the address")
        }
        _ = try raw(4, 60)
        try lab.wait(20, "now the second one is up") { try lab.ctl("n", "peer", "10.0.0.4").status == 0 }
    }

    @Test func `more clients than there are descriptors for are closed at once, and the operator is answered and told`()
        throws
    {
        let lab = try Self.pair()
        for last in 3...62 { try lab.must("ip addr add 10.0.0.\(last)/24 dev eth0", in: "peer") }
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object("BGPPeer", "range", "listenRange: 10.0.0.0/24, asNumber: 64512, maxDynamicPeers: 100"))
        let daemon = try lab.start(
            [
                "prlimit", "--nofile=16:96", Lab.products + "/apusd", "reflector", "--node", "n", "--resources",
                lab.folder + "/resources", "--state-dir", lab.folder + "/state-n",
                "--socket", lab.folder + "/n.sock",
            ], in: "node", log: "n.log")
        try lab.wait(20, "it listens") { try lab.ctl("n", "peers").status == 0 }
        // The soft limit of 16 was raised to the hard one of 96, of which 64 are kept back.
        let code = """
            import socket,time
            held=[]
            for last in range(3,63):
                s=socket.create_connection(("10.0.0.1",179),5,("10.0.0.%d"%last,0)); s.setblocking(False); \
            held.append(s)
            time.sleep(1)
            def is_open(s):
                try: return s.recv(4096)!=b""
                except BlockingIOError: return True
                except OSError: return False
            print("open",sum(map(is_open,held)),flush=True)
            time.sleep(60)
            """
        try code.write(toFile: lab.folder + "/many.py", atomically: true, encoding: .utf8)
        try lab.start(["python3", lab.folder + "/many.py"], in: "peer", log: "many.txt")
        try lab.wait(20, "32 stay") { lab.log("many.txt").contains("open 32\n") }
        let status = try lab.ctl("n", "status")
        #expect(
            status.status == 1
                && status.text.contains("no more than 32 connections: 28 were closed at once; the limit of open files"),
            "\(status.text)")
        #expect(lab.log("n.log").split(separator: "\n").count { $0.contains("no more than 32 connections") } == 1)
        /// Clock ticks that the daemon has used.
        func ticks() throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(daemon.processIdentifier)/stat", encoding: .utf8)
            let fields = (text.split(separator: ")").last ?? "").split(separator: " ")
            return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
        }
        let before = try ticks()
        // A span under test: it has nothing to do in it.
        Thread.sleep(forTimeInterval: 1)
        #expect(try ticks() - before < 50, "it turns round and round")
    }

    /// Two agents that are peers of each other, with a secret each.
    private static func twoAgents(_ peerFields: String) throws -> Lab {
        let lab = try Self.pair()
        for name in ["a", "b"] {
            try FileManager.default.createDirectory(
                atPath: lab.folder + "/\(name)/resources", withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: lab.folder + "/\(name)/secrets/bgp", withIntermediateDirectories: true)
            let (own, other) = name == "a" ? (1, 2) : (2, 1)
            let text =
                Lab.object("Node", name, "bgp: {ipv4Address: 10.0.0.\(own)/24}, podCIDRs: [10.65.\(own).0/26]")
                + Lab.object("BGPConfiguration", "default", "nodeToNodeMeshEnabled: false")
                + Lab.object(
                    "BGPPeer", "p",
                    "peerIP: 10.0.0.\(other), asNumber: 64512, holdTime: 9s, "
                        + "\(peerFields.replacingOccurrences(of: "SEND", with: "\(own)").replacingOccurrences(of: "RECEIVE", with: "\(other)"))"
                )
            try text.write(toFile: lab.folder + "/\(name)/resources/r.yaml", atomically: true, encoding: .utf8)
        }
        return lab
    }

    private static func secret(_ lab: Lab, _ name: String, _ text: String) throws {
        let path = lab.folder + "/\(name)/secrets/bgp/key"
        try text.write(toFile: path + ".new", atomically: false, encoding: .utf8)
        try lab.must("chmod 600 \(path).new")
        try lab.must("mv \(path).new \(path)")
    }

    private static func startTwo(_ lab: Lab) throws {
        for (name, namespace) in [("a", "node"), ("b", "peer")] {
            try lab.start(
                [
                    Lab.products + "/apusd", "agent", "--node", name, "--resources", lab.folder + "/\(name)/resources",
                    "--secrets", lab.folder + "/\(name)/secrets",
                    "--state-dir", lab.folder + "/state-\(name)", "--socket", lab.folder + "/\(name).sock",
                ], in: namespace, log: "\(name).log")
        }
    }

    @Test
    func
        `a password that changes on both sides within the hold time keeps the session, and a wrong one lets nothing through (RFC 2385)`()
        throws
    {
        let lab = try Self.twoAgents("password: {secretKeyRef: {name: bgp, key: key}}")
        for name in ["a", "b"] { try Self.secret(lab, name, "first") }
        try Self.startTwo(lab)
        try lab.wait(20, "the session is up") { try lab.ctl("a", "peer", "10.0.0.2").status == 0 }
        try Self.secret(lab, "a", "second")
        // The keys differ for a while: this is the situation, not a wait for one.
        Thread.sleep(forTimeInterval: 1)
        try Self.secret(lab, "b", "second")
        // Keepalives for longer than the hold time: nothing of the old key is left.
        func received(_ node: String, _ peer: String) throws -> Int {
            let output = try lab.ctl(node, "peer", peer, "-o", "json")
            let rows = (try? JSONSerialization.jsonObject(with: Data(output.text.utf8))) as? [[String: Any]] ?? []
            return rows.first?["messagesReceived"] as? Int ?? 0
        }
        let before = (try received("a", "10.0.0.2"), try received("b", "10.0.0.1"))
        try lab.wait(60, "keepalives go both ways with the new key") {
            try received("a", "10.0.0.2") >= before.0 + 5 && received("b", "10.0.0.1") >= before.1 + 5
        }
        let text = try lab.ctl("a", "peer", "10.0.0.2").text
        #expect(text.contains("state         Established") && text.contains("established   1 times"), "\(text)")
        try Self.secret(lab, "a", "third")
        try lab.wait(20, "the session ends by its hold time") { try lab.ctl("a", "peer", "10.0.0.2").status == 1 }
        // It must not come back meanwhile.
        Thread.sleep(forTimeInterval: 4)
        #expect(try lab.ctl("a", "peer", "10.0.0.2").status == 1)
        try Self.secret(lab, "b", "third")
        try lab.wait(30, "the session is up again") { try lab.ctl("a", "peer", "10.0.0.2").status == 0 }
    }

    @Test func `TCP-AO guards a session where the kernel has it, and is told to be missing where not (RFC 5925)`()
        throws
    {
        let lab = try Self.twoAgents("tcpAO: {secretKeyRef: {name: bgp, key: key}, sendID: SEND, receiveID: RECEIVE}")
        for name in ["a", "b"] { try Self.secret(lab, name, "master key") }
        try Self.startTwo(lab)
        try lab.wait(20, "both run") { try lab.ctl("a", "peers").status == 0 && lab.ctl("b", "peers").status == 0 }
        let status = try lab.ctl("a", "status").text
        if status.contains("held down") {
            #expect(
                status.contains(
                    "this kernel has no TCP-AO (RFC 5925): it needs Linux 6.7 or later with CONFIG_TCP_AO; use "
                        + "password (TCP MD5) instead"
                ), "\(status)")
        } else {
            try lab.wait(20, "the session is up") { try lab.ctl("a", "peer", "10.0.0.2").status == 0 }
        }
    }

    @Test
    func `our AS towards one peer, a static route to another with multihop BFD, and a blackhole that is asked for`()
        throws
    {
        let lab = try BirdTests.pair()
        try lab.must("ip addr add 10.77.0.1/32 dev lo", in: "peer")
        try lab.must("ip route add 10.65.0.0/16 via 10.0.0.1", in: "peer")
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object(
                    "BGPPeer", "far",
                    "peerIP: 10.77.0.1, asNumber: 65000, localASNumber: 65111, reachableBy: 10.0.0.2, "
                        + "acceptBlackhole: true, bfd: {minTransmitInterval: 100ms, minReceiveInterval: 100ms}"
                ))
        try lab.startAgent("n", in: "node")
        let text = """
            log stderr all; router id 10.77.0.1; protocol device { scan time 1; }
            protocol bfd { multihop { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
            protocol static { ipv4; route 10.70.0.0/24 blackhole; route 10.70.1.1/32 blackhole { \
            bgp_community.add((65535,666)); }; }
            protocol bgp n { local 10.77.0.1 as 65000; neighbor 10.0.0.1 as 65111; multihop; bfd on; ipv4 { import \
            all; export where source = RTS_STATIC; next hop self; }; }

            """
        try text.write(toFile: lab.folder + "/far.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/far.conf", "-s", lab.folder + "/bird.ctl"], in: "peer", log: "far.log")
        try lab.wait(30, "the session is up") { try lab.ctl("n", "peer", "10.77.0.1").status == 0 }
        try lab.wait(30, "BFD is up") { try lab.ctl("n", "peer", "10.77.0.1").text.contains("BFD           Up") }
        try lab.wait(30, "the kernel has it all") {
            let routes = try BirdTests.routes(lab)
            return routes.contains("10.77.0.1 via 10.0.0.2") && routes.contains("10.70.0.0/24 via 10.0.0.2")
                && routes.contains("blackhole 10.70.1.1")
        }
        try lab.wait(30, "BIRD has our block by our other AS") {
            try BirdTests.bird(lab, "show route all 10.65.1.0/26").contains("BGP.as_path: 65111")
        }
        try lab.must("ip link set eth0 down", in: "peer")
        try lab.wait(20, "BFD takes the session down") { try lab.ctl("n", "peer", "10.77.0.1").status == 1 }
        try lab.wait(20, "its routes go") { try !BirdTests.routes(lab).contains("10.70.0.0/24") }
    }

    @Test func `pods that are BGP peers, pools of another programmer, ignored interfaces and prefixes of services`()
        throws
    {
        let lab = try BirdTests.pair()
        // Proxy ARP answers for the pods' gateway where there is a way out.
        try lab.must("ip route add default via 10.0.0.2", in: "node")
        try lab.addPod("pod", of: "node", "cali1", ["10.65.1.9/32"])
        let configuration = "localWorkloadPeeringIPV4: 169.254.9.9, serviceClusterIPs: [{cidr: 10.96.0.0/16}]"
        let endpoint =
            "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: w, namespace: d, labels: "
            + "{bgp: \"yes\"}}\nspec: {node: n, interfaceName: cali1, ipNetworks: [10.65.1.9/32]}\n---\n"
        func write(_ more: String, _ objects: String = "") throws {
            try lab.write(
                "r.yaml",
                Lab.object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24}, podCIDRs: [10.65.1.0/26]")
                    + Lab.object("BGPConfiguration", "default", configuration + more) + endpoint
                    + objects
                    + Lab.object("BGPPeer", "pods", "localWorkloadSelector: \"bgp == 'yes'\", asNumber: 65100")
                    + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 65000"))
        }
        try write("")
        try lab.startAgent("n", in: "node")
        let pod = """
            log stderr all; router id 10.65.1.9; protocol device { }
            protocol static { ipv4; route 10.71.0.0/24 blackhole; }
            protocol bgp n { local 10.65.1.9 as 65100; neighbor 169.254.9.9 as 64512; multihop; connect delay time 1; \
            connect retry time 1; ipv4 { import all; export where source = RTS_STATIC; next hop self; }; }

            """
        try pod.write(toFile: lab.folder + "/pod.conf", atomically: true, encoding: .utf8)
        try lab.start(
            ["bird", "-f", "-c", lab.folder + "/pod.conf", "-s", lab.folder + "/pod.ctl"], in: "pod", log: "pod.log")
        try BirdTests.startBird(
            lab, "local 10.0.0.2 as 65000; neighbor 10.0.0.1 as 64512;",
            statics: "route 10.70.0.0/24 blackhole; route 10.65.7.0/26 blackhole;")
        try lab.wait(30, "the pod is a peer") { try lab.ctl("n", "peer", "10.65.1.9").status == 0 }
        try lab.wait(30, "its route leads to it") {
            try BirdTests.routes(lab).contains("10.71.0.0/24 via 10.65.1.9 dev cali1")
        }
        try lab.wait(30, "the service prefix is announced, and not in the kernel") {
            try BirdTests.bird(lab, "show route").contains("10.96.0.0/16") && !BirdTests.routes(lab).contains("10.96.")
        }
        try lab.wait(30, "a remote block is in the kernel") { try BirdTests.routes(lab).contains("10.65.7.0/26") }
        let pool = Lab.object("IPPool", "pool", "cidr: 10.65.0.0/16")
        try write(", programClusterRoutes: Disabled", pool)
        try lab.wait(30, "and is left to another programmer") {
            try !BirdTests.routes(lab).contains("10.65.7.0/26") && BirdTests.routes(lab).contains("10.70.0.0/24")
        }
        try write(", ignoredInterfaces: [eth*]", pool)
        try lab.wait(30, "nothing goes through an ignored interface") {
            try !BirdTests.routes(lab).contains("10.70.0.0/24") && BirdTests.routes(lab).contains("10.71.0.0/24")
        }
        #expect(try lab.ctl("n", "why", "10.70.0.0/24").text.contains("next hop unreachable"))
    }
}
