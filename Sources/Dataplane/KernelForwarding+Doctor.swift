import FIB
import Forwarding
package import ForwardingPlane
import LinuxIO
import NetTypes
import Planning
import Resources
import StatusAPI

/// What keeps packets from going though every route is in place: an examination of the host, from time to time and when
/// `apusctl doctor` asks. What is known without one is in `findings`.
extension KernelForwarding {
    /// Places of a table that are looked at in one turn.
    private static let placesOfTurn = 8192

    package func examine(_ round: inout DoctorRound) {
        if round.walk == .start { examineAtOnce(&round) }
        countForeign(&round)
        if round.walk == nil { round.add(foreignFindings(round.foreign) + round.winning) }
    }

    /// All but the walk over foreign routes.
    private func examineAtOnce(_ round: inout DoctorRound) {
        let families = core.state.families
        let inspector = host.inspector
        round.checks.append { KernelForwarding.examineForwarding(families, inspector) }
        round.checks.append { KernelForwarding.examineFirewall(inspector) }
        examinePods(&round)
        var findings = examineTunnels()
        if !core.state.foreignPools.isEmpty {
            findings.append(
                Finding(
                    core.settings.programming == .all ? .degraded : .fine,
                    .poolsLeftToOthers(pools: core.state.foreignPools.map { "\($0)" })))
        }
        round.add(findings)
    }

    private static func examineForwarding(_ families: AddressFamilySet, _ inspector: any HostInspector) -> [Finding] {
        var findings: [Finding] = []
        for (family, path) in [(AddressFamily.ipv4, "net/ipv4/ip_forward"), (.ipv6, "net/ipv6/conf/all/forwarding")]
        where families.contains(family) {
            let name = path.replacing("/", with: ".")
            switch inspector.sysctl(path) {
            case "1": findings.append(Finding(.fine, .forwardingOn(sysctl: name)))
            case let value?:
                findings.append(Finding(.fault, .forwardingOff(sysctl: name, value: value)))
            case nil: findings.append(Finding(.degraded, .forwardingOff(sysctl: name, value: nil)))
            }
        }
        return findings
    }

    private static func examineFirewall(_ inspector: any HostInspector) -> [Finding] {
        var findings: [Finding] = []
        if let chains = inspector.forwardChains() {
            let dropping = chains.filter(\.drops)
            for chain in dropping {
                findings.append(
                    Finding(
                        .degraded, .chainDrops(family: chain.family, table: chain.table, chain: chain.name)))
            }
            if dropping.isEmpty {
                findings.append(Finding(.fine, .noChainDrops))
            }
        } else {
            findings.append(Finding(.fine, .noNetfilter))
        }
        for (family, command) in [(AddressFamily.ipv4, "iptables-legacy"), (.ipv6, "ip6tables-legacy")] {
            do throws(HostError) {
                guard try inspector.legacyForwardDrops(family) ?? false else { continue }
                findings.append(Finding(.degraded, .legacyChainDrops(command: command)))
            } catch {
                findings.append(Finding(.note, .legacyTablesUnreadable(command: command, code: error.code)))
            }
        }
        return findings
    }

    private func examinePods(_ round: inout DoctorRound) {
        let endpoints = core.local.endpoints.values.map(\.endpoint)
        guard !endpoints.isEmpty, core.settings.programming.includesPods else { return }
        var expected: [(path: String, value: String)] = []
        for endpoint in endpoints {
            guard let name = core.interfaces.named(endpoint.interfaceName)?.name else { continue }
            if endpoint.addresses.contains(where: { $0.family == .ipv4 }) {
                expected += [("net/ipv4/conf/\(name)/proxy_arp", "1"), ("net/ipv4/conf/\(name)/forwarding", "1")]
            }
            if endpoint.addresses.contains(where: { $0.family == .ipv6 }) {
                expected.append(("net/ipv6/conf/\(name)/forwarding", "1"))
            }
        }
        let names = ["all"] + endpoints.compactMap { core.interfaces.named($0.interfaceName)?.name }
        round.checks.append { [expected, count = endpoints.count, inspector = host.inspector] in
            let wrong = expected.filter { inspector.sysctl($0.path) != $0.value }.map {
                $0.path.replacing("/", with: ".")
            }
            guard !wrong.isEmpty else {
                return [Finding(.fine, .podsSetUp(count: count))]
            }
            return [Finding(.fault, .podSettingsChanged(count: wrong.count, sysctls: Array(wrong.prefix(3))))]
        }
        round.checks.append { [inspector = host.inspector] in KernelForwarding.examineLoopback(names, inspector) }
        if let gateway = IPAddress("169.254.1.1"),
            endpoints.contains(where: { $0.addresses.contains { $0.family == .ipv4 } }),
            !NextHopTable.resolve(gateway, interfaces: core.interfaces, routes: core.delta.foreign).isReachable
        {
            round.add([Finding(.degraded, .noRouteToPodGateway)])
        }
    }

