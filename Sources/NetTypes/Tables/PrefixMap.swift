/// Values by prefix, both families: a dictionary whose walk can be interrupted (`PrefixTable.visit`).
public struct PrefixMap<Value: Sendable>: ~Copyable, Sendable {
    private var tables: InlineArray<2, PrefixTable>
    private var values: InlineArray<2, [Value?]> = [[], []]

    public init(seed: UInt64) {
        tables = InlineArray { PrefixTable(family: AddressFamily.allCases[$0], seed: seed) }
    }

    public var count: Int { tables[0].count + tables[1].count }
    public var isEmpty: Bool { tables[0].count == 0 && tables[1].count == 0 }

    public subscript(prefix: Prefix) -> Value? {
        get {
            let family = prefix.family.index
            return tables[family].find(prefix).flatMap { values[family][Int($0)] }
        }
        set {
            let family = prefix.family.index
            if let newValue {
                let index = Int(tables[family].insert(prefix))
                while values[family].count <= index { values[family].append(nil) }
                values[family][index] = newValue
            } else if let index = tables[family].find(prefix) {
                values[family][Int(index)] = nil
                tables[family].remove(index)
                if tables[family].count == 0 { values[family] = [] }
            }
        }
    }

    /// Visits entries of a family as `PrefixTable.visit` does.
    public func visit(
        _ family: AddressFamily, overlapping wanted: Prefix?, from start: Int, budget: inout Int,
        _ body: (Prefix, Value) -> Bool
    ) -> Int? {
        tables[family.index].visit(overlapping: wanted, from: start, budget: &budget) { index, prefix in
            values[family.index][Int(index)].map { body(prefix, $0) } ?? true
        }
    }
}
