import NetTypes

extension KernelError {
    /// What an errno of a route request means, by what is known of the route's interfaces; nil where it says nothing beyond its own text.
    package static func meaning(_ code: Int32, of route: FIBRoute?, _ interfaces: InterfaceTable) -> String? {
        let used = route?.nextHops.map { (hop: $0, interface: interfaces[$0.interface]) } ?? []
        if let gone = used.first(where: { $0.interface == nil }) { return "interface \(gone.hop.interface) is gone; waiting for a new way" }
        if let down = used.first(where: { $0.interface.map { !$0.isUp } ?? false })?.interface { return "interface \(down.name) is down; the route goes in when it is up" }
        switch code {
        case exists: return "somebody else has just put a route there; the kernel's routes are read again"
        case notPermitted, accessDenied: return "the process may not write routes: it needs CAP_NET_ADMIN"
        case outOfMemory, noBuffers: return "the kernel has no memory for more routes"
        case familyNotSupported: return "the kernel has no \(route?.prefix.family.name ?? "such family") (disable_ipv6?)"
        case notSupported: return "the kernel does not know this form of route"
        case networkUnreachable, hostUnreachable: return "the kernel finds no way to the gateway"
        case invalid:
            if let source = route?.source, !interfaces.owns(source) { return "source address \(source) is none of this host's" }
            if let own = used.first(where: { $0.hop.gateway.map(interfaces.owns) ?? false }) { return "gateway \(own.hop.gateway.map { "\($0)" } ?? "") is this host itself" }
            return nil
        default: return nil
        }
    }
}
