/// What was read from outside: objects in force, their problems, and the secrets they name.
package struct LoadedConfiguration: Sendable {
    package var resources: ResourceSet
    package var secrets: Secrets
    package init(resources: ResourceSet, secrets: Secrets) {
        self.resources = resources
        self.secrets = secrets
    }
}

/// Passwords by reference, and why some are not there.
package struct Secrets: Sendable, Hashable {
    package var values: [SecretReference: [UInt8]] = [:]
    package var failures: [SecretReference: Failure] = [:]
    package init() {}

    /// Why a secret cannot be used.
    package enum Failure: Sendable, Hashable {
        case missing(file: String)
        /// Others than its owner and group can read it.
        case readableByOthers(file: String)
        case empty(file: String)
        /// More than the 80 bytes of a TCP MD5 password.
        case tooLong
        /// No regular file, or one that is too large.
        case unreadable(file: String, why: String)
    }
}
