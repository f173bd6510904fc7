import BGPMessages
public import NetTypes

// MARK: Loc-RIB to bytes
extension RIB {
    /// A member's replay of a family is complete: End-of-RIB may follow.
    public struct ReplayDone: Sendable, Equatable {
        public let peer: PeerIndex
        public let family: AddressFamily
        /// False where another replay for the member begins now: it asked again meanwhile.
        public let isLast: Bool
    }

    /// When announcements that wait for their interval may go out.
    public var nextExport: Instant? {
        groups.compactMap { group in group.flatMap { $0.hasPending ? $0.heldUntil : nil } }.min()
    }

    /// True where `export` has something to do.
    public func hasExportWork(now: Instant) -> Bool {
        !emptied[0].isEmpty || !emptied[1].isEmpty || !tables[.ipv4].retired.isEmpty || !tables[.ipv6].retired.isEmpty
            || groups.contains { ($0?.hasPending(now) ?? false) || ($0?.hasReplay ?? false) }
    }

    /// Sends every group's members what changed, and goes on with replays: at most `replayBudget` prefixes of each.
    ///
    /// Everything pending is sent; `decide` has bounded it. Buffers hold about 32 KB of messages with the same
    /// receivers.
    public mutating func export(
        replayBudget: Int, now: Instant, _ deliveries: inout [Delivery], _ done: inout [ReplayDone]
    ) {
        offerRetired()
        for index in groups.indices where groups[index] != nil {
            if groups[index]?.hasPending(now) ?? false { sendPending(index, now: now, into: &deliveries) }
            if groups[index]?.hasReplay ?? false {
                goOnWithReplay(index, budget: replayBudget, into: &deliveries, done: &done)
            }
        }
        for family in AddressFamily.allCases {
            tables[family].releaseRetired()
            for index in emptied[family.index] { prefetchSink &+= tables[family].prefetch(index) }
            for index in emptied[family.index] { _ = tables[family].releaseIfEmpty(index) }
            emptied[family.index].removeAll(keepingCapacity: true)
        }
    }

    /// Who must not get the routes of an attribute set: their source (split horizon), and the peer that is their next
    /// hop (RFC 4271 5.1.3). Work: the peers with that address.
    func excluded(_ attributes: AttributeHandle, _ source: PeerIndex, group: Int) -> (PeerIndex?, PeerIndex?) {
        let first = source == .local ? nil : source
        guard let address = self.attributes.nextHopAddress(attributes) else { return (first, nil) }
        if let first, peers.key(first).address == address { return (first, nil) }
        return (first, peers.addresses[address]?.first { peers[$0]?.groups.contains(group) ?? false })
    }

    private struct Bucket {
        var handle: AttributeHandle
        var source: PeerIndex
        var prefixes: [OutboundNLRI] = []
        var slots: [UInt32] = []
    }

