import NetTypes

/// Bytes on the heap in the smallest place: no reference count, no capacity, freed by whoever holds them.
///
/// The address never leaves: the bytes are lent as a span. The holder is `AttributeTable`, which cannot be copied,
/// frees what it holds exactly once, and lends a span only inside a closure, while it can change nothing.
@safe struct HeapBytes {
    private var base: UnsafeMutableRawPointer?
    private(set) var count: UInt32

    /// A copy.
    init(copying bytes: RawSpan) {
        count = UInt32(bytes.byteCount)
        // As large as what is copied into it.
        let base = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.byteCount, 1), alignment: 1)
        unsafe bytes.withUnsafeBytes {
            if let source = $0.baseAddress { unsafe base.copyMemory(from: source, byteCount: $0.count) }
        }
        unsafe self.base = base
    }

    /// The bytes; none once they were freed.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            guard let base = unsafe base else { return RawSpan() }
            // `count` bytes were allocated at `base` and written, and are freed by `free` alone, which needs exclusive
            // access.
            return unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: Int(count)), borrowing: self)
        }
    }

    mutating func free() {
        // Nil afterwards: freed once.
        unsafe base?.deallocate()
        unsafe base = nil
    }
}
