import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import FIB
import NetTypes

/// Lines about the link that a peer is on: what we are there as a next hop, and what next hops are taken from there.
extension Conformance {
    private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .any(.ipv4) }

    /// Next hops that a remote was sent last of the two own prefixes, and whether nothing but UPDATEs came.
    private static func ownNextHops(_ wire: Wire, _ remote: Wire.Remote) throws -> [IPAddress?] {
        try require(remote.inbox.allSatisfy { $0[18] == 2 }, "more than UPDATEs: \(remote.inbox.map { Wire.text($0) })")
        var result: [IPAddress?] = [nil, nil]
        for update in try wire.sent(remote) {
            for nlri in update.announced {
                result[nlri.prefix.family.index] =
                    nlri.prefix.family == .ipv4 ? update.attributes.nextHop : IPAddress(bytes: update.nextHop)
            }
        }
        return result
    }

    /// An external peer 10.0.0.2 that announces 10.9.0.0/24 with next hop 10.0.0.9.
    private static func offLink(isOnLink: Bool?, _ change: (inout PeerSettings) -> Void = { _ in }) throws -> (
        Wire, Wire.Remote
    ) {
        let wire = Wire(tracksNextHops: true)
        let remote = wire.add(2, as: 65000, change)
        wire.speaker.setReach(remote.index, PeerReach(isOnLink: isOnLink))
        try wire.establish(remote)
        wire.send(
            remote,
            WireBytes.update(
                WireBytes.origin + WireBytes.asPath([65000]) + WireBytes.nextHop(9),
                nlri: WireBytes.nlri(prefix("10.9.0.0/24"))))
        return (wire, remote)
    }

    private static func place(_ wire: Wire, _ last: UInt32, _ way: NextHopPlace.Reach, isNode: Bool = false) {
        let state = RIB.NextHopState(
            address: IPAddress(v4: 0x0A00_0000 + last), isReachable: true, cost: 1,
            place: NextHopPlace(way, isNode: isNode))
        wire.speaker.changeNextHops([state])
        wire.run()
    }

    static let links: [Item] = [
        Item(
            125,
            "our next hop: our end of the session for its family, our address on the peer's link for the other, "
                + "both replaced by what is declared",
            "RFC 4271 5.1.3, RFC 2545 3"
        ) {
            for number in [64512, 65000] as [UInt32] {
                let wire = Wire()
                wire.originate("10.65.1.0/26")
                wire.originate("fd00:65:1::/122")
                var declared: PeerSettings?
                let remote = wire.add(2, as: number) { declared = $0 }
                remote.local = address("192.0.2.1")
                wire.speaker.setReach(
                    remote.index,
                    PeerReach(isOnLink: true, addresses: [address("192.0.2.7"), address("2001:db8:2::1")]))
                try require(wire.connect(remote), "the connection is refused")
                wire.send(remote, wire.openBytes(remote))
                remote.inbox = []
                wire.send(remote, WireBytes.keepalive)
                remote.inbox.removeAll { $0[18] == 4 }
                try require(
                    try ownNextHops(wire, remote) == [address("192.0.2.1"), address("2001:db8:2::1")], "AS \(number)")
                // The link has another address: the routes are sent again with it, on the same session.
                wire.speaker.setReach(
                    remote.index,
                    PeerReach(isOnLink: true, addresses: [address("192.0.2.7"), address("2001:db8:3::1")]))
                wire.run()
                try require(
                    try ownNextHops(wire, remote)[1] == address("2001:db8:3::1"),
                    "AS \(number): another address of the link")
                guard var declared else { throw Deviation("no settings") }
                declared.nextHop.declared = [address("203.0.113.1"), address("2001:db8:9::1")]
                wire.speaker.updatePeer(remote.index, declared, now: wire.now)
                wire.run()
                try require(try ownNextHops(wire, remote) == declared.nextHop.declared, "AS \(number): declared")
                try require(wire.isUp(remote), "AS \(number): the session ended")
            }
        },
        Item(
            126,
            "a next hop off our links from an external peer one hop away: kept, not used, and used as soon as it "
                + "is on a link",
            "RFC 4271 6.3 b"
        ) {
            let (wire, remote) = try offLink(isOnLink: true)
            place(wire, 9, .routed)
            try require(
                wire.isUp(remote) && wire.reason("10.9.0.0/24") == .nextHopOffLink && wire.best("10.9.0.0/24") == nil,
                "routed: it is used")
            place(wire, 9, .byDefault)
            try require(wire.reason("10.9.0.0/24") == .nextHopOffLink, "by default: it is used")
            place(wire, 9, .onLink)
            try require(wire.best("10.9.0.0/24") != nil, "on the link: not used")
            place(wire, 9, .routed)
            try require(wire.best("10.9.0.0/24") == nil, "off the link again: used")
            // The peer's own address, however it is reached.
            wire.announce(remote, ["10.9.1.0/24"])
            place(wire, 2, .byDefault)
            try require(wire.best("10.9.1.0/24") != nil, "the peer's own address is not used")
            let (inside, internalPeer) = try pairWithNextHop(9)
            place(inside, 9, .byDefault)
            try require(
                inside.isUp(internalPeer) && inside.best("10.9.0.0/24") != nil, "an internal peer's is not used")
        },
        Item(
            127,
            "multihop: true, a peer that is off the link, and a Node's address as the next hop: used, but never by "
                + "a default route",
            "RFC 4271 6.3 c, apus.resources(5)"
        ) {
            for exemption in ["multihop", "peer off the link", "Node"] {
                let (wire, _) = try offLink(isOnLink: exemption != "peer off the link") {
                    $0.isMultihop = exemption == "multihop"
                }
                place(wire, 9, .routed, isNode: exemption == "Node")
                try require(wire.best("10.9.0.0/24") != nil, "\(exemption): not used")
                place(wire, 9, .byDefault, isNode: exemption == "Node")
                try require(
                    wire.reason("10.9.0.0/24") == .nextHopByDefault && wire.best("10.9.0.0/24") == nil,
                    "\(exemption): used by the default route")
            }
            // The peer leaves the link: what it announced is judged again.
            let (wire, remote) = try offLink(isOnLink: true)
            place(wire, 9, .routed)
            wire.speaker.setReach(remote.index, PeerReach(isOnLink: false))
            wire.run()
            try require(wire.best("10.9.0.0/24") != nil && wire.isUp(remote), "not judged again")
            // Where links are not known nothing is refused.
            let (reflector, _) = try offLink(isOnLink: nil)
            place(reflector, 9, .byDefault)
            try require(reflector.best("10.9.0.0/24") != nil, "refused without knowing links")
        },
    ]

    /// An internal peer that announces 10.9.0.0/24 with another's next hop, on a link that is known.
    private static func pairWithNextHop(_ last: UInt8) throws -> (Wire, Wire.Remote) {
        let wire = Wire(tracksNextHops: true)
        let remote = wire.add(2)
        wire.speaker.setReach(remote.index, PeerReach(isOnLink: true))
        try wire.establish(remote)
        wire.send(
            remote,
            WireBytes.update(
                WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(last) + WireBytes.localPref(100),
                nlri: WireBytes.nlri(prefix("10.9.0.0/24"))))
        return (wire, remote)
    }
}

