import BGPMessages
import BGPRouting
import BGPSpeaker
import FIB
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
import Resources
import StatusAPI

/// The agent's forwarding plane: this node's pods and blocks, and what BGP learned, in the kernel's FIB.
///
/// The way: Loc-RIB changes and local routes become desired routes, the delta tracker compares them with what the kernel has, and the
/// difference goes out in batches. Back come acknowledgements, which let own prefixes be announced, and notifications.
final class KernelForwarding: ForwardingPlane {
    private let logger: Logger
    private let settings: KernelSettings
    /// For dumps, neighbours and small batches, on this thread.
    private var table: NetlinkRouteTable
    /// For large batches, on a thread of its own.
    private let writer: FIBWriter
    /// The batches that the writer has, oldest first: one that it writes and one that waits, so that it never idles while the next is planned.
    private var inFlight: [[FIBOperation]] = []
    private static let maximumInFlight = 2
    /// Larger batches than this go to the writer.
    private static let smallBatch = 64
    private let monitor: KernelMonitor
    private var interfaces = InterfaceTable()
    private var delta: DeltaTracker
    private var nextHops = NextHopTable()
    private var local: LocalRoutes
    private var tunnels = Tunnels()
    /// Why learned routes are not programmed at all.
    private var unprogrammed: [Prefix: String] = [:]
    /// Pools whose routes somebody else programs.
    private var foreignPools: [Prefix] = []
    private var events: [KernelEvent] = []
    private var needsDump = false
    private var needsNextHopRefresh = false
    /// Addresses of our own, for import (RFC 4271 5.1.3).
    private var ownAddresses: Set<IPAddress> = []
    private(set) var preservedFamilies: AddressFamilySet = []
    /// When routes of an earlier process that nobody wants any more go at the latest.
    private var sweepDeadline: Instant?
    /// When it is looked at again whether the restart is over; nil once it is.
    private var sweepCheck: Instant?
    private(set) var isStarting = true
    private let startDeadline: Instant
    private var isConfigured = false

    struct KernelSettings {
        var ownership = Ownership()
        var isDryRun: Bool
        var maximumPaths: Int
        /// Metric of routes that carry none, by family index.
        var normalMetrics = [FIBRoute.normalMetric, FIBRoute.normalMetric]
        /// How long peers keep our routes: until then what we adopted stays.
        var restartTime: Duration
    }

    /// Opens netlink, and reads links, addresses and routes whole.
    init(_ settings: KernelSettings, logger: Logger, now: Instant) throws(SystemError) {
        self.settings = settings
        self.logger = logger
        local = LocalRoutes(metrics: settings.normalMetrics)
        let opened = try NetlinkRouteTable(ownership: settings.ownership)
        var bulk = try NetlinkRouteTable(ownership: settings.ownership)
        let ports = (opened.port, bulk.port)
        table = opened
        monitor = try KernelMonitor(ownership: settings.ownership, ownPorts: ports)
        if !settings.isDryRun { try bulk.adoptObjects() }
        writer = try FIBWriter(bulk)
        delta = DeltaTracker(seed: UInt64(truncatingIfNeeded: now.nanoseconds))
        startDeadline = now + .seconds(2)
        sweepDeadline = now + settings.restartTime
        try dumpAll()
        delta.forEachOwn { prefix, _, _ in preservedFamilies.insert(AddressFamilySet(prefix.family)) }
    }

    var descriptors: [Int32] { [monitor.fd, writer.done.fd] }
    var programsRoutes: Bool { true }
    var tracksNextHops: Bool { true }

    // MARK: The kernel speaks

    private func dumpAll() throws(SystemError) {
        needsDump = false
        interfaces.removeAll()
        tunnels.forgetEntries()
        delta.beginDump()
        var pending: [KernelEvent] = []
        try table.dump { pending.append($0) }
        for event in pending { absorb(event) }
        delta.endDump()
        needsNextHopRefresh = true
    }

    func read(_ speaker: inout Speaker) {
        writer.done.clear()
        events.removeAll(keepingCapacity: true)
        _ = monitor.read(budget: 256, into: &events)
        for event in events { absorb(event) }
    }

