/// One value for each of the two connections that a session may have for a moment (RFC 4271 section 6.8).
public struct PerSide<Value> {
    /// Of the connection that we opened, and of the one that the peer did.
    public var active: Value
    public var passive: Value

    public init(_ active: Value, _ passive: Value) {
        self.active = active
        self.passive = passive
    }

    public subscript(side: PeerFSM.Side) -> Value {
        get { side == .active ? active : passive }
        _modify {
            if side == .active { yield &active } else { yield &passive }
        }
    }
}

/// Both, the active one first, without memory of their own.
extension PerSide: Sequence {
    public struct Iterator: IteratorProtocol {
        fileprivate let values: PerSide
        fileprivate var side: PeerFSM.Side? = .active
        public mutating func next() -> Value? {
            guard let current = side else { return nil }
            side = current == .active ? .passive : nil
            return values[current]
        }
    }
    public func makeIterator() -> Iterator { Iterator(values: self) }
}

extension PerSide: Sendable where Value: Sendable {}
