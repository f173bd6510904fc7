package import BFD
package import BGPRouting
import FIB
package import LinuxIO
package import NetTypes
package import Planning
import Resources

/// The peers that there are: who is who, by index, by address and by name.
///
/// Who there is to be is `Peering`'s concern.
package final class PeerRegistry {
    private(set) var entries: [PeerIndex: PeerEntry] = [:]
    /// The same by address: two daemons at one address are two peers, each at its own port.
    private(set) var neighbors: [IPAddress: [PeerEntry]] = [:]
    /// Peers that were just removed, for the reports that are still on their way.
    private var former: [PeerIndex: (name: String, account: PeerAccount)] = [:]

    func insert(_ entry: PeerEntry) {
        entries[entry.index] = entry
        neighbors[entry.address, default: []].append(entry)
    }

    func remove(_ entry: PeerEntry) {
        former[entry.index] = (name(entry.index), account(entry.index))
        entries[entry.index] = nil
        neighbors[entry.address]?.removeAll { $0 === entry }
        if neighbors[entry.address]?.isEmpty ?? false { neighbors[entry.address] = nil }
    }

    package func name(_ peer: PeerIndex) -> String {
        guard let entry = entries[peer] else { return former[peer]?.name ?? "peer \(peer)" }
        return "\(entry.peerAddress) (\(entry.planned.name))"
    }

    func account(_ peer: PeerIndex) -> PeerAccount {
        guard let entry = entries[peer] else { return former[peer]?.account ?? .configured(peer) }
        return entry.isDynamic ? .dynamic(entry.address, range: entry.planned.name) : .configured(peer)
    }

    /// Whether an operator means this peer.
    package func matches(_ peer: PeerIndex, _ name: PeerName) -> Bool {
        guard let entry = entries[peer] else { return false }
        return name.means(entry.peerAddress, entry.planned.name)
    }

    /// The peers at an address as text, as `10.0.0.1`, `10.0.0.1:1790` or `fe80::1%eth0`. The peer at exactly that
    /// address and port alone, where there is one. Work: the peers at the address; for a link-local one a look at each.
    package func peers(at text: String) -> [PeerIndex] {
        let name = PeerName(text)
        guard let address = name.address else { return [] }
        let here =
            address.isLinkLocal
            ? entries.values.filter { $0.address.unscoped == address } : neighbors[address] ?? []
        let found = here.filter { name.means($0.peerAddress, $0.planned.name) }
        let exact = found.filter { "\($0.peerAddress)" == text }
        return (exact.isEmpty ? found : exact).map(\.index)
    }

    /// True for a peer that is configured, or came from a range.
    package func knows(_ peer: PeerIndex) -> Bool { entries[peer] != nil }

    func target(_ peer: PeerIndex) -> PeerTarget? {
        guard let entry = entries[peer] else { return nil }
        return PeerTarget(
            address: SocketAddress(entry.address, port: entry.planned.port), source: entry.source,
            options: entry.options)
    }

    package func socketOptions(_ peer: PeerIndex) -> TCPSocket.Options {
        entries[peer]?.options ?? TCPSocket.Options()
    }

    package func details(_ peer: PeerIndex) -> (
        planned: PlannedPeer, isDynamic: Bool, since: Double?, history: PeerHistory, bfd: BFDReport?, link: String?
    )? {
        entries[peer].map {
            ($0.planned, $0.isDynamic, $0.since, $0.history, $0.bfd, $0.link)
        }
    }

    /// Peers with BFD whose BFD session is not up, at most so many. Work: one look at each peer.
    package func failedBFD(most: Int) -> [(peer: PeerIndex, address: PeerAddress, name: String, state: BFDState)] {
        let failed = entries.values.lazy.filter { $0.planned.options.bfd != nil && $0.bfd?.state != .up }
        return failed.prefix(most).map { ($0.index, $0.peerAddress, $0.planned.name, $0.bfd?.state ?? .down) }
            .sorted { $0.address < $1.address }
    }

    /// The peer at an address that connections from there are for. The port that somebody connects from says nothing of
    /// who it is: of several peers each is dialled at its own port, which is sure, and what comes in is for the one
    /// that is not dialled; where all are, for none, because the wrong one would keep the right one's session away.
    func acceptor(at address: IPAddress) -> PeerEntry? {
        guard let here = neighbors[address] else { return nil }
        return here.count == 1 ? here[0] : here.first { $0.planned.isPassive && $0.removeAt == nil }
    }

    func hasPeers(at address: IPAddress) -> Bool { neighbors[address] != nil }
}

