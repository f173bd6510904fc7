import FIB
import Forwarding
package import ForwardingPlane
import LinuxIO
import NetTypes
import Planning
import Resources
import StatusAPI

/// `apusctl doctor`: what keeps packets from going though every route is in place, and what to do about it.
extension KernelForwarding {
    /// Places of a table that are looked at in one turn.
    private static let placesOfTurn = 8192

    package func examine(_ round: inout DoctorRound) {
        if round.walk == .start { examineAtOnce(&round) }
        countForeign(&round)
        if round.walk == nil { round.add(foreignFindings(round.foreign)) }
    }

    /// All but the walk over foreign routes.
    private func examineAtOnce(_ round: inout DoctorRound) {
        let families = core.state.families
        let inspector = host.inspector
        round.checks.append { KernelForwarding.examineForwarding(families, inspector) }
        round.checks.append { KernelForwarding.examineFirewall(inspector) }
        var findings: [Finding] = []
        examineRoutes(&findings)
        round.add(findings)
        examinePods(&round)
        findings = []
        examineTunnels(&findings)
        if !core.state.foreignPools.isEmpty {
            findings.append(
                Finding(
                    core.settings.programming == .all ? .warning : .fine, "others",
                    text:
                        "routes of \(core.state.foreignPools.map { "\($0)" }.joined(separator: ", ")) are left to another "
                        + "programmer (programClusterRoutes)"
                ))
        }
        round.add(findings)
    }

