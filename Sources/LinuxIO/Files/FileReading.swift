internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// Why a file was not read.
package enum FileError: Error, Sendable, Hashable, CustomStringConvertible {
    case system(SystemError)
    /// A FIFO, a device, a socket or a folder: reading it could wait for ever, or never end.
    case notRegular
    case tooLarge(Int)

    package var description: String {
        switch self {
        case .system(let error): "cannot be read: \(errorText(error.code))"
        case .notRegular: "is not a regular file, and is not read"
        case .tooLarge(let limit):
            "is larger than \(limit >= 1 << 20 ? "\(limit >> 20) MB" : "\(limit) bytes"), and is not read"
        }
    }
}

/// The bytes of a regular file, and what the file system said of the very file that was read.
///
/// Whatever has the name, it neither waits nor grows without end: a FIFO without a writer, a device without an end, a
/// file without measure are refused. Links are followed unless `followsLinks` is false, because Kubernetes mounts files
/// as links; what they lead to is judged all the same.
package func readRegularFile(_ path: String, limit: Int, followsLinks: Bool = true) throws(FileError) -> (
    bytes: [UInt8], status: FileStatus
) {
    // Looked at before it is opened, because opening alone does something to some devices; and again after, because it
    // may be another by then.
    if let there = FileStatus(path, followsLinks: followsLinks), !there.isRegular { throw .notRegular }
    let descriptor: FileDescriptor
    do throws(SystemError) {
        descriptor = unsafe try FileDescriptor(
            open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (followsLinks ? 0 : O_NOFOLLOW)), path)
    } catch {
        throw error.code == ELOOP && !followsLinks ? .notRegular : .system(error)
    }
    guard let status = FileStatus(descriptor), status.isRegular else { throw .notRegular }
    guard status.size <= limit else { throw .tooLarge(limit) }
    var result: [UInt8] = []
    result.reserveCapacity(Int(status.size))
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while true {
        let count = unsafe read(descriptor.raw, &chunk, chunk.count)
        if count == 0 { return (result, status) }
        if count < 0 {
            guard errno == EINTR else { throw .system(.last(path)) }
            continue
        }
        result.append(contentsOf: chunk[0..<count])
        // It grew meanwhile.
        if result.count > limit { throw .tooLarge(limit) }
    }
}

/// All bytes of a file of the kernel's, such as /proc's. Blocking: not for the routing thread, and not for files that
/// others may have put there.
package func readWholeFile(_ path: String) throws(SystemError) -> [UInt8] {
    let descriptor = unsafe try FileDescriptor(open(path, O_RDONLY | O_CLOEXEC), path)
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while true {
        let count = unsafe read(descriptor.raw, &chunk, chunk.count)
        if count == 0 { return result }
        if count < 0 {
            guard errno == EINTR else { throw .last(path) }
            continue
        }
        result.append(contentsOf: chunk[0..<count])
    }
}

/// The names in a folder, without `.` and `..`, and no more than `limit` of them; nil where it cannot be read.
package func directoryNames(_ path: String, limit: Int = 1_000_000) -> [String]? {
    guard let folder = unsafe opendir(path) else { return nil }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while names.count < limit, let entry = unsafe readdir(folder) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

/// CPU time of all threads of this process.
package func processCPUTime() -> Duration {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
}

/// True where a descriptor is a terminal.
package func isTerminal(_ fd: Int32) -> Bool { isatty(fd) == 1 }

/// Writes text to standard error as it is, at once.
package func printError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe write(2, bytes, bytes.count)
}
