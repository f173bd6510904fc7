import BGPMessages
public import NetTypes

/// Why a path was not chosen: the step that removed it, and what it and the path that stayed had there.
public struct DecisionLoss: Sendable, Hashable {
    public var step: BestPathReason
    /// The best path; at step 6 one of the same neighbor AS, which may itself have lost later.
    public var rival: PathIndex
    public var own: DecisionValue
    public var other: DecisionValue
}

/// What a step of the decision process compares.
public enum DecisionValue: Sendable, Hashable {
    /// LOCAL_PREF, a length, MULTI_EXIT_DISC, a cost.
    case number(UInt32)
    case origin(UInt8)
    case identifier(UInt32)
    case peer(IPAddress, pathID: UInt32)
    /// Of step 1, 2 and 7: what the step prefers is true.
    case isPreferred(Bool)
}

extension DecisionProcess {
    /// Why each path but the best one lost. Not for the decision itself: it makes a list at each step.
    public static func losses(_ candidates: [Candidate]) -> [PathIndex: DecisionLoss] {
        var scratch = candidates
        guard candidates.count > 1, let outcome = decide(&scratch, maximumPaths: 1),
            let winner = candidates.first(where: { $0.path == outcome.best })
        else { return [:] }
        var losses: [PathIndex: DecisionLoss] = [:]
        var left = candidates
        for step in BestPathReason.allCases where step != .onlyPath && left.count > 1 {
            let removed = removed(left, at: step)
            for loser in removed {
                let rival =
                    step == .multiExitDisc ? left.first { isPreferredByMED($0, to: loser) } ?? winner : winner
                losses[loser.path] = DecisionLoss(
                    step: step, rival: rival.path, own: value(of: loser, at: step), other: value(of: rival, at: step))
            }
            left.removeAll { candidate in removed.contains { $0.path == candidate.path } }
        }
        return losses
    }

    /// Those that a step removes.
    private static func removed(_ left: [Candidate], at step: BestPathReason) -> [Candidate] {
        func notLowest(_ value: (Candidate) -> UInt32) -> [Candidate] {
            let lowest = left.map(value).min()
            return left.filter { value($0) != lowest }
        }
        func unlessAny(_ isPreferred: (Candidate) -> Bool) -> [Candidate] {
            left.contains(where: isPreferred) ? left.filter { !isPreferred($0) } : []
        }
        switch step {
        case .onlyPath: return []
        case .locallyOriginated: return unlessAny(\.isLocal)
        case .notLongLivedStale: return unlessAny { !$0.key.flags.contains(.longLivedStale) }
        case .localPref: return notLowest { UInt32.max - $0.key.localPref }
        case .asPathLength: return notLowest { UInt32($0.key.pathLength) }
        case .origin: return notLowest { UInt32($0.key.origin.rawValue) }
        case .multiExitDisc: return left.filter { loser in left.contains { isPreferredByMED($0, to: loser) } }
        case .external: return unlessAny(\.isExternal)
        case .interiorCost: return notLowest(\.interiorCost)
        case .identifier: return notLowest(\.identifier)
        case .clusterListLength: return notLowest { UInt32($0.key.clusterListLength) }
        case .peerAddress:
            let ordered = left.sorted { ($0.peerAddress, $0.pathID) < ($1.peerAddress, $1.pathID) }
            return Array(ordered.dropFirst())
        }
    }

    private static func isPreferredByMED(_ candidate: Candidate, to loser: Candidate) -> Bool {
        candidate.key.neighborAS == loser.key.neighborAS && candidate.key.multiExitDisc < loser.key.multiExitDisc
    }

    private static func value(of candidate: Candidate, at step: BestPathReason) -> DecisionValue {
        let key = candidate.key
        return switch step {
        case .onlyPath, .locallyOriginated: .isPreferred(candidate.isLocal)
        case .notLongLivedStale: .isPreferred(!key.flags.contains(.longLivedStale))
        case .external: .isPreferred(candidate.isExternal)
        case .localPref: .number(key.localPref)
        case .asPathLength: .number(UInt32(key.pathLength))
        case .origin: .origin(key.origin.rawValue)
        case .multiExitDisc: .number(key.multiExitDisc)
        case .interiorCost: .number(candidate.interiorCost)
        case .identifier: .identifier(candidate.identifier)
        case .clusterListLength: .number(UInt32(key.clusterListLength))
        case .peerAddress: .peer(candidate.peerAddress, pathID: candidate.pathID)
        }
    }
}

extension RIB {
    /// Why each path of a prefix but the best one lost, by the path's place in the table; those that take no part are
    /// not among them.
    func losses(_ index: PrefixIndex, _ family: AddressFamily) -> [PathIndex: DecisionLoss] {
        var list: [PathIndex] = []
        tables[family].pathIndices(index, into: &list)
        return list.count > 1 ? DecisionProcess.losses(list.compactMap { candidate($0, family) }) : [:]
    }
}