    private func absorb(_ event: KernelEvent) {
        switch event {
        case .link(let interface):
            let before = interfaces.set(interface)
            needsNextHopRefresh = true
            if before?.isUp ?? false, !interface.isUp { lost(interface.index) }
            if before != interface {
                local.interfaceChanged(interface.name, before?.name)
                tunnels.interfacesChanged()
            }
            if interface.isUsable { delta.retryFailures() }
        case .linkRemoved(let index):
            if let gone = interfaces.remove(index) {
                lost(index)
                local.interfaceChanged(gone.name, nil)
                tunnels.interfaceRemoved(index)
            }
            needsNextHopRefresh = true
        case .address(let address):
            interfaces.add(address)
            needsNextHopRefresh = true
            local.addressesChanged()
            tunnels.interfacesChanged()
        case .addressRemoved(let address):
            interfaces.remove(address)
            needsNextHopRefresh = true
            local.addressesChanged()
            tunnels.interfacesChanged()
            // With the last address of an interface the kernel drops its IPv4 routes without a word.
            needsDump = true
        case .ownRoute(let route):
            // Whether it came before or after the batch that is being written is not known.
            if !inFlight.isEmpty { needsDump = true }
            delta.kernelHas(route)
        case .ownRouteRemoved(let route):
            if !inFlight.isEmpty { needsDump = true }
            delta.kernelLost(route.prefix, metric: route.metric)
        case .foreignRoute(let route):
            delta.foreignAdded(route)
            needsNextHopRefresh = true
        case .foreignRouteRemoved(let route):
            delta.foreignRemoved(route)
            needsNextHopRefresh = true
        case .entry(let entry, let index): tunnels.entryAdded(entry, index)
        case .entryRemoved(let entry, let index): tunnels.entryRemoved(entry, index)
        case .neighbourLost(let address, let index): tunnels.neighbourLost(address, index)
        case .overflow: needsDump = true
        }
    }

    /// An interface was set down or went away: the kernel removed the routes that left by it, for IPv4 without a word.
    /// One that only lost its carrier keeps them (as `linkdown`): they are ours to delete.
    private func lost(_ index: InterfaceIndex) {
        var gone: [FIBRoute] = []
        delta.forEachOwn { _, _, present in
            if let present, present.nextHops.contains(where: { $0.interface == index }) { gone.append(present) }
        }
        for route in gone {
            if route.nextHops.count == 1 { delta.kernelLost(route.prefix, metric: route.metric) } else { needsDump = true }
        }
    }

    // MARK: Next hops (edge A of the design)

    func resolve(_ speaker: inout Speaker) {
        if needsNextHopRefresh {
            needsNextHopRefresh = false
            let changed = nextHops.refresh(interfaces, delta.foreign)
            if !changed.isEmpty {
                speaker.rib.changeNextHops(changed.map { state($0.address, $0.resolution) })
            }
            let own = Set(interfaces.addresses.map(\.address))
            if own != ownAddresses {
                ownAddresses = own
                updateImportPolicy(&speaker)
            }
        }
        for address in speaker.rib.takeReleasedNextHops() { nextHops.untrack(address) }
        for address in speaker.rib.takeUnresolvedNextHops() {
            let resolution = nextHops.track(address, interfaces, delta.foreign)
            speaker.rib.setNewNextHop(state(address, resolution))
        }
    }

    private func state(_ address: IPAddress, _ resolution: NextHopResolution) -> RIB.NextHopState {
        // A rule that names an interface means routes that leave by that one alone.
        let ways = Set(resolution.nextHops.map(\.interface))
        let name = ways.count == 1 ? ways.first.flatMap { interfaces[$0]?.name } ?? "" : ""
        return RIB.NextHopState(address: address, isReachable: resolution.isReachable, cost: resolution.cost, interface: name)
    }

    private func updateImportPolicy(_ speaker: inout Speaker) {
        var policy = ImportPolicy()
        policy.ownBlocks = local.blocks.map(\.prefix)
        policy.ownAddresses = ownAddresses
        speaker.rib.setImportPolicy(policy)
    }

    // MARK: Loc-RIB to desired routes

    func take(_ changes: [LocRIBChange], _ speaker: inout Speaker) {
        var cache = HopCache()
        for change in changes where !local.wants(change.prefix) {
            delta.setDesired(change.prefix, learned(change.prefix, change.index, speaker, &cache))
        }
    }

    /// What neighbouring prefixes mostly share: their attributes, and the encapsulated pool that they lie in.
    private struct HopCache {
        var handle: AttributeHandle?
        var pool: Int?
        var hops: [FIBNextHop] = []
        var metric: UInt32 = 0
    }

