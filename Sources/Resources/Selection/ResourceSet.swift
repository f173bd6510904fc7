package import NetTypes

/// All objects in force, with what is wrong with those that are not.
package struct ResourceSet: Sendable, Hashable {
    package private(set) var resources: [ResourceKey: Resource] = [:]
    package private(set) var problems: [Problem] = []
    /// Keys in order, once for all who read in order.
    private var sortedKeys: [ResourceKey] = []

    package init() {}

    /// What was read, put over what was in force before: a bad object keeps its last good version, a file that is not
    /// YAML keeps all of its objects, everything else is as it was read. An object that stands twice is refused the
    /// second time.
    package init(_ parsed: [ResourceParser.Parsed], files: [String], previous: ResourceSet) {
        for (result, file) in zip(parsed, files) {
            problems += result.problems
            for resource in result.resources {
                if let first = resources[resource.key] {
                    problems.append(
                        Problem(
                            file: file, line: resource.line, field: "",
                            message: "stands already at \(first.file):\(first.line); this one is not used",
                            object: resource.key.description))
                } else {
                    resources[resource.key] = resource
                }
            }
        }
        for (result, file) in zip(parsed, files) {
            for key in result.badKeys where resources[key] == nil { resources[key] = previous.resources[key] }
            if result.isUnreadable {
                for (key, resource) in previous.resources where resource.file == file && resources[key] == nil {
                    resources[key] = resource
                }
            }
        }
        refuseDuplicateAddresses()
        sortedKeys = resources.keys.sorted()
    }

    /// Addresses of all Nodes, of both families, each with all that its Node has.
    package var nodeAddresses: [IPAddress: [IPAddress]] {
        var result: [IPAddress: [IPAddress]] = [:]
        for node in nodes.values {
            let all = [node.ipv4?.address, node.ipv6?.address].compactMap { $0 }
            for address in all { result[address] = all }
        }
        return result
    }

    /// Two nodes with one address would break every session to it: the one that was declared later is refused (contract
    /// 2.5).
    private mutating func refuseDuplicateAddresses() {
        var owners: [IPAddress: ResourceKey] = [:]
        let nodes = resources.filter { if case .node = $0.value.value { true } else { false } }
        for (key, resource) in nodes.sorted(by: { ($0.value.file, $0.value.line) < ($1.value.file, $1.value.line) }) {
            guard case .node(let node) = resource.value else { continue }
            for address in [node.ipv4?.address, node.ipv6?.address].compactMap({ $0 }) {
                if let owner = owners[address], owner != key {
                    problems.append(
                        Problem(
                            file: resource.file, line: resource.line, field: "spec.bgp",
                            message: "address \(address) is that of \(owner); this node is not used",
                            object: key.description))
                    resources[key] = nil
                } else {
                    owners[address] = key
                }
            }
        }
    }

    // MARK: One file

    /// What one file that was read again makes of a set.
    package enum FileChange {
        /// Nothing: it is no file of resources.
        case none
        /// WorkloadEndpoints came or changed, and nothing else did: the set with them, and what changed.
        case objects(ResourceSet, [ResourceChange.Item])
        /// Anything else: all files have to be looked at together.
        case other
    }

    /// What a file makes of this set now that it was read again. Cost: the number of objects, with a small constant.
    package func change(_ parsed: ResourceParser.Parsed, of file: String) -> FileChange {
        guard parsed.problems.isEmpty, parsed.badKeys.isEmpty, !parsed.isUnreadable,
            !problems.contains(where: { $0.file == file })
        else { return .other }
        var keys: Set<ResourceKey> = []
        var changed: [Resource] = []
        var known = 0
        for resource in parsed.resources {
            guard keys.insert(resource.key).inserted else { return .other }
            let before = resources[resource.key]
            if let before {
                // One that stands in two files is told as a problem.
                guard before.file == file else { return .other }
                known += 1
                if before.value == resource.value { continue }
            }
            guard case .workloadEndpoint = resource.value else { return .other }
            changed.append(resource)
        }
        // One that goes may be on its way to another file.
        guard known == resources.values.count(where: { $0.file == file }) else { return .other }
        var result = self
        for resource in changed where result.resources.updateValue(resource, forKey: resource.key) == nil {
            result.insertSorted(resource.key)
        }
        return .objects(
            result,
            changed.map {
                ResourceChange.Item(key: $0.key, old: resources[$0.key]?.value, new: $0.value, origin: $0.origin)
            })
    }

    private mutating func insertSorted(_ key: ResourceKey) {
        var (low, high) = (0, sortedKeys.count)
        while low < high {
            let middle = (low + high) / 2
            if sortedKeys[middle] < key { low = middle + 1 } else { high = middle }
        }
        sortedKeys.insert(key, at: low)
    }

    // MARK: Reading

    package var nodes: [String: NodeResource] {
        var result: [String: NodeResource] = [:]
        for (key, resource) in resources { if case .node(let node) = resource.value { result[key.name] = node } }
        return result
    }

    /// One node, without a look at the others.
    package func node(_ name: String) -> NodeResource? {
        if case .node(let node)? = resources[ResourceKey(kind: "Node", name: name)]?.value { node } else { nil }
    }

    /// Peers in the order of their names.
    package var peers: [(name: String, peer: BGPPeer)] {
        sortedKeys.compactMap { key in
            if case .bgpPeer(let peer)? = resources[key]?.value { (key.name, peer) } else { nil }
        }
    }

    package func filter(_ name: String) -> BGPFilter? {
        if case .bgpFilter(let filter)? = resources[ResourceKey(kind: "BGPFilter", name: name)]?.value {
            filter
        } else {
            nil
        }
    }

    package var pools: [IPPool] {
        sortedKeys.compactMap { key in if case .ipPool(let pool)? = resources[key]?.value { pool } else { nil } }
    }

    /// Confirmed blocks of a node: its BlockAffinity objects, or its podCIDRs where no BlockAffinity names it.
    package func blocks(of node: String) -> [Prefix] {
        let affinities = resources.values.compactMap { resource -> BlockAffinity? in
            if case .blockAffinity(let affinity) = resource.value, affinity.node == node { affinity } else { nil }
        }
        let blocks = affinities.isEmpty ? self.node(node)?.podCIDRs ?? [] : affinities.filter(\.isConfirmed).map(\.cidr)
        return Array(Set(blocks)).sorted()
    }

    /// Endpoints of a node by `namespace/name`.
    package func endpoints(of node: String) -> [(name: String, endpoint: WorkloadEndpoint)] {
        sortedKeys.compactMap { key in
            if case .workloadEndpoint(let endpoint)? = resources[key]?.value, endpoint.node == node {
                ("\(key.namespace)/\(key.name)", endpoint)
            } else {
                nil
            }
        }
    }

    /// BGPConfiguration of a node: `node.NAME` over `default`.
    package func configuration(of node: String) -> BGPConfiguration {
        var result = BGPConfiguration()
        if case .bgpConfiguration(let value)? = resources[ResourceKey(kind: "BGPConfiguration", name: "default")]?.value
        {
            result = value
        }
        if case .bgpConfiguration(let own)? = resources[ResourceKey(kind: "BGPConfiguration", name: "node.\(node)")]?
            .value
        {
            if let port = own.listenPort { result.listenPort = port }
            if let severity = own.logSeverity { result.logSeverity = severity }
            if !own.prefixAdvertisements.isEmpty { result.prefixAdvertisements = own.prefixAdvertisements }
        }
        return result
    }

    /// FelixConfiguration of a node: `node.NAME` over `default`, field by field.
    package func felix(of node: String) -> FelixConfiguration {
        func object(_ name: String) -> FelixConfiguration {
            if case .felixConfiguration(let value)? = resources[ResourceKey(kind: "FelixConfiguration", name: name)]?
                .value
            {
                value
            } else {
                FelixConfiguration()
            }
        }
        return object("node.\(node)").over(object("default"))
    }

    package func listenPort(of node: String) -> UInt16 { configuration(of: node).listenPort ?? 179 }
    package func asNumber(of node: String) -> ASNumber {
        self.node(node)?.asNumber ?? configuration(of: node).asNumber ?? BGPConfiguration.defaultASNumber
    }

    /// Secrets that some peer of the node needs.
    package var secretReferences: Set<SecretReference> {
        var result: Set<SecretReference> = []
        for resource in resources.values {
            switch resource.value {
            case .bgpPeer(let peer):
                if let reference = peer.password { result.insert(reference) }
                if let reference = peer.tcpAO?.secret { result.insert(reference) }
            case .bgpConfiguration(let configuration):
                if let reference = configuration.nodeMeshPassword { result.insert(reference) }
            default: break
            }
        }
        return result
    }
}
