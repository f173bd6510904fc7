package import NetTypes

extension RIB {
    /// Why a peer with a session does not have the best path of a prefix announced.
    package enum NotAnnounced: Sendable, Hashable {
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

    /// Nil where the peer has the prefix announced. Work: the paths of the prefix.
    package func whyNotAnnounced(_ index: PrefixIndex, _ family: AddressFamily, to peer: PeerIndex) -> NotAnnounced? {
        guard let prefix = tables[family].prefix(at: index), !isAnnounced(prefix, to: peer) else { return nil }
        guard let group = peers[peer]?.groups[family.index] ?? nil, let profile = profiles[group] else {
            return .familyNotNegotiated
        }
        guard let best = tables[family].best(index) else { return .undecided }
        if best.peer == peer { return .splitHorizon }
        let verdict = exportVerdict(best, index, profile: profile.value)
        if case .rejectedByRule(let rule) = verdict {
            return .rejectedByRule(profile.value.filter.rule(rule, family).label)
        }
        if !verdict.isAnnounced { return .policy(verdict) }
        let slots = exportSlots(index, family, sendsPathIDs: profile.sendsPathIDs)
        let entries = slots.compactMap { groups[group]?.entry($0) }
        if entries.contains(where: \.isTooLarge) { return .tooLarge }
        // The group has it, and the peer is left out.
        if let entry = entries.first(where: \.isAnnounced) {
            return entry.source == peer ? .splitHorizon : .peerIsNextHop
        }
        return .undecided
    }
}
