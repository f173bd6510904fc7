import NetTypes

/// Whole BGP messages, encoded once and queued to every receiver by reference.
///
/// The bytes have a fixed address, so that many buffers can be written with one system call. Immutable, hence safe to share.
package final class MessageBuffer: @unchecked Sendable {
    package let bytes: UnsafeRawBufferPointer

    package init(_ source: [UInt8]) {
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 1)
        storage.copyBytes(from: source)
        bytes = UnsafeRawBufferPointer(storage)
    }

    deinit { bytes.deallocate() }
}

/// A buffer and who gets it.
package struct Delivery: Sendable {
    package enum Receivers: Sendable, Hashable {
        /// All members of the group but at most two: the one that the routes came from, and the one that is their next hop.
        case allBut(PeerIndex?, PeerIndex?)
        /// All members but the sources of the routes, which get buffers of their own.
        case allExcept(Set<PeerIndex>)
        case only([PeerIndex])
    }
    package let buffer: MessageBuffer
    package let group: Int
    package let receivers: Receivers
    /// Prefixes that the buffer withdraws, kept for members that are too slow to take it (see `UpdateGroup.detached`).
    package let withdrawn: [OutboundNLRI]
}
