import Foundation
import LinuxIO
import Testing

/// What strangers and accidents do to the daemon's edges: its sockets and its files.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct EdgeLab {
    private static let node = Lab.object("Node", "n", "bgp: {ipv4Address: 127.0.0.1/8}") + Lab.object("BGPConfiguration", "default", "listenPort: 41180")

    @Test(arguments: ["agent", "reflector"]) func `hostile lines on the status socket are refused, and the daemon lives on`(mode: String) throws {
        let lab = try Lab()
        try lab.addNamespace("n")
        try lab.write("r.yaml", EdgeLab.node)
        let process = try lab.startAgent("n", in: "n", mode: mode)
        try lab.wait(20, "it runs") { try lab.ctl("n", "peers").status == 0 }
        let lines = [
            #"{"command":"routes","cursor":-1}"#, #"{"command":"fib","cursor":-1}"#, #"{"command":"routes","cursor":-9223372036854775808}"#,
            #"{"command":"routes","cursor":9223372036854775807}"#, #"{"command":"fib","cursor":9223372036854775807}"#, #"{"command":"routes","cursor":1e400}"#,
            #"{"command":"why","argument":"\u0000"}"#, #"{"command":"reset","argument":"","text":""}"#, String(repeating: "[", count: 4000),
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
}
