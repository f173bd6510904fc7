package import BGPMessages
package import BGPRouting
package import FIB
package import NetTypes
package import Planning
package import StatusAPI

/// What forwarding knows from its start, and does not change.
package struct ForwardingSettings: Sendable {
    /// Protocol number of the host routes that Felix writes beside us.
    package var felixProtocol: UInt8 = 3
    package var programming = Programming.all
    /// Whose routes are taken over.
    package var takeOver = TakeOver()
    package var isDryRun: Bool
    /// Next hops of a route at most (ECMP).
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

/// Decides what the kernel should have: learned routes, this node's pods and blocks, and what the kernel says, in;
/// wanted routes, requests to set things up, and reports, out. It does nothing itself.
///
/// Loc-RIB changes and local routes become desired routes, the delta tracker compares them with what the kernel has,
/// and `delta.plan` yields the difference in batches. Back come acknowledgements, which let own prefixes be announced,
/// and notifications (`absorb`).
package struct Forwarder: ~Copyable {
    package let settings: ForwardingSettings
    package var interfaces = InterfaceTable()
    package var delta: DeltaTracker
    package var nextHops = NextHopTable()
    package internal(set) var local: LocalRoutes
    package var tunnels = Tunnels()
    /// Why learned routes are not programmed at all.
    package internal(set) var unprogrammed: PrefixMap<FIBReason>
    /// What the resources say of this node.
    package internal(set) var state = NodeState()
    package internal(set) var breaker = WithdrawBreaker()
    /// Tables and sources of learned routes by peer, found when a peer's first route is met.
    var peerPlacements: [PeerIndex: NodeState.Placement] = [:]
    /// Where pods of this node were reached, so that the connections of an address that moved are forgotten.
    var podInterfaces: [IPAddress: InterfaceIndex] = [:]
    var linkChanges = LinkChanges()
    var restart: RestartCleanup
    package var pending = PendingWork()
    /// What is to be said of what happened, for the log.
    package var reports: [ForwardingReport] = []

    /// What is to be done in a later phase.
    package struct PendingWork {
        /// Everything of the kernel is to be read again.
        package var dump = false
        /// Interfaces as they were before a dump that is under way.
        var lastInterfaces: InterfaceTable?
        /// Next hops are to be resolved again.
        package var nextHopRefresh = false
        /// Groups were changed before BGP decided: when it has, everything is compared once.
        package var differences = false
        /// Some route was written with several next hops.
        package var usesGroups = false
        /// Batches are being written: whether a notification came before or after is not known.
        package var isWriting = false
    }

    package init(_ settings: ForwardingSettings, now: Instant) {
        self.settings = settings
        local = LocalRoutes(metrics: settings.normalMetrics, programming: settings.programming)
        delta = DeltaTracker(seed: UInt64(truncatingIfNeeded: now.nanoseconds))
        unprogrammed = PrefixMap(seed: UInt64(truncatingIfNeeded: now.nanoseconds))
        restart = RestartCleanup(deadline: now + settings.restartTime)
    }

    /// The first dump is read: routes of ours are those of a process before. Returns the families that have some.
    package mutating func adoptDump() -> AddressFamilySet {
        var families: AddressFamilySet = []
        var found: [IPAddress: InterfaceIndex] = [:]
        delta.forEachOwn { prefix, _, present in
            families.insert(AddressFamilySet(prefix.family))
            // Where the pods of the process before were reached.
            if prefix.isHost, let hop = present?.nextHops.first, hop.gateway == nil {
                found[prefix.address] = hop.interface
            }
        }
        // A predecessor's routes forward as well: what takes its place has kept forwarding (RFC 4724 4.1).
        for family in AddressFamily.allCases where delta.foreign.takeableCount > 0 {
            var budget = Int.max
            _ = delta.foreign.visit(family, from: 0, budget: &budget) { route in
                if route.predecessor != nil { families.insert(AddressFamilySet(family)) }
            }
        }
        podInterfaces = found
        return families
    }

    // MARK: This node's routes

    /// What changed of this node's desired state. Returns the next hops that are judged otherwise now. Cost: that of
    /// the endpoints where nothing else changed.
    package mutating func apply<View: RouteView & ~Copyable>(
        _ change: NodeChange, _ routes: borrowing View, now: Instant
    ) -> [RIB.NextHopState] {
        var judgements: [RIB.NextHopState] = []
        if let state = change.state { judgements = configure(state, routes) }
        local.take(change.endpoints, isWhole: change.isWhole, now: now)
        return judgements
    }

    private mutating func configure<View: RouteView & ~Copyable>(
        _ new: NodeState, _ routes: borrowing View
    ) -> [RIB.NextHopState] {
        let old = state
        state = new
        local.configure(new)
        interfaces.ignoredNames = InterfaceTable.alwaysIgnored + new.ignoredInterfaces
        nextHops.statics = Dictionary(new.own.statics.map { ($0.peer, $0.gateway) }) { first, _ in first }
        nextHops.locals = local.podInterfaces
        pending.nextHopRefresh = true
        breaker.percent = new.massWithdrawal.percent
        breaker.minimum = new.massWithdrawal.minimum
        tunnels.configure(new.tunnels)
        peerPlacements = [:]
        // What is programmed at all, or by which next hops, has changed.
        if old.foreignPools != new.foreignPools || old.tunnels.encapsulation != new.tunnels.encapsulation
            || old.placement.pools != new.placement.pools
            || old.placement.peers != new.placement.peers || old.placement.sources != new.placement.sources
        {
            for family in AddressFamily.allCases { takeAll(family, routes) }
        }
        if old.interfacePrefixes != new.interfacePrefixes, settings.programming == .remote { pending.dump = true }
        if old.own.statics != new.own.statics || old.ownAddresses != new.ownAddresses { linkChanges.noteAll() }
        // A next hop became a Node's address, or is none any more.
        let isOther = { (address: IPAddress) in
            (old.nodeAddresses[address] == nil) != (new.nodeAddresses[address] == nil)
        }
        return Set(old.nodeAddresses.keys).union(new.nodeAddresses.keys).filter(isOther).compactMap { address in
            nextHops[address].map { judgement(address, $0) }
        }
    }

    /// Works out this node's own routes. Returns what is to be set up on the host first.
    package mutating func prepare(now: Instant) -> [SetUp] {
        local.handleTimeouts(now: now)
        return local.prepare(
            interfaces, nextHops: nextHops, foreign: delta.foreign, inKernel: { delta.kernel($0) })
    }

    package mutating func setUpDone(_ setUp: SetUp, refused: [RefusedRequest]) {
        if case .endpoint(let name) = setUp.owner { local.setUpDone(name, refused: refused) }
        if !refused.isEmpty { reports.append(.setUpRefused(setUp.owner, refused)) }
    }

    /// What came of a request about a tunnel device: see `Tunnels.carriedOut`.
    package mutating func carriedOut(_ operation: TunnelOperation, code: Int32, device: Interface?) {
        tunnels.carriedOut(operation, code: code, device: device, &interfaces)
    }
    /// Dry run: enters what would have been done.
    package mutating func pretend(_ operation: TunnelOperation) { tunnels.pretend(operation, &interfaces) }

    /// Takes over own routes that are wanted otherwise, or no more. `mayRemove`: what was withdrawn has been sent, so
    /// that its routes may go.
    package mutating func takeOwnRoutes<View: RouteView & ~Copyable>(_ routes: borrowing View, mayRemove: Bool) {
        if mayRemove { for prefix in local.takeRemovable() { takeOwn(prefix, routes) } }
        for prefix in local.takeChanged() { takeOwn(prefix, routes) }
    }

    private mutating func takeOwn<View: RouteView & ~Copyable>(_ prefix: Prefix, _ routes: borrowing View) {
        choose(prefix, routes)
        guard prefix.isHost else { return }
        // A pod may be a peer, and a next hop.
        let interface = local.podInterface(prefix)
        if nextHops.locals[prefix.address] != interface { linkChanges.note(prefix) }
        nextHops.locals[prefix.address] = interface
        pending.nextHopRefresh = true
    }

    /// An own prefix that is to be announced or withdrawn.
    package struct Origination: Sendable {
        package var prefix: Prefix
        /// Nil: withdraw.
        package var attributes: PathAttributes?
        /// Where the route leads out; empty for a blackhole.
        package var interface: String
    }

    /// Promise 1: an own prefix is announced only after its route is in the kernel, and withdrawn before that is taken
    /// away. Nothing is announced of a family whose address of this Node is not this host's: nobody would reach it.
    package mutating func originations() -> [Origination] {
        let unreachable = Set(missingAddresses.map(\.family))
        let changes = local.originations(
            isDeliverable: { !unreachable.contains($0) }, isInstalled: { delta.isInstalled($0) })
        return changes.map { change in
            guard let announcement = change.announcement else {
                return Origination(prefix: change.prefix, attributes: nil, interface: "")
            }
            var attributes = PathAttributes()
            attributes.origin = .igp
            attributes.asPath = ASPath()
            attributes.localPref = announcement.localPref
            for community in announcement.communities {
                AttributeOperation.addCommunity(AnyCommunity(community)).apply(to: &attributes)
            }
            let interface = local.desired[change.prefix]?.nextHops.first.flatMap { interfaces[$0.interface]?.name }
            return Origination(prefix: change.prefix, attributes: attributes, interface: interface ?? "")
        }
    }

    /// Addresses of the Node object that no interface of this host has.
    package var missingAddresses: [IPAddress] {
        state.ownAddresses.compactMap { $0 }.filter { !interfaces.owns($0) }
    }

    /// Nothing of this node's own routes waits to be worked out or written.
    package var isSettled: Bool { delta.dirtyCount == 0 && local.isSettled }

    /// When something is due by itself.
    package var nextDeadline: Instant? {
        .earliest([delta.nextRetry, tunnels.retryAt, local.nextDeadline, restart.check, restart.takeOverCheck])
    }
}
