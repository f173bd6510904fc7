/// A sorted map whose versions share what they have in common: a B-tree of nodes that never change.
///
/// Why not a dictionary: one pod's endpoint makes a new version of all objects while the routing thread still has the
/// old one, and a dictionary would be copied whole, and the old one be freed whole on that thread.
package struct SharedMap<Key: Comparable & Sendable, Value: Sendable>: Sendable {
    package struct Entry: Sendable {
        package let key: Key
        package let value: Value

        package init(key: Key, value: Value) {
            self.key = key
            self.value = value
        }
    }

    /// A leaf has entries, any other node children.
    private final class Node: Sendable {
        let entries: [Entry]
        let children: [Node]
        let last: Key

        init?(_ entries: [Entry]) {
            guard let last = entries.last else { return nil }
            (self.entries, children, self.last) = (entries, [], last.key)
        }
        init?(_ children: [Node]) {
            guard let last = children.last else { return nil }
            (entries, self.children, self.last) = ([], children, last.last)
        }
    }

    private var root: Node?
    /// Entries or children of a node at most.
    private static var width: Int { 64 }

    package init() {}

    /// Sorted, and no key twice. Cost: their number.
    package init(sorted entries: [Entry]) {
        var level = SharedMap.pieces(entries).compactMap { Node($0) }
        while level.count > 1 { level = SharedMap.pieces(level).compactMap { Node($0) } }
        root = level.first
    }

    /// Not full, so that the next insertion splits nothing.
    private static func pieces<Element>(_ all: [Element]) -> [[Element]] {
        stride(from: 0, to: all.count, by: width / 2).map { Array(all[$0..<min($0 + width / 2, all.count)]) }
    }

    /// The first position that the condition holds at; it holds at all that follow.
    private static func first<Element>(_ all: [Element], _ condition: (Element) -> Bool) -> Int {
        var (low, high) = (0, all.count)
        while low < high {
            let middle = (low + high) / 2
            if condition(all[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: One key

    /// Cost: the logarithm of the size.
    package subscript(key: Key) -> Value? {
        guard var node = root else { return nil }
        while !node.children.isEmpty {
            let position = SharedMap.first(node.children) { $0.last >= key }
            guard position < node.children.count else { return nil }
            node = node.children[position]
        }
        let position = SharedMap.first(node.entries) { $0.key >= key }
        return position < node.entries.count && node.entries[position].key == key ? node.entries[position].value : nil
    }

    /// Adds or replaces. Cost: a copy of the nodes on the way to the key; all others are shared with the map before.
    package mutating func set(_ key: Key, _ value: Value) {
        let entry = Entry(key: key, value: value)
        guard let old = root else {
            root = Node([entry])
            return
        }
        let nodes = SharedMap.setting(entry, in: old)
        root = nodes.count == 1 ? nodes[0] : Node(nodes)
    }

    /// What takes the place of a node: one, or its two halves.
    private static func setting(_ entry: Entry, in node: Node) -> [Node] {
        if node.children.isEmpty {
            var entries = node.entries
            let position = first(entries) { $0.key >= entry.key }
            if position < entries.count, entries[position].key == entry.key {
                entries[position] = entry
            } else {
                entries.insert(entry, at: position)
            }
            return halves(entries).compactMap { Node($0) }
        }
        var children = node.children
        let position = min(first(children) { $0.last >= entry.key }, children.count - 1)
        children.replaceSubrange(position...position, with: setting(entry, in: children[position]))
        return halves(children).compactMap { Node($0) }
    }

    private static func halves<Element>(_ all: [Element]) -> [[Element]] {
        all.count <= width ? [all] : [Array(all[..<(all.count / 2)]), Array(all[(all.count / 2)...])]
    }

    // MARK: In order

    /// Visits entries from a key on, in order, until the body returns false. Cost: those that are visited, and the
    /// logarithm of the size.
    package func visit(from start: Key? = nil, _ body: (Entry) -> Bool) {
        if let root { _ = SharedMap.visit(root, from: start, body) }
    }

    private static func visit(_ node: Node, from start: Key?, _ body: (Entry) -> Bool) -> Bool {
        let child = start.map { start in first(node.children) { $0.last >= start } } ?? 0
        for (number, child) in node.children[child...].enumerated() {
            guard visit(child, from: number == 0 ? start : nil, body) else { return false }
        }
        let position = start.map { start in first(node.entries) { $0.key >= start } } ?? 0
        for entry in node.entries[position...] where !body(entry) { return false }
        return true
    }

    /// All in order. Cost: their number.
    package var entries: [Entry] {
        var result: [Entry] = []
        visit {
            result.append($0)
            return true
        }
        return result
    }

    /// Entries and children of the nodes that this map does not share with another one: what was copied since.
    package func unshared(with other: SharedMap) -> Int {
        var known: Set<ObjectIdentifier> = []
        func collect(_ node: Node) {
            known.insert(ObjectIdentifier(node))
            for child in node.children { collect(child) }
        }
        if let root = other.root { collect(root) }
        func count(_ node: Node) -> Int {
            guard !known.contains(ObjectIdentifier(node)) else { return 0 }
            return node.entries.count + node.children.count + node.children.reduce(0) { $0 + count($1) }
        }
        return root.map(count) ?? 0
    }
}
