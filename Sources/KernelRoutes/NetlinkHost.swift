package import FIB
package import LinuxIO
package import NetTypes

/// The real host: netlink, /proc/sys and a packet socket of this process's network namespace.
package final class NetlinkHost: HostKernel {
    /// For dumps, neighbors and small batches, on the routing thread.
    private var table: NetlinkRouteTable
    /// For large batches, on a thread of its own.
    private let writer: FIBWriter
    private var monitor: KernelMonitor
    private var audit: RouteAudit
    /// Nil where it could not be opened: `guestError` says why.
    private var guests: GuestSocket?
    private let guestError: HostError?
    /// Nil in a dry run, and where the kernel gives no socket.
    private let conntrack: ConntrackFlusher?

    /// Opens the sockets. `isReadOnly`: nothing is going to be written, so that nothing is prepared for it either.
    /// `hearsGuests`: pods are ours to wire. Needs CAP_NET_ADMIN, but for reading alone; CAP_NET_RAW to hear guests.
    package init(ownership: Ownership, isReadOnly: Bool, hearsGuests: Bool) throws(SystemError) {
        conntrack = isReadOnly ? nil : ConntrackFlusher.start()
        let opened = try NetlinkRouteTable(ownership: ownership, makesObjects: false)
        var bulk = try NetlinkRouteTable(ownership: ownership)
        let ports = (opened.port, bulk.port)
        table = opened
        monitor = try KernelMonitor(ownership: ownership, ownPorts: ports)
        if !isReadOnly { try bulk.adoptObjects() }
        writer = try FIBWriter(bulk)
        audit = try RouteAudit(ownership: ownership)
        var error: HostError?
        if hearsGuests {
            do throws(SystemError) { guests = try GuestSocket() } catch let failure {
                error = HostError(code: failure.code, operation: failure.operation)
            }
        }
        guestError = error
    }

    package var descriptors: [Int32] { [monitor.fd, writer.done.fd] + [guests?.fd].compactMap { $0 } }

    package func readEvents(budget: Int, into events: inout [KernelEvent]) {
        writer.done.clear()
        _ = monitor.read(budget: budget, into: &events)
    }
    package func dump(restart: () -> Void, _ body: (KernelEvent) -> Void) throws(HostError) {
        do throws(SystemError) { try table.dump(restart: restart, body) } catch { throw HostError(error) }
    }
    package func link(named name: String) -> Interface? { table.link(named: name) }
    package func namedAddresses() -> [NamedAddress] { NetlinkHost.namedAddresses() }
    package func sourceAddress(towards destination: IPAddress) -> IPAddress? {
        UDPSocket.sourceAddress(towards: destination)
    }
    /// Those of the calling thread's network namespace: what a start goes by before there is a socket.
    package static func namedAddresses() -> [NamedAddress] {
        HostAddresses.read().map {
            NamedAddress(
                index: InterfaceIndex(rawValue: Int32(truncatingIfNeeded: $0.index)), name: $0.name, isUp: $0.isUp,
                address: $0.address, prefixLength: $0.prefixLength)
        }
    }
    package func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(HostError) -> Set<TunnelEntry>
    {
        do throws(SystemError) { return try table.tunnelEntries(on: index, family) } catch { throw HostError(error) }
    }

    package func apply(_ batch: FIBBatch) -> [FIBFailure] { table.apply(batch) }
    package func remove(_ route: ForeignRoute) -> Int32 { table.remove(route) }
    package func rewrite(_ routes: [FIBRoute], as routeProtocol: UInt8) -> [FIBFailure] {
        do throws(SystemError) {
            var theirs = try NetlinkRouteTable(ownership: Ownership(routeProtocol: routeProtocol), makesObjects: false)
            return theirs.apply(FIBBatch(routes.map { .replace($0) }))
        } catch {
            return routes.indices.map { FIBFailure(index: $0, error: error.code) }
        }
    }
    package func removeUnusedObjects() throws(HostError) -> Int {
        do throws(SystemError) { return try table.adoptObjects() } catch { throw HostError(error) }
    }
    package func submit(_ batch: FIBBatch) { writer.submit(batch) }
    package func drop(_ dead: Set<FIBNextHop>) { writer.drop(dead) }
    package func takeResult() -> FIBResult? { writer.takeResult() }
    package func beginAudit() -> Bool { audit.begin() }
    package func readAudit(_ body: (FIBRoute) -> Void) -> AuditProgress { audit.read(body) }

    package func apply(_ operation: TunnelOperation) -> Int32 { table.apply(operation) }
    package func setSysctl(_ path: String, _ value: String) -> Int32 { ProcSys.write(path, value) }
    package func forgetConnections(of addresses: [IPAddress]) { conntrack?.flush(addresses) }

    package func listenForGuests(_ listens: Bool) throws(HostError) {
        if listens, let guestError { throw guestError }
        do throws(SystemError) { try guests?.listen(listens) } catch { throw HostError(error) }
    }
    package func nextGuestFrame() -> (interface: InterfaceIndex, frame: ArraySlice<UInt8>)? {
        guests?.receive().map { (InterfaceIndex(rawValue: $0.interface), $0.frame) }
    }

    package var inspector: any HostInspector { KernelInspector() }
}

/// Readings of this process's network namespace.
private struct KernelInspector: HostInspector {
    func sysctl(_ path: String) -> String? { ProcSys.read(path) }
    func forwardChains() -> [ForwardChain]? { ForwardChain.all() }
    func legacyForwardDrops(_ family: AddressFamily) throws(HostError) -> Bool? {
        do throws(SystemError) { return try LegacyTables.forwardDrops(family) } catch { throw HostError(error) }
    }
}

extension HostError {
    package init(_ error: SystemError) { self.init(code: error.code, operation: error.operation) }
}
