import BGPRouting
import BGPSpeaker
import FIB
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
import Resources
import StatusAPI

/// This node's own routes: a host route per pod address, a blackhole per own block, and which of them are announced (contract 2.6, 2.7).
///
/// Problems it exists for: an interface may come before its endpoint or after it, under another index, or flap; a route must be in the kernel
/// before it is announced and must stay until its withdrawal was told; two endpoints may claim one address while a pod is replaced.
struct LocalRoutes {
    private struct Endpoint {
        var name: String
        var endpoint: WorkloadEndpoint
        /// Errors of sysctls and neighbour entries, for status.
        var preparationError: String?
        /// The interface that was prepared; another index is another interface.
        var preparedIndex: InterfaceIndex?
    }

    static let blockLocalPref: UInt32 = 100

    private(set) var blocks: [OwnBlock] = []
    private var services: [Prefix] = []
    private var advertisements = BGPConfiguration()
    private var statics: [NodeState.StaticRoute] = []
    private var loopbackAddresses: [IPAddress] = []
    /// Metric of our routes by family index.
    private let metrics: [UInt32]
    private var elevatedMetrics = [FIBRoute.elevatedMetric, FIBRoute.elevatedMetric]
    private var allowsSpoofing = false
    /// What is ours to write.
    private let programming: Programming
    /// Host routes that Felix wrote on pods' interfaces (`--program remote`): announced as if they were ours, and never written.
    private var observed: [Prefix: FIBRoute] = [:]
    /// Routes of an earlier process to pods whose interfaces are alive and that no endpoint speaks of: input that is late or lost must not cut a
    /// live pod off (SPEC, promise 2). They go with their interface, or when an endpoint takes its place.
    private(set) var orphans: [Prefix: FIBRoute] = [:]
    /// Elevated priority stays until then, so that all nodes have followed before it goes (contract 2.7, liveMigrationRouteConvergenceTime).
    private var elevatedUntil: [String: Instant] = [:]
    private static let convergenceTime = Duration.seconds(30)
    private var endpoints: [String: Endpoint] = [:]
    /// What is wanted in the kernel.
    private(set) var desired: [Prefix: FIBRoute] = [:]
    private var changed: Set<Prefix> = []
    private var needsRecompute = false
    /// What is announced of a prefix.
    struct Announcement: Hashable {
        var localPref: UInt32
        /// By value (contract 2.2, `prefixAdvertisements`).
        var communities: [String]
    }
    private var announced: [Prefix: Announcement] = [:]
    /// Prefixes that are to be announced once their route is in the kernel.
    private var wantsAnnouncement: [Prefix: Announcement] = [:]
    /// Routes that go once their withdrawal has been told.
    private var leaving: Set<Prefix> = []

    /// Nothing of the desired state waits for `prepare`.
    var isSettled: Bool { !needsRecompute && changed.isEmpty }

    init(metrics: [UInt32] = [FIBRoute.normalMetric, FIBRoute.normalMetric], programming: Programming = .all) {
        self.metrics = metrics
        self.programming = programming
    }

    /// When an elevated priority ends.
    var nextDeadline: Instant? { elevatedUntil.values.min() }

    mutating func handleTimeouts(now: Instant) {
        for (name, end) in elevatedUntil where end <= now {
            elevatedUntil[name] = nil
            needsRecompute = true
        }
    }

    /// Host routes that the kernel has of an earlier process.
    mutating func adopt(_ routes: [FIBRoute]) {
        guard programming.includesPods, !routes.isEmpty else { return }
        for route in routes { orphans[route.prefix] = route }
        needsRecompute = true
    }

    /// The host routes that somebody else writes for this node's pods.
    mutating func observe(_ routes: [Prefix: FIBRoute]) {
        guard routes != observed else { return }
        observed = routes
        needsRecompute = true
    }

    mutating func configure(_ state: NodeState, now: Instant) {
        blocks = state.blocks
        services = state.servicePrefixes
        advertisements = state.advertisements
        statics = state.staticRoutes
        loopbackAddresses = state.loopbackAddresses
        for entry in state.endpoints { take(entry, now: now) }
        let names = Set(state.endpoints.map(\.name))
        for name in endpoints.keys where !names.contains(name) {
            endpoints[name] = nil
            elevatedUntil[name] = nil
        }
        if state.elevatedMetrics != elevatedMetrics || state.allowsSpoofing != allowsSpoofing {
            elevatedMetrics = state.elevatedMetrics
            allowsSpoofing = state.allowsSpoofing
            for name in endpoints.keys { endpoints[name]?.preparedIndex = nil }
        }
        needsRecompute = true
    }

