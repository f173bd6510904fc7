import Foundation
import NetTypes
import Resources
import Testing

@Suite struct PoolTests {
    @Test func `pools' encapsulation is read, and what cannot be is refused`() throws {
        #expect(
            problems(object("IPPool", "p", "cidr: 10.65.0.0/16, ipipMode: Always, vxlanMode: Always"))[0].contains(
                "excludes ipipMode"))
        #expect(
            problems(object("IPPool", "p", "cidr: 'fd00::/64', ipipMode: Always"))[0].contains("IPIP carries IPv4 only")
        )
        #expect(
            problems(object("IPPool", "p", "cidr: 10.65.0.0/16, vxlanMode: Sometimes"))[0].contains(
                "none of Never, Always, CrossSubnet"))
        #expect(
            problems(object("IPPool", "p", "cidr: 10.65.0.0/16, routeSourceAddress: 'fd00::1'"))[0].contains(
                "not an IPv4 address"))
        #expect(problems(object("Node", "n", "ipv4VXLANTunnelAddr: 'fd00::1'"))[0].contains("not an IPv4 address"))
        let text = object("IPPool", "p", "cidr: 10.65.0.0/16, vxlanMode: CrossSubnet, ipipMode: Never")
        let pool = try #require(
            ResourceSet([ResourceParser.parse(text, file: "r.yaml")], files: ["r.yaml"], previous: ResourceSet()).pools
                .first)
        #expect(pool.encapsulation?.isVXLAN == true && pool.encapsulation?.isCrossSubnet == true)
    }

    @Test func `FelixConfiguration: a node's fields win, foreign fields pass, slips of the pen do not`() throws {
        let text =
            object(
                "FelixConfiguration", "default", "vxlanVNI: 7, vxlanPort: 8472, bpfEnabled: true, iptablesBackend: NFT")
            + object("FelixConfiguration", "node.a", "vxlanVNI: 9")
        let parsed = ResourceParser.parse(text, file: "r.yaml")
        #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        let set = ResourceSet([parsed], files: ["r.yaml"], previous: ResourceSet())
        #expect(set.felix(of: "a").vxlanIdentifier == 9 && set.felix(of: "a").vxlanPort == 8472)
        #expect(set.felix(of: "b").vxlanIdentifier == 7)
        #expect(problems(object("FelixConfiguration", "default", "vxlanVMI: 7"))[0].contains("did you mean vxlanVNI?"))
        #expect(problems(object("FelixConfiguration", "default", "vxlanVNI: 0"))[0].contains("out of range"))
        #expect(
            problems(object("FelixConfiguration", "default", "mtuIfacePattern: '^(eth'"))[0].contains(
                "not a regular expression"))
        #expect(problems(object("FelixConfiguration", "default", "routeSyncDisabled: true"))[0].contains("--dry-run"))
    }

    @Test func `only endpoints that come or change do not wait for other changes`() {
        func parsed(_ text: String, _ file: String = "r.yaml") -> ResourceParser.Parsed {
            ResourceParser.parse(text, file: file)
        }
        func pod(_ name: String, _ address: String) -> String {
            object("WorkloadEndpoint", name, "node: n, interfaceName: cali0, ipNetworks: [\(address)/32]")
        }
        let pool = object("IPPool", "p", "cidr: 10.65.0.0/16")
        let base = ResourceSet(
            [parsed(pool + pod("c", "10.65.1.1")), parsed(pod("o", "10.65.1.3"), "o.yaml")],
            files: ["r.yaml", "o.yaml"], previous: ResourceSet())
        /// The names of the endpoints that changed; nil where it was not only these.
        func change(_ text: String, of set: ResourceSet? = nil) -> [String]? {
            guard case .objects(let result, let items) = (set ?? base).change(parsed(text), of: "r.yaml") else {
                return nil
            }
            let all = ResourceSet(
                [parsed(text), parsed(pod("o", "10.65.1.3"), "o.yaml")], files: ["r.yaml", "o.yaml"], previous: base)
            #expect(
                result.endpoints(of: "n").map(\.name) == all.endpoints(of: "n").map(\.name),
                "the same as all files together")
            #expect(result.endpoints(of: "n").map(\.endpoint) == all.endpoints(of: "n").map(\.endpoint))
            return items.map(\.key.name)
        }
        for name in ["a", "d"] { #expect(change(pool + pod("c", "10.65.1.1") + pod(name, "10.65.1.2")) == [name]) }
        #expect(change(pool + pod("c", "10.65.1.9")) == ["c"])
        #expect(change(pod("c", "10.65.1.1") + pool) == [])
        #expect(change(pool) == nil, "one that goes may be on its way to another file")
        #expect(change(pod("c", "10.65.1.1") + pod("b", "10.65.1.2")) == nil, "the pool is gone")
        #expect(change(pool + pod("c", "10.65.1.1") + object("IPPool", "q", "cidr: 10.66.0.0/16")) == nil)
        #expect(change(pool + pod("c", "10.65.1.1") + pod("b", "nonsense")) == nil, "a problem is new")
        #expect(change(pool + pod("c", "10.65.1.1") + pod("o", "10.65.1.2")) == nil, "it stands in another file")
        #expect(
            change(pool + pod("c", "10.65.1.1") + pod("b", "10.65.1.2") + pod("b", "10.65.1.2")) == nil,
            "it stands twice")
        let bad = ResourceSet([parsed(pool + pod("b", "nonsense"))], files: ["r.yaml"], previous: base)
        #expect(change(pool + pod("b", "10.65.1.2"), of: bad) == nil, "a problem went")
    }
}
