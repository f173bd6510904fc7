import FIB
import Foundation
import Glibc
import KernelRoutes
import LinuxIO
import NetTypes
import Testing

/// `MemoryHost` does what the kernel does: every case runs on both, and what they show is compared.
@Suite(.serialized) struct HostContractLab {
    /// What others do to the host.
    private protocol Others {
        var host: any HostKernel { get }
        func setUp(_ isUp: Bool)
        func removeAddress()
        func addAddress()
        func addForeign()
        func deleteOwn(_ prefix: Prefix)
        func addPod()
        func removePod()
    }

    private static let address = IPAddress("10.0.0.1") ?? .any(.ipv4)
    private static let prefix = Prefix("10.65.1.0/26") ?? .default(.ipv4)

    private struct InMemory: Others {
        let memory: MemoryHost
        var host: any HostKernel { memory }
        init() {
            memory = MemoryHost()
            memory.addInterface("x0")
            memory.addAddress(HostContractLab.address, length: 24, to: "x0")
            var events: [KernelEvent] = []
            memory.readEvents(budget: 4096, into: &events)
        }
        func setUp(_ isUp: Bool) { memory.setUp("x0", isUp) }
        func removeAddress() { memory.removeAddress(HostContractLab.address, from: "x0") }
        func addAddress() { memory.addAddress(HostContractLab.address, length: 24, to: "x0") }
        func addForeign() {
            guard let index = memory.index(of: "x0"), let prefix = Prefix("10.77.0.0/16"),
                let gateway = IPAddress("10.0.0.3")
            else { return }
            memory.addForeign(
                ForeignRoute(
                    prefix: prefix, metric: 7, routeProtocol: 4,
                    nextHops: [FIBNextHop(gateway: gateway, interface: index, isOnlink: false)]))
        }
        func deleteOwn(_ prefix: Prefix) { memory.deleteOwn(prefix, metric: 1024) }
        func addPod() { memory.addInterface("cali0") }
        func removePod() { memory.removeInterface("cali0") }
    }

    private struct InKernel: Others {
        let host: any HostKernel
        init() throws {
            host = try NetlinkHost(ownership: Ownership(), isReadOnly: false, hearsGuests: false)
            // What setting the namespace up caused is no part of the case.
            var events: [KernelEvent] = []
            host.readEvents(budget: 4096, into: &events)
        }
        private func run(_ command: String) {
            if system(command) != 0 { Issue.record("failed: \(command)") }
        }
        func setUp(_ isUp: Bool) { run("ip link set x0 \(isUp ? "up" : "down")") }
        func removeAddress() { run("ip addr del 10.0.0.1/24 dev x0") }
        func addAddress() { run("ip addr add 10.0.0.1/24 dev x0") }
        func addForeign() { run("ip route add 10.77.0.0/16 via 10.0.0.3 metric 7 proto static") }
        func deleteOwn(_ prefix: Prefix) { run("ip route del \(prefix) metric 1024") }
        func addPod() {
            run("ip link add cali0 type veth peer name peer0 && ip link set cali0 up && ip link set peer0 up")
        }
        func removePod() { run("ip link del cali0") }
    }

    /// What a case saw, in words that do not depend on numbers of interfaces.
    private struct Seen {
        var lines: [String] = []
        var names: [InterfaceIndex: String] = [:]

        mutating func add(_ what: String, _ value: Any) { lines.append("\(what): \(value)") }

        /// Routes, and IPv4 addresses of `x0`, as a dump shows them.
        mutating func addDump(_ what: String, _ host: any HostKernel) throws {
            var found: [String] = []
            var names = names
            try host.dump(
                restart: { found = [] },
                { event in
                    switch event {
                    case .link(let interface):
                        names[interface.index] = interface.name
                        if interface.name == "x0" { found.append("x0 up \(interface.isUp)") }
                    case .address(let address)
                    where address.address.family == .ipv4 && !address.address.isLoopback:
                        found.append("\(address.address)/\(address.prefixLength) on \(names[address.interface] ?? "?")")
                    case .ownRoute(let route): found.append("own \(Seen.text(route, names))")
                    case .foreignRoute(let route, _) where route.prefix.family == .ipv4:
                        found.append("foreign \(route.prefix) metric \(route.metric) protocol \(route.routeProtocol)")
                    default: break
                    }
                })
            self.names = names
            lines.append("\(what): \(found.sorted())")
        }

