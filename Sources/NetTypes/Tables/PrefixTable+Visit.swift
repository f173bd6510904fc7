/// Walks in pieces, for questions about a table that others go on changing.
///
/// Problems it exists for: a question must not cost a turn the size of the table, a walk that goes on must not start
/// again at the beginning, and what stays in the table during the whole walk must be seen exactly once, whatever comes
/// and goes meanwhile.
///
/// A position says where to go on. Over the whole table it is the index of a prefix. With `wanted` it counts this
/// sequence:
///
/// ```
/// | the prefixes that cover `wanted`, by their length: 0 ... its own | what lies inside it |
///                                                                      host bits <= 10: every prefix possible, shorter
///                                                                      ones first, looked up
///                                                                      else:            every index of the table
/// ```
/// The sequence depends on `wanted` alone, not on what the table has.
extension PrefixTable {
    /// Inside a prefix with so many host bits (an IPv4 /22, an IPv6 /118) all 2,046 prefixes are looked up; inside a
    /// larger one the table is walked.
    public static let mostHostBits = 10

    /// Visits the prefixes, or those that overlap `wanted`, from a position on, and looks at no more than `budget`
    /// places: fewer are left in it.
    ///
    /// Ends where the budget does, or where `body` returns false: then it had no room for that prefix. Returns the
    /// position to go on from, nil where nothing follows. Any position from 0 on is possible; one beyond the end has
    /// nothing behind it.
    public func visit(
        overlapping wanted: Prefix?, from start: Int, budget: inout Int, _ body: (PrefixIndex, Prefix) -> Bool
    ) -> Int? {
        guard let wanted else { return walk(from: start, budget: &budget, where: { _ in true }, body) }
        guard wanted.family == family else { return nil }
        let length = Int(wanted.length)
        var position = start
        while position <= length {
            guard budget > 0 else { return position }
            budget -= 1
            if !look(at: Prefix(wanted.address, length: position), body) { return position }
            position += 1
        }
        let inside = position - length - 1
        let next =
            family.bits - length <= PrefixTable.mostHostBits
            ? enumerate(wanted, from: inside, budget: &budget, body)
            : walk(from: inside, budget: &budget, where: { $0.length > wanted.length && wanted.contains($0) }, body)
        return next.map { $0 + length + 1 }
    }

    /// False where `body` had no room.
    private func look(at prefix: Prefix, _ body: (PrefixIndex, Prefix) -> Bool) -> Bool {
        guard lengthCounts[Int(prefix.length)] > 0, let index = find(prefix) else { return true }
        return body(index, prefix)
    }

    private func walk(
        from start: Int, budget: inout Int, where isWanted: (Prefix) -> Bool, _ body: (PrefixIndex, Prefix) -> Bool
    ) -> Int? {
        var position = start
        while position < capacity {
            guard budget > 0 else { return position }
            budget -= 1
            if let prefix = prefix(at: PrefixIndex(position)), isWanted(prefix), !body(PrefixIndex(position), prefix) {
                return position
            }
            position += 1
        }
        return nil
    }

    /// Longer prefixes inside `wanted`: the two with one bit more at 0 and 1, the four with two bits more at 2 to 5,
    /// and so on.
    private func enumerate(_ wanted: Prefix, from start: Int, budget: inout Int, _ body: (PrefixIndex, Prefix) -> Bool)
        -> Int?
    {
        let end = 1 << (family.bits - Int(wanted.length) + 1) - 2
        var position = start
        while position < end {
            let more = (position + 2).bitWidth - 1 - (position + 2).leadingZeroBitCount
            let length = Int(wanted.length) + more
            // Nothing of that length in the whole table.
            guard lengthCounts[length] > 0 else {
                position = 1 << (more + 1) - 2
                continue
            }
            guard budget > 0 else { return position }
            budget -= 1
            let number = UInt64(position + 2 - 1 << more)
            let address =
                family == .ipv4
                ? IPAddress(high: wanted.high | number << UInt64(64 - length), low: 0, family: family)
                : IPAddress(high: wanted.high, low: wanted.low | number << UInt64(128 - length), family: family)
            if !look(at: Prefix(address, length: length), body) { return position }
            position += 1
        }
        return nil
    }
}
