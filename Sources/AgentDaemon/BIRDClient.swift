import Glibc
import LinuxIO
import Shadow
import StatusAPI

/// A connection to BIRD's control socket. Commands that read are all that is sent on it.
final class BIRDClient {
    /// How long BIRD may be silent.
    private static let patience: Int32 = 5000
    private static let longestLine = 1 << 16
    /// Lines of one reply at most: a table of a million routes is not Calico's.
    private static let mostLines = 4_000_000

    private let path: String
    private var stream: Box?

    /// A stream is not copyable, and a class may hold it.
    private final class Box {
        var stream: LineStream
        init(_ stream: consuming LineStream) { self.stream = stream }
    }

    init(_ path: String) { self.path = path }

    /// Sends a command and reads the whole reply.
    func ask(_ command: String) throws(BIRDError) -> BIRDReply {
        let box = try connected()
        guard box.stream.writeLine(Array(command.utf8)) else { throw .unreachable(code: EPIPE) }
        return try BIRDClient.reply(box)
    }

    private func connected() throws(BIRDError) -> Box {
        if let stream { return stream }
        let box: Box
        do throws(SystemError) {
            box = Box(try LineStream(connectingTo: path))
        } catch {
            throw .unreachable(code: error.code)
        }
        // BIRD says its version first.
        _ = try BIRDClient.reply(box)
        stream = box
        return box
    }

    private static func reply(_ box: Box) throws(BIRDError) -> BIRDReply {
        var reply = BIRDReply()
        for _ in 0..<mostLines {
            guard let line = box.stream.readLine(milliseconds: patience, limit: longestLine) else {
                throw .unreachable(code: ETIMEDOUT)
            }
            try reply.append(String(decoding: line, as: UTF8.self))
            if reply.isComplete { return reply }
        }
        throw .notUnderstood(line: "more than \(mostLines) lines")
    }
}

extension BIRDFailure {
    init(_ error: BIRDError) {
        self =
            switch error {
            case .notUnderstood(let line): .notUnderstood(line: line)
            case .refused(let text): .refused(text: text)
            case .unreachable(let code): .unreachable(code: code)
            }
    }
}
