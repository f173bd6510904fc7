import ArgumentParser
import Glibc
import LinuxIO
import NetTypes
import StatusAPI

/// The operator's tool. Exit codes: 0 fine, 1 the answer is 'no' or unhealthy, 2 wrong use, 3 no daemon.
@main
struct Apusctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apusctl", abstract: "Ask a running apusd.", version: apusVersion,
        subcommands: [Status.self, Peers.self, Peer.self, Routes.self, Why.self, Endpoints.self, FIB.self, Doctor.self, Refresh.self, Reset.self, NodeCommand.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            printError("apusctl: \(failure.message)\n")
            Glibc.exit(failure.code)
        } catch let code as ExitCode where code == .failure {
            Glibc.exit(1)
        } catch {
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if code == .success {
                print(message)
                Glibc.exit(0)
            }
            printError(message + "\n")
            Glibc.exit(2)
        }
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
    var socket: String = getenv("APUS_SOCKET").map { String(cString: $0) } ?? "/run/apus/apusd.sock"
    @Option(name: [.short, .long], help: "table or json.")
    var output: OutputFormat = .table

    /// Asks, and goes on asking while the answer has a `next`.
    func ask(_ request: StatusRequest) throws -> StatusAnswer {
        var stream: LineStream
        do throws(SystemError) {
            stream = try LineStream(connectingTo: socket)
        } catch {
            throw Failure(code: 3, message: "no apusd answers on \(socket): \(errorText(error.code)); is it running, and may you open its socket?")
        }
        var request = request
        var whole: StatusAnswer?
        while true {
            guard stream.writeLine(StatusCodec.encode(request)), let line = stream.readLine(milliseconds: 15000, limit: 1 << 30),
                let answer = StatusCodec.answer(line)
            else { throw Failure(code: 3, message: "apusd on \(socket) does not answer") }
            if var merged = whole {
                merged.routes? += answer.routes ?? []
                merged.fib? += answer.fib ?? []
                merged.next = answer.next
                whole = merged
            } else {
                whole = answer
            }
            guard let next = answer.next, let merged = whole else { break }
            request.cursor = next
            whole = merged
        }
        var result = whole ?? StatusAnswer()
        result.next = nil
        return result
    }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case table, json }
