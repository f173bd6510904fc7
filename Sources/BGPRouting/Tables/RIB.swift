public import BGPMessages
public import NetTypes

/// A peer as the routing core knows it, from session up to session down (and while its routes are stale).
public struct RoutingPeer: Sendable {
    public var address: IPAddress
    public var identifier: BGPIdentifier
    public var asNumber: ASNumber
    public var isInternal: Bool
    public var isClient: Bool
    public var policy: ImportSettings
    /// RFC 4271 6.3.
    public var nextHopRule = NextHopRule.any
    public var context: AttributeContext
    /// Export profiles by family index; nil for a family that is not on the session.
    public var profiles: [ExportProfile?]
    /// Update group by family index, while the session is up.
    public internal(set) var groups: [Int?] = [nil, nil]

    public init(
        address: IPAddress, identifier: BGPIdentifier, asNumber: ASNumber, isInternal: Bool, isClient: Bool,
        policy: ImportSettings,
        context: AttributeContext, profiles: [ExportProfile?]
    ) {
        self.address = address
        self.identifier = identifier
        self.asNumber = asNumber
        self.isInternal = isInternal
        self.isClient = isClient
        self.policy = policy
        self.context = context
        self.profiles = profiles
    }

    /// The next hop of a route in MP_REACH_NLRI: on a link that we share with the peer the link-local one (RFC 2545
    /// section 3), which then has the link's scope.
    func nextHop(_ reach: MPReachNLRI) -> IPAddress {
        guard address.scope != 0 else { return reach.nextHop.unscoped }
        if let linkLocal = reach.linkLocalNextHop { return linkLocal.scoped(address.scope) }
        return reach.nextHop.isLinkLocal ? reach.nextHop.scoped(address.scope) : reach.nextHop
    }
}

/// A group's profile behind a reference: reading it once per prefix is one count, and not one for each of its parts.
final class GroupProfile: Sendable {
    let value: ExportProfile
    let family: AddressFamily
    let sendsPathIDs: Bool
    /// No rule, no pool and no next hop of ours stands between an internal peer's route and these internal peers.
    private let passesReflected: Bool
    private let isClient: Bool
    init(_ value: ExportProfile) {
        self.value = value
        passesReflected =
            value.isInternal && value.mode == .all && value.filter.isEmpty(value.family)
            && value.nextHop.mode == .auto
        isClient = value.isClient
        family = value.family
        sendsPathIDs = value.sendsPathIDs
    }

    /// True only where `ExportPolicy.judge` says `announced`: the common case of a reflector, asked without handing the
    /// whole profile over.
    func passes(_ key: DecisionKey, fromClient: Bool, nextHop: AddressFamily) -> Bool {
        passesReflected && (fromClient || isClient) && nextHop == family
            && key.flags.isDisjoint(with: [.noAdvertise, .longLivedStale])
    }
}

/// A prefix whose selected paths changed; valid until the next `export`.
public struct LocRIBChange: Sendable, Equatable {
    public let prefix: Prefix
    public let index: PrefixIndex
}

/// The routing information base: Adj-RIBs-In, Loc-RIB, and the Adj-RIBs-Out of the update groups.
///
/// The way of the data: `receive` (RIB+Import) marks prefixes dirty; `decide` takes dirty prefixes, selects, and gives
/// the groups what their members are to have; `export` (RIB+Export) sends it. Each stage's output is the next one's
/// input; rates are decoupled by the dirty set and the pending set, so that a flap inside a turn costs nothing.
public struct RIB: ~Copyable {
    public internal(set) var attributes: AttributeTable
    public internal(set) var tables: PerFamily<PathTable>
    var peers = PeerTable()
    public internal(set) var groups: [UpdateGroup?] = []
    /// The groups' profiles beside them: what is asked once per prefix must not cost a copy of the group.
    var profiles: [GroupProfile?] = []
    /// Sink that keeps the loads of `prefetch` alive.
    var prefetchSink: UInt32 = 0
    public internal(set) var importPolicy = ImportPolicy()
    private(set) var exportScope = ExportScope()
    public var maximumPaths: Int
    /// Whether `takeChanges` is used: a reflector has no use for it.
    private let recordsChanges: Bool
    private var changes: [LocRIBChange] = []
    /// Prefixes that lost their last path and are given back once every group knows.
    var emptied: [[PrefixIndex]] = [[], []]
    /// Some next hop leads out by another interface than when import rules were asked.
    var hasInterfaceChanges = false
    /// Where own routes lead out, for filters.
    private var ownInterfaces: [Prefix: String] = [:]
    /// Lists that a decision fills, kept for the next one.
    private struct Scratch {
        var candidates: [Candidate] = []
        var paths: [PathIndex] = []
    }
    private var scratch = Scratch()

