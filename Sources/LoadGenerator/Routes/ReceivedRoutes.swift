/// A set of small numbers, one bit each, that knows its size.
package struct NumberSet: Sendable, Equatable {
    /// Up to 64 numbers: those of a word whose bits are set.
    struct Word: Sendable {
        var index: Int
        var bits: UInt64
    }

    private var words: [UInt64]
    package private(set) var count = 0

    package init(capacity: Int) { words = [UInt64](repeating: 0, count: (capacity + 63) / 64) }

    package func contains(_ number: Int) -> Bool { words[number >> 6] >> UInt64(number & 63) & 1 == 1 }
    package mutating func insert(_ number: Int) { insert(Word(index: number >> 6, bits: 1 << UInt64(number & 63))) }
    package mutating func remove(_ number: Int) { remove(Word(index: number >> 6, bits: 1 << UInt64(number & 63))) }

    mutating func insert(_ word: Word) {
        count += (word.bits & ~words[word.index]).nonzeroBitCount
        words[word.index] |= word.bits
    }
    mutating func remove(_ word: Word) {
        count -= (word.bits & words[word.index]).nonzeroBitCount
        words[word.index] &= ~word.bits
    }
    mutating func subtract(_ range: Range<Int>) { for number in range { remove(number) } }

    /// How many numbers only this one has.
    package func countMissing(in other: NumberSet) -> Int {
        zip(words, other.words).reduce(0) { $0 + ($1.0 & ~$1.1).nonzeroBitCount }
    }
}

extension [NumberSet.Word] {
    /// Adds a number; neighbors share an element.
    mutating func add(_ number: Int) {
        let bit = UInt64(1) << UInt64(number & 63)
        if let last, last.index == number >> 6 {
            self[count - 1].bits |= bit
        } else {
            append(NumberSet.Word(index: number >> 6, bits: bit))
        }
    }
}

/// What a speaker announces itself, by words of a `NumberSet`: at most a range a family.
struct OwnRoutes {
    private let ranges: [Range<Int>]
    init(_ ranges: [Range<Int>]) { self.ranges = ranges.filter { !$0.isEmpty } }

    /// A word without them.
    func without(_ word: NumberSet.Word) -> NumberSet.Word {
        var result = word
        for range in ranges where word.index >= range.lowerBound >> 6 && word.index <= (range.upperBound - 1) >> 6 {
            let low = max(range.lowerBound - word.index << 6, 0)
            let high = min(range.upperBound - word.index << 6, 64)
            let below = high == 64 ? UInt64.max : (1 << UInt64(high)) - 1
            result.bits &= ~(below & ~((1 << UInt64(low)) - 1))
        }
        return result
    }
}

/// What one receiver holds: which routes are there, and which of them are right.
struct ReceivedRoutes {
    private(set) var present: NumberSet
    private(set) var right: NumberSet
    private(set) var announcements = 0
    private(set) var withdrawals = 0
    private(set) var updates = 0
    /// Prefixes that nobody announced.
    private(set) var unknown = 0
    /// Routes of its own that it was sent.
    private(set) var returned = 0
    /// With ADD-PATH: the route of a prefix and path identifier.
    private var paths: [UInt64: UInt32] = [:]
    private let hasPathIDs: Bool
    private let senders: Int

    init(capacity: Int, hasPathIDs: Bool, senders: Int) {
        present = NumberSet(capacity: capacity)
        right = NumberSet(capacity: capacity)
        self.hasPathIDs = hasPathIDs
        self.senders = senders
    }

    mutating func take(_ update: ReceivedUpdate, own: OwnRoutes) {
        updates += 1
        unknown += update.unknown
        withdrawals += update.withdrawn.count
        announcements += update.announced.count
        if hasPathIDs {
            for item in update.withdrawn {
                if let number = paths.removeValue(forKey: key(item, prefix: Int(item.number))) { forget(Int(number)) }
            }
            for item in update.announced {
                let key = key(item, prefix: Int(item.number) / senders)
                if let old = paths.updateValue(item.number, forKey: key), old != item.number { forget(Int(old)) }
            }
        } else {
            for word in update.withdrawnWords {
                present.remove(word)
                right.remove(word)
            }
        }
        for received in update.rightWords {
            let word = own.without(received)
            if word.bits != received.bits { returned += (received.bits ^ word.bits).nonzeroBitCount }
            present.insert(word)
            right.insert(word)
        }
        for received in update.wrongWords {
            let word = own.without(received)
            if word.bits != received.bits { returned += (received.bits ^ word.bits).nonzeroBitCount }
            present.insert(word)
            right.remove(word)
        }
    }

    private mutating func forget(_ number: Int) {
        present.remove(number)
        right.remove(number)
    }

    private func key(_ item: ReceivedUpdate.Item, prefix: Int) -> UInt64 { UInt64(prefix) << 32 | UInt64(item.pathID) }

    /// A phase begins: what is there stays, what was counted does not.
    mutating func resetCounters() {
        announcements = 0
        withdrawals = 0
        updates = 0
        unknown = 0
        returned = 0
    }
}
