package import NetTypes

/// How a BGP peer is reached, by the kernel's connected routes: what decides on single-hop BFD (RFC 5881), on the next
/// hop that the peer is sent (RFC 4271 5.1.3, RFC 2545 3) and on the next hops that are taken from it (RFC 4271 6.3).
package struct PeerLink: Sendable, Hashable {
    /// The interface whose link the peer is on; nil where only a gateway leads there, or nothing.
    package var interface: InterfaceIndex?
    /// By family index: our address on the interface by which the session runs; nil where it has none, or is not known.
    package var addresses: [IPAddress?] = [nil, nil]
    /// All our addresses on the interface whose link the peer is on, link-local ones too; empty where it is on none.
    package var shared: Set<IPAddress> = []

    package init() {}
    package var isOnLink: Bool { interface != nil }
}

extension NextHopTable {
    /// `local`: our end of the session, nil while there is none. `preferred`: addresses that are taken where the
    /// interface has them, the Node's.
    package func link(
        to peer: IPAddress, local: IPAddress?, preferred: [IPAddress?], _ interfaces: InterfaceTable,
        _ routes: borrowing ForeignRoutes
    ) -> PeerLink {
        var result = PeerLink()
        if peer.scope != 0 {
            result.interface = InterfaceIndex(rawValue: Int32(bitPattern: peer.scope))
        } else if let interface = locals[peer] {
            result.interface = interface
        } else if statics[peer] == nil, let route = routes.longestMatch(peer), route.isConnected {
            result.interface = route.nextHops.first?.interface
        }
        // A peer behind a router: the interface that has our end of the session. Where that is a preferred address,
        // the other family's goes with it, wherever it is: the Node's addresses belong together.
        let interface =
            result.interface ?? local.flatMap { preferred.contains($0) ? nil : interfaces.holder($0)?.index }
        if let interface {
            result.takeAddresses(of: interface, local: local, preferred: preferred, interfaces: interfaces)
        }
        return result
    }
}

extension InterfaceTable {
    /// The same where routes are not known: by the subnets of the interfaces, the longest that has the peer, or among
    /// equals that of our end. Without an interface in the result the peer may still be on a link, by a route that no
    /// address shows.
    package func link(to peer: IPAddress, local: IPAddress?, preferred: [IPAddress?]) -> PeerLink {
        var result = PeerLink()
        if peer.scope != 0 {
            result.interface = InterfaceIndex(rawValue: Int32(bitPattern: peer.scope))
        } else if !peer.isLoopback {
            func rank(_ own: InterfaceAddress) -> (UInt8, Int, Int32) {
                (own.prefixLength, own.address == local ? 1 : 0, -own.interface.rawValue)
            }
            let subnets = addresses.filter { own in
                own.address.family == peer.family && !own.address.isLinkLocal && own.prefixLength < peer.family.bits
                    && Prefix(own.address, length: Int(own.prefixLength)).contains(peer)
            }
            result.interface = subnets.max { rank($0) < rank($1) }?.interface
        }
        let interface = result.interface ?? local.flatMap { preferred.contains($0) ? nil : holder($0)?.index }
        if let interface { result.takeAddresses(of: interface, local: local, preferred: preferred, interfaces: self) }
        return result
    }
}

extension PeerLink {
    fileprivate mutating func takeAddresses(
        of index: InterfaceIndex, local: IPAddress?, preferred: [IPAddress?], interfaces: InterfaceTable
    ) {
        let all = interfaces.addresses(on: index)
        if interface != nil { shared = all }
        for family in AddressFamily.allCases {
            let there = all.filter { $0.family == family && !$0.isLinkLocal && !$0.isLoopback }
            addresses[family.index] =
                [preferred[family.index], local].compactMap { $0 }.first { there.contains($0) } ?? there.min()
        }
    }
}

extension ForeignRoute {
    /// Its destinations are on a link. A default route without a gateway says nothing of any neighbor.
    package var isConnected: Bool {
        !prefix.isDefault && !nextHops.isEmpty && nextHops.allSatisfy { $0.gateway == nil }
    }
}

/// What changed of links since somebody asked last.
package struct LinkChanges: Sendable {
    /// Addresses of interfaces changed, or more than is worth listing.
    package private(set) var isEverything = false
    private var prefixes: Set<Prefix> = []
    /// Interfaces that can send nothing any more, by name, and addresses that no interface has any more.
    package private(set) var lostInterfaces: [InterfaceIndex: String] = [:]
    package private(set) var lostAddresses: Set<IPAddress> = []
    /// Those that came, or came back.
    package private(set) var gainedInterfaces: Set<InterfaceIndex> = []
    package private(set) var gainedAddresses: Set<IPAddress> = []
    /// More prefixes than this are not listed.
    package static let limit = 64

    package init() {}
    package var isEmpty: Bool { !isEverything && prefixes.isEmpty && !hasLosses && !hasGains }
    package var hasLosses: Bool { !lostInterfaces.isEmpty || !lostAddresses.isEmpty }
    private var hasGains: Bool { !gainedInterfaces.isEmpty || !gainedAddresses.isEmpty }
    package mutating func noteLost(_ interface: Interface) {
        lostInterfaces[interface.index] = interface.name
        gainedInterfaces.remove(interface.index)
    }
    package mutating func noteLost(_ address: IPAddress) {
        lostAddresses.insert(address)
        gainedAddresses.remove(address)
    }
    package mutating func noteGained(_ interface: Interface) {
        lostInterfaces[interface.index] = nil
        gainedInterfaces.insert(interface.index)
    }
    package mutating func noteGained(_ address: IPAddress) {
        lostAddresses.remove(address)
        gainedAddresses.insert(address)
    }
    package mutating func noteAll() { isEverything = true }
    /// A route of a prefix came, changed or went. Default and link-local ones say nothing of links.
    package mutating func note(_ prefix: Prefix) {
        guard !isEverything, !prefix.isDefault, !prefix.address.isLinkLocal else { return }
        prefixes.insert(prefix)
        if prefixes.count > LinkChanges.limit { isEverything = true }
    }
    /// Whether the way to an address may be another one now.
    package func concern(_ address: IPAddress) -> Bool { isEverything || prefixes.contains { $0.contains(address) } }
}
