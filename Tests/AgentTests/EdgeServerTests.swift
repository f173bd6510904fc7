import Glibc
import LinuxIO
import NetTypes
import StatusAPI
import Synchronization
import Testing

@testable import Edges
@testable import Node

/// Clients that mean harm, and those that must be served in spite of them.
@Suite(.serialized) struct EdgeServerTests {
    /// A routing loop that answers what it is asked at once, or nothing while it is held.
    private final class FakeLoop: Sendable {
        let wakeup: Wakeup
        let mailbox: Mailbox<LoopMessage>
        let questions = Atomic<Int>(0)

        init(answers: Bool = true) throws {
            wakeup = try Wakeup()
            mailbox = Mailbox(wakeup)
            guard answers else { return }
            startEdgeThread { [self] in
                while true {
                    _ = waitReadable(wakeup.fd, milliseconds: -1)
                    wakeup.clear()
                    for message in mailbox.takeAll() {
                        questions.add(1, ordering: .relaxed)
                        switch message {
                        case .question(_, let promise):
                            var answer = StatusAnswer()
                            answer.done = "answered"
                            promise.fulfil(answer)
                        case .alive(let promise): promise.fulfil(true)
                        case .readiness(let promise): promise.fulfil(ReadinessReport(unreadiness: nil))
                        case .metrics(let promise):
                            promise.fulfil(MetricsPage { [String(repeating: "x", count: 1 << 20)] })
                        default: break
                        }
                    }
                }
            }
        }
    }

    private static func now() -> Double { Double(monotonicNanoseconds()) / 1e9 }

    // MARK: HTTP

    /// A metrics server on a port that was free.
    private static func startMetrics(_ loop: FakeLoop) throws -> UInt16 {
        for _ in 0..<50 {
            let port = UInt16.random(in: 20000..<30000)
            if (try? MetricsServer.start(address: "127.0.0.1:\(port)", flag: "--health", mailbox: loop.mailbox)) != nil
            {
                return port
            }
        }
        throw StartError("no port is free")
    }

