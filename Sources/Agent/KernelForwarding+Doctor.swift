import FIB
import KernelRoutes
import LinuxIO
import NetTypes
import Resources
import StatusAPI

/// `apusctl doctor`: what keeps packets from going though every route is in place, and what to do about it.
extension KernelForwarding {
    func examine() -> [Finding] {
        var findings: [Finding] = []
        examineForwarding(&findings)
        examineFirewall(&findings)
        examineRoutes(&findings)
        examinePods(&findings)
        examineTunnels(&findings)
        examineOthers(&findings)
        return findings
    }

    private func examineForwarding(_ findings: inout [Finding]) {
        for (family, path) in [(AddressFamily.ipv4, "net/ipv4/ip_forward"), (.ipv6, "net/ipv6/conf/all/forwarding")] where state.families.contains(family) {
            let name = path.replacing("/", with: ".")
            switch ProcSys.read(path) {
            case "1": findings.append(Finding(.fine, "forwarding", "\(name) is 1"))
            case let value?: findings.append(Finding(.fault, "forwarding", "\(name) is \(value): no packet passes this host to or from a pod; sysctl -w \(name)=1"))
            case nil: findings.append(Finding(.warning, "forwarding", "\(name) cannot be read"))
            }
        }
    }

    private func examineFirewall(_ findings: inout [Finding]) {
        if let chains = ForwardChain.all() {
            let dropping = chains.filter(\.drops)
            for chain in dropping {
                findings.append(
                    Finding(
                        .warning, "firewall",
                        "chain \(chain.family) \(chain.table) \(chain.name) has policy drop: packets of pods pass only where a rule accepts them; nft list chain \(chain.family) \(chain.table) \(chain.name)"
                    ))
            }
            if dropping.isEmpty { findings.append(Finding(.fine, "firewall", "no chain at the forward hook has policy drop")) }
        } else {
            findings.append(Finding(.fine, "firewall", "the kernel has no nf_tables, or does not tell"))
        }
        for (family, command) in [(AddressFamily.ipv4, "iptables-legacy"), (.ipv6, "ip6tables-legacy")] {
            do throws(SystemError) {
                guard try LegacyTables.forwardDrops(family) ?? false else { continue }
                findings.append(
                    Finding(
                        .warning, "firewall",
                        "chain FORWARD of \(command) has policy DROP: packets of pods pass only where a rule accepts them; \(command) -S FORWARD"))
            } catch {
                findings.append(Finding(.warning, "firewall", "the tables of \(command) cannot be read: \(error); \(command) -S FORWARD shows its policy"))
            }
        }
    }

    private func examineRoutes(_ findings: inout [Finding]) {
        var failed: [String] = []
        delta.forEachOwn { prefix, wanted, present in
            if wanted != nil, wanted != present { failed.append("\(prefix)") }
        }
        failed += unprogrammed.keys.map { "\($0)" }
        if failed.isEmpty {
            findings.append(Finding(.fine, "routes", "\(delta.desiredCount) wanted, all of them in the kernel as wanted"))
        } else {
            let some = failed.sorted().prefix(3).joined(separator: ", ") + (failed.count > 3 ? ", ..." : "")
            findings.append(Finding(.fault, "routes", "\(failed.count) are not in the kernel as wanted (\(some)); apusctl fib says why"))
        }
        if breaker.isTripped {
            findings.append(
                Finding(
                    .fault, "held", "\(breaker.held.count) routes are kept though nearly all were withdrawn at once; look at the peers, and if it is right: apusctl fib release"))
        }
    }

