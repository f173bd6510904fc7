package import BGPMessages
package import NetTypes

/// A peer as the routing core knows it, from session up to session down (and while its routes are stale).
package struct RoutingPeer: Sendable {
    package var address: IPAddress
    package var identifier: BGPIdentifier
    package var asNumber: ASNumber
    package var isInternal: Bool
    package var isClient: Bool
    package var importMode: ImportMode
    /// How often our own AS may occur in a path (contract 2.3, `numAllowedLocalASNumbers`).
    package var allowedOwnAS: Int
    package var context: AttributeContext
    /// Export profiles by family index; nil for a family that is not on the session.
    package var profiles: [ExportProfile?]
    /// Update group by family index, while the session is up.
    package internal(set) var groups: [Int?] = [nil, nil]

    package init(
        address: IPAddress, identifier: BGPIdentifier, asNumber: ASNumber, isInternal: Bool, isClient: Bool, importMode: ImportMode,
        allowedOwnAS: Int, context: AttributeContext, profiles: [ExportProfile?]
    ) {
        self.address = address
        self.identifier = identifier
        self.asNumber = asNumber
        self.isInternal = isInternal
        self.isClient = isClient
        self.importMode = importMode
        self.allowedOwnAS = allowedOwnAS
        self.context = context
        self.profiles = profiles
    }
}

/// A prefix whose selected paths changed; valid until the next `export`.
package struct LocRIBChange: Sendable, Equatable {
    package let prefix: Prefix
    package let index: PrefixIndex
}