    /// An endpoint that came, changed or stayed.
    mutating func take(_ new: NodeState.NamedEndpoint, now: Instant) {
        let known = endpoints[new.name]
        if known?.endpoint == new.endpoint { return }
        if new.endpoint.isElevated { elevatedUntil[new.name] = nil } else if known?.endpoint.isElevated ?? false { elevatedUntil[new.name] = now + LocalRoutes.convergenceTime }
        endpoints[new.name] = Endpoint(name: new.name, endpoint: new.endpoint)
        needsRecompute = true
    }

    /// Static routes go by the subnets that we are on.
    mutating func addressesChanged() { if !statics.isEmpty { needsRecompute = true } }

    mutating func interfaceChanged(_ name: String, _ oldName: String?) {
        if !statics.isEmpty { needsRecompute = true }
        if !orphans.isEmpty { needsRecompute = true }
        if endpoints.values.contains(where: { $0.endpoint.interfaceName == name || $0.endpoint.interfaceName == oldName }) { needsRecompute = true }
    }

    // MARK: Desired routes

    /// Sets up interfaces that appeared, and works out what is wanted.
    mutating func prepare(
        _ interfaces: InterfaceTable, nextHops: NextHopTable, foreign: ForeignRoutes, table: inout NetlinkRouteTable, isDryRun: Bool, logger: Logger
    ) {
        guard needsRecompute else { return }
        needsRecompute = false
        var routes: [Prefix: FIBRoute] = [:]
        for block in blocks where !block.prefix.isHost {
            routes[block.prefix] = FIBRoute(prefix: block.prefix, kind: .blackhole, metric: metrics[block.prefix.family.index], nextHops: [])
        }
        for item in statics {
            let ways = nextHops.resolve(item.peer, interfaces, foreign).nextHops
            let prefix = Prefix(host: item.peer)
            if !ways.isEmpty { routes[prefix] = FIBRoute(prefix: prefix, kind: .unicast, metric: metrics[prefix.family.index], nextHops: ways) }
        }
        if !isDryRun, let loopback = interfaces.named("lo") {
            for address in loopbackAddresses where !interfaces.owns(address) {
                let error = table.addAddress(address, on: loopback.index)
                if error != 0 { logger.warning("cannot put an address on lo", metadata: ["address": "\(address)", "reason": "\(errorText(error))"]) }
            }
        }
        for name in endpoints.keys.sorted() where programming.includesPods {
            guard let entry = endpoints[name], let interface = interfaces.named(entry.endpoint.interfaceName) else {
                endpoints[name]?.preparedIndex = nil
                continue
            }
            if entry.preparedIndex != interface.index {
                endpoints[name]?.preparedIndex = interface.index
                if !isDryRun {
                    let error = InterfaceSetup.prepare(entry.endpoint, interface, interfaces, allowsSpoofing: allowsSpoofing, table: &table)
                    endpoints[name]?.preparationError = error
                    if let error { logger.warning("cannot set up a pod's interface", metadata: ["endpoint": "\(name)", "reason": "\(error)"]) }
                }
            }
            guard interface.isUp else { continue }
            for address in entry.endpoint.addresses {
                let prefix = Prefix(host: address)
                // The first by name wins; the other is shown as failed.
                if routes[prefix]?.kind == .unicast { continue }
                let isElevated = entry.endpoint.isElevated || elevatedUntil[name] != nil
                routes[prefix] = FIBRoute(
                    prefix: prefix, kind: .unicast, metric: (isElevated ? elevatedMetrics : metrics)[prefix.family.index],
                    nextHops: [FIBNextHop(gateway: nil, interface: interface.index, isOnlink: false)])
            }
        }
        keepOrphans(interfaces, &routes)
        wantsAnnouncement = announcements(routes.merging(observed) { own, _ in own })
        for (prefix, route) in routes where desired[prefix] != route || leaving.contains(prefix) {
            leaving.remove(prefix)
            desired[prefix] = route
            changed.insert(prefix)
        }
        for prefix in desired.keys where routes[prefix] == nil { leaving.insert(prefix) }
    }

    private mutating func keepOrphans(_ interfaces: InterfaceTable, _ routes: inout [Prefix: FIBRoute]) {
        guard !orphans.isEmpty else { return }
        let names = Set(endpoints.values.map(\.endpoint.interfaceName))
        let addresses = Set(endpoints.values.flatMap(\.endpoint.addresses))
        orphans = orphans.filter { prefix, route in
            guard let interface = route.nextHops.first.flatMap({ interfaces[$0.interface] }), interface.isUp else { return false }
            return !names.contains(interface.name) && !addresses.contains(prefix.address)
        }
        routes.merge(orphans) { known, _ in known }
    }

