import Dataplane
import FIB
import NetTypes
import Testing

/// What an agent leaves on its host when it ends, and what `apusd cleanup` makes of it.
@Suite struct CleanupScenesTests {
    private struct Left {
        let host: MemoryHost

        /// Of an agent that ran here: an own block, another node's, one through VXLAN, a pod's and one in table 100.
        init() throws {
            let pair = try ForwardingScenesTests.Pair("\n---\n" + MemoryNetwork.endpoint("a", "n", "10.65.1.7"))
            pair.has("10.65.2.0/26", "10.0.0.2")
            pair.n.kill()
            host = pair.n.host
            for name in ["calia", "x0"] { host.addInterface(name) }
            let local = try #require(IPAddress("10.0.0.1"))
            let parent = try #require(host.index(of: "eth0"))
            let device = TunnelDevice(
                kind: .vxlanIPv4, local: local, address: nil, mac: nil, parent: parent, mtu: 1450)
            _ = host.apply(.create(device))
            let gateway = try #require(IPAddress("10.0.0.2"))
            var routes: [FIBOperation] = []
            func add(_ text: String, _ gateway: IPAddress?, by name: String, table: UInt32 = 254) throws {
                let hop = FIBNextHop(
                    gateway: gateway, interface: try #require(host.index(of: name)), isOnlink: gateway != nil)
                let prefix = try #require(Prefix(text))
                routes.append(
                    .replace(FIBRoute(prefix: prefix, kind: .unicast, metric: 1024, nextHops: [hop], table: table)))
            }
            try add("10.65.1.7/32", nil, by: "calia")
            try add("10.65.3.0/26", gateway, by: "vxlan.calico")
            try add("10.65.4.0/26", gateway, by: "eth0", table: 100)
            #expect(host.apply(FIBBatch(routes)).isEmpty)
        }

        /// `prefix protocol`, with 73 for ours.
        var routes: Set<String> {
            Set(
                host.routes.own.values.map { "\($0.prefix) 73" }
                    + host.routes.foreign.values.filter { $0.routeProtocol != 2 }.map {
                        "\($0.prefix) \($0.routeProtocol)"
                    })
        }
        var alias: String? { host.link(named: "vxlan.calico")?.alias }

        func clean(_ names: Set<Predecessor> = [], metric: UInt32? = nil, isDryRun: Bool = false) throws
            -> Cleanup.Report
        {
            try Cleanup.run(on: host, heirs: Heirs(names, metric: metric), isDryRun: isDryRun)
        }
    }

    private static let found: Set = [
        "10.65.1.0/26 73", "10.65.2.0/26 73", "10.65.1.7/32 73", "10.65.3.0/26 73", "10.65.4.0/26 73",
    ]

    @Test func `each route is given to the one who would have written it, and none is deleted`() throws {
        let left = try Left()
        #expect(left.routes == Self.found)
        let report = try left.clean([.bird, .felix])
        #expect(
            left.routes == [
                "10.65.1.0/26 12", "10.65.2.0/26 12", "10.65.1.7/32 3", "10.65.3.0/26 80", "10.65.4.0/26 73",
            ])
        #expect(report.given.values.reduce(0, +) == 4 && report.removed == 0 && report.failures.isEmpty)
        // Neither has tables.
        #expect(report.kept.map { "\($0.prefix) \($0.table)" } == ["10.65.4.0/26 100"])
        #expect(report.devicesGiven == ["vxlan.calico"] && left.alias == "")
        // What is theirs now is not ours to remove.
        let rest = try left.clean()
        #expect(rest.removed == 1 && rest.devicesRemoved.isEmpty)
        #expect(left.routes == ["10.65.1.0/26 12", "10.65.2.0/26 12", "10.65.1.7/32 3", "10.65.3.0/26 80"])
        #expect(left.alias == "")
    }

    @Test func `with another metric theirs is written beside ours before ours goes`() throws {
        let left = try Left()
        #expect(try left.clean([.bird, .felix], metric: 0).failures.isEmpty)
        let metrics = Set(left.host.routes.foreign.values.filter { $0.routeProtocol != 2 }.map(\.metric))
        #expect(metrics == [0] && left.host.routes.own.values.map(\.table) == [100])
        // The kernel makes 1024 of 0 for IPv6, so that theirs takes the place of ours.
        let prefix = try #require(Prefix("fd00:65:1::/122"))
        let block = FIBRoute(prefix: prefix, kind: .blackhole, metric: 1024, nextHops: [])
        #expect(Heirs([.bird], metric: 0).inherited(block) == block)
        // What could not be written does not lose ours.
        let other = try Left()
        other.host.refuseRoutes { "\($0.prefix)" == "10.65.2.0/26" ? KernelError.noBuffers : nil }
        _ = try other.clean([.bird], metric: 0)
        #expect(other.routes.contains("10.65.2.0/26 73") && other.routes.contains("10.65.1.0/26 12"))
    }

    @Test func `beside a Felix that runs only BIRD's are given`() throws {
        let left = try Left()
        let report = try left.clean([.bird])
        #expect(
            left.routes == [
                "10.65.1.0/26 12", "10.65.2.0/26 12", "10.65.1.7/32 73", "10.65.3.0/26 73", "10.65.4.0/26 73",
            ])
        #expect(report.kept.count == 3 && report.devicesGiven.isEmpty && left.alias == "apus")
    }

    @Test func `without heirs everything that is ours goes, but a device that others use`() throws {
        let left = try Left()
        let index = try #require(left.host.index(of: "vxlan.calico"))
        let prefix = try #require(Prefix("10.65.77.0/26"))
        let foreign = ForeignRoute(
            prefix: prefix, metric: 0, routeProtocol: 80,
            nextHops: [FIBNextHop(gateway: IPAddress("10.0.0.2"), interface: index, isOnlink: true)])
        left.host.addForeign(foreign)
        let report = try left.clean()
        #expect(report.removed == 5 && report.devicesKept == ["vxlan.calico"])
        #expect(left.routes == ["10.65.77.0/26 80"])
        left.host.removeForeign(foreign)
        let second = try left.clean()
        #expect(second.removed == 0 && second.devicesRemoved == ["vxlan.calico"])
        #expect(left.alias == nil && left.routes.isEmpty)
    }

    @Test func `a dry run counts the same and changes nothing`() throws {
        let left = try Left()
        let dry = try left.clean([.bird, .felix], isDryRun: true)
        #expect(left.routes == Self.found && left.alias == "apus")
        #expect(try left.clean([.bird, .felix]) == dry)
        #expect(try left.clean(isDryRun: true).removed == 1 && left.routes.contains("10.65.4.0/26 73"))
    }

    @Test func `what the kernel refuses stays and is named`() throws {
        let left = try Left()
        left.host.refuseRoutes { "\($0.prefix)" == "10.65.2.0/26" ? KernelError.noBuffers : nil }
        let report = try left.clean([.bird])
        #expect(report.failures.map(\.error) == [KernelError.noBuffers])
        #expect(report.failures.allSatisfy { $0.what.hasPrefix("10.65.2.0/26 ") })
        #expect(left.routes.contains("10.65.2.0/26 73") && left.routes.contains("10.65.1.0/26 12"))
        left.host.refuseRoutes(nil)
        #expect(try left.clean([.bird]).given.values.reduce(0, +) == 1)
    }
}
