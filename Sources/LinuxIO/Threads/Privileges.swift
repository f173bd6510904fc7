internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// What this process may do.
package enum Privileges {
    package static var hasNetAdmin: Bool { apus_has_net_admin() != 0 }
    package static var isRoot: Bool { geteuid() == 0 }
    package static var userID: UInt32 { geteuid() }

    /// Keeps CAP_NET_BIND_SERVICE, drops everything else for good (apusd(8), reflector).
    package static func dropAllButBindService() throws(SystemError) {
        guard apus_drop_capabilities() == 0 else { throw .last("dropping capabilities") }
    }

    /// Gives up root for another user, groups included. Throws where the user does not exist or the process may not.
    package static func become(user: String) throws(SystemError) {
        guard let entry = unsafe getpwnam(user) else { throw SystemError(code: ENOENT, operation: "user \(user)") }
        let uid = unsafe entry.pointee.pw_uid
        let gid = unsafe entry.pointee.pw_gid
        guard setgroups(0, nil) == 0, setgid(gid) == 0, setuid(uid) == 0 else { throw .last("becoming user \(user)") }
    }

    /// The names of the effective capabilities that matter here, for status.
    package static var capabilityNames: [String] {
        let set = apus_effective_capabilities()
        return [(10, "net_bind_service"), (12, "net_admin"), (13, "net_raw"), (21, "sys_admin")].filter {
            set >> UInt32($0.0) & 1 == 1
        }.map(\.1)
    }
}
