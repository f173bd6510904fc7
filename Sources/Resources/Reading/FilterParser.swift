import NetTypes

/// A BGPFilter's spec to rules (contract 2.4).
enum FilterParser {
    static func filter(_ spec: FieldReader) -> BGPFilter {
        var result = BGPFilter()
        for (family, suffix) in [(AddressFamily.ipv4, "V4"), (.ipv6, "V6")] {
            result.importRules[family.index] = spec.objects("import\(suffix)").compactMap { rule($0, family) }
            result.exportRules[family.index] = spec.objects("export\(suffix)").compactMap { rule($0, family) }
        }
        return result
    }

    private static func numbers(_ reader: FieldReader, _ name: String) -> [ASNumber] {
        reader.values(name) { ASNumberText.parse($0).map { ASNumber($0) } }
    }

    private static func rule(_ reader: FieldReader, _ family: AddressFamily) -> BGPFilter.Rule? {
        guard let action = reader.choice("action", of: BGPFilter.Rule.Action.self) else { return nil }
        var rule = BGPFilter.Rule(isAccept: action == .accept)
        rule.cidr = reader.prefix("cidr")
        if let cidr = rule.cidr, cidr.family != family { reader.complain("cidr", "\(cidr) is not of \(family.name)") }
        if reader.has("cidr") != reader.has("matchOperator") {
            reader.complain(
                reader.has("cidr") ? "matchOperator" : "cidr", "is missing: cidr and matchOperator go together")
        }
        rule.matchOperator = reader.choice("matchOperator") ?? .isIn
        if let lengths = reader.object("prefixLength") {
            let least = lengths.integer("min") ?? Int64(rule.cidr?.length ?? 0)
            let most = lengths.integer("max") ?? Int64(family.bits)
            if rule.cidr == nil { reader.complain("prefixLength", "needs cidr") }
            if least > most || most > Int64(family.bits) {
                reader.complain(
                    "prefixLength",
                    "from \(least) to \(most) is no range of lengths of \(family.name): 0 to \(family.bits)")
            } else {
                rule.lengths = UInt8(clamping: least)...UInt8(clamping: most)
            }
        }
        rule.onlyFromPeers = reader.has("source")
        rule.interface = reader.string("interface")
        rule.isInternalPeer = reader.choice("peerType", of: BGPFilter.Rule.PeerType.self).map { $0 == .internal }
        if let values = reader.object("communities")?.strings("values") {
            if values.count != 1 { reader.complain("communities", "must have exactly one value") }
            rule.community = values.first.flatMap { CommunityValue($0) }
            if rule.community == nil { reader.complainUnlessKnown("communities", "has no value that is a community") }
        }
        rule.asPathPrefix = numbers(reader, "asPathPrefix")
        rule.priority = reader.number("priority")
        rule.operations = operations(reader, rule.isAccept)
        return rule
    }

    private static func operations(_ reader: FieldReader, _ isAccept: Bool) -> [BGPFilter.Operation] {
        let entries = reader.objects("operations")
        if !entries.isEmpty, !isAccept { reader.complain("operations", "are only possible with action Accept") }
        if entries.count > 10 { reader.complain("operations", "has more than 10 entries") }
        return entries.compactMap { entry in
            let named = ["addCommunity", "prependASPath", "setPriority"].filter { entry.has($0) }
            if named.count != 1 {
                entry.complain(
                    named.last ?? "addCommunity",
                    "exactly one of addCommunity, prependASPath and setPriority goes into an entry")
                return nil
            }
            if let value = entry.object("addCommunity")?.community("value") { return .addCommunity(value) }
            if let prepend = entry.object("prependASPath") {
                let list = numbers(prepend, "prefix")
                if list.isEmpty || list.count > 10 { prepend.complain("prefix", "must have 1 to 10 numbers") }
                return .prependASPath(list)
            }
            return entry.object("setPriority")?.number("value", as: UInt32.self).map { .setPriority($0) }
        }
    }
}
