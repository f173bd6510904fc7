/// What would become of a session.
package enum SessionChange: String, Codable, Sendable, CaseIterable {
    /// Nothing.
    case stay
    /// It would go on under other settings.
    case refresh
    /// It would end, and be made anew.
    case reset
    case appear
    case vanish
}

/// Why a session would be made anew.
package enum SessionResetReason: String, Codable, Sendable, CaseIterable {
    case address, localAS, remoteAS, routerID, families, addPath, capabilities
    case password, tcpAO, ttlSecurity, source, port
}

/// A file of `apusctl plan`, as text.
package struct PlanFile: Codable, Sendable, Hashable {
    package var name: String
    package var text: String
    package init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

/// What is asked of `apusctl plan`.
package struct PlanRequest: Codable, Sendable, Hashable {
    package var files: [PlanFile]
    /// The files are all there is; else they are put over what is in force.
    package var isWhole: Bool
    /// Objects to leave out, as `KIND/NAME`.
    package var without: [String]
    package init(files: [PlanFile], isWhole: Bool, without: [String]) {
        self.files = files
        self.isWhole = isWhole
        self.without = without
    }
}

/// What the files would change. Lists have at most `PlanReport.most` prefixes.
package struct PlanReport: Codable, Sendable, Hashable {
    /// Prefixes of a list that are named.
    package static let most = 64

    /// Prefixes that would come or go, or be otherwise.
    package struct Prefixes: Codable, Sendable, Hashable {
        package var count: Int
        package var first: [String]
        package init(_ all: [String]) {
            count = all.count
            first = Array(all.prefix(PlanReport.most))
        }
    }
    package struct Peer: Codable, Sendable, Hashable {
        package var name: String
        package var address: String
        package var change: SessionChange
        package var reasons: [SessionResetReason] = []
        /// It would be kept down.
        package var held: HoldReason?
        /// What it would be sent that it is not sent now, no longer be sent, and be sent with other attributes.
        package var gained = Prefixes([])
        package var lost = Prefixes([])
        package var changed = Prefixes([])
        /// Routes of it that would be refused that are not now, and the reverse.
        package var refused = Prefixes([])
        package var accepted = Prefixes([])

        package init(name: String, address: String, change: SessionChange) {
            self.name = name
            self.address = address
            self.change = change
        }
        /// Nothing of it would be otherwise.
        package var isSame: Bool {
            change == .stay && gained.count + lost.count + changed.count + refused.count + accepted.count == 0
        }
    }
    package var peers: [Peer]
    /// Routes of the kernel that would come, go, or lead elsewhere.
    package var routesGained = Prefixes([])
    package var routesLost = Prefixes([])
    package var routesChanged = Prefixes([])
    /// What of the resources would not be in force that is now, or have no effect.
    package var findings: [Finding] = []

    package init(peers: [Peer]) { self.peers = peers }

    package var isSame: Bool {
        peers.allSatisfy(\.isSame) && routesGained.count + routesLost.count + routesChanged.count == 0
    }
    /// A session would end, or a prefix or a route of the kernel would go.
    package var isDisruptive: Bool {
        routesLost.count > 0
            || peers.contains { [.reset, .vanish].contains($0.change) || $0.lost.count + $0.refused.count > 0 }
    }
}
