package import FIB
package import NetTypes

/// A host as it is without Calico's routes, which are apart: what Apus would do is tried on the copy.
package struct HostCopy {
    /// Interfaces, addresses, and routes that are nobody's who would be replaced.
    package let host: MemoryHost
    /// Those of BIRD and Felix, as `--take-over bird,felix` would recognize them.
    package private(set) var calico: [ForeignRoute] = []

    /// With all routes but our own.
    package init(of other: any HostKernel) throws(HostError) {
        try self.init(of: other, apart: TakeOver(), podPrefixes: [])
    }

    /// `includesFelix`: Felix's routes would be Apus's, too; else they stay in the copy. `podPrefixes`: how names of pods'
    /// interfaces begin.
    package init(
        of other: any HostKernel, deviceProtocol: UInt8, includesFelix: Bool, podPrefixes: [String]
    ) throws(HostError) {
        let takeOver = TakeOver(includesFelix ? [.bird, .felix] : [.bird], deviceProtocol: deviceProtocol)
        try self.init(of: other, apart: takeOver, podPrefixes: podPrefixes)
    }

    private init(of other: any HostKernel, apart takeOver: TakeOver, podPrefixes: [String]) throws(HostError) {
        host = MemoryHost()
        var interfaces: [InterfaceIndex: Interface] = [:]
        var routes: [ForeignRoute] = []
        var rest: [KernelEvent] = []
        try other.dump(
            restart: { routes = [] },
            { event in
                switch event {
                case .link(let interface): interfaces[interface.index] = interface
                case .foreignRoute(let route, _):
                    routes.append(route)
                    return
                default: break
                }
                rest.append(event)
            })
        for event in rest { host.preset(event) }
        for route in routes {
            let owner = takeOver.predecessor(of: route) { index in
                interfaces[index].map { link in podPrefixes.contains { link.name.hasPrefix($0) } } ?? false
            }
            if owner != nil { calico.append(route) } else { host.preset(.foreignRoute(route, replaces: false)) }
        }
    }

    package func interfaceName(_ index: InterfaceIndex) -> String { host.interfaces[index]?.name ?? "\(index)" }
}