        /// Notifications about IPv4 and links, in order; waits for the last one.
        mutating func addEvents(_ what: String, _ host: any HostKernel, last: String) {
            var events: [KernelEvent] = []
            var texts: [String] = []
            let end = Date() + 5
            repeat {
                events = []
                host.readEvents(budget: 256, into: &events)
                texts += events.compactMap { text($0) }
                if !texts.contains(last) { usleep(2000) }
            } while !texts.contains(last) && Date() < end
            // The kernel reports a change more than once.
            var once: [String] = []
            for text in texts where !once.contains(text) { once.append(text) }
            lines.append("\(what): \(once.sorted())")
        }

        private mutating func text(_ event: KernelEvent) -> String? {
            switch event {
            case .link(let interface):
                names[interface.index] = interface.name
                // A veth comes up in two steps, and goes in two.
                let isWhole = interface.isUp == interface.hasCarrier && (interface.isUp || interface.name == "x0")
                return isWhole && ["x0", "cali0"].contains(interface.name)
                    ? "link \(interface.name) up \(interface.isUp)" : nil
            case .linkRemoved(let index):
                return names[index].flatMap { $0 == "cali0" ? "link \($0) removed" : nil }
            case .address(let address): return address.address.family == .ipv4 ? "address \(address.address)" : nil
            case .addressRemoved(let address):
                return address.address.family == .ipv4 ? "address \(address.address) removed" : nil
            case .ownRouteRemoved(let route): return "own \(route.prefix) removed"
            case .foreignRoute(let route, _): return route.prefix.family == .ipv4 ? "foreign \(route.prefix)" : nil
            case .foreignRouteRemoved: return nil
            case .ownRoute(let route): return "own \(route.prefix)"
            case .overflow: return "overflow"
            default: return nil
            }
        }

        static func text(_ route: FIBRoute, _ names: [InterfaceIndex: String]) -> String {
            let hops = route.nextHops.map {
                "\($0.gateway.map { "\($0)" } ?? "-") \(names[$0.interface] ?? "?")\($0.isOnlink ? " onlink" : "")"
            }
            return "\(route.prefix) \(route.kind) metric \(route.metric) \(hops)"
        }
    }

    private enum Case: String, CaseIterable {
        case writing, refusals, linkDown, addressGone, others, pods, groups, tunnels, settings, addresses
    }

    private static func hop(_ host: any HostKernel, _ gateway: String?, onlink: Bool = true) -> FIBNextHop {
        FIBNextHop(
            gateway: gateway.flatMap { IPAddress($0) },
            interface: host.link(named: "x0")?.index ?? InterfaceIndex(rawValue: 9999), isOnlink: onlink)
    }

    private static func route(_ hops: [FIBNextHop], _ prefix: Prefix = prefix, source: IPAddress? = nil) -> FIBRoute {
        FIBRoute(
            prefix: prefix, kind: hops.isEmpty ? .blackhole : .unicast, metric: 1024, nextHops: hops, source: source)
    }

