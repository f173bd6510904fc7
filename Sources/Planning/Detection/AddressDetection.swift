package import FIB
package import NetTypes
package import Resources
package import StatusAPI

/// What a detection goes by.
package struct DetectionView {
    /// All of the host, in the kernel's order.
    package var addresses: [NamedAddress]
    /// The host's own address on the way to another one.
    package var sourceAddress: (IPAddress) -> IPAddress?
    /// What the names of `can-reach` were resolved to, as far as that is known.
    package var resolved: [String: [IPAddress]]
    /// Addresses of type InternalIP of the v1 Node.
    package var internalAddresses: [IPAddress]

    package init(
        addresses: [NamedAddress], sourceAddress: @escaping (IPAddress) -> IPAddress?,
        resolved: [String: [IPAddress]] = [:],
        internalAddresses: [IPAddress] = []
    ) {
        self.addresses = addresses
        self.sourceAddress = sourceAddress
        self.resolved = resolved
        self.internalAddresses = internalAddresses
    }
}

extension DetectionMethod {
    /// Interfaces that `first-found` and `skip-interface` never take, as in calico/node.
    package static let neverFirst: [String] = [
        "docker", "cbr", "dummy", "virbr", "lxcbr", "veth", "lo", "cali", "tunl", "flannel", "kube-ipvs", "cni",
        "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali", "nodelocaldns",
    ]

    /// Names that a finding has at most.
    private static let shownNames = 8

    /// The node's address in a family, by this method.
    ///
    /// The first address that fits, by the index of its interface and then in the kernel's order. Loopback and
    /// link-local addresses never fit, nor does one of an interface that is down.
    package func detect(
        _ family: AddressFamily, _ view: DetectionView
    ) -> Result<NodeResource.Address, DetectionFailure> {
        let all = view.addresses.filter { $0.address.family == family }.enumerated().sorted {
            ($0.element.index.rawValue, $0.offset) < ($1.element.index.rawValue, $1.offset)
        }.map(\.element)
        let usable = all.filter { $0.isUp && $0.address.isNodeAddress }
        func first(_ condition: (NamedAddress) -> Bool, else failure: ([String]) -> DetectionFailure) -> Result<
            NodeResource.Address, DetectionFailure
        > {
            if let found = usable.first(where: condition) { return .success(found.nodeAddress) }
            var names: [String] = []
            for each in all where !names.contains(each.name) { names.append(each.name) }
            return .failure(failure(Array(names.prefix(DetectionMethod.shownNames))))
        }
        func isNeverFirst(_ name: String) -> Bool { DetectionMethod.neverFirst.contains { name.hasPrefix($0) } }

        switch self {
        case .firstFound:
            return first({ !isNeverFirst($0.name) }, else: { .noInterface(interfaces: $0) })
        case .skipInterface(let patterns):
            return first(
                { each in !isNeverFirst(each.name) && !patterns.contains { $0.matches(each.name) } },
                else: { .noInterface(interfaces: $0) })
        case .interface(let patterns):
            return first(
                { each in patterns.contains { $0.matches(each.name) } }, else: { .noInterface(interfaces: $0) })
        case .cidr(let prefixes):
            return first(
                { each in prefixes.contains { $0.contains(each.address) } },
                else: { _ in
                    .notInside(addresses: usable.prefix(DetectionMethod.shownNames).map { "\($0.address)" })
                })
        case .canReach(let target):
            guard let targets = IPAddress(target).map({ [$0] }) ?? view.resolved[target] else {
                return .failure(.notResolved(host: target))
            }
            let destinations = targets.filter { $0.family == family }
            guard !destinations.isEmpty else { return .failure(.notResolved(host: target)) }
            for destination in destinations {
                guard let source = view.sourceAddress(destination), source.isNodeAddress,
                    let found = all.first(where: { $0.isUp && $0.address == source })
                else { continue }
                return .success(found.nodeAddress)
            }
            return .failure(.noRoute(destination: target))
        case .kubernetesInternalIP:
            guard let own = view.internalAddresses.first(where: { $0.family == family }) else {
                return .failure(.noInternalAddress)
            }
            // Calico takes one that no interface has as well: with the length of a host.
            return .success(.of(own, among: all))
        }
    }
}

extension IPAddress {
    /// A node may have it: neither loopback nor link-local nor multicast nor unspecified.
    fileprivate var isNodeAddress: Bool { !isLoopback && !isLinkLocal && !isMulticast && !isUnspecified }
}

extension NamedAddress {
    fileprivate var nodeAddress: NodeResource.Address {
        NodeResource.Address(address: address, subnet: Prefix(address, length: Int(prefixLength)))
    }
}

extension NodeResource.Address {
    /// With the length that an interface has it with; without one that of a host.
    static func of(_ address: IPAddress, length: Int? = nil, among all: [NamedAddress]) -> NodeResource.Address {
        let known = length ?? all.first { $0.address == address }.map { Int($0.prefixLength) }
        return NodeResource.Address(
            address: address, subnet: Prefix(address, length: known ?? address.family.bits))
    }
}
