package import NetTypes
package import Resources

/// A session that a node is to have, as the resources say it (contract 2.3).
package struct PlannedPeer: Sendable, Hashable {
    /// How the peer came about, in Calico's words.
    package enum Origin: String, Sendable, Hashable {
        case mesh = "node-to-node mesh"
        case global = "global"
        case node = "node specific"
        case localWorkload = "local workload"
    }

    /// `BGPPeer/NAME` or `mesh/NODE`.
    package var name: String
    package var origin: Origin
    package var target: Target
    /// Nil: any AS.
    package var remoteAS: ASNumber?
    package var port: UInt16
    package var families: AddressFamilySet
    package var isClient: Bool
    package var isPassive: Bool
    /// The peer is a Node, by its name or its address.
    package var isNode: Bool
    package var password: SecretReference?
    /// Our AS towards the peer.
    package var localAS: ASNumber
    /// Everything else, from the BGPPeer or by default.
    package var options: BGPPeer

    package enum Target: Sendable, Hashable {
        case address(IPAddress)
        case range(Prefix)
        /// The neighbor on a link, whoever it is.
        case interface(String)
    }

    /// Where the peer is, for operators.
    var targetText: String {
        switch target {
        case .address(let address): "\(PeerAddress(address, port: port))"
        case .range(let range): "\(range)"
        case .interface(let name): "the neighbor on \(name)"
        }
    }

    fileprivate var places: [PeeringPlan.Place] {
        let own = PeeringPlan.Place.target(target, port: port)
        guard case .address(let address) = target, options.passive ?? false else { return [own] }
        return [own, .incoming(address)]
    }
}

