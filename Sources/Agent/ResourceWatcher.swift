import LinuxIO
import Logging
import Resources

/// What the edge thread read from disk: objects in force, their problems, and the secrets they name.
struct LoadedConfiguration: Sendable {
    var resources: ResourceSet
    var secrets: Secrets
}

/// Watches the resources on disk and posts every change to the routing loop's mailbox (DESIGN, hard rule 3: the loop reads no files).
enum ResourceWatcher {
    /// Reads once, for the start.
    static func loadFirst(_ loader: ResourceLoader, isLenient: Bool) throws(StartError) -> LoadedConfiguration {
        let (resources, problem) = loader.load(previous: ResourceSet())
        guard let resources else { throw StartError(problem?.description ?? "cannot read the resources") }
        if !isLenient, !resources.problems.isEmpty {
            throw StartError(resources.problems.map(\.description).joined(separator: "\n"))
        }
        return LoadedConfiguration(resources: resources, secrets: loader.loadSecrets(resources.secretReferences))
    }

    /// Starts the thread. Changes within 50 ms are one change; every 30 seconds it looks anyway, for file systems without inotify.
    static func start(_ loader: ResourceLoader, first: LoadedConfiguration, reload: Wakeup, mailbox: Mailbox<LoopMessage>, logger: Logger) {
        startEdgeThread {
            var current = first
            while true {
                guard let watcher = try? DirectoryWatcher() else {
                    _ = waitReadable(reload.fd, milliseconds: 5000)
                    reload.clear()
                    load(loader, &current, mailbox, logger)
                    continue
                }
                for folder in loader.watchedFolders { _ = watcher.watch(folder) }
                // Read once more after the watch is set: what changed in between is not missed.
                load(loader, &current, mailbox, logger)
                _ = watcher.waitForChange(or: reload.fd, milliseconds: 30000, settle: 50)
                reload.clear()
            }
        }
    }

    private static func load(_ loader: ResourceLoader, _ current: inout LoadedConfiguration, _ mailbox: Mailbox<LoopMessage>, _ logger: Logger) {
        let (resources, problem) = loader.load(previous: current.resources)
        guard let resources else {
            logger.error("resources cannot be read; the last good state stays", metadata: ["reason": "\(problem?.description ?? "")"])
            return
        }
        let secrets = loader.loadSecrets(resources.secretReferences)
        guard resources != current.resources || secrets != current.secrets else { return }
        for problem in resources.problems where !current.resources.problems.contains(problem) {
            logger.error("resource not applied; its last good version stays", metadata: ["problem": "\(problem)"])
        }
        current = LoadedConfiguration(resources: resources, secrets: secrets)
        mailbox.post(.configuration(current))
    }
}
