/// Prefixes of one family to dense indices: open addressing over packed keys with a seeded integer mix.
///
/// Why not `Dictionary`: SipHash on a prefix costs five to ten times this lookup, and a dense index lets every table
/// that is keyed by a prefix be a plain array. The mix is seeded, because peers choose the keys. Deletion shifts back,
/// so there are no tombstones.
/// Cost: 12 bytes of keys and slots per IPv4 prefix at the fullest (load 3/4), 28 per IPv6 prefix.
///
/// A key's home is the slot that the highest `slotBits` of its hash number. A slot, from the low bits, has `index + 1`,
/// how far it is from its key's home, and the bits of the hash that follow the home's. So a probe reads the key of
/// another prefix once in 64 times (at a million prefixes), and deletion and growth read none: each would be a cache
/// miss.
///
/// ```
/// | tag: what is left | distance 5 (31: look it up) | index + 1: slotBits |      0: empty
/// ```
public struct PrefixTable: ~Copyable, Sendable {
    public let family: AddressFamily
    /// Prefixes present.
    public private(set) var count = 0
    /// One more than the highest index in use so far: the size of arrays that are addressed by index.
    public var capacity: Int { family == .ipv4 ? keys4.count : keys6.count }

    /// `address << 32 | length + 1`, 0 for a free index. The prefix is never packed to 0, because of the + 1.
    private var keys4: [UInt64] = []
    private var keys6: [Key6] = []
    /// See above. Its count is `1 << slotBits`.
    private var slots: [UInt32]
    private var slotBits: Int
    private var mask: Int
    private var free: [PrefixIndex] = []
    private let seed: UInt64
    /// How many prefixes of each length there are, for longest-prefix match.
    private(set) var lengthCounts: [Int]

    private struct Key6: Sendable, Equatable {
        var high: UInt64
        var low: UInt64
        /// Length + 1; 0 for a free index.
        var length: UInt8
    }

    public init(family: AddressFamily, seed: UInt64) {
        self.family = family
        self.seed = seed
        slots = [UInt32](repeating: 0, count: 1 << PrefixTable.smallest)
        slotBits = PrefixTable.smallest
        mask = slots.count - 1
        lengthCounts = [Int](repeating: 0, count: family.bits + 1)
    }

    /// The index of a prefix, if present.
    public func find(_ prefix: Prefix) -> PrefixIndex? { find(prefix, hash(prefix)) }

    private func find(_ prefix: Prefix, _ hash: UInt64) -> PrefixIndex? {
        var slot = home(hash)
        let tag = tag(hash)
        if family == .ipv4 {
            let key = PrefixTable.key4(prefix)
            while slots[slot] != 0 {
                let entry = slots[slot]
                if entry >> tagShift == tag, keys4[Int(index(entry))] == key { return index(entry) }
                slot = (slot + 1) & mask
            }
        } else {
            let key = PrefixTable.key6(prefix)
            while slots[slot] != 0 {
                let entry = slots[slot]
                if entry >> tagShift == tag, keys6[Int(index(entry))] == key { return index(entry) }
                slot = (slot + 1) & mask
            }
        }
        return nil
    }

    /// The index of a prefix, which is inserted if absent.
    public mutating func insert(_ prefix: Prefix) -> PrefixIndex {
        let hash = hash(prefix)
        if let found = find(prefix, hash) { return found }
        if (count + 1) * 4 > slots.count * 3 { grow() }
        let index: PrefixIndex
        if let reused = free.popLast() {
            index = reused
            if family == .ipv4 {
                keys4[Int(index)] = PrefixTable.key4(prefix)
            } else {
                keys6[Int(index)] = PrefixTable.key6(prefix)
            }
        } else if family == .ipv4 {
            index = PrefixIndex(keys4.count)
            keys4.append(PrefixTable.key4(prefix))
        } else {
            index = PrefixIndex(keys6.count)
            keys6.append(PrefixTable.key6(prefix))
        }
        place(index, tag(hash), home: home(hash))
        count += 1
        lengthCounts[Int(prefix.length)] += 1
        return index
    }

