import CLinux
import FIB
import Foundation
import Glibc
import KernelRoutes
import LinuxIO
import NetTypes
import Testing

/// The reconciler over the machine's real kernel, in a namespace of its own.
@Suite(.serialized) struct KernelTests {
    /// Runs a body on a thread of its own that lives in a new network namespace with one veth, `x0`.
    static func inNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let failure = Failure()
        let thread = Thread {
            defer { done.signal() }
            do {
                guard apus_unshare_network() == 0 else { throw SystemError.last("unshare") }
                // `ip` is run by this thread's children, which inherit the namespace.
                for command in [
                    "ip link add x0 type veth peer name x1", "ip link set lo up", "ip link set x0 up",
                    "ip link set x1 up", "ip addr add 10.0.0.1/24 dev x0",
                ] {
                    guard system(command) == 0 else { throw SystemError(code: EIO, operation: command) }
                }
                try body()
            } catch {
                failure.error = error
            }
        }
        thread.stackSize = 8 << 20
        thread.start()
        done.wait()
        if let error = failure.error { throw error }
    }
    final class Failure: @unchecked Sendable { var error: (any Error)? }

    /// What a command of this thread's namespace prints.
    static func text(_ command: String) throws -> String {
        guard let pipe = popen(command, "r") else { throw SystemError.last(command) }
        defer { pclose(pipe) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { result += buffer[0..<count] }
        return String(decoding: result, as: UTF8.self)
    }

    /// Everything that the kernel has of ours.
    static func own(_ table: inout NetlinkRouteTable) throws -> Set<FIBRoute> {
        var routes: Set<FIBRoute> = []
        try table.dumpRoutes { if case .ownRoute(let route) = $0 { routes.insert(route) } }
        return routes
    }

    @Test func `every form of route is read back as it was written, replaced and deleted, in both families`() throws {
        try Self.inNamespace {
            var table = try NetlinkRouteTable(ownership: Ownership())
            var index = InterfaceIndex(rawValue: 0)
            try table.dump { if case .link(let link) = $0, link.name == "x0" { index = link.index } }
            func hop(_ gateway: String?) -> FIBNextHop {
                FIBNextHop(gateway: gateway.flatMap { IPAddress($0) }, interface: index, isOnlink: gateway != nil)
            }
            func route(_ text: String, _ hops: [FIBNextHop], _ kind: FIBRouteKind = .unicast, metric: UInt32 = 1024)
                throws -> FIBRoute
            {
                FIBRoute(prefix: try #require(Prefix(text)), kind: kind, metric: metric, nextHops: hops)
            }
            let routes = [
                try route("10.65.1.0/26", [], .blackhole), try route("10.65.1.7/32", [hop(nil)]),
                try route("10.65.2.0/26", [hop("192.0.2.1")]),
                try route("10.65.3.0/26", [hop("192.0.2.1"), hop("192.0.2.2")]),
                try route("10.65.4.4/32", [hop(nil)], metric: 512),
                try route("fd00:1::/64", [], .blackhole), try route("fd00:2::7/128", [hop(nil)]),
                try route("fd00:3::/64", [hop("fe80::1")]),
                try route("fd00:4::/64", [hop("fe80::1"), hop("fe80::2")]),
                // IPv4 through IPv6 next hops (RFC 8950).
                try route("10.65.5.0/26", [hop("fe80::1")]),
                try route("10.65.6.0/26", [hop("fe80::1"), hop("192.0.2.1")]),
            ]
            #expect(table.apply(FIBBatch(routes.map { .add($0) })).isEmpty)
            #expect(try Self.own(&table) == Set(routes))
            #expect(table.apply([.add(routes[0])]) == [FIBFailure(index: 0, error: EEXIST)])
            let changed = [
                try route("10.65.2.0/26", [hop("192.0.2.9"), hop("192.0.2.8")]),
                try route("fd00:3::/64", [hop("fe80::9")]),
            ]
            #expect(table.apply(FIBBatch(changed.map { .replace($0) })).isEmpty)
            #expect(try Self.own(&table).isSuperset(of: changed))
            let bad = table.apply([
                .delete(routes[0].prefix, metric: 1024), .delete(routes[0].prefix, metric: 1024),
                .delete(routes[1].prefix, metric: 7),
            ])
            #expect(bad == [FIBFailure(index: 1, error: ESRCH), FIBFailure(index: 2, error: ESRCH)])
            for route in try Self.own(&table) {
                #expect(table.apply([.delete(route.prefix, metric: route.metric)]).isEmpty)
            }
            #expect(try Self.own(&table).isEmpty)
        }
    }

    @Test
    func `thousands of routes go in by next-hop objects and out again, and an interface that goes does not stop them`()
        throws
    {
        try Self.inNamespace {
            var table = try NetlinkRouteTable(ownership: Ownership())
            var index = InterfaceIndex(rawValue: 0)
            try table.dump { if case .link(let link) = $0, link.name == "x0" { index = link.index } }
            let routes = (0..<5000).map { i in
                FIBRoute(
                    prefix: Prefix(IPAddress(v4: 0x0A80_0000 + UInt32(i) * 64), length: 26), kind: .unicast,
                    metric: 1024,
                    nextHops: [
                        FIBNextHop(
                            gateway: IPAddress(v4: 0xC000_0200 + UInt32(i % 10)), interface: index, isOnlink: true)
                    ])
            }
            #expect(table.apply(FIBBatch(routes.map { .add($0) })).isEmpty)
            #expect(try Self.own(&table) == Set(routes))
            // The objects go with the interface, and the routes with them.
            #expect(system("ip link set x0 down && ip link set x0 up") == 0)
            #expect(try Self.own(&table).isEmpty)
            #expect(table.apply(FIBBatch(routes.map { .add($0) })).isEmpty)
            #expect(try Self.own(&table) == Set(routes))
            #expect(table.apply(FIBBatch(routes.map { .delete($0.prefix, metric: 1024) })).isEmpty)
            try table.adoptObjects()
            #expect(
                popen("ip nexthop show proto 73", "r").map { pipe in
                    defer { pclose(pipe) }
                    return fgetc(pipe)
                } == EOF)
        }
    }

    @Test func `routes with several next hops go by groups, and a dead path is one message for all of them`() throws {
        try Self.inNamespace {
            var table = try NetlinkRouteTable(ownership: Ownership())
            var index = InterfaceIndex(rawValue: 0)
            try table.dump { if case .link(let link) = $0, link.name == "x0" { index = link.index } }
            func hop(_ text: String) -> FIBNextHop {
                FIBNextHop(gateway: IPAddress(text), interface: index, isOnlink: true)
            }
            let hops = [hop("192.0.2.1"), hop("192.0.2.2"), hop("192.0.2.3")]
            func routes(_ hops: [FIBNextHop]) -> [FIBRoute] {
                (0..<1000).map {
                    FIBRoute(
                        prefix: Prefix(IPAddress(v4: 0x0A80_0000 + UInt32($0) * 64), length: 26), kind: .unicast,
                        metric: 1024, nextHops: hops)
                }
            }
            let six = FIBRoute(
                prefix: try #require(Prefix("fd00:7::/64")), kind: .unicast, metric: 1024,
                nextHops: [hop("fe80::1"), hop("fe80::2")])
            #expect(table.apply(FIBBatch((routes(hops) + [six]).map { .add($0) })).isEmpty)
            #expect(try Self.own(&table) == Set(routes(hops) + [six]))
            #expect(try Self.text("ip nexthop show proto 73").contains("group 73000001/73000002/73000003"))
            // Only messages about objects: three routes' worth of requests at most, for a thousand routes.
            #expect(table.dropHops([hops[1]]) == [GroupChange(before: hops, after: [hops[0], hops[2]])])
            #expect(try Self.own(&table) == Set(routes([hops[0], hops[2]]) + [six]))
            #expect(table.dropHops([hops[0]]) == [GroupChange(before: [hops[0], hops[2]], after: [hops[2]])])
            #expect(try Self.own(&table) == Set(routes([hops[2]]) + [six]))
            // The last one stays: a route without next hops would be no route.
            #expect(table.dropHops([hops[2]]).isEmpty)
            // Back to three, by another process that finds the objects.
            var second = try NetlinkRouteTable(ownership: Ownership())
            try second.adoptObjects()
            #expect(second.apply(FIBBatch(routes(hops).map { .replace($0) })).isEmpty)
            #expect(try Self.own(&second) == Set(routes(hops) + [six]))
            #expect(second.dropHops([hops[0], hops[1]]) == [GroupChange(before: hops, after: [hops[2]])])
            #expect(try Self.own(&second) == Set(routes([hops[2]]) + [six]))
        }
    }

    @Test func `tables and source addresses are written, read back and deleted`() throws {
        try Self.inNamespace {
            var table = try NetlinkRouteTable(ownership: Ownership())
            var index = InterfaceIndex(rawValue: 0)
            try table.dump { if case .link(let link) = $0, link.name == "x0" { index = link.index } }
            let hop = FIBNextHop(gateway: IPAddress("192.0.2.1"), interface: index, isOnlink: true)
            let routes = try [(100, nil), (1_000_000, "10.0.0.1"), (254, "10.0.0.1")].map { number, source in
                FIBRoute(
                    prefix: try #require(Prefix("10.65.2.0/26")), kind: .unicast, metric: 1024, nextHops: [hop],
                    table: UInt32(number),
                    source: source.flatMap { IPAddress($0) })
            }
            #expect(table.apply(FIBBatch(routes.map { .add($0) })).isEmpty)
            #expect(try Self.own(&table) == Set(routes))
            #expect(
                try Self.text("ip route show table 1000000").contains(
                    "via 192.0.2.1 dev x0 proto 73 src 10.0.0.1 metric 1024 onlink"))
            // A source that is not ours is refused, and only that route.
            let strange = FIBRoute(
                prefix: try #require(Prefix("10.66.0.0/26")), kind: .unicast, metric: 1024, nextHops: [hop],
                source: IPAddress("198.51.100.1"))
            #expect(table.apply([.add(strange)]) == [FIBFailure(index: 0, error: EINVAL)])
            #expect(
                table.apply(FIBBatch(routes.map { .delete($0.prefix, metric: $0.metric, table: $0.table) })).isEmpty)
            #expect(try Self.own(&table).isEmpty)
        }
    }

    @Test func `the monitor reports what others do and not what we do`() throws {
        try Self.inNamespace {
            var table = try NetlinkRouteTable(ownership: Ownership())
            var monitor = try KernelMonitor(ownership: Ownership(), ownPorts: (table.port, table.port))
            var index = InterfaceIndex(rawValue: 0)
            try table.dump { if case .link(let link) = $0, link.name == "x0" { index = link.index } }
            let route = FIBRoute(
                prefix: try #require(Prefix("10.65.2.0/26")), kind: .unicast, metric: 1024,
                nextHops: [FIBNextHop(gateway: IPAddress(v4: 0xC000_0201), interface: index, isOnlink: true)])
            var events: [KernelEvent] = []
            while monitor.read(budget: 100, into: &events) {}
            events = []
            #expect(table.apply([.add(route)]).isEmpty)
            while monitor.read(budget: 100, into: &events) {}
            #expect(events.isEmpty)
            #expect(system("ip route del 10.65.2.0/26 && ip route add 10.66.0.0/24 via 10.0.0.9") == 0)
            _ = waitReadable(monitor.fd, milliseconds: 2000)
            while monitor.read(budget: 100, into: &events) {}
            #expect(events.contains { if case .ownRouteRemoved(route) = $0 { true } else { false } })
            #expect(
                events.contains {
                    if case .foreignRoute(let foreign, _) = $0 {
                        foreign.prefix.description == "10.66.0.0/24"
                    } else {
                        false
                    }
                })
        }
    }
}
