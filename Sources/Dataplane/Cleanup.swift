package import FIB
import NetTypes

/// What an agent that ended left on its host (`apusd cleanup`): given to those who write routes from now on, or
/// removed.
package struct Cleanup {
    /// What was done, or in a dry run would be.
    package struct Report: Sendable, Hashable {
        /// Routes that are an heir's now.
        package var given: [Heirs.Heir: Int] = [:]
        package var removed = 0
        /// Routes of ours that stay, because none of the heirs would have written them.
        package var kept: [FIBRoute] = []
        package var failures: [Failure] = []
        package var objectsRemoved = 0
        /// Tunnel devices of ours that are gone, or set down.
        package var devicesRemoved: [String] = []
        /// Tunnel devices of ours that Felix has now.
        package var devicesGiven: [String] = []
        /// Tunnel devices of ours that stay, because routes of others lead through them.
        package var devicesKept: [String] = []
    }

    /// A request that the kernel refused.
    package struct Failure: Sendable, Hashable {
        /// The route or the device.
        package var what: String
        /// errno, positive.
        package var error: Int32
    }

    private let host: any HostKernel
    private let isDryRun: Bool
    private var interfaces: [InterfaceIndex: Interface] = [:]
    private var routes: [FIBRoute] = []
    /// Interfaces by which routes of others leave, without those that the kernel makes for addresses.
    private var foreignUse: Set<InterfaceIndex> = []
    private var report = Report()

    /// RTPROT_KERNEL.
    private static let kernelProtocol: UInt8 = 2

    /// Gives every route of ours to its heir, in one step, and leaves the rest; without heirs removes everything that
    /// is ours. No agent may be running. Throws where the kernel's routes cannot be read.
    package static func run(on host: any HostKernel, heirs: Heirs, isDryRun: Bool) throws(HostError) -> Report {
        var cleanup = Cleanup(host: host, isDryRun: isDryRun)
        try cleanup.read()
        if heirs.names.isEmpty { cleanup.removeRoutes() } else { cleanup.give(to: heirs) }
        if !isDryRun { cleanup.report.objectsRemoved = try host.removeUnusedObjects() }
        cleanup.settleDevices(heirs)
        return cleanup.report
    }

    private init(host: any HostKernel, isDryRun: Bool) {
        self.host = host
        self.isDryRun = isDryRun
    }

    private mutating func read() throws(HostError) {
        var (routes, use) = ([FIBRoute](), Set<InterfaceIndex>())
        var interfaces: [InterfaceIndex: Interface] = [:]
        try host.dump(
            restart: { (routes, use) = ([], []) },
            { event in
                switch event {
                case .link(let interface): interfaces[interface.index] = interface
                case .ownRoute(let route): routes.append(route)
                case .foreignRoute(let route, _) where route.routeProtocol != Cleanup.kernelProtocol:
                    use.formUnion(route.nextHops.map(\.interface))
                default: break
                }
            })
        (self.routes, self.interfaces, foreignUse) = (routes, interfaces, use)
    }

    private mutating func give(to heirs: Heirs) {
        var shares: [Heirs.Heir: [FIBRoute]] = [:]
        for route in routes {
            let interface = route.nextHops.first.flatMap { interfaces[$0.interface] }
            guard let heir = heirs.heir(of: route, by: interface) else {
                report.kept.append(route)
                continue
            }
            shares[heir, default: []].append(route)
        }
        for (heir, share) in shares {
            let theirs = share.map(heirs.inherited)
            let failures = isDryRun ? [] : host.rewrite(theirs, as: heir.routeProtocol)
            report.given[heir] = share.count - failures.count
            report.failures += failures.map { Failure(what: "\(theirs[$0.index])", error: $0.error) }
            // At another metric theirs stands beside ours, which goes only then.
            let failed = Set(failures.map(\.index))
            delete(
                share.indices.filter { !failed.contains($0) && theirs[$0].metric != share[$0].metric }.map { share[$0] }
            )
        }
    }

    private mutating func removeRoutes() {
        report.removed = routes.count - delete(routes)
    }

    /// Returns how many the kernel refused to delete.
    @discardableResult
    private mutating func delete(_ routes: [FIBRoute]) -> Int {
        let batch = FIBBatch(routes.map { .delete($0.prefix, metric: $0.metric, table: $0.table) })
        // Gone meanwhile, with its interface: as it is wanted.
        let failures = (isDryRun ? [] : host.apply(batch)).filter { $0.error != KernelError.noSuchProcess }
        report.failures += failures.map { Failure(what: "\(routes[$0.index])", error: $0.error) }
        return failures.count
    }

    /// Felix finds the devices by their names, whoever made them: they lose our mark, so that the next cleanup leaves
    /// them alone. Without heirs they go, unless somebody uses them.
    private mutating func settleDevices(_ heirs: Heirs) {
        guard heirs.names.isEmpty || heirs.names.contains(.felix) else { return }
        for kind in TunnelKind.allCases {
            guard let device = interfaces.values.first(where: { $0.name == kind.deviceName }),
                device.alias == TunnelDevice.alias
            else { continue }
            let operation: TunnelOperation
            if !heirs.names.isEmpty {
                operation = .disown(kind, device.index)
            } else if foreignUse.contains(device.index) {
                report.devicesKept.append(device.name)
                continue
            } else {
                operation = kind.isVXLAN ? .remove(kind, device.index) : .retire(kind, device.index)
            }
            let error = isDryRun ? 0 : host.apply(operation)
            if error != 0 {
                report.failures.append(Failure(what: device.name, error: error))
            } else if heirs.names.isEmpty {
                report.devicesRemoved.append(device.name)
            } else {
                report.devicesGiven.append(device.name)
            }
        }
    }
}
