import BGPRouting
package import BGPSession
import BGPSpeaker
package import Edges
package import ForwardingPlane
package import LinuxIO
package import Logging
import NetTypes
import Node
package import Planning
package import Rehearsal
import ResourceFiles
package import Resources
import Status
package import Transport

/// What both modes do alike: read the resources, find out who this node is, open the edges, run the loop.
package struct Daemon {
    let settings: ProcessSettings
    package let logger: Logger
    let isReflector: Bool
    /// Of the resources, with this node's addresses completed.
    package let first: LoadedConfiguration
    /// The same as they were read.
    private let declared: LoadedConfiguration
    /// Nil where nothing but the Node object says which addresses this node has.
    private let detector: AddressDetector?
    /// What the names of `can-reach` stand for comes by this, once the loop runs.
    private let names = Locked<Mailbox<LoopMessage>?>(nil)
    let source: any ResourceSource
    let node: NodeResource
    let identity: AttributeTable.Identity

    /// `host`: what the addresses that the Node object does not have are found by. `repeatsLookups`: names of
    /// `can-reach` are looked up for as long as the process runs.
    package init(
        _ settings: ProcessSettings, isReflector: Bool, addresses: DetectionSettings? = nil,
        host: DetectionView? = nil, repeatsLookups: Bool = true
    ) throws(StartError) {
        self.settings = settings
        self.isReflector = isReflector
        logger = try makeLogger(level: settings.logLevel, isJSON: settings.isJSONLog)
        source = FolderSource(
            loader: ResourceLoader(path: settings.resources, secretsPath: settings.secrets),
            isLenient: settings.isLenient, logger: logger)
        declared = try source.loadFirst()
        var detector = addresses.map { AddressDetector($0, node: settings.node) }
        if var asked = detector, let host, asked.isNeeded(declared.resources) {
            asked.resolved = Daemon.resolve(asked.hostNames, repeats: repeatsLookups, names)
            asked.log(asked.detect(declared.resources, host), logger)
            detector = asked
        }
        first = detector?.complete(declared) ?? declared
        for problem in first.resources.problems {
            logger.error("resource not applied", metadata: ["problem": "\(problem)"])
        }
        logOthers(first.resources.others, logger)
        guard let node = first.resources.node(settings.node),
            let identity = AttributeTable.Identity(first.resources, node: settings.node)
        else {
            let known = first.resources.nodes.keys.sorted().joined(separator: ", ")
            throw StartError(
                "--node \(settings.node): no Node object has that name in \(settings.resources); there are "
                    + "\(known.isEmpty ? "none" : known)"
            )
        }
        self.node = node
        self.identity = identity
        detector?.identifier = identity.identifier
        self.detector = detector
        // An address that the host does not have yet may come.
        guard !node.families.isEmpty || detector?.isNeeded(declared.resources) ?? false else {
            throw StartError(
                "Node/\(settings.node): spec.bgp.ipv4Address or spec.bgp.ipv6Address is needed"
                    + (isReflector ? "" : ", or --ip autodetect, or --ip6 autodetect"))
        }
    }

    /// How long a start waits for a resolver; what comes later is applied then.
    private static let resolverTime: Int32 = 3000

    /// Looks names up, each on a thread of its own. Returns what is known in time.
    private static func resolve(
        _ hosts: Set<String>, repeats: Bool, _ names: Locked<Mailbox<LoopMessage>?>
    ) -> [String: [IPAddress]] {
        let promises = hosts.map { name in
            let promise = Promise<[IPAddress]>()
            NameResolver.start(name, repeats: repeats) { addresses in
                promise.fulfil(addresses)
                names.withLock { $0 }?.post(.resolved(name, addresses))
            }
            return (name, promise)
        }
        var result: [String: [IPAddress]] = [:]
        for (name, promise) in promises { result[name] = promise.wait(milliseconds: resolverTime) }
        return result
    }

    package var configuration: BGPConfiguration { first.resources.configuration(of: settings.node) }

    /// Makes the folders of the socket and of what outlives the process where they are missing: for this user and its
    /// group alone, or for `user`, who the process is about to become.
    package func makeFolders(for user: String? = nil, withState: Bool = true) throws(StartError) {
        let socketFolder = settings.socket.lastIndex(of: "/").map { String(settings.socket[..<$0]) } ?? ""
        let folders = [
            ("--socket", socketFolder, FileOwner(user: user, group: settings.socketGroup)),
            ("--state-dir", settings.stateDirectory, FileOwner(user: user)),
        ]
        for (flag, folder, owner) in folders.prefix(withState ? 2 : 1) where !folder.isEmpty {
            do throws(SystemError) {
                try makeFolder(folder, mode: 0o750, owner: owner)
            } catch {
                throw StartError(
                    "\(flag): the folder \(folder) cannot be made (\(error)); make it for this user, or name another")
            }
        }
    }

    /// True where this node ran before: peers may be keeping its routes. Leaves the mark for the next start.
    package func markStarted() throws(StartError) -> Bool {
        let mark = settings.stateDirectory + "/started"
        let ranBefore = FileStatus(mark, followsLinks: false)?.isRegular ?? false
        do throws(SystemError) {
            try makeFolder(settings.stateDirectory)
            try replaceFile(mark, Array(settings.node.utf8))
        } catch {
            throw StartError(
                "--state-dir \(settings.stateDirectory): cannot be written (\(error)); create it for this user, or "
                    + "name another"
            )
        }
        return ranBefore
    }

    /// Listens, before privileges are given up.
    package func openTransport() throws(StartError) -> Transport {
        let (addresses, port) = PeeringDecision.listening(first.resources, node, node: settings.node)
        let transport: Transport
        do throws(SystemError) {
            transport = try Transport(openFiles: OpenFiles.raiseLimit())
        } catch { throw StartError("cannot listen: \(error)") }
        transport.listen(on: addresses.map { SocketAddress($0, port: port) })
        guard let failure = transport.listenFailures.first else { return transport }
        switch failure.code {
        case SystemError.addressInUse:
            throw StartError(
                "TCP port \(port) is in use; another BGP daemon (BIRD, FRR, another apusd?) runs on this host")
        case SystemError.permissionDenied:
            throw StartError(
                "TCP port \(port) cannot be bound: the process needs CAP_NET_BIND_SERVICE, or a port above 1023 "
                    + "(listenPort)"
            )
        default: throw StartError("cannot listen on \(failure.address): \(errorText(failure.code))")
        }
    }

    /// Opens the edges, and runs until a signal.
    package func run(
        _ plane: any ForwardingPlane, _ transport: Transport, restart: RestartState, signals: consuming SignalReader,
        ground: any RehearsalGround
    ) throws(StartError) {
        ProcessMemory.configure()
        do throws(SystemError) {
            let wakeup = try Wakeup()
            let reload = try Wakeup()
            let mailbox = Mailbox<LoopMessage>(wakeup)
            let now = Instant(nanoseconds: monotonicNanoseconds())
            var seed = SystemRandomNumberGenerator()
            let speaker = Speaker(
                identity: identity, tracksNextHops: plane.tracksNextHops && (configuration.tracksNextHops ?? true),
                maximumPaths: configuration.maximumPaths ?? 16, recordsChanges: plane.programsRoutes, restart: restart,
                seed: seed.next(), now: now)
            let peering = Peering(
                node: settings.node, isReflector: isReflector, identity: identity, first: first, logger: logger)
            let core = NodeCore(
                speaker: speaker, plane: plane, peering: peering, transport: transport, logger: logger, now: now)
            let loop = try RoutingLoop(
                core: core, transport: transport, signals: signals, wakeup: wakeup, mailbox: mailbox, reload: reload,
                bfd: try BFDEngine(reports: mailbox, logger: logger, seed: seed.next()),
                mode: NodeMode(isReflector: isReflector, isDryRun: settings.isDryRun), ground: ground,
                secrets: { [settings] in
                    ResourceLoader(path: settings.resources, secretsPath: settings.secrets).loadSecrets(
                        $0.secretReferences)
                })
            let socketFile = try startEdges(mailbox, reload)
            defer { socketFile.remove() }
            if let detector { core.watchAddresses(detector, declared: declared) }
            names.withLock { $0 = mailbox }
            mailbox.post(.change(ResourceChange(whole: declared)))
            logger.notice(
                "running",
                metadata: [
                    "mode": "\(isReflector ? "reflector" : "agent")", "node": "\(settings.node)",
                    "routerID": "\(identity.identifier)", "as": "\(identity.localAS)",
                ])
            loop.run()
        } catch {
            if let start = edgeError.value { throw start }
            throw StartError("\(error)")
        }
    }

    /// The router id, as text.
    package var routerID: String { "\(identity.identifier)" }

    /// Opens the socket and the pages of a daemon that has no routing loop. Returns the socket's file.
    package func serve(_ mailbox: Mailbox<LoopMessage>) throws(StartError) -> SocketFile {
        try makeFolders(withState: false)
        let file = try StatusServer.start(
            path: settings.socket, owner: FileOwner(group: settings.socketGroup), mailbox: mailbox)
        do throws(StartError) { try startPages(mailbox) } catch {
            file.remove()
            throw error
        }
        return file
    }

    private func startPages(_ mailbox: Mailbox<LoopMessage>) throws(StartError) {
        try MetricsServer.start(address: settings.metrics, flag: "--metrics", mailbox: mailbox)
        if settings.health != settings.metrics {
            try MetricsServer.start(address: settings.health, flag: "--health", mailbox: mailbox)
        }
    }

    /// Returns the file of the status socket.
    private func startEdges(_ mailbox: Mailbox<LoopMessage>, _ reload: Wakeup) throws(SystemError) -> SocketFile {
        var opened: SocketFile?
        do throws(StartError) {
            let socketFile = try StatusServer.start(
                path: settings.socket, owner: FileOwner(group: settings.socketGroup), mailbox: mailbox)
            opened = socketFile
            try startPages(mailbox)
            source.start(from: declared, reload: reload) { mailbox.post(.change($0)) }
            return socketFile
        } catch {
            opened?.remove()
            edgeError.value = error
            throw SystemError(code: 0, operation: "start")
        }
    }

    private final class ErrorBox { var value: StartError? }
    private let edgeError = ErrorBox()
}