    public init(
        identity: AttributeTable.Identity, assumesReachableNextHops: Bool, maximumPaths: Int, recordsChanges: Bool,
        seed: UInt64
    ) {
        attributes = AttributeTable(identity: identity, assumesReachableNextHops: assumesReachableNextHops, seed: seed)
        tables = PerFamily { PathTable(family: $0, seed: seed) }
        self.maximumPaths = maximumPaths
        self.recordsChanges = recordsChanges
    }

    public var identity: AttributeTable.Identity { attributes.identity }

    /// About how many bytes the routes that are there need: what falls when they go, unlike what is reserved.
    public var usedBytes: Int {
        (tables[.ipv4].pathCount + tables[.ipv6].pathCount) * RIB.bytesPerPath + attributes.byteCount + attributes.count
            * RIB.bytesPerSet
            + attributes.nextHops.count * RIB.bytesPerNextHop
    }
    /// Entries in the tables of prefixes, paths and groups, of sets, and of next hops with their tracking.
    private static let bytesPerPath = 64
    private static let bytesPerSet = 100
    private static let bytesPerNextHop = 200

    /// Gives back the memory of tables that shrank. False, and nothing is done, while anything waits to be decided or
    /// sent. Cost: a walk over all tables.
    public mutating func trim() -> Bool {
        guard dirtyCount == 0, emptied.allSatisfy(\.isEmpty), tables[.ipv4].retired.isEmpty,
            tables[.ipv6].retired.isEmpty,
            groups.allSatisfy({ $0.map { !$0.hasPending && !$0.hasReplay } ?? true })
        else { return false }
        for family in AddressFamily.allCases { tables[family].trim() }
        for group in groups { group?.trim() }
        attributes.trim()
        changes = []
        emptied = [[], []]
        return true
    }
    /// Bytes of the groups' Adj-RIBs-Out.
    public var groupMemory: Int { groups.reduce(0) { $0 + ($1?.memory ?? 0) } }

    // MARK: Peers

    /// A number for a peer; it keeps it until `removePeer`.
    public mutating func addPeer() -> PeerIndex { peers.add() }
    /// Peers at most: a `PeerIndex` has two bytes.
    public static let maximumPeers = 65_000

    /// The session is up: the peer joins its update groups, and gets their tables.
    public mutating func peerUp(_ index: PeerIndex, _ peer: RoutingPeer) {
        leaveGroups(index)
        peers.setUp(index, peer)
        for family in AddressFamily.allCases {
            guard let profile = peer.profiles[family.index] else { continue }
            let group = self.group(for: profile)
            peers[index]?.groups[family.index] = group
            groups[group]?.join(index)
        }
    }

    /// The session is down: it leaves its groups. Its routes stay until `flush` or `markStale` says otherwise.
    public mutating func peerDown(_ index: PeerIndex) { leaveGroups(index) }

    /// Forgets the peer and its routes; the number is free again.
    public mutating func removePeer(_ index: PeerIndex) {
        leaveGroups(index)
        for family in AddressFamily.allCases { flush(index, family, onlyStale: false) }
        peers.remove(index)
    }

    /// Removes a peer's routes of a family, or its stale ones.
    public mutating func flush(_ index: PeerIndex, _ family: AddressFamily, onlyStale: Bool) {
        removePaths(of: index, family) { path, _ in !onlyStale || path.flags.contains(.stale) }
    }

