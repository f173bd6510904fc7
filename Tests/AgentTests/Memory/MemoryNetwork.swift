import BGPRouting
import BGPSession
import FIB
import NetTypes
import Testing

@testable import Node

/// Nodes on links in memory, under simulated time: what they send arrives where the hosts' routes lead.
final class MemoryNetwork {
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var nodes: [String: MemoryNode] = [:]
    /// By name of the link: which interfaces are on it.
    private var links: [String: [(node: String, interface: String)]] = [:]
    private var cut: Set<String> = []
    /// Where pods are: by address, the node and the host's side of the veth.
    private(set) var pods: [IPAddress: (node: String, interface: String)] = [:]
    /// Routes of ours that were deleted in any kernel since `watchRoutes`.
    private var watched: [String: [String: String]] = [:]
    private(set) var deleted: [String] = []

    // MARK: Building

    @discardableResult
    func add(_ node: MemoryNode) -> MemoryNode {
        nodes[node.name] = node
        return node
    }

    /// Puts a node on a link with an address such as `10.0.1.1/24`.
    func attach(_ node: String, _ link: String, interface: String, _ address: String) throws {
        let host = try #require(nodes[node]).host
        host.addInterface(interface)
        let parsed = try #require(Prefix.parse(address))
        host.addAddress(parsed.address, length: parsed.prefix.length, to: interface)
        links[link, default: []].append((node, interface))
    }

    func addDefaultRoute(_ node: String, via gateway: String, interface: String) throws {
        let host = try #require(nodes[node]).host
        let index = try #require(host.index(of: interface))
        let address: IPAddress = try #require(IPAddress(gateway))
        host.addForeign(
            ForeignRoute(
                prefix: .default(.ipv4), metric: 0, routeProtocol: 3,
                nextHops: [FIBNextHop(gateway: address, interface: index, isOnlink: false)]))
    }

    /// Plugs a pod in: its veth, and where `declares` is set its endpoint.
    func addPod(_ name: String, _ node: String, _ address: String, declares: Bool = true) throws {
        let member = try #require(nodes[node])
        member.host.addInterface("cali\(name)", mac: MACAddress("ee:ee:ee:ee:ee:ee"))
        let parsed: IPAddress = try #require(IPAddress(address))
        pods[parsed] = (node, "cali\(name)")
        if declares {
            for each in nodes.values where !each.isReflector {
                each.files["\(name).yaml"] = Self.endpoint(name, node, address)
            }
        }
    }
    func removePod(_ name: String, _ address: String) throws {
        let address: IPAddress = try #require(IPAddress(address))
        let removed = pods.removeValue(forKey: address)
        let pod = try #require(removed)
        nodes[pod.node]?.host.removeInterface("cali\(name)")
    }
    static func endpoint(_ name: String, _ node: String, _ address: String, fields: String = "") -> String {
        "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: \(name), namespace: demo}\nspec: "
            + "{node: \(node), interfaceName: cali\(name), ipNetworks: [\(address)/32]\(fields)}\n"
    }

    /// Nothing crosses a link any more; the interfaces' carriers stay.
    func cut(_ link: String) { cut.insert(link) }
    func mend(_ link: String) { cut.remove(link) }

    // MARK: Packets

    /// The node that has a node's host: the other one where two are on one host.
    private func hostName(_ node: String) -> String {
        guard let host = nodes[node]?.host else { return node }
        return links.values.lazy.joined().first { self.nodes[$0.node]?.host === host }?.node ?? node
    }
    /// Who listens at a port of a node's host.
    private func listener(at node: String, _ port: UInt16) -> MemoryNode? {
        nodes.values.first { $0.host === nodes[node]?.host && $0.port == port }
    }

    /// Where a packet from a node's host ends: the node that has the address, or nil.
    func walk(from node: String, to address: IPAddress) -> (node: String, isPod: Bool)? {
        var current = hostName(node)
        for _ in 0..<16 {
            guard let host = nodes[current]?.host else { return nil }
            if host.addresses.contains(where: { $0.address == address }) { return (current, false) }
            guard let route = host.lookUp(address), route.kind == .unicast, let hop = route.nextHops.first,
                let interface = host.interfaces[hop.interface]
            else { return nil }
            if let pod = pods[address], pod.node == current, pod.interface == interface.name { return (current, true) }
            let target = hop.gateway ?? address
            guard
                let link = links.first(where: { $0.value.contains { $0 == (current, interface.name) } }),
                !cut.contains(link.key),
                let next = link.value.first(where: { member in
                    guard let other = nodes[member.node]?.host, let index = other.index(of: member.interface),
                        other.interfaces[index]?.isUsable ?? false
                    else { return false }
                    return other.addresses.contains { $0.interface == index && $0.address == target }
                })
            else { return nil }
            current = next.node
        }
        return nil
    }

    /// A ping from one pod to another: there and back.
    func ping(_ from: String, _ to: String) -> Bool {
        guard let from = IPAddress(from), let to = IPAddress(to), let source = pods[from], let target = pods[to],
            let there = walk(from: source.node, to: to), there == (target.node, true),
            let back = walk(from: target.node, to: from)
        else { return false }
        return back == (source.node, true)
    }

