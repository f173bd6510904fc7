package import NetTypes

/// A network interface as the kernel shows it.
package struct Interface: Sendable, Hashable {
    package var index: InterfaceIndex
    package var name: String
    /// IFF_UP: somebody set it up.
    package var isUp: Bool
    /// IFF_LOWER_UP: it has a carrier.
    package var hasCarrier: Bool
    /// Bytes of a packet at most.
    package var mtu: UInt32
    /// Nil for an interface without one of six bytes.
    package var mac: MACAddress?
    /// IFLA_IFALIAS; empty for none.
    package var alias: String
    /// Nil for what is no tunnel of a kind that we make.
    package var tunnel: TunnelParameters?

    package init(
        index: InterfaceIndex, name: String, isUp: Bool, hasCarrier: Bool, mtu: UInt32 = 1500, mac: MACAddress? = nil,
        alias: String = "", tunnel: TunnelParameters? = nil
    ) {
        self.index = index
        self.name = name
        self.isUp = isUp
        self.hasCarrier = hasCarrier
        self.mtu = mtu
        self.mac = mac
        self.alias = alias
        self.tunnel = tunnel
    }

    /// Packets can leave by it.
    package var isUsable: Bool { isUp && hasCarrier }
}

/// An address of an interface.
package struct InterfaceAddress: Sendable, Hashable {
    package var interface: InterfaceIndex
    package var address: IPAddress
    package var prefixLength: UInt8

    package init(interface: InterfaceIndex, address: IPAddress, prefixLength: UInt8) {
        self.interface = interface
        self.address = address
        self.prefixLength = prefixLength
    }
}

/// Interfaces and their addresses, by index and by name. An index may come back under another name, and a name with
/// another index.
package struct InterfaceTable: Sendable {
    package private(set) var interfaces: [InterfaceIndex: Interface] = [:]
    private var indices: [String: InterfaceIndex] = [:]
    package private(set) var addresses: Set<InterfaceAddress> = []
    private var byInterface: [InterfaceIndex: Set<IPAddress>] = [:]
    /// How many entries of `addresses` have an address.
    private var entries: [IPAddress: Int] = [:]
    /// Counts changes of interfaces and addresses.
    package private(set) var revision = 0

    /// Names, with `*` at the end for any name that begins so, of interfaces that lead to no next hop.
    package var ignoredNames: [String] = InterfaceTable.alwaysIgnored
    /// No next hop is reached by these.
    package static let alwaysIgnored = ["kube-ipvs*", "docker*"]

    package init() {}

    package func isIgnored(_ name: String) -> Bool {
        ignoredNames.contains { InterfacePattern.matches($0, name) }
    }

    /// Our own link-local address on an interface, without scope.
    package func linkLocalAddress(_ index: InterfaceIndex) -> IPAddress? {
        addresses.filter { $0.interface == index && $0.address.family == .ipv6 && $0.address.isLinkLocal }.map(
            \.address
        ).min()
    }

    package func named(_ name: String) -> Interface? { indices[name].flatMap { interfaces[$0] } }
    package subscript(index: InterfaceIndex) -> Interface? { interfaces[index] }

    /// Returns the state before.
    @discardableResult
    package mutating func set(_ interface: Interface) -> Interface? {
        let before = interfaces.updateValue(interface, forKey: interface.index)
        if before != interface { revision += 1 }
        if let before, before.name != interface.name, indices[before.name] == interface.index {
            indices[before.name] = nil
        }
        indices[interface.name] = interface.index
        return before
    }

    @discardableResult
    package mutating func remove(_ index: InterfaceIndex) -> Interface? {
        revision += 1
        if byInterface[index] != nil { for address in addresses where address.interface == index { remove(address) } }
        let gone = interfaces.removeValue(forKey: index)
        if let gone, indices[gone.name] == index { indices[gone.name] = nil }
        return gone
    }

    package mutating func add(_ address: InterfaceAddress) {
        revision += 1
        if addresses.insert(address).inserted { entries[address.address, default: 0] += 1 }
        byInterface[address.interface, default: []].insert(address.address)
    }
    package mutating func remove(_ address: InterfaceAddress) {
        revision += 1
        guard addresses.remove(address) != nil else { return }
        entries[address.address] = entries[address.address].flatMap { $0 > 1 ? $0 - 1 : nil }
        // The same address may be there with another prefix length.
        guard !addresses.contains(where: { $0.interface == address.interface && $0.address == address.address }) else {
            return
        }
        byInterface[address.interface]?.remove(address.address)
        if byInterface[address.interface]?.isEmpty ?? false { byInterface[address.interface] = nil }
    }
    /// Our addresses on an interface.
    package func addresses(on index: InterfaceIndex) -> Set<IPAddress> { byInterface[index] ?? [] }
    package mutating func removeAll() {
        revision += 1
        interfaces = [:]
        indices = [:]
        addresses = []
        byInterface = [:]
        entries = [:]
    }

    package func owns(_ address: IPAddress) -> Bool { entries[address] != nil }

    /// The interface that has an address; nil where it is not ours.
    package func holder(_ address: IPAddress) -> Interface? {
        addresses.first { $0.address == address }.flatMap { interfaces[$0.interface] }
    }

    /// The smallest MTU of the interfaces that lead to other hosts (contract 2.7): those whose names a predicate
    /// accepts, else the one that has `address`; nil without either.
    package func hostMTU(holding address: IPAddress, isHostInterface: (String) -> Bool) -> UInt32? {
        interfaces.values.filter { $0.isUp && isHostInterface($0.name) }.map(\.mtu).min() ?? holder(address)?.mtu
    }
}