    private mutating func sendPending(_ index: Int, now: Instant, into deliveries: inout [Delivery]) {
        guard let profile = profiles[index]?.value, let pending = groups[index]?.takePending(now: now) else { return }
        let family = profile.family
        var buckets: [Bucket] = []
        var bucketOf: [UInt64: Int] = [:]
        var lastKey = UInt64.max
        var lastBucket = 0
        func bucket(_ handle: AttributeHandle, _ source: PeerIndex) -> Int {
            let key = UInt64(handle.rawValue) << 16 | UInt64(source.rawValue)
            if key == lastKey { return lastBucket }
            lastKey = key
            if let known = bucketOf[key] {
                lastBucket = known
            } else {
                lastBucket = buckets.count
                bucketOf[key] = lastBucket
                buckets.append(Bucket(handle: handle, source: source))
            }
            return lastBucket
        }
        /// Withdrawals by who never had the route, and withdrawals for one peer that must lose what it had.
        var withdrawals: [(pair: ExcludedPair, prefixes: [OutboundNLRI])] = []
        // Neighboring prefixes were sent with the same set as a rule: what was found for the one before is asked first.
        var lastWithdrawn = (attributes: UInt32(0), source: PeerIndex.local, position: 0)
        var targeted: [PeerIndex: [OutboundNLRI]] = [:]

        for update in pending {
            guard let nlri = nlri(update.slot, group: index, family: family) else { continue }
            let entry = AdjRIBOutEntry(attributes: update.newAttributes, source: update.newSource)
            let sameAsBefore =
                entry.attributes == update.oldAttributes && (entry.attributes == 0 || entry.source == update.oldSource)
            if sameAsBefore { continue }
            if let handle = entry.handle {
                let slot = bucket(handle, entry.source)
                buckets[slot].prefixes.append(nlri)
                buckets[slot].slots.append(update.slot)
                if let old = update.oldHandle {
                    // Who had the old route and must not have the new one.
                    let before = excluded(old, update.oldSource, group: index)
                    let after = excluded(handle, entry.source, group: index)
                    for case let peer? in [after.0, after.1] where peer != before.0 && peer != before.1 {
                        targeted[peer, default: []].append(nlri)
                    }
                }
            } else if let old = update.oldHandle {
                if lastWithdrawn.attributes != update.oldAttributes || lastWithdrawn.source != update.oldSource {
                    let pair = ExcludedPair(excluded(old, update.oldSource, group: index))
                    let known = withdrawals.firstIndex { $0.pair == pair }
                    if known == nil { withdrawals.append((pair, [])) }
                    lastWithdrawn = (update.oldAttributes, update.oldSource, known ?? withdrawals.count - 1)
                }
                withdrawals[lastWithdrawn.position].prefixes.append(nlri)
            }
        }

        // Withdrawals first. Those of many sources go to every member in one piece: who never had a route ignores that
        // it is gone, and a message for each source would cost more than the few prefixes that it spares.
        if withdrawals.count > RIB.separateWithdrawals {
            withdrawals = [(ExcludedPair((nil, nil)), withdrawals.flatMap(\.prefixes))]
        }
        for (pair, prefixes) in withdrawals {
            deliver(
                withdrawing: prefixes, profile: profile, group: index, receivers: .allBut(pair.first, pair.second),
                into: &deliveries)
        }
        for (peer, prefixes) in targeted where groups[index]?.members.contains(peer) ?? false {
            deliver(withdrawing: prefixes, profile: profile, group: index, receivers: .only([peer]), into: &deliveries)
        }
        emit(&buckets, profile: profile, group: index, to: nil, into: &deliveries)
        for case let old? in pending.lazy.map(\.oldHandle) { attributes.release(old) }
    }

    /// Buffers, and bytes, that are joined at most; groups of fewer members are sent to separately.
    private static let joinedSources = 32
    private static let joinedBytes = 32768
    /// Sources whose withdrawals of one turn are sent separately, so that none hears of its own.
    private static let separateWithdrawals = 8

    /// What is sent for an entry of a group.
    private func nlri(_ slot: UInt32, group: Int, family: AddressFamily) -> OutboundNLRI? {
        guard let prefixIndex = groups[group]?.prefix(ofSlot: slot),
            let prefix = tables[family].prefix(at: prefixIndex)
        else { return nil }
        return OutboundNLRI(prefix, pathID: groups[group]?.pathID(ofSlot: slot) ?? 0)
    }

    private struct ExcludedPair: Hashable {
        var first: PeerIndex?
        var second: PeerIndex?
        init(_ pair: (PeerIndex?, PeerIndex?)) { (first, second) = pair }
    }

    private func deliver(
        withdrawing prefixes: [OutboundNLRI], profile: ExportProfile, group: Int, receivers: Delivery.Receivers,
        into deliveries: inout [Delivery]
    ) {
        var builder = UpdateBuilder(profile)
        builder.withdraw(prefixes)
        deliveries.append(Delivery(buffer: builder.take(), group: group, receivers: receivers, withdrawn: prefixes))
    }