/// Who a node peers with: the mesh of Node objects, and BGPPeer objects with their reverse sides.
package enum PeeringPlan {
    package static func peers(of name: String, in set: ResourceSet) -> [PlannedPeer] {
        plan(of: name, in: set).peers
    }

    /// A peer of a BGPPeer that another BGPPeer has already.
    struct Shadowed: Sendable, Hashable {
        var name: String
        /// With the port, where it is not BGP's own.
        var target: String
        /// The object that has it.
        var owner: String
    }

    static func plan(of name: String, in set: ResourceSet) -> (peers: [PlannedPeer], shadowed: [Shadowed]) {
        let nodes = set.nodes
        guard let own = nodes[name] else { return ([], []) }
        var owners: [IPAddress: String] = [:]
        for (name, node) in nodes {
            for family in AddressFamily.allCases { if let address = node.address(family) { owners[address] = name } }
        }
        let builder = Builder(name: name, own: own, nodes: nodes, set: set, owners: owners)
        // Global peers come first and win; an explicit peer wins over a reverse one; the mesh comes last.
        var result: [PlannedPeer] = []
        var taken: [Place: String] = [:]
        var shadowed: [Shadowed] = []
        func add(_ peers: [PlannedPeer], isExplicit: Bool = false) {
            for peer in peers {
                let places = peer.places
                if let owner = places.lazy.compactMap({ taken[$0] }).first {
                    // The mesh and what peers back give way without a word: that is what they are for.
                    if isExplicit {
                        shadowed.append(Shadowed(name: peer.name, target: peer.targetText, owner: owner))
                    }
                } else {
                    for place in places { taken[place] = peer.name }
                    result.append(peer)
                }
            }
        }
        let all = set.peers
        for (peerName, peer) in all where peer.isGlobal {
            add(builder.explicit(peerName, peer, origin: .global), isExplicit: true)
        }
        for (peerName, peer) in all where !peer.isGlobal && peer.applies(to: name, own.labels) {
            add(builder.explicit(peerName, peer, origin: .node), isExplicit: true)
        }
        for (peerName, peer) in all where !peer.isReversePeeringManual {
            add(builder.reverse(peerName, peer))
        }
        if set.configuration(of: name).nodeToNodeMeshEnabled ?? true { add(builder.mesh()) }
        return (dialled(result), shadowed)
    }

    /// What one session alone may have.
    fileprivate enum Place: Hashable {
        /// Two daemons at one address are two peers.
        case target(PlannedPeer.Target, port: UInt16)
        /// Connections from an address that is not dialled: the port that they come from says nothing.
        case incoming(IPAddress)
    }

    /// Where several peers have one address, a connection that comes from there may be any one's, and only the port
    /// that is dialled is sure: nobody is waited for but by `passive`.
    private static func dialled(_ peers: [PlannedPeer]) -> [PlannedPeer] {
        var counts: [PlannedPeer.Target: Int] = [:]
        for peer in peers { counts[peer.target, default: 0] += 1 }
        guard counts.count < peers.count else { return peers }
        return peers.map { peer in
            var result = peer
            if counts[peer.target, default: 0] > 1 { result.isPassive = peer.options.passive ?? false }
            return result
        }
    }

    private struct Builder {
        let name: String
        let own: NodeResource
        let nodes: [String: NodeResource]
        let set: ResourceSet
        /// Names of nodes by their addresses.
        let owners: [IPAddress: String]

        func explicit(_ peerName: String, _ peer: BGPPeer, origin: PlannedPeer.Origin) -> [PlannedPeer] {
            if let endpoint = peer.peer {
                // A node never peers with itself.
                guard endpoint.address != own.ipv4?.address, endpoint.address != own.ipv6?.address else { return [] }
                let other = owners[endpoint.address].flatMap { name in nodes[name].map { (key: name, value: $0) } }
                let otherPort = other.map { set.listenPort(of: $0.key) }
                // At another port of the node's address is another daemon, which does not know of us.
                let isNode = otherPort != nil && (endpoint.port == nil || endpoint.port == otherPort)
                return [
                    planned(
                        "BGPPeer/\(peerName)", origin: origin, target: .address(endpoint.address),
                        remoteAS: peer.asNumber ?? (isNode ? other.map { set.asNumber(of: $0.key) } : nil),
                        port: endpoint.port ?? otherPort ?? 179,
                        families: peer.families ?? AddressFamilySet(endpoint.address.family),
                        other: isNode ? other?.value : nil,
                        peersBack: isNode && origin == .global && !peer.isReversePeeringManual, peer: peer)
                ]
            }
            if let range = peer.listenRange {
                return [
                    planned(
                        "BGPPeer/\(peerName)", origin: origin, target: .range(range),
                        remoteAS: peer.asNumber == .zero ? nil : peer.asNumber, port: 179,
                        families: peer.families ?? AddressFamilySet(range.family), other: nil, peer: peer)
                ]
            }
            if let interface = peer.interface {
                return [
                    planned(
                        "BGPPeer/\(peerName)", origin: origin, target: .interface(interface),
                        remoteAS: peer.asNumber == .zero ? nil : peer.asNumber, port: 179,
                        families: peer.families ?? .all, other: nil, peer: peer)
                ]
            }
            if let selector = peer.localWorkloadSelector { return workloads(peerName, selector, peer: peer) }
            guard let selector = peer.peerSelector else { return [] }
            return nodes.filter { $0.key != name && selector.matches($0.value.labels) }.sorted { $0.key < $1.key }
                .flatMap {
                    towards(
                        $0.key, $0.value, label: "BGPPeer/\(peerName)", origin: origin,
                        peersBack: !peer.isReversePeeringManual, peer: peer)
                }
        }

        /// Pods of this node that are peers: they open the session, to an address that stands for the node (contract
        /// 2.2, 2.3).
        private func workloads(_ peerName: String, _ selector: Selector, peer: BGPPeer) -> [PlannedPeer] {
            let configuration = set.configuration(of: name)
            var result: [PlannedPeer] = []
            for (_, endpoint) in set.endpoints(of: name) where selector.matches(endpoint.labels) {
                for address in endpoint.addresses {
                    guard let own = configuration.localWorkloadPeering[address.family.index] else { continue }
                    var options = peer
                    options.passive = true
                    options.source = .address(own)
                    result.append(
                        planned(
                            "BGPPeer/\(peerName)", origin: .localWorkload, target: .address(address),
                            remoteAS: peer.asNumber, port: 179,
                            families: peer.families ?? AddressFamilySet(address.family),
                            other: nil, peer: options))
                }
            }
            return result
        }

        /// The nodes that a BGPPeer makes peers of ours, by its peerSelector or by an address of ours: we peer back.
        func reverse(_ peerName: String, _ peer: BGPPeer) -> [PlannedPeer] {
            var family: AddressFamily?
            if let endpoint = peer.peer {
                guard own.address(endpoint.address.family) == endpoint.address,
                    endpoint.port == nil || endpoint.port == set.listenPort(of: name)
                else { return [] }
                family = endpoint.address.family
            } else {
                guard let selector = peer.peerSelector, selector.matches(own.labels) else { return [] }
            }
            let origin = peer.isGlobal ? PlannedPeer.Origin.global : .node
            return nodes.filter { $0.key != name && peer.applies(to: $0.key, $0.value.labels) }.sorted {
                $0.key < $1.key
            }
            .flatMap {
                towards(
                    $0.key, $0.value, label: "BGPPeer/\(peerName)", origin: origin, over: family,
                    remoteAS: peer.localASNumber, peersBack: family == nil || origin == .global, peer: peer.reversed)
            }
        }

        func mesh() -> [PlannedPeer] {
            guard own.routeReflectorClusterID == nil else { return [] }
            let configuration = set.configuration(of: name)
            var options = BGPPeer()
            options.password = configuration.nodeMeshPassword
            options.maxRestartTime = configuration.nodeMeshMaxRestartTime
            // A node of another AS too, by an external session.
            return nodes.filter { $0.key != name && $0.value.routeReflectorClusterID == nil }
                .sorted { $0.key < $1.key }.flatMap {
                    towards(
                        $0.key, $0.value, label: "mesh/\($0.key)", origin: .mesh, peersBack: true, peer: options)
                }
        }

        /// A session to another node for each family that both have, over that family's addresses; one session for all
        /// that `families` names. `family`: over this one alone. `remoteAS`: the other's AS on the session, if not that
        /// of its Node.
        private func towards(
            _ otherName: String, _ other: NodeResource, label: String, origin: PlannedPeer.Origin,
            over family: AddressFamily? = nil, remoteAS: ASNumber? = nil, peersBack: Bool, peer: BGPPeer
        ) -> [PlannedPeer] {
            var transports = own.families.intersection(other.families).families.filter { family ?? $0 == $0 }
            if let families = peer.families, let one = transports.first(where: families.contains) ?? transports.first {
                transports = [one]
            }
            return transports.compactMap { transport in
                guard let address = other.address(transport) else { return nil }
                return planned(
                    label, origin: origin, target: .address(address),
                    remoteAS: remoteAS ?? set.asNumber(of: otherName), port: set.listenPort(of: otherName),
                    families: peer.families ?? AddressFamilySet(transport), other: other, peersBack: peersBack,
                    peer: peer)
            }
        }

        private func planned(
            _ label: String, origin: PlannedPeer.Origin, target: PlannedPeer.Target, remoteAS: ASNumber?,
            port: UInt16,
            families: AddressFamilySet, other: NodeResource?, peersBack: Bool = false, peer: BGPPeer
        ) -> PlannedPeer {
            let localAS = peer.localASNumber ?? set.asNumber(of: name)
            let isInternal = remoteAS == localAS
            // RFC 4456 as Calico reads it: a reflector's internal peers are clients unless they are of the same
            // cluster.
            let byNode = isInternal && own.routeReflectorClusterID.map { $0 != other?.routeReflectorClusterID } ?? false
            var isPassive = false
            if case .range = target { isPassive = true }
            if case .address(let address) = target, other != nil, peersBack,
                let ownAddress = own.address(address.family)
            {
                // As Calico: a node waits for the neighbor whose address compares higher, as text ("10.0.0.9" is higher
                // than "10.0.0.10"), and opens the session to the one that compares lower. Only where the other side is
                // sure to have us as a peer by name: a reflector that listens on a range never opens one.
                isPassive = address.description > ownAddress.description
            }
            return PlannedPeer(
                name: label, origin: origin, target: target, remoteAS: remoteAS, port: port, families: families,
                isClient: peer.routeReflectorClient ?? byNode, isPassive: peer.passive ?? isPassive,
                isNode: other != nil, password: peer.password, localAS: localAS, options: peer)
        }
    }
}

extension BGPPeer {
    /// What the other end of the session makes of it.
    var reversed: BGPPeer {
        var result = self
        result.localASNumber = nil
        // Who never opens the session is to be met by one that does.
        result.passive = passive == true ? false : nil
        result.routeReflectorClient = nil
        result.reachableBy = nil
        result.nextHopAddresses = [nil, nil]
        if case .address = source { result.source = .useNodeIP }
        result.role = role.map { role in
            switch role {
            case .provider: .customer
            case .customer: .provider
            case .peer: .peer
            case .rs: .rsClient
            case .rsClient: .rs
            }
        }
        return result
    }
}
