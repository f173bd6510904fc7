import ArgumentParser
import Glibc
import LinuxIO
import StatusAPI

struct Events: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What happened last: sessions, findings, orders, changes of the resources.",
        discussion: "apusctl events --since 10m\napusctl events --follow")
    @Option(help: "Only what is not older: seconds, or with a unit, as 90s, 10m, 2h or 1d.")
    var since: String?
    @Flag(name: [.short, .long], help: "Go on with what comes, until interrupted.")
    var follow = false
    @OptionGroup var options: CommonOptions

    func validate() throws {
        if let since, Events.seconds(since) == nil {
            throw ValidationError("--since: \"\(since)\" is no time; write it as 90s, 10m, 2h or 1d")
        }
    }

    func run() throws {
        let earliest = since.flatMap(Events.seconds).map { wallClockSeconds() - $0 }
        var next = 0
        while true {
            let answer = try options.ask(StatusRequest(.events, cursor: next))
            if let error = answer.error { throw Failure.no(error) }
            let events = (answer.events ?? []).filter { $0.at >= earliest ?? 0 }
            if options.output == .json, !follow { return print(StatusCodec.pretty(events)) }
            for event in events { print(options.output == .json ? Events.json(event) : Events.line(event)) }
            if events.isEmpty, !follow { print("nothing has happened") }
            guard follow else { return }
            next = (answer.events?.last?.id).map { $0 + 1 } ?? next
            fflush(nil)
            sleep(1)
        }
    }

    /// One a line, so that a reader of a stream knows where it ends.
    private static func json(_ event: EventStatus) -> String {
        String(decoding: StatusCodec.encode(event), as: UTF8.self)
    }

    static func line(_ event: EventStatus) -> String {
        let fields = event.fields.sorted { $0.key < $1.key }.map { "\($0.key)=\(quoted($0.value))" }
        return ([timeText(event.at), event.level, event.message] + fields).joined(separator: " ")
    }

    /// As the log has it: what has a space or a quote in it stands in quotes.
    private static func quoted(_ text: String) -> String {
        guard text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Nil for what is no time.
    static func seconds(_ text: String) -> Double? {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let last = text.last else { return nil }
        let unit = units[last]
        guard let number = Int(unit == nil ? text[...] : text.dropLast()), number >= 0 else { return nil }
        return Double(number) * (unit ?? 1)
    }
}
