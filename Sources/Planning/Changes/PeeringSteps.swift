package import BGPRouting
package import NetTypes
package import StatusAPI

/// Which of the peers that there are becomes which of those that are to be, as a value: what `Peering` carries out, and
/// `apusctl plan` shows.
///
/// A session is its address and port, not the name of an object: a neighbor that moves from the mesh to a BGPPeer keeps
/// its session.
package struct PeeringSteps: Sendable {
    /// A peer that there is.
    package struct Present: Sendable, Hashable {
        package var index: PeerIndex
        package var address: IPAddress
        package var port: UInt16
        package var remoteAS: ASNumber?
        /// It came from a range.
        package var isDynamic = false
        /// It is the neighbor on a link, which `Peering.applyLinks` looks after.
        package var isOnLink = false
        /// It is to go already.
        package var isLeaving = false

        package init(index: PeerIndex, address: IPAddress, port: UInt16, remoteAS: ASNumber?) {
            self.index = index
            self.address = address
            self.port = port
            self.remoteAS = remoteAS
        }
    }

    package enum Step: Sendable {
        /// A peer is to be, with the settings of this plan; nil: it is new.
        case apply(PeeringDecision.Peer, IPAddress, PeerIndex?)
        /// It is kept down, and whoever is there goes at once.
        case hold(PlannedPeer, HoldReason, PeerIndex?)
        /// Nothing wants it any more: it goes once its successors are up.
        case leave(PeerIndex)
    }
    /// In the order in which they are done.
    package private(set) var steps: [Step] = []
    /// Peers that come of themselves, and unnumbered ones.
    package private(set) var ranges: [Prefix: PeeringDecision.Peer] = [:]
    package private(set) var links: [String: PeeringDecision.Peer] = [:]

    /// `limit`: peers at most. Cost: the peers that there are and those that are to be.
    package init(_ wanted: [PeeringDecision.Peer], present: [Present], limit: Int) {
        var ports: [IPAddress: Set<UInt16>] = [:]
        for peer in wanted {
            if case .address(let address) = peer.planned.target {
                ports[address, default: []].insert(peer.planned.port)
            }
        }
        var here: [IPAddress: [Present]] = [:]
        for peer in present { here[peer.address, default: []].append(peer) }
        var count = present.count
        var kept: Set<PeerIndex> = []
        for peer in wanted {
            let planned = peer.planned
            switch planned.target {
            case .address(let address):
                // Without one at the port: the one at a port that nobody wants any more has moved.
                let position =
                    here[address]?.firstIndex { $0.port == planned.port }
                    ?? here[address]?.firstIndex { !(ports[address]?.contains($0.port) ?? false) }
                let known = position.flatMap { here[address]?[$0].index }
                if let reason = peer.holdReason {
                    if let position {
                        here[address]?.remove(at: position)
                        count -= 1
                    }
                    if let known { kept.insert(known) }
                    steps.append(.hold(planned, reason, known))
                } else if known == nil, count >= limit {
                    steps.append(.hold(planned, .tooManyPeers(limit: limit), nil))
                } else {
                    if let position { here[address]?[position].port = planned.port } else { count += 1 }
                    if let known { kept.insert(known) }
                    steps.append(.apply(peer, address, known))
                }
            case .interface(let name):
                if let reason = peer.holdReason {
                    steps.append(.hold(planned, reason, nil))
                } else {
                    links[name] = peer
                }
            case .range(let range):
                if let reason = peer.holdReason {
                    steps.append(.hold(planned, reason, nil))
                } else {
                    ranges[range] = peer
                }
            }
        }
        for peer in present where !kept.contains(peer.index) && !peer.isLeaving && !peer.isOnLink {
            if peer.isDynamic, var template = range(of: peer.address)?.peer,
                template.planned.remoteAS == nil || template.planned.remoteAS == peer.remoteAS
            {
                template.planned.target = .address(peer.address)
                steps.append(.apply(template, peer.address, peer.index))
            } else {
                steps.append(.leave(peer.index))
            }
        }
    }

    /// The longest range that an address lies in.
    package func range(of address: IPAddress) -> (range: Prefix, peer: PeeringDecision.Peer)? {
        ranges.filter { $0.key.contains(address) }.max { $0.key.length < $1.key.length }.map {
            (range: $0.key, peer: $0.value)
        }
    }

    // MARK: Limits of ranges

    /// A peer of a range.
    package struct Member: Sendable, Hashable {
        package var index: PeerIndex
        package var isUp: Bool
        /// Who came later has the greater one.
        package var arrival: UInt64
        package init(index: PeerIndex, isUp: Bool, arrival: UInt64) {
            self.index = index
            self.isUp = isUp
            self.arrival = arrival
        }
    }

    /// Those of a range's peers that are too many: without a session first, then the newest (RFC 4486 3).
    package static func excess(_ members: [Member], limit: Int) -> [PeerIndex] {
        guard members.count > limit else { return [] }
        return members.sorted { $0.isUp != $1.isUp ? $0.isUp : $0.arrival < $1.arrival }.dropFirst(limit).map(\.index)
    }
}