    /// Marks a peer's paths as stale. Paths that are stale already are of an older session and go (RFC 4724 4.2),
    /// unless they are kept for long (RFC 9494 4.2).
    public mutating func markStale(_ index: PeerIndex, _ family: AddressFamily) {
        removePaths(of: index, family) { path, _ in path.flags.contains(.stale) && !path.flags.contains(.longLived) }
        tables[family].mark(index, .refreshing, isSet: false)
        tables[family].mark(index, .stale, isSet: true)
    }

    private mutating func leaveGroups(_ index: PeerIndex) {
        guard let peer = peers.setDown(index) else { return }
        for case let group? in peer.groups {
            groups[group]?.leave(index)
            if groups[group]?.members.isEmpty ?? false {
                for handle in groups[group]?.drain() ?? [] { attributes.release(handle) }
                groups[group] = nil
                profiles[group] = nil
            }
        }
        for family in AddressFamily.allCases where tables[family].retiresPaths {
            if !profiles.contains(where: { $0?.family == family && $0?.sendsPathIDs ?? false }) {
                tables[family].retiresPaths = false
            }
        }
        peers[index]?.groups = [nil, nil]
    }

    /// The group of a profile. A new one is filled from the Loc-RIB: its members then get it by replay.
    private mutating func group(for profile: ExportProfile) -> Int {
        if let existing = profiles.firstIndex(where: { $0?.value == profile }) { return existing }
        let index: Int
        if let free = groups.firstIndex(where: { $0 == nil }) {
            groups[free] = UpdateGroup(profile: profile)
            profiles[free] = GroupProfile(profile)
            index = free
        } else {
            groups.append(UpdateGroup(profile: profile))
            profiles.append(GroupProfile(profile))
            index = groups.count - 1
        }
        if profile.sendsPathIDs { tables[profile.family].retiresPaths = true }
        for prefix in PrefixIndex.all(below: tables[profile.family].prefixCapacity) {
            offer(prefix, profile.family, to: index)
        }
        // Nothing has been sent yet, so nothing is pending: the replay sends it.
        for case let old? in (groups[index]?.takePending() ?? []).lazy.map(\.oldHandle) { attributes.release(old) }
        return index
    }

    // MARK: Own routes

    /// Originates a route of this speaker, or changes it. Takes effect with the next decision. `interface`: where it
    /// leads out, for filters.
    public mutating func originate(_ prefix: Prefix, _ route: PathAttributes, interface: String = "") {
        ownInterfaces[prefix] = interface.isEmpty ? nil : interface
        let handle = attributes.intern(route, separateNextHop: nil)
        _ = insert(prefix, .local, pathID: 0, attributes: handle, received: handle, flags: [])
        attributes.release(handle)
    }

    public mutating func withdrawOwn(_ prefix: Prefix) {
        ownInterfaces[prefix] = nil
        if let path = tables[prefix.family].remove(prefix, .local, pathID: 0) { releaseAttributes(of: path) }
    }

    /// Adds or replaces a path. False where the peer may not have so many of the prefix.
    mutating func insert(
        _ prefix: Prefix, _ peer: PeerIndex, pathID: UInt32, attributes effective: AttributeHandle,
        received: AttributeHandle, flags: Path.Flags
    ) -> Bool {
        attributes.retain(effective)
        if received != effective { attributes.retain(received) }
        var isRefused = false
        switch tables[prefix.family].update(
            prefix, peer, pathID: pathID, attributes: effective, received: received, flags: flags)
        {
        case .added: return true
        case .replaced(let old):
            releaseAttributes(of: old)
            return true
        case .none: break
        case .refused: isRefused = true
        }
        attributes.release(effective)
        if received != effective { attributes.release(received) }
        return !isRefused
    }

    // MARK: Decide

    /// Prefixes that wait for a decision.
    public var dirtyCount: Int { tables[.ipv4].dirtyCount + tables[.ipv6].dirtyCount }

    /// Decides at most `budget` dirty prefixes and updates the update groups.
    public mutating func decide(budget: Int) {
        judgeByInterfaceAgain()
        var budget = budget
        for family in AddressFamily.allCases {
            while budget > 0, let index = tables[family].takeDirty() {
                decide(index, family)
                budget -= 1
            }
        }
    }

