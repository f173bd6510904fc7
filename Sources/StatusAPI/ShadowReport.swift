/// What a shadow (`apusd agent --shadow`) found: where Apus would differ from the Calico that runs on the host.
///
/// Only what two comparisons in a row saw is reported: BIRD and the kernel are not read at one moment.
package struct ShadowReport: Codable, Sendable, Hashable {
    package var node: String
    /// Seconds since 1970 of the last comparison; nil until two were made.
    package var comparedAt: Double?
    /// What was compared: BGP sessions, routes that leave by them, and routes of the kernel.
    package var sessions = 0
    package var announcements = 0
    package var routes = 0
    package var differences: [ShadowDifference] = []
    /// What keeps the comparison from being whole, and what of the resources would not be in force.
    package var findings: [Finding] = []

    package init(node: String) { self.node = node }

    /// Two comparisons were made, they were whole, and Apus would do the same.
    package var isSame: Bool {
        comparedAt != nil && differences.isEmpty && !findings.contains { $0.severity.isUnhealthy }
    }
}

/// One thing that Apus would have differently.
package struct ShadowDifference: Codable, Sendable, Hashable, Comparable {
    package enum Kind: String, Codable, Sendable, CaseIterable, Comparable {
        /// A BGP session: its peer, or a property of it.
        case session
        /// A route that a peer sends, which Calico's filters let in and Apus would not.
        case received
        /// A route that a peer is sent.
        case announced
        /// A route of the kernel.
        case route

        package static func < (left: Kind, right: Kind) -> Bool {
            let all = Kind.allCases
            return (all.firstIndex(of: left) ?? 0) < (all.firstIndex(of: right) ?? 0)
        }
    }
    package var kind: Kind
    /// The address of the peer; nil for routes of the kernel.
    package var peer: String?
    /// The prefix; nil for sessions.
    package var prefix: String?
    /// What differs of it: `AS`, `local AS`, `communities`, `next hops`, ...; nil where one side does not have it at all.
    package var field: String?
    /// As Calico has it, and as Apus would; nil for not at all.
    package var calico: String?
    package var apus: String?
    package var reason: ShadowReason?

    package init(
        _ kind: Kind, peer: String? = nil, prefix: String? = nil, field: String? = nil, calico: String?, apus: String?,
        reason: ShadowReason? = nil
    ) {
        self.kind = kind
        self.peer = peer
        self.prefix = prefix
        self.field = field
        self.calico = calico
        self.apus = apus
        self.reason = reason
    }

    package static func < (left: ShadowDifference, right: ShadowDifference) -> Bool {
        (left.kind, left.peer ?? "", left.prefix ?? "", left.field ?? "")
            < (right.kind, right.peer ?? "", right.prefix ?? "", right.field ?? "")
    }
}

/// Why Apus would do otherwise, where it knows.
package enum ShadowReason: Codable, Sendable, Hashable {
    case heldDown(reason: HoldReason)
    /// Import refuses the route; `rule`: the rule of a BGPFilter that does.
    case refused(reason: PathIneligibility, rule: String?)
}
