package import BGPRouting
package import BGPSpeaker
package import FIB
package import Forwarding
package import ForwardingPlane
import LinuxIO
package import Logging
package import NetTypes
package import Planning

/// The agent's forwarding plane: carries out on the host what `Forwarder` decides, and hands back what came of it.
///
/// Reading order of a turn: `read`, `resolve`, `take`, `reconcile`. Batches go out in `reconcile`: small ones are
/// written at once, large ones are handed over and acknowledged in a later turn.
package final class KernelForwarding: ForwardingPlane {
    let logger: Logger
    let host: any HostKernel
    package var core: Forwarder
    var batches = BatchesInFlight()
    var audit: AuditSchedule
    private var dryRun = DryRun()
    private var guests = GuestListener()
    private var refusalLog = LogLimiter()
    private var events: [KernelEvent] = []
    /// Times that notifications were lost, and everything was read again.
    private(set) var resyncs = 0
    func noteResync() { resyncs += 1 }
    package private(set) var preservedFamilies: AddressFamilySet = []
    private var start: StartPhase

    /// Until own routes that were wanted at the start are in the kernel.
    private struct StartPhase {
        var isOver = false
        var isConfigured = false
        let deadline: Instant
    }

    /// Routes that are read between two looks at the clock.
    private static let dumpBreath = 1024
    /// Routes of a batch: what fits into one of the 64 KB that the writer sends at once. Larger ones gain nothing and
    /// are planned in more memory.
    private static let batchLimit = 1024
    /// Larger batches than this are handed over.
    private static let smallBatch = 64

    /// Reads links, addresses and routes whole.
    package init(_ settings: ForwardingSettings, host: any HostKernel, logger: Logger, now: Instant) throws(HostError) {
        self.host = host
        self.logger = logger
        core = Forwarder(settings, now: now)
        audit = AuditSchedule(at: now + core.state.auditInterval)
        start = StartPhase(deadline: now + .seconds(2))
        try dumpAll()
        preservedFamilies = core.adoptDump()
    }

    package var descriptors: [Int32] { host.descriptors }
    package var programsRoutes: Bool { true }
    package var programming: Programming { core.settings.programming }
    package var tracksNextHops: Bool { true }
    package var isStarting: Bool { !start.isOver }
    var isDryRun: Bool { core.settings.isDryRun }
    var guestError: HostError? { guests.error }

    // MARK: The kernel speaks

    /// Reads the kernel whole: at the start, and when notifications were lost. `breathe` is called while a large table
    /// is read.
    private func dumpAll(_ breathe: () -> Void = {}) throws(HostError) {
        core.beginDump()
        var count = 0
        try host.dump(
            restart: { core.restartRoutes() },
            {
                core.absorb($0)
                count += 1
                if count % KernelForwarding.dumpBreath == 0 { breathe() }
            })
        core.endDump()
    }

    package func read(_ speaker: inout Speaker) {
        events.removeAll(keepingCapacity: true)
        host.readEvents(budget: 256, into: &events)
        core.pending.isWriting = !batches.isEmpty
        for event in events { core.absorb(event) }
        guests.hear(host) { core.heard($0, on: $1) }
        logReports()
    }

    // MARK: Next hops (edge A of the design)

    package func resolve(_ speaker: inout Speaker) {
        let judgements = core.refreshNextHops()
        if !judgements.dead.isEmpty {
            host.drop(judgements.dead)
            batches.addDrop()
        }
        if !judgements.changed.isEmpty { speaker.changeNextHops(judgements.changed) }
        if let addresses = judgements.ownAddresses { speaker.setOwnAddresses(addresses, of: .kernel) }
        for address in speaker.takeReleasedNextHops() { core.nextHops.untrack(address) }
        for address in speaker.takeUnresolvedNextHops() { speaker.setNewNextHop(core.track(address)) }
    }

    package func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? { core.link(to: peer, from: local) }
    package func takeLinkChanges() -> LinkChanges { core.takeLinkChanges() }
    package func link(_ name: String) -> (link: LinkState, address: IPAddress?)? {
        guard let interface = core.interfaces.named(name) else { return nil }
        let address = core.interfaces.linkLocalAddress(interface.index)
        let state = LinkState(
            index: UInt32(bitPattern: interface.index.rawValue), isReady: interface.isUsable && address != nil)
        return (state, address)
    }

    package func namedAddresses() -> [NamedAddress] { host.namedAddresses() }
    package func sourceAddress(towards destination: IPAddress) -> IPAddress? {
        host.sourceAddress(towards: destination)
    }
    package var hostRevision: Int { core.interfaces.revision }

    // MARK: This node's routes, and learned ones

    package func apply(_ change: NodeChange, _ speaker: inout Speaker, now: Instant) {
        start.isConfigured = true
        let nodes = core.apply(change, speaker, now: now)
        guard let state = change.state else { return }
        audit.at = min(audit.at, now + state.auditInterval)
        if !nodes.isEmpty { speaker.changeNextHops(nodes) }
        speaker.setOwnBlocks(core.local.own.blocks.map(\.prefix))
    }

    package func take(_ changes: [LocRIBChange], _ speaker: inout Speaker, now: Instant) {
        core.take(changes, speaker, now: now)
    }

    package func releaseHeld(_ speaker: borrowing Speaker) -> Int {
        let count = core.releaseHeld(speaker)
        if count > 0 {
            logger.notice("operator's order: routes that were kept are let go", metadata: ["routes": "\(count)"])
        }
        return count
    }

    package func trim(now: Instant) -> Bool { batches.isEmpty && core.trim(now: now) }

    // MARK: Reconcile

    package func reconcile(_ speaker: inout Speaker, now: Instant, breathe: (inout Speaker) -> Void) -> Bool {
        takeResults(now)
        if core.pending.differences, batches.isEmpty, speaker.isDecided {
            core.pending.differences = false
            core.delta.markDifferences()
        }
        if core.pending.dump, batches.isEmpty {
            do throws(HostError) {
                try dumpAll { breathe(&speaker) }
            } catch {
                core.pending.dump = true
                logger.warning("cannot read the kernel's routes", metadata: ["reason": "\(errorText(error))"])
            }
        }
        if core.cleanUpAfterRestart(speaker, isStarting: isStarting, now: now) { speaker.endRestart() }
        removeLeftBehind(now)
        auditSlice(now)
        if reconcileTunnels(now) {
            for family in AddressFamily.allCases { core.takeAll(family, speaker) }
            core.pending.nextHopRefresh = true
        }
        for setUp in core.prepare(now: now) where !isDryRun { carryOut(setUp) }
        expectGuests()
        // Own prefixes that are to go were withdrawn in an earlier turn and sent; only then their routes go.
        core.takeOwnRoutes(speaker, mayRemove: speaker.hasSentAll(now: now))
        writeBatches(now)
        announce(&speaker)
        logReports()
        if isStarting
            && (start.isConfigured && core.isSettled && batches.isEmpty || now >= start.deadline)
        {
            start.isOver = true
        }
        // A batch that is being written wakes the loop when it is done.
        return core.pending.nextHopRefresh || core.hasLeftBehind || batches.hasRoom && core.delta.canPlan
    }

    /// Routes of predecessors that are removed in one turn.
    private static let leftBehindOfTurn = 64

    private func removeLeftBehind(_ now: Instant) {
        for route in core.takeLeftBehind(most: KernelForwarding.leftBehindOfTurn, now: now) {
            guard !isDryRun else {
                logger.notice("dry run: would remove \(route.prefix) of protocol \(route.routeProtocol)")
                core.leftBehindRemoved(route, code: 0)
                continue
            }
            let code = host.remove(route)
            if code != 0 {
                logger.warning(
                    "the kernel refused to remove a route that was left behind",
                    metadata: ["prefix": "\(route.prefix)", "reason": "\(errorText(code))"])
            }
            core.leftBehindRemoved(route, code: code)
        }
    }

    private func takeResults(_ now: Instant) {
        while !batches.isEmpty, let result = host.takeResult() {
            let batch = batches.removeFirst()
            switch result {
            case .batch(let failed): acknowledge(batch, failed, now: now)
            case .dropped(let changes):
                for change in changes { core.delta.kernelChanged(change.before, to: change.after) }
            }
        }
    }

    private func writeBatches(_ now: Instant) {
        // What an order to drop next hops changes need not be written.
        while batches.hasRoom, !core.pending.dump || batches.isEmpty, !batches.hasDrop {
            let batch = core.delta.plan(budget: KernelForwarding.batchLimit, now: now)
            if batch.isEmpty { break }
            let namesGroups = batch.attributeSets.contains { $0.nextHops.count > 1 }
            if isDryRun {
                for operation in batch where dryRun.admit(operation, now: now) {
                    logger.notice("dry run: would \(describe(operation))")
                }
                acknowledge(batch, [], now: now)
            } else if batch.count > KernelForwarding.smallBatch || !batches.isEmpty || namesGroups {
                core.pending.usesGroups = core.pending.usesGroups || namesGroups
                batches.add(batch)
                host.submit(batch)
            } else {
                acknowledge(batch, host.apply(batch), now: now)
            }
        }
        if let more = dryRun.log.sum(now: now) {
            logger.notice("dry run: would change more routes; apusctl fib lists all", metadata: ["more": "\(more)"])
        }
    }

    /// Refusals of one batch that are logged one by one.
    private static let loggedFailures = 3

    private func acknowledge(_ batch: FIBBatch, _ failed: [FIBFailure], now: Instant) {
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
        let moved = core.acknowledge(batch, failed, now: now)
        if !moved.isEmpty, !isDryRun { host.forgetConnections(of: moved) }
    }

    private func announce(_ speaker: inout Speaker) {
        for change in core.originations() {
            if let attributes = change.attributes {
                speaker.originate(change.prefix, attributes, interface: change.interface)
            } else {
                speaker.withdrawOwn(change.prefix)
            }
        }
    }

    // MARK: Pods and tunnels

    private func carryOut(_ setUp: SetUp) {
        var refused: [RefusedRequest] = []
        for request in setUp.requests {
            let code =
                switch request {
                case .sysctl(let path, let value): host.setSysctl(path, value)
                case .address(let address, let index): host.addAddress(address, on: index)
                case .neighbor(let address, let mac, let index): host.setNeighbor(address, mac: mac, on: index)
                }
            if code != 0 { refused.append(RefusedRequest(request, code: code)) }
        }
        core.setUpDone(setUp, refused: refused)
    }

    private func expectGuests() {
        guard guests.expect(core.local.awaitsGuests, host), let error = guests.error else { return }
        logger.error(
            "a live migration's target waits, and no guest can be heard",
            metadata: ["reason": "\(errorText(error)); it needs CAP_NET_RAW"])
    }

    /// True where what routes go by has changed.
    private func reconcileTunnels(_ now: Instant) -> Bool {
        guard core.tunnels.begin(now: now) else { return false }
        for _ in 0..<Tunnels.rounds {
            for (kind, index) in core.tunnels.unread(core.interfaces) {
                do throws(HostError) {
                    core.tunnels.entriesRead(try host.tunnelEntries(on: index, kind.family), on: index)
                } catch {
                    core.tunnels.entriesNotRead(kind, code: error.code)
                }
            }
            let operations = core.tunnels.operations(core.interfaces)
            if operations.isEmpty { break }
            for operation in operations { carryOut(operation) }
            if !core.tunnels.isGoingWell { break }
        }
        let (hasChanged, failures) = core.tunnels.finish(core.interfaces, now: now)
        for failure in failures {
            logger.warning(
                "the kernel refused a tunnel",
                metadata: ["operation": "\(failure.attempt)", "reason": "\(errorText(failure.code))"])
        }
        return hasChanged
    }

    private func carryOut(_ operation: TunnelOperation) {
        if isDryRun {
            logger.notice("dry run: would \(operation)")
            core.pretend(operation)
            return
        }
        let code = host.apply(operation)
        let device = operation.deviceName.flatMap { host.link(named: $0) }
        core.carriedOut(operation, code: code, device: device)
    }

    package var nextDeadline: Instant? {
        .earliest([core.nextDeadline, audit.at, dryRun.log.nextDeadline, isStarting ? start.deadline : nil])
    }
}