    private mutating func decide(_ index: PrefixIndex, _ family: AddressFamily) {
        // One path: the common case needs no list.
        if let only = tables[family].single(index) {
            let isEligible = ineligibility(tables[family].paths[Int(only)]) == nil
            tables[family].selectOnly(only, isEligible: isEligible)
        } else if !tables[family].hasNoPath(index) {
            fillCandidates(index, family)
            let outcome = DecisionProcess.decide(&scratch.candidates, maximumPaths: maximumPaths)
            tables[family].select(index, best: outcome?.best, multipath: outcome?.multipath ?? [])
        }
        for group in profiles.indices where profiles[group]?.family == family { offer(index, family, to: group) }
        if recordsChanges, let prefix = tables[family].prefix(at: index) {
            changes.append(LocRIBChange(prefix: prefix, index: index))
        }
        if tables[family].best(index) == nil { emptied[family.index].append(index) }
    }

    /// The eligible paths of a prefix as candidates.
    private mutating func fillCandidates(_ index: PrefixIndex, _ family: AddressFamily) {
        var list: [PathIndex] = []
        swap(&list, &scratch.paths)
        tables[family].pathIndices(index, into: &list)
        scratch.candidates.removeAll(keepingCapacity: true)
        for path in list {
            if let candidate = candidate(path, family) { scratch.candidates.append(candidate) }
        }
        swap(&list, &scratch.paths)
    }

    func candidate(_ index: PathIndex, _ family: AddressFamily) -> Candidate? {
        let path = tables[family].paths[Int(index)]
        guard ineligibility(path) == nil else { return nil }
        let key = attributes.key(path.attributes)
        let isLocal = path.peer == .local
        return Candidate(
            path: index, key: key, isLocal: isLocal, isExternal: path.flags.contains(.external),
            interiorCost: attributes.cost(key.nextHop),
            identifier: key.originatorID != 0
                ? key.originatorID : (isLocal ? identity.identifier : peers.key(path.peer).identifier).rawValue,
            peerAddress: isLocal ? .any(family) : peers.key(path.peer).address, pathID: path.pathID)
    }

    /// Why a path takes no part; nil for an eligible one.
    public func ineligibility(_ path: Path) -> IneligibleReason? {
        if let reason = path.ineligible { return reason }
        let hop = attributes.key(path.attributes).nextHop
        guard attributes.isReachable(hop) else { return .nextHopUnreachable }
        guard path.flags.contains(.external) else { return nil }
        let rule = peers.key(path.peer).nextHopRule
        if rule == .any { return nil }
        return rule.judge(
            attributes.nextHops.entries[Int(hop)].address, attributes.nextHops.entries[Int(hop)].place,
            peer: peers.key(path.peer).address)
    }

    /// The way to an external peer is another one now: what it announces is decided again.
    public mutating func setNextHopRule(_ index: PeerIndex, _ rule: NextHopRule) {
        guard peers[index] != nil, peers.key(index).nextHopRule != rule else { return }
        peers.setNextHopRule(index, rule)
        for family in AddressFamily.allCases where tables[family].pathCount(of: index) > 0 {
            markAllDirty(from: index, family)
        }
    }

    /// The decision on a prefix explained: the outcome as it would be now.
    public func explain(_ index: PrefixIndex, _ family: AddressFamily) -> DecisionProcess.Outcome? {
        var list: [PathIndex] = []
        tables[family].pathIndices(index, into: &list)
        var candidates = list.compactMap { candidate($0, family) }
        return DecisionProcess.decide(&candidates, maximumPaths: maximumPaths)
    }

    /// Offers a group what its members are to have of a prefix.
    private mutating func offer(_ index: PrefixIndex, _ family: AddressFamily, to group: Int) {
        guard let profile = profiles[group] else { return }
        if profile.sendsPathIDs {
            offerPaths(index, profile.value, to: group)
            return
        }
        var handle: AttributeHandle?
        var source = PeerIndex.local
        if let best = tables[family].best(index), let outgoing = outbound(best, index, profile: profile) {
            handle = outgoing
            source = best.peer
        }
        set(index.rawValue, handle, source: source, prefix: index, group: group)
    }

