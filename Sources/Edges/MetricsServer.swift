package import LinuxIO
import NetTypes
package import StatusAPI
import Wording

/// The metrics page; its text is made where it is served, not on the routing thread.
package struct MetricsPage: Sendable {
    let lines: @Sendable () -> [String]
    package init(_ lines: @escaping @Sendable () -> [String]) { self.lines = lines }
}

/// What `/readiness` says: nil where all is well.
package struct ReadinessReport: Sendable {
    var unreadiness: Unreadiness?

    package init(unreadiness: Unreadiness?) { self.unreadiness = unreadiness }

    /// The page's one line.
    var text: String { unreadiness?.text ?? "ready" }
}

/// Prometheus metrics and health: three pages by HTTP/1.1 (RFC 9112), on addresses of their own, one request a
/// connection.
///
/// Why not a library: `docs/decisions/0010-own-http-for-three-pages.md`.
package enum MetricsServer {
    /// Bytes of a request at most.
    private static let maximumRequest = 16384

    /// How often a port that somebody else has is tried again, in milliseconds.
    private static let retryTime: UInt32 = 5000

    /// Opens the address, and serves on a thread of its own. Throws where `address` is none, or cannot be bound; where
    /// somebody else has it, it is tried again and again, and `mailbox` hears of it.
    package static func start(address: String, flag: String, mailbox: Mailbox<LoopMessage>) throws(StartError) {
        guard !address.isEmpty else { return }
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]),
            let host = IPAddress(String(address[..<colon].filter { $0 != "[" && $0 != "]" }))
        else { throw StartError("\(flag): \"\(address)\" is not ADDRESS:PORT, such as 127.0.0.1:9091") }
        let place = SocketAddress(host, port: port)
        do throws(SystemError) {
            try EdgeLoop.start(try TCPListener(on: place), service(mailbox))
        } catch {
            guard error.code == SystemError.addressInUse else {
                throw StartError("\(flag) \(address): \(errorText(error.code))")
            }
            mailbox.post(.listener(flag: flag, .listenerTaken(flag: flag, address: address)))
            startEdgeThread {
                while true {
                    pauseThread(milliseconds: retryTime)
                    guard let listener = try? TCPListener(on: place),
                        (try? EdgeLoop.start(listener, service(mailbox))) != nil
                    else { continue }
                    mailbox.post(.listener(flag: flag, nil))
                    return
                }
            }
        }
    }

    /// A client has two seconds for its request, the routing loop two for the answer, and the client some more to read
    /// it.
    private static func service(_ mailbox: Mailbox<LoopMessage>) -> EdgeService {
        EdgeService(
            mostClients: 128, mostInput: maximumRequest, mostAnswers: 8, requestTime: .seconds(2),
            silenceTime: .seconds(2), answerTime: .seconds(2),
            readingTime: .seconds(5), closesAfterAnswer: true,
            makeReader: {
                let pages = Pages(mailbox)
                return { input in head(&input).map { pages.request($0) } }
            }, refusal: refusal)
    }

    /// The request line of a request that is whole, its end included. The fields say nothing that these pages depend
    /// on.
    private static func head(_ input: inout [UInt8]) -> String? {
        var lineStart = 0
        var first: String?
        while let end = input[lineStart...].firstIndex(of: UInt8(ascii: "\n")) {
            let line =
                input[lineStart..<end].last == UInt8(ascii: "\r") ? input[lineStart..<end - 1] : input[lineStart..<end]
            lineStart = end + 1
            if first != nil, line.isEmpty {
                input = []
                return first
            }
            first = first ?? String(decoding: line, as: UTF8.self)
        }
        return nil
    }

    private static func refusal(_ refusal: EdgeRefusal) -> [UInt8] {
        switch refusal {
        case .busy: response("503 Service Unavailable", "busy: too many clients\n")
        case .tooLong: response("431 Request Header Fields Too Large", "more than \(maximumRequest) bytes\n")
        case .tooSlow: response("408 Request Timeout", "the request did not end in time\n")
        case .noAnswer: response("503 Service Unavailable", "the routing loop did not answer in time\n")
        }
    }

    // MARK: Pages

    /// Requests of one server, on its thread. However many ask, the routing loop has one question of each kind at a
    /// time, and all who wait get its answer.
    final class Pages {
        private let mailbox: Mailbox<LoopMessage>
        private let alive = Shared<Bool>()
        private let readiness = Shared<ReadinessReport>()
        private let metrics = Shared<MetricsPage>()

        init(_ mailbox: Mailbox<LoopMessage>) { self.mailbox = mailbox }

        func request(_ requestLine: String) -> EdgeRequest {
            let parts = requestLine.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2].hasPrefix("HTTP/1.") else {
                return .answered(response("400 Bad Request", "not a request of HTTP/1.1\n"))
            }
            let isHead = parts[0] == "HEAD"
            guard isHead || parts[0] == "GET" else {
                return .answered(
                    response("405 Method Not Allowed", "only GET and HEAD\n", fields: "Allow: GET, HEAD\r\n"))
            }
            let mailbox = mailbox
            switch parts[1].prefix(while: { $0 != "?" }) {
            case "/liveness":
                return alive.request(
                    isUrgent: true, post: { mailbox.post(.alive($0)) },
                    render: { _ in response("200 OK", "alive\n", isHead: isHead) })
            case "/readiness":
                return readiness.request(
                    isUrgent: true, post: { mailbox.post(.readiness($0)) },
                    render: { state in
                        response(
                            state.unreadiness == nil ? "200 OK" : "503 Service Unavailable", state.text + "\n",
                            isHead: isHead)
                    })
            case "/metrics":
                return metrics.request(
                    isUrgent: false, post: { mailbox.post(.metrics($0)) },
                    render: {
                        response(
                            "200 OK", $0.lines().joined(separator: "\n") + "\n", type: "text/plain; version=0.0.4",
                            isHead: isHead)
                    })
            default:
                return .answered(
                    response("404 Not Found", "there are /metrics, /liveness and /readiness\n", isHead: isHead))
            }
        }
    }

    /// A question that many may wait for.
    final class Shared<Answer: Sendable> {
        private var asked: Promise<Answer>?

        fileprivate func request(
            isUrgent: Bool, post: @escaping (Promise<Answer>) -> Void, render: @escaping (Answer) -> [UInt8]
        ) -> EdgeRequest {
            .question(isUrgent: isUrgent) { [self] wakeup in
                let promise: Promise<Answer>
                if let asked, asked.value == nil {
                    promise = asked
                } else {
                    promise = Promise(wakeup)
                    asked = promise
                    post(promise)
                }
                return { promise.value.map(render) }
            }
        }
    }

    private static func response(
        _ status: String, _ body: String, type: String = "text/plain; charset=utf-8", fields: String = "",
        isHead: Bool = false
    ) -> [UInt8] {
        let head =
            "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: "
            + "\(body.utf8.count)\r\n\(fields)Connection: close\r\n\r\n"
        return Array((isHead ? head : head + body).utf8)
    }
}
