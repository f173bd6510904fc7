/// The number that a `PrefixTable` gave a prefix: dense from 0, so that it addresses flat arrays. Reused after removal.
package typealias PrefixIndex = UInt32

/// Prefixes of one family to dense indices: open addressing over packed keys with a seeded integer mix.
///
/// Why not `Dictionary`: SipHash on a prefix costs five to ten times this lookup, and a dense index lets every table that is keyed by a
/// prefix be a plain array. The mix is seeded, because peers choose the keys. Deletion shifts back, so there are no tombstones.
/// Cost: 12 bytes of keys and slots per IPv4 prefix at the fullest (load 3/4), 28 per IPv6 prefix.
package struct PrefixTable: Sendable {
    package let family: AddressFamily
    /// Prefixes present.
    package private(set) var count = 0
    /// One more than the highest index in use so far: the size of arrays that are addressed by index.
    package var capacity: Int { family == .ipv4 ? keys4.count : keys6.count }

    /// `address << 32 | length + 1`, 0 for a free index. The prefix is never packed to 0, because of the + 1.
    private var keys4: [UInt64] = []
    private var keys6: [Key6] = []
    /// Index + 1, 0 for empty. Its count is a power of two.
    private var slots: [UInt32]
    private var mask: Int
    private var free: [PrefixIndex] = []
    private let seed: UInt64
    /// How many prefixes of each length there are, for longest-prefix match.
    private var lengthCounts: [Int]

    private struct Key6: Sendable, Equatable {
        var high: UInt64
        var low: UInt64
        /// Length + 1; 0 for a free index.
        var length: UInt8
    }

    package init(family: AddressFamily, seed: UInt64) {
        self.family = family
        self.seed = seed
        slots = [UInt32](repeating: 0, count: 16)
        mask = 15
        lengthCounts = [Int](repeating: 0, count: family.bits + 1)
    }

    /// The index of a prefix, if present.
    package func find(_ prefix: Prefix) -> PrefixIndex? {
        var slot = Int(truncatingIfNeeded: hash(prefix)) & mask
        if family == .ipv4 {
            let key = PrefixTable.key4(prefix)
            while slots[slot] != 0 {
                if keys4[Int(slots[slot] - 1)] == key { return slots[slot] - 1 }
                slot = (slot + 1) & mask
            }
        } else {
            let key = PrefixTable.key6(prefix)
            while slots[slot] != 0 {
                if keys6[Int(slots[slot] - 1)] == key { return slots[slot] - 1 }
                slot = (slot + 1) & mask
            }
        }
        return nil
    }

    /// The index of a prefix, which is inserted if absent.
    package mutating func insert(_ prefix: Prefix) -> PrefixIndex {
        if let found = find(prefix) { return found }
        if (count + 1) * 4 > slots.count * 3 { grow() }
        let index: PrefixIndex
        if let reused = free.popLast() {
            index = reused
            if family == .ipv4 { keys4[Int(index)] = PrefixTable.key4(prefix) } else { keys6[Int(index)] = PrefixTable.key6(prefix) }
        } else if family == .ipv4 {
            index = PrefixIndex(keys4.count)
            keys4.append(PrefixTable.key4(prefix))
        } else {
            index = PrefixIndex(keys6.count)
            keys6.append(PrefixTable.key6(prefix))
        }
        place(index, hash(prefix))
        count += 1
        lengthCounts[Int(prefix.length)] += 1
        return index
    }

    /// Removes a prefix by its index; the index may be given to another prefix later. An index not in use is ignored.
    package mutating func remove(_ index: PrefixIndex) {
        guard let gone = prefix(at: index) else { return }
        var slot = Int(truncatingIfNeeded: hash(gone)) & mask
        while slots[slot] != index + 1 { slot = (slot + 1) & mask }
        // Backward shift: move each follower that would no longer be found into the hole.
        var hole = slot
        var next = (hole + 1) & mask
        while slots[next] != 0 {
            let home = Int(truncatingIfNeeded: hash(unchecked: slots[next] - 1)) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                slots[hole] = slots[next]
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
    package func prefix(at index: PrefixIndex) -> Prefix? {
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
    package func longestMatch(_ address: IPAddress, where accept: (PrefixIndex) -> Bool = { _ in true }) -> PrefixIndex? {
        guard address.family == family else { return nil }
        for length in stride(from: family.bits, through: 0, by: -1) where lengthCounts[length] > 0 {
            if let index = find(Prefix(address, length: length)), accept(index) { return index }
        }
        return nil
    }

    // MARK: Slots

    private mutating func place(_ index: PrefixIndex, _ hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = index + 1
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        mask = slots.count - 1
        for index in 0..<PrefixIndex(capacity) where isUsed(index) { place(index, hash(unchecked: index)) }
    }

    /// An emptied table gives its memory back.
    private mutating func releaseAll() {
        keys4 = []
        keys6 = []
        free = []
        slots = [UInt32](repeating: 0, count: 16)
        mask = 15
    }

    private func isUsed(_ index: PrefixIndex) -> Bool {
        family == .ipv4 ? keys4[Int(index)] != 0 : keys6[Int(index)].length != 0
    }

    // MARK: Hashing

    private static func key4(_ prefix: Prefix) -> UInt64 { prefix.high | UInt64(prefix.length) + 1 }
    private static func key6(_ prefix: Prefix) -> Key6 { Key6(high: prefix.high, low: prefix.low, length: prefix.length + 1) }

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