    /// The same with path identifiers: the best paths that may be sent, as many as the peers are to have (RFC 7911).
    private mutating func offerPaths(_ index: PrefixIndex, _ profile: ExportProfile, to group: Int) {
        let family = profile.family
        var list: [PathIndex] = []
        tables[family].pathIndices(index, into: &list)
        guard !list.isEmpty else { return }
        let eligible = list.compactMap { candidate($0, family) }
        // Every path: their order does not matter.
        let ranked =
            profile.addPathLimit >= eligible.count
            ? eligible.map(\.path) : DecisionProcess.rank(eligible, limit: eligible.count)
        var chosen: Set<PathIndex> = []
        for slot in ranked where chosen.count < profile.addPathLimit {
            let path = tables[family].paths[Int(slot)]
            guard let handle = outbound(path, index, profile: profile) else { continue }
            chosen.insert(slot)
            set(slot.rawValue, handle, source: path.peer, prefix: index, group: group)
        }
        for slot in list where !chosen.contains(slot) {
            set(slot.rawValue, nil, source: .local, prefix: index, group: group)
        }
    }

    /// Records what members are to have; takes over the caller's reference to `handle`.
    private mutating func set(
        _ slot: UInt32, _ handle: AttributeHandle?, source: PeerIndex, prefix: PrefixIndex, group: Int
    ) {
        let result = groups[group]?.set(slot, handle, source: source, prefix: prefix)
        if let handle, !(result?.changed ?? false) { attributes.release(handle) }
        if let released = result?.released { attributes.release(released) }
    }

    /// Path slots that are gone are withdrawn from the groups that send path identifiers.
    mutating func offerRetired() {
        for family in AddressFamily.allCases where tables[family].retiresPaths {
            for (slot, prefix) in tables[family].retired where !tables[family].isWaiting(prefix) {
                for group in profiles.indices
                where profiles[group]?.family == family && profiles[group]?.sendsPathIDs ?? false {
                    set(slot.rawValue, nil, source: .local, prefix: prefix, group: group)
                }
            }
        }
    }

    private mutating func outbound(_ path: Path, _ index: PrefixIndex, profile: GroupProfile) -> AttributeHandle? {
        if path.peer != .local, !path.flags.contains(.external) {
            let key = attributes.key(path.attributes)
            if profile.passes(
                key, fromClient: peers.key(path.peer).isClient, nextHop: attributes.family(ofNextHop: key.nextHop))
            {
                attributes.retain(path.attributes)
                return path.attributes
            }
        }
        return outbound(path, index, profile: profile.value)
    }

    /// The attributes of a path as its group's rules leave them, retained; nil where it is not sent.
    private mutating func outbound(_ path: Path, _ index: PrefixIndex, profile: ExportProfile) -> AttributeHandle? {
        let verdict = exportVerdict(path, index, profile: profile)
        guard verdict.isAnnounced else { return nil }
        if case .acceptedByRule(let position) = verdict {
            let operations = profile.filter.rule(position, profile.family).operations
            if !operations.isEmpty {
                return attributes.transformed(path.attributes) { set in
                    for operation in operations { operation.apply(to: &set) }
                }
            }
        }
        attributes.retain(path.attributes)
        return path.attributes
    }

    /// Whether a path of a prefix may be sent to the peers of a profile, and by what rule.
    public func exportVerdict(_ path: Path, _ index: PrefixIndex, profile: ExportProfile) -> ExportReason {
        let key = attributes.key(path.attributes)
        let source = source(path)
        var rule: Int?
        var outOfScope: ExportReason?
        if profile.mode == .pools, source != .local, let prefix = tables[profile.family].prefix(at: index) {
            outOfScope = exportScope.refusal(prefix)
        }
        if !profile.filter.isEmpty(profile.family), let prefix = tables[profile.family].prefix(at: index) {
            let interface =
                path.peer == .local
                ? ownInterfaces[prefix] ?? "" : attributes.nextHops.entries[Int(key.nextHop)].interface
            let facts = RouteFilter.RouteFacts(
                isLocal: path.peer == .local, isInternalPeer: profile.isInternal, localPref: key.localPref,
                interface: interface)
            rule = profile.filter.firstMatch(prefix, route: facts) { attributes.attributes(path.attributes) }
        }
        return ExportPolicy.judge(
            key, source: source, nextHop: attributes.nextHopAddress(path.attributes), profile: profile, rule: rule,
            outOfScope: outOfScope)
    }

