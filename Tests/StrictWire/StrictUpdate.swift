/// What an UPDATE of ours must be (RFC 4271 4.3, RFC 4760, RFC 7606 5.1).
enum StrictUpdate {
    /// What the two OPENs agreed on, from the sender's side.
    struct Session {
        var isInternal: Bool
        var bytesOfAS: Int
        var families: Set<FamilyCode>
        var addPath: Set<FamilyCode>
        var hasExtendedNextHop: Bool

        init(_ own: OpenFacts, _ peer: OpenFacts) {
            isInternal = own.asNumber == peer.asNumber
            bytesOfAS = own.isFourOctetAS && peer.isFourOctetAS ? 4 : 2
            families = own.families.intersection(peer.families)
            // RFC 7911 4: we send and the peer receives.
            addPath = Set(
                own.addPath.filter { family, mode in mode & 2 != 0 && (peer.addPath[family] ?? 0) & 1 != 0 }.keys)
            hasExtendedNextHop = own.takesExtendedNextHop && peer.takesExtendedNextHop
        }
    }

    /// The first thing that is wrong with a whole UPDATE; nil for nothing.
    static func violation(in message: [UInt8], _ session: Session) -> String? {
        var rest = message[19...]
        guard let withdrawn = field(&rest), let attributes = field(&rest) else {
            return "the lengths of an UPDATE do not add up (RFC 4271 4.3)"
        }
        let nlri = rest
        if !withdrawn.isEmpty || !nlri.isEmpty, !session.families.contains(.ipv4) {
            return "IPv4 prefixes, which were not agreed on (RFC 4760 8)"
        }
        if let problem = prefixes(withdrawn, .ipv4, session) ?? prefixes(nlri, .ipv4, session) { return problem }
        var reader = AttributeReader(session)
        if let problem = reader.read(attributes) { return problem }
        // RFC 7606 5.1: one of the four fields in a message.
        let kinds = [!withdrawn.isEmpty, !nlri.isEmpty, reader.hasReach, reader.hasUnreach].count { $0 }
        if kinds > 1 { return "more than one field with prefixes in an UPDATE (RFC 7606 5.1)" }
        if !nlri.isEmpty || reader.hasReach {
            for (type, name) in [(1, "ORIGIN"), (2, "AS_PATH")] as [(UInt8, String)] where !reader.types.contains(type)
            {
                return "\(name) is missing (RFC 4271 5)"
            }
            if !nlri.isEmpty, !reader.types.contains(3) { return "NEXT_HOP is missing (RFC 4271 5)" }
            if session.isInternal, !reader.types.contains(5) {
                return "LOCAL_PREF is missing inside the AS (RFC 4271 5.1.5)"
            }
        } else if kinds == 0, !message[19...].allSatisfy({ $0 == 0 }) {
            return "attributes without a prefix"
        }
        return nil
    }

    private static func field(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let high = bytes.popFirst(), let low = bytes.popFirst() else { return nil }
        let length = Int(high) << 8 | Int(low)
        guard bytes.count >= length else { return nil }
        defer { bytes = bytes.dropFirst(length) }
        return bytes.prefix(length)
    }

    /// Prefixes of a family, with path identifiers where they were agreed on; bits beyond the length are zero.
    static func prefixes(_ field: ArraySlice<UInt8>, _ family: FamilyCode, _ session: Session) -> String? {
        var rest = field
        let bits = family.afi == 1 ? 32 : 128
        while !rest.isEmpty {
            if session.addPath.contains(family) {
                guard rest.count >= 4 else { return "a path identifier is cut off (RFC 7911 3)" }
                rest = rest.dropFirst(4)
            }
            guard let length = rest.popFirst().map(Int.init), length <= bits else {
                return "a prefix longer than \(bits) bits (RFC 4271 4.3)"
            }
            let size = (length + 7) / 8
            guard rest.count >= size else { return "a prefix is cut off (RFC 4271 4.3)" }
            if length % 8 != 0, let last = rest.prefix(size).last, last & (0xFF >> UInt8(length % 8)) != 0 {
                return "bits beyond a prefix's length are not zero"
            }
            rest = rest.dropFirst(size)
        }
        return nil
    }
}

