package import NetTypes

/// All objects in force, with what is wrong with those that are not.
package struct ResourceSet: Sendable, Hashable {
    private var objects = SharedMap<ResourceKey, Resource>()
    package private(set) var problems: [Problem] = []
    /// Objects of other kinds, which are read by nobody here.
    package private(set) var others: [OtherObject] = []
    /// How many objects each file has.
    private var counts = SharedMap<String, Int>()
    /// Some BGPPeer makes peers of pods.
    package private(set) var hasWorkloadPeers = false

    package init() {}

    /// What was read, put over what was in force before: a bad object keeps its last good version, a file that is not
    /// YAML keeps all of its objects, everything else is as it was read. An object that stands twice is refused the
    /// second time.
    package init(_ parsed: [ResourceParser.Parsed], files: [String], previous: ResourceSet) {
        var resources: [ResourceKey: Resource] = [:]
        for (result, file) in zip(parsed, files) {
            problems += result.problems
            others += result.others
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
            for key in result.badKeys where resources[key] == nil { resources[key] = previous.objects[key] }
            if result.isUnreadable {
                others += previous.others.filter { $0.file == file }
                for resource in previous.resources where resource.file == file && resources[resource.key] == nil {
                    resources[resource.key] = resource
                }
            }
        }
        refuseDuplicateAddresses(&resources)
        objects = SharedMap(sorted: resources.values.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: $0) })
        let files = Dictionary(resources.values.map { ($0.file, 1) }, uniquingKeysWith: +)
        counts = SharedMap(sorted: files.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: $0.value) })
        hasWorkloadPeers = peers.contains { $0.peer.localWorkloadSelector != nil }
    }

    /// What other files make of these objects: over them, or in their place where the files are all there is. `without`:
    /// objects that are left out, as `KIND/NAME`.
    package func overlaid(
        _ parsed: [ResourceParser.Parsed], files: [String], isWhole: Bool, without: Set<String>
    ) -> ResourceSet {
        var base = ResourceParser.Parsed()
        let replaced = Set(parsed.flatMap(\.resources).map(\.key))
        if !isWhole {
            base.resources = resources.filter { !replaced.contains($0.key) && !without.contains($0.key.description) }
        }
        return ResourceSet([base] + parsed, files: ["(in force)"] + files, previous: ResourceSet())
    }

    /// The same objects, with one more thing that is wrong.
    package func with(_ problem: Problem) -> ResourceSet {
        var result = self
        result.problems.append(problem)
        return result
    }

    /// In the order of their keys. Cost: their number.
    package var resources: [Resource] { objects.entries.map(\.value) }

    package static func == (a: ResourceSet, b: ResourceSet) -> Bool {
        a.problems == b.problems && a.others == b.others && a.resources == b.resources
    }
    package func hash(into hasher: inout Hasher) {
        hasher.combine(problems)
        hasher.combine(others)
        hasher.combine(resources)
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
    private mutating func refuseDuplicateAddresses(_ resources: inout [ResourceKey: Resource]) {
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

    /// What a file makes of this set now that it was read again. Cost: the file's objects, the problems and objects of
    /// other kinds, and the logarithm of the number of all objects.
    package func change(_ parsed: ResourceParser.Parsed, of file: String) -> FileChange {
        guard parsed.problems.isEmpty, parsed.badKeys.isEmpty, !parsed.isUnreadable,
            !problems.contains(where: { $0.file == file }), parsed.others.isEmpty,
            !others.contains(where: { $0.file == file })
        else { return .other }
        var keys: Set<ResourceKey> = []
        var changed: [Resource] = []
        var known = 0
        for resource in parsed.resources {
            guard keys.insert(resource.key).inserted else { return .other }
            let before = objects[resource.key]
            if let before {
                // One that stands in two files is reported as a problem.
                guard before.file == file else { return .other }
                known += 1
                if before.value == resource.value { continue }
            }
            guard case .workloadEndpoint = resource.value else { return .other }
            changed.append(resource)
        }
        // One that goes may be on its way to another file.
        guard known == counts[file] ?? 0 else { return .other }
        var result = self
        for resource in changed { result.objects.set(resource.key, resource) }
        if parsed.resources.count != known { result.counts.set(file, parsed.resources.count) }
        return .objects(
            result,
            changed.map {
                ResourceChange.Item(key: $0.key, old: objects[$0.key]?.value, new: $0.value, origin: $0.origin)
            })
    }

    /// Places that were copied to make this set of another one: a measure of work that needs no clock.
    package func copied(from other: ResourceSet) -> Int {
        objects.unshared(with: other.objects) + counts.unshared(with: other.counts)
    }

    // MARK: Reading

    /// Objects of a kind in order. Cost: their number.
    private func visit(_ kind: String, _ body: (Resource) -> Void) {
        objects.visit(from: ResourceKey(kind: kind, name: "")) { entry in
            guard entry.key.kind == kind else { return false }
            body(entry.value)
            return true
        }
    }

    package var nodes: [String: NodeResource] {
        var result: [String: NodeResource] = [:]
        visit("Node") { if case .node(let node) = $0.value { result[$0.key.name] = node } }
        return result
    }

    /// One node, without a look at the others.
    package func node(_ name: String) -> NodeResource? {
        if case .node(let node)? = objects[ResourceKey(kind: "Node", name: name)]?.value { node } else { nil }
    }

    /// Puts another state of a Node in place of what was declared. Nothing where there is no Node of the name.
    package mutating func replace(_ node: NodeResource, named name: String) {
        let key = ResourceKey(kind: "Node", name: name)
        guard var resource = objects[key], resource.value != .node(node) else { return }
        resource.value = .node(node)
        objects.set(key, resource)
    }

    /// Where an object was declared.
    package func origin(of key: ResourceKey) -> Origin? { objects[key]?.origin }

    /// Peers in the order of their names.
    package var peers: [(name: String, peer: BGPPeer)] {
        var result: [(name: String, peer: BGPPeer)] = []
        visit("BGPPeer") { if case .bgpPeer(let peer) = $0.value { result.append(($0.key.name, peer)) } }
        return result
    }

    package func filter(_ name: String) -> BGPFilter? {
        if case .bgpFilter(let filter)? = objects[ResourceKey(kind: "BGPFilter", name: name)]?.value {
            filter
        } else {
            nil
        }
    }

    package var pools: [IPPool] {
        var result: [IPPool] = []
        visit("IPPool") { if case .ipPool(let pool) = $0.value { result.append(pool) } }
        return result
    }

    /// Confirmed blocks of a node: its BlockAffinity objects, or its podCIDRs where no BlockAffinity names it.
    package func blocks(of node: String) -> [Prefix] {
        var affinities: [BlockAffinity] = []
        visit("BlockAffinity") {
            if case .blockAffinity(let affinity) = $0.value, affinity.node == node { affinities.append(affinity) }
        }
        let blocks = affinities.isEmpty ? self.node(node)?.podCIDRs ?? [] : affinities.filter(\.isConfirmed).map(\.cidr)
        return Array(Set(blocks)).sorted()
    }

    /// Endpoints of a node by `namespace/name`.
    package func endpoints(of node: String) -> [(name: String, endpoint: WorkloadEndpoint)] {
        var result: [(name: String, endpoint: WorkloadEndpoint)] = []
        visit(ResourceKey.workloadEndpointKind) {
            if case .workloadEndpoint(let endpoint) = $0.value, endpoint.node == node {
                result.append(("\($0.key.namespace)/\($0.key.name)", endpoint))
            }
        }
        return result
    }

    /// Every BGPConfiguration, by name.
    package var configurations: [(name: String, configuration: BGPConfiguration)] {
        var result: [(name: String, configuration: BGPConfiguration)] = []
        visit("BGPConfiguration") {
            if case .bgpConfiguration(let value) = $0.value { result.append(($0.key.name, value)) }
        }
        return result
    }

    /// Names of the objects of a kind.
    package func names(of kind: String) -> [String] {
        var result: [String] = []
        visit(kind) { result.append($0.key.name) }
        return result
    }

    /// BGPConfiguration of a node: `node.NAME` over `default`.
    package func configuration(of node: String) -> BGPConfiguration {
        var result = BGPConfiguration()
        if case .bgpConfiguration(let value)? = objects[ResourceKey(kind: "BGPConfiguration", name: "default")]?.value {
            result = value
        }
        if case .bgpConfiguration(let own)? = objects[ResourceKey(kind: "BGPConfiguration", name: "node.\(node)")]?
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
            if case .felixConfiguration(let value)? = objects[ResourceKey(kind: "FelixConfiguration", name: name)]?
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
        for (_, peer) in peers {
            if let reference = peer.password { result.insert(reference) }
            if let reference = peer.tcpAO?.secret { result.insert(reference) }
        }
        visit("BGPConfiguration") {
            if case .bgpConfiguration(let configuration) = $0.value, let reference = configuration.nodeMeshPassword {
                result.insert(reference)
            }
        }
        return result
    }
}