    /// Removes a prefix by its index; the index may be given to another prefix later. An index not in use is ignored.
    public mutating func remove(_ index: PrefixIndex) {
        guard let gone = prefix(at: index) else { return }
        var hole = home(hash(gone))
        while slots[hole] == 0 || self.index(slots[hole]) != index { hole = (hole + 1) & mask }
        // Backward shift: move each follower that would no longer be found into the hole.
        var next = (hole + 1) & mask
        while slots[next] != 0 {
            let distance = distance(at: next)
            let gap = (next &- hole) & mask
            if distance >= gap {
                slots[hole] = moved(slots[next], to: distance - gap)
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = 0
        if family == .ipv4 { keys4[Int(index)] = 0 } else { keys6[Int(index)] = Key6(high: 0, low: 0, length: 0) }
        free.append(index)
        count -= 1
        lengthCounts[Int(gone.length)] -= 1
        if count == 0 { releaseAll() }
    }

    /// The prefix that has an index, nil if the index is free.
    public func prefix(at index: PrefixIndex) -> Prefix? {
        guard Int(index) < capacity else { return nil }
        if family == .ipv4 {
            let key = keys4[Int(index)]
            guard key != 0 else { return nil }
            return Prefix(IPAddress(v4: UInt32(truncatingIfNeeded: key >> 32)), length: Int(key & 0xFF) - 1)
        }
        let key = keys6[Int(index)]
        guard key.length != 0 else { return nil }
        return Prefix(IPAddress(high: key.high, low: key.low), length: Int(key.length) - 1)
    }

    /// The longest prefix that contains an address and satisfies `accept`: one lookup per length that occurs.
    public func longestMatch(_ address: IPAddress, where accept: (PrefixIndex) -> Bool = { _ in true }) -> PrefixIndex?
    {
        guard address.family == family else { return nil }
        for length in stride(from: family.bits, through: 0, by: -1) where lengthCounts[length] > 0 {
            if let index = find(Prefix(address, length: length)), accept(index) { return index }
        }
        return nil
    }

    /// Bytes of memory, what is reserved for growth included.
    public var memory: Int {
        keys4.capacity * MemoryLayout<UInt64>.stride + keys6.capacity * MemoryLayout<Key6>.stride + slots.capacity * 4
            + free.capacity * 4
    }

    // MARK: Shrinking

    /// Gives back what a table that shrank does not need: unused indices at the end, slots, and reserve for growth.
    /// Indices in use stay as they are, and the lowest unused ones are given out first from now on, so that the end
    /// becomes free. Cost: a walk over the table.
    public mutating func trim() {
        var end = capacity
        while end > 0, !isUsed(PrefixIndex(end - 1)) { end -= 1 }
        if family == .ipv4 { keys4 = Array(keys4[..<end]) } else { keys6 = Array(keys6[..<end]) }
        free = free.filter { Int($0) < end }.sorted(by: >)
        var bits = PrefixTable.smallest
        while (count + 1) * 4 > (1 << bits) * 3 { bits += 1 }
        guard bits < slotBits else { return }
        slotBits = bits
        slots = [UInt32](repeating: 0, count: 1 << bits)
        mask = slots.count - 1
        for index in PrefixIndex.all(below: end) where isUsed(index) {
            let hash = hash(unchecked: index)
            place(index, tag(hash), home: home(hash))
        }
    }

    // MARK: Slots

    private static let smallest = 4
    private static let distanceBits = 5
    /// A distance that does not fit: the key has it.
    private static let far = 1 << distanceBits - 1
    private var tagShift: UInt32 { UInt32(slotBits + PrefixTable.distanceBits) }

    private func index(_ entry: UInt32) -> PrefixIndex { PrefixIndex(rawValue: entry & UInt32(mask) - 1) }
    private func home(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> UInt64(64 - slotBits)) }
    private func tag(_ hash: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: (hash << UInt64(slotBits)) >> 32) >> tagShift
    }

    /// How far a slot in use is from its key's home.
    private func distance(at slot: Int) -> Int {
        let stored = Int(slots[slot] >> UInt32(slotBits)) & PrefixTable.far
        if stored < PrefixTable.far { return stored }
        return (slot &- home(hash(unchecked: index(slots[slot])))) & mask
    }

