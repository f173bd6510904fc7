internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// What the file system says of a file.
package struct FileStatus: Sendable, Hashable {
    package var isFolder: Bool
    package var isRegular: Bool
    package var isSocket: Bool
    /// The permission bits: 0o777 and those above.
    package var permissions: UInt32
    package var device: UInt64
    package var inode: UInt64
    /// Bytes.
    package var size: Int64
    /// Of the last change of its content, since 1970.
    package var modified: Duration

    /// Nil where there is no such file, or no way to it. `followsLinks: false`: of a symbolic link itself, which is
    /// neither folder nor regular file.
    package init?(_ path: String, followsLinks: Bool = true) {
        var status = stat()
        guard unsafe (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        self.init(
            mode: status.st_mode, device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            size: Int64(status.st_size))
        modified = .seconds(Int64(status.st_mtim.tv_sec)) + .nanoseconds(Int64(status.st_mtim.tv_nsec))
    }

    /// Of an open file: it can be replaced by no other.
    init?(_ descriptor: borrowing FileDescriptor) {
        var status = stat()
        guard unsafe fstat(descriptor.raw, &status) == 0 else { return nil }
        self.init(
            mode: status.st_mode, device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            size: Int64(status.st_size))
        modified = .seconds(Int64(status.st_mtim.tv_sec)) + .nanoseconds(Int64(status.st_mtim.tv_nsec))
    }

    private init(mode: UInt32, device: UInt64, inode: UInt64, size: Int64) {
        isFolder = mode & S_IFMT == S_IFDIR
        isRegular = mode & S_IFMT == S_IFREG
        isSocket = mode & S_IFMT == S_IFSOCK
        permissions = mode & 0o7777
        self.device = device
        self.inode = inode
        self.size = size
        modified = .zero
    }

    /// How long ago it changed, by the wall clock that file systems go by.
    package var age: Duration {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return .seconds(Int64(now.tv_sec)) + .nanoseconds(Int64(now.tv_nsec)) - modified
    }
}