    /// Contract 2.6: own blocks, and host routes of addresses that lie in none of them or whose priority is elevated. Other pods inside an own
    /// block are not announced.
    private func announcements(_ routes: [Prefix: FIBRoute]) -> [Prefix: Announcement] {
        var result: [Prefix: Announcement] = [:]
        func announce(_ prefix: Prefix, _ localPref: UInt32) {
            result[prefix] = Announcement(localPref: localPref, communities: advertisements.communities(of: prefix))
        }
        for prefix in services { announce(prefix, LocalRoutes.blockLocalPref) }
        for block in blocks where block.isExported && !block.prefix.isHost { announce(block.prefix, LocalRoutes.blockLocalPref) }
        let staticPrefixes = Set(statics.map { Prefix(host: $0.peer) })
        for (prefix, route) in routes where route.kind == .unicast && !staticPrefixes.contains(prefix) {
            let cover = blocks.first { $0.prefix.contains(prefix) && !$0.prefix.isHost }
            if cover == nil || route.metric < metrics[prefix.family.index] { announce(prefix, RoutePriority.localPref(route.metric)) }
        }
        return result
    }

    /// True where this node itself has a route for the prefix: only host routes and own blocks can be.
    func wants(_ prefix: Prefix) -> Bool {
        if prefix.isHost { return desired[prefix] != nil || observed[prefix] != nil }
        return !desired.isEmpty && blocks.contains { $0.prefix == prefix } && desired[prefix] != nil
    }

    /// True for a prefix that is ours without being written by us.
    func isObserved(_ prefix: Prefix) -> Bool { !observed.isEmpty && observed[prefix] != nil }

    /// Interfaces of this node's pods by their addresses.
    var podInterfaces: [IPAddress: InterfaceIndex] {
        var result: [IPAddress: InterfaceIndex] = [:]
        for (prefix, route) in desired.merging(observed, uniquingKeysWith: { own, _ in own }) where prefix.isHost && route.kind == .unicast {
            if let hop = route.nextHops.first, hop.gateway == nil { result[prefix.address] = hop.interface }
        }
        return result
    }

    mutating func takeChanged() -> Set<Prefix> {
        defer { changed = [] }
        return changed
    }

    /// Routes that may go now: nobody has them announced any more.
    mutating func takeRemovable() -> [Prefix] {
        let free = leaving.filter { announced[$0] == nil }
        for prefix in free {
            leaving.remove(prefix)
            desired[prefix] = nil
            changed.remove(prefix)
        }
        return Array(free)
    }

    // MARK: Announcement

    struct Origination {
        var prefix: Prefix
        /// Nil: withdraw.
        var announcement: Announcement?
    }

    /// What is to be announced or withdrawn now. A route that somebody else removed stays announced while it is being put back.
    mutating func originations(isInstalled: (Prefix) -> Bool) -> [Origination] {
        var result: [Origination] = []
        for (prefix, wanted) in wantsAnnouncement where announced[prefix] != wanted && !leaving.contains(prefix) {
            // Contract 2.6: prefixes of services are never in the kernel.
            guard services.contains(prefix) || isInstalled(prefix) else { continue }
            announced[prefix] = wanted
            result.append(Origination(prefix: prefix, announcement: wanted))
        }
        for prefix in announced.keys where wantsAnnouncement[prefix] == nil || leaving.contains(prefix) {
            announced[prefix] = nil
            result.append(Origination(prefix: prefix, announcement: nil))
        }
        return result
    }

    // MARK: Status

    func status(isInstalled: (Prefix) -> Bool, reason: (Prefix) -> String?) -> [OwnPrefixStatus] {
        var rows: [OwnPrefixStatus] = []
        for block in blocks {
            let why: String
            if announced[block.prefix] != nil {
                why = ""
            } else if !block.isExported {
                why = "the pool has disableBGPExport"
            } else {
                why = isInstalled(block.prefix) ? "about to be announced" : "its route is not in the kernel: " + (reason(block.prefix) ?? "pending")
            }
            rows.append(OwnPrefixStatus(prefix: "\(block.prefix)", kind: "block", isAnnounced: announced[block.prefix] != nil, reason: why))
        }
        for prefix in services {
            rows.append(OwnPrefixStatus(prefix: "\(prefix)", kind: "service", isAnnounced: announced[prefix] != nil, reason: ""))
        }
        for prefix in wantsAnnouncement.keys.sorted() where prefix.isHost && !services.contains(prefix) {
            let isAnnounced = announced[prefix] != nil
            rows.append(
                OwnPrefixStatus(
                    prefix: "\(prefix)", kind: "address", isAnnounced: isAnnounced,
                    reason: isAnnounced ? "" : "its route is not in the kernel: " + (reason(prefix) ?? "pending")))
        }
        return rows
    }

