import BGPRouting
package import FIB
package import NetTypes
package import Planning
package import Resources

/// This node's own routes: a host route per pod address, a blackhole per own block, and which of them are announced
/// (contract 2.6, 2.7).
///
/// Problems it exists for: an interface may come before its endpoint or after it, under another index, or flap; a route
/// must be in the kernel before it is announced and must stay until its withdrawal was sent; two endpoints may claim
/// one address while a pod is replaced.
package struct LocalRoutes: ~Copyable {
    package struct Endpoint {
        var name: String
        package var endpoint: WorkloadEndpoint
        /// Settings and neighbor entries that the host refused.
        var refused: [RefusedRequest] = []
        /// The interface that was prepared; another index is another interface.
        var preparedIndex: InterfaceIndex?
        /// The guest of a live migration's target has spoken here.
        var hasArrived = false

        /// Contract 2.7, live migration: Base, Target (it waits), Live (it is elevated), TimeWait (`elevatedUntil`).
        var isWaiting: Bool { endpoint.routePriority == .target && !hasArrived }
        var isElevated: Bool { endpoint.routePriority == .elevated || endpoint.routePriority == .target && hasArrived }
    }

    /// What the resources ask of this node.
    package private(set) var own = NodeState.OwnRoutes()
    private var allowsSpoofing = false
    /// Metric of our routes by family index.
    private let metrics: [UInt32]
    /// What is ours to write.
    let programming: Programming
    /// Host routes that Felix wrote on pods' interfaces (`--program remote`): announced as if they were ours, and never
    /// written.
    private(set) var observed: [Prefix: FIBRoute] = [:]
    /// Routes of an earlier process to pods whose interfaces are alive and that no endpoint speaks of: input that is
    /// late or lost must not cut a live pod off (docs/promises.md, promise 2). They go with their interface, or when an
    /// endpoint takes its place.
    package private(set) var orphans: [Prefix: FIBRoute] = [:]
    package private(set) var endpoints: [String: Endpoint] = [:]
    /// Routes of pods that were migrated here a moment ago.
    struct Elevation {
        /// Elevated priority stays until then, so that all nodes have followed before it goes.
        var until: [String: Instant] = [:]
        var settings = NodeState.Migration()
    }
    private(set) var elevation = Elevation()
    private var claims = AddressClaims()
    /// Some guest is expected on an interface that is there.
    package private(set) var awaitsGuests = false
    /// What is to be worked out again.
    struct Pending {
        /// Endpoints whose interfaces are to be looked at, and prefixes that are to be worked out again.
        var unprepared: Set<String> = []
        var stale: Set<Prefix> = []
        var changed: Set<Prefix> = []
        /// All of it is to be worked out again.
        var everything = false
    }
    private var pending = Pending()
    /// Own blocks and static routes.
    private var fixed: [Prefix: FIBRoute] = [:]
    /// What is wanted in the kernel.
    package private(set) var desired: [Prefix: FIBRoute] = [:]
    /// What is announced of a prefix.
    struct Announcement: Hashable {
        var localPref: UInt32
        /// By value (contract 2.2, `prefixAdvertisements`).
        var communities: [CommunityValue]
    }
    /// What is announced, and what waits to be or to be withdrawn.
    struct Announcements {
        var announced: [Prefix: Announcement] = [:]
        /// Prefixes that are to be announced once their route is in the kernel.
        var waiting: [Prefix: Announcement] = [:]
        /// Routes that go once their withdrawal has been sent.
        var leaving: Set<Prefix> = []
    }
    private(set) var announcements = Announcements()

    /// Nothing of the desired state waits for `prepare`.
    var isSettled: Bool {
        !pending.everything && pending.unprepared.isEmpty && pending.stale.isEmpty && pending.changed.isEmpty
    }

    init(metrics: [UInt32] = [FIBRoute.normalMetric, FIBRoute.normalMetric], programming: Programming = .all) {
        self.metrics = metrics
        self.programming = programming
    }

    /// When an elevated priority ends.
    var nextDeadline: Instant? { elevation.until.values.min() }

    mutating func handleTimeouts(now: Instant) {
        for (name, end) in elevation.until where end <= now {
            elevation.until[name] = nil
            touch(name)
        }
    }

    /// Host routes that the kernel has of an earlier process.
    mutating func adopt(_ routes: [FIBRoute]) {
        guard programming.includesPods, !routes.isEmpty else { return }
        for route in routes { orphans[route.prefix] = route }
        pending.everything = true
    }

    /// A host route that somebody else writes for a pod of this node; nil where there is none any more.
    mutating func observe(_ prefix: Prefix, _ route: FIBRoute?) {
        guard observed[prefix] != route else { return }
        observed[prefix] = route
        pending.everything = true
    }

    /// All of them are about to be reported anew.
    mutating func forgetObserved() {
        guard !observed.isEmpty else { return }
        observed = [:]
        pending.everything = true
    }

    mutating func configure(_ state: NodeState) {
        own = state.own
        let isPreparedAnew =
            state.migration.elevatedMetrics != elevation.settings.elevatedMetrics
            || state.allowsSpoofing != allowsSpoofing
        elevation.settings = state.migration
        allowsSpoofing = state.allowsSpoofing
        if isPreparedAnew { for name in endpoints.keys { endpoints[name]?.preparedIndex = nil } }
        pending.everything = true
    }

    /// Endpoints that came, changed or went. `isWhole`: all others are gone.
    mutating func take(_ changes: [NodeChange.Endpoint], isWhole: Bool, now: Instant) {
        if isWhole {
            let names = Set(changes.map(\.name))
            for name in endpoints.keys where !names.contains(name) { remove(name) }
        }
        for change in changes {
            if let endpoint = change.endpoint { set(change.name, endpoint, now: now) } else { remove(change.name) }
        }
    }

    private mutating func set(_ name: String, _ endpoint: WorkloadEndpoint, now: Instant) {
        let known = endpoints[name]
        if known?.endpoint == endpoint { return }
        var entry = Endpoint(name: name, endpoint: endpoint)
        entry.hasArrived =
            known?.hasArrived ?? false && endpoint.routePriority == .target
            && known?.endpoint.interfaceName == endpoint.interfaceName
        if entry.isElevated {
            elevation.until[name] = nil
        } else if known?.isElevated ?? false {
            elevation.until[name] = now + elevation.settings.convergence
        }
        endpoints[name] = entry
        pending.stale.formUnion(
            claims.set(name, interface: endpoint.interfaceName, addresses: endpoint.addresses).map {
                Prefix(host: $0)
            })
        touch(name)
    }

    private mutating func remove(_ name: String) {
        guard endpoints.removeValue(forKey: name) != nil else { return }
        elevation.until[name] = nil
        pending.unprepared.remove(name)
        pending.stale.formUnion(claims.remove(name).map { Prefix(host: $0) })
        if !orphans.isEmpty { pending.everything = true }
    }

    // MARK: Live migration

    /// A frame came in by an interface. Returns the endpoints whose guests have arrived by it.
    mutating func heard(_ announcement: GuestAnnouncement, on interface: Interface) -> [String] {
        let arrived = claims.names(on: interface.name).filter { name in
            guard let entry = endpoints[name], entry.isWaiting, entry.preparedIndex == interface.index else {
                return false
            }
            switch announcement {
            case .address(let address): return entry.endpoint.addresses.contains(address)
            // QEMU sends it for a guest whose address it does not know.
            case .hardware(let mac): return entry.endpoint.mac.map { $0 == mac } ?? true
            }
        }
        for name in arrived {
            endpoints[name]?.hasArrived = true
            touch(name)
        }
        return arrived.sorted()
    }

    private mutating func touch(_ name: String) {
        pending.unprepared.insert(name)
        pending.stale.formUnion(claims.addresses(of: name).map { Prefix(host: $0) })
        // Which of them go is a question of all endpoints.
        if !orphans.isEmpty { pending.everything = true }
    }

    /// Static routes go by the subnets that we are on.
    mutating func addressesChanged() { if !own.statics.isEmpty { pending.everything = true } }

    mutating func interfaceChanged(_ name: String, _ oldName: String?) {
        if !own.statics.isEmpty || !orphans.isEmpty { pending.everything = true }
        for name in [name, oldName].compactMap({ $0 }) { for endpoint in claims.names(on: name) { touch(endpoint) } }
    }

    // MARK: Desired routes

    /// Works out what is wanted. Returns what is to be set up on the host for it, which comes before any route. Cost:
    /// that of what changed, unless all has to be worked out again.
    mutating func prepare(
        _ interfaces: InterfaceTable, nextHops: NextHopTable, foreign: borrowing ForeignRoutes,
        inKernel: (Prefix) -> FIBRoute?
    ) -> [SetUp] {
        guard pending.everything || !pending.unprepared.isEmpty || !pending.stale.isEmpty else { return [] }
        var setUps: [SetUp] = []
        if pending.everything {
            pending.unprepared.formUnion(endpoints.keys)
            fixRoutes(nextHops, interfaces: interfaces, foreign: foreign)
            if let loopback = loopbackSetUp(interfaces) { setUps.append(loopback) }
        }
        if programming.includesPods {
            for name in pending.unprepared.sorted() {
                if let setUp = setUp(name, interfaces) { setUps.append(setUp) }
                // A process before this one heard the guest: its route leads here.
                if let entry = endpoints[name], entry.isWaiting,
                    entry.endpoint.addresses.contains(where: { isReached($0, by: entry.preparedIndex, inKernel) })
                {
                    endpoints[name]?.hasArrived = true
                }
            }
        }
        if pending.everything {
            keepOrphans(interfaces)
            pending.stale.formUnion(desired.keys)
            pending.stale.formUnion(announcements.waiting.keys)
            pending.stale.formUnion(fixed.keys)
            pending.stale.formUnion(orphans.keys)
            pending.stale.formUnion(observed.keys)
            pending.stale.formUnion(own.services)
            pending.stale.formUnion(claims.addresses.map { Prefix(host: $0) })
        }
        pending.everything = false
        pending.unprepared = []
        for prefix in pending.stale { want(prefix, route(prefix, interfaces)) }
        pending.stale = []
        awaitsGuests = programming.includesPods && endpoints.values.contains { $0.isWaiting && $0.preparedIndex != nil }
        return setUps
    }

    /// What became of an endpoint's requests.
    mutating func setUpDone(_ name: String, refused: [RefusedRequest]) { endpoints[name]?.refused = refused }

    private func isReached(_ address: IPAddress, by interface: InterfaceIndex?, _ inKernel: (Prefix) -> FIBRoute?)
        -> Bool
    {
        guard let interface, let hop = inKernel(Prefix(host: address))?.nextHops.first else { return false }
        return hop.gateway == nil && hop.interface == interface
    }

    private mutating func fixRoutes(
        _ nextHops: NextHopTable, interfaces: InterfaceTable, foreign: borrowing ForeignRoutes
    ) {
        fixed = [:]
        for block in own.blocks where !block.prefix.isHost {
            fixed[block.prefix] = FIBRoute(
                prefix: block.prefix, kind: .blackhole, metric: metrics[block.prefix.family.index], nextHops: [])
        }
        for item in own.statics {
            let hops = nextHops.resolve(item.peer, interfaces: interfaces, routes: foreign).nextHops
            let prefix = Prefix(host: item.peer)
            if !hops.isEmpty {
                fixed[prefix] = FIBRoute(
                    prefix: prefix, kind: .unicast, metric: metrics[prefix.family.index], nextHops: hops)
            }
        }
    }

    private func loopbackSetUp(_ interfaces: InterfaceTable) -> SetUp? {
        guard let loopback = interfaces.named("lo") else { return nil }
        let missing = own.loopbackAddresses.filter { !interfaces.owns($0) }
        return missing.isEmpty
            ? nil : SetUp(owner: .loopback, requests: missing.map { .address($0, loopback.index) })
    }

    /// An endpoint's interface, once for each that comes under its name.
    private mutating func setUp(_ name: String, _ interfaces: InterfaceTable) -> SetUp? {
        guard let entry = endpoints[name], let interface = interfaces.named(entry.endpoint.interfaceName) else {
            endpoints[name]?.preparedIndex = nil
            return nil
        }
        guard entry.preparedIndex != interface.index else { return nil }
        if entry.preparedIndex != nil { endpoints[name]?.hasArrived = false }
        endpoints[name]?.preparedIndex = interface.index
        return SetUp(
            owner: .endpoint(name),
            requests: InterfaceSetup.requests(
                entry.endpoint, interface: interface, interfaces: interfaces, allowsSpoofing: allowsSpoofing)
        )
    }

    /// What is wanted of a prefix in the kernel.
    private func route(_ prefix: Prefix, _ interfaces: InterfaceTable) -> FIBRoute? {
        if let route = fixed[prefix] { return route }
        guard prefix.isHost else { return nil }
        // The first by name wins; the others are shown as failed.
        for name in claims.names(claiming: prefix.address) where programming.includesPods {
            guard let entry = endpoints[name], !entry.isWaiting,
                let interface = interfaces.named(entry.endpoint.interfaceName), interface.isUp
            else { continue }
            let isElevated = entry.isElevated || elevation.until[name] != nil
            return FIBRoute(
                prefix: prefix, kind: .unicast,
                metric: (isElevated ? elevation.settings.elevatedMetrics : metrics)[prefix.family.index],
                nextHops: [FIBNextHop(gateway: nil, interface: interface.index, isOnlink: false)])
        }
        return orphans[prefix]
    }

    private mutating func want(_ prefix: Prefix, _ route: FIBRoute?) {
        announcements.waiting[prefix] = announcement(prefix, route ?? observed[prefix])
        if let route {
            guard desired[prefix] != route || announcements.leaving.contains(prefix) else { return }
            announcements.leaving.remove(prefix)
            desired[prefix] = route
            pending.changed.insert(prefix)
        } else if desired[prefix] != nil {
            announcements.leaving.insert(prefix)
        }
    }

    private mutating func keepOrphans(_ interfaces: InterfaceTable) {
        orphans = orphans.filter { prefix, route in
            guard let interface = route.nextHops.first.flatMap({ interfaces[$0.interface] }), interface.isUp else {
                return false
            }
            return !isClaimed(prefix, on: interface.name)
        }
    }

    /// True where an endpoint has the say over a host route of an earlier process: it has the interface, or the
    /// address.
    func isClaimed(_ prefix: Prefix, on interface: String) -> Bool {
        !claims.names(on: interface).isEmpty || !claims.names(claiming: prefix.address).isEmpty
    }

    /// Contract 2.6: own blocks, and host routes of addresses that lie in none of them or whose priority is elevated.
    /// Other pods inside an own block are not announced.
    private func announcement(_ prefix: Prefix, _ route: FIBRoute?) -> Announcement? {
        func announced(_ localPref: UInt32) -> Announcement {
            Announcement(localPref: localPref, communities: own.advertisements.communities(of: prefix))
        }
        if let route, route.kind == .unicast, !own.statics.contains(where: { Prefix(host: $0.peer) == prefix }) {
            let cover = own.blocks.first { $0.prefix.contains(prefix) && !$0.prefix.isHost }
            if cover == nil || route.metric < metrics[prefix.family.index] {
                return announced(RoutePriority.localPref(route.metric))
            }
        }
        let isOwn =
            own.services.contains(prefix)
            || own.blocks.contains { $0.prefix == prefix && $0.isExported && !prefix.isHost }
        return isOwn ? announced(RoutePriority.localPref(RoutePriority.normal)) : nil
    }

    /// True where this node itself has a route for the prefix: only host routes and own blocks can be.
    package func wants(_ prefix: Prefix) -> Bool {
        if prefix.isHost { return desired[prefix] != nil || observed[prefix] != nil }
        return !desired.isEmpty && own.blocks.contains { $0.prefix == prefix } && desired[prefix] != nil
    }

    /// True for a prefix that is ours without being written by us.
    package func isObserved(_ prefix: Prefix) -> Bool { !observed.isEmpty && observed[prefix] != nil }

    /// Interfaces of this node's pods by their addresses.
    var podInterfaces: [IPAddress: InterfaceIndex] {
        var result: [IPAddress: InterfaceIndex] = [:]
        for prefix in desired.keys where prefix.isHost { result[prefix.address] = podInterface(prefix) }
        for prefix in observed.keys where prefix.isHost { result[prefix.address] = podInterface(prefix) }
        return result
    }

    /// The interface of the pod with a host route's address.
    func podInterface(_ prefix: Prefix) -> InterfaceIndex? {
        guard prefix.isHost, let route = desired[prefix] ?? observed[prefix], route.kind == .unicast,
            let hop = route.nextHops.first, hop.gateway == nil
        else { return nil }
        return hop.interface
    }

    mutating func takeChanged() -> Set<Prefix> {
        defer { pending.changed = [] }
        return pending.changed
    }

    /// Routes that may go now: nobody has them announced any more.
    mutating func takeRemovable() -> [Prefix] {
        let free = announcements.leaving.filter { announcements.announced[$0] == nil }
        for prefix in free {
            announcements.leaving.remove(prefix)
            desired[prefix] = nil
            pending.changed.remove(prefix)
        }
        return Array(free)
    }

    // MARK: Announcement

    struct Origination {
        var prefix: Prefix
        /// Nil: withdraw.
        var announcement: Announcement?
    }

    /// What is to be announced or withdrawn now. A route that somebody else removed stays announced while it is being
    /// put back. `isDeliverable`: false for families whose packets would not reach this node.
    mutating func originations(
        isDeliverable: (AddressFamily) -> Bool, isInstalled: (Prefix) -> Bool
    ) -> [Origination] {
        var result: [Origination] = []
        for (prefix, wanted) in announcements.waiting
        where announcements.announced[prefix] != wanted && !announcements.leaving.contains(prefix)
            && isDeliverable(prefix.family)
        {
            // Contract 2.6: prefixes of services are never in the kernel.
            guard own.services.contains(prefix) || isObserved(prefix) || isInstalled(prefix) else { continue }
            announcements.announced[prefix] = wanted
            result.append(Origination(prefix: prefix, announcement: wanted))
        }
        for prefix in announcements.announced.keys
        where announcements.waiting[prefix] == nil || announcements.leaving.contains(prefix)
            || !isDeliverable(prefix.family)
        {
            announcements.announced[prefix] = nil
            result.append(Origination(prefix: prefix, announcement: nil))
        }
        return result
    }
}