    public func source(_ path: Path) -> RouteSource {
        if path.peer == .local { return .local }
        if path.flags.contains(.external) { return .external }
        return peers.key(path.peer).isClient ? .client : .nonClient
    }

    /// What `export: pools` passes on from now on. Prefixes of which that says something else than before are decided
    /// again, and nothing else is sent. Cost: one walk over the tables of families with such peers.
    public mutating func setExportScope(_ scope: ExportScope) {
        guard scope != exportScope else { return }
        let old = exportScope
        exportScope = scope
        for family in AddressFamily.allCases
        where profiles.contains(where: { $0?.family == family && $0?.value.mode == .pools }) {
            for index in PrefixIndex.all(below: tables[family].prefixCapacity) {
                guard let prefix = tables[family].prefix(at: index) else { continue }
                if old.refusal(prefix) != scope.refusal(prefix) { tables[family].markDirty(index) }
            }
        }
    }

    /// What changed in the Loc-RIB since the last call.
    public mutating func takeChanges() -> [LocRIBChange] {
        let taken = changes
        changes.removeAll(keepingCapacity: taken.count < 65536)
        return taken
    }

    // MARK: Next hops and policy

    public mutating func takeUnresolvedNextHops() -> [IPAddress] { attributes.takeUnresolvedNextHops() }
    public mutating func takeReleasedNextHops() -> [IPAddress] { attributes.takeReleasedNextHops() }

    /// What the kernel says of a next hop.
    public struct NextHopState: Sendable {
        public var address: IPAddress
        public var isReachable: Bool
        public var cost: UInt32
        /// Where it leads out; empty for several ways.
        public var interface: String
        public var place: NextHopPlace
        public init(
            address: IPAddress, isReachable: Bool, cost: UInt32, interface: String = "", place: NextHopPlace = .unknown
        ) {
            self.address = address
            self.isReachable = isReachable
            self.cost = cost
            self.interface = interface
            self.place = place
        }
    }

    /// A next hop that has just been met: its users wait for their first decision anyway.
    public mutating func setNewNextHop(_ state: NextHopState) {
        guard attributes.setNextHop(state) != nil else { return }
        if !state.interface.isEmpty { hasInterfaceChanges = true }
    }

    /// What the kernel says of next hops that are reached in another way than before (edge A of the design). Prefixes
    /// that use one are decided again, also where only the way changed, because the FIB must hear of it. One walk over
    /// the table, however many next hops.
    public mutating func changeNextHops(_ states: [NextHopState]) {
        var changed: Set<NextHopIndex> = []
        for state in states {
            _ = attributes.setNextHop(state)
            if let index = attributes.nextHops.index(of: state.address) { changed.insert(index) }
        }
        guard !changed.isEmpty else { return }
        hasInterfaceChanges = true
        for family in AddressFamily.allCases where tables[family].pathCount > 0 {
            // Collected first: the table cannot ask the attributes while it is being changed.
            let affected = usersOf(changed, family)
            for index in affected { tables[family].markDirty(index) }
        }
    }

    private func usersOf(_ nextHops: Set<NextHopIndex>, _ family: AddressFamily) -> [PrefixIndex] {
        var result: [PrefixIndex] = []
        var list: [PathIndex] = []
        for index in PrefixIndex.all(below: tables[family].prefixCapacity) {
            tables[family].pathIndices(index, into: &list)
            if list.contains(where: {
                nextHops.contains(attributes.key(tables[family].paths[Int($0)].attributes).nextHop)
            }) {
                result.append(index)
            }
        }
        return result
    }
}

extension RIB {
    /// The attribute sets of the ECMP members of a prefix, the best one first.
    public func multipath(_ index: PrefixIndex, _ family: AddressFamily) -> [AttributeHandle] {
        guard let best = tables[family].best(index) else { return [] }
        if tables[family].single(index) != nil { return [best.attributes] }
        var list: [PathIndex] = []
        tables[family].pathIndices(index, into: &list)
        return list.map { tables[family].paths[Int($0)] }.filter { $0.flags.contains(.multipath) }.map(
            \.attributes)
    }
}
