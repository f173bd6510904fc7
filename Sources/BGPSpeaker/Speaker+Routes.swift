package import BGPMessages
package import BGPRouting
package import NetTypes

// MARK: What can be read
extension Speaker: RouteView {
    package func find(_ prefix: Prefix) -> PrefixIndex? { rib.tables[prefix.family].find(prefix) }
    package func longestMatch(_ address: IPAddress) -> PrefixIndex? {
        rib.tables[address.family].longestMatch(address)
    }
    package func prefix(at index: PrefixIndex, _ family: AddressFamily) -> Prefix? {
        rib.tables[family].prefix(at: index)
    }
    package func prefixCapacity(_ family: AddressFamily) -> Int { rib.tables[family].prefixCapacity }
    package func bestPath(_ index: PrefixIndex, _ family: AddressFamily) -> Path? {
        rib.tables[family].best(index)
    }
    package func isMultipath(_ index: PrefixIndex, _ family: AddressFamily) -> Bool {
        rib.tables[family].isMultipath(index)
    }
    package func multipath(_ index: PrefixIndex, _ family: AddressFamily) -> [AttributeHandle] {
        rib.multipath(index, family)
    }
    package func nextHop(of handle: AttributeHandle) -> IPAddress? { rib.attributes.nextHopAddress(handle) }
    /// The attributes of a set, decoded.
    package func attributes(of handle: AttributeHandle) -> PathAttributes { rib.attributes.attributes(handle) }
    package func localPref(of handle: AttributeHandle) -> UInt32 { rib.attributes.key(handle).localPref }
    package func address(of peer: PeerIndex) -> PeerAddress? { settings(peer)?.peerAddress }
    package var isDecided: Bool { rib.dirtyCount == 0 }
    package func announcesOnlyItself(_ peer: PeerIndex) -> Bool { settings(peer)?.announcesOnlyItself ?? false }

    package var identity: AttributeTable.Identity { rib.identity }
    package var importPolicy: ImportPolicy { rib.importPolicy }
    /// Cost: the number of update groups.
    package var counts: RouteCounts { rib.counts }
    /// About how many bytes the routes that are there need.
    package var usedBytes: Int { rib.usedBytes }
    /// Something is to be decided or sent now.
    package func hasWork(now: Instant) -> Bool { rib.dirtyCount > 0 || rib.hasExportWork(now: now) || hasActions }
    /// Nothing is to be sent to any group now: what was withdrawn is in the queue of each connection, or is remembered
    /// for a peer that is backlogged. A peer that does not read is not waited for (RFC 9687).
    package func hasSentAll(now: Instant) -> Bool { rib.dirtyCount == 0 && !rib.hasExportWork(now: now) }

    /// The paths of a prefix that are wanted, the best one first.
    package func explainedPaths(
        _ index: PrefixIndex, _ family: AddressFamily, where isWanted: (Path) -> Bool = { _ in true }
    ) -> [ExplainedPath] {
        rib.explainedPaths(index, family, where: isWanted)
    }
    /// What a peer has announced of a prefix, as it was sent. See `RIB.advertisedPaths`.
    package func advertisedPaths(
        _ index: PrefixIndex, _ family: AddressFamily, to peer: PeerIndex,
        where isWanted: (AttributeHandle, PeerIndex) -> Bool
    ) -> [AdvertisedPath] {
        rib.advertisedPaths(index, family, to: peer, where: isWanted)
    }
    /// A session with the peer carries the family.
    package func isSentTo(_ peer: PeerIndex, _ family: AddressFamily) -> Bool { rib.isSentTo(peer, family) }
    /// Visits prefixes, or those that overlap `wanted`, from a position on: see `PrefixTable.visit`.
    package func visitRoutes(
        _ family: AddressFamily, overlapping wanted: Prefix?, from place: Int, budget: inout Int,
        _ body: (PrefixIndex, Prefix) -> Bool
    ) -> Int? {
        rib.tables[family].visit(overlapping: wanted, from: place, budget: &budget, body)
    }
    /// True where the peer has been sent the prefix, by any path.
    package func isAnnounced(_ prefix: Prefix, to peer: PeerIndex) -> Bool { rib.isAnnounced(prefix, to: peer) }
    /// True where some peer has been sent the prefix, by any path. Cost: the update groups.
    package func isAnnouncedToAny(_ prefix: Prefix) -> Bool { rib.isAnnouncedToAny(prefix) }
    /// Why a peer does not have the best path of a prefix; nil where it has it. See `RIB.whyNotAnnounced`.
    package func whyNotAnnounced(to peer: PeerIndex, _ verdicts: inout GroupVerdicts) -> RIB.NotAnnounced? {
        rib.whyNotAnnounced(to: peer, &verdicts)
    }
}

// MARK: What can be done
extension Speaker {
    /// Originates a route of this node, or changes it; it takes effect with the next decision.
    ///
    /// `interface`: where the route leads out, for export rules that name one.
    package mutating func originate(_ prefix: Prefix, _ route: PathAttributes, interface: String = "") {
        rib.originate(prefix, route, interface: interface)
    }
    /// Withdraws a route of this node.
    package mutating func withdrawOwn(_ prefix: Prefix) { rib.withdrawOwn(prefix) }

    /// Next hops that nobody has judged yet, each once.
    package mutating func takeUnresolvedNextHops() -> [IPAddress] { rib.takeUnresolvedNextHops() }
    /// Next hops that no path has any more, each once.
    package mutating func takeReleasedNextHops() -> [IPAddress] { rib.takeReleasedNextHops() }
    /// Judges a next hop for the first time: its routes wait for their first decision anyway.
    package mutating func setNewNextHop(_ state: RIB.NextHopState) { rib.setNewNextHop(state) }
    /// Judges next hops again: prefixes that use them are decided again. Cost: one walk over the tables.
    package mutating func changeNextHops(_ states: [RIB.NextHopState]) { rib.changeNextHops(states) }

    /// Paths of a prefix that are selected at most (ECMP), from the next decision on.
    package mutating func setMaximumPaths(_ count: Int) { rib.maximumPaths = count }
    /// What `export: pools` passes on; what that changes is sent, and nothing else.
    package mutating func setExportScope(_ scope: ExportScope) { rib.setExportScope(scope) }
    /// What is refused from every peer; routes that are there are judged again.
    package mutating func setImportPolicy(_ policy: ImportPolicy) { rib.setImportPolicy(policy) }
    /// Gives back the memory of tables that shrank. Returns false, and does nothing, while anything waits to be decided
    /// or sent. Cost: a walk over all tables.
    package mutating func trim() -> Bool { rib.trim() }
}
