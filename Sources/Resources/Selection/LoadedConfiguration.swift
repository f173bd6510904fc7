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
    package var failures: [SecretReference: String] = [:]
    package init() {}
}
