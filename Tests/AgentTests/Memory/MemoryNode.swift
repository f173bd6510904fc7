import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import Dataplane
import FIB
import Forwarding
import ForwardingPlane
import Logging
import NetTypes
import Planning
import Resources

@testable import Node

/// One node: a host that stays, and a daemon on it that may be killed and started again.
final class MemoryNode {
    let name: String
    let host: MemoryHost
    /// Where it listens.
    let port: UInt16
    /// What the node reads, by file.
    var files: [String: String] { didSet { hasNewFiles = true } }
    let isReflector: Bool
    /// What of the kernel's routes is the node's to write.
    var programming = Programming.all
    /// Whose routes the node takes over.
    var takeOver = TakeOver()
    /// Where the node's own addresses come from; nil: from its Node object alone.
    var addresses: DetectionSettings?
    private(set) var core: NodeCore?
    private(set) var transport = MemoryTransport()
    private(set) var plane: KernelForwarding?
    private var loaded = LoadedConfiguration(resources: ResourceSet(), secrets: Secrets())
    private var hasNewFiles = true
    private static let logger = Logger(label: "memory") { _ in SwiftLogNoOpLogHandler() }

    /// `host`: that of another node, on which this is a second daemon.
    init(
        _ name: String, isReflector: Bool = false, on host: MemoryHost = MemoryHost(), port: UInt16 = 179,
        files: [String: String]
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.isReflector = isReflector
        self.files = files
    }

    /// Reads the resources as a folder's change has them read.
    private func load() -> LoadedConfiguration {
        let parsed = files.sorted { $0.key < $1.key }.map { ResourceParser.parse($0.value, file: $0.key) }
        hasNewFiles = false
        return LoadedConfiguration(
            resources: ResourceSet(parsed, files: files.keys.sorted(), previous: loaded.resources), secrets: Secrets())
    }

    /// Starts the daemon on the host as it is.
    func start(now: Instant) throws {
        loaded = LoadedConfiguration(resources: ResourceSet(), secrets: Secrets())
        loaded = load()
        let declared = loaded
        var detector = addresses.map { AddressDetector($0, node: name) }
        _ = detector?.detect(
            declared.resources,
            DetectionView(
                addresses: host.namedAddresses(), sourceAddress: { [host] in host.sourceAddress(towards: $0) }))
        let loaded = detector?.complete(declared) ?? declared
        guard let identity = AttributeTable.Identity(loaded.resources, node: name) else { throw Missing() }
        detector?.identifier = identity.identifier
        let configuration = loaded.resources.configuration(of: name)
        let forwarding: any ForwardingPlane
        if isReflector {
            plane = nil
            forwarding = NoForwarding(addresses: { [host] in Array(host.addresses) })
        } else {
            var settings = ForwardingSettings(
                isDryRun: false, maximumPaths: configuration.maximumPaths ?? 16,
                restartTime: configuration.nodeMeshMaxRestartTime ?? .seconds(120))
            settings.programming = programming
            settings.takeOver = takeOver
            let kernel = try KernelForwarding(settings, host: host, logger: Self.logger, now: now)
            plane = kernel
            forwarding = kernel
        }
        let preserved = forwarding.preservedFamilies
        let speaker = Speaker(
            identity: identity, tracksNextHops: forwarding.tracksNextHops,
            maximumPaths: configuration.maximumPaths ?? 16,
            recordsChanges: forwarding.programsRoutes,
            restart: RestartState(isRestarting: !isReflector && !preserved.isEmpty, preservedFamilies: preserved),
            seed: UInt64(bitPattern: Int64(name.hashValue)), now: now)
        transport = MemoryTransport()
        let peering = Peering(
            node: name, isReflector: isReflector, identity: identity, first: loaded, logger: Self.logger)
        let core = NodeCore(
            speaker: speaker, plane: forwarding, peering: peering, transport: transport, logger: Self.logger, now: now)
        if let detector { core.watchAddresses(detector, declared: declared) }
        core.apply(ResourceChange(whole: declared))
        self.core = core
    }

    /// `kill -9`: the host keeps what it has.
    func kill() {
        core = nil
        plane = nil
        host.processEnded()
    }

    /// A turn would do something.
    func isAwake(now: Instant) -> Bool {
        guard let core else { return false }
        return wantsTurn || hasNewFiles || host.hasNews || core.hasMoreWork
            || core.nextDeadline.map { $0 <= now } ?? false
    }
    /// The network has delivered something.
    var wantsTurn = false

    /// One turn, after the network has delivered. True where more is to be done at once.
    func turn(now: Instant) -> Bool {
        guard let core else { return false }
        core.now = now
        core.hasMoreWork = false
        wantsTurn = false
        if hasNewFiles {
            let before = loaded
            loaded = load()
            core.apply(ResourceChange(from: before, to: loaded))
        }
        core.plane.read(&core.speaker)
        core.handleTimeouts()
        core.carryOutActions()
        core.decide()
        core.export()
        core.carryOutActions()
        core.reconcile()
        core.removeEndedPeers()
        core.carryOutActions()
        core.beginWaitingConnects()
        if core.speaker.hasWork(now: now) { core.hasMoreWork = true }
        return core.hasMoreWork
    }

    // MARK: What a test asks

    /// Addresses of the peers whose sessions are up.
    var established: Set<String> {
        guard let core else { return [] }
        return Set(
            core.speaker.peerIndices.filter { core.speaker.isEstablished($0) }.compactMap {
                core.speaker.settings($0).map { "\($0.peerAddress)" }
            })
    }

    /// Our routes in the kernel: prefix to gateways, `blackhole` or the name of an interface.
    var kernelRoutes: [String: String] {
        var result: [String: String] = [:]
        for route in host.routes.own.values {
            result["\(route.prefix)"] =
                route.kind == .blackhole
                ? "blackhole"
                : route.nextHops.map { hop in
                    hop.gateway.map { "\($0)" } ?? host.interfaces[hop.interface]?.name ?? "?"
                }.joined(separator: " ")
        }
        return result
    }

    private struct Missing: Error {}
}
