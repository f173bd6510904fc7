import NetTypes

/// A large community, three times four bytes (RFC 8092).
package struct LargeCommunity: Sendable, Hashable, CustomStringConvertible {
    package var globalAdministrator: UInt32
    package var localData1: UInt32
    package var localData2: UInt32
    package init(globalAdministrator: UInt32, localData1: UInt32, localData2: UInt32) {
        self.globalAdministrator = globalAdministrator
        self.localData1 = localData1
        self.localData2 = localData2
    }
    package var description: String { "\(globalAdministrator):\(localData1):\(localData2)" }
}

extension PathAttributes {
    mutating func readLargeCommunities(_ value: RawSpan) -> AttributeFault? {
        guard value.byteCount > 0, value.byteCount % 12 == 0 else {
            return .withdraw(.largeCommunities, "length is not a non-zero multiple of 12 (RFC 8092 6)")
        }
        var reader = ByteReader(value)
        while let a = reader.u32(), let b = reader.u32(), let c = reader.u32() {
            largeCommunities.append(LargeCommunity(globalAdministrator: a, localData1: b, localData2: c))
        }
        return nil
    }

    func writeLargeCommunities(into writer: inout ByteWriter) {
        guard !largeCommunities.isEmpty else { return }
        writer.attributeHeader(
            .largeCommunities, flags: optionalTransitive(.largeCommunities), length: largeCommunities.count * 12)
        for community in largeCommunities {
            writer.u32(community.globalAdministrator)
            writer.u32(community.localData1)
            writer.u32(community.localData2)
        }
    }
}