    func endpointStatus(_ interfaces: InterfaceTable, isInstalled: (Prefix) -> Bool, reason: (Prefix) -> String?) -> [EndpointStatus] {
        endpoints.values.sorted { $0.name < $1.name }.map { entry in
            let prefixes = entry.endpoint.addresses.map { Prefix(host: $0) }
            var state = "up"
            var why = entry.preparationError ?? ""
            if !programming.includesPods {
                let missing = prefixes.first { observed[$0] == nil }
                return EndpointStatus(
                    name: entry.name, interface: entry.endpoint.interfaceName, addresses: entry.endpoint.addresses.map(\.description),
                    state: missing == nil ? "up" : "failed", reason: missing.map { "nobody has written a host route of \($0) (--program remote leaves it to Felix)" } ?? "")
            }
            if let interface = interfaces.named(entry.endpoint.interfaceName) {
                if !interface.isUp {
                    state = "interface down"
                } else if let broken = prefixes.first(where: { !isInstalled($0) || desired[$0]?.nextHops.first?.interface != interface.index }) {
                    state = "failed"
                    why = reason(broken) ?? (isInstalled(broken) ? "\(broken) belongs to another endpoint" : "the route of \(broken) is pending")
                } else if !why.isEmpty {
                    state = "failed"
                }
            } else {
                state = "waiting for interface"
            }
            if state == "up", entry.endpoint.isElevated || elevatedUntil[entry.name] != nil { why = "elevated priority: it is being moved here" }
            if state == "up", entry.endpoint.hasFloatingAddresses { why = "its floating addresses (ipNATs) are not handled" }
            return EndpointStatus(
                name: entry.name, interface: entry.endpoint.interfaceName, addresses: entry.endpoint.addresses.map(\.description), state: state,
                reason: why)
        }
    }
}

/// The host's side of a pod's veth (contract 2.7): sysctls and the permanent neighbour entry.
enum InterfaceSetup {
    /// Answers what failed; nil for nothing.
    static func prepare(
        _ endpoint: WorkloadEndpoint, _ interface: Interface, _ interfaces: InterfaceTable, allowsSpoofing: Bool, table: inout NetlinkRouteTable
    ) -> String? {
        var errors: [String] = []
        func set(_ path: String, _ value: String) {
            let error = ProcSys.write(path, value)
            if error != 0 { errors.append("\(path): \(errorText(error))") }
        }
        let name = interface.name
        if endpoint.addresses.contains(where: { $0.family == .ipv4 }) {
            set("net/ipv4/conf/\(name)/route_localnet", "1")
            set("net/ipv4/neigh/\(name)/proxy_delay", "0")
            set("net/ipv4/conf/\(name)/proxy_arp", "1")
            set("net/ipv4/conf/\(name)/forwarding", "1")
            // Strict: a pod cannot send with an address that is not routed to it.
            set("net/ipv4/conf/\(name)/rp_filter", allowsSpoofing ? "0" : "1")
        }
        if endpoint.addresses.contains(where: { $0.family == .ipv6 }) {
            set("net/ipv6/conf/\(name)/disable_ipv6", "0")
            set("net/ipv6/conf/\(name)/proxy_ndp", "1")
            set("net/ipv6/conf/\(name)/forwarding", "1")
            set("net/ipv6/conf/\(name)/accept_ra", "0")
            // The pod's gateway: the kernel makes it of the MAC address ee:ee:ee:ee:ee:ee, which not every plugin sets.
            if let gateway = IPAddress("fe80::ecee:eeff:feee:eeee"), interface.mac?.description != "ee:ee:ee:ee:ee:ee",
                !interfaces.addresses.contains(where: { $0.interface == interface.index && $0.address == gateway })
            {
                let error = table.addAddress(gateway, on: interface.index)
                if error != 0 { errors.append("gateway \(gateway): \(errorText(error))") }
            }
        }
        if let mac = endpoint.mac {
            for address in endpoint.addresses {
                let error = table.setNeighbour(address, mac: mac, on: interface.index)
                if error != 0 { errors.append("neighbour \(address): \(errorText(error))") }
            }
        }
        return errors.isEmpty ? nil : errors.joined(separator: "; ")
    }
}
