internal import Glibc

// `unsafe` here: calls of the C library, which are given a string for the length of the call; what they return is
// copied at once.

/// Who shall have a file that this process made: a user, a group or both.
package struct FileOwner: Sendable, Hashable {
    /// Nil: the process's own.
    private var user: uid_t?
    private var group: gid_t?

    /// Nil where the system has no user of that name, or /etc/group no such group.
    package init?(user: String? = nil, group: String? = nil) {
        if let user {
            guard let entry = unsafe getpwnam(user) else { return nil }
            self.user = unsafe entry.pointee.pw_uid
            self.group = unsafe entry.pointee.pw_gid
        }
        if let group {
            guard let number = FileOwner.number(ofGroup: group) else { return nil }
            self.group = number
        }
    }

    /// By /etc/group, and not by the C library: what nsswitch.conf names (systemd, LDAP) would be loaded into the
    /// process, half a megabyte that stays, and might ask a network that is not up yet.
    private static func number(ofGroup name: String) -> gid_t? {
        guard let bytes = try? readRegularFile("/etc/group", limit: 1 << 20).bytes else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count >= 3, fields[0] == name { return gid_t(fields[2]) }
        }
        return nil
    }

    /// Hands a file over. A process that may not, because it is neither root nor in the group, keeps it.
    func take(_ path: String) throws(SystemError) {
        let nobody = UInt32.max
        guard unsafe lchown(path, user ?? nobody, group ?? nobody) != 0, errno != EPERM else { return }
        throw .last(path)
    }
}
