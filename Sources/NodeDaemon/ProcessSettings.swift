package import FIB
package import Planning

/// The flags of the daemon (apusd(8)).
package struct ProcessSettings: Sendable {
    package var node: String
    package var resources: String
    package var secrets: String
    package var stateDirectory: String
    package var socket: String
    /// Members of this group may use the socket; nil: of the process's own.
    package var socketGroup: String?
    /// `ADDRESS:PORT`; empty: off.
    package var metrics: String
    package var health: String
    package var logLevel: String
    package var isJSONLog: Bool
    /// Reads the kernel, writes nothing to it.
    package var isDryRun: Bool
    /// What of the kernel's routes is ours to write.
    package var programming: Programming
    /// Whose routes are taken over.
    package var takeOver: Set<Predecessor>
    /// Bad objects at the first start are left out instead of being fatal.
    package var isLenient: Bool
    /// Reflector: the user to become when started as root.
    package var user: String?

    package init(
        node: String, resources: String, secrets: String, stateDirectory: String, socket: String,
        socketGroup: String? = nil, metrics: String, health: String,
        logLevel: String, isJSONLog: Bool, isDryRun: Bool, isLenient: Bool, programming: Programming = .all,
        takeOver: Set<Predecessor> = [], user: String? = nil
    ) {
        self.node = node
        self.resources = resources
        self.secrets = secrets
        self.stateDirectory = stateDirectory
        self.socket = socket
        self.socketGroup = socketGroup
        self.metrics = metrics
        self.health = health
        self.logLevel = logLevel
        self.isJSONLog = isJSONLog
        self.isDryRun = isDryRun
        self.isLenient = isLenient
        self.programming = programming
        self.takeOver = takeOver
        self.user = user
    }
}
