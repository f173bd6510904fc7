internal import CLinux
internal import Glibc

/// Writes a file whole, over what was there. Blocking: not for the routing thread.
package func writeFile(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
    let descriptor = try FileDescriptor(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644), path)
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { write(descriptor.raw, $0.baseAddress?.advanced(by: written), bytes.count - written) }
        if count < 0 {
            guard errno == EINTR else { throw .last(path) }
            continue
        }
        written += count
    }
}

/// Makes a folder with those above it; what is there stays as it is.
package func makeFolder(_ path: String) throws(SystemError) {
    var end = path.startIndex
    while end < path.endIndex {
        end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
        let folder = String(path[..<end])
        guard mkdir(folder, 0o755) != 0 else { continue }
        let error = SystemError.last(folder)
        if FileStatus(folder)?.isFolder != true { throw error }
    }
}
