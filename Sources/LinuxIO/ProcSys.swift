internal import Glibc

/// /proc/sys/net of this network namespace.
package enum ProcSys {
    /// Writes a value where it differs; answers errno, 0 for success.
    package static func write(_ path: String, _ value: String) -> Int32 {
        if read(path) == value { return 0 }
        let fd = open("/proc/sys/" + path, O_WRONLY | O_CLOEXEC)
        guard fd >= 0 else { return errno }
        defer { close(fd) }
        let bytes = Array(value.utf8)
        return Glibc.write(fd, bytes, bytes.count) == bytes.count ? 0 : errno
    }

    /// The value without its line end; nil where it cannot be read.
    package static func read(_ path: String, below folder: String = "/proc/sys/") -> String? {
        let fd = open(folder + path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(fd, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[0..<count], as: UTF8.self).split(separator: "\n").first.map(String.init)
    }
}
