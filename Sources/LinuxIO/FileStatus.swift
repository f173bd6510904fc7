internal import CLinux
internal import Glibc

/// What the file system says of a file, symbolic links followed.
package struct FileStatus: Sendable, Hashable {
    package var isFolder: Bool
    /// The permission bits: 0o777 and those above.
    package var permissions: UInt32
    package var device: UInt64
    package var inode: UInt64
    /// Octets.
    package var size: Int64
    /// Of the last change of its content, since 1970.
    package var modified: Duration

    /// Nil where there is no such file, or no way to it.
    package init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        permissions = status.st_mode & 0o7777
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = .seconds(Int64(status.st_mtim.tv_sec)) + .nanoseconds(Int64(status.st_mtim.tv_nsec))
    }

    /// How long ago it changed, by the wall clock that file systems go by.
    package var age: Duration {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return .seconds(Int64(now.tv_sec)) + .nanoseconds(Int64(now.tv_nsec)) - modified
    }
}
