import BGPMessages
public import NetTypes

/// What policy makes of one attribute set of one peer in one family, worked out as far as the set alone decides it.
/// Holds references until `endVerdict`.
struct SetVerdict {
    var ineligible: IneligibleReason?
    /// What the RFCs change in every route with the set (GRACEFUL_SHUTDOWN, OTC, LLGR_STALE), interned; `received`
    /// where they change nothing.
    var base: AttributeHandle
    /// With the operations of a rule on top, by its position.
    var byRule: [Int: AttributeHandle] = [:]
    var isBlackhole = false
    var facts: RouteFilter.RouteFacts
    /// Decoded at most once.
    var decoded: PathAttributes?
}

// MARK: Import policy
extension RIB {
    /// Judges a set that a peer sent; `longLived`: its routes are kept beyond the peer's restart.
    mutating func beginVerdict(_ handle: AttributeHandle, _ peer: RoutingPeer, longLived: Bool = false) -> SetVerdict {
        let key = attributes.key(handle)
        let nextHop = attributes.nextHopAddress(handle)
        var verdict = SetVerdict(
            ineligible: importPolicy.judge(key, nextHop: nextHop, allowedOwnAS: peer.policy.allowedOwnAS), base: handle,
            facts: RouteFilter.RouteFacts(
                isLocal: false, isInternalPeer: peer.isInternal, localPref: key.localPref, interface: ""))
        var operations: [AttributeOperation] = []
        // RFC 8326 4.2: the last choice, also for the rest of our AS.
        if !peer.isInternal, key.flags.contains(.gracefulShutdown) { operations.append(.setLocalPref(0)) }
        // RFC 9494 4.2
        if longLived { operations.append(.addCommunity(.standard(.llgrStale))) }
        if !peer.policy.isPlain {
            if let localAS = peer.policy.localAS, verdict.ineligible == nil {
                let count = attributes.attributes(handle).asPath?.occurrences(of: localAS) ?? 0
                if count > peer.policy.allowedOwnAS { verdict.ineligible = .ownASInPath }
            }
            if let role = peer.policy.role, !peer.isInternal {
                // RFC 9234 5, ingress.
                if let onlyToCustomer = key.flags.contains(.onlyToCustomer)
                    ? attributes.attributes(handle).onlyToCustomer : nil
                {
                    if ImportPolicy.isLeak(onlyToCustomer, role: role, remoteAS: peer.asNumber) {
                        verdict.ineligible = verdict.ineligible ?? .routeLeak
                    }
                } else if role == .customer || role == .peer || role == .rsClient {
                    operations.append(.setOnlyToCustomer(peer.asNumber))
                }
            }
            verdict.isBlackhole = peer.policy.acceptsBlackhole && key.flags.contains(.blackhole)
            if peer.policy.filter.asksForInterface {
                verdict.facts.interface = attributes.nextHops.entries[Int(key.nextHop)].interface
            }
        }
        if !operations.isEmpty {
            verdict.base = attributes.transformed(handle) { set in
                for operation in operations { operation.apply(to: &set) }
            }
        } else {
            attributes.retain(handle)
        }
        return verdict
    }

    /// The verdict on one prefix with the set: flags of its path, and the effective attributes, not retained.
    mutating func judge(_ prefix: Prefix, _ peer: RoutingPeer, verdict: inout SetVerdict) -> (
        flags: Path.Flags, attributes: AttributeHandle
    ) {
        var ineligible =
            verdict.ineligible ?? importPolicy.judge(prefix, mode: peer.policy.mode, isInternal: peer.isInternal)
        var effective = verdict.base
        if !peer.policy.filter.isEmpty(prefix.family),
            let position = matchingRule(prefix, peer.policy.filter, verdict: &verdict)
        {
            let rule = peer.policy.filter.rule(position, prefix.family)
            if rule.action == .reject {
                ineligible = ineligible ?? .rejectedByFilter
            } else if !rule.operations.isEmpty {
                if let known = verdict.byRule[position] {
                    effective = known
                } else {
                    effective = attributes.transformed(verdict.base) { set in
                        for operation in rule.operations { operation.apply(to: &set) }
                    }
                    verdict.byRule[position] = effective
                }
            }
        }
        return (
            Path.flags(external: !peer.isInternal, ineligible: ineligible, blackhole: verdict.isBlackhole), effective
        )
    }

    /// Rules see what the peer sent, with what the RFCs changed in it.
    private func matchingRule(_ prefix: Prefix, _ filter: RouteFilter, verdict: inout SetVerdict) -> Int? {
        var decoded = verdict.decoded
        let position = filter.firstMatch(prefix, route: verdict.facts) {
            if let decoded { return decoded }
            let set = attributes.attributes(verdict.base)
            decoded = set
            return set
        }
        verdict.decoded = decoded
        return position
    }

    mutating func endVerdict(_ verdict: SetVerdict) {
        attributes.release(verdict.base)
        for handle in verdict.byRule.values { attributes.release(handle) }
    }

