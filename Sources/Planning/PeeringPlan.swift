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
}

/// Who a node peers with: the mesh of Node objects, and BGPPeer objects with their reverse sides.
package enum PeeringPlan {
    /// `allFamilies`: a reflector carries both families whatever addresses it has.
    package static func peers(of name: String, in set: ResourceSet, allFamilies: Bool) -> [PlannedPeer] {
        let nodes = set.nodes
        guard let own = nodes[name] else { return [] }
        var owners: [IPAddress: String] = [:]
        for (name, node) in nodes {
            for family in AddressFamily.allCases { if let address = node.address(family) { owners[address] = name } }
        }
        let builder = Builder(name: name, own: own, nodes: nodes, set: set, allFamilies: allFamilies, owners: owners)
        // Global peers come first and win; an explicit peer wins over a reverse one; the mesh comes last.
        var result: [PlannedPeer] = []
        var taken: Set<PlannedPeer.Target> = []
        func add(_ peers: [PlannedPeer]) {
            for peer in peers where taken.insert(peer.target).inserted { result.append(peer) }
        }
        let all = set.peers
        for (peerName, peer) in all where peer.isGlobal { add(builder.explicit(peerName, peer, origin: .global)) }
        for (peerName, peer) in all where !peer.isGlobal && peer.applies(to: name, own.labels) {
            add(builder.explicit(peerName, peer, origin: .node))
        }
        for (peerName, peer) in all where peer.peerSelector != nil && !peer.isReversePeeringManual {
            add(builder.reverse(peerName, peer))
        }
        if set.configuration(of: name).nodeToNodeMeshEnabled ?? true { add(builder.mesh()) }
        return result
    }

    private struct Builder {
        let name: String
        let own: NodeResource
        let nodes: [String: NodeResource]
        let set: ResourceSet
        let allFamilies: Bool
        /// Names of nodes by their addresses.
        let owners: [IPAddress: String]

        func explicit(_ peerName: String, _ peer: BGPPeer, origin: PlannedPeer.Origin) -> [PlannedPeer] {
            if let endpoint = peer.peer {
                // A node never peers with itself.
                guard endpoint.address != own.ipv4?.address, endpoint.address != own.ipv6?.address else { return [] }
                let other = owners[endpoint.address].flatMap { name in nodes[name].map { (key: name, value: $0) } }
                return [
                    planned(
                        "BGPPeer/\(peerName)", origin: origin, target: .address(endpoint.address),
                        remoteAS: peer.asNumber,
                        port: endpoint.port ?? other.map { set.listenPort(of: $0.key) } ?? 179,
                        families: peer.families ?? ownFamilies, other: other.map(\.value), peer: peer)
                ]
            }
            if let range = peer.listenRange {
                return [
                    planned(
                        "BGPPeer/\(peerName)", origin: origin, target: .range(range),
                        remoteAS: peer.asNumber == .zero ? nil : peer.asNumber, port: 179,
                        families: peer.families ?? ownFamilies, other: nil, peer: peer)
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
                .compactMap { towards($0.key, $0.value, label: "BGPPeer/\(peerName)", origin: origin, peer: peer) }
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
                            families: peer.families ?? ownFamilies,
                            other: nil, peer: options))
                }
            }
            return result
        }

        /// The nodes whose peerSelector picks us: we peer back.
        func reverse(_ peerName: String, _ peer: BGPPeer) -> [PlannedPeer] {
            guard let selector = peer.peerSelector, selector.matches(own.labels) else { return [] }
            return nodes.filter { $0.key != name && peer.applies(to: $0.key, $0.value.labels) }.sorted {
                $0.key < $1.key
            }
            .compactMap {
                towards(
                    $0.key, $0.value, label: "BGPPeer/\(peerName)", origin: peer.isGlobal ? .global : .node, peer: peer)
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
                .sorted { $0.key < $1.key }.compactMap {
                    towards($0.key, $0.value, label: "mesh/\($0.key)", origin: .mesh, peer: options)
                }
        }

        /// One session to another node, by IPv4 where both have it, with every family that both have.
        private func towards(
            _ otherName: String, _ other: NodeResource, label: String, origin: PlannedPeer.Origin, peer: BGPPeer
        ) -> PlannedPeer? {
            let common = own.families.intersection(other.families)
            guard let transport = common.families.first, let address = other.address(transport) else { return nil }
            return planned(
                label, origin: origin, target: .address(address), remoteAS: set.asNumber(of: otherName),
                port: set.listenPort(of: otherName),
                families: peer.families ?? (allFamilies ? .all : common), other: other, peer: peer)
        }

        private var ownFamilies: AddressFamilySet { allFamilies ? .all : own.families }

        private func planned(
            _ label: String, origin: PlannedPeer.Origin, target: PlannedPeer.Target, remoteAS: ASNumber?,
            port: UInt16,
            families: AddressFamilySet, other: NodeResource?, peer: BGPPeer
        ) -> PlannedPeer {
            let localAS = peer.localASNumber ?? set.asNumber(of: name)
            let isInternal = remoteAS == localAS
            // RFC 4456 as Calico reads it: a reflector's internal peers are clients unless they are of the same
            // cluster.
            let byNode = isInternal && own.routeReflectorClusterID.map { $0 != other?.routeReflectorClusterID } ?? false
            var isPassive = false
            if case .range = target { isPassive = true }
            let peersBack = origin == .mesh || (peer.peerSelector != nil && !peer.isReversePeeringManual)
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