    private static func show(_ test: Case, _ others: any Others) throws -> [String] {
        let host = others.host
        var seen = Seen()
        func errors(_ operations: [FIBOperation]) -> [Int32] { host.apply(FIBBatch(operations)).map(\.error) }
        switch test {
        case .writing:
            try seen.addDump("at first", host)
            seen.add(
                "add",
                errors([
                    .add(route([hop(host, "10.0.0.2")])),
                    .add(route([hop(host, nil, onlink: false)], Prefix(host: IPAddress("10.65.1.7") ?? address))),
                ]))
            seen.add("add again", errors([.add(route([]))]))
            try seen.addDump("added", host)
            seen.add("replace", errors([.replace(route([]))]))
            try seen.addDump("replaced", host)
            seen.add("delete", errors([.delete(prefix, metric: 1024)]))
            seen.add("delete again", errors([.delete(prefix, metric: 1024)]))
            seen.add("replace what is not there", errors([.replace(route([]))]))
        case .refusals:
            seen.add(
                "no such interface",
                errors([
                    .add(
                        route([
                            FIBNextHop(
                                gateway: IPAddress("10.0.0.2"), interface: InterfaceIndex(rawValue: 9999),
                                isOnlink: true)
                        ]))
                ]))
            seen.add("gateway off the link", errors([.add(route([hop(host, "10.9.0.2", onlink: false)]))]))
            seen.add("gateway is this host", errors([.add(route([hop(host, "10.0.0.1")]))]))
            seen.add("source of nobody", errors([.add(route([hop(host, "10.0.0.2")], source: IPAddress("10.0.0.77")))]))
        case .linkDown:
            seen.add(
                "add",
                errors([.add(route([hop(host, "10.0.0.2")])), .add(route([], Prefix("10.65.2.0/26") ?? prefix))]))
            others.setUp(false)
            seen.addEvents("down", host, last: "link x0 up false")
            try seen.addDump("down", host)
            seen.add("add while it is down", errors([.add(route([hop(host, "10.0.0.2")]))]))
            others.setUp(true)
            seen.addEvents("up", host, last: "foreign 10.0.0.0/24")
            try seen.addDump("up", host)
        case .addressGone:
            seen.add(
                "add",
                errors([.add(route([hop(host, "10.0.0.2")])), .add(route([], Prefix("10.65.2.0/26") ?? prefix))]))
            others.removeAddress()
            seen.addEvents("gone", host, last: "address 10.0.0.1 removed")
            try seen.addDump("gone", host)
            others.addAddress()
            seen.addEvents("back", host, last: "foreign 10.0.0.0/24")
            try seen.addDump("back", host)
        case .others:
            seen.add("add", errors([.add(route([]))]))
            others.addForeign()
            others.deleteOwn(prefix)
            seen.addEvents("others", host, last: "own 10.65.1.0/26 removed")
            try seen.addDump("others", host)
            // A route that a predecessor left: replaced in its place, or removed by its protocol alone.
            var left = ForeignRoute(
                prefix: Prefix("10.77.0.0/16") ?? prefix, metric: 7, routeProtocol: 12, nextHops: [])
            seen.add("of another protocol", host.remove(left))
            try seen.addDump("it stays", host)
            left.routeProtocol = 4
            seen.add("removed", [host.remove(left), host.remove(left)])
            try seen.addDump("it is gone", host)
            others.addForeign()
            var ours = route([hop(host, "10.0.0.2")], left.prefix)
            ours.metric = 7
            seen.add("add in its place", errors([.add(ours)]))
            seen.add("replace", errors([.replace(ours)]))
            try seen.addDump("ours alone", host)
            // Given to a successor, in its place; at another metric beside it.
            seen.add("rewrite", host.rewrite([ours, route([])], as: 12).map(\.error))
            try seen.addDump("theirs", host)
            seen.add("no longer ours", errors([.delete(ours.prefix, metric: 7)]))
            seen.add(
                "theirs to remove",
                host.remove(
                    ForeignRoute(prefix: ours.prefix, metric: 7, routeProtocol: 12, nextHops: [])))
            seen.add(
                "rewrite by no interface",
                host.rewrite(
                    [
                        route([FIBNextHop(gateway: nil, interface: InterfaceIndex(rawValue: 9999), isOnlink: false)])
                    ], as: 12
                ).map(\.error))
            try seen.addDump("at last", host)
        case .pods:
            others.addPod()
            seen.addEvents("added", host, last: "link cali0 up true")
            let index = host.link(named: "cali0")?.index ?? InterfaceIndex(rawValue: 9999)
            let pod = route(
                [FIBNextHop(gateway: nil, interface: index, isOnlink: false)],
                Prefix(host: IPAddress("10.65.1.7") ?? address))
            seen.add("route", errors([.add(pod)]))
            seen.add("sysctl", host.setSysctl("net/ipv4/conf/cali0/proxy_arp", "1"))
            seen.add("value", host.inspector.sysctl("net/ipv4/conf/cali0/proxy_arp") ?? "none")
            seen.add(
                "neighbor",
                host.setNeighbor(
                    IPAddress("10.65.1.7") ?? address, mac: try #require(MACAddress("66:00:00:00:00:07")),
                    on: index))
            others.removePod()
            seen.addEvents("removed", host, last: "link cali0 removed")
            try seen.addDump("removed", host)
            seen.add("link", host.link(named: "cali0") == nil)
        case .groups:
            host.submit(FIBBatch([.add(route([hop(host, "10.0.0.2"), hop(host, "10.0.0.3")]))]))
            seen.add("written", try result(host))
            host.drop([hop(host, "10.0.0.3")])
            seen.add("dropped", try result(host))
            try seen.addDump("dropped", host)
            host.drop([hop(host, "10.0.0.2")])
            seen.add("the last one stays", try result(host))
            // With a group too: theirs has its next hops itself, and the objects can go.
            let several = route([hop(host, "10.0.0.2"), hop(host, "10.0.0.4")], Prefix("10.65.9.0/26") ?? prefix)
            host.submit(FIBBatch([.add(several)]))
            seen.add("written again", try result(host))
            seen.add("given", host.rewrite([several, route([hop(host, "10.0.0.2")])], as: 12).map(\.error))
            _ = try host.removeUnusedObjects()
            seen.add("no object is left", try host.removeUnusedObjects())
            try seen.addDump("given", host)
        case .tunnels:
            let parent = host.link(named: "x0")?.index ?? InterfaceIndex(rawValue: 9999)
            let mac = try #require(MACAddress("66:00:00:00:00:01"))
            var device = TunnelDevice(
                kind: .vxlanIPv4, local: address, address: nil, mac: mac, parent: parent, mtu: 1450)
            seen.add("create", host.apply(.create(device)))
            seen.add("create again", host.apply(.create(device)))
            let index = host.link(named: "vxlan.calico")?.index ?? InterfaceIndex(rawValue: 9999)
            device.mtu = 1400
            seen.add("adjust", host.apply(.adjust(device, index)))
            let made = host.link(named: "vxlan.calico")
            seen.add(
                "device",
                "\(made?.mtu ?? 0) \(made?.isUp ?? false) \(made?.alias ?? "") \(made?.mac.map { "\($0)" } ?? "") \(made?.tunnel == device.parameters)"
            )
            let entry = TunnelEntry.neighbor(IPAddress("10.65.2.1") ?? address, mac)
            let forwarding = TunnelEntry.forwarding(mac, IPAddress("10.0.0.2") ?? address)
            seen.add("entries", [host.apply(.addEntry(entry, index)), host.apply(.addEntry(forwarding, index))])
            seen.add("read", try host.tunnelEntries(on: index, .ipv4).count)
            seen.add("remove entry", [host.apply(.removeEntry(entry, index)), host.apply(.removeEntry(entry, index))])
            seen.add(
                "address",
                [
                    host.apply(.addAddress(IPAddress("10.65.1.1") ?? address, index)),
                    host.apply(.removeAddress(IPAddress("10.65.1.1") ?? address, index)),
                    host.apply(.removeAddress(IPAddress("10.65.1.1") ?? address, index)),
                ])
            seen.add("disown", host.apply(.disown(.vxlanIPv4, index)))
            let left = host.link(named: "vxlan.calico")
            seen.add("another's", "\(left?.alias ?? "none") \(left?.isUp ?? false) \(left?.mtu ?? 0)")
            seen.add("remove", host.apply(.remove(.vxlanIPv4, index)))
            seen.add("remove again", host.apply(.remove(.vxlanIPv4, index)))
            seen.add("link", host.link(named: "vxlan.calico") == nil)
        case .addresses:
            func add(_ what: String) {
                let named = host.namedAddresses().filter { $0.name == "x0" && $0.address.family == .ipv4 }
                seen.add(what, named.map { "\($0.address)/\($0.prefixLength) \($0.isUp)" })
                let sources = ["10.0.0.9", "10.77.0.9", "192.0.2.9"].map { target in
                    IPAddress(target).flatMap { host.sourceAddress(towards: $0) }.map { "\($0)" } ?? "none"
                }
                seen.add("\(what): sources", sources)
            }
            add("as it is")
            others.addForeign()
            add("with another route")
            others.removeAddress()
            add("without the address")
            others.addAddress()
            add("again")
        case .settings:
            seen.add("of no interface", host.setSysctl("net/ipv4/conf/cali9/proxy_arp", "1"))
            seen.add("forwarding", host.setSysctl("net/ipv4/ip_forward", "1"))
            seen.add("audit", host.beginAudit())
        }
        return seen.lines
    }

    private static func result(_ host: any HostKernel) throws -> String {
        let end = Date() + 5
        while Date() < end {
            switch host.takeResult() {
            case .batch(let failures)?: return "batch \(failures.map(\.error))"
            case .dropped(let changes)?: return "\(changes.map { "\($0.before.count) to \($0.after.count)" })"
            case nil: usleep(1000)
            }
        }
        return "nothing"
    }

    @Test(arguments: [
        "writing", "refusals", "linkDown", "addressGone", "others", "pods", "groups", "tunnels", "settings",
        "addresses",
    ])
    func `a host in memory does what the kernel does`(name: String) throws {
        let test = try #require(Case(rawValue: name))
        let memory = try Self.show(test, InMemory())
        let kernel = Lines()
        try KernelTests.inNamespace { kernel.lines = try Self.show(test, InKernel()) }
        for (inMemory, inKernel) in zip(memory, kernel.lines) { #expect(inMemory == inKernel) }
        #expect(memory.count == kernel.lines.count)
    }

    /// Filled by the thread in the namespace, read after its end.
    private final class Lines: @unchecked Sendable { var lines: [String] = [] }
}