    /// Announces buckets; consecutive ones with the same receivers share a buffer. `to`: only these members, else all.
    private mutating func emit(
        _ buckets: inout [Bucket], profile: ExportProfile, group: Int, to members: [PeerIndex]?,
        into deliveries: inout [Delivery]
    ) {
        // Messages of one source go out together, so that a buffer has one set of receivers.
        let start = deliveries.count
        var builder = UpdateBuilder(profile)
        var receivers: Delivery.Receivers?
        func flush(_ builder: inout UpdateBuilder) {
            if let receivers, !builder.isEmpty {
                deliveries.append(Delivery(buffer: builder.take(), group: group, receivers: receivers, withdrawn: []))
            }
        }
        for bucket in buckets.sorted(by: { $0.source.rawValue < $1.source.rawValue }) {
            let outbound = outboundAttributes(bucket.handle, bucket.source, profile: profile)
            guard builder.fits(blockSize: outbound.block.count) else {
                withdrawUnsendable(bucket.slots, bucket.prefixes, profile: profile, group: group, into: &deliveries)
                continue
            }
            let pair = excluded(bucket.handle, bucket.source, group: group)
            let wanted: Delivery.Receivers
            if let members {
                wanted = .only(members.filter { $0 != pair.0 && $0 != pair.1 })
            } else {
                wanted = .allBut(pair.0, pair.1)
            }
            if wanted != receivers || builder.count > 32768 { flush(&builder) }
            receivers = wanted
            builder.announce(bucket.prefixes, block: outbound.block, nextHop: outbound.nextHop)
        }
        flush(&builder)
        if members == nil { joinSmall(&deliveries, from: start, group) }
    }

    /// Joins small buffers of different sources: one for all members but these sources, and for each source one without
    /// its own.
    ///
    /// Of k buffers for n members n - k + k are queued, and not k (n - 1): with a thousand clients that announce a
    /// hundred prefixes each the difference is thirtyfold.
    private func joinSmall(_ deliveries: inout [Delivery], from start: Int, _ group: Int) {
        let separate = Array(deliveries[start...])
        guard separate.count > 1, groups[group]?.members.count ?? 0 > RIB.joinedSources else { return }
        deliveries.removeSubrange(start...)
        var run: [Delivery] = []
        var size = 0
        for delivery in separate {
            if size + delivery.buffer.count > RIB.joinedBytes || run.count == RIB.joinedSources {
                join(run, group: group, into: &deliveries)
                run = []
                size = 0
            }
            run.append(delivery)
            size += delivery.buffer.count
        }
        join(run, group: group, into: &deliveries)
    }

    private func join(_ run: [Delivery], group: Int, into deliveries: inout [Delivery]) {
        guard run.count > 1 else {
            deliveries += run
            return
        }
        func excludes(_ delivery: Delivery, _ peer: PeerIndex) -> Bool {
            guard case .allBut(let first, let second) = delivery.receivers else { return false }
            return peer == first || peer == second
        }
        func joined(without peer: PeerIndex?) -> MessageBuffer? {
            var writer = ByteWriter(capacity: RIB.joinedBytes)
            for delivery in run where peer.map({ !excludes(delivery, $0) }) ?? true {
                writer.append(delivery.buffer.bytes)
            }
            return writer.count == 0 ? nil : MessageBuffer(writer.bytes)
        }
        var sources: Set<PeerIndex> = []
        for case .allBut(let first, let second) in run.map(\.receivers) {
            for case let peer? in [first, second] where peers[peer]?.groups.contains(group) ?? false {
                sources.insert(peer)
            }
        }
        if let buffer = joined(without: nil) {
            deliveries.append(Delivery(buffer: buffer, group: group, receivers: .allExcept(sources), withdrawn: []))
        }
        for source in sources.sorted(by: { $0.rawValue < $1.rawValue }) {
            if let buffer = joined(without: source) {
                deliveries.append(Delivery(buffer: buffer, group: group, receivers: .only([source]), withdrawn: []))
            }
        }
    }

    /// RFC 8654 section 4: an UPDATE that is too large for the peers is not sent, and what was announced before is
    /// withdrawn.
    private mutating func withdrawUnsendable(
        _ slots: [UInt32], _ prefixes: [OutboundNLRI], profile: ExportProfile, group: Int,
        into deliveries: inout [Delivery]
    ) {
        for slot in slots { if let handle = groups[group]?.forget(slot) { attributes.release(handle) } }
        deliver(withdrawing: prefixes, profile: profile, group: group, receivers: .allBut(nil, nil), into: &deliveries)
    }

    private func sourceKind(_ source: PeerIndex) -> RouteSource {
        guard source != .local else { return .local }
        let origin = peers.key(source)
        return origin.isInternal ? (origin.isClient ? .client : .nonClient) : .external
    }

