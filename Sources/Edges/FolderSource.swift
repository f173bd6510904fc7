package import LinuxIO
package import Logging
package import ResourceFiles
package import Resources

/// Says of each object that came and is read by nobody that it is there.
package func logOthers(_ others: [OtherObject], known: [OtherObject] = [], _ logger: Logger) {
    let known = Set(known)
    for object in others where !known.contains(object) {
        logger.info(
            "object of a kind that says nothing about routes",
            metadata: ["object": "\(object.kind)/\(object.name)", "place": "\(object.file):\(object.line)"])
    }
}

/// Resources in a folder or a file.
package struct FolderSource: ResourceSource {
    let loader: ResourceLoader
    /// The daemon starts although some objects have problems.
    let isLenient: Bool
    let logger: Logger

    package init(loader: ResourceLoader, isLenient: Bool, logger: Logger) {
        self.loader = loader
        self.isLenient = isLenient
        self.logger = logger
    }

    package func loadFirst() throws(StartError) -> LoadedConfiguration {
        var cache = ResourceCache()
        let (resources, problem) = loader.load(previous: ResourceSet(), cache: &cache)
        guard let resources else { throw StartError(problem?.description ?? "cannot read the resources") }
        if !isLenient, !resources.problems.isEmpty {
            throw StartError(resources.problems.map(\.description).joined(separator: "\n"))
        }
        return LoadedConfiguration(resources: resources, secrets: loader.loadSecrets(resources.secretReferences))
    }

    /// Changes within 50 ms are one change, because files may depend on each other; but a pod does not wait: endpoints
    /// that were added or changed, and nothing else, take effect at once. Where changes never end, all is read once a
    /// second. Every 30 seconds it looks anyway, for file systems without inotify.
    package func start(
        from first: LoadedConfiguration, reload: Wakeup, deliver: @escaping @Sendable (ResourceChange) -> Void
    ) {
        startEdgeThread {
            var state = State(loader: loader, current: first, deliver: deliver, logger: logger)
            var watcher = try? DirectoryWatcher()
            while true {
                // Each time, because a folder may be another under its old name.
                watcher?.watch(loader.watchedFolders)
                // Once more after that: what changed in between is not missed.
                state.load()
                var change = watcher?.waitForChange(or: reload.fd, milliseconds: 30000) ?? .none
                if watcher == nil {
                    _ = waitReadable(reload.fd, milliseconds: 5000)
                    watcher = try? DirectoryWatcher()
                }
                reload.clear()
                var isEndpointsOnly = true
                let end = monotonicNanoseconds() + FolderSource.longestWait
                while case .folders(let whole) = change, monotonicNanoseconds() < end {
                    for file in whole where isEndpointsOnly { isEndpointsOnly = state.take(file) }
                    change = watcher?.waitForChange(milliseconds: 50) ?? .none
                }
            }
        }
    }

    /// Nanoseconds.
    private static let longestWait: Int64 = 1_000_000_000

    /// What the thread keeps.
    private struct State {
        let loader: ResourceLoader
        var current: LoadedConfiguration
        /// The one before: kept until the next, so that it is not freed, object by object, on the routing thread.
        var previous: LoadedConfiguration?
        var cache = ResourceCache()
        let deliver: @Sendable (ResourceChange) -> Void
        let logger: Logger

        init(
            loader: ResourceLoader, current: LoadedConfiguration,
            deliver: @escaping @Sendable (ResourceChange) -> Void, logger: Logger
        ) {
            self.loader = loader
            self.current = current
            self.deliver = deliver
            self.logger = logger
        }

        /// Reads a file that has just become whole, and posts the endpoints that came or changed in it. False where
        /// more than that changed: then all waits until nothing changes any more.
        mutating func take(_ file: DirectoryWatcher.WholeFile) -> Bool {
            switch loader.load(file, into: current.resources) {
            case .none: return true
            case .other: return false
            case .objects(let resources, let items):
                guard !items.isEmpty else { return true }
                previous = current
                current.resources = resources
                deliver(ResourceChange(items, after: current))
                return true
            }
        }

        /// Nothing could be read: what is in force stays, and status says why until it can be read again.
        private mutating func takeFailure(_ problem: Problem?) {
            guard let problem, !current.resources.problems.contains(problem) else { return }
            logger.error(
                "resources cannot be read; the last good state stays", metadata: ["reason": "\(problem)"])
            let before = current
            previous = before
            current.resources = before.resources.with(problem)
            deliver(ResourceChange(from: before, to: current))
        }

        /// Reads all, and posts what changed.
        mutating func load() {
            let (resources, problem) = loader.load(previous: current.resources, cache: &cache)
            guard let resources else {
                takeFailure(problem)
                return
            }
            let secrets = loader.loadSecrets(resources.secretReferences)
            guard resources != current.resources || secrets != current.secrets else { return }
            for problem in resources.problems where !current.resources.problems.contains(problem) {
                logger.error("resource not applied; its last good version stays", metadata: ["problem": "\(problem)"])
            }
            logOthers(resources.others, known: current.resources.others, logger)
            let before = current
            previous = before
            current = LoadedConfiguration(resources: resources, secrets: secrets)
            deliver(ResourceChange(from: before, to: current))
        }
    }
}
