internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library with the address of an array for their length; events are read within the count
// that the kernel returned.

/// inotify on folders: reports that something changed, and which files are whole now. Blocking; for an edge thread.
package struct DirectoryWatcher: ~Copyable {
    private let descriptor: FileDescriptor
    /// Folders by inotify's watch descriptors.
    private var folders: [Int32: String] = [:]
    private var buffer = [UInt8](repeating: 0, count: 8192)

    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_inotify(), "inotify_init1") }

    /// Watches these folders and no others, those of them that are there. A folder that was replaced by another of its
    /// name is a new one.
    package mutating func watch(_ paths: [String]) {
        var now: [Int32: String] = [:]
        for path in paths {
            let number = unsafe apus_inotify_watch(descriptor.raw, path)
            if number >= 0 { now[number] = path }
        }
        for number in folders.keys where now[number] == nil { apus_inotify_unwatch(descriptor.raw, number) }
        folders = now
    }

    /// A file that was closed by its writer or moved in, so that it is not half written.
    package struct WholeFile: Sendable, Hashable {
        /// As it was given to `watch`.
        package var folder: String
        package var name: String

        package init(folder: String, name: String) {
            self.folder = folder
            self.name = name
        }
    }

    /// What `waitForChange` came back for.
    package enum Change: Sendable {
        case none
        /// Something in the folders. `whole`: files that can be read now, in the order of what happened.
        case folders(whole: [WholeFile])
        /// The other descriptor is readable.
        case other
    }

    /// Waits for a change, or for `other` to become readable; -1 for no other.
    package mutating func waitForChange(or other: Int32 = -1, milliseconds: Int32) -> Change {
        var pollers = [
            pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&pollers, 2, milliseconds) > 0 else { return .none }
        guard pollers[0].revents != 0 else { return .other }
        var whole: [WholeFile] = []
        let count = unsafe read(descriptor.raw, &buffer, buffer.count)
        unsafe buffer.withUnsafeBytes { buffer in
            var offset = 0
            // struct inotify_event: wd, mask, cookie, length of the name, name with zeros behind it.
            while offset + 16 <= count {
                let number = unsafe buffer.loadUnaligned(fromByteOffset: offset, as: Int32.self)
                let mask = unsafe buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                let end = unsafe min(
                    offset + 16 + Int(buffer.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self)), count)
                if mask & UInt32(IN_CLOSE_WRITE | IN_MOVED_TO) != 0, let folder = folders[number] {
                    let file = unsafe WholeFile(
                        folder: folder,
                        name: String(decoding: buffer[offset + 16..<end].prefix { $0 != 0 }, as: UTF8.self))
                    if whole.last != file { whole.append(file) }
                }
                offset = end
            }
        }
        return .folders(whole: whole)
    }
}
