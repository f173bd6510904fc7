internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// Writes a file whole: beside it, and then moved over what has the name, so that a reader sees the old one or the new.
/// A link, FIFO or device of that name is replaced and never opened. Blocking: not for the routing thread.
package func replaceFile(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
    let temporary = path + ".new"
    // Left over from a process that was killed, or put there by somebody: not opened either.
    unsafe unlink(temporary)
    do throws(SystemError) {
        try writeNewFile(temporary, bytes)
        guard unsafe rename(temporary, path) == 0 else { throw .last(path) }
    } catch {
        unsafe unlink(temporary)
        throw error
    }
}

private func writeNewFile(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
    let descriptor = unsafe try FileDescriptor(
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644), path)
    var written = 0
    while written < bytes.count {
        let count = unsafe bytes.withUnsafeBytes {
            unsafe write(descriptor.raw, $0.baseAddress?.advanced(by: written), bytes.count - written)
        }
        if count < 0 {
            guard errno == EINTR else { throw .last(path) }
            continue
        }
        written += count
    }
}

/// Makes a folder with those above it; what is there stays as it is. `mode` and `owner` are those of the folder itself,
/// where it is made; those above it are as any other folder.
package func makeFolder(_ path: String, mode: UInt32 = 0o755, owner: FileOwner? = nil) throws(SystemError) {
    var end = path.startIndex
    while end < path.endIndex {
        end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
        let folder = String(path[..<end])
        let isLast = path[end...].allSatisfy { $0 == "/" }
        guard unsafe mkdir(folder, mode_t(isLast ? mode : 0o755)) != 0 else {
            if isLast, let owner { try owner.take(folder) }
            continue
        }
        let error = SystemError.last(folder)
        if FileStatus(folder)?.isFolder != true { throw error }
    }
}