/// The attribute block, attribute by attribute.
private struct AttributeReader {
    let session: StrictUpdate.Session
    var types: Set<UInt8> = []
    var hasReach = false
    var hasUnreach = false
    private var last: UInt8 = 0

    init(_ session: StrictUpdate.Session) { self.session = session }

    mutating func read(_ block: ArraySlice<UInt8>) -> String? {
        var rest = block
        while !rest.isEmpty {
            guard let flags = rest.popFirst(), let type = rest.popFirst(), var length = rest.popFirst().map(Int.init)
            else {
                return "an attribute's header is cut off (RFC 4271 4.3)"
            }
            if flags & 0x10 != 0 {
                guard let low = rest.popFirst() else { return "an attribute's header is cut off (RFC 4271 4.3)" }
                length = length << 8 | Int(low)
            }
            guard rest.count >= length else { return "attribute \(type) overruns the block (RFC 4271 4.3)" }
            let value = rest.prefix(length)
            rest = rest.dropFirst(length)
            if let problem = check(flags, type, value) { return "attribute \(type): \(problem)" }
        }
        return nil
    }

    private mutating func check(_ flags: UInt8, _ type: UInt8, _ value: ArraySlice<UInt8>) -> String? {
        guard types.insert(type).inserted else { return "twice (RFC 4271 5)" }
        if flags & 0x0F != 0 { return "unused flag bits are set: \(String(flags, radix: 16)) (RFC 4271 4.3)" }
        // RFC 4271 5: ascending; RFC 7606 5.1: the multiprotocol ones first.
        if type != 14, type != 15 {
            if type < last { return "after attribute \(last) (RFC 4271 5)" }
            last = type
        } else if types.count > 1 {
            return "not the first one (RFC 7606 5.1)"
        }
        let kind = flags & 0xC0
        let isPartial = flags & 0x20 != 0
        if isPartial, kind != 0xC0 { return "Partial on what is not optional transitive (RFC 4271 4.3)" }
        let prescribed: UInt8?
        switch type {
        case 1, 2, 3, 5, 6: prescribed = 0x40
        case 4, 9, 10, 14, 15: prescribed = 0x80
        case 7, 8, 16, 17, 18, 25, 32, 35: prescribed = 0xC0
        default: prescribed = nil
        }
        if let prescribed, kind != prescribed { return "flags \(String(flags, radix: 16)) (RFC 4271 4.3)" }
        // RFC 4271 5: what we do not know goes on only where it is optional transitive, and then as partial.
        if prescribed == nil, flags & 0xE0 != 0xE0 {
            return "unknown, with flags \(String(flags, radix: 16)) (RFC 4271 5)"
        }
        return checkValue(type, value)
    }

    private mutating func checkValue(_ type: UInt8, _ value: ArraySlice<UInt8>) -> String? {
        let count = value.count
        let first = value.startIndex
        func sized(_ isRight: Bool) -> String? { isRight ? nil : "\(count) bytes" }
        switch type {
        case 1: return sized(count == 1) ?? (value[first] <= 2 ? nil : "value \(value[first]) (RFC 4271 5.1.1)")
        case 2: return path(value, session.bytesOfAS)
        case 3: return sized(count == 4) ?? (value.allSatisfy { $0 == 0 } ? "0.0.0.0 (RFC 4271 5.1.3)" : nil)
        case 4: return sized(count == 4)
        case 5: return sized(count == 4) ?? (session.isInternal ? nil : "to an external peer (RFC 4271 5.1.5)")
        case 6: return sized(count == 0)
        case 7: return sized(count == session.bytesOfAS + 4)
        case 8: return sized(count > 0 && count % 4 == 0)
        case 9: return sized(count == 4) ?? (session.isInternal ? nil : "to an external peer (RFC 4456 8)")
        case 10:
            return sized(count > 0 && count % 4 == 0) ?? (session.isInternal ? nil : "to an external peer (RFC 4456 8)")
        case 14: return reach(value)
        case 15: return unreach(value)
        case 16: return sized(count > 0 && count % 8 == 0)
        case 17: return session.bytesOfAS == 2 ? path(value, 4) : "to a four-octet speaker (RFC 6793 4.1)"
        case 18: return session.bytesOfAS == 2 ? sized(count == 8) : "to a four-octet speaker (RFC 6793 4.1)"
        case 25: return sized(count > 0 && count % 20 == 0)
        case 32: return sized(count > 0 && count % 12 == 0)
        case 35: return sized(count == 4)
        default: return nil
        }
    }

