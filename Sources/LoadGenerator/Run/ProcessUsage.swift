import LinuxIO

/// What a process has used: CPU time of all its threads, memory now and at most (proc(5)).
package struct ProcessUsage: Sendable {
    package private(set) var cpu: Duration = .zero
    package private(set) var residentBytes = 0
    package private(set) var peakResidentBytes = 0

    /// All of them together; nil where there is none, or one of them has ended.
    package init?(_ processes: [Int32]) {
        guard !processes.isEmpty else { return nil }
        for process in processes {
            guard let one = ProcessUsage(process) else { return nil }
            cpu += one.cpu
            residentBytes += one.residentBytes
            peakResidentBytes += one.peakResidentBytes
        }
    }

    /// Nil where there is no such process. Threads that ended are missing in `cpu`; their time is in the clock ticks of
    /// `stat`, which are too coarse for what is measured here.
    package init?(_ process: Int32) {
        let folder = "/proc/\(process)"
        guard let status = try? readWholeFile(folder + "/status") else { return nil }
        for line in String(decoding: status, as: UTF8.self).split(separator: "\n") {
            let fields = line.split { $0 == " " || $0 == "\t" }
            guard fields.count >= 2, let value = Int(fields[1]) else { continue }
            if fields[0] == "VmRSS:" { residentBytes = value * 1024 }
            if fields[0] == "VmHWM:" { peakResidentBytes = value * 1024 }
        }
        for thread in directoryNames(folder + "/task") ?? [] {
            guard let text = try? readWholeFile("\(folder)/task/\(thread)/schedstat") else { continue }
            if let first = String(decoding: text, as: UTF8.self).split(separator: " ").first, let value = Int64(first) {
                cpu += .nanoseconds(value)
            }
        }
    }

    /// Routes in the main table of the namespace that a process is in.
    package static func kernelRoutes(_ process: Int32) -> Int? {
        guard let text = try? readWholeFile("/proc/\(process)/net/fib_triestat") else { return nil }
        // One table or two: with policy rules Main and Local are apart.
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let start = lines.firstIndex { $0.hasPrefix("Main:") } ?? 0
        let line = lines[start...].first { $0.contains("Prefixes:") }
        return line.flatMap { $0.split { $0 == " " || $0 == "\t" }.last }.flatMap { Int($0) }
    }

    /// CPU time of this process.
    package static var own: Duration { processCPUTime() }
}
