package import NetTypes

/// What a group has told, or is about to tell, its members of one prefix. 8 bytes.
package struct AdjRIBOutEntry: Sendable, Equatable {
    /// Handle + 1; 0: not announced.
    var attributes: UInt32 = 0
    var source = PeerIndex.local
    var isPending = false

    package var isAnnounced: Bool { attributes != 0 }
    package var handle: AttributeHandle? { attributes == 0 ? nil : attributes - 1 }
    package var sourcePeer: PeerIndex { source }
}

/// Peers with the same export profile: one Adj-RIB-Out, one encoding of every UPDATE (DESIGN, 'Speed').
///
/// Problems it exists for: a reflector with 500 clients must not decide, encode and store 500 times; a client must not hear its own routes;
/// a slow member must not hold up the others, nor make us remember an unbounded queue; a member that joins must get the table while changes
/// go on.
///
/// Memory: 8 bytes per prefix and group, not per peer.
///
/// Behind a reference, because it is asked once per prefix: an optional element of an array is copied whole to be asked. Its arrays go without the
/// dynamic check of exclusive access: they are private, and no method calls anybody else while it changes them.
package final class UpdateGroup {
    package let profile: ExportProfile
    package private(set) var members: [PeerIndex] = []
    /// The state that members are to have, by prefix index, or with path identifiers by path slot. What they have been told so far is this,
    /// or in `pending`.
    @exclusivity(unchecked) private var entries: [AdjRIBOutEntry] = []
    /// With path identifiers: the prefix of each path slot that is announced or was.
    @exclusivity(unchecked) private var prefixes: [PrefixIndex] = []
    @exclusivity(unchecked) private var pending: [PendingUpdate] = []
    /// Prefixes announced; with path identifiers, paths.
    @exclusivity(unchecked) package private(set) var announcedCount = 0

    /// A prefix whose state changed since the members were last told, with what they were told then.
    struct PendingUpdate: Sendable {
        var slot: UInt32
        /// Handle + 1; 0: nothing. Holds a reference.
        var oldAttributes: UInt32
        var oldSource: PeerIndex
        /// What they are to have, filled in by `takePending`.
        var newAttributes: UInt32 = 0
        var newSource = PeerIndex.local
    }

    /// The prefix of an entry.
    func prefix(ofSlot slot: UInt32) -> PrefixIndex { profile.sendsPathIDs ? prefixes[Int(slot)] : slot }
    /// What is told of an entry beside its prefix: path slots, which are stable as long as the path is there (RFC 7911 section 2).
    func pathID(ofSlot slot: UInt32) -> UInt32 { profile.sendsPathIDs ? slot + 1 : 0 }

    /// A walk over the Adj-RIB-Out for members that have just come, or asked for a refresh (RFC 2918).
    struct Replay: Sendable {
        var members: [PeerIndex]
        var cursor: PrefixIndex = 0
    }
    private(set) var replay: Replay?
    private var waitingForReplay: [PeerIndex] = []

    package init(profile: ExportProfile) { self.profile = profile }

    /// When announcements may go out again (RFC 4271 9.2.1.1); nil: now.
    package private(set) var heldUntil: Instant?

    /// True where something may be told now.
    func hasPending(_ now: Instant) -> Bool {
        guard !pending.isEmpty else { return false }
        guard let heldUntil, heldUntil > now else { return true }
        // Withdrawals do not wait.
        return hasPendingWithdrawal
    }
    @exclusivity(unchecked) private var hasPendingWithdrawal = false
    package var hasPending: Bool { !pending.isEmpty }
    package var hasReplay: Bool { replay != nil || !waitingForReplay.isEmpty }
    package var pendingCount: Int { pending.count }

    /// Octets of memory: what grows with prefixes and members.
    package var memory: Int {
        entries.capacity * MemoryLayout<AdjRIBOutEntry>.stride + prefixes.capacity * 4 + pending.capacity * MemoryLayout<PendingUpdate>.stride
            + members.capacity * MemoryLayout<PeerIndex>.stride
    }

    // MARK: Members

    func join(_ peer: PeerIndex) {
        members.append(peer)
        waitingForReplay.append(peer)
    }

    func leave(_ peer: PeerIndex) {
        members.removeAll { $0 == peer }
        waitingForReplay.removeAll { $0 == peer }
        replay?.members.removeAll { $0 == peer }
        if replay?.members.isEmpty ?? false { replay = nil }
    }

    /// True where a replay for the member is still to begin.
    func isWaitingForReplay(_ peer: PeerIndex) -> Bool { waitingForReplay.contains(peer) }

    /// Tells a member everything again (RFC 2918 section 4).
    func requestReplay(_ peer: PeerIndex) {
        guard members.contains(peer), !waitingForReplay.contains(peer) else { return }
        waitingForReplay.append(peer)
    }

    /// The replay to go on with; members that wait start together.
    func currentReplay() -> Replay? {
        if replay == nil, !waitingForReplay.isEmpty {
            replay = Replay(members: waitingForReplay)
            waitingForReplay = []
        }
        return replay
    }

    func advanceReplay(to cursor: PrefixIndex?) {
        if let cursor { replay?.cursor = cursor } else { replay = nil }
    }

    // MARK: Adj-RIB-Out

    package func entry(_ slot: UInt32) -> AdjRIBOutEntry { Int(slot) < entries.count ? entries[Int(slot)] : AdjRIBOutEntry() }
    var entryCount: Int { entries.count }
    /// Entries of a range of prefix indices, for a replay.
    func entries(_ range: Range<Int>) -> ArraySlice<AdjRIBOutEntry> { entries[range] }

    /// Sets what members are to have. The caller has retained `attributes` for the entry; answers the handle whose reference the entry
    /// gives up, if it does.
    func set(
        _ slot: UInt32, _ attributes: AttributeHandle?, source: PeerIndex, prefix: PrefixIndex
    ) -> (changed: Bool, released: AttributeHandle?) {
        if entries.count <= Int(slot) {
            guard attributes != nil else { return (false, nil) }
            entries.append(contentsOf: repeatElement(AdjRIBOutEntry(), count: Int(slot) + 1 - entries.count))
        }
        if profile.sendsPathIDs {
            if prefixes.count < entries.count { prefixes.append(contentsOf: repeatElement(0, count: entries.count - prefixes.count)) }
            prefixes[Int(slot)] = prefix
        }
        let old = entries[Int(slot)]
        let new = attributes.map { $0 + 1 } ?? 0
        guard old.attributes != new || (new != 0 && old.source != source) else { return (false, nil) }
        entries[Int(slot)] = AdjRIBOutEntry(attributes: new, source: source, isPending: true)
        announcedCount += (new != 0 ? 1 : 0) - (old.attributes != 0 ? 1 : 0)
        if new == 0 { hasPendingWithdrawal = true }
        if old.isPending { return (true, old.handle) }
        // The reference that the entry held passes to the pending update, until the members were told.
        pending.append(PendingUpdate(slot: slot, oldAttributes: old.attributes, oldSource: old.source))
        return (true, nil)
    }

    /// What is to be told now; the caller tells all of it, and releases `oldAttributes`.
    func takePending(now: Instant = .zero) -> [PendingUpdate] {
        var taken: [PendingUpdate] = []
        swap(&taken, &pending)
        hasPendingWithdrawal = false
        if profile.minimumInterval > .zero {
            if let heldUntil, heldUntil > now {
                // The last choice is what will be told.
                pending = taken.filter { entries[Int($0.slot)].isAnnounced }
                taken.removeAll { entries[Int($0.slot)].isAnnounced }
            } else if !taken.isEmpty {
                // RFC 4271 10: with jitter of 0.75 to 1, made of the time, because nothing here may be random.
                let share = 768 + Int64((UInt64(bitPattern: now.nanoseconds) &* 0x9E37_79B9_7F4A_7C15) >> 56)
                heldUntil = now + .nanoseconds(profile.minimumInterval.nanoseconds / 1024 * share)
            }
        }
        for position in taken.indices {
            let slot = Int(taken[position].slot)
            entries[slot].isPending = false
            taken[position].newAttributes = entries[slot].attributes
            taken[position].newSource = entries[slot].source
        }
        return taken
    }

    /// The entry of a prefix that could not be told (an UPDATE too large for the members) is none.
    func forget(_ slot: UInt32) -> AttributeHandle? {
        let old = entries[Int(slot)]
        if old.isAnnounced { announcedCount -= 1 }
        entries[Int(slot)] = AdjRIBOutEntry()
        return old.handle
    }

    /// All handles that the group holds, when it is dissolved.
    func drain() -> [AttributeHandle] {
        let held = entries.compactMap(\.handle) + pending.compactMap { $0.oldAttributes == 0 ? nil : $0.oldAttributes - 1 }
        entries = []
        prefixes = []
        pending = []
        announcedCount = 0
        return held
    }
}
