public import NetTypes

/// Peers with the same export profile: one Adj-RIB-Out, one encoding of every UPDATE (docs/ARCHITECTURE.md).
///
/// Problems it exists for: a reflector with 500 clients must not decide, encode and store 500 times; a client must not
/// hear its own routes; a slow member must not hold up the others, nor make us remember an unbounded queue; a member
/// that joins must get the table while changes go on.
///
/// Memory: 8 bytes per prefix and group, not per peer.
///
/// Behind a reference, because it is asked once per prefix: an optional element of an array is copied whole to be
/// asked. What changes with every prefix is one value, `table`.
public final class UpdateGroup {
    public let profile: ExportProfile
    public private(set) var members: [PeerIndex] = []
    /// The state that members are to have. What they have been sent so far is this, or what it has pending.
    private var table: AdjRIBOut {
        @inline(__always) _read { yield unsafe uncheckedTable }
        @inline(__always) _modify { yield unsafe &uncheckedTable }
    }
    /// Without the dynamic check of exclusive access, which every route would pay: it is read and changed by `table`
    /// alone, and no method of it calls anybody else.
    @exclusivity(unchecked) private var uncheckedTable = AdjRIBOut()
    public var announcedCount: Int { table.announcedCount }

    /// The prefix of an entry.
    func prefix(ofSlot slot: UInt32) -> PrefixIndex {
        profile.sendsPathIDs ? table.prefixes[Int(slot)] : PrefixIndex(rawValue: slot)
    }
    /// What is sent for an entry beside its prefix: path slots, which are stable as long as the path is there (RFC 7911
    /// section 2).
    func pathID(ofSlot slot: UInt32) -> UInt32 { profile.sendsPathIDs ? slot + 1 : 0 }

    /// A walk over the Adj-RIB-Out for members that have just come, or asked for a refresh (RFC 2918).
    struct Replay: Sendable {
        var members: [PeerIndex]
        var cursor: UInt32 = 0
    }
    private(set) var replay: Replay?
    private var waitingForReplay: [PeerIndex] = []

    public init(profile: ExportProfile) { self.profile = profile }

    /// When announcements may go out again (RFC 4271 9.2.1.1); nil: now.
    public private(set) var heldUntil: Instant?

    /// True where something may be sent now.
    func hasPending(_ now: Instant) -> Bool {
        guard !table.pending.isEmpty else { return false }
        guard let heldUntil, heldUntil > now else { return true }
        // Withdrawals do not wait.
        return table.hasPendingWithdrawal
    }
    public var hasPending: Bool { !table.pending.isEmpty }
    public var hasReplay: Bool { replay != nil || !waitingForReplay.isEmpty }
    public var pendingCount: Int { table.pending.count }

    /// Bytes of memory: what grows with prefixes and members.
    public var memory: Int {
        table.memory + members.capacity * MemoryLayout<PeerIndex>.stride
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

    /// True where a replay for the member has not come to an entry yet.
    func isReplayDue(_ slot: UInt32, to peer: PeerIndex) -> Bool {
        if isWaitingForReplay(peer) { return true }
        guard let replay, slot >= replay.cursor else { return false }
        return replay.members.contains(peer)
    }

    /// Sends a member everything again (RFC 2918 section 4).
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

    func advanceReplay(to cursor: UInt32?) {
        if let cursor { replay?.cursor = cursor } else { replay = nil }
    }

    // MARK: Adj-RIB-Out

    public func entry(_ slot: UInt32) -> AdjRIBOutEntry { table.entry(slot) }
    var entryCount: Int { table.entries.count }
    /// Entries of a range of prefix indices, for a replay.
    func entries(_ range: Range<Int>) -> ArraySlice<AdjRIBOutEntry> { table.entries[range] }

    /// See `AdjRIBOut.set`.
    func set(
        _ slot: UInt32, _ attributes: AttributeHandle?, source: PeerIndex, prefix: PrefixIndex
    ) -> (changed: Bool, released: AttributeHandle?) {
        table.set(slot, attributes, source: source, prefix: profile.sendsPathIDs ? prefix : nil)
    }

    /// What is to be sent now; the caller sends all of it, and releases `oldAttributes`.
    func takePending(now: Instant = .zero) -> [AdjRIBOut.PendingUpdate] {
        var announcementsWait = false
        if profile.minimumInterval > .zero {
            if let heldUntil, heldUntil > now {
                announcementsWait = true
            } else if hasPending {
                // RFC 4271 10: with jitter of 0.75 to 1, made of the time, because nothing here may be random.
                let share = 768 + Int64((UInt64(bitPattern: now.nanoseconds) &* 0x9E37_79B9_7F4A_7C15) >> 56)
                heldUntil = now + .nanoseconds(profile.minimumInterval.nanoseconds / 1024 * share)
            }
        }
        return table.takePending(announcementsWait: announcementsWait)
    }

    /// The entry of a prefix that could not be sent (an UPDATE too large for the members) is none.
    func forget(_ slot: UInt32) -> AttributeHandle? { table.forget(slot) }

    /// See `AdjRIBOut.trim`.
    func trim() { table.trim() }

    /// All handles that the group holds, when it is dissolved.
    func drain() -> [AttributeHandle] { table.drain() }
}