    /// The route that BGP wants for a prefix; nil for none.
    private func learned(_ prefix: Prefix, _ index: PrefixIndex, _ speaker: borrowing Speaker, _ cache: inout HopCache) -> FIBRoute? {
        if !unprogrammed.isEmpty { unprogrammed[prefix] = nil }
        guard let best = speaker.rib.tables[prefix.family.index].best(index), best.peer != .local else { return nil }
        if foreignPools.contains(where: { $0.contains(prefix) }) { return nil }
        if best.flags.contains(.blackhole) {
            // RFC 7999 2: what is sent to the prefix is dropped here.
            return FIBRoute(prefix: prefix, kind: .blackhole, metric: metric(best.attributes, prefix.family, speaker), nextHops: [])
        }
        let pool = tunnels.encapsulation.pool(of: prefix)
        if !speaker.rib.tables[prefix.family.index].isMultipath(index) {
            if cache.handle != best.attributes || cache.pool != pool {
                cache.handle = best.attributes
                cache.pool = pool
                cache.hops = hops(best.attributes, pool, prefix, speaker)
                cache.metric = metric(best.attributes, prefix.family, speaker)
                // The reason is entered for every prefix.
                if cache.hops.isEmpty { cache.handle = nil }
            }
            return cache.hops.isEmpty ? nil : FIBRoute(prefix: prefix, kind: .unicast, metric: cache.metric, nextHops: cache.hops)
        }
        var all: [FIBNextHop] = []
        for member in speaker.rib.multipath(index, prefix.family) { for hop in hops(member, pool, prefix, speaker) where !all.contains(hop) { all.append(hop) } }
        guard !all.isEmpty else { return nil }
        unprogrammed[prefix] = nil
        return FIBRoute(
            prefix: prefix, kind: .unicast, metric: metric(best.attributes, prefix.family, speaker), nextHops: Array(all.prefix(settings.maximumPaths)))
    }

    /// The ways out of a path: as its next hop resolves, or through the tunnel that the pool at a position wants.
    private func hops(_ handle: AttributeHandle, _ pool: Int?, _ prefix: Prefix, _ speaker: borrowing Speaker) -> [FIBNextHop] {
        guard let address = speaker.rib.attributes.nextHopAddress(handle), let resolution = nextHops[address] else { return [] }
        guard let pool, resolution.isReachable else { return resolution.nextHops }
        switch tunnels.encapsulation.verdict(pool: pool, nextHop: address) {
        case .plain: return resolution.nextHops
        case .tunnel(let kind, let endpoint):
            guard let device = tunnels.usable[kind] else {
                unprogrammed[prefix] = tunnels.failure(kind) ?? "\(kind.deviceName) is not up yet"
                return []
            }
            return [FIBNextHop(gateway: endpoint.gateway, interface: device, isOnlink: true)]
        case .noEndpoint(let kind):
            unprogrammed[prefix] = "the pool wants \(kind.name), and the next hop \(address) is the address of no Node, so that no tunnel leads to it"
            return []
        }
    }

    /// Contract 2.6: LOCAL_PREF carries the metric of an address that is being moved (live migration), or what `setPriority` says.
    private func metric(_ handle: AttributeHandle, _ family: AddressFamily, _ speaker: borrowing Speaker) -> UInt32 {
        let carried = RoutePriority.priority(ofLocalPref: speaker.rib.attributes.key(handle).localPref)
        return carried == RoutePriority.normal ? settings.normalMetrics[family.index] : carried
    }

    // MARK: This node's routes

    func configure(_ state: NodeState, _ speaker: inout Speaker) {
        isConfigured = true
        local.configure(state)
        interfaces.ignoredNames = InterfaceTable.alwaysIgnored + state.ignoredInterfaces
        nextHops.statics = Dictionary(state.staticRoutes.map { ($0.peer, $0.gateway) }) { first, _ in first }
        needsNextHopRefresh = true
        let encapsulation = tunnels.encapsulation
        tunnels.configure(state.tunnels)
        if state.foreignPools != foreignPools || tunnels.encapsulation != encapsulation {
            foreignPools = state.foreignPools
            for family in AddressFamily.allCases { takeAll(family, speaker) }
        }
        updateImportPolicy(&speaker)
    }

