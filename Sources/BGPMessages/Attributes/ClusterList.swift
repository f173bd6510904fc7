import NetTypes

/// CLUSTER_LIST (RFC 4456 section 8): the cluster ids that a route was reflected through, the last one first.
extension PathAttributes {
    mutating func readClusterList(_ value: RawSpan, _ context: AttributeContext) -> AttributeFault? {
        guard context.isInternal else { return .discard(.clusterList, "from an external peer (RFC 7606 7.10)") }
        guard value.byteCount > 0, value.byteCount % 4 == 0 else {
            return .withdraw(.clusterList, "length is not a non-zero multiple of 4 (RFC 7606 7.10)")
        }
        var reader = ByteReader(value)
        while let raw = reader.u32() { clusterList.append(BGPIdentifier(rawValue: raw)) }
        return nil
    }

    func writeClusterList(into writer: inout ByteWriter) {
        guard !clusterList.isEmpty else { return }
        writer.attributeHeader(.clusterList, flags: .optional, length: clusterList.count * 4)
        for cluster in clusterList { writer.u32(cluster.rawValue) }
    }
}
