/// Whole messages, encoded once and queued to every receiver by reference: a copy of the buffer shares the bytes.
///
/// The bytes do not move, so that many buffers can be written with one system call. They are lent as a span, which the
/// compiler does not let outlive the buffer: a pointer taken from a temporary buffer once sent freed memory to a peer.
public struct MessageBuffer: Sendable {
    private let storage: [UInt8]

    /// Copies `source`; what it has reserved beyond its count is not kept.
    public init(_ source: [UInt8]) { storage = [UInt8](source.rawSpan) }

    public var count: Int { storage.count }

    /// The bytes, for as long as the buffer is borrowed.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get { storage.rawSpan }
    }
}