    private static func connect(_ port: UInt16) -> Int32 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(result == 0)
        return fd
    }

    @discardableResult private static func send(_ fd: Int32, _ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return Glibc.send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// Everything until the end of the stream; nil after ten seconds of silence or a reset.
    private static func readAll(_ fd: Int32) -> String? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            guard waitReadable(fd, milliseconds: 10000) else { return nil }
            let count = recv(fd, &chunk, chunk.count, 0)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            guard count > 0 else { return nil }
            bytes += chunk[0..<count]
        }
    }

    private static func get(_ path: String, _ port: UInt16) -> String? {
        let fd = connect(port)
        defer { close(fd) }
        send(fd, "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        return readAll(fd)
    }

    @Test(arguments: [40, 400]) func `clients that send a byte now and then keep no probe out, and are ended`(
        count: Int
    ) throws {
        let port = try Self.startMetrics(try FakeLoop())
        let slow = (0..<count).map { _ in Self.connect(port) }
        defer { for fd in slow { close(fd) } }
        let start = Self.now()
        var slowest = 0.0
        for round in 0..<40 {
            for fd in slow { Self.send(fd, round == 0 ? "GET /liveness HTTP/1.1\r\nX: " : "x") }
            let before = Self.now()
            let answer = Self.get("/liveness", port)
            #expect(answer?.hasPrefix("HTTP/1.1 200") == true, "round \(round): \(answer ?? "no answer")")
            slowest = max(slowest, Self.now() - before)
            pauseThread(milliseconds: 50)
        }
        #expect(slowest < 1.0, "a probe took \(slowest) s")
        // The deadline is that of the whole request, however many bytes came.
        for fd in slow {
            let answer = Self.readAll(fd)
            #expect(answer.map { $0.hasPrefix("HTTP/1.1 408") || $0.hasPrefix("HTTP/1.1 503") } ?? true)
        }
        #expect(Self.now() - start < 30)
    }

    @Test func `a hundred probes at once are all answered, beside scrapes that nobody reads`() throws {
        let loop = try FakeLoop()
        let port = try Self.startMetrics(loop)
        let scrapes = (0..<30).map { _ in Self.connect(port) }
        defer { for fd in scrapes { close(fd) } }
        for fd in scrapes { Self.send(fd, "GET /metrics HTTP/1.1\r\n\r\n") }
        let answered = Atomic<Int>(0)
        Self.inParallel(100) {
            if Self.get("/liveness", port)?.hasPrefix("HTTP/1.1 200") == true { answered.add(1, ordering: .relaxed) }
        }
        #expect(answered.load(ordering: .relaxed) == 100)
    }

    @Test(arguments: [
        ("GET /nowhere HTTP/1.1\r\n\r\n", "404"), ("POST /metrics HTTP/1.1\r\n\r\n", "405"), ("hello\n\n", "400"),
        ("GET /readiness HTTP/1.0\n\n", "200"),
        ("GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 20000))\r\n\r\n", "431"),
        ("HEAD /metrics?x=1 HTTP/1.1\r\n\r\n", "200"),
    ]) func `each request has its answer`(request: String, status: String) throws {
        let port = try Self.startMetrics(try FakeLoop())
        let fd = Self.connect(port)
        defer { close(fd) }
        Self.send(fd, request)
        #expect(Self.readAll(fd)?.hasPrefix("HTTP/1.1 \(status)") == true)
    }

    @Test func `a routing loop that stands still is reported by 503 in time`() throws {
        let port = try Self.startMetrics(try FakeLoop(answers: false))
        let start = Self.now()
        #expect(Self.get("/liveness", port)?.hasPrefix("HTTP/1.1 503") == true)
        #expect((1.5..<8).contains(Self.now() - start))
    }

    // MARK: Status socket

    private static func startStatus(_ loop: FakeLoop) throws -> String {
        let path = "/tmp/apus-edge-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        _ = try StatusServer.start(path: path, owner: nil, mailbox: loop.mailbox)
        return path
    }

    private static func ask(_ path: String, _ line: String = "{\"command\":\"peers\"}") -> StatusAnswer? {
        guard var stream = try? LineStream(connectingTo: path), stream.writeLine(Array(line.utf8)) else { return nil }
        return stream.readLine(milliseconds: 20000, limit: 1 << 20).flatMap { StatusCodec.answer($0) }
    }

    @Test func `idle clients give way, and a hundred questions at once are all answered`() throws {
        let path = try Self.startStatus(try FakeLoop())
        defer { unlink(path) }
        let idle = try (0..<200).map { _ in Box(try LineStream(connectingTo: path)) }
        #expect(Self.ask(path)?.done == "answered")
        let answered = Atomic<Int>(0)
        Self.inParallel(100) {
            // A connection may have to give way before its question has come; then it gets an answer that says so, and
            // comes again.
            for _ in 0..<100 {
                let answer = Self.ask(path)
                if answer?.done == "answered" {
                    answered.add(1, ordering: .relaxed)
                    return
                }
                guard answer?.isBusy == true else { return }
            }
        }
        #expect(answered.load(ordering: .relaxed) == 100)
        _ = idle.count
    }

    @Test func `a client may ask again and again, and many questions in one go`() throws {
        let path = try Self.startStatus(try FakeLoop())
        defer { unlink(path) }
        var stream = try LineStream(connectingTo: path)
        for _ in 0..<20 {
            let isWritten = stream.writeLine(
                Array("{\"command\":\"peers\"}\nnonsense\n{\"command\":\"fib\",\"cursor\":-1}".utf8))
            #expect(isWritten)
            for part in ["answered", "not understood", "negative"] {
                let line = stream.readLine(milliseconds: 10000, limit: 1 << 20).map {
                    String(decoding: $0, as: UTF8.self)
                }
                #expect(line?.contains(part) == true, "\(line ?? "nothing")")
            }
        }
    }

    @Test func `a port that another process has is reported, and served as soon as it is free`() throws {
        let mailbox = Mailbox<LoopMessage>(try Wakeup())
        func heard(_ isWanted: (String, FindingCause?) -> Bool) -> Bool {
            let end = Self.now() + 30
            while Self.now() < end {
                for case .listener(let flag, let cause) in mailbox.takeAll() where isWanted(flag, cause) { return true }
                pauseThread(milliseconds: 20)
            }
            return false
        }
        let other = try TCPListener(on: SocketAddress(IPAddress(v4: 0x7F00_0001), port: 0))
        let address = "127.0.0.1:\(other.address.port)"
        try MetricsServer.start(address: address, flag: "--metrics", mailbox: mailbox)
        #expect(heard { $0 == "--metrics" && $1 == .listenerTaken(flag: "--metrics", address: address) })
        _ = consume other
        #expect(heard { $0 == "--metrics" && $1 == nil })
        // Whoever asks for it first was told; what is wrong with the address itself still ends the start.
        #expect(throws: StartError.self) {
            try MetricsServer.start(address: "192.0.2.1:1", flag: "--health", mailbox: mailbox)
        }
    }

    @Test func `where nobody answers, the last of many hears that we are busy`() throws {
        let path = try Self.startStatus(try FakeLoop(answers: false))
        defer { unlink(path) }
        var waiting: [Box] = []
        for _ in 0..<64 {
            let stream = try LineStream(connectingTo: path)
            let isWritten = stream.writeLine(Array("{\"command\":\"peers\"}".utf8))
            #expect(isWritten)
            waiting.append(Box(stream))
        }
        let answer = Self.ask(path)
        #expect(
            answer?.isBusy == true && answer?.error?.contains("busy") == true, "\(String(describing: answer?.error))")
        _ = waiting.count
    }

    private final class Box {
        let stream: LineStream
        init(_ stream: consuming LineStream) { self.stream = stream }
    }

    private static func inParallel(_ count: Int, _ body: @escaping @Sendable () -> Void) {
        let left = Counter()
        left.value.store(count, ordering: .relaxed)
        for _ in 0..<count {
            startEdgeThread {
                body()
                left.value.subtract(1, ordering: .sequentiallyConsistent)
            }
        }
        let end = now() + 60
        while left.value.load(ordering: .sequentiallyConsistent) > 0, now() < end { pauseThread(milliseconds: 5) }
        #expect(left.value.load(ordering: .sequentiallyConsistent) == 0)
    }

    private final class Counter: Sendable { let value = Atomic<Int>(0) }
}
