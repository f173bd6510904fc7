internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// File descriptors: how many a process may have.
package enum OpenFiles {
    /// Raises the limit as far as it goes (setrlimit(2), RLIMIT_NOFILE). systemd gives a service 1,024 unless it asks
    /// for more, which was chosen for select(2); here nothing uses that. Returns the limit in force.
    package static func raiseLimit() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        var wanted = limit
        wanted.rlim_cur = limit.rlim_max
        if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &wanted) == 0 { limit = wanted }
        return Int(clamping: limit.rlim_cur)
    }
}
