import LinuxIO
import NetTypes

/// What the metrics page and the health checks are made of.
struct MetricsSnapshot: Sendable {
    var lines: [String]
    var isReady: Bool
    var unreadyReason: String
}

/// Prometheus metrics and health: three pages by HTTP/1.1 (RFC 9112), on addresses of their own, one request a connection.
///
/// Why not a library: `docs/decisions/0010-own-http-for-three-pages.md`.
enum MetricsServer {
    /// Clients at a time, header fields of a request, octets of a line, and milliseconds of silence.
    private static let maximumClients = 16
    private static let maximumFields = 100
    private static let maximumLine = 8192
    private static let patience: Int32 = 5000

    /// Opens the address, and serves on threads of their own. Throws where `address` is none, or cannot be bound.
    static func start(address: String, flag: String, mailbox: Mailbox<LoopMessage>) throws(StartError) {
        guard !address.isEmpty else { return }
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]),
            let host = IPAddress(String(address[..<colon].filter { $0 != "[" && $0 != "]" }))
        else { throw StartError("\(flag): \"\(address)\" is not ADDRESS:PORT, such as 127.0.0.1:9091") }
        let listener: TCPListener
        do throws(SystemError) {
            listener = try TCPListener(on: SocketAddress(host, port: port))
        } catch {
            throw StartError("\(flag) \(address): \(errorText(error.code))")
        }
        LineServer.start(listener, maximumClients: maximumClients) { stream in
            guard let request = readLine(&stream) else { return }
            // The fields say nothing that these pages depend on; they are read, because closing on unread octets would reset the connection.
            var fields = 0
            while let field = readLine(&stream), !field.isEmpty {
                fields += 1
                guard fields <= maximumFields else { return }
            }
            _ = stream.write(answer(request) { mailbox.ask(milliseconds: 2000) { .metrics($0) } })
        }
    }

    private static func readLine(_ stream: inout LineStream) -> String? {
        guard var line = stream.readLine(milliseconds: patience, limit: maximumLine) else { return nil }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }

    /// The whole response to a request line; `snapshot` asks the routing loop, nil where it does not answer in time.
    static func answer(_ requestLine: String, snapshot: () -> MetricsSnapshot?) -> [UInt8] {
        let parts = requestLine.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].hasPrefix("HTTP/1.") else { return response("400 Bad Request", "not a request of HTTP/1.1\n") }
        let isHead = parts[0] == "HEAD"
        guard isHead || parts[0] == "GET" else { return response("405 Method Not Allowed", "only GET and HEAD\n", fields: "Allow: GET, HEAD\r\n") }
        let path = parts[1].prefix { $0 != "?" }
        guard ["/metrics", "/liveness", "/readiness"].contains(path) else {
            return response("404 Not Found", "there are /metrics, /liveness and /readiness\n", isHead: isHead)
        }
        guard let snapshot = snapshot() else { return response("503 Service Unavailable", "the routing loop did not answer in time\n", isHead: isHead) }
        switch path {
        case "/metrics":
            return response("200 OK", snapshot.lines.joined(separator: "\n") + "\n", type: "text/plain; version=0.0.4", isHead: isHead)
        case "/readiness" where !snapshot.isReady: return response("503 Service Unavailable", snapshot.unreadyReason + "\n", isHead: isHead)
        case "/readiness": return response("200 OK", "ready\n", isHead: isHead)
        default: return response("200 OK", "alive\n", isHead: isHead)
        }
    }

    private static func response(
        _ status: String, _ body: String, type: String = "text/plain; charset=utf-8", fields: String = "", isHead: Bool = false
    ) -> [UInt8] {
        let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\(fields)Connection: close\r\n\r\n"
        return Array((isHead ? head : head + body).utf8)
    }
}
