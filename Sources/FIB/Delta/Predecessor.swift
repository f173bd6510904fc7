package import NetTypes

/// Another programmer of the same routes, whose place this process may take (`--take-over`): what Calico leaves in the
/// kernel of a host that moves to Apus.
package enum Predecessor: String, Sendable, CaseIterable, Hashable {
    /// Routes to other nodes and own blocks, of protocol 12 (`RTPROT_BIRD`). BIRD leaves them behind with `persist`.
    case bird
    /// Routes of Felix: protocol 80, and host routes of pods on `cali*`, of protocol 3 or `deviceRouteProtocol`.
    case felix
}

/// Whose routes are taken over, and how they are recognized.
package struct TakeOver: Sendable, Hashable {
    package var predecessors: Set<Predecessor>
    /// RTA_PROTOCOL of Felix's host routes.
    package var deviceProtocol: UInt8

    /// RTA_PROTOCOL of BIRD, and of Felix's routes to other nodes.
    package static let birdProtocol: UInt8 = 12
    package static let felixProtocol: UInt8 = 80

    package init(_ predecessors: Set<Predecessor> = [], deviceProtocol: UInt8 = 3) {
        self.predecessors = predecessors
        self.deviceProtocol = deviceProtocol
    }

    /// Whose route it is, where it may be taken over. `isPodInterface`: whether an interface is one of a pod; a host
    /// route of Felix is only one that leaves by such an interface.
    package func predecessor(of route: ForeignRoute, isPodInterface: (InterfaceIndex) -> Bool) -> Predecessor? {
        switch route.routeProtocol {
        case TakeOver.birdProtocol where predecessors.contains(.bird): .bird
        case TakeOver.felixProtocol where predecessors.contains(.felix): .felix
        case deviceProtocol where predecessors.contains(.felix):
            route.prefix.isHost && route.nextHops.count == 1
                && route.nextHops.allSatisfy { $0.gateway == nil && isPodInterface($0.interface) } ? .felix : nil
        default: nil
        }
    }
}