    private func path(_ value: ArraySlice<UInt8>, _ bytes: Int) -> String? {
        var rest = value
        var isFirst = true
        while !rest.isEmpty {
            guard let type = rest.popFirst(), let count = rest.popFirst().map(Int.init), count > 0,
                rest.count >= count * bytes
            else {
                return "a segment is cut off or empty (RFC 7606 7.2)"
            }
            guard type == 1 || type == 2 else { return "segment type \(type): we are in no confederation (RFC 5065 5)" }
            if isFirst, !session.isInternal, type != 2 {
                return "does not begin with our AS in a sequence (RFC 4271 5.1.2)"
            }
            isFirst = false
            for index in 0..<count where rest.dropFirst(index * bytes).prefix(bytes).allSatisfy({ $0 == 0 }) {
                return "AS 0 (RFC 7607 2)"
            }
            rest = rest.dropFirst(count * bytes)
        }
        return isFirst && !session.isInternal && bytes == session.bytesOfAS
            ? "empty towards an external peer (RFC 4271 5.1.2)" : nil
    }

    private mutating func reach(_ value: ArraySlice<UInt8>) -> String? {
        hasReach = true
        var rest = value
        guard let family = family(&rest), let length = rest.popFirst().map(Int.init), rest.count > length else {
            return "cut off (RFC 4760 3)"
        }
        guard session.families.contains(family) else { return "a family that was not agreed on (RFC 4760 8)" }
        let hop = rest.prefix(length)
        rest = rest.dropFirst(length)
        guard rest.popFirst() == 0 else { return "the reserved byte is not zero (RFC 4760 3)" }
        let isAllowed =
            family.afi == 2
            ? length == 16 || length == 32
            : length == 4 || (session.hasExtendedNextHop && (length == 16 || length == 32))
        guard isAllowed else { return "a next hop of \(length) bytes (RFC 2545 3, RFC 8950 3)" }
        if hop.prefix(16).allSatisfy({ $0 == 0 }) { return "next hop unspecified (RFC 4760 3)" }
        let isLinkLocal = { (part: ArraySlice<UInt8>) in
            part.first == 0xFE && (part.dropFirst().first ?? 0) & 0xC0 == 0x80
        }
        if length == 32, !isLinkLocal(hop.suffix(16)) { return "the second next hop is not link-local (RFC 2545 3)" }
        if rest.isEmpty { return "no prefix (RFC 4760 3)" }
        return StrictUpdate.prefixes(rest, family, session)
    }

    private mutating func unreach(_ value: ArraySlice<UInt8>) -> String? {
        hasUnreach = true
        var rest = value
        guard let family = family(&rest) else { return "cut off (RFC 4760 4)" }
        guard session.families.contains(family) else { return "a family that was not agreed on (RFC 4760 8)" }
        return StrictUpdate.prefixes(rest, family, session)
    }

    private func family(_ bytes: inout ArraySlice<UInt8>) -> FamilyCode? {
        guard let high = bytes.popFirst(), let low = bytes.popFirst(), let safi = bytes.popFirst() else { return nil }
        return FamilyCode(afi: UInt16(high) << 8 | UInt16(low), safi: safi)
    }
}
