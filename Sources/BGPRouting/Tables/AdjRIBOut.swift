import NetTypes

/// What a group has sent, or is about to send, its members for one prefix. 8 bytes.
public struct AdjRIBOutEntry: Sendable, Equatable {
    /// Handle + 1; 0: not announced.
    var attributes: UInt32 = 0
    var source = PeerIndex.local
    var isPending = false
    /// It was to be announced, and is not: the UPDATE is larger than the members take (RFC 8654 section 4).
    public internal(set) var isTooLarge = false

    public var isAnnounced: Bool { attributes != 0 }
    public var handle: AttributeHandle? { AttributeHandle(link: attributes) }
}

/// What the members of an update group are to have, and what they are still to be sent of it.
struct AdjRIBOut {
    /// By prefix index, or with path identifiers by path slot.
    private(set) var entries: [AdjRIBOutEntry] = []
    /// With path identifiers: the prefix of each path slot that is announced or was.
    private(set) var prefixes: [PrefixIndex] = []
    private(set) var pending: [PendingUpdate] = []
    private(set) var hasPendingWithdrawal = false
    /// Prefixes announced; with path identifiers, paths.
    private(set) var announcedCount = 0

    /// A prefix whose state changed since the members were last sent something, with what they were sent then.
    struct PendingUpdate: Sendable {
        var slot: UInt32
        /// Handle + 1; 0: nothing. Holds a reference.
        var oldAttributes: UInt32
        var oldSource: PeerIndex
        var oldHandle: AttributeHandle? { AttributeHandle(link: oldAttributes) }
        /// What they are to have, filled in by `takePending`.
        var newAttributes: UInt32 = 0
        var newSource = PeerIndex.local
    }

    /// Bytes of memory: what grows with prefixes.
    var memory: Int {
        entries.capacity * MemoryLayout<AdjRIBOutEntry>.stride + prefixes.capacity * 4 + pending.capacity
            * MemoryLayout<PendingUpdate>.stride
    }

    func entry(_ slot: UInt32) -> AdjRIBOutEntry { Int(slot) < entries.count ? entries[Int(slot)] : AdjRIBOutEntry() }

    /// Sets what members are to have. The caller has retained `attributes` for the entry; returns the handle whose
    /// reference the entry gives up, if it does. `prefix`: only with path identifiers.
    mutating func set(
        _ slot: UInt32, _ attributes: AttributeHandle?, source: PeerIndex, prefix: PrefixIndex?
    ) -> (changed: Bool, released: AttributeHandle?) {
        if entries.count <= Int(slot) {
            guard attributes != nil else { return (false, nil) }
            entries.append(contentsOf: repeatElement(AdjRIBOutEntry(), count: Int(slot) + 1 - entries.count))
        }
        if let prefix {
            if prefixes.count < entries.count {
                prefixes.append(contentsOf: repeatElement(PrefixIndex(0), count: entries.count - prefixes.count))
            }
            prefixes[Int(slot)] = prefix
        }
        let old = entries[Int(slot)]
        let new = attributes?.link ?? 0
        if old.isTooLarge, new == 0 { entries[Int(slot)].isTooLarge = false }
        guard old.attributes != new || (new != 0 && old.source != source) else { return (false, nil) }
        entries[Int(slot)] = AdjRIBOutEntry(attributes: new, source: source, isPending: true)
        announcedCount += (new != 0 ? 1 : 0) - (old.attributes != 0 ? 1 : 0)
        if new == 0 { hasPendingWithdrawal = true }
        if old.isPending { return (true, old.handle) }
        // The reference that the entry held passes to the pending update, until the members were sent it.
        pending.append(PendingUpdate(slot: slot, oldAttributes: old.attributes, oldSource: old.source))
        return (true, nil)
    }

    /// What is to be sent now; the caller sends all of it, and releases `oldAttributes`. Where announcements wait, only
    /// withdrawals are.
    mutating func takePending(announcementsWait: Bool) -> [PendingUpdate] {
        var taken: [PendingUpdate] = []
        swap(&taken, &pending)
        hasPendingWithdrawal = false
        if announcementsWait {
            // The last choice is what will be sent.
            pending = taken.filter { entries[Int($0.slot)].isAnnounced }
            taken.removeAll { entries[Int($0.slot)].isAnnounced }
        }
        for position in taken.indices {
            let slot = Int(taken[position].slot)
            entries[slot].isPending = false
            taken[position].newAttributes = entries[slot].attributes
            taken[position].newSource = entries[slot].source
        }
        return taken
    }

    /// The entry of a prefix that could not be sent (an UPDATE too large for the members) is none.
    mutating func forget(_ slot: UInt32) -> AttributeHandle? {
        let old = entries[Int(slot)]
        if old.isAnnounced { announcedCount -= 1 }
        entries[Int(slot)] = AdjRIBOutEntry(isTooLarge: true)
        return old.handle
    }

    /// Gives back unused entries at the end, and reserve. Only while nothing is pending.
    mutating func trim() {
        guard pending.isEmpty else { return }
        let end = entries.lastIndex { $0.isAnnounced }.map { $0 + 1 } ?? 0
        entries = Array(entries[..<end])
        prefixes = Array(prefixes.prefix(end))
        pending = []
    }

    /// All handles that the group holds, when it is dissolved.
    mutating func drain() -> [AttributeHandle] {
        let held =
            entries.compactMap(\.handle) + pending.compactMap(\.oldHandle)
        entries = []
        prefixes = []
        pending = []
        announcedCount = 0
        return held
    }
}
