import Foundation
import LinuxIO
import Testing

/// What strangers and accidents do to the daemon's edges: its sockets and its files.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct EdgeLab {
    private static let node =
        Lab.object("Node", "n", "bgp: {ipv4Address: 127.0.0.1/8}")
        + Lab.object("BGPConfiguration", "default", "listenPort: 41180")

    @Test(arguments: ["agent", "reflector"])
    func `hostile lines on the status socket are refused, and the daemon lives on`(mode: String) throws {
        let lab = try Lab()
        try lab.addNamespace("n")
        try lab.write("r.yaml", EdgeLab.node)
        let process = try lab.startAgent("n", in: "n", mode: mode)
        try lab.wait(20, "it runs") { try lab.ctl("n", "peers").status == 0 }
        let lines = [
            #"{"command":"routes","cursor":-1}"#, #"{"command":"fib","cursor":-1}"#,
            #"{"command":"routes","cursor":-9223372036854775808}"#,
            #"{"command":"routes","cursor":9223372036854775807}"#, #"{"command":"fib","cursor":9223372036854775807}"#,
            #"{"command":"routes","cursor":1e400}"#,
            #"{"command":"why","argument":"\u0000"}"#, #"{"command":"reset","argument":"","text":""}"#,
            String(repeating: "[", count: 4000),
        ]
        for line in lines {
            var stream = try LineStream(connectingTo: lab.folder + "/n.sock")
            let isWritten = stream.writeLine(Array(line.utf8))
            let given = stream.readLine(milliseconds: 10000, limit: 1 << 20)
            let answer = try #require(isWritten ? given : nil, "\(line): no answer\n\(lab.log("n.log"))")
            #expect(answer.first == UInt8(ascii: "{"), "\(line)")
        }
        #expect(try lab.ctl("n", "peers").status == 0)
        #expect(process.isRunning, "\(lab.log("n.log"))")
    }

    @Test func `a hundred questions at once are answered beside clients that say nothing`() throws {
        let lab = try Lab()
        try lab.addNamespace("n")
        try lab.write("r.yaml", EdgeLab.node)
        try lab.startAgent("n", in: "n", mode: "reflector")
        try lab.wait(20, "it runs") { try lab.ctl("n", "peers").status == 0 }
        final class Idle {
            let stream: LineStream
            init(_ path: String) throws { stream = try LineStream(connectingTo: path) }
        }
        let idle = try (0..<100).map { _ in try Idle(lab.folder + "/n.sock") }
        let script =
            "for i in $(seq 100); do \(Lab.products)/apusctl why 10.0.0.1 --socket \(lab.folder)/n.sock > "
            + "\(lab.folder)/out$i 2>&1 & done; wait; cat \(lab.folder)/out*"
        let output = try Lab.run(["bash", "-c", script]).text
        #expect(output.components(separatedBy: "no peer has announced 10.0.0.1/32").count == 101, "\(output)")
        _ = idle.count
    }

    @Test
    func
        `FIFOs and devices in the place of files neither stop a start nor its end, and the socket goes with the process`()
        throws
    {
        let lab = try Lab()
        try lab.addNamespace("n")
        try lab.write("r.yaml", EdgeLab.node)
        for name in ["resources/fifo.yaml", "state-n/started", "state-n/started.new"] {
            try FileManager.default.createDirectory(atPath: lab.folder + "/state-n", withIntermediateDirectories: true)
            #expect(mkfifo(lab.folder + "/" + name, 0o600) == 0)
        }
        try FileManager.default.createSymbolicLink(
            atPath: lab.folder + "/resources/zero.yaml", withDestinationPath: "/dev/zero")
        let process = try lab.startAgent("n", in: "n", arguments: ["--lenient"], mode: "reflector")
        try lab.wait(20, "it runs, and names them") {
            let text = try lab.ctl("n", "status").text
            return text.contains("fifo.yaml: is not a regular file")
                && text.contains("zero.yaml: is not a regular file")
        }
        // Resources are read as before.
        try lab.write("bad.yaml", Lab.object("BGPPeer", "p", "peerIP: x, asNumber: 1"))
        try lab.wait(10, "a later file is read") { try lab.ctl("n", "status").text.contains("bad.yaml:4: BGPPeer/p") }
        #expect(
            try FileManager.default.attributesOfItem(atPath: lab.folder + "/state-n/started")[.type]
                as? FileAttributeType == .typeRegular)
        kill(process.processIdentifier, SIGTERM)
        try lab.wait(10, "it ends") { !process.isRunning }
        #expect(!FileManager.default.fileExists(atPath: lab.folder + "/n.sock"))
        // What is no socket is left alone, and said.
        try "mine".write(toFile: lab.folder + "/n.sock", atomically: false, encoding: .utf8)
        let second = try lab.startAgent("n", in: "n", arguments: ["--lenient"], mode: "reflector")
        try lab.wait(10, "it ends") { !second.isRunning }
        #expect(
            second.terminationStatus == 2 && lab.log("n.log").contains("no socket, and it is not removed"),
            "\(lab.log("n.log"))")
        #expect(try String(contentsOfFile: lab.folder + "/n.sock", encoding: .utf8) == "mine")
        // Nor does a start that fails later leave one behind.
        try FileManager.default.removeItem(atPath: lab.folder + "/n.sock")
        let third = try lab.startAgent(
            "n", in: "n", arguments: ["--lenient", "--health", "192.0.2.1:1"], mode: "reflector")
        try lab.wait(10, "it ends") { !third.isRunning }
        #expect(
            third.terminationStatus == 2 && !FileManager.default.fileExists(atPath: lab.folder + "/n.sock"),
            "\(lab.log("n.log"))")
    }

    /// Sends a datagram to 127.0.0.1 port 5353 as it is: a pod's own kernel would keep it.
    private static let sender = """
        import socket, struct, sys
        interface, words = sys.argv[1], sys.argv[2].encode()
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((interface, 0))
        udp = struct.pack('!HHHH', 4000, 5353, 8 + len(words), 0) + words
        def head(check): return struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, check, \
        socket.inet_aton('10.65.1.7'), socket.inet_aton('127.0.0.1'))
        total = sum(struct.unpack('!10H', head(0))); total = (total & 0xffff) + (total >> 16); total = (total & \
        0xffff) + (total >> 16)
        s.send(bytes.fromhex('eeeeeeeeeeee') + s.getsockname()[4] + bytes.fromhex('0800') + head(~total & 0xffff) + udp)
        """
    private static let receiver = """
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 5353)); print('ready', flush=True)
        while True: print(s.recv(100).decode(), flush=True)
        """

    @Test
    func `a pod does not reach a service on its node's loopback address, though an earlier version had opened it`()
        throws
    {
        let lab = try Lab()
        try lab.addNamespace("n")
        try lab.addPod("p", of: "n", "cali0", ["10.65.1.7/32"])
        try EdgeLab.sender.write(toFile: lab.folder + "/send.py", atomically: false, encoding: .utf8)
        try EdgeLab.receiver.write(toFile: lab.folder + "/receive.py", atomically: false, encoding: .utf8)
        try lab.start(["python3", lab.folder + "/receive.py"], in: "n", log: "received.log")
        try lab.wait(10, "the service listens") { lab.log("received.log").contains("ready") }
        func send(_ words: String) throws { try lab.must("python3 \(lab.folder)/send.py eth0 \(words)", in: "p") }
        // Without anybody's care the packet arrives: this is what is to be prevented.
        try lab.must(
            "sysctl -qw net.ipv4.conf.cali0.route_localnet=1 net.ipv4.conf.cali0.rp_filter=0 "
                + "net.ipv4.conf.all.rp_filter=0",
            in: "n")
        try lab.wait(10, "the control arrives") {
            try send("control")
            return lab.log("received.log").contains("control")
        }
        try lab.write(
            "r.yaml",
            EdgeLab.node
                + Lab.object("WorkloadEndpoint", "p", "node: n, interfaceName: cali0, ipNetworks: [10.65.1.7/32]"))
        try lab.startAgent("n", in: "n")
        try lab.wait(20, "the pod is up") { try lab.ctl("n", "endpoints").text.contains(" up ") }
        #expect(try lab.must("sysctl -n net.ipv4.conf.cali0.route_localnet", in: "n") == "0\n")
        for _ in 0..<5 { try send("attack") }
        let local = "import socket; socket.socket(socket.AF_INET,socket.SOCK_DGRAM).sendto(b'own',('127.0.0.1',5353))"
        #expect(try Lab.run(["ip", "netns", "exec", lab.name("n"), "python3", "-c", local]).status == 0)
        try lab.wait(10, "the service still answers the node itself") { lab.log("received.log").contains("own") }
        #expect(!lab.log("received.log").contains("attack"), "\(lab.log("received.log"))")
        // Who opens it gets the reason.
        #expect(try !lab.ctl("n", "doctor").text.contains("route_localnet"))
        try lab.must("sysctl -qw net.ipv4.conf.all.route_localnet=1", in: "n")
        #expect(try lab.ctl("n", "doctor").text.contains("net.ipv4.conf.all.route_localnet is 1: pods reach services"))
        try lab.write("felix.yaml", Lab.object("FelixConfiguration", "default", "routeLocalnet: Enabled"))
        try lab.wait(10, "the field is refused") {
            try lab.ctl("n", "status").text.contains("spec.routeLocalnet: Enabled is not supported: every service")
        }
    }
}
