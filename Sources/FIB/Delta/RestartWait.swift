package import NetTypes

/// Which of the routes that were found at the start have to wait for peers that have not sent their tables yet
/// (docs/promises.md, promises 2 and 3): by family, and where only members of the mesh are missing, those that lead to
/// one of them. A dead member delays nobody's routes but its own.
package struct RestartWait: Sendable, Hashable {
    package enum Missing: Sendable, Hashable {
        /// Every peer has sent its table.
        case nobody
        /// Members of the mesh, which announce themselves as the next hop: the gateways by which these are reached.
        case members(Set<IPAddress>)
        /// A peer that may announce any next hop.
        case anybody
    }
    /// By family index.
    package var missing: [Missing]

    package init(_ missing: [Missing] = [.anybody, .anybody]) { self.missing = missing }

    /// Gateways by which members that are missing are reached.
    package var gatewayCount: Int {
        missing.reduce(0) { count, missing in
            if case .members(let gateways) = missing { count + gateways.count } else { count }
        }
    }
    package var isOver: Bool { missing.allSatisfy { $0 == .nobody } }

    /// True where no peer that is missing could still want the route. What is no route to other hosts, as blackholes
    /// and pods of this node, waits for the whole family.
    package func mayGo(_ route: FIBRoute) -> Bool {
        switch missing[route.prefix.family.index] {
        case .nobody: true
        case .anybody: false
        case .members(let gateways):
            !route.nextHops.isEmpty
                && route.nextHops.allSatisfy { hop in hop.gateway.map { !gateways.contains($0) } ?? false }
        }
    }
}
