/// One value per address family that cannot be copied, lent in place.
///
/// Why by address: a `_read` accessor of a stored struct moves the whole value to the stack and back at every access,
/// which was a tenth of a full table's time. The address stays in here: who reads one value borrows both.
@safe public struct PerFamily<Value: ~Copyable>: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<Value>

    /// Makes the value of each family.
    @inlinable public init(_ make: (AddressFamily) -> Value) {
        // Room for one value per family, each of which is initialized here.
        unsafe base = .allocate(capacity: AddressFamily.allCases.count)
        for family in AddressFamily.allCases { unsafe (base + family.index).initialize(to: make(family)) }
    }

    @inlinable deinit {
        unsafe base.deinitialize(count: AddressFamily.allCases.count)
        unsafe base.deallocate()
    }

    public subscript(family: AddressFamily) -> Value {
        @inlinable @inline(__always) unsafeAddress { unsafe UnsafePointer(base + family.index) }
        @inlinable @inline(__always) unsafeMutableAddress { unsafe base + family.index }
    }
}
