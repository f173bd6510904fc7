package import NetTypes

/// A host in memory: the rules of Linux that the dataplane depends on, with errors that a test can inject.
///
/// In this target and not in the tests, because whole nodes are composed from it in tests and simulations. What it does
/// is compared with the kernel by `HostContractLab`. It is used from one thread.
package final class MemoryHost: HostKernel {
    /// Routes of the host, ours and others'.
    package private(set) var routes = MemoryKernel()
    package private(set) var interfaces: [InterfaceIndex: Interface] = [:]
    package private(set) var addresses: Set<InterfaceAddress> = []
    /// Permanent neighbor and forwarding entries.
    package private(set) var entries: [InterfaceIndex: Set<TunnelEntry>] = [:]
    /// Values below /proc/sys.
    package var sysctls: [String: String] = ["net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"]
    /// Addresses whose connections were forgotten, in order.
    package private(set) var forgotten: [IPAddress] = []
    package private(set) var listensForGuests = false
    /// Frames that guests have sent and nobody has read.
    package var guestFrames: [(interface: InterfaceIndex, frame: [UInt8])] = []
    /// Errors that a test injects, taken one by one.
    package struct InjectedErrors {
        /// Errors of the next calls of `dump`, `tunnelEntries` and `apply(_: TunnelOperation)`, in order; 0 for none.
        package var dumps: [Int32] = []
        package var entries: [Int32] = []
        package var operations: [Int32] = []
    }
    package var errors = InjectedErrors()
    /// Requests about devices that were carried out.
    package private(set) var operations: [TunnelOperation] = []
    /// Batches that are handed over are carried out only by `writeSubmitted`.
    package var holdsSubmitted = false

    private var events: [KernelEvent] = []
    private var submitted: [Order] = []
    private var results: [FIBResult] = []
    private var nextIndex: Int32 = 2

    private enum Order {
        case batch(FIBBatch)
        case drop(Set<FIBNextHop>)
    }

    /// A host with a loopback interface.
    package init() {
        let lo = Interface(index: InterfaceIndex(rawValue: 1), name: "lo", isUp: true, hasCarrier: true, mtu: 65_536)
        interfaces[lo.index] = lo
    }

    /// The process that used the host ended: what it has not read is gone.
    package func processEnded() {
        events = []
        submitted = []
        results = []
        listensForGuests = false
    }

    /// Something waits to be read.
    package var hasNews: Bool { !events.isEmpty || !results.isEmpty || listensForGuests && !guestFrames.isEmpty }

    /// Takes over what the dump of another host says, without notifications: a copy. Own routes of that host are left
    /// out.
    package func preset(_ event: KernelEvent) {
        switch event {
        case .link(let interface):
            interfaces[interface.index] = interface
            nextIndex = max(nextIndex, interface.index.rawValue + 1)
        case .address(let address): addresses.insert(address)
        case .foreignRoute(let route, _): routes.foreign[key(route)] = route
        case .entry(let entry, let index): entries[index, default: []].insert(entry)
        default: break
        }
    }

    // MARK: What others do to the host

    /// Adds an interface, set up and with a carrier. A device of ours is added by `apply`.
    @discardableResult
    package func addInterface(
        _ name: String, mac: MACAddress? = nil, mtu: UInt32 = 1500, tunnel: TunnelParameters? = nil
    ) -> InterfaceIndex {
        let index = InterfaceIndex(rawValue: nextIndex)
        nextIndex += 1
        change(Interface(index: index, name: name, isUp: true, hasCarrier: true, mtu: mtu, mac: mac, tunnel: tunnel))
        return index
    }

    package func index(of name: String) -> InterfaceIndex? { interfaces.values.first { $0.name == name }?.index }

    /// Sets an interface up or down. Down, its routes go: those of IPv4 without a notification, as in Linux.
    package func setUp(_ name: String, _ isUp: Bool) {
        guard var interface = index(of: name).flatMap({ interfaces[$0] }), interface.isUp != isUp else { return }
        interface.isUp = isUp
        interface.hasCarrier = isUp
        change(interface)
        if isUp {
            for address in addresses where address.interface == interface.index { connect(address) }
        } else {
            dropRoutes(by: interface.index, tellsIPv6: true)
        }
    }

    /// The carrier comes or goes: routes stay, marked `linkdown`.
    package func setCarrier(_ name: String, _ hasCarrier: Bool) {
        guard var interface = index(of: name).flatMap({ interfaces[$0] }) else { return }
        interface.hasCarrier = hasCarrier
        change(interface)
    }

    package func removeInterface(_ name: String) {
        guard let index = index(of: name) else { return }
        addresses = addresses.filter { $0.interface != index }
        entries[index] = nil
        dropRoutes(by: index, tellsIPv6: true)
        interfaces[index] = nil
        events.append(.linkRemoved(index))
    }

    package func addAddress(_ address: IPAddress, length: UInt8, to name: String) {
        guard let index = index(of: name) else { return }
        let added = InterfaceAddress(interface: index, address: address, prefixLength: length)
        guard addresses.insert(added).inserted else { return }
        events.append(.address(added))
        if interfaces[index]?.isUp ?? false { connect(added) }
    }

    package func removeAddress(_ address: IPAddress, from name: String) {
        guard let index = index(of: name) else { return }
        for gone in addresses where gone.interface == index && gone.address == address {
            addresses.remove(gone)
            events.append(.addressRemoved(gone))
            removeForeign(connectedRoute(gone))
        }
        if !addresses.contains(where: { $0.interface == index && $0.address.family == .ipv4 }) {
            dropRoutes(by: index, family: .ipv4, tellsIPv6: false)
        }
    }

    /// Another programmer writes a route; with `replaces` over whatever is there.
    package func addForeign(_ route: ForeignRoute, replaces: Bool = false) {
        if replaces { routes.replaceBehindOurBack(route) } else { routes.foreign[key(route)] = route }
        events.append(.foreignRoute(route, replaces: replaces))
    }

    package func remove(_ route: ForeignRoute) -> Int32 {
        if let known = routes.foreign[key(route)], known.routeProtocol == route.routeProtocol {
            routes.foreign[key(route)] = nil
        }
        return 0
    }

    package func removeForeign(_ route: ForeignRoute) {
        if routes.foreign.removeValue(forKey: key(route)) != nil { events.append(.foreignRouteRemoved(route)) }
    }

    /// Somebody else deletes one of our routes. `isReported`: with a notification.
    package func deleteOwn(_ prefix: Prefix, metric: UInt32, isReported: Bool = true) {
        guard let route = routes.own[MemoryKernel.Key(prefix: prefix, metric: metric)] else { return }
        routes.removeBehindOurBack(prefix, metric: metric)
        if isReported { events.append(.ownRouteRemoved(route)) }
    }

    /// Refuses route operations: asked before each of them, an errno or nil.
    package func refuseRoutes(_ error: (@Sendable (FIBOperation) -> Int32?)?) { routes.inject = error }

    /// Notifications were lost.
    package func loseEvents() { events = [.overflow] }

    /// Carries out what `holdsSubmitted` held back.
    package func writeSubmitted() {
        let orders = submitted
        submitted = []
        for order in orders { carryOut(order) }
    }

    // MARK: What a packet would do

    /// The route that a packet for an address takes: the longest prefix, then the lowest metric, of routes whose
    /// interface carries packets. Nil for none.
    package func lookUp(_ address: IPAddress) -> (kind: FIBRouteKind, nextHops: [FIBNextHop])? {
        var best: (length: UInt8, metric: UInt32, kind: FIBRouteKind, hops: [FIBNextHop])?
        func offer(_ prefix: Prefix, metric: UInt32, kind: FIBRouteKind, hops: [FIBNextHop]) {
            guard prefix.contains(Prefix(host: address)) else { return }
            let alive = hops.filter { interfaces[$0.interface].map { $0.isUp && $0.hasCarrier } ?? false }
            guard kind == .blackhole || !alive.isEmpty else { return }
            if let best, (best.length, UInt32.max - best.metric) >= (prefix.length, UInt32.max - metric) { return }
            best = (prefix.length, metric, kind, alive)
        }
        for (key, route) in routes.own where key.table == Ownership.mainTable {
            offer(route.prefix, metric: route.metric, kind: route.kind, hops: route.nextHops)
        }
        for route in routes.foreign.values {
            offer(route.prefix, metric: route.metric, kind: .unicast, hops: route.nextHops)
        }
        return best.map { ($0.kind, $0.hops) }
    }

    // MARK: HostKernel

    package var descriptors: [Int32] { [] }

    package func readEvents(budget: Int, into events: inout [KernelEvent]) {
        events += self.events
        self.events = []
    }

    package func dump(restart: () -> Void, _ body: (KernelEvent) -> Void) throws(HostError) {
        if let error = take(&errors.dumps) { throw HostError(code: error, operation: "netlink dump") }
        for interface in interfaces.values.sorted(by: { $0.index.rawValue < $1.index.rawValue }) {
            body(.link(interface))
        }
        for address in addresses.sorted(by: { $0.address < $1.address }) { body(.address(address)) }
        for route in routes.foreign.values { body(.foreignRoute(route, replaces: false)) }
        for route in routes.own.values { body(.ownRoute(route)) }
    }

    package func link(named name: String) -> Interface? { index(of: name).flatMap { interfaces[$0] } }

    package func namedAddresses() -> [NamedAddress] {
        addresses.sorted { ($0.interface.rawValue, $0.address) < ($1.interface.rawValue, $1.address) }.compactMap {
            own in
            interfaces[own.interface].map {
                NamedAddress(
                    index: own.interface, name: $0.name, isUp: $0.isUp, address: own.address.unscoped,
                    prefixLength: own.prefixLength)
            }
        }
    }

    package func sourceAddress(towards destination: IPAddress) -> IPAddress? {
        if addresses.contains(where: { $0.address == destination }) { return destination }
        guard let route = lookUp(destination), route.kind == .unicast, let hop = route.nextHops.first else {
            return nil
        }
        let own = namedAddresses().filter {
            $0.index == hop.interface && $0.address.family == destination.family && !$0.address.isLinkLocal
        }
        // The one of the subnet of who is reached first, else the first.
        let target = hop.gateway ?? destination
        return
            (own.first { Prefix($0.address, length: Int($0.prefixLength)).contains(target) } ?? own.first)?.address
    }

    package func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(HostError) -> Set<TunnelEntry>
    {
        if let error = take(&errors.entries) { throw HostError(code: error, operation: "netlink dump") }
        return entries[index] ?? []
    }

    package func apply(_ batch: FIBBatch) -> [FIBFailure] {
        var failures: [FIBFailure] = []
        for (index, operation) in batch.enumerated() {
            if let error = refusal(operation) {
                failures.append(FIBFailure(index: index, error: error))
            } else {
                for failure in routes.apply([operation]) {
                    failures.append(FIBFailure(index: index, error: failure.error))
                }
            }
        }
        return failures
    }

    package func rewrite(_ routes: [FIBRoute], as routeProtocol: UInt8) -> [FIBFailure] {
        var failures: [FIBFailure] = []
        for (index, route) in routes.enumerated() {
            if let error = refusal(.replace(route)) ?? self.routes.inject?(.replace(route)) {
                failures.append(FIBFailure(index: index, error: error))
            } else {
                self.routes.replaceBehindOurBack(
                    ForeignRoute(
                        prefix: route.prefix, metric: route.metric, routeProtocol: routeProtocol,
                        nextHops: route.nextHops))
            }
        }
        return failures
    }
    /// There are no objects in memory: routes have their next hops themselves.
    package func removeUnusedObjects() -> Int { 0 }

    package func submit(_ batch: FIBBatch) { submit(.batch(batch)) }
    package func drop(_ dead: Set<FIBNextHop>) { submit(.drop(dead)) }
    package func takeResult() -> FIBResult? { results.isEmpty ? nil : results.removeFirst() }
    package func beginAudit() -> Bool { true }
    package func readAudit(_ body: (FIBRoute) -> Void) -> AuditProgress {
        for route in routes.own.values { body(route) }
        return .complete
    }

    package func apply(_ operation: TunnelOperation) -> Int32 {
        if let error = take(&errors.operations) { return error }
        operations.append(operation)
        return carryOut(operation)
    }

    package func setSysctl(_ path: String, _ value: String) -> Int32 {
        // A setting of an interface is there as long as the interface.
        let parts = path.split(separator: "/")
        if parts.count == 5, !["all", "default"].contains(parts[3]), index(of: String(parts[3])) == nil {
            return KernelError.noEntry
        }
        sysctls[path] = value
        return 0
    }
    package func forgetConnections(of addresses: [IPAddress]) { forgotten += addresses }

    package func listenForGuests(_ listens: Bool) throws(HostError) { listensForGuests = listens }
    package func nextGuestFrame() -> (interface: InterfaceIndex, frame: ArraySlice<UInt8>)? {
        guard listensForGuests, !guestFrames.isEmpty else { return nil }
        let heard = guestFrames.removeFirst()
        return (heard.interface, heard.frame[...])
    }

    package var inspector: any HostInspector { Inspector(sysctls: sysctls) }

    private struct Inspector: HostInspector {
        let sysctls: [String: String]
        func sysctl(_ path: String) -> String? { sysctls[path] }
        func forwardChains() -> [ForwardChain]? { [] }
        func legacyForwardDrops(_ family: AddressFamily) throws(HostError) -> Bool? { nil }
    }

    // MARK: Inside

    private func take(_ errors: inout [Int32]) -> Int32? {
        guard !errors.isEmpty else { return nil }
        let error = errors.removeFirst()
        return error == 0 ? nil : error
    }

    private func key(_ route: ForeignRoute) -> MemoryKernel.Key {
        MemoryKernel.Key(prefix: route.prefix, metric: route.metric)
    }

    private func change(_ interface: Interface) {
        interfaces[interface.index] = interface
        events.append(.link(interface))
    }

    /// The route of an address's subnet, which the kernel writes; a host address has none.
    private func connectedRoute(_ address: InterfaceAddress) -> ForeignRoute {
        ForeignRoute(
            prefix: Prefix(address.address.unscoped, length: Int(address.prefixLength)),
            metric: address.address.family == .ipv4 ? 0 : 256, routeProtocol: 2,
            nextHops: [FIBNextHop(gateway: nil, interface: address.interface, isOnlink: false)])
    }

    private func connect(_ address: InterfaceAddress) {
        guard Int(address.prefixLength) < address.address.family.bits, !address.address.isLinkLocal else { return }
        addForeign(connectedRoute(address))
    }

    private func dropRoutes(by index: InterfaceIndex, family: AddressFamily? = nil, tellsIPv6: Bool) {
        func goes(_ prefix: Prefix, _ hops: [FIBNextHop]) -> Bool {
            (family ?? prefix.family) == prefix.family && !hops.isEmpty && hops.allSatisfy { $0.interface == index }
        }
        for (key, route) in routes.own where goes(route.prefix, route.nextHops) {
            routes.removeBehindOurBack(key.prefix, metric: key.metric, table: key.table)
            if tellsIPv6, route.prefix.family == .ipv6 { events.append(.ownRouteRemoved(route)) }
        }
        for (key, route) in routes.foreign where goes(route.prefix, route.nextHops) {
            routes.foreign[key] = nil
            events.append(.foreignRouteRemoved(route))
        }
    }

    /// What Linux answers to a route whose next hops it cannot use.
    private func refusal(_ operation: FIBOperation) -> Int32? {
        let route: FIBRoute
        switch operation {
        case .add(let wanted), .replace(let wanted): route = wanted
        case .delete: return nil
        }
        for hop in route.nextHops {
            guard let interface = interfaces[hop.interface] else { return KernelError.noSuchDevice }
            guard interface.isUp else { return KernelError.networkDown }
            guard let gateway = hop.gateway else { continue }
            if addresses.contains(where: { $0.address == gateway }) { return KernelError.invalid }
            let isReached = addresses.contains {
                $0.interface == hop.interface
                    && Prefix($0.address, length: Int($0.prefixLength)).contains(Prefix(host: gateway))
            }
            if !hop.isOnlink, !gateway.isLinkLocal, !isReached { return KernelError.networkUnreachable }
        }
        if let source = route.source, !addresses.contains(where: { $0.address == source }) {
            return KernelError.invalid
        }
        return nil
    }

    private func submit(_ order: Order) { if holdsSubmitted { submitted.append(order) } else { carryOut(order) } }

    private func carryOut(_ order: Order) {
        switch order {
        case .batch(let batch): results.append(.batch(apply(batch)))
        case .drop(let dead): results.append(.dropped(routes.dropNextHops(dead)))
        }
    }

    private func carryOut(_ operation: TunnelOperation) -> Int32 {
        switch operation {
        case .create(let device):
            guard index(of: device.kind.deviceName) == nil else { return KernelError.exists }
            let index = InterfaceIndex(rawValue: nextIndex)
            nextIndex += 1
            interfaces[index] = Interface(
                index: index, name: device.kind.deviceName, isUp: true, hasCarrier: true, mtu: device.mtu,
                mac: device.mac, alias: TunnelDevice.alias, tunnel: device.parameters)
        case .adjust(let device, let index):
            guard var interface = interfaces[index] else { return KernelError.noSuchDevice }
            interface.isUp = true
            interface.mtu = device.mtu
            interface.alias = TunnelDevice.alias
            if let mac = device.mac { interface.mac = mac }
            interfaces[index] = interface
        case .remove(_, let index):
            guard let gone = interfaces[index] else { return KernelError.noSuchDevice }
            removeInterface(gone.name)
        case .retire(_, let index):
            guard let interface = interfaces[index] else { return KernelError.noSuchDevice }
            interfaces[index]?.isUp = false
            dropRoutes(by: interface.index, tellsIPv6: true)
        case .disown(_, let index):
            guard interfaces[index] != nil else { return KernelError.noSuchDevice }
            interfaces[index]?.alias = ""
        case .addAddress(let address, let index):
            guard interfaces[index] != nil else { return KernelError.noSuchDevice }
            addresses.insert(
                InterfaceAddress(interface: index, address: address, prefixLength: UInt8(address.family.bits)))
        case .removeAddress(let address, let index):
            let gone = addresses.filter { $0.interface == index && $0.address == address }
            if gone.isEmpty { return KernelError.addressNotAvailable }
            addresses.subtract(gone)
        case .addEntry(let entry, let index):
            guard interfaces[index] != nil else { return KernelError.noSuchDevice }
            entries[index, default: []].insert(entry)
        case .removeEntry(let entry, let index):
            guard entries[index]?.remove(entry) != nil else { return KernelError.noEntry }
        }
        return 0
    }
}
