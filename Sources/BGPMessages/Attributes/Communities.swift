import NetTypes

/// A community of four bytes, `AS:value` (RFC 1997).
public struct Community: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public init(_ high: UInt16, _ low: UInt16) { rawValue = UInt32(high) << 16 | UInt32(low) }
    /// RFC 8326: the sender will go away soon; take another path while there is one.
    public static let gracefulShutdown = Community(0xFFFF, 0)
    /// RFC 9494: kept beyond the restart of the peer that it came from.
    public static let llgrStale = Community(0xFFFF, 6)
    /// RFC 9494: not to be kept so long.
    public static let noLLGR = Community(0xFFFF, 7)
    /// RFC 7999: drop the traffic to this prefix.
    public static let blackhole = Community(0xFFFF, 666)
    public static let noExport = Community(0xFFFF, 0xFF01)
    public static let noAdvertise = Community(0xFFFF, 0xFF02)
    public static let noExportSubconfed = Community(0xFFFF, 0xFF03)
    public static func < (a: Community, b: Community) -> Bool { a.rawValue < b.rawValue }
    public var description: String {
        switch self {
        case .gracefulShutdown: "graceful-shutdown"
        case .llgrStale: "llgr-stale"
        case .noLLGR: "no-llgr"
        case .blackhole: "blackhole"
        case .noExport: "no-export"
        case .noAdvertise: "no-advertise"
        case .noExportSubconfed: "no-export-subconfed"
        default: "\(rawValue >> 16):\(rawValue & 0xFFFF)"
        }
    }
}

extension PathAttributes {
    mutating func readCommunities(_ value: RawSpan) -> AttributeFault? {
        guard value.byteCount > 0, value.byteCount % 4 == 0 else {
            return .withdraw(.communities, "length is not a non-zero multiple of 4 (RFC 7606 7.8)")
        }
        var reader = ByteReader(value)
        while let raw = reader.u32() { communities.append(Community(rawValue: raw)) }
        return nil
    }

    func writeCommunities(into writer: inout ByteWriter) {
        guard !communities.isEmpty else { return }
        writer.attributeHeader(.communities, flags: optionalTransitive(.communities), length: communities.count * 4)
        for community in communities { writer.u32(community.rawValue) }
    }
}
