public import BGPMessages
public import NetTypes

/// A route in the Adj-RIB-Out of one peer, as it leaves.
public struct AdvertisedPath: Sendable {
    /// Whose path it is.
    public let source: PeerIndex
    /// The identifier that it is sent with (RFC 7911); 0 without one.
    public let pathID: UInt32
    /// The attributes as the peer gets them, next hop included.
    public let attributes: PathAttributes
    /// It is the selected path.
    public let isBest: Bool
    /// It is still to be sent, or to be sent again.
    public let isWaiting: Bool
}

extension RIB {
    /// A peer is a member of an update group of the family: something may be sent to it.
    public func isSentTo(_ peer: PeerIndex, _ family: AddressFamily) -> Bool {
        (peers[peer]?.groups[family.index] ?? nil) != nil
    }

    /// What a peer has announced of a prefix, as `export` sends it. None without a session. Work: the paths of the
    /// prefix where the peer gets path identifiers, and a decoding for each route that `isWanted` is true of: it is
    /// called with the set before the transformation, and with its source.
    public func advertisedPaths(
        _ index: PrefixIndex, _ family: AddressFamily, to peer: PeerIndex,
        where isWanted: (AttributeHandle, PeerIndex) -> Bool = { _, _ in true }
    ) -> [AdvertisedPath] {
        guard let position = peers[peer]?.groups[family.index] ?? nil, let group = groups[position],
            let profile = profiles[position]?.value
        else { return [] }
        let best = tables[family].bestIndex(index)
        return exportSlots(index, family, sendsPathIDs: profile.sendsPathIDs).compactMap { slot in
            let entry = group.entry(slot)
            guard let handle = entry.handle, isWanted(handle, entry.source) else { return nil }
            let excluded = excluded(handle, entry.source, group: position)
            guard excluded.0 != peer, excluded.1 != peer else { return nil }
            return AdvertisedPath(
                source: entry.source, pathID: group.pathID(ofSlot: slot),
                attributes: transformed(handle, entry.source, profile: profile),
                isBest: !profile.sendsPathIDs || best?.rawValue == slot,
                isWaiting: entry.isPending || group.isReplayDue(slot, to: peer))
        }
    }
}