    func link(_ name: String) -> (link: LinkNeighbors.Link, address: IPAddress?)? {
        guard let interface = interfaces.named(name) else { return nil }
        let address = interfaces.linkLocalAddress(interface.index)
        return (LinkNeighbors.Link(index: UInt32(bitPattern: interface.index.rawValue), isReady: interface.isUsable && address != nil), address)
    }

    /// Asks for every learned route of a family again: what is programmed at all has changed.
    private func takeAll(_ family: AddressFamily, _ speaker: borrowing Speaker) {
        var cache = HopCache()
        for index in 0..<PrefixIndex(speaker.rib.tables[family.index].prefixCapacity) {
            guard let prefix = speaker.rib.tables[family.index].prefix(at: index), !local.wants(prefix) else { continue }
            delta.setDesired(prefix, learned(prefix, index, speaker, &cache))
        }
    }

    func reconcile(_ speaker: inout Speaker, now: Instant) -> Bool {
        while !inFlight.isEmpty, let failed = writer.takeResult() { acknowledge(inFlight.removeFirst(), failed, now) }
        if needsDump, inFlight.isEmpty {
            do throws(SystemError) {
                try dumpAll()
            } catch {
                needsDump = true
                logger.warning("cannot read the kernel's routes", metadata: ["reason": "\(error)"])
            }
        }
        sweep(&speaker, now)
        if tunnels.reconcile(&interfaces, &table, isDryRun: settings.isDryRun, now: now, logger: logger) {
            for family in AddressFamily.allCases { takeAll(family, speaker) }
            needsNextHopRefresh = true
        }
        local.prepare(interfaces, nextHops: nextHops, foreign: delta.foreign, table: &table, isDryRun: settings.isDryRun, logger: logger)
        // Own prefixes that are to go were withdrawn in an earlier turn and told; only then their routes go.
        if speaker.rib.dirtyCount == 0, !speaker.rib.hasExportWork(now: now) {
            for prefix in local.takeRemovable() { restoreLearned(prefix, speaker) }
        }
        let changed = local.takeChanged()
        for prefix in changed { delta.setDesired(prefix, local.desired[prefix]) }
        if changed.contains(where: \.isHost) {
            // A pod may be a peer, and a next hop.
            nextHops.locals = local.podInterfaces
            needsNextHopRefresh = true
        }
        while inFlight.count < KernelForwarding.maximumInFlight, !needsDump || inFlight.isEmpty {
            let operations = delta.plan(budget: 4096, now: now)
            if operations.isEmpty { break }
            if settings.isDryRun {
                for operation in operations { logger.notice("dry run: would \(operation)") }
                acknowledge(operations, [], now)
            } else if operations.count > KernelForwarding.smallBatch || !inFlight.isEmpty {
                inFlight.append(operations)
                writer.submit(operations)
            } else {
                acknowledge(operations, table.apply(operations), now)
            }
        }
        announce(&speaker)
        if isStarting && (isConfigured && delta.dirtyCount == 0 && inFlight.isEmpty && local.isSettled || now >= startDeadline) { isStarting = false }
        // A batch that is being written wakes the loop when it is done.
        return needsNextHopRefresh || inFlight.count < KernelForwarding.maximumInFlight && delta.canPlan
    }

    private func acknowledge(_ operations: [FIBOperation], _ failed: [FIBFailure], _ now: Instant) {
        // Something of ours is there that we did not know of.
        if failed.contains(where: { $0.error == KernelError.exists }) { needsDump = true }
        for failure in failed {
            logger.warning(
                "the kernel refused a route", metadata: ["operation": "\(operations[failure.index])", "reason": "\(errorText(failure.error))"])
        }
        delta.acknowledge(operations, failed, now: now)
    }

    /// A local route is gone: what BGP has for the prefix takes its place, without a gap.
    private func restoreLearned(_ prefix: Prefix, _ speaker: borrowing Speaker) {
        var cache = HopCache()
        let index = speaker.rib.tables[prefix.family.index].find(prefix)
        delta.setDesired(prefix, index.flatMap { learned(prefix, $0, speaker, &cache) })
    }

    /// Promise 1: an own prefix is announced only after its route is in the kernel, and withdrawn before that is taken away.
    private func announce(_ speaker: inout Speaker) {
        for change in local.originations(isInstalled: { delta.isInstalled($0) }) {
            if let announcement = change.announcement {
                var attributes = PathAttributes()
                attributes.origin = .igp
                attributes.asPath = ASPath()
                attributes.localPref = announcement.localPref
                for text in announcement.communities {
                    if let community = AnyCommunity(text) { AttributeOperation.addCommunity(community).apply(to: &attributes) }
                }
                speaker.rib.originate(change.prefix, attributes, interface: ownInterface(change.prefix))
            } else {
                speaker.rib.withdrawOwn(change.prefix)
            }
        }
    }

