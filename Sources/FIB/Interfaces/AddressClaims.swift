package import NetTypes

/// Which endpoints of this node claim which addresses through which interfaces, found by either: so that a change of
/// one pod costs what one pod costs.
///
/// Two endpoints may claim one address while a pod is replaced, and an interface may come before its endpoint: a claim
/// says nothing of what is there.
package struct AddressClaims: Sendable {
    private struct Claim: Sendable {
        var interface: String
        var addresses: [IPAddress]
    }
    private var claims: [String: Claim] = [:]
    private var byInterface: [String: Set<String>] = [:]
    /// In the order of the names, which decides who has an address.
    private var byAddress: [IPAddress: [String]] = [:]

    package init() {}

    /// Puts an endpoint's claim in place of its last one. Returns the addresses of both.
    package mutating func set(_ name: String, interface: String, addresses: [IPAddress]) -> Set<IPAddress> {
        var touched = remove(name)
        claims[name] = Claim(interface: interface, addresses: addresses)
        byInterface[interface, default: []].insert(name)
        for address in addresses {
            var names = byAddress[address] ?? []
            if !names.contains(name) { names.insert(name, at: names.firstIndex { $0 > name } ?? names.endIndex) }
            byAddress[address] = names
            touched.insert(address)
        }
        return touched
    }

    /// Returns the addresses that it claimed.
    package mutating func remove(_ name: String) -> Set<IPAddress> {
        guard let old = claims.removeValue(forKey: name) else { return [] }
        byInterface[old.interface]?.remove(name)
        if byInterface[old.interface]?.isEmpty ?? false { byInterface[old.interface] = nil }
        for address in old.addresses {
            byAddress[address]?.removeAll { $0 == name }
            if byAddress[address]?.isEmpty ?? false { byAddress[address] = nil }
        }
        return Set(old.addresses)
    }

    /// Endpoints behind an interface.
    package func names(on interface: String) -> Set<String> { byInterface[interface] ?? [] }

    /// Endpoints that claim an address; the first of them that can be reached has it.
    package func names(claiming address: IPAddress) -> [String] { byAddress[address] ?? [] }

    package func addresses(of name: String) -> [IPAddress] { claims[name]?.addresses ?? [] }

    /// Every address that is claimed.
    package var addresses: some Sequence<IPAddress> { byAddress.keys }
}
