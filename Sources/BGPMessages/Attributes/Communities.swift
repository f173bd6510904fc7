import NetTypes

/// A community of four octets, `AS:value` (RFC 1997).
package struct Community: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ high: UInt16, _ low: UInt16) { rawValue = UInt32(high) << 16 | UInt32(low) }
    package static let noExport = Community(0xFFFF, 0xFF01)
    package static let noAdvertise = Community(0xFFFF, 0xFF02)
    package static let noExportSubconfed = Community(0xFFFF, 0xFF03)
    package static func < (a: Community, b: Community) -> Bool { a.rawValue < b.rawValue }
    package var description: String {
        switch self {
        case .noExport: "no-export"
        case .noAdvertise: "no-advertise"
        case .noExportSubconfed: "no-export-subconfed"
        default: "\(rawValue >> 16):\(rawValue & 0xFFFF)"
        }
    }
}

extension PathAttributes {
    mutating func readCommunities(_ value: UnsafeRawBufferPointer) -> AttributeFault? {
        guard value.count > 0, value.count % 4 == 0 else {
            return .withdraw(.communities, "length is not a non-zero multiple of 4 (RFC 7606 7.8)")
        }
        var reader = ByteReader(value)
        while let raw = reader.u32() { communities.append(Community(rawValue: raw)) }
        return nil
    }

    func writeCommunities(into writer: inout ByteWriter) {
        guard !communities.isEmpty else { return }
        writer.attributeHeader(.communities, flags: [.optional, .transitive], length: communities.count * 4)
        for community in communities { writer.u32(community.rawValue) }
    }
}
