import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

/// Lines about the link that a peer is on: what we are there as a next hop, and what next hops are taken from there.
extension Conformance {
    private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .any(.ipv4) }

    /// Next hops that a remote was told last of the two own prefixes, and whether nothing but UPDATEs came.
    private static func ownNextHops(_ wire: Wire, _ remote: Wire.Remote) throws -> [IPAddress?] {
        try require(remote.inbox.allSatisfy { $0[18] == 2 }, "more than UPDATEs: \(remote.inbox.map { Wire.text($0) })")
        var result: [IPAddress?] = [nil, nil]
        for update in try wire.told(remote) {
            for nlri in update.announced {
                result[nlri.prefix.family.index] = nlri.prefix.family == .ipv4 ? update.attributes.nextHop : IPAddress(bytes: update.nextHop)
            }
        }
        return result
    }

    /// An external peer 10.0.0.2 that announces 10.9.0.0/24 with next hop 10.0.0.9.
    private static func offLink(isOnLink: Bool?, _ change: (inout PeerSettings) -> Void = { _ in }) throws -> (Wire, Wire.Remote) {
        let wire = Wire(tracksNextHops: true)
        let remote = wire.add(2, as: 65000, change)
        wire.speaker.setWay(remote.index, PeerWay(isOnLink: isOnLink))
        try wire.establish(remote)
        wire.send(remote, Octets.update(Octets.origin + Octets.asPath([65000]) + Octets.nextHop(9), nlri: Octets.nlri(prefix("10.9.0.0/24"))))
        return (wire, remote)
    }

    private static func place(_ wire: Wire, _ last: UInt32, _ way: NextHopPlace.Way, isNode: Bool = false) {
        let state = RIB.NextHopState(address: IPAddress(v4: 0x0A00_0000 + last), isReachable: true, cost: 1, place: NextHopPlace(way, isNode: isNode))
        wire.speaker.rib.changeNextHops([state])
        wire.run()
    }

    static let links: [Item] = [
        Item(
            125, "our next hop: our end of the session for its family, our address on the peer's link for the other, both replaced by what is declared",
            "RFC 4271 5.1.3, RFC 2545 3"
        ) {
            for number in [64512, 65000] as [UInt32] {
                let wire = Wire()
                wire.originate("10.65.1.0/26")
                wire.originate("fd00:65:1::/122")
                var declared: PeerSettings?
                let remote = wire.add(2, as: number) { declared = $0 }
                remote.local = address("192.0.2.1")
                wire.speaker.setWay(remote.index, PeerWay(isOnLink: true, addresses: [address("192.0.2.7"), address("2001:db8:2::1")]))
                try require(wire.connect(remote), "the connection is refused")
                wire.send(remote, wire.openOctets(remote))
                remote.inbox = []
                wire.send(remote, Octets.keepalive)
                remote.inbox.removeAll { $0[18] == 4 }
                try require(try ownNextHops(wire, remote) == [address("192.0.2.1"), address("2001:db8:2::1")], "AS \(number)")
                // The link has another address: the routes are sent again with it, on the same session.
                wire.speaker.setWay(remote.index, PeerWay(isOnLink: true, addresses: [address("192.0.2.7"), address("2001:db8:3::1")]))
                wire.run()
                try require(try ownNextHops(wire, remote)[1] == address("2001:db8:3::1"), "AS \(number): another address of the link")
                guard var declared else { throw Deviation("no settings") }
                declared.declaredNextHops = [address("203.0.113.1"), address("2001:db8:9::1")]
                wire.speaker.updatePeer(remote.index, declared, now: wire.now)
                wire.run()
                try require(try ownNextHops(wire, remote) == declared.declaredNextHops, "AS \(number): declared")
                try require(wire.isUp(remote), "AS \(number): the session ended")
            }
        },
        Item(126, "a next hop off our links from an external peer one hop away: kept, not used, and used as soon as it is on a link", "RFC 4271 6.3 b") {
            let (wire, remote) = try offLink(isOnLink: true)
            place(wire, 9, .routed)
            try require(wire.isUp(remote) && wire.reason("10.9.0.0/24") == .nextHopOffLink && wire.best("10.9.0.0/24") == nil, "routed: it is used")
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
            try require(inside.isUp(internalPeer) && inside.best("10.9.0.0/24") != nil, "an internal peer's is not used")
        },
        Item(127, "multihop: true, a peer that is off the link, and a Node's address as the next hop: used, but never by a default route", "RFC 4271 6.3 c, apus.resources(5)") {
            for exemption in ["multihop", "peer off the link", "Node"] {
                let (wire, _) = try offLink(isOnLink: exemption != "peer off the link") { $0.isMultihop = exemption == "multihop" }
                place(wire, 9, .routed, isNode: exemption == "Node")
                try require(wire.best("10.9.0.0/24") != nil, "\(exemption): not used")
                place(wire, 9, .byDefault, isNode: exemption == "Node")
                try require(wire.reason("10.9.0.0/24") == .nextHopByDefault && wire.best("10.9.0.0/24") == nil, "\(exemption): used by the default route")
            }
            // The peer leaves the link: what it announced is judged again.
            let (wire, remote) = try offLink(isOnLink: true)
            place(wire, 9, .routed)
            wire.speaker.setWay(remote.index, PeerWay(isOnLink: false))
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
        wire.speaker.setWay(remote.index, PeerWay(isOnLink: true))
        try wire.establish(remote)
        wire.send(remote, Octets.update(Octets.origin + Octets.asPath([]) + Octets.nextHop(last) + Octets.localPref(100), nlri: Octets.nlri(prefix("10.9.0.0/24"))))
        return (wire, remote)
    }
}
