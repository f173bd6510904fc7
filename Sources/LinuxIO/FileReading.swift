internal import CLinux
internal import Glibc

/// All octets of a file, /proc's too. Blocking: not for the routing thread.
package func readWholeFile(_ path: String) throws(SystemError) -> [UInt8] {
    let descriptor = try FileDescriptor(open(path, O_RDONLY | O_CLOEXEC), path)
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while true {
        let count = read(descriptor.raw, &chunk, chunk.count)
        if count == 0 { return result }
        if count < 0 {
            guard errno == EINTR else { throw .last(path) }
            continue
        }
        result.append(contentsOf: chunk[0..<count])
    }
}

/// The names in a folder, without `.` and `..`; nil where it cannot be read.
package func directoryNames(_ path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

/// CPU time of all threads of this process.
package func processCPUTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
}

/// True where a descriptor is a terminal.
package func isTerminal(_ fd: Int32) -> Bool { isatty(fd) == 1 }

/// Writes text to standard error as it is, at once.
package func printError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(2, bytes, bytes.count)
}