    private func moved(_ entry: UInt32, to distance: Int) -> UInt32 {
        entry & ~(UInt32(PrefixTable.far) << UInt32(slotBits)) | UInt32(min(distance, PrefixTable.far))
            << UInt32(slotBits)
    }

    private mutating func place(_ index: PrefixIndex, _ tag: UInt32, home: Int) {
        var slot = home
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = moved(tag << tagShift | index.link, to: (slot &- home) & mask)
    }

    /// Twice the slots: the first bit of a tag becomes the last bit of the home. Both tables are walked in the order of
    /// memory.
    private mutating func grow() {
        precondition(slotBits + PrefixTable.distanceBits < 32, "more than 100 million prefixes")
        var old = PrefixTable(family: family, seed: seed)
        swap(&old.slots, &slots)
        swap(&old.slotBits, &slotBits)
        swap(&old.mask, &mask)
        slotBits = old.slotBits + 1
        slots = [UInt32](repeating: 0, count: 1 << slotBits)
        mask = slots.count - 1
        let tagBits = UInt32(32 - slotBits - PrefixTable.distanceBits)
        for slot in old.slots.indices where old.slots[slot] != 0 {
            let index = old.index(old.slots[slot])
            let distance = Int(old.slots[slot] >> UInt32(old.slotBits)) & PrefixTable.far
            guard distance < PrefixTable.far else {
                let hash = hash(unchecked: index)
                place(index, tag(hash), home: home(hash))
                continue
            }
            let tag = old.slots[slot] >> old.tagShift
            let home = ((slot &- distance) & old.mask) << 1 | Int(tag >> tagBits)
            place(index, tag & (1 << tagBits - 1), home: home)
        }
    }

    // MARK: Warming

    /// Reads the slot of a prefix that is about to be looked up. Independent reads overlap, those of look-ups hardly: a
    /// batch that is warmed first waits for several lines of memory at a time, and not for one after another. Returns
    /// something, so that the read happens.
    public func prefetch(_ prefix: Prefix) -> UInt32 { slots[home(hash(prefix))] }
    /// The same for an index that is about to be removed.
    public func prefetch(_ index: PrefixIndex) -> UInt32 { slots[home(hash(unchecked: index))] }

    /// An emptied table gives its memory back.
    private mutating func releaseAll() {
        keys4 = []
        keys6 = []
        free = []
        slotBits = PrefixTable.smallest
        slots = [UInt32](repeating: 0, count: 1 << slotBits)
        mask = slots.count - 1
    }

    private func isUsed(_ index: PrefixIndex) -> Bool {
        family == .ipv4 ? keys4[Int(index)] != 0 : keys6[Int(index)].length != 0
    }

    // MARK: Hashing

    private static func key4(_ prefix: Prefix) -> UInt64 { prefix.high | UInt64(prefix.length) + 1 }
    private static func key6(_ prefix: Prefix) -> Key6 {
        Key6(high: prefix.high, low: prefix.low, length: prefix.length + 1)
    }

    private func hash(_ prefix: Prefix) -> UInt64 {
        family == .ipv4
            ? PrefixTable.mix(PrefixTable.key4(prefix) ^ seed)
            : PrefixTable.mix(PrefixTable.mix(prefix.high ^ seed) ^ prefix.low ^ UInt64(prefix.length + 1) << 56)
    }

    private func hash(unchecked index: PrefixIndex) -> UInt64 {
        if family == .ipv4 { return PrefixTable.mix(keys4[Int(index)] ^ seed) }
        let key = keys6[Int(index)]
        return PrefixTable.mix(PrefixTable.mix(key.high ^ seed) ^ key.low ^ UInt64(key.length) << 56)
    }

    /// A multiply-xor mix; wrapping on purpose.
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 32)) &* 0xD6E8_FEB8_6659_FD93
        z = (z ^ (z >> 32)) &* 0xD6E8_FEB8_6659_FD93
        return z ^ (z >> 32)
    }
}
