/// The number of a peer inside the routing core: dense, reused after the peer is gone. 0 is this speaker itself.
package struct PeerIndex: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    /// The source of routes that this speaker originates.
    package static let local = PeerIndex(rawValue: 0)
    package var index: Int { Int(rawValue) }
    package var description: String { String(rawValue) }
}
