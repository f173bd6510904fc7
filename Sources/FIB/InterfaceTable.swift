package import NetTypes

/// A network interface as the kernel shows it.
package struct Interface: Sendable, Hashable {
    package var index: InterfaceIndex
    package var name: String
    /// IFF_UP: somebody set it up.
    package var isUp: Bool
    /// IFF_LOWER_UP: it has a carrier.
    package var hasCarrier: Bool

    package init(index: InterfaceIndex, name: String, isUp: Bool, hasCarrier: Bool) {
        self.index = index
        self.name = name
        self.isUp = isUp
        self.hasCarrier = hasCarrier
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

/// Interfaces and their addresses, by index and by name. An index may come back under another name, and a name with another index.
package struct InterfaceTable: Sendable {
    package private(set) var interfaces: [InterfaceIndex: Interface] = [:]
    package private(set) var addresses: Set<InterfaceAddress> = []

    /// Names, with `*` at the end for any name that begins so, of interfaces that lead to no next hop.
    package var ignoredNames: [String] = InterfaceTable.alwaysIgnored
    /// SPEC: never learn from these.
    package static let alwaysIgnored = ["kube-ipvs*", "docker*"]

    package init() {}

    package func isIgnored(_ name: String) -> Bool {
        ignoredNames.contains { InterfacePattern.matches($0, name) }
    }

    /// Our own link-local address on an interface, without scope.
    package func linkLocalAddress(_ index: InterfaceIndex) -> IPAddress? {
        addresses.filter { $0.interface == index && $0.address.family == .ipv6 && $0.address.isLinkLocal }.map(\.address).min()
    }

    package func named(_ name: String) -> Interface? { interfaces.values.first { $0.name == name } }
    package subscript(index: InterfaceIndex) -> Interface? { interfaces[index] }

    /// Answers the state before.
    @discardableResult
    package mutating func set(_ interface: Interface) -> Interface? { interfaces.updateValue(interface, forKey: interface.index) }

    @discardableResult
    package mutating func remove(_ index: InterfaceIndex) -> Interface? {
        addresses = addresses.filter { $0.interface != index }
        return interfaces.removeValue(forKey: index)
    }

    package mutating func add(_ address: InterfaceAddress) { addresses.insert(address) }
    package mutating func remove(_ address: InterfaceAddress) { addresses.remove(address) }
    package mutating func removeAll() {
        interfaces = [:]
        addresses = []
    }

    package func owns(_ address: IPAddress) -> Bool { addresses.contains { $0.address == address } }
}
