import NetTypes
import Planning
import Resources
import Testing

/// What a small change of many resources costs, counted in places that are copied, compared or planned.
@Suite struct SmallChangeTests {
    private static func resource(_ kind: String, _ name: String, _ spec: String) throws -> Resource {
        let text = """
            apiVersion: projectcalico.org/v3
            kind: \(kind)
            metadata: {name: \(name)}
            spec: {\(spec)}
            """
        let parsed = ResourceParser.parse(text, file: "\(name).yaml")
        return try #require(parsed.resources.first, "\(parsed.problems)")
    }

    /// Nodes, endpoints and one peer, a file each.
    private static func files(nodes: Int, endpoints: Int) throws -> [Resource] {
        var result = [try resource("BGPPeer", "tor", "peerIP: 10.0.0.254, asNumber: 65000")]
        let node = try resource("Node", "n", "bgp: {ipv4Address: 10.0.0.1/8}")
        guard case .node(var value) = node.value, let subnet = value.ipv4?.subnet else { return [] }
        for number in 0..<nodes {
            value.ipv4?.address = IPAddress(v4: 0x0A00_0001 + UInt32(number))
            value.ipv4?.subnet = subnet
            result.append(renamed(node, "node\(number)", .node(value)))
        }
        let pod = try resource("WorkloadEndpoint", "p", "node: n, interfaceName: cali0, ipNetworks: [10.65.0.1/32]")
        guard case .workloadEndpoint(var endpoint) = pod.value else { return [] }
        for number in 0..<endpoints {
            endpoint.node = "node\(number % nodes)"
            endpoint.addresses = [IPAddress(v4: 0x0A41_0000 + UInt32(number))]
            result.append(renamed(pod, "pod\(number)", .workloadEndpoint(endpoint)))
        }
        return result
    }

    private static func renamed(_ resource: Resource, _ name: String, _ value: ResourceValue) -> Resource {
        var result = resource
        result.key.name = name
        result.file = "\(name).yaml"
        result.value = value
        return result
    }

    private static func parsed(_ resource: Resource) -> ResourceParser.Parsed {
        var parsed = ResourceParser.Parsed()
        parsed.resources = [resource]
        return parsed
    }

    private static func set(_ files: [Resource]) -> ResourceSet {
        ResourceSet(files.map(parsed), files: files.map(\.file), previous: ResourceSet())
    }

    /// Nodes on the way to a key, of each of two maps.
    private static let bound = 4 * 64 * 2

    @Test(arguments: [(50, 100), (5000, 10_000)])
    func `one pod that changes or comes copies its way in the tree, and plans itself alone`(
        nodes: Int, endpoints: Int
    ) throws {
        let files = try Self.files(nodes: nodes, endpoints: endpoints)
        let before = Self.set(files)
        #expect(before.resources.count == nodes + endpoints + 1 && before.problems.isEmpty)
        #expect(before.copied(from: ResourceSet()) > nodes + endpoints)
        var pod = try #require(files.last)
        guard case .workloadEndpoint(var endpoint) = pod.value else { return }
        endpoint.addresses = [IPAddress(v4: 0x0A42_0001)]
        pod.value = .workloadEndpoint(endpoint)
        for pod in [pod, Self.renamed(pod, "another", pod.value)] {
            guard case .objects(let after, let items) = before.change(Self.parsed(pod), of: pod.file) else {
                Issue.record("more than an endpoint")
                return
            }
            #expect(after.copied(from: before) <= Self.bound)
            #expect(items.map(\.key) == [pod.key])
            let change = ResourceChange(
                items, after: LoadedConfiguration(resources: after, secrets: Secrets()))
            let planned = NodeChange(change, node: endpoint.node)
            #expect(planned.state == nil && planned.endpoints.count == 1 && !planned.isWhole)
            // What stands there is what a folder that is read anew has.
            let others = files.filter { $0.key != pod.key }
            #expect(after == Self.set(others + [pod]))
        }
    }

    @Test func `one Node and one BGPPeer that change are one item each`() throws {
        var files = try Self.files(nodes: 5000, endpoints: 10_000)
        let before = LoadedConfiguration(resources: Self.set(files), secrets: Secrets())
        guard case .node(var node) = files[1].value else { return }
        node.labels["rack"] = "a"
        files[1].value = .node(node)
        var after = LoadedConfiguration(resources: Self.set(files), secrets: Secrets())
        #expect(ResourceChange(from: before, to: after).items.map(\.key.description) == ["Node/node0"])
        files[0] = try Self.resource("BGPPeer", "tor", "peerIP: 10.0.0.254, asNumber: 65001")
        after.resources = Self.set(files)
        let items = ResourceChange(from: before, to: after).items
        #expect(items.map(\.key.description) == ["BGPPeer/tor", "Node/node0"])
        // One that goes, and one that comes.
        files.remove(at: 0)
        files.append(Self.renamed(files[0], "zone", files[0].value))
        files.remove(at: 0)
        after.resources = Self.set(files)
        let keys = ResourceChange(from: before, to: after).items.map {
            ($0.key.description, $0.old == nil, $0.new == nil)
        }
        #expect(keys.map(\.0) == ["BGPPeer/tor", "Node/node0", "Node/zone"])
        #expect(keys.map(\.1) == [false, false, true] && keys.map(\.2) == [true, true, false])
    }

    @Test func `a shared map is a sorted dictionary, and leaves the versions before it as they were`() {
        var random = SplitMix(state: 7)
        var map = SharedMap<Int, Int>()
        var model: [Int: Int] = [:]
        var versions: [(SharedMap<Int, Int>, [Int: Int])] = []
        for step in 0..<20_000 {
            let key = Int(random.next() % 9000)
            map.set(key, step)
            model[key] = step
            if step % 2500 == 0 { versions.append((map, model)) }
        }
        versions.append((map, model))
        versions.append((SharedMap(sorted: map.entries), model))
        for (map, model) in versions {
            let keys = model.keys.sorted()
            #expect(map.entries.map(\.key) == keys)
            #expect(map.entries.allSatisfy { model[$0.key] == $0.value })
            for key in stride(from: -1, to: 9003, by: 211) {
                #expect(map[key] == model[key])
                var found: Int?
                map.visit(from: key) {
                    found = $0.key
                    return false
                }
                #expect(found == keys.first { $0 >= key })
            }
        }
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }
}
