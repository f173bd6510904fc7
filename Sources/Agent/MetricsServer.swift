import FlyingFox
import FlyingSocks
import FoundationEssentials
import LinuxIO
import Logging
import NetTypes

/// What the metrics page and the health checks are made of.
struct MetricsSnapshot: Sendable {
    var lines: [String]
    var isReady: Bool
    var unreadyReason: String
}

/// Prometheus metrics and health, by HTTP on addresses of their own.
enum MetricsServer {
    static func start(address: String, flag: String, mailbox: Mailbox<LoopMessage>, logger: Logger) throws(StartError) {
        guard !address.isEmpty else { return }
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]),
            let host = IPAddress(String(address[..<colon].filter { $0 != "[" && $0 != "]" }))
        else { throw StartError("\(flag): \"\(address)\" is not ADDRESS:PORT, such as 127.0.0.1:9091") }
        // Bound once here, so that a port in use is a clear line and not a silent absence.
        do throws(SystemError) {
            let probe = try TCPListener(on: SocketAddress(host, port: port))
            _ = consume probe
        } catch {
            throw StartError("\(flag) \(address): \(errorText(error.code))")
        }
        Task.detached {
            do {
                let server: HTTPServer
                if host.family == .ipv4 {
                    server = HTTPServer(address: try .inet(ip4: host.description, port: port), logger: .disabled)
                } else {
                    server = HTTPServer(address: try .inet6(ip6: host.description, port: port), logger: .disabled)
                }
                await server.appendRoute("GET /metrics") { _ in
                    guard let snapshot = await ask(mailbox) else { return HTTPResponse(statusCode: .serviceUnavailable) }
                    return HTTPResponse(
                        statusCode: .ok, headers: HTTPHeaders([.contentType: "text/plain; version=0.0.4"]),
                        body: Data((snapshot.lines.joined(separator: "\n") + "\n").utf8))
                }
                await server.appendRoute("GET /liveness") { _ in
                    HTTPResponse(statusCode: await ask(mailbox) == nil ? .serviceUnavailable : .ok)
                }
                await server.appendRoute("GET /readiness") { _ in
                    guard let snapshot = await ask(mailbox) else { return HTTPResponse(statusCode: .serviceUnavailable) }
                    return HTTPResponse(
                        statusCode: snapshot.isReady ? .ok : .serviceUnavailable,
                        body: Data((snapshot.isReady ? "ready\n" : snapshot.unreadyReason + "\n").utf8))
                }
                try await server.run()
            } catch {
                logger.error("the HTTP server ended", metadata: ["flag": "\(flag)", "reason": "\(error)"])
            }
        }
    }

    /// Asks the loop, on a thread of its own because waiting blocks.
    private static func ask(_ mailbox: Mailbox<LoopMessage>) async -> MetricsSnapshot? {
        await withCheckedContinuation { continuation in
            startEdgeThread {
                let promise = Promise<MetricsSnapshot>()
                mailbox.post(.metrics(promise))
                continuation.resume(returning: promise.wait(milliseconds: 2000))
            }
        }
    }
}
