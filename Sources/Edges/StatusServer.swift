package import LinuxIO
import NetTypes
import StatusAPI

/// The unix socket of the status API: one line of JSON in, one line out, any number of times a connection.
package enum StatusServer {
    /// Opens the socket, and serves on a thread of its own. Returns the socket's file, for the end. Throws where the
    /// path cannot be bound. Whoever owns the socket may ask, and nobody else: mode 0660.
    package static func start(path: String, owner: FileOwner?, mailbox: Mailbox<LoopMessage>) throws(StartError)
        -> SocketFile
    {
        do throws(SystemError) {
            let listener = try UnixListener(path: path, mode: 0o660, owner: owner)
            let file = listener.file
            try EdgeLoop.start(listener, service(mailbox))
            return file
        } catch {
            switch error.code {
            case SystemError.notSocket:
                throw StartError(
                    "--socket \(path): there is something that is no socket, and it is not removed; remove it, or "
                        + "name another path"
                )
            default:
                throw StartError(
                    "--socket \(path): \(errorText(error.code)); is another apusd running, and does the folder exist?")
            }
        }
    }

    private static func service(_ mailbox: Mailbox<LoopMessage>) -> EdgeService {
        EdgeService(
            mostClients: 64, mostInput: StatusCodec.maximumPlan, mostAnswers: 8, requestTime: .seconds(5),
            silenceTime: .seconds(60), answerTime: .seconds(10),
            readingTime: .seconds(30), closesAfterAnswer: false, makeReader: { { input in request(&input, mailbox) } },
            refusal: { line(error(of: $0)) })
    }

    /// The next line as a question.
    private static func request(_ input: inout [UInt8], _ mailbox: Mailbox<LoopMessage>) -> EdgeRequest? {
        guard let end = input.firstIndex(of: UInt8(ascii: "\n")) else {
            let limit = StatusCodec.limit(of: input)
            guard input.count > limit else { return nil }
            input = []
            return .answered(line(tooLong(limit)))
        }
        let text = Array(input[..<end])
        input.removeFirst(end + 1)
        do throws(RequestError) {
            let question = try StatusCodec.question(text)
            return .question(isUrgent: false) { wakeup in
                let promise = Promise<StatusAnswer>(wakeup)
                mailbox.post(.question(question, promise))
                return { promise.value.map { line($0) } }
            }
        } catch {
            var answer = StatusAnswer()
            answer.error = error.text
            return .answered(line(answer))
        }
    }

    private static func error(of refusal: EdgeRefusal) -> StatusAnswer {
        var answer = StatusAnswer()
        switch refusal {
        case .busy:
            answer.error = "apusd is busy: too many clients or requests at once; try again"
            answer.isBusy = true
        case .tooLong: return tooLong(StatusCodec.maximumPlan)
        case .tooSlow: answer.error = "the request did not end in time"
        case .noAnswer: answer.error = "the daemon did not answer in time"
        }
        return answer
    }

    private static func tooLong(_ limit: Int) -> StatusAnswer {
        var answer = StatusAnswer()
        answer.error = "the request is longer than \(limit) bytes"
        return answer
    }

    private static func line(_ answer: StatusAnswer) -> [UInt8] { StatusCodec.encode(answer) + [UInt8(ascii: "\n")] }
}
