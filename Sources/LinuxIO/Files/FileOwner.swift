internal import Glibc

// `unsafe` here: calls of the C library, which are given a string for the length of the call; what they return is
// copied at once.

/// Who shall have a file that this process made: a user, a group or both.
package struct FileOwner: Sendable, Hashable {
    /// Nil: the process's own.
    private var user: uid_t?
    private var group: gid_t?

    /// Nil where the system has no user or no group of that name.
    package init?(user: String? = nil, group: String? = nil) {
        if let user {
            guard let entry = unsafe getpwnam(user) else { return nil }
            self.user = unsafe entry.pointee.pw_uid
            self.group = unsafe entry.pointee.pw_gid
        }
        if let group {
            guard let entry = unsafe getgrnam(group) else { return nil }
            self.group = unsafe entry.pointee.gr_gid
        }
    }

    /// Hands a file over. A process that may not, because it is neither root nor in the group, keeps it.
    func take(_ path: String) throws(SystemError) {
        let nobody = UInt32.max
        guard unsafe lchown(path, user ?? nobody, group ?? nobody) != 0, errno != EPERM else { return }
        throw .last(path)
    }
}
