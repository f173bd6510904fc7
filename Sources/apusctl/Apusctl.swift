import ArgumentParser
import Glibc
import LinuxIO
import NetTypes
import StatusAPI

// `unsafe` here: calls of the C library with the address of a variable for the length of the call; `tm` is unsafe by
// its `tm_zone`, which is not read.

/// The operator's tool. Exit codes: 0 fine, 1 the answer is 'no' or unhealthy, 2 wrong use, 3 no daemon.
@main
struct Apusctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apusctl", abstract: "Ask a running apusd.", version: apusVersion,
        subcommands: [
            Status.self, Peers.self, Peer.self, Routes.self, Why.self, Endpoints.self, FIB.self, Doctor.self,
            Events.self, Shadow.self, Plan.self,
            Refresh.self, Reset.self, NodeCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            printError("apusctl: \(failure.message)\n")
            Glibc.exit(failure.code)
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if code == .success {
                print(message)
                Glibc.exit(0)
            }
            printError(message + suggestedCommand() + "\n")
            Glibc.exit(2)
        }
    }
}

extension Apusctl {
    /// For a command that there is not: which one may have been meant.
    private static func suggestedCommand() -> String {
        let known = configuration.subcommands.map { $0._commandName }
        guard let wanted = CommandLine.arguments.dropFirst().first(where: { !$0.hasPrefix("-") }),
            !known.contains(wanted)
        else { return "" }
        let names = nearest(to: wanted, among: known)
        return names.isEmpty ? "" : "\nDid you mean \(names.map { "apusctl \($0)" }.joined(separator: ", "))?"
    }
}

/// An end with a sentence and an exit code.
struct Failure: Error {
    let code: Int32
    let message: String
    static func no(_ message: String) -> Failure { Failure(code: 1, message: message) }
}

struct CommonOptions: ParsableArguments {
    @Option(help: "Unix socket of the daemon (APUS_SOCKET).")
    var socket: String = environment("APUS_SOCKET") ?? "/run/apus/apusd.sock"
    @Option(name: [.short, .long], help: "table or json.")
    var output: OutputFormat = .table

    /// Asks, and goes on asking while the answer has a `next`.
    func ask(_ request: StatusRequest) throws -> StatusAnswer {
        var connection = try Connection(socket)
        var request = request
        var whole = try connection.exchange(request)
        while let next = whole.next {
            request.cursor = next
            let answer = try connection.exchange(request)
            whole.peers? += answer.peers ?? []
            if request.command == .why {
                whole.addAnnouncements(answer)
            } else {
                whole.routes? += answer.routes ?? []
            }
            whole.fib? += answer.fib ?? []
            whole.events? += answer.events ?? []
            whole.next = answer.next
            if let error = answer.error { throw Failure.no(error) }
        }
        whole.peers?.sort { place($0) < place($1) }
        return whole
    }

    private func place(_ peer: PeerStatus) -> PeerAddress {
        PeerAddress(IPAddress(peer.address) ?? .any(.ipv4), port: peer.port)
    }
}

extension StatusAnswer {
    /// `why`: what a further page says of peers.
    fileprivate mutating func addAnnouncements(_ page: StatusAnswer) {
        guard let best = page.routes?.first(where: \.isBest), var rows = routes,
            let position = rows.firstIndex(where: \.isBest)
        else { return }
        rows[position].announcedTo = (rows[position].announcedTo ?? []) + (best.announcedTo ?? [])
        let others = rows[position].notAnnouncedTo ?? [:]
        rows[position].notAnnouncedTo = others.merging(best.notAnnouncedTo ?? [:]) { _, new in new }
        routes = rows
    }
}

/// A connection to the daemon. Where the daemon is busy, or has closed the connection for others' sake, it is made anew
/// for a while.
struct Connection: ~Copyable {
    private let socket: String
    private var stream: LineStream
    private static let patience: Int64 = 10_000_000_000
    private static let pause: UInt32 = 100

    init(_ socket: String) throws {
        self.socket = socket
        stream = try Connection.connect(socket)
    }

    private static func connect(_ socket: String) throws -> LineStream {
        do throws(SystemError) {
            return try LineStream(connectingTo: socket)
        } catch {
            if error.code == SystemError.tryAgain { throw busy(socket) }
            throw Failure(
                code: 3,
                message:
                    "no apusd answers on \(socket): \(errorText(error.code)); is it running, and may you open its "
                    + "socket?"
            )
        }
    }

    private static func busy(_ socket: String) -> Failure {
        Failure(code: 3, message: "apusd on \(socket) is busy: too many clients or requests at once; try again")
    }

    /// One question and its answer.
    mutating func exchange(_ request: StatusRequest) throws -> StatusAnswer {
        let end = monotonicNanoseconds() + Connection.patience
        while true {
            // A busy server has said so and closed: then writing fails, and its words can still be read.
            _ = stream.writeLine(StatusCodec.encode(request))
            let line = stream.readLine(milliseconds: 15000, limit: 1 << 30)
            let answer = line.flatMap { StatusCodec.answer($0) }
            if let answer, answer.isBusy != true { return answer }
            if line != nil, answer == nil {
                throw Failure(
                    code: 3,
                    message:
                        "the answer of apusd on \(socket) is not understood; apusctl and apusd must be of the same "
                        + "version"
                )
            }
            // Without a word of being busy an order may have been carried out.
            guard answer != nil || !request.command.isOrder, monotonicNanoseconds() < end else {
                throw answer != nil
                    ? Connection.busy(socket) : Failure(code: 3, message: "apusd on \(socket) does not answer")
            }
            pauseThread(milliseconds: Connection.pause)
            stream = try Connection.connect(socket)
        }
    }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case table, json }

private func environment(_ name: String) -> String? {
    // Copied at once: no thread of this program changes the environment.
    unsafe getenv(name).map { unsafe String(cString: $0) }
}
