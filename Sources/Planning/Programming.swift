/// What the agent programs (`--program`).
package enum Programming: String, Sendable, CaseIterable {
    case all
    /// Pods and own blocks of this node; routes to other nodes are somebody else's.
    case local
    /// Own blocks and routes to other nodes: beside Felix, in BIRD's place. Pods' host routes are Felix's, and are
    /// learned.
    case remote

    package var includesPods: Bool { self != .remote }
    package var includesLearned: Bool { self != .local }
}
