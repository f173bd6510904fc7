import Foundation
import Testing

/// What a connection is sent that does not become a session.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct RefusedConnectionLab {
    /// Opens a session that stays; then connects so many times more from the same address and writes down what each
    /// connection receives.
    private static let script = """
        import socket, struct, sys, time
        local, remote, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
        def message(kind, body=b''): return b'\\xff' * 16 + struct.pack('!HB', 19 + len(body), kind) + body
        def connect():
            s = socket.socket()
            s.bind((local, 0))
            s.settimeout(10)
            s.connect((remote, 179))
            return s
        def read(s):
            data = b''
            try:
                while True:
                    part = s.recv(4096)
                    if not part: break
                    data += part
            except OSError: data += b'?'
            return data
        caps = b'\\x02\\x06\\x01\\x04\\x00\\x01\\x00\\x01' + b'\\x02\\x06\\x41\\x04' + struct.pack('!I', 64512)
        opening = message(1, struct.pack('!BHHI', 4, 64512, 90, 0x0A000002) + bytes([len(caps)]) + caps) + message(4)
        session = connect()
        session.sendall(opening)
        heard = b''
        # OPEN, KEEPALIVE and End-of-RIB: the session is up.
        while len(heard) < 19 or heard.count(b'\\xff' * 16) < 3: heard += session.recv(4096)
        for i in range(times):
            second = connect()
            # Every other one talks at once, and its bytes may lie unread when it is closed.
            if i % 2: second.sendall(opening)
            print(read(second).hex(), flush=True)
        print('done', flush=True)
        """

    @Test
    func `a second connection beside a session that is up receives one whole NOTIFICATION, Cease/7 (RFC 4271 6.8)`()
        throws
    {
        let lab = try BirdTests.pair()
        try Self.script.write(toFile: lab.folder + "/second.py", atomically: true, encoding: .utf8)
        try lab.write(
            "r.yaml", BirdTests.node + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, passive: true"))
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent listens") { try lab.ctl("n", "peers").status == 0 }
        try lab.start(
            ["python3", lab.folder + "/second.py", "10.0.0.2", "10.0.0.1", "20"], in: "peer", log: "second.txt")
        try lab.wait(60, "all connections were refused") { lab.log("second.txt").contains("done") }
        let received = lab.log("second.txt").split(separator: "\n").dropLast()
        #expect(received.count == 20)
        for bytes in received { #expect(bytes == String(repeating: "ff", count: 16) + "0015" + "03" + "0607") }
    }

    /// A session with a hold time of 3 s that sends a KEEPALIVE every half second, and writes down how it ended, if it
    /// did.
    private static let steady = """
        import select, socket, struct, sys, time
        def message(kind, body=b''): return b'\\xff' * 16 + struct.pack('!HB', 19 + len(body), kind) + body
        s = socket.socket()
        s.bind((sys.argv[1], 0))
        s.connect((sys.argv[2], 179))
        caps = b'\\x02\\x06\\x01\\x04\\x00\\x01\\x00\\x01' + b'\\x02\\x06\\x41\\x04' + struct.pack('!I', 64512)
        s.sendall(message(1, struct.pack('!BHHI', 4, 64512, 3, 0x0A000002) + bytes([len(caps)]) + caps))
        while True:
            try:
                if select.select([s], [], [], 0.5)[0]:
                    data = s.recv(65536)
                    if not data or b'\\x00\\x15\\x03' in data: break
                else: s.sendall(message(4))
            except OSError: break
            s.sendall(message(4))
        print('ended', data.hex(), flush=True)
        """

    @Test
    func
        `a process that stood still for longer than the hold time reads its sockets before a hold timer fires (RFC 4271 6.5)`()
        throws
    {
        let lab = try BirdTests.pair()
        try Self.steady.write(toFile: lab.folder + "/steady.py", atomically: true, encoding: .utf8)
        try lab.write(
            "r.yaml",
            BirdTests.node
                + Lab.object("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512, passive: true, holdTime: 3s"))
        try lab.startAgent("n", in: "node")
        try lab.wait(20, "the agent listens") { try lab.ctl("n", "peers").status == 0 }
        try lab.start(["python3", lab.folder + "/steady.py", "10.0.0.2", "10.0.0.1"], in: "peer", log: "steady.txt")
        func isUp() throws -> Bool { try lab.ctl("n", "peers").text.contains("Established") }
        try lab.wait(20, "the session is up") { try isUp() }
        for _ in 0..<2 {
            try lab.signalAgent("n", SIGSTOP)
            // Not a wait for a state: the time that stands still is what is tested.
            Thread.sleep(forTimeInterval: 4)
            try lab.signalAgent("n", SIGCONT)
            #expect(try isUp(), "\(lab.log("steady.txt"))")
        }
        #expect(lab.log("steady.txt").isEmpty, "\(lab.log("steady.txt"))")
    }
}
