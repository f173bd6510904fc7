/// The number of a peer inside the routing core: dense, reused after the peer is gone. 0 is this speaker itself.
public struct PeerIndex: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    /// The source of routes that this speaker originates.
    public static let local = PeerIndex(rawValue: 0)
    public var index: Int { Int(rawValue) }
    public var description: String { String(rawValue) }
}
