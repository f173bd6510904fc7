import BGPMessages
import NetTypes

/// The peers that the routing tables know, by number: one row for each.
struct PeerTable {
    /// What the decision asks of a peer once per path.
    struct Key: Sendable {
        var address: IPAddress
        var identifier: BGPIdentifier
        var isInternal: Bool
        var isClient: Bool
        /// IPv4 prefixes come with a path identifier.
        var hasPathID: Bool
        var nextHopRule = NextHopRule.any

        fileprivate init() {
            address = .any(.ipv4)
            identifier = BGPIdentifier(rawValue: 0)
            isInternal = true
            isClient = false
            hasPathID = false
        }

        fileprivate init(_ peer: RoutingPeer) {
            address = peer.address
            identifier = peer.identifier
            isInternal = peer.isInternal
            isClient = peer.isClient
            hasPathID = peer.context.addPath.contains(.ipv4)
            nextHopRule = peer.nextHopRule
        }
    }

    struct Row {
        var key = Key()
        /// Nil for a number that is free, or whose session has not been up.
        var peer: RoutingPeer?
        var isUp = false
    }

    /// By peer index. The first row stands for this node (`PeerIndex.local`).
    private(set) var rows = [Row()]
    private var free: [PeerIndex] = []
    /// Peers whose session is up, by their addresses.
    private(set) var addresses: [IPAddress: [PeerIndex]] = [:]

    /// A peer whose session has been up.
    subscript(index: PeerIndex) -> RoutingPeer? {
        _read { yield rows[index.index].peer }
        _modify { yield &rows[index.index].peer }
    }
    func key(_ index: PeerIndex) -> Key { rows[index.index].key }

    /// A number that nobody has.
    mutating func add() -> PeerIndex {
        if let index = free.popLast() { return index }
        rows.append(Row())
        return PeerIndex(rawValue: UInt16(rows.count - 1))
    }

    /// Forgets a peer whose session is down; its number is free again.
    mutating func remove(_ index: PeerIndex) {
        rows[index.index] = Row()
        free.append(index)
    }

    mutating func setUp(_ index: PeerIndex, _ peer: RoutingPeer) {
        rows[index.index] = Row(key: Key(peer), peer: peer, isUp: true)
        addresses[peer.address, default: []].append(index)
    }

    /// Returns the peer whose session was up, nil where none was.
    mutating func setDown(_ index: PeerIndex) -> RoutingPeer? {
        guard rows[index.index].isUp, let peer = rows[index.index].peer else { return nil }
        rows[index.index].isUp = false
        addresses[peer.address]?.removeAll { $0 == index }
        if addresses[peer.address]?.isEmpty ?? false { addresses[peer.address] = nil }
        return peer
    }

    mutating func setNextHopRule(_ index: PeerIndex, _ rule: NextHopRule) {
        rows[index.index].peer?.nextHopRule = rule
        rows[index.index].key.nextHopRule = rule
    }

    /// Peers, by the number inside of their index.
    func indices(where condition: (RoutingPeer) -> Bool) -> Set<Int> {
        Set(rows.indices.filter { rows[$0].peer.map(condition) ?? false })
    }
}