    private static func examineForwarding(_ families: AddressFamilySet, _ inspector: any HostInspector) -> [Finding] {
        var findings: [Finding] = []
        for (family, path) in [(AddressFamily.ipv4, "net/ipv4/ip_forward"), (.ipv6, "net/ipv6/conf/all/forwarding")]
        where families.contains(family) {
            let name = path.replacing("/", with: ".")
            switch inspector.sysctl(path) {
            case "1": findings.append(Finding(.fine, "forwarding", text: "\(name) is 1"))
            case let value?:
                findings.append(
                    Finding(
                        .fault, "forwarding",
                        text: "\(name) is \(value): no packet passes this host to or from a pod; sysctl -w \(name)=1"))
            case nil: findings.append(Finding(.warning, "forwarding", text: "\(name) cannot be read"))
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
                        .warning, "firewall",
                        text:
                            "chain \(chain.family) \(chain.table) \(chain.name) has policy drop: packets of pods pass "
                            + "only where a rule accepts them; nft list chain \(chain.family) \(chain.table) "
                            + "\(chain.name)"
                    ))
            }
            if dropping.isEmpty {
                findings.append(Finding(.fine, "firewall", text: "no chain at the forward hook has policy drop"))
            }
        } else {
            findings.append(Finding(.fine, "firewall", text: "the kernel has no nf_tables, or does not say"))
        }
        for (family, command) in [(AddressFamily.ipv4, "iptables-legacy"), (.ipv6, "ip6tables-legacy")] {
            do throws(HostError) {
                guard try inspector.legacyForwardDrops(family) ?? false else { continue }
                findings.append(
                    Finding(
                        .warning, "firewall",
                        text: "chain FORWARD of \(command) has policy DROP: packets of pods pass only where a rule "
                            + "accepts them; \(command) -S FORWARD"
                    ))
            } catch {
                findings.append(
                    Finding(
                        .warning, "firewall",
                        text:
                            "the tables of \(command) cannot be read: \(errorText(error)); \(command) -S FORWARD shows its policy"
                    ))
            }
        }
        return findings
    }

    private func examineRoutes(_ findings: inout [Finding]) {
        let missing = missingCount
        if missing == 0 {
            findings.append(
                Finding(.fine, "routes", text: "\(core.delta.desiredCount) wanted, all of them in the kernel as wanted")
            )
        } else {
            var budget = 64
            var examples = core.delta.examplesOfMissing(most: 3)
            for family in AddressFamily.allCases {
                _ = core.unprogrammed.visit(family, overlapping: nil, from: 0, budget: &budget) { prefix, _ in
                    if examples.count <= 3 { examples.append(prefix) }
                    return examples.count <= 3
                }
            }
            let shown =
                examples.sorted().prefix(3).map { "\($0)" }.joined(separator: ", ") + (missing > 3 ? ", ..." : "")
            findings.append(
                Finding(
                    .fault, "routes",
                    text: "\(missing) are not in the kernel as wanted (\(shown)); apusctl fib says why")
            )
        }
        if core.breaker.isTripped {
            findings.append(
                Finding(
                    .fault, "held",
                    text:
                        "\(core.breaker.held.count) routes are kept though nearly all were withdrawn at once; look at the "
                        + "peers, and if it is right: apusctl fib release"
                ))
        }
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
                return [Finding(.fine, "pods", text: "the interfaces of \(count) endpoints are set up")]
            }
            let some = wrong.prefix(3).joined(separator: ", ") + (wrong.count > 3 ? ", ..." : "")
            return [
                Finding(
                    .fault, "pods",
                    text:
                        "\(wrong.count) settings of pods' interfaces were changed by somebody (\(some)); they must be 1"
                )
            ]
        }
        round.checks.append { [inspector = host.inspector] in KernelForwarding.examineLoopback(names, inspector) }
        if let gateway = IPAddress("169.254.1.1"),
            endpoints.contains(where: { $0.addresses.contains { $0.family == .ipv4 } }),
            !NextHopTable.resolve(gateway, interfaces: core.interfaces, routes: core.delta.foreign).isReachable
        {
            round.add([
                Finding(
                    .warning, "pods",
                    text: "this host has no route to 169.254.1.1 (no default route): the kernel answers no ARP request "
                        + "for the pods' gateway; add a default route, or a permanent neighbor entry in the pods"
                )
            ])
        }
    }

    /// Whether pods reach what listens on 127.0.0.1: the kernel lets them where route_localnet is 1 for all interfaces
    /// or for theirs.
    private static func examineLoopback(_ names: [String], _ inspector: any HostInspector) -> [Finding] {
        let open = names.map { "net/ipv4/conf/\($0)/route_localnet" }.filter { inspector.sysctl($0) == "1" }.map {
            $0.replacing("/", with: ".")
        }
        guard let first = open.first else { return [] }
        return [
            Finding(
                .warning, "pods",
                text: "\(first)\(open.count > 1 ? " and \(open.count - 1) more are" : " is") 1: pods reach services on "
                    + "this host's loopback addresses unless a firewall drops it; sysctl -w \(first)=0, or look at who "
                    + "set it (kube-proxy does for node ports on 127.0.0.1)"
            )
        ]
    }

    private func examineTunnels(_ findings: inout [Finding]) {
        for kind in TunnelKind.allCases {
            guard let device = core.tunnels.device(kind) else { continue }
            if let failure = core.tunnels.failure(kind) {
                findings.append(
                    Finding(
                        .fault, "tunnels", text: "\(kind.deviceName) carries nothing", reason: .tunnel(reason: failure))
                )
                continue
            }
            findings.append(Finding(.fine, "tunnels", text: "\(kind.deviceName) is up, MTU \(device.mtu)"))
            if device.address == nil {
                let field =
                    kind == .ipip
                    ? "bgp.ipv4IPIPTunnelAddr" : kind == .vxlanIPv4 ? "ipv4VXLANTunnelAddr" : "ipv6VXLANTunnelAddr"
                findings.append(
                    Finding(
                        .warning, "tunnels",
                        text:
                            "this Node has no \(field): what the host itself sends through \(kind.deviceName) has the "
                            + "node's address, and the answers come outside the tunnel"
                    ))
            }
            let larger = core.local.endpoints.values.compactMap { core.interfaces.named($0.endpoint.interfaceName) }
                .filter {
                    $0.mtu > device.mtu
                }
            if let first = larger.first {
                findings.append(
                    Finding(
                        .warning, "tunnels",
                        text: "\(larger.count) pods have a larger MTU than \(kind.deviceName) (\(first.name): "
                            + "\(first.mtu), tunnel: \(device.mtu)): they depend on path MTU discovery; set the CNI "
                            + "plugin's mtu to \(device.mtu)"
                    ))
            }
        }
    }

    /// Other programmers of the same routes: a slice of the kernel's routes that are not ours.
    private func countForeign(_ round: inout DoctorRound) {
        guard let start = round.walk else { return }
        var budget = KernelForwarding.placesOfTurn
        var counts = round.foreign
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
                }
            }
            if let next {
                round.walk = PageCursor(section: family.index, place: next)
                break
            }
        }
        round.foreign = counts
    }

    private func foreignFindings(_ foreign: [UInt8: Int]) -> [Finding] {
        foreign.sorted { $0.key < $1.key }.map { number, count in
            Finding(
                .warning, "others",
                text:
                    "\(count) routes inside our pools are of protocol \(number) (\(number == 12 ? "BIRD" : "Felix")): "
                    + "two programmers of one pool hide each other's routes; stop one, or use programClusterRoutes"
            )
        }
    }
}
