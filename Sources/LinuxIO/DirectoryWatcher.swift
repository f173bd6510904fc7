internal import CLinux
internal import Glibc

/// inotify on folders: tells that something changed, not what. Blocking; for an edge thread.
package struct DirectoryWatcher: ~Copyable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_inotify(), "inotify_init1") }

    /// Watches a folder; false where it is not there.
    package func watch(_ folder: String) -> Bool { apus_inotify_watch(descriptor.raw, folder) >= 0 }

    /// Waits for a change, or for `other` to become readable, and swallows the changes that follow within `settle` milliseconds. False:
    /// nothing happened in time.
    package func waitForChange(or other: Int32, milliseconds: Int32, settle: Int32) -> Bool {
        var pollers = [pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: other, events: Int16(POLLIN), revents: 0)]
        guard poll(&pollers, 2, milliseconds) > 0 else { return false }
        guard pollers[0].revents != 0 else { return true }
        var buffer = [UInt8](repeating: 0, count: 65536)
        repeat { _ = read(descriptor.raw, &buffer, buffer.count) } while waitReadable(descriptor.raw, milliseconds: settle)
        return true
    }
}