    /// Where an own route leads out; empty for a blackhole.
    private func ownInterface(_ prefix: Prefix) -> String {
        local.desired[prefix]?.nextHops.first.flatMap { interfaces[$0.interface]?.name } ?? ""
    }

    /// Routes of an earlier process that nobody wants: they go when every peer has told what it has, or at the deadline.
    private func sweep(_ speaker: inout Speaker, _ now: Instant) {
        guard let deadline = sweepDeadline else { return }
        sweepCheck = now + .milliseconds(250)
        let isWhole = !isStarting && AddressFamily.allCases.allSatisfy { speaker.isSynchronized($0, now: now) }
        guard (isWhole && speaker.rib.dirtyCount == 0) || now >= deadline else { return }
        sweepDeadline = nil
        sweepCheck = nil
        speaker.endRestart()
        delta.allowDeletion()
        tunnels.allowRemoval()
        logger.info("restart is over: routes that nobody wants any more are removed", metadata: ["complete": "\(isWhole)"])
    }

    var nextDeadline: Instant? {
        [delta.nextRetry, tunnels.retryAt, sweepCheck, isStarting ? startDeadline : nil].compactMap { $0 }.min()
    }

    // MARK: Status

    func fill(_ status: inout DaemonStatus) {
        status.routesWanted = delta.desiredCount
        status.routesInKernel = delta.kernelCount
        status.problems += tunnels.problems
        status.routesMissing = delta.dirtyCount + delta.failureCount + unprogrammed.count + inFlight.reduce(0) { $0 + $1.count }
        status.routesRepaired = delta.repairCount
        status.ownPrefixes = local.status(isInstalled: { delta.isInstalled($0) }, reason: { delta.skipReason($0).map(text) })
    }

    private func text(_ reason: FIBSkipReason) -> String {
        if case .kernelError(let code) = reason { return errorText(code) }
        return reason.text
    }

    func endpointStatus() -> [EndpointStatus] {
        local.endpointStatus(interfaces, isInstalled: { delta.isInstalled($0) }, reason: { delta.skipReason($0).map(text) })
    }

    func fibStatus(argument: String?, cursor: Int, limit: Int) -> (rows: [FIBStatus], next: Int?) {
        let wantedPrefix = argument.flatMap { Prefix($0) ?? IPAddress($0).map { Prefix(host: $0) } }
        var rows: [FIBStatus] = []
        var position = 0
        var next: Int?
        delta.forEachOwn { prefix, wanted, present in
            if let wantedPrefix, !prefix.overlaps(wantedPrefix) { return }
            defer { position += 1 }
            guard position >= cursor, next == nil else { return }
            if rows.count == limit {
                next = position
                return
            }
            let reason = delta.skipReason(prefix).map(text) ?? ""
            let state = wanted == nil ? "to be removed" : wanted == present ? "installed" : reason.isEmpty ? "pending" : "failed"
            rows.append(
                FIBStatus(prefix: "\(prefix)", wanted: wanted.map(render), kernel: present.map(render), state: state, reason: reason))
        }
        if next == nil {
            // What BGP has and no way leads to, behind the rest.
            for (prefix, reason) in unprogrammed.sorted(by: { $0.key < $1.key }) where wantedPrefix.map({ prefix.overlaps($0) }) ?? true {
                defer { position += 1 }
                guard position >= cursor else { continue }
                if rows.count == limit { return (rows, position) }
                rows.append(FIBStatus(prefix: "\(prefix)", wanted: nil, kernel: nil, state: "failed", reason: reason))
            }
        }
        return (rows, next)
    }

    /// As `ip route` writes it.
    private func render(_ route: FIBRoute) -> String {
        let hops = route.nextHops.map { hop in
            (hop.gateway.map { "via \($0) " } ?? "") + "dev \(interfaces[hop.interface]?.name ?? "if\(hop.interface)")" + (hop.isOnlink ? " onlink" : "")
        }
        return ([route.kind == .blackhole ? "blackhole" : ""] + hops + ["metric \(route.metric)"]).filter { !$0.isEmpty }.joined(separator: " ")
    }
}