// MARK: RFC 2545 3
extension Conformance {
    /// The way to a peer as the mode learns it: from the kernel's routes in an agent, from the addresses of the
    /// interfaces in a reflector. eth0 has 10.0.0.1/24 and 2001:db8::1/64.
    private static func way(to peer: IPAddress, linkLocal: [String]) -> PeerReach {
        let eth0 = InterfaceIndex(rawValue: 2)
        var interfaces = InterfaceTable()
        interfaces.set(Interface(index: eth0, name: "eth0", isUp: true, hasCarrier: true))
        for (text, length) in [("10.0.0.1", 24), ("2001:db8::1", 64)] + linkLocal.map({ ($0, 64) }) as [(String, UInt8)]
        {
            interfaces.add(InterfaceAddress(interface: eth0, address: address(text), prefixLength: length))
        }
        var routes = ForeignRoutes(seed: 1)
        for text in ["10.0.0.0/24", "2001:db8::/64"] {
            let hop = FIBNextHop(gateway: nil, interface: eth0, isOnlink: false)
            routes.insert(ForeignRoute(prefix: prefix(text), metric: 0, routeProtocol: 2, nextHops: [hop]))
        }
        let preferred = [address("10.0.0.1"), address("2001:db8::1")]
        let link =
            Wire.mode == .agent
            ? NextHopTable().link(to: peer, local: nil, preferred: preferred, interfaces, routes)
            : interfaces.link(to: peer, local: nil, preferred: preferred)
        return PeerReach(isOnLink: link.isOnLink, addresses: link.addresses, shared: link.shared)
    }