    /// Whether pods reach what listens on 127.0.0.1: the kernel lets them where route_localnet is 1 for all interfaces
    /// or for theirs. A note: kube-proxy wants it so.
    private static func examineLoopback(_ names: [String], _ inspector: any HostInspector) -> [Finding] {
        let open = names.map { "net/ipv4/conf/\($0)/route_localnet" }.filter { inspector.sysctl($0) == "1" }.map {
            $0.replacing("/", with: ".")
        }
        guard let first = open.first else { return [] }
        return [Finding(.note, .loopbackReachable(sysctl: first, more: open.count - 1))]
    }

    /// Of tunnels that carry packets; `findings` has the others.
    private func examineTunnels() -> [Finding] {
        var findings: [Finding] = []
        for kind in TunnelKind.allCases where core.tunnels.failure(kind) == nil {
            guard let device = core.tunnels.device(kind) else { continue }
            findings.append(Finding(.fine, .tunnelUp(device: kind.deviceName, mtu: Int(device.mtu))))
            if device.address == nil {
                let field =
                    kind == .ipip
                    ? "bgp.ipv4IPIPTunnelAddr" : kind == .vxlanIPv4 ? "ipv4VXLANTunnelAddr" : "ipv6VXLANTunnelAddr"
                findings.append(Finding(.note, .tunnelAddressMissing(device: kind.deviceName, field: field)))
            }
            let larger = core.local.endpoints.values.compactMap { core.interfaces.named($0.endpoint.interfaceName) }
                .filter { $0.mtu > device.mtu }
            if let first = larger.first {
                findings.append(
                    Finding(
                        .degraded,
                        .podMTUTooLarge(
                            pods: larger.count, interface: first.name, mtu: Int(first.mtu), device: kind.deviceName,
                            tunnelMTU: Int(device.mtu))))
            }
        }
        return findings
    }

    /// Other programmers of the same routes: a slice of the kernel's routes that are not ours.
    private func countForeign(_ round: inout DoctorRound) {
        guard let start = round.walk else { return }
        var budget = KernelForwarding.placesOfTurn
        var counts = round.foreign
        var winning = round.winning
        round.walk = nil
        for family in AddressFamily.allCases where family.index >= start.section {
            let place = family.index == start.section ? start.place : 0
            let next = core.delta.foreign.visit(family, from: place, budget: &budget) { route in
                // BIRD and Felix
                if [TakeOver.birdProtocol, TakeOver.felixProtocol].contains(route.routeProtocol),
                    route.predecessor == nil,
                    core.state.pools.contains(where: { $0.contains(route.prefix) }),
                    !core.state.foreignPools.contains(where: { $0.contains(route.prefix) })
                {
                    counts[route.routeProtocol, default: 0] += 1
                } else if winning.count < KernelForwarding.mostWinning, let finding = finding(ofWinning: route) {
                    winning.append(finding)
                }
            }
            if let next {
                round.walk = PageCursor(section: family.index, place: next)
                break
            }
        }
        round.foreign = counts
        round.winning = winning
    }

    /// Other programs' routes that are named one by one.
    private static let mostWinning = 16

    /// A fault where the kernel takes somebody else's route in place of ours: the same prefix at a lower metric, or a
    /// part of a prefix of ours inside the pools.
    private func finding(ofWinning route: ForeignRoute) -> Finding? {
        guard route.predecessor == nil, route.prefix.length > 0, !core.local.isObserved(route.prefix) else {
            return nil
        }
        let ours: FIBRoute
        if let same = core.delta.desired(route.prefix) {
            guard route.metric < same.metric, same.table == Ownership.mainTable else { return nil }
            ours = same
        } else if let around = core.delta.desired(around: route.prefix), around.table == Ownership.mainTable,
            core.state.pools.contains(where: { $0.contains(route.prefix) })
        {
            ours = around
        } else {
            return nil
        }
        let hops = route.nextHops.map { hop in
            (hop.gateway.map { "via \($0) " } ?? "")
                + "dev \(core.interfaces[hop.interface]?.name ?? "if\(hop.interface)")"
        }
        let written = (["\(route.prefix)"] + (hops.isEmpty ? ["unreachable"] : hops) + ["metric \(route.metric)"])
            .joined(separator: " ")
        return Finding(
            .fault,
            .foreignRouteWins(prefix: "\(ours.prefix)", foreign: written, routeProtocol: route.routeProtocol))
    }

    private func foreignFindings(_ foreign: [UInt8: Int]) -> [Finding] {
        foreign.sorted { $0.key < $1.key }.map { number, count in
            Finding(.degraded, .otherProgrammer(routeProtocol: number, routes: count))
        }
    }
}