/// The routing information base: Adj-RIBs-In, Loc-RIB, and the Adj-RIBs-Out of the update groups.
///
/// The way of the data: `receive` (RIB+Import) marks prefixes dirty; `decide` takes dirty prefixes, selects, and tells the groups what
/// their members are to have; `export` (RIB+Export) tells them. Each stage's output is the next one's input; rates are decoupled by the
/// dirty set and the pending set, so that a flap inside a turn costs nothing.
package struct RIB: ~Copyable {
    package internal(set) var attributes: AttributeTable
    package internal(set) var tables: FamilyTables
    package internal(set) var peers: [RoutingPeer?] = [nil]
    package internal(set) var groups: [UpdateGroup?] = []
    /// The groups' profiles beside them: what is asked once per prefix must not cost a copy of the group.
    var profiles: [ExportProfile?] = []
    /// What the decision asks of a peer once per path, by peer index.
    var keys: [PeerKey] = []

    struct PeerKey: Sendable {
        var address: IPAddress
        var identifier: BGPIdentifier
        var isInternal: Bool
        var isClient: Bool
    }
    package internal(set) var importPolicy = ImportPolicy()
    package var maximumPaths: Int
    /// Whether `takeChanges` is used: a reflector has no use for it.
    private let recordsChanges: Bool
    private var changes: [LocRIBChange] = []
    /// Prefixes that lost their last path and are given back once every group has been told.
    var emptied: [[PrefixIndex]] = [[], []]
    /// Addresses of peers whose session is up, with how many sessions have them.
    var peerAddresses: [IPAddress: Int] = [:]
    private var candidates: [Candidate] = []
    private var pathList: [PathIndex] = []

    package init(
        identity: AttributeTable.Identity, assumesReachableNextHops: Bool, maximumPaths: Int, recordsChanges: Bool, seed: UInt64
    ) {
        attributes = AttributeTable(identity: identity, assumesReachableNextHops: assumesReachableNextHops, seed: seed)
        tables = FamilyTables(seed: seed)
        self.maximumPaths = maximumPaths
        self.recordsChanges = recordsChanges
    }

    package var identity: AttributeTable.Identity { attributes.identity }

    // MARK: Peers

    /// A number for a peer; it keeps it until `removePeer`.
    package mutating func addPeer() -> PeerIndex {
        if let free = peers.indices.dropFirst().first(where: { peers[$0] == nil && !reserved.contains($0) }) {
            reserved.insert(free)
            return PeerIndex(rawValue: UInt16(free))
        }
        peers.append(nil)
        reserved.insert(peers.count - 1)
        return PeerIndex(rawValue: UInt16(peers.count - 1))
    }
    private var reserved: Set<Int> = []
    private var isUp: Set<Int> = []

    /// The session is up: the peer joins its update groups, and gets their tables.
    package mutating func peerUp(_ index: PeerIndex, _ peer: RoutingPeer) {
        leaveGroups(index)
        setPeer(index, peer)
        peerAddresses[peer.address, default: 0] += 1
        isUp.insert(index.index)
        for family in AddressFamily.allCases {
            guard let profile = peer.profiles[family.index] else { continue }
            let group = self.group(for: profile)
            peers[index.index]?.groups[family.index] = group
            groups[group]?.join(index)
        }
    }

    private mutating func setPeer(_ index: PeerIndex, _ peer: RoutingPeer?) {
        peers[index.index] = peer
        let none = PeerKey(address: .any(.ipv4), identifier: identity.identifier, isInternal: true, isClient: false)
        while keys.count <= index.index { keys.append(none) }
        keys[index.index] =
            peer.map { PeerKey(address: $0.address, identifier: $0.identifier, isInternal: $0.isInternal, isClient: $0.isClient) } ?? none
    }

    /// The session is down: it leaves its groups. Its routes stay until `flush` or `markStale` says otherwise.
    package mutating func peerDown(_ index: PeerIndex) { leaveGroups(index) }

    /// Forgets the peer and its routes; the number is free again.
    package mutating func removePeer(_ index: PeerIndex) {
        leaveGroups(index)
        for family in AddressFamily.allCases { flush(index, family, onlyStale: false) }
        setPeer(index, nil)
        reserved.remove(index.index)
    }

    /// Removes a peer's routes of a family, or its stale ones.
    package mutating func flush(_ index: PeerIndex, _ family: AddressFamily, onlyStale: Bool) {
        var released: [AttributeHandle] = []
        tables[family.index].removeAll(of: index, onlyStale: onlyStale) { released.append($0) }
        for handle in released { attributes.release(handle) }
    }

    package mutating func markStale(_ index: PeerIndex, _ family: AddressFamily) {
        var released: [AttributeHandle] = []
        tables[family.index].markStale(index) { released.append($0) }
        for handle in released { attributes.release(handle) }
    }

    private mutating func leaveGroups(_ index: PeerIndex) {
        guard let peer = peers[index.index], isUp.remove(index.index) != nil else { return }
        if let users = peerAddresses[peer.address] { peerAddresses[peer.address] = users > 1 ? users - 1 : nil }
        for case let group? in peer.groups {
            groups[group]?.leave(index)
            if groups[group]?.members.isEmpty ?? false {
                for handle in groups[group]?.drain() ?? [] { attributes.release(handle) }
                groups[group] = nil
                profiles[group] = nil
            }
        }
        peers[index.index]?.groups = [nil, nil]
    }

    /// The group of a profile. A new one is filled from the Loc-RIB: its members then get it by replay.
    private mutating func group(for profile: ExportProfile) -> Int {
        if let existing = profiles.firstIndex(where: { $0 == profile }) { return existing }
        let index: Int
        if let free = groups.firstIndex(where: { $0 == nil }) {
            groups[free] = UpdateGroup(profile: profile)
            profiles[free] = profile
            index = free
        } else {
            groups.append(UpdateGroup(profile: profile))
            profiles.append(profile)
            index = groups.count - 1
        }
        for prefix in 0..<PrefixIndex(tables[profile.family.index].prefixCapacity) { offer(prefix, profile.family, to: index) }
        // Nobody has been told anything yet, so nothing is pending: the replay tells it.
        for update in groups[index]?.takePending() ?? [] where update.oldAttributes != 0 { attributes.release(update.oldAttributes - 1) }
        return index
    }

    // MARK: Own routes

    /// Originates a route of this speaker, or changes it. Takes effect with the next decision.
    package mutating func originate(_ prefix: Prefix, _ route: PathAttributes) {
        let handle = attributes.intern(route, separateNextHop: nil)
        insert(prefix, .local, 0, handle, external: false, ineligible: nil)
    }

    package mutating func withdrawOwn(_ prefix: Prefix) {
        if let handle = tables[prefix.family.index].remove(prefix, .local, 0) { attributes.release(handle) }
    }

    /// Adds or replaces a path; takes over the caller's reference to `handle`.
    mutating func insert(
        _ prefix: Prefix, _ peer: PeerIndex, _ pathID: UInt32, _ handle: AttributeHandle, external: Bool, ineligible: IneligibleReason?
    ) {
        switch tables[prefix.family.index].update(prefix, peer, pathID, handle, external: external, ineligible: ineligible) {
        case .added: break
        case .none: attributes.release(handle)
        case .replaced(let old): attributes.release(old)
        }
    }

    // MARK: Decide

    /// Prefixes that wait for a decision.
    package var dirtyCount: Int { tables[0].dirtyCount + tables[1].dirtyCount }

    /// Decides at most `budget` dirty prefixes and tells the update groups.
    package mutating func decide(budget: Int) {
        var budget = budget
        for family in AddressFamily.allCases {
            while budget > 0, let index = tables[family.index].takeDirty() {
                decide(index, family)
                budget -= 1
            }
        }
    }

    private mutating func decide(_ index: PrefixIndex, _ family: AddressFamily) {
        // One path: the common case needs no list.
        if let only = tables[family.index].single(index) {
            let isEligible = ineligibility(tables[family.index].paths[Int(only)]) == nil
            tables[family.index].selectOnly(only, isEligible: isEligible)
        } else if !tables[family.index].hasNoPath(index) {
            fillCandidates(index, family)
            let outcome = DecisionProcess.decide(&candidates, maximumPaths: maximumPaths)
            tables[family.index].select(index, best: outcome?.best, multipath: outcome?.multipath ?? [])
        }
        for group in profiles.indices where profiles[group]?.family == family { offer(index, family, to: group) }
        if recordsChanges, let prefix = tables[family.index].prefix(at: index) {
            changes.append(LocRIBChange(prefix: prefix, index: index))
        }
        if tables[family.index].best(index) == nil { emptied[family.index].append(index) }
    }

    /// The eligible paths of a prefix as candidates.
    private mutating func fillCandidates(_ index: PrefixIndex, _ family: AddressFamily) {
        tables[family.index].pathIndices(index, into: &pathList)
        candidates.removeAll(keepingCapacity: true)
        for path in pathList {
            if let candidate = candidate(path, family) { candidates.append(candidate) }
        }
    }

    private func candidate(_ index: PathIndex, _ family: AddressFamily) -> Candidate? {
        let path = tables[family.index].paths[Int(index)]
        guard ineligibility(path) == nil else { return nil }
        let key = attributes.key(path.attributes)
        let isLocal = path.peer == .local
        return Candidate(
            path: index, key: key, isLocal: isLocal, isExternal: path.flags.contains(.external),
            interiorCost: attributes.cost(key.nextHop),
            identifier: key.originatorID != 0 ? key.originatorID : (isLocal ? identity.identifier : keys[path.peer.index].identifier).rawValue,
            peerAddress: isLocal ? .any(family) : keys[path.peer.index].address, pathID: path.pathID)
    }

    /// Why a path takes no part; nil for an eligible one.
    package func ineligibility(_ path: Path) -> IneligibleReason? {
        if let reason = path.ineligible { return reason }
        return attributes.isReachable(attributes.key(path.attributes).nextHop) ? nil : .nextHopUnreachable
    }

    /// The decision on a prefix explained: the outcome as it would be now.
    package func explain(_ index: PrefixIndex, _ family: AddressFamily) -> DecisionProcess.Outcome? {
        var list: [PathIndex] = []
        tables[family.index].pathIndices(index, into: &list)
        var candidates = list.compactMap { candidate($0, family) }
        return DecisionProcess.decide(&candidates, maximumPaths: maximumPaths)
    }

    /// Tells a group what its members are to have of a prefix.
    private mutating func offer(_ index: PrefixIndex, _ family: AddressFamily, to group: Int) {
        guard let profile = profiles[group] else { return }
        var handle: AttributeHandle?
        var source = PeerIndex.local
        if let best = tables[family.index].best(index) {
            let verdict = ExportPolicy.judge(attributes.key(best.attributes), source: self.source(best), profile: profile)
            if verdict == .announced {
                handle = best.attributes
                source = best.peer
            }
        }
        guard let result = groups[group]?.set(index, handle, source: source), result.changed else { return }
        if let handle { attributes.retain(handle) }
        if let released = result.released { attributes.release(released) }
    }

    package func source(_ path: Path) -> RouteSource {
        if path.peer == .local { return .local }
        if path.flags.contains(.external) { return .external }
        return keys[path.peer.index].isClient ? .client : .nonClient
    }

    /// What changed in the Loc-RIB since the last call.
    package mutating func takeChanges() -> [LocRIBChange] {
        let taken = changes
        changes.removeAll(keepingCapacity: taken.count < 65536)
        return taken
    }

    // MARK: Next hops and policy

    package mutating func takeUnresolvedNextHops() -> [IPAddress] { attributes.takeUnresolvedNextHops() }
    package mutating func takeReleasedNextHops() -> [IPAddress] { attributes.takeReleasedNextHops() }

    /// What the kernel says of a next hop that has just been met: its users wait for their first decision anyway.
    package mutating func setNewNextHop(_ address: IPAddress, isReachable: Bool, cost: UInt32) {
        _ = attributes.setNextHop(address, isReachable: isReachable, cost: cost)
    }

    /// What the kernel says of next hops that are reached in another way than before (edge A of the design). Prefixes that use one are decided
    /// again, also where only the way changed, because the FIB must hear of it. One walk over the table, however many next hops.
    package mutating func changeNextHops(_ states: [(address: IPAddress, isReachable: Bool, cost: UInt32)]) {
        var changed: Set<NextHopIndex> = []
        for state in states {
            _ = attributes.setNextHop(state.address, isReachable: state.isReachable, cost: state.cost)
            if let index = attributes.nextHops.index(of: state.address) { changed.insert(index) }
        }
        guard !changed.isEmpty else { return }
        for family in AddressFamily.allCases where tables[family.index].pathCount > 0 {
            // Collected first: the table cannot ask the attributes while it is being changed.
            let affected = usersOf(changed, family)
            for index in affected { tables[family.index].markDirty(index) }
        }
    }

    private func usersOf(_ nextHops: Set<NextHopIndex>, _ family: AddressFamily) -> [PrefixIndex] {
        var result: [PrefixIndex] = []
        var list: [PathIndex] = []
        for index in 0..<PrefixIndex(tables[family.index].prefixCapacity) {
            tables[family.index].pathIndices(index, into: &list)
            if list.contains(where: { nextHops.contains(attributes.key(tables[family.index].paths[Int($0)].attributes).nextHop) }) {
                result.append(index)
            }
        }
        return result
    }

    /// A new import policy: every path is judged again, no session is touched.
    package mutating func setImportPolicy(_ policy: ImportPolicy) {
        guard policy != importPolicy else { return }
        importPolicy = policy
        judgeAllAgain()
    }

    private mutating func judgeAllAgain() {
        for family in AddressFamily.allCases where tables[family.index].pathCount > 0 {
            var verdicts: [(PathIndex, IneligibleReason?)] = []
            var list: [PathIndex] = []
            for index in 0..<PrefixIndex(tables[family.index].prefixCapacity) {
                guard let prefix = tables[family.index].prefix(at: index) else { continue }
                tables[family.index].pathIndices(index, into: &list)
                for slot in list { verdicts.append((slot, judge(prefix, tables[family.index].paths[Int(slot)]))) }
            }
            tables[family.index].reevaluate(verdicts)
        }
    }

    func judge(_ prefix: Prefix, _ path: Path) -> IneligibleReason? {
        guard path.peer != .local, let peer = peers[path.peer.index] else { return nil }
        return importPolicy.judge(
            prefix, attributes.key(path.attributes), nextHop: attributes.nextHopAddress(path.attributes), mode: peer.importMode,
            isInternal: peer.isInternal, allowedOwnAS: peer.allowedOwnAS)
    }

    /// A live change of a peer's import settings.
    package mutating func setImport(_ index: PeerIndex, mode: ImportMode, allowedOwnAS: Int) {
        guard let peer = peers[index.index], peer.importMode != mode || peer.allowedOwnAS != allowedOwnAS else { return }
        peers[index.index]?.importMode = mode
        peers[index.index]?.allowedOwnAS = allowedOwnAS
        judgeAllAgain()
    }
}

extension RIB {
    /// The attribute sets of the ECMP members of a prefix, the best one first.
    package func multipath(_ index: PrefixIndex, _ family: AddressFamily) -> [AttributeHandle] {
        guard let best = tables[family.index].best(index) else { return [] }
        if tables[family.index].single(index) != nil { return [best.attributes] }
        var list: [PathIndex] = []
        tables[family.index].pathIndices(index, into: &list)
        return list.map { tables[family.index].paths[Int($0)] }.filter { $0.flags.contains(.multipath) }.map(\.attributes)
    }
}