    /// The attributes that leave to a group, decoded: what `outboundAttributes` encodes.
    func transformed(_ handle: AttributeHandle, _ source: PeerIndex, profile: ExportProfile) -> PathAttributes {
        OutboundAttributes.transform(
            attributes.attributes(handle), source: sourceKind(source),
            sourceIdentifier: source == .local ? identity.identifier : peers.key(source).identifier, profile: profile,
            identity: identity)
    }

    /// The attribute block that leaves to a group, and the next hop for MP_REACH_NLRI.
    public func outboundAttributes(
        _ handle: AttributeHandle, _ source: PeerIndex, profile: ExportProfile
    ) -> (block: [UInt8], nextHop: [UInt8]) {
        let kind = sourceKind(source)
        if source != .local,
            let reflected = reflectedBlock(
                handle, kind, originator: peers.key(source).identifier, profile: profile)
        {
            return reflected
        }
        var outbound = transformed(handle, source, profile: profile)
        var nextHop: [UInt8] = []
        if let address = outbound.nextHop, profile.family == .ipv6 || address.family == .ipv6 {
            outbound.nextHop = nil
            nextHop = address.unscoped.bytes
            // RFC 2545 3: the link-local one too, where the peer shares the link.
            if let linkLocal = profile.nextHop.linkLocal, profile.replacesNextHop(kind), linkLocal != address {
                nextHop += linkLocal.unscoped.bytes
            }
        }
        var writer = ByteWriter(capacity: 128)
        outbound.encode(isFourOctetAS: profile.isFourOctetAS, into: &writer)
        return (writer.bytes, nextHop)
    }

    /// The common case of a reflector without decoding: between internal peers with four-octet AS numbers nothing
    /// changes but ORIGINATOR_ID and CLUSTER_LIST, and the canonical form has those in their places. Nil where that is
    /// not the case.
    private func reflectedBlock(
        _ handle: AttributeHandle, _ kind: RouteSource, originator: BGPIdentifier, profile: ExportProfile
    ) -> (block: [UInt8], nextHop: [UInt8])? {
        guard kind == .client || kind == .nonClient, profile.isInternal, profile.isFourOctetAS,
            attributes.key(handle).flags.contains(.hasLocalPref), let nextHop = attributes.nextHopAddress(handle)
        else { return nil }
        let isSeparate = profile.family == .ipv6 || nextHop.family == .ipv6
        // An IPv4 next hop that came in MP_REACH_NLRI has to be put into the block.
        guard isSeparate == attributes.hasSeparateNextHop(handle) else { return nil }
        let block = attributes.withBytes(handle) {
            OutboundAttributes.reflect($0, originator: originator, clusterID: identity.clusterID)
        }
        return (block, isSeparate ? nextHop.unscoped.bytes : [])
    }

    private mutating func goOnWithReplay(
        _ index: Int, budget: Int, into deliveries: inout [Delivery], done: inout [ReplayDone]
    ) {
        guard let profile = profiles[index]?.value, let replay = groups[index]?.currentReplay(),
            let total = groups[index]?.entryCount
        else { return }
        let end = min(Int(replay.cursor) + budget, total)
        var buckets: [Bucket] = []
        var bucketOf: [UInt64: Int] = [:]
        let range = Int(replay.cursor)..<max(end, Int(replay.cursor))
        for (position, entry) in zip(range, groups[index]?.entries(range) ?? []) {
            guard let handle = entry.handle, let nlri = nlri(UInt32(position), group: index, family: profile.family)
            else { continue }
            let key = UInt64(handle.rawValue) << 16 | UInt64(entry.source.rawValue)
            let slot: Int
            if let known = bucketOf[key] {
                slot = known
            } else {
                slot = buckets.count
                bucketOf[key] = slot
                buckets.append(Bucket(handle: handle, source: entry.source))
            }
            buckets[slot].prefixes.append(nlri)
            buckets[slot].slots.append(UInt32(position))
        }
        emit(&buckets, profile: profile, group: index, to: replay.members, into: &deliveries)
        if end >= total {
            groups[index]?.advanceReplay(to: nil)
            done += replay.members.map {
                ReplayDone(peer: $0, family: profile.family, isLast: !(groups[index]?.isWaitingForReplay($0) ?? false))
            }
        } else {
            groups[index]?.advanceReplay(to: UInt32(end))
        }
    }