    /// The rule of its peer's import filters that a path met, for `apusctl why`; nil for none.
    public func importRule(_ prefix: Prefix, _ path: Path) -> RouteFilter.Rule? {
        guard path.peer != .local, let peer = peers[path.peer], !peer.policy.filter.isEmpty(prefix.family) else {
            return nil
        }
        let set = attributes.attributes(path.received)
        let key = attributes.key(path.received)
        let facts = RouteFilter.RouteFacts(
            isLocal: false, isInternalPeer: peer.isInternal, localPref: key.localPref,
            interface: attributes.nextHops.entries[Int(key.nextHop)].interface)
        return peer.policy.filter.firstMatch(prefix, route: facts) { set }.map {
            peer.policy.filter.rule($0, prefix.family)
        }
    }

    // MARK: Judging again

    /// A new import policy: every path is judged again, no session is touched.
    public mutating func setImportPolicy(_ policy: ImportPolicy) {
        guard policy != importPolicy else { return }
        importPolicy = policy
        judgeAgain(peers.indices { _ in true })
    }

    /// A live change of a peer's import settings.
    public mutating func setImport(_ index: PeerIndex, _ settings: ImportSettings) {
        guard let peer = peers[index], peer.policy != settings else { return }
        peers[index]?.policy = settings
        judgeAgain([index.index])
    }

    /// Import rules that name an interface are asked again, once a turn, however many next hops changed.
    mutating func judgeByInterfaceAgain() {
        guard hasInterfaceChanges else { return }
        hasInterfaceChanges = false
        judgeAgain(peers.indices(where: \.policy.filter.asksForInterface))
    }

    private struct VerdictKey: Hashable {
        var received: AttributeHandle
        var peer: PeerIndex
        var isLongLived: Bool
    }

    /// Judges everything again that these peers announced, from what they sent (soft reconfiguration). One walk over
    /// the table.
    mutating func judgeAgain(_ indices: Set<Int>) {
        guard !indices.isEmpty else { return }
        for family in AddressFamily.allCases
        where indices.contains(where: { tables[family].pathCount(of: PeerIndex(rawValue: UInt16($0))) > 0 }) {
            var verdicts: [VerdictKey: SetVerdict] = [:]
            var list: [PathIndex] = []
            for prefixIndex in PrefixIndex.all(below: tables[family].prefixCapacity) {
                guard let prefix = tables[family].prefix(at: prefixIndex) else { continue }
                tables[family].pathIndices(prefixIndex, into: &list)
                for slot in list {
                    let path = tables[family].paths[Int(slot)]
                    guard path.peer != .local, indices.contains(path.peer.index), let peer = peers[path.peer]
                    else { continue }
                    let key = VerdictKey(
                        received: path.received, peer: path.peer, isLongLived: path.flags.contains(.longLived))
                    var verdict =
                        verdicts.removeValue(forKey: key)
                        ?? beginVerdict(path.received, peer, longLived: key.isLongLived)
                    let (flags, effective) = judge(prefix, peer, verdict: &verdict)
                    verdicts[key] = verdict
                    if flags.verdict != path.flags.verdict || effective != path.attributes {
                        replaceVerdict(
                            PathTable.Reevaluation(
                                prefix: prefixIndex, path: slot, attributes: effective, flags: flags),
                            path, family: family)
                    }
                }
            }
            for verdict in verdicts.values { endVerdict(verdict) }
        }
    }

    private mutating func replaceVerdict(_ item: PathTable.Reevaluation, _ path: Path, family: AddressFamily) {
        if item.attributes != path.received { attributes.retain(item.attributes) }
        let old = tables[family].reevaluate(item)
        if old != path.received { attributes.release(old) }
    }

    // MARK: Stale routes

    /// The restart time of a peer is over and its routes are kept on, as the least preferred ones (RFC 9494 section
    /// 4.2). What has NO_LLGR goes.
    public mutating func markLongLived(_ index: PeerIndex, _ family: AddressFamily) {
        removePaths(of: index, family) { path, table in
            path.flags.contains(.stale) && table.key(path.attributes).flags.contains(.noLongLived)
        }
        tables[family].mark(index, .longLived, isSet: true)
        judgeAgain([index.index])
    }

    /// Removes paths of a peer by what they are and what their attributes are.
    mutating func removePaths(
        of index: PeerIndex, _ family: AddressFamily, where condition: (Path, borrowing AttributeTable) -> Bool
    ) {
        let released = tables[family].removeAll(of: index) { condition($0, attributes) }
        for path in released { releaseAttributes(of: path) }
    }

    /// BoRR: what the peer has sent so far is to be sent again (RFC 7313 section 4).
    public mutating func beginRefresh(_ index: PeerIndex, _ family: AddressFamily) {
        tables[family].mark(index, .refreshing, isSet: true)
    }

    /// EoRR: what was not sent again is gone. Returns how many paths.
    public mutating func endRefresh(_ index: PeerIndex, _ family: AddressFamily) -> Int {
        let before = tables[family].pathCount(of: index)
        removePaths(of: index, family) { path, _ in path.flags.contains(.refreshing) }
        return before - tables[family].pathCount(of: index)
    }

    mutating func releaseAttributes(of path: Path) {
        attributes.release(path.attributes)
        if path.received != path.attributes { attributes.release(path.received) }
    }
}
