package import BGPMessages
import LinuxIO
package import NetTypes

/// A table dump: TABLE_DUMP_V2 with RIB_IPV4_UNICAST and RIB_IPV6_UNICAST (RFC 6396 section 4.3), not compressed. Of
/// each prefix the first entry.
///
/// ```
/// | timestamp 4 | type 2 = 13 | subtype 2 | length 4 |  RIB: | sequence 4 | prefix length 1 | prefix | entries 2 |
/// entry: | peer index 2 | originated 4 | attribute length 2 | attributes |
/// ```
package struct MRTTable: Sendable {
    package private(set) var routes: [(prefix: Prefix, set: Int)] = []
    /// Without NEXT_HOP, LOCAL_PREF and what belongs to a session.
    package private(set) var sets: [PathAttributes] = []

    /// At most `limit` prefixes of each family. Throws where the file cannot be read, or is no such dump.
    package init(path: String, limit: Int, families: AddressFamilySet) throws(LoadError) {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readWholeFile(path) } catch {
            throw LoadError("--shape mrt:\(path): \(errorText(error.code))")
        }
        try self.init(bytes: bytes, name: path, limit: limit, families: families)
    }

    package init(bytes: [UInt8], name: String, limit: Int, families: AddressFamilySet) throws(LoadError) {
        if bytes.starts(with: [0x1F, 0x8B]) || bytes.starts(with: [0x42, 0x5A, 0x68]) {
            throw LoadError("\(name) is compressed; gunzip or bunzip2 it first")
        }
        var known: [PathAttributes: Int] = [:]
        var counts = [0, 0]
        let broken = bytes.withBytes { raw -> Int? in
            var reader = ByteReader(raw)
            while !reader.isEmpty {
                let offset = raw.byteCount - reader.remaining
                guard reader.u32() != nil, let type = reader.u16(), let subtype = reader.u16(),
                    let length = reader.u32(), let body = reader.take(Int(length))
                else { return offset }
                guard type == 13, subtype == 2 || subtype == 4 else { continue }
                let family: AddressFamily = subtype == 2 ? .ipv4 : .ipv6
                guard families.contains(family), counts[family.index] < limit else { continue }
                var record = ByteReader(body)
                guard record.u32() != nil, let prefix = NLRI.next(&record, family), let entries = record.u16(),
                    entries > 0, record.u16() != nil, record.u32() != nil,
                    let size = record.u16(), let block = record.take(Int(size))
                else { return offset }
                var set = UpdateValidation.decode(
                    MRTTable.withoutMPReach(block), AttributeContext(isInternal: true, isFourOctetAS: true)
                ).attributes
                guard set.origin != nil, set.asPath != nil else { continue }
                set.nextHop = nil
                set.localPref = nil
                set.originatorID = nil
                set.clusterList = []
                let number = known[set] ?? sets.count
                if number == sets.count {
                    known[set] = number
                    sets.append(set)
                }
                routes.append((prefix, number))
                counts[family.index] += 1
            }
            return nil
        }
        if let broken { throw LoadError("\(name): not an MRT record at byte \(broken) (RFC 6396 2)") }
        if routes.isEmpty {
            throw LoadError("\(name) has no route of a TABLE_DUMP_V2 (RFC 6396 4.3) in the families asked for")
        }
    }

    /// MP_REACH_NLRI is abbreviated in a dump (RFC 6396 4.3.4), and says nothing that is announced again.
    @_lifetime(copy block)
    private static func withoutMPReach(_ block: RawSpan) -> RawSpan {
        var reader = ByteReader(block)
        while !reader.isEmpty {
            let start = block.byteCount - reader.remaining
            guard let attribute = RawAttribute.next(&reader) else { return block }
            if attribute.type == .mpReachNLRI {
                // The last one as a rule; what follows it is not needed.
                return block.part(0, start)
            }
        }
        return block
    }
}
