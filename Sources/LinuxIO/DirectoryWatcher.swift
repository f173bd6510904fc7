internal import CLinux
internal import Glibc

/// inotify on folders: tells that something changed, not what. Blocking; for an edge thread.
package struct DirectoryWatcher: ~Copyable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_inotify(), "inotify_init1") }

    /// Watches a folder; false where it is not there.
    package func watch(_ folder: String) -> Bool { apus_inotify_watch(descriptor.raw, folder) >= 0 }

    /// Waits for a change and swallows those that follow within `settle` milliseconds. False: nothing happened in time.
    package func waitForChange(milliseconds: Int32, settle: Int32) -> Bool {
        guard waitReadable(descriptor.raw, milliseconds: milliseconds) else { return false }
        var buffer = [UInt8](repeating: 0, count: 65536)
        repeat { _ = read(descriptor.raw, &buffer, buffer.count) } while waitReadable(descriptor.raw, milliseconds: settle)
        return true
    }
}