/// A peer that there is, and what its connections need.
///
/// A class: what thousands of peers are asked for at every attempt must not cost a copy of it all.
final class PeerEntry {
    var planned: PlannedPeer
    let address: IPAddress
    let index: PeerIndex
    var keys: PeerKeys
    var source: IPAddress?
    var removeAt: Instant?
    var history = PeerHistory()
    /// The interface by whose link the peer is, or last was, reached; nil where it is behind a gateway.
    var attachment: InterfaceIndex?
    var isDynamic: Bool
    /// Counts up: who came later has the greater one.
    let arrival: UInt64
    /// The link that it is the neighbor on, of an unnumbered peer.
    var link: String?
    /// What BFD says of it; nil where it was not asked, or has not answered yet.
    var bfd: BFDReport?
    /// What BFD is asked to be: as it is while it is up, by the kernel's routes else.
    var isBFDMultihop: Bool?
    var since: Double?

    init(
        planned: PlannedPeer, _ address: IPAddress, index: PeerIndex, keys: PeerKeys, source: IPAddress?,
        isDynamic: Bool, arrival: UInt64
    ) {
        self.planned = planned
        self.address = address
        self.index = index
        self.keys = keys
        self.source = source
        self.isDynamic = isDynamic
        self.arrival = arrival
    }

    var peerAddress: PeerAddress { PeerAddress(address, port: planned.port) }
    /// What its sockets are opened with.
    var options: TCPSocket.Options { TCPSocket.Options(keys) }
}

/// Where a connection to a peer goes, and how.
struct PeerTarget {
    var address: SocketAddress
    var source: IPAddress?
    var options: TCPSocket.Options
}

/// On whose account log lines about a peer are written.
enum PeerAccount {
    case configured(PeerIndex)
    /// Of a range, by the name of its object.
    case dynamic(IPAddress, range: String)
}

/// How an operator calls a peer, taken apart once for all peers that it is held against.
package struct PeerName {
    private let text: String
    private let suffix: String
    fileprivate let address: IPAddress?
    /// The link of a link-local address.
    private let hasZone: Bool
    private let port: UInt16?

    package init(_ text: String) {
        self.text = text
        suffix = "/" + text
        var host = text[...]
        var port: UInt16?
        // `10.0.0.1:1790`, `[fd00::1]:1790`.
        if let colon = text.lastIndex(of: ":"), let number = UInt16(text[text.index(after: colon)...]) {
            let before = text[..<colon]
            if before.hasPrefix("["), before.hasSuffix("]") {
                (host, port) = (before.dropFirst().dropLast(), number)
            } else if !before.contains(":") {
                (host, port) = (before, number)
            }
        }
        address = IPAddress(String(host.prefix { $0 != "%" }))
        hasZone = host.contains("%")
        self.port = port
    }

    /// By the address, with or without the port, or by the object's name with or without the kind.
    fileprivate func means(_ peer: PeerAddress, _ name: String) -> Bool {
        if let address, peer.address.unscoped == address {
            return (!hasZone || "\(peer.address)" == text || "\(peer)" == text)
                && port.map { $0 == peer.port } ?? true
        }
        return name == text || name.hasSuffix(suffix)
    }
}
