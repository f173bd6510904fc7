internal import CLinux
internal import Glibc

/// inotify on folders: tells that something changed, not what. Blocking; for an edge thread.
package struct DirectoryWatcher: ~Copyable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_inotify(), "inotify_init1") }

    /// Watches a folder; false where it is not there.
    package func watch(_ folder: String) -> Bool { apus_inotify_watch(descriptor.raw, folder) >= 0 }

    /// What `waitForChange` came back for.
    package enum Change: Sendable {
        case none
        /// Something in a folder. `isWhole`: a file was closed or moved in, so that it is not half written.
        case folder(isWhole: Bool)
        /// The other descriptor is readable.
        case other
    }

    /// Waits for a change, or for `other` to become readable; -1 for no other.
    package func waitForChange(or other: Int32 = -1, milliseconds: Int32) -> Change {
        var pollers = [pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: other, events: Int16(POLLIN), revents: 0)]
        guard poll(&pollers, 2, milliseconds) > 0 else { return .none }
        guard pollers[0].revents != 0 else { return .other }
        var isWhole = false
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(descriptor.raw, &buffer, buffer.count)
        var offset = 0
        // struct inotify_event: wd, mask, cookie, length of the name, name.
        while offset + 16 <= count {
            let mask = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self) }
            let length = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self) }
            if mask & UInt32(IN_CLOSE_WRITE | IN_MOVED_TO) != 0 { isWhole = true }
            offset += 16 + Int(length)
        }
        return .folder(isWhole: isWhole)
    }
}
