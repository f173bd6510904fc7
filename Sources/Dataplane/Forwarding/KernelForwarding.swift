import BGPMessages
import BGPRouting
package import BGPSpeaker
package import FIB
package import ForwardingPlane
import KernelRoutes
package import LinuxIO
package import Logging
package import NetTypes
package import Planning
import Resources
import StatusAPI

/// The agent's forwarding plane: this node's pods and blocks, and what BGP learned, in the kernel's FIB.
///
/// The way: Loc-RIB changes and local routes become desired routes, the delta tracker compares them with what the
/// kernel has, and the difference goes out in batches. Back come acknowledgements, which let own prefixes be announced,
/// and notifications.
package final class KernelForwarding: ForwardingPlane {
    let logger: Logger
    let settings: KernelSettings
    /// For dumps, neighbors and small batches, on this thread.
    private var table: NetlinkRouteTable
    /// For large batches, on a thread of its own.
    private let writer: FIBWriter
    /// The batches that the writer has, oldest first, empty for an order to drop next hops.
    var inFlight: [FIBBatch] = []
    /// What a dry run said last of a prefix: what a dump finds missing again need not be said again.
    private var reportedDryRun: [Prefix: FIBOperation] = [:]
    var dryRunLog = DryRunLog()
    /// So many that the writer never idles while a turn goes on that takes many UPDATEs in: eight are 20 ms of work.
    private static let maximumInFlight = 8
    /// Routes of a batch: what fits into one of the 64 KB that the writer sends at once. Larger ones gain nothing and
    /// are planned in more memory.
    private static let batchLimit = 1024
    /// Routes that are read between two looks at the clock.
    private static let dumpBreath = 1024
    /// Some route was written with several next hops.
    private var usesGroups = false
    /// Groups were changed before BGP decided: when it has, everything is compared once.
    private var needsDifferences = false
    /// Larger batches than this go to the writer.
    private static let smallBatch = 64
    private var monitor: KernelMonitor
    /// Nil where it could not be opened: `guestSocketError` says why.
    var guests: GuestSocket?
    var hearsGuests = false
    var guestSocketError: String?
    /// Frames of guests in a turn.
    static let guestBudget = 64
    var interfaces = InterfaceTable()
    var delta: DeltaTracker
    var nextHops = NextHopTable()
    var local: LocalRoutes
    var tunnels = Tunnels()
    /// Why learned routes are not programmed at all.
    var unprogrammed: PrefixMap<FIBReason>
    /// What the resources say of this node.
    var state = NodeState()
    var breaker = WithdrawBreaker()
    /// Tables and sources of learned routes by peer, found when a peer's first route is met.
    var peerPlacements: [PeerIndex: NodeState.Placement] = [:]
    /// Where pods of this node were reached, so that the connections of an address that moved are forgotten.
    var podInterfaces: [IPAddress: InterfaceIndex] = [:]
    let conntrack: ConntrackFlusher?
    var audit: RouteAudit
    /// When the next slice of the audit is read, or the next audit begins.
    var auditAt: Instant
    /// Pause between two slices: a table of 100,000 routes is read in about a second.
    static let auditPause = Duration.milliseconds(2)
    var auditCount = 0
    /// Times that notifications were lost, and everything was read again.
    private(set) var resyncs = 0
    /// Differences that audits found and notifications had not told of.
    var auditFindings = 0
    private var events: [KernelEvent] = []
    private var needsDump = false
    var needsNextHopRefresh = false
    var linkChanges = LinkChanges()
    package private(set) var preservedFamilies: AddressFamilySet = []
    /// When routes that were found at the start and that nobody wants go at the latest; nil once they are gone.
    var restartDeadline: Instant?
    /// When it is looked at again whom they wait for; nil once the restart is over.
    var restartCheck: Instant?
    /// Whom they waited for at the last look.
    var restartWait = RestartWait()
    package private(set) var isStarting = true
    private let startDeadline: Instant
    private var isConfigured = false

    /// What the kernel side is told at its start, and does not change.
    package struct KernelSettings {
        package var ownership = Ownership()
        /// Protocol number of the host routes that Felix writes beside us.
        package var felixProtocol: UInt8 = 3
        package var programming = Programming.all
        package var isDryRun: Bool
        package var maximumPaths: Int
        /// Metric of routes that carry none, by family index.
        package var normalMetrics = [FIBRoute.normalMetric, FIBRoute.normalMetric]
        /// How long peers keep our routes: until then what we adopted stays.
        package var restartTime: Duration

        package init(isDryRun: Bool, maximumPaths: Int, restartTime: Duration) {
            self.isDryRun = isDryRun
            self.maximumPaths = maximumPaths
            self.restartTime = restartTime
        }
    }

    /// Opens netlink, and reads links, addresses and routes whole.
    package init(_ settings: KernelSettings, logger: Logger, now: Instant) throws(SystemError) {
        self.settings = settings
        self.logger = logger
        local = LocalRoutes(metrics: settings.normalMetrics, programming: settings.programming)
        conntrack = settings.isDryRun ? nil : ConntrackFlusher.start()
        let opened = try NetlinkRouteTable(ownership: settings.ownership, makesObjects: false)
        var bulk = try NetlinkRouteTable(ownership: settings.ownership)
        let ports = (opened.port, bulk.port)
        table = opened
        monitor = try KernelMonitor(ownership: settings.ownership, ownPorts: ports)
        if !settings.isDryRun { try bulk.adoptObjects() }
        writer = try FIBWriter(bulk)
        delta = DeltaTracker(seed: UInt64(truncatingIfNeeded: now.nanoseconds))
        unprogrammed = PrefixMap(seed: UInt64(truncatingIfNeeded: now.nanoseconds))
        audit = try RouteAudit(ownership: settings.ownership)
        if settings.programming.includesPods {
            do throws(SystemError) { guests = try GuestSocket() } catch {
                guestSocketError = "no guest can be heard: \(error); it needs CAP_NET_RAW"
            }
        }
        auditAt = now + state.auditInterval
        startDeadline = now + .seconds(2)
        restartDeadline = now + settings.restartTime
        try dumpAll()
        delta.forEachOwn { prefix, _, present in
            preservedFamilies.insert(AddressFamilySet(prefix.family))
            // Where the pods of the process before were reached.
            if prefix.isHost, let hop = present?.nextHops.first, hop.gateway == nil {
                podInterfaces[prefix.address] = hop.interface
            }
        }
    }

    package var descriptors: [Int32] { [monitor.fd, writer.done.fd] + [guests?.fd].compactMap { $0 } }
    package var programsRoutes: Bool { true }
    package var programming: Programming { settings.programming }
    package var tracksNextHops: Bool { true }

    // MARK: The kernel speaks

    /// Reads the kernel whole: at the start, and when notifications were lost. `breathe` is called while a large table
    /// is read.
    private func dumpAll(_ breathe: () -> Void = {}) throws(SystemError) {
        needsDump = false
        linkChanges.noteAll()
        interfaces.removeAll()
        tunnels.forgetEntries()
        local.forgetObserved()
        delta.beginDump()
        var count = 0
        try table.dump(
            restart: {
                local.forgetObserved()
                delta.beginDump()
            },
            {
                absorb($0)
                count += 1
                if count % KernelForwarding.dumpBreath == 0 { breathe() }
            })
        delta.endDump()
        needsNextHopRefresh = true
    }

    package func read(_ speaker: inout Speaker) {
        writer.done.clear()
        events.removeAll(keepingCapacity: true)
        _ = monitor.read(budget: 256, into: &events)
        for event in events { absorb(event) }
        hearGuests()
    }

    private func absorb(_ event: KernelEvent) {
        switch event {
        case .link(let interface):
            let before = interfaces.set(interface)
            needsNextHopRefresh = true
            if before?.isUp ?? false, !interface.isUp { lost(interface.index) }
            if before != interface {
                local.interfaceChanged(interface.name, before?.name)
                tunnels.interfaceChanged(interface)
            }
            if interface.isUsable { delta.retryFailures() }
        case .linkRemoved(let index):
            if let gone = interfaces.remove(index) {
                lost(index)
                local.interfaceChanged(gone.name, nil)
                tunnels.interfaceRemoved(gone)
            }
            needsNextHopRefresh = true
        case .address(let address):
            interfaces.add(address)
            noteLinkChange(address)
            needsNextHopRefresh = true
            local.addressesChanged()
            tunnels.addressesChanged()
        case .addressRemoved(let address):
            interfaces.remove(address)
            noteLinkChange(address)
            needsNextHopRefresh = true
            local.addressesChanged()
            tunnels.addressesChanged()
            // With the last address of an interface the kernel drops its IPv4 routes without a word.
            needsDump = true
        case .ownRoute(let route):
            // Whether it came before or after the batch that is being written is not known.
            if !inFlight.isEmpty { needsDump = true }
            if route.nextHops.count > 1 { usesGroups = true }
            delta.kernelHas(route)
        case .ownRouteRemoved(let route):
            if !inFlight.isEmpty { needsDump = true }
            delta.kernelLost(route.prefix, metric: route.metric, table: route.table)
        case .foreignRoute(let route, let replaces):
            delta.foreignAdded(route, replaces: replaces)
            linkChanges.note(route.prefix)
            observe(route, isThere: true)
            needsNextHopRefresh = true
        case .foreignRouteRemoved(let route):
            delta.foreignRemoved(route)
            linkChanges.note(route.prefix)
            observe(route, isThere: false)
            needsNextHopRefresh = true
        case .entry(let entry, let index): tunnels.entryAdded(entry, index)
        case .entryRemoved(let entry, let index): tunnels.entryRemoved(entry, index)
        case .neighborLost(let address, let index): tunnels.neighborLost(address, index)
        case .overflow:
            if !needsDump { resyncs += 1 }
            needsDump = true
        }
    }

    /// A link-local address is a next hop only beside a global one of its interface (RFC 2545 3): those of pods'
    /// interfaces concern no peer.
    private func noteLinkChange(_ address: InterfaceAddress) {
        let isBesideGlobal = interfaces.addresses(on: address.interface).contains {
            $0.family == .ipv6 && !$0.isLinkLocal
        }
        if !address.address.isLinkLocal || isBesideGlobal { linkChanges.noteAll() }
    }

    /// An interface was set down or went away: the kernel removed the routes that left by it, for IPv4 without a word.
    /// One that only lost its carrier keeps them (as `linkdown`): they are ours to delete.
    private func lost(_ index: InterfaceIndex) {
        var gone: [FIBRoute] = []
        delta.forEachOwn { _, _, present in
            if let present, present.nextHops.contains(where: { $0.interface == index }) { gone.append(present) }
        }
        for route in gone {
            if route.nextHops.count == 1 {
                delta.kernelLost(route.prefix, metric: route.metric, table: route.table)
            } else {
                needsDump = true
            }
        }
    }

    // MARK: Next hops (edge A of the design)

    package func resolve(_ speaker: inout Speaker) {
        if needsNextHopRefresh {
            needsNextHopRefresh = false
            let changed = nextHops.refresh(interfaces, delta.foreign)
            if !changed.isEmpty {
                dropDead(changed)
                speaker.changeNextHops(changed.map { state($0.address, $0.resolution) })
            }
            releaseDead()
            speaker.setOwnAddresses(Set(interfaces.addresses.map(\.address)), of: .kernel)
        }
        for address in speaker.takeReleasedNextHops() { nextHops.untrack(address) }
        for address in speaker.takeUnresolvedNextHops() {
            let resolution = nextHops.track(address, interfaces, delta.foreign)
            speaker.setNewNextHop(state(address, resolution))
        }
    }

    /// Takes dead ways out of the kernel's groups at once: the routes themselves follow when BGP has decided.
    private func dropDead(_ changes: [NextHopChange]) {
        var dead = nextHops.dead(changes)
        for change in changes where !change.resolution.isReachable {
            for (kind, device) in tunnels.usable {
                guard let endpoint = tunnels.encapsulation.endpoints[kind]?[change.address] else { continue }
                dead.insert(FIBNextHop(gateway: endpoint.gateway, interface: device, isOnlink: true))
            }
        }
        guard !dead.isEmpty, usesGroups, !settings.isDryRun else { return }
        writer.drop(dead)
        inFlight.append([])
        needsDifferences = true
    }

    private func state(_ address: IPAddress, _ resolution: NextHopResolution) -> RIB.NextHopState {
        // A rule that names an interface means routes that leave by that one alone.
        let links = Set(resolution.nextHops.map(\.interface))
        let name = links.count == 1 ? links.first.flatMap { interfaces[$0]?.name } ?? "" : ""
        let reach: NextHopPlace.Reach =
            switch resolution.place {
            case .onLink: .onLink
            case .routed: .routed
            case .byDefault: .byDefault
            }
        return RIB.NextHopState(
            address: address, isReachable: resolution.isReachable, cost: resolution.cost, interface: name,
            place: NextHopPlace(reach, isNode: state.nodeAddresses[address] != nil))
    }

    package func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? {
        nextHops.link(to: peer, local: local, preferred: state.ownAddresses, interfaces, delta.foreign)
    }

    package func takeLinkChanges() -> LinkChanges {
        defer { linkChanges = LinkChanges() }
        return linkChanges
    }

    // MARK: This node's routes

    package func configure(_ new: NodeState, _ speaker: inout Speaker, now: Instant) {
        isConfigured = true
        let old = state
        state = new
        local.configure(new, now: now)
        interfaces.ignoredNames = InterfaceTable.alwaysIgnored + new.ignoredInterfaces
        nextHops.statics = Dictionary(new.staticRoutes.map { ($0.peer, $0.gateway) }) { first, _ in first }
        nextHops.locals = local.podInterfaces
        needsNextHopRefresh = true
        breaker.percent = new.massWithdrawalPercent
        breaker.minimum = new.massWithdrawalMinimum
        auditAt = min(auditAt, now + new.auditInterval)
        tunnels.configure(new.tunnels)
        peerPlacements = [:]
        // What is programmed at all, or by which way, has changed.
        if old.foreignPools != new.foreignPools || old.tunnels.encapsulation != new.tunnels.encapsulation
            || old.poolPlacements != new.poolPlacements
            || old.peerPlacements != new.peerPlacements || old.sources != new.sources
        {
            for family in AddressFamily.allCases { takeAll(family, speaker) }
        }
        if old.interfacePrefixes != new.interfacePrefixes, settings.programming == .remote { needsDump = true }
        if old.staticRoutes != new.staticRoutes || old.ownAddresses != new.ownAddresses { linkChanges.noteAll() }
        // A next hop became a Node's address, or is none any more.
        let isOther = { (address: IPAddress) in
            (old.nodeAddresses[address] == nil) != (new.nodeAddresses[address] == nil)
        }
        let nodes = Set(old.nodeAddresses.keys).union(new.nodeAddresses.keys).filter(isOther).compactMap { address in
            nextHops[address].map { state(address, $0) }
        }
        if !nodes.isEmpty { speaker.changeNextHops(nodes) }
        speaker.setOwnBlocks(local.blocks.map(\.prefix))
    }

    package func take(_ endpoints: [NodeState.NamedEndpoint], now: Instant) {
        state.take(endpoints)
        for endpoint in endpoints { local.take(endpoint, now: now) }
    }

    package func link(_ name: String) -> (link: LinkState, address: IPAddress?)? {
        guard let interface = interfaces.named(name) else { return nil }
        let address = interfaces.linkLocalAddress(interface.index)
        return (
            LinkState(
                index: UInt32(bitPattern: interface.index.rawValue), isReady: interface.isUsable && address != nil),
            address
        )
    }

    package func reconcile(_ speaker: inout Speaker, now: Instant, breathe: (inout Speaker) -> Void) -> Bool {
        while !inFlight.isEmpty, let result = writer.takeResult() {
            let batch = inFlight.removeFirst()
            switch result {
            case .batch(let failed): acknowledge(batch, failed, now)
            case .dropped(let changes): for change in changes { delta.kernelChanged(change.before, to: change.after) }
            }
        }
        if needsDifferences, inFlight.isEmpty, speaker.isDecided {
            needsDifferences = false
            delta.markDifferences()
        }
        if needsDump, inFlight.isEmpty {
            do throws(SystemError) {
                try dumpAll { breathe(&speaker) }
            } catch {
                needsDump = true
                logger.warning("cannot read the kernel's routes", metadata: ["reason": "\(error)"])
            }
        }
        cleanUpAfterRestart(&speaker, now)
        auditSlice(now)
        local.handleTimeouts(now: now)
        if tunnels.reconcile(&interfaces, &table, isDryRun: settings.isDryRun, now: now, logger: logger) {
            for family in AddressFamily.allCases { takeAll(family, speaker) }
            needsNextHopRefresh = true
        }
        local.prepare(
            interfaces, nextHops: nextHops, foreign: delta.foreign, inKernel: { delta.kernel($0) }, table: &table,
            isDryRun: settings.isDryRun, logger: logger)
        expectGuests()
        // Own prefixes that are to go were withdrawn in an earlier turn and told; only then their routes go.
        if speaker.hasSentAll(now: now) {
            for prefix in local.takeRemovable() { takeOwn(prefix, speaker) }
        }
        for prefix in local.takeChanged() { takeOwn(prefix, speaker) }
        // What an order to drop next hops changes need not be written.
        while inFlight.count < KernelForwarding.maximumInFlight, !needsDump || inFlight.isEmpty,
            !inFlight.contains(where: \.isEmpty)
        {
            let batch = delta.plan(budget: KernelForwarding.batchLimit, now: now)
            if batch.isEmpty { break }
            let namesGroups = batch.attributeSets.contains { $0.nextHops.count > 1 }
            if settings.isDryRun {
                for operation in batch
                where reportedDryRun.updateValue(operation, forKey: operation.prefix) != operation
                    && dryRunLog.admit(now: now)
                {
                    logger.notice("dry run: would \(describe(operation))")
                }
                acknowledge(batch, [], now)
            } else if batch.count > KernelForwarding.smallBatch || !inFlight.isEmpty || namesGroups {
                usesGroups = usesGroups || namesGroups
                inFlight.append(batch)
                writer.submit(batch)
            } else {
                acknowledge(batch, table.apply(batch), now)
            }
        }
        if let more = dryRunLog.sum(now: now) {
            logger.notice("dry run: would change more routes; apusctl fib lists all", metadata: ["more": "\(more)"])
        }
        announce(&speaker)
        if isStarting
            && (isConfigured && delta.dirtyCount == 0 && inFlight.isEmpty && local.isSettled || now >= startDeadline)
        {
            isStarting = false
        }
        // A batch that is being written wakes the loop when it is done.
        return needsNextHopRefresh || inFlight.count < KernelForwarding.maximumInFlight && delta.canPlan
    }

    /// An own prefix that is wanted otherwise, or no more.
    private func takeOwn(_ prefix: Prefix, _ speaker: borrowing Speaker) {
        choose(prefix, speaker)
        guard prefix.isHost else { return }
        // A pod may be a peer, and a next hop.
        let interface = local.podInterface(prefix)
        if nextHops.locals[prefix.address] != interface { linkChanges.note(prefix) }
        nextHops.locals[prefix.address] = interface
        needsNextHopRefresh = true
    }

    /// Refusals of one batch that are logged one by one.
    private static let loggedFailures = 3

    private var refusalLog = LogLimiter()

    private func acknowledge(_ batch: FIBBatch, _ failed: [FIBFailure], _ now: Instant) {
        // Something of ours is there that we did not know of.
        if failed.contains(where: { $0.error == KernelError.exists }) { needsDump = true }
        // What a peer announces can make the kernel refuse, again and again.
        var leftOut: Int?
        for failure in failed.prefix(KernelForwarding.loggedFailures) {
            leftOut = refusalLog.admit(.others, .refusal, now: now)
            guard let leftOut else { break }
            logger.warning(
                "the kernel refused a route",
                metadata: [
                    "operation": "\(describe(batch[failure.index]))", "reason": "\(errorText(failure.error))",
                    "leftOut": "\(leftOut)",
                ])
        }
        if failed.count > KernelForwarding.loggedFailures, leftOut != nil {
            logger.warning(
                "the kernel refused more routes; apusctl fib lists them",
                metadata: ["more": "\(failed.count - KernelForwarding.loggedFailures)"])
        }
        delta.acknowledge(batch, failed, now: now)
        followPods(batch, failed)
    }

    /// Promise 1: an own prefix is announced only after its route is in the kernel, and withdrawn before that is taken
    /// away.
    private func announce(_ speaker: inout Speaker) {
        for change in local.originations(isInstalled: { delta.isInstalled($0) }) {
            if let announcement = change.announcement {
                var attributes = PathAttributes()
                attributes.origin = .igp
                attributes.asPath = ASPath()
                attributes.localPref = announcement.localPref
                for text in announcement.communities {
                    if let community = AnyCommunity(text) {
                        AttributeOperation.addCommunity(community).apply(to: &attributes)
                    }
                }
                speaker.originate(change.prefix, attributes, interface: ownInterface(change.prefix))
            } else {
                speaker.withdrawOwn(change.prefix)
            }
        }
    }

    /// Where an own route leads out; empty for a blackhole.
    private func ownInterface(_ prefix: Prefix) -> String {
        local.desired[prefix]?.nextHops.first.flatMap { interfaces[$0.interface]?.name } ?? ""
    }

    package var nextDeadline: Instant? {
        [
            delta.nextRetry, auditAt, tunnels.retryAt, local.nextDeadline, restartCheck, dryRunLog.nextDeadline,
            isStarting ? startDeadline : nil,
        ].compactMap { $0 }.min()
    }
}
