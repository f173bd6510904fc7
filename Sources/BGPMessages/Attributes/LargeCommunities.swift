import NetTypes

/// A large community, three times four bytes (RFC 8092).
public struct LargeCommunity: Sendable, Hashable, CustomStringConvertible {
    public var globalAdministrator: UInt32
    public var localData1: UInt32
    public var localData2: UInt32
    public init(globalAdministrator: UInt32, localData1: UInt32, localData2: UInt32) {
        self.globalAdministrator = globalAdministrator
        self.localData1 = localData1
        self.localData2 = localData2
    }
    public var description: String { "\(globalAdministrator):\(localData1):\(localData2)" }
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
