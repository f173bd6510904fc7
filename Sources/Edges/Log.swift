import FoundationEssentials
import Glibc
package import Logging
package import Resources
import Synchronization

// `unsafe` here: calls of the C library with the address of a variable or an array for the length of the call; `tm` is
// unsafe by its `tm_zone`, which is not read.

/// Log lines to standard error, as text or JSON. The sink never blocks: what a full pipe does not take is dropped and
/// counted.
struct StandardErrorLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    /// One level for the whole process, which the resources may change (`logSeverityScreen`).
    var logLevel: Logger.Level {
        get { Logger.Level.allCases[StandardErrorLogHandler.level.load(ordering: .relaxed)] }
        set { _ = newValue }
    }
    private static let level = Atomic<Int>(2)
    /// What the flag said.
    private static let flagLevel = Atomic<Int>(2)
    let isJSON: Bool
    private static let dropped = Atomic<Int>(0)
    /// Lines that standard error did not take, since the start.
    static var droppedLines: Int { dropped.load(ordering: .relaxed) }

    init(logLevel: Logger.Level, isJSON: Bool) {
        self.isJSON = isJSON
        let position = Logger.Level.allCases.firstIndex(of: logLevel) ?? 2
        StandardErrorLogHandler.flagLevel.store(position, ordering: .relaxed)
        StandardErrorLogHandler.level.store(position, ordering: .relaxed)
    }

    /// A severity in Calico's words over the flag's level; nil for the flag's.
    static func override(severity: BGPConfiguration.LogSeverity?) {
        let named: Logger.Level? =
            switch severity {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            case .fatal: .critical
            case nil: nil
            }
        let position = named.flatMap { Logger.Level.allCases.firstIndex(of: $0) } ?? flagLevel.load(ordering: .relaxed)
        level.store(position, ordering: .relaxed)
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        var parts = unsafe tm()
        var seconds = now.tv_sec
        unsafe gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let millis = now.tv_nsec / 1_000_000
        let stamp =
            unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(millis < 10 ? "00" : millis < 100 ? "0" : "")\(millis)Z"
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        var line: String
        if isJSON {
            var object: [String: String] = [
                "time": stamp, "level": event.level.rawValue, "message": event.message.description,
            ]
            for (key, value) in fields { object[key] = value.description }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            line = (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        } else {
            line = "\(stamp) \(event.level.rawValue) \(event.message)"
            for (key, value) in fields { line += " \(key)=\(value)" }
        }
        // A peer's text must not forge lines.
        let bytes = Array(line.utf8).map { $0 < 32 || $0 == 127 ? UInt8(ascii: " ") : $0 } + [10]
        var poller = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&poller, 1, 0) > 0, unsafe write(2, bytes, bytes.count) == bytes.count else {
            StandardErrorLogHandler.dropped.add(1, ordering: .relaxed)
            return
        }
    }
}

/// Makes the process's logger.
package func makeLogger(level: String, isJSON: Bool) throws(StartError) -> Logger {
    guard let parsed = Logger.Level(rawValue: level.lowercased()) else {
        throw StartError(
            "--log-level: \"\(level)\" is unknown; it must be trace, debug, info, notice, warning, error or critical")
    }
    return Logger(label: "apusd") { _ in StandardErrorLogHandler(logLevel: parsed, isJSON: isJSON) }
}

/// What the rest of the daemon sets and reads of the log. The handler stays private to this target.
package enum LogSettings {
    /// A severity in Calico's words over the flag's level; nil for the flag's.
    package static func override(severity: BGPConfiguration.LogSeverity?) {
        StandardErrorLogHandler.override(severity: severity)
    }

    /// Lines that standard error did not take, since the start.
    package static var droppedLines: Int { StandardErrorLogHandler.droppedLines }
}
