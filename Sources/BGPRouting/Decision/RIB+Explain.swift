public import NetTypes

/// What became of one prefix in the update groups, while one page of an answer is written: each group is judged once,
/// however many of its members are asked about.
public struct GroupVerdicts {
    /// What all members of a group have in common.
    struct Verdict {
        /// Of each entry that the group has announced: where it came from, and which members are left out.
        var announced: [(source: PeerIndex, excluded: (PeerIndex?, PeerIndex?))]
        /// Why nothing is announced, as far as it is the group's doing.
        var refusal: RIB.NotAnnounced?
    }
    let index: PrefixIndex
    let family: AddressFamily
    var byGroup: [Int: Verdict] = [:]
    /// Groups that were judged: the work.
    public internal(set) var judged = 0
    /// Valid until the tables change.
    public init(of index: PrefixIndex, _ family: AddressFamily) {
        self.index = index
        self.family = family
    }
}

extension RIB {
    /// Why a peer with a session does not have the best path of a prefix announced.
    public enum NotAnnounced: Sendable, Hashable {
        case familyNotNegotiated
        /// The path came from the peer itself.
        case splitHorizon
        /// An export rule, by its label.
        case rejectedByRule(String)
        case policy(ExportReason)
        /// RFC 4271 5.1.3: the peer's address is the next hop.
        case peerIsNextHop
        /// RFC 8654 4: the UPDATE is larger than the peer takes.
        case tooLarge
        /// The decision has not come to it yet.
        case undecided
    }

    /// Nil where the peer has the prefix of `verdicts` announced. Work: the paths of the prefix for the first member of
    /// a group, little for the others.
    public func whyNotAnnounced(to peer: PeerIndex, _ verdicts: inout GroupVerdicts) -> NotAnnounced? {
        let (index, family) = (verdicts.index, verdicts.family)
        guard tables[family].prefix(at: index) != nil else { return nil }
        guard let group = peers[peer]?.groups[family.index] ?? nil, let profile = profiles[group]?.value else {
            return .familyNotNegotiated
        }
        let verdict: GroupVerdicts.Verdict
        if let known = verdicts.byGroup[group] {
            verdict = known
        } else {
            verdict = self.verdict(index, family, group: group, profile: profile)
            verdicts.byGroup[group] = verdict
            verdicts.judged += 1
        }
        if verdict.announced.contains(where: { $0.excluded.0 != peer && $0.excluded.1 != peer }) { return nil }
        // What makes a peer an exception among the members.
        guard let best = tables[family].best(index) else { return .undecided }
        if best.peer == peer { return .splitHorizon }
        if let refusal = verdict.refusal { return refusal }
        // The group has it, and the peer is left out.
        return verdict.announced.first.map { $0.source == peer ? .splitHorizon : .peerIsNextHop } ?? .undecided
    }

    /// The same of one peer.
    public func whyNotAnnounced(_ index: PrefixIndex, _ family: AddressFamily, to peer: PeerIndex) -> NotAnnounced? {
        var verdicts = GroupVerdicts(of: index, family)
        return whyNotAnnounced(to: peer, &verdicts)
    }

    private func verdict(
        _ index: PrefixIndex, _ family: AddressFamily, group: Int, profile: ExportProfile
    ) -> GroupVerdicts.Verdict {
        let entries = exportSlots(index, family, sendsPathIDs: profile.sendsPathIDs).compactMap {
            groups[group]?.entry($0)
        }
        let announced = entries.compactMap { entry in
            entry.handle.map { (source: entry.source, excluded: excluded($0, entry.source, group: group)) }
        }
        return GroupVerdicts.Verdict(
            announced: announced, refusal: refusal(index, family, profile: profile, entries: entries))
    }

    private func refusal(
        _ index: PrefixIndex, _ family: AddressFamily, profile: ExportProfile, entries: [AdjRIBOutEntry]
    ) -> NotAnnounced? {
        guard let best = tables[family].best(index) else { return .undecided }
        let verdict = exportVerdict(best, index, profile: profile)
        if case .rejectedByRule(let rule) = verdict { return .rejectedByRule(profile.filter.rule(rule, family).label) }
        if !verdict.isAnnounced { return .policy(verdict) }
        return entries.contains(where: \.isTooLarge) ? .tooLarge : nil
    }
}