    private func examinePods(_ findings: inout [Finding]) {
        let endpoints = state.endpoints.map(\.endpoint)
        guard !endpoints.isEmpty, settings.programming.includesPods else { return }
        var wrong: [String] = []
        for endpoint in endpoints {
            guard let interface = interfaces.named(endpoint.interfaceName) else { continue }
            let name = interface.name
            var expected: [(path: String, value: String)] = []
            if endpoint.addresses.contains(where: { $0.family == .ipv4 }) {
                expected += [("net/ipv4/conf/\(name)/proxy_arp", "1"), ("net/ipv4/conf/\(name)/forwarding", "1")]
            }
            if endpoint.addresses.contains(where: { $0.family == .ipv6 }) { expected.append(("net/ipv6/conf/\(name)/forwarding", "1")) }
            for (path, value) in expected where ProcSys.read(path) != value { wrong.append(path.replacing("/", with: ".")) }
        }
        if wrong.isEmpty {
            findings.append(Finding(.fine, "pods", "the interfaces of \(endpoints.count) endpoints are set up"))
        } else {
            let some = wrong.prefix(3).joined(separator: ", ") + (wrong.count > 3 ? ", ..." : "")
            findings.append(Finding(.fault, "pods", "\(wrong.count) settings of pods' interfaces were changed by somebody (\(some)); they must be 1"))
        }
        examineLoopback(endpoints, &findings)
        if let gateway = IPAddress("169.254.1.1"), endpoints.contains(where: { $0.addresses.contains { $0.family == .ipv4 } }),
            !NextHopTable.resolve(gateway, interfaces, delta.foreign).isReachable
        {
            findings.append(
                Finding(
                    .warning, "pods",
                    "this host has no route to 169.254.1.1 (no default route): the kernel answers no ARP request for the pods' gateway; add a default route, or a permanent neighbour entry in the pods"
                ))
        }
    }

    /// Whether pods reach what listens on 127.0.0.1: the kernel lets them where route_localnet is 1 for all interfaces or for theirs.
    private func examineLoopback(_ endpoints: [WorkloadEndpoint], _ findings: inout [Finding]) {
        let names = ["all"] + endpoints.compactMap { interfaces.named($0.interfaceName)?.name }
        let open = names.map { "net/ipv4/conf/\($0)/route_localnet" }.filter { ProcSys.read($0) == "1" }.map { $0.replacing("/", with: ".") }
        guard let first = open.first else { return }
        findings.append(
            Finding(
                .warning, "pods",
                "\(first)\(open.count > 1 ? " and \(open.count - 1) more are" : " is") 1: pods reach services on this host's loopback addresses unless a firewall drops it; sysctl -w \(first)=0, or look at who set it (kube-proxy does for node ports on 127.0.0.1)"
            ))
    }

    private func examineTunnels(_ findings: inout [Finding]) {
        for kind in TunnelKind.allCases {
            guard let device = tunnels.device(kind) else { continue }
            if let failure = tunnels.failure(kind) {
                findings.append(Finding(.fault, "tunnels", failure))
                continue
            }
            findings.append(Finding(.fine, "tunnels", "\(kind.deviceName) is up, MTU \(device.mtu)"))
            if device.address == nil {
                let field = kind == .ipip ? "bgp.ipv4IPIPTunnelAddr" : kind == .vxlanIPv4 ? "ipv4VXLANTunnelAddr" : "ipv6VXLANTunnelAddr"
                findings.append(
                    Finding(
                        .warning, "tunnels",
                        "this Node has no \(field): what the host itself sends through \(kind.deviceName) bears the node's address, and the answers come outside the tunnel"))
            }
            let larger = state.endpoints.compactMap { interfaces.named($0.endpoint.interfaceName) }.filter { $0.mtu > device.mtu }
            if let first = larger.first {
                findings.append(
                    Finding(
                        .warning, "tunnels",
                        "\(larger.count) pods have a larger MTU than \(kind.deviceName) (\(first.name): \(first.mtu), tunnel: \(device.mtu)): they depend on path MTU discovery; set the CNI plugin's mtu to \(device.mtu)"
                    ))
            }
        }
    }

    /// Other programmers of the same routes.
    private func examineOthers(_ findings: inout [Finding]) {
        if !state.foreignPools.isEmpty {
            findings.append(
                Finding(
                    settings.programming == .all ? .warning : .fine, "others",
                    "routes of \(state.foreignPools.map { "\($0)" }.joined(separator: ", ")) are left to another programmer (programClusterRoutes)"))
        }
        var foreign: [UInt8: Int] = [:]
        delta.foreign.visit { route in
            // BIRD and Felix
            if [12, 80].contains(route.routeProtocol), state.pools.contains(where: { $0.contains(route.prefix) }),
                !state.foreignPools.contains(where: { $0.contains(route.prefix) })
            {
                foreign[route.routeProtocol, default: 0] += 1
            }
        }
        for (number, count) in foreign.sorted(by: { $0.key < $1.key }) {
            findings.append(
                Finding(
                    .warning, "others",
                    "\(count) routes inside our pools are of protocol \(number) (\(number == 12 ? "BIRD" : "Felix")): two programmers of one pool hide each other's routes; stop one, or use programClusterRoutes"
                ))
        }
    }
}