    /// A member asked for everything again (RFC 2918), or fell too far behind.
    public mutating func requestReplay(_ peer: PeerIndex, _ family: AddressFamily) {
        guard let group = peers[peer]?.groups[family.index] else { return }
        groups[group]?.requestReplay(peer)
    }

    /// The entries of an Adj-RIB-Out that a prefix has: with path identifiers one per path, else its own.
    func exportSlots(_ index: PrefixIndex, _ family: AddressFamily, sendsPathIDs: Bool) -> [UInt32] {
        guard sendsPathIDs else { return [index.rawValue] }
        var paths: [PathIndex] = []
        tables[family].pathIndices(index, into: &paths)
        return paths.map(\.rawValue)
    }

    /// True where the peer has the prefix announced, by whatever path.
    public func isAnnounced(_ prefix: Prefix, to peer: PeerIndex) -> Bool { !announcedPaths(prefix, to: peer).isEmpty }

    /// True where some peer has the prefix announced. Cost: the update groups, and the paths of the prefix.
    public func isAnnouncedToAny(_ prefix: Prefix) -> Bool {
        let family = prefix.family
        guard let index = tables[family].find(prefix) else { return false }
        return groups.contains { group in
            guard let group, group.profile.family == family, !group.members.isEmpty else { return false }
            return exportSlots(index, family, sendsPathIDs: group.profile.sendsPathIDs).contains {
                group.entry($0).isAnnounced
            }
        }
    }

    /// True where the peer has been sent, or is about to be sent, this prefix and path identifier.
    public func isAnnounced(_ nlri: OutboundNLRI, to peer: PeerIndex) -> Bool {
        announcedPaths(nlri.prefix, to: peer).contains(nlri)
    }

    /// What a peer has announced of a prefix.
    private func announcedPaths(_ prefix: Prefix, to peer: PeerIndex) -> [OutboundNLRI] {
        let family = prefix.family
        guard let group = peers[peer]?.groups[family.index] ?? nil, let profile = profiles[group],
            let index = tables[family].find(prefix)
        else { return [] }
        let slots = exportSlots(index, family, sendsPathIDs: profile.sendsPathIDs)
        return slots.compactMap { slot in
            guard let entry = groups[group]?.entry(slot), let handle = entry.handle else { return nil }
            let pair = excluded(handle, entry.source, group: group)
            guard pair.0 != peer, pair.1 != peer else { return nil }
            return OutboundNLRI(prefix, pathID: groups[group]?.pathID(ofSlot: slot) ?? 0)
        }
    }
}

// MARK: A peer changes its group
extension RIB {
    /// New settings on a running session: the peer moves to the groups of its new profiles, loses what they do not
    /// have, and gets the rest by replay. Nothing happens where no profile changed.
    public mutating func changeProfiles(_ index: PeerIndex, _ peer: RoutingPeer, into deliveries: inout [Delivery]) {
        guard let old = peers[index] else { return }
        guard old.profiles != peer.profiles || old.isClient != peer.isClient else { return }
        var had: [[OutboundNLRI]] = [[], []]
        for family in AddressFamily.allCases {
            for prefix in PrefixIndex.all(below: tables[family].prefixCapacity) {
                if let value = tables[family].prefix(at: prefix) {
                    had[family.index] += announcedPaths(value, to: index)
                }
            }
        }
        peerDown(index)
        peerUp(index, peer)
        if old.isClient != peer.isClient {
            // Its routes are reflected by other rules now (RFC 4456 6).
            for family in AddressFamily.allCases { markAllDirty(from: index, family) }
        }
        for family in AddressFamily.allCases {
            let lost = had[family.index].filter { !isAnnounced($0, to: index) }
            guard !lost.isEmpty, let group = peers[index]?.groups[family.index],
                let profile = groups[group]?.profile
            else { continue }
            var builder = UpdateBuilder(profile)
            builder.withdraw(lost)
            deliveries.append(
                Delivery(buffer: builder.take(), group: group, receivers: .only([index]), withdrawn: lost))
        }
    }

    mutating func markAllDirty(from peer: PeerIndex, _ family: AddressFamily) {
        var list: [PathIndex] = []
        for index in PrefixIndex.all(below: tables[family].prefixCapacity) {
            tables[family].pathIndices(index, into: &list)
            if list.contains(where: { tables[family].paths[Int($0)].peer == peer }) {
                tables[family].markDirty(index)
            }
        }
    }
}
