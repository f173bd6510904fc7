package import NetTypes

extension KernelError {
    /// What an errno of a route request says about the route or the host.
    package enum Meaning: Sendable, Hashable {
        case interfaceGone(Int32)
        case interfaceDown(String)
        /// Somebody else put a route there just now.
        case appearedMeanwhile
        case noPermission
        case outOfMemory
        case familyDisabled(AddressFamily?)
        case formNotSupported
        case gatewayUnreachable
        case sourceNotOurs(IPAddress)
        case gatewayIsThisHost(IPAddress)
    }

    /// The meaning by what is known of the route's interfaces; nil where the errno says nothing beyond its own text.
    package static func meaning(_ code: Int32, of route: FIBRoute?, _ interfaces: InterfaceTable) -> Meaning? {
        let used = route?.nextHops.map { (hop: $0, interface: interfaces[$0.interface]) } ?? []
        if let gone = used.first(where: { $0.interface == nil }) { return .interfaceGone(gone.hop.interface.rawValue) }
        if let down = used.first(where: { $0.interface.map { !$0.isUp } ?? false })?.interface {
            return .interfaceDown(down.name)
        }
        switch code {
        case exists: return .appearedMeanwhile
        case notPermitted, accessDenied: return .noPermission
        case outOfMemory, noBuffers: return .outOfMemory
        case familyNotSupported: return .familyDisabled(route?.prefix.family)
        case notSupported: return .formNotSupported
        case networkUnreachable, hostUnreachable: return .gatewayUnreachable
        case invalid:
            if let source = route?.source, !interfaces.owns(source) { return .sourceNotOurs(source) }
            return used.compactMap(\.hop.gateway).first(where: interfaces.owns).map { .gatewayIsThisHost($0) }
        default: return nil
        }
    }
}