    /// The link-local next hop is there if and only if the peer and whom the next hop means are on our link, and
    /// follows what is known of it.
    static func linkLocalNextHops() throws {
        let global = address("2001:db8::1").bytes
        let both = global + address("fe80::1").bytes
        let extended: [Capability] = Wire.usual + [.extendedNextHop([AFISAFI(.ipv4)])]
        for number in [64512, 65000] as [UInt32] {
            for peer in ["10.0.0.2", "2001:db8::2"] {
                let wire = Wire()
                wire.originate("fd00:65::/122")
                wire.originate("10.65.0.0/26")
                var settings: PeerSettings?
                let remote = wire.add(2, as: number) {
                    $0.address = address(peer)
                    $0.session.offersExtendedNextHop = true
                    settings = $0
                }
                func hops(_ prefix: String, _ change: () -> Void) throws -> [UInt8]? {
                    remote.inbox = []
                    change()
                    wire.run()
                    return try wire.last(remote, prefix)?.nextHop
                }
                func setReach(_ to: String, _ linkLocal: [String]) {
                    wire.speaker.setReach(remote.index, way(to: address(to), linkLocal: linkLocal))
                }
                setReach(peer, ["fe80::1"])
                try require(wire.connect(remote), "refused")
                wire.send(remote, wire.openBytes(remote, extended))
                try require(
                    try hops("fd00:65::/122") { wire.send(remote, WireBytes.keepalive) } == both,
                    "AS \(number), \(peer): on the link")
                try require(wire.isUp(remote), "no session")
                // IPv4 over an IPv6 session (RFC 8950 3 allows both lengths): the global one alone.
                if peer != "10.0.0.2" {
                    try require(try hops("10.66.0.0/26") { wire.originate("10.66.0.0/26") } == global, "IPv4 routes")
                }
                try require(
                    try hops("fd00:65::/122") { setReach(peer, []) } == global,
                    "AS \(number), \(peer): without a link-local address")
                try require(
                    try hops("fd00:65::/122") { setReach(peer, ["fe80::1"]) } == both,
                    "AS \(number), \(peer): with one again")
                try require(
                    try hops("fd00:65::/122") { setReach("198.51.100.7", ["fe80::1"]) } == global,
                    "AS \(number), \(peer): behind a router")
                // Another's address as the next hop: our link-local one means somebody else.
                guard var declared = settings else { throw Deviation("no settings") }
                declared.nextHop.declared[1] = address("2001:db8::77")
                setReach(peer, ["fe80::1"])
                let other = try hops("fd00:65::/122") { wire.speaker.updatePeer(remote.index, declared, now: wire.now) }
                try require(other == address("2001:db8::77").bytes, "AS \(number), \(peer): declared")
            }
        }
        // A reflected next hop is unchanged.
        let wire = Wire(cluster: 9)
        let (source, client) = (wire.add(2) { $0.isClient = true }, wire.add(3) { $0.isClient = true })
        for remote in [source, client] {
            wire.speaker.setReach(remote.index, way(to: remote.address, linkLocal: ["fe80::1"]))
            try wire.establish(remote)
        }
        client.inbox = []
        let reach = WireBytes.reach6(WireBytes.hop6, WireBytes.nlri(prefix("2001:db8:9::/48")))
        wire.send(source, WireBytes.update(reach + WireBytes.origin + WireBytes.asPath([]) + WireBytes.localPref(100)))
        try require(try wire.last(client, "2001:db8:9::/48")?.nextHop == WireBytes.hop6, "reflected")
    }
}
