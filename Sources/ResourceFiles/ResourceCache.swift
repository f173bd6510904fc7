import LinuxIO
import Resources

/// What files held when they were last read, so that a folder of a thousand files is not parsed whole because one was
/// added.
package struct ResourceCache: Sendable {
    /// By which state of the file: another inode, size or time is another state.
    private var entries: [String: (status: FileStatus, parsed: ResourceParser.Parsed)] = [:]
    /// Younger files are read again: two writes within one tick of the file system's clock, 10 ms at most, have one
    /// time.
    private static let settledAge = Duration.milliseconds(20)

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
        guard let status = FileStatus(file) else {
            entries[file] = nil
            return read()
        }
        if let known = entries[file], known.status == status { return known.parsed }
        let parsed = read()
        // A file that could not be read may be readable the next moment, without a change of its own.
        entries[file] = status.age > ResourceCache.settledAge && !parsed.isUnreadable ? (status, parsed) : nil
        return parsed
    }
}