    var pingsOfAll: [String] {
        pods.keys.flatMap { from in
            pods.keys.filter { $0 != from && !ping("\(from)", "\($0)") }.map { "\(from) > \($0)" }
        }.sorted()
    }

    // MARK: Time

    /// Remembers what is in the kernels: what goes from now on is in `deleted`.
    func watchRoutes() {
        deleted = []
        watched = nodes.mapValues(\.kernelRoutes)
    }

    private func noteDeleted() {
        guard !watched.isEmpty else { return }
        for (name, node) in nodes {
            let routes = node.kernelRoutes
            for prefix in (watched[name] ?? [:]).keys where routes[prefix] == nil {
                deleted.append("\(name) \(prefix)")
            }
            watched[name] = routes
        }
    }

    /// Runs until a condition holds. Returns false where it does not within so long.
    @discardableResult
    func run(_ limit: Duration = .seconds(60), each: () -> Void = {}, until condition: () -> Bool) -> Bool {
        let end = now + limit
        while now <= end {
            settle()
            noteDeleted()
            each()
            if condition() { return true }
            let next = nodes.values.compactMap { $0.core?.nextDeadline }.filter { $0 > now }.min() ?? end
            now = min(max(next, now + .milliseconds(1)), now + .milliseconds(100))
        }
        return false
    }

    func run(for time: Duration, each: () -> Void = {}) {
        let end = now + time
        run(time + .seconds(1), each: each) { now >= end }
    }

    /// Everything that can happen at one moment.
    private func settle() {
        for _ in 0..<2000 {
            var isBusy = deliver()
            for node in nodes.values where node.isAwake(now: now) && node.turn(now: now) { isBusy = true }
            if !isBusy { return }
        }
        Issue.record("the nodes do not come to rest at \(now)")
    }

    private func deliver() -> Bool {
        var hasMoved = false
        for node in nodes.values {
            guard let core = node.core else { continue }
            core.now = now
            guard node.transport.hasAttempts else { continue }
            for attempt in node.transport.takeAttempts() { if connect(node, core, attempt) { hasMoved = true } }
        }
        for node in nodes.values where node.core != nil {
            for (key, end) in node.transport.ends where deliver(node, key, end) { hasMoved = true }
        }
        return hasMoved
    }

    /// True where it is decided.
    private func connect(
        _ node: MemoryNode, _ core: NodeCore, _ attempt: MemoryTransport.Attempt
    ) -> Bool {
        guard let found = walk(from: node.name, to: attempt.address), !found.isPod,
            let other = listener(at: found.node, attempt.port),
            let local = attempt.source ?? source(node, attempt.address),
            walk(from: other.name, to: local)?.node == hostName(node.name)
        else {
            // No answer: the state machine gives up by itself.
            node.transport.keep(attempt)
            return false
        }
        guard let remote = other.core, let admitted = remote.admit(local), admitted.isAdmitted else {
            other.core?.carryOutActions()
            node.wantsTurn = true
            core.connectionFailed(attempt.peer, .active, connectError: 111)
            return true
        }
        remote.carryOutActions()
        let (here, there) = (
            MemoryTransport.End(local: local, remote: attempt.address, node.name, node.transport),
            MemoryTransport.End(local: attempt.address, remote: local, other.name, other.transport)
        )
        here.other = there
        there.other = here
        pipes += [here, there]
        node.transport.adopt(here, attempt.peer, .active)
        other.transport.adopt(there, admitted.peer, .passive)
        remote.now = now
        (node.wantsTurn, other.wantsTurn) = (true, true)
        remote.connected(admitted.peer, .passive)
        core.connected(attempt.peer, .active)
        return true
    }
    private var pipes: [MemoryTransport.End] = []

    private func source(_ node: MemoryNode, _ address: IPAddress) -> IPAddress? {
        guard let hop = node.host.lookUp(address)?.nextHops.first else { return nil }
        return node.host.addresses.first { $0.interface == hop.interface && $0.address.family == address.family }?
            .address
    }

    /// Moves what the other end has sent to this one. True where something moved.
    private func deliver(_ node: MemoryNode, _ key: MemoryTransport.Key, _ end: MemoryTransport.End) -> Bool {
        guard let core = node.core, let other = end.other,
            !other.outgoing.isEmpty || other.isClosed || nodes[other.owner]?.transport !== other.transport
                || nodes[other.owner]?.core == nil
        else { return false }
        guard let from = walk(from: node.name, to: end.remote), let sender = nodes[other.owner],
            from.node == hostName(sender.name),
            walk(from: sender.name, to: end.local)?.node == hostName(node.name)
        else { return false }
        // The process at the other end is gone: its host resets the connection.
        let isAlive = !other.isClosed && sender.core != nil && sender.transport === other.transport
        if !other.outgoing.isEmpty {
            let bytes = other.outgoing
            other.outgoing = []
            node.wantsTurn = true
            core.received(key.peer, key.side, bytes: bytes.span.bytes)
            return true
        }
        guard !isAlive, node.transport.ends[key] === end else { return false }
        node.transport.forget(key)
        node.wantsTurn = true
        core.connectionFailed(key.peer, key.side)
        return true
    }
}
