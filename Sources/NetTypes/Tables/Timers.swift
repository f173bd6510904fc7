/// Deadlines by key, the earliest first: what a loop with thousands of peers asks instead of walking them all.
///
/// A binary heap with the place of each key beside it; inlinable, so that each module has it for its own keys. `next`
/// costs nothing, a change O(log n), and what is not due is not looked at.
public struct Timers<Key: Hashable & Sendable>: Sendable {
    @usableFromInline struct Entry: Sendable {
        @usableFromInline var deadline: Instant
        @usableFromInline var key: Key
        @inlinable init(deadline: Instant, key: Key) {
            self.deadline = deadline
            self.key = key
        }
    }

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var places: [Key: Int] = [:]

    @inlinable public init() {}

    @inlinable public var count: Int { heap.count }
    @inlinable public var isEmpty: Bool { heap.isEmpty }

    /// The earliest deadline.
    @inlinable public var next: Instant? { heap.first?.deadline }

    @inlinable public func deadline(of key: Key) -> Instant? { places[key].map { heap[$0].deadline } }

    /// Sets the deadline of a key, in place of the one that it had; nil takes it away.
    @inlinable public mutating func set(_ key: Key, _ deadline: Instant?) {
        guard let deadline else { return remove(key) }
        if let place = places[key] {
            let old = heap[place].deadline
            heap[place].deadline = deadline
            if deadline < old { rise(place) } else { sink(place) }
            return
        }
        heap.append(Entry(deadline: deadline, key: key))
        places[key] = heap.count - 1
        rise(heap.count - 1)
    }

    @inlinable public mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key) else { return }
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        places[last.key] = place
        rise(place)
        sink(places[last.key] ?? place)
    }

    /// Takes the key out whose deadline is the earliest, if it is due.
    @inlinable public mutating func takeDue(now: Instant) -> Key? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        remove(first.key)
        return first.key
    }

    /// Takes all keys out that are due, the earliest first, at most `budget` of them. What is set again meanwhile,
    /// however early, waits for the next call.
    @inlinable public mutating func takeAllDue(now: Instant, budget: Int = .max) -> [Key] {
        var due: [Key] = []
        while due.count < budget, let key = takeDue(now: now) { due.append(key) }
        return due
    }

    // MARK: The heap: no entry is earlier than its parent

    @inlinable mutating func rise(_ place: Int) {
        var place = place
        while place > 0, heap[place].deadline < heap[(place - 1) / 2].deadline {
            exchange(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    @inlinable mutating func sink(_ place: Int) {
        var place = place
        while true {
            var least = place
            for child in place * 2 + 1...place * 2 + 2
            where child < heap.count && heap[child].deadline < heap[least].deadline { least = child }
            guard least != place else { return }
            exchange(place, least)
            place = least
        }
    }

    @inlinable mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        places[heap[a].key] = a
        places[heap[b].key] = b
    }
}
