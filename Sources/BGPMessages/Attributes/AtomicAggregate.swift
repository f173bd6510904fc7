import NetTypes

/// ATOMIC_AGGREGATE (RFC 4271 section 5.1.6): no value.
extension PathAttributes {
    mutating func readAtomicAggregate(_ value: RawSpan) -> AttributeFault? {
        guard value.isEmpty else { return .discard(.atomicAggregate, "length is not 0 (RFC 7606 7.6)") }
        atomicAggregate = true
        return nil
    }

    func writeAtomicAggregate(into writer: inout ByteWriter) {
        if atomicAggregate { writer.attributeHeader(.atomicAggregate, flags: .transitive, length: 0) }
    }
}
