package import BGPRouting
package import FIB
package import NetTypes
import Planning

/// Next hops (edge A of the design), and the links by which peers are reached.
extension Forwarder {
    /// What the kernel's next hops mean for the speaker.
    package struct Judgements {
        /// Next hops that are reached otherwise than before.
        package var changed: [RIB.NextHopState] = []
        /// Next hops that leave no interface any more: they are taken out of the kernel's groups at once.
        package var dead: Set<FIBNextHop> = []
        /// Our addresses; nil where nothing was read.
        package var ownAddresses: Set<IPAddress>?
    }

    /// Resolves next hops again, where links, addresses or routes changed.
    package mutating func refreshNextHops() -> Judgements {
        var result = Judgements()
        guard pending.nextHopRefresh else { return result }
        pending.nextHopRefresh = false
        let changed = nextHops.refresh(interfaces, delta.foreign)
        if !changed.isEmpty {
            result.dead = dead(changed)
            result.changed = changed.map { judgement($0.address, $0.resolution) }
        }
        releaseDead()
        result.ownAddresses = Set(interfaces.addresses.map(\.address))
        return result
    }

    /// A next hop that the speaker has just met.
    package mutating func track(_ address: IPAddress) -> RIB.NextHopState {
        judgement(address, nextHops.track(address, interfaces: interfaces, routes: delta.foreign))
    }

    /// What of the kernel's groups is dead. Nothing where there is no group, or nothing is written.
    private mutating func dead(_ changes: [NextHopChange]) -> Set<FIBNextHop> {
        guard pending.usesGroups, !settings.isDryRun else { return [] }
        var dead = nextHops.dead(changes)
        for change in changes where !change.resolution.isReachable {
            for (kind, device) in tunnels.usable {
                guard let endpoint = tunnels.encapsulation.endpoints[kind]?[change.address] else { continue }
                dead.insert(FIBNextHop(gateway: endpoint.gateway, interface: device, isOnlink: true))
            }
        }
        if !dead.isEmpty { pending.differences = true }
        return dead
    }

    func judgement(_ address: IPAddress, _ resolution: NextHopResolution) -> RIB.NextHopState {
        // A rule that names an interface means routes that leave by that one alone.
        let links = Set(resolution.nextHops.map(\.interface))
        let name = links.count == 1 ? links.first.flatMap { interfaces[$0]?.name } ?? "" : ""
        let reach: NextHopPlace.Reach =
            switch resolution.place {
            case .onLink: .onLink
            case .routed: .routed
            case .byDefault: .byDefault
            }
        return RIB.NextHopState(
            address: address, isReachable: resolution.isReachable, cost: resolution.cost, interface: name,
            place: NextHopPlace(reach, isNode: state.nodeAddresses[address] != nil))
    }

    /// How a peer is reached, with our end of its session where there is one.
    package func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? {
        nextHops.link(to: peer, local: local, preferred: state.ownAddresses, interfaces, delta.foreign)
    }

    /// What changed of links since the last call.
    package mutating func takeLinkChanges() -> LinkChanges {
        defer { linkChanges = LinkChanges() }
        return linkChanges
    }
}
