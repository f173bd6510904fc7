import LinuxIO
import Logging
import StatusAPI

/// The unix socket of the status API: one line of JSON in, one line out, any number of times a connection.
enum StatusServer {
    private static let maximumClients = 32
    static let answerTimeout: Int32 = 10000

    /// Opens the socket, and serves on threads of their own. Throws where the path cannot be bound.
    static func start(path: String, mailbox: Mailbox<LoopMessage>, logger: Logger) throws(StartError) {
        let listener: UnixListener
        do throws(SystemError) {
            listener = try UnixListener(path: path, mode: 0o660)
        } catch {
            throw StartError("--socket \(path): \(errorText(error.code)); is another apusd running, and does the folder exist?")
        }
        LineServer.start(listener, maximumClients: maximumClients) { stream in
            while let line = stream.readLine(milliseconds: 60000, limit: StatusCodec.maximumRequest) {
                var answer = StatusAnswer()
                do throws(RequestError) {
                    let question = try StatusCodec.question(line)
                    if let given = mailbox.ask(milliseconds: answerTimeout, { .question(question, $0) }) {
                        answer = given
                    } else {
                        answer.error = "the daemon did not answer in time"
                    }
                } catch {
                    answer.error = error.text
                }
                guard stream.writeLine(StatusCodec.encode(answer)) else { return }
            }
        }
    }
}
