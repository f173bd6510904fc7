public import NetTypes

/// A buffer and who gets it.
public struct Delivery: Sendable {
    public enum Receivers: Sendable, Hashable {
        /// All members of the group but at most two: the one that the routes came from, and the one that is their next
        /// hop.
        case allBut(PeerIndex?, PeerIndex?)
        /// All members but the sources of the routes, which get buffers of their own.
        case allExcept(Set<PeerIndex>)
        case only([PeerIndex])
    }
    public let buffer: MessageBuffer
    public let group: Int
    public let receivers: Receivers
    /// Prefixes that the buffer withdraws, kept for members that are too slow to take it (see `UpdateGroup.detached`).
    public let withdrawn: [OutboundNLRI]
}
