internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// /proc/sys/net of this network namespace.
package enum ProcSys {
    /// Writes a value where it differs; returns errno, 0 for success.
    package static func write(_ path: String, _ value: String) -> Int32 {
        // Once for both: to open costs more than to read or to write.
        let fd = unsafe open("/proc/sys/" + path, O_RDWR | O_CLOEXEC)
        guard fd >= 0 else {
            let error = errno
            // /proc may be read-only, and the value right.
            return read(path) == value ? 0 : error
        }
        defer { close(fd) }
        if firstLine(fd) == value { return 0 }
        let bytes = Array(value.utf8)
        return unsafe pwrite(fd, bytes, bytes.count, 0) == bytes.count ? 0 : errno
    }

    /// The value without its line end; nil where it cannot be read.
    package static func read(_ path: String, below folder: String = "/proc/sys/") -> String? {
        let fd = unsafe open(folder + path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        return firstLine(fd)
    }

    private static func firstLine(_ fd: Int32) -> String? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe pread(fd, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        return String(decoding: buffer[0..<count].prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
