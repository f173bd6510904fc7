internal import Glibc

/// What files held when they were last read, so that a folder of a thousand files is not parsed whole because one was added.
package struct ResourceCache: Sendable {
    /// Which state of which file: another inode, size or time is another state.
    private struct State: Sendable, Hashable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
    }
    private var entries: [String: (state: State, parsed: ResourceParser.Parsed)] = [:]
    /// Nanoseconds. Younger files are read again: two writes within one tick of the file system's clock, 10 ms at most, have one time.
    private static let settledAge = 20_000_000

    package init() {}

    /// Forgets all other files.
    mutating func keep(_ files: [String]) {
        if entries.count > files.count {
            let known = Set(files)
            entries = entries.filter { known.contains($0.key) }
        }
    }

    /// What is known of a file in its present state, or what `read` makes of it.
    mutating func parsed(_ file: String, _ read: () -> ResourceParser.Parsed) -> ResourceParser.Parsed {
        var status = stat()
        guard stat(file, &status) == 0 else {
            entries[file] = nil
            return read()
        }
        let state = State(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
        if let known = entries[file], known.state == state { return known.parsed }
        let parsed = read()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        // A file that could not be read may be readable the next moment, without a change of its own.
        let age = (now.tv_sec - state.seconds) * 1_000_000_000 + now.tv_nsec - state.nanoseconds
        entries[file] = age > ResourceCache.settledAge && !parsed.isUnreadable ? (state, parsed) : nil
        return parsed
    }
}
