import BGPMessages
public import NetTypes

/// The step of the decision process that set the best path apart from the others. One numbering in code, tests and
/// apusd(8).
public enum BestPathReason: Int, Sendable, Hashable, CaseIterable, Comparable {
    /// 0: there is no other eligible path.
    case onlyPath = 0
    /// 1: a route of this speaker itself.
    case locallyOriginated
    /// 2: not kept beyond its peer's restart (RFC 9494 4.4).
    case notLongLivedStale
    /// 3: the highest LOCAL_PREF (RFC 4271 9.1.1).
    case localPref
    /// 4: the shortest AS_PATH (9.1.2.2 a).
    case asPathLength
    /// 5: the lowest ORIGIN (9.1.2.2 b).
    case origin
    /// 6: the lowest MULTI_EXIT_DISC among routes of the same neighbor AS (9.1.2.2 c).
    case multiExitDisc
    /// 7: external before internal (9.1.2.2 d).
    case external
    /// 8: the lowest interior cost to the next hop (9.1.2.2 e). What is equal up to here may share traffic (ECMP).
    case interiorCost
    /// 9: the lowest BGP Identifier, ORIGINATOR_ID in its place where there is one (9.1.2.2 f, RFC 4456 9).
    case identifier
    /// 10: the shortest CLUSTER_LIST (RFC 4456 9).
    case clusterListLength
    /// 11: the lowest peer address (9.1.2.2 g), then the lowest path identifier.
    case peerAddress

    public static func < (a: BestPathReason, b: BestPathReason) -> Bool { a.rawValue < b.rawValue }
}

/// What the decision process compares: everything about a path that matters, in one value.
public struct Candidate: Sendable, Hashable {
    public var path: PathIndex
    public var key: DecisionKey
    public var isLocal: Bool
    public var isExternal: Bool
    public var interiorCost: UInt32
    /// ORIGINATOR_ID, or the peer's BGP Identifier.
    public var identifier: UInt32
    public var peerAddress: IPAddress
    public var pathID: UInt32

    public init(
        path: PathIndex, key: DecisionKey, isLocal: Bool, isExternal: Bool, interiorCost: UInt32, identifier: UInt32,
        peerAddress: IPAddress,
        pathID: UInt32 = 0
    ) {
        self.path = path
        self.key = key
        self.isLocal = isLocal
        self.isExternal = isExternal
        self.interiorCost = interiorCost
        self.identifier = identifier
        self.peerAddress = peerAddress
        self.pathID = pathID
    }
}

/// RFC 4271 9.1.2.2 and RFC 4456 9, as elimination: each step removes candidates, so that the result does not depend on
/// the order of arrival. MULTI_EXIT_DISC is compared among routes of one neighbor AS only, which is what makes
/// pairwise comparison wrong.
public enum DecisionProcess {
    public struct Outcome: Sendable, Equatable {
        public var best: PathIndex
        public var reason: BestPathReason
        /// Paths that are equal through step 8, the best one included, at most `maximumPaths`.
        public var multipath: [PathIndex]
    }

    /// Nil for no candidates. `candidates` is used as scratch space and left in no particular order.
    public static func decide(_ candidates: inout [Candidate], maximumPaths: Int) -> Outcome? {
        guard let first = candidates.first else { return nil }
        if candidates.count == 1 { return Outcome(best: first.path, reason: .onlyPath, multipath: [first.path]) }
        var reason = BestPathReason.onlyPath

        // 1
        if candidates.contains(where: \.isLocal) {
            keep(&candidates, step: .locallyOriginated, reason: &reason) { $0.isLocal }
        }
        // 2
        if candidates.contains(where: { !$0.key.flags.contains(.longLivedStale) }) {
            keep(&candidates, step: .notLongLivedStale, reason: &reason) { !$0.key.flags.contains(.longLivedStale) }
        }
        // 3
        let localPref = candidates.reduce(0) { max($0, $1.key.localPref) }
        keep(&candidates, step: .localPref, reason: &reason) { $0.key.localPref == localPref }
        // 4
        let length = candidates.reduce(UInt16.max) { min($0, $1.key.pathLength) }
        keep(&candidates, step: .asPathLength, reason: &reason) { $0.key.pathLength == length }
        // 5
        let origin = candidates.reduce(UInt8.max) { min($0, $1.key.origin.rawValue) }
        keep(&candidates, step: .origin, reason: &reason) { $0.key.origin.rawValue == origin }
        // 6
        let someMED = candidates[0].key.multiExitDisc
        if candidates.contains(where: { $0.key.multiExitDisc != someMED }) {
            let all = candidates
            keep(&candidates, step: .multiExitDisc, reason: &reason) { candidate in
                !all.contains {
                    $0.key.neighborAS == candidate.key.neighborAS && $0.key.multiExitDisc < candidate.key.multiExitDisc
                }
            }
        }
        // 7
        if candidates.contains(where: \.isExternal) {
            keep(&candidates, step: .external, reason: &reason) { $0.isExternal }
        }
        // 8
        let cost = candidates.reduce(UInt32.max) { min($0, $1.interiorCost) }
        keep(&candidates, step: .interiorCost, reason: &reason) { $0.interiorCost == cost }

        let equals = candidates
        // 9
        let identifier = candidates.reduce(UInt32.max) { min($0, $1.identifier) }
        keep(&candidates, step: .identifier, reason: &reason) { $0.identifier == identifier }
        // 10
        let clusters = candidates.reduce(UInt16.max) { min($0, $1.key.clusterListLength) }
        keep(&candidates, step: .clusterListLength, reason: &reason) { $0.key.clusterListLength == clusters }
        // 11
        if candidates.count > 1 {
            reason = .peerAddress
            candidates.sort { ($0.peerAddress, $0.pathID) < ($1.peerAddress, $1.pathID) }
        }
        let best = candidates[0].path
        var multipath = [best]
        if maximumPaths > 1 && equals.count > 1 {
            let others = equals.filter { $0.path != best }.sorted {
                ($0.identifier, $0.peerAddress, $0.pathID) < ($1.identifier, $1.peerAddress, $1.pathID)
            }
            multipath += others.prefix(maximumPaths - 1).map(\.path)
        }
        return Outcome(best: best, reason: reason, multipath: multipath)
    }

    /// The best `limit` paths in the order in which each would follow the one before (RFC 7911 5: the best one is among
    /// them).
    public static func rank(_ candidates: [Candidate], limit: Int) -> [PathIndex] {
        var left = candidates
        var scratch: [Candidate] = []
        var result: [PathIndex] = []
        while result.count < limit, !left.isEmpty {
            scratch.removeAll(keepingCapacity: true)
            scratch += left
            guard let outcome = decide(&scratch, maximumPaths: 1) else { break }
            result.append(outcome.best)
            left.removeAll { $0.path == outcome.best }
        }
        return result
    }

    /// Removes what does not satisfy `condition`; a step that removed something is the reason so far.
    private static func keep(
        _ candidates: inout [Candidate], step: BestPathReason, reason: inout BestPathReason,
        _ condition: (Candidate) -> Bool
    ) {
        guard candidates.count > 1 else { return }
        let before = candidates.count
        candidates.removeAll { !condition($0) }
        if candidates.count < before { reason = step }
    }
}
