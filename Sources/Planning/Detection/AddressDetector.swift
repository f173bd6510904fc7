package import NetTypes
package import Resources
package import StatusAPI

/// Completes this node's Node object with the addresses that the host has: what was declared, what was found, and what
/// could not be.
///
/// An address that was found stays where a later detection finds none: sessions over it end by themselves where it is
/// gone, and nothing is won by forgetting it.
package struct AddressDetector: Sendable {
    package let settings: DetectionSettings
    package let node: String
    /// The router id of the process: one that follows from the address would change with it, and every session with
    /// it. Nil until it is known.
    package var identifier: BGPIdentifier?
    /// What the names of `can-reach` stand for, as far as that is known.
    package var resolved: [String: [IPAddress]] = [:]
    /// By family index.
    private var found: [NodeResource.Address?] = [nil, nil]
    /// By family index: why the last detection found nothing.
    package private(set) var failures: [DetectionFailure?] = [nil, nil]

    package init(_ settings: DetectionSettings, node: String) {
        self.settings = settings
        self.node = node
    }

    /// What a detection changed in a family.
    package struct Change: Sendable, Hashable {
        package var family: AddressFamily
        /// The address that is used now; nil for none.
        package var address: NodeResource.Address?
        package var failure: DetectionFailure?
    }

    /// A name has to be looked up again and again.
    package var hostNames: Set<String> {
        Set(
            AddressFamily.allCases.compactMap { family in
                switch settings.sources[family.index] {
                case .detected, .declaredElseDetected: settings.methods[family.index].hostName
                case .declared, .fixed: nil
                }
            })
    }

    /// Whether the host is asked for an address of a family.
    package func detects(_ family: AddressFamily, for declared: NodeResource) -> Bool {
        switch settings.sources[family.index] {
        case .declared, .fixed: false
        case .detected: true
        case .declaredElseDetected: declared.families.isEmpty
        }
    }

    /// Whether the host is asked for any.
    package func isNeeded(_ resources: ResourceSet) -> Bool {
        guard let declared = resources.node(node) else { return false }
        return AddressFamily.allCases.contains { family in
            if case .fixed = settings.sources[family.index] { return true }
            return detects(family, for: declared)
        }
    }

    /// Detects. `resources`: as declared. Returns what is not as it was.
    package mutating func detect(_ resources: ResourceSet, _ view: DetectionView) -> [Change] {
        guard let declared = resources.node(node) else { return [] }
        var view = view
        view.resolved = resolved
        view.internalAddresses = declared.internalAddresses
        var changes: [Change] = []
        for family in AddressFamily.allCases {
            let before = (found[family.index], failures[family.index])
            if case .fixed(let address, let length) = settings.sources[family.index] {
                found[family.index] = .of(address, length: length, among: view.addresses)
            } else if detects(family, for: declared) {
                let result = settings.methods[family.index].detect(family, view).flatMap { address in
                    free(address, in: resources)
                }
                switch result {
                case .success(let address):
                    found[family.index] = address
                    failures[family.index] = nil
                case .failure(let failure): failures[family.index] = failure
                }
            } else {
                found[family.index] = nil
                failures[family.index] = nil
            }
            let after = (found[family.index], failures[family.index])
            if before != after { changes.append(Change(family: family, address: after.0, failure: after.1)) }
        }
        return changes
    }

    /// Two nodes with one address would break every session to it.
    private func free(
        _ address: NodeResource.Address, in resources: ResourceSet
    ) -> Result<NodeResource.Address, DetectionFailure> {
        let other = resources.nodes.first { name, each in
            name != node && each.address(address.address.family) == address.address
        }
        return other.map { .failure(.ofOtherNode(address: "\(address.address)", node: $0.key)) } ?? .success(address)
    }

    /// The Node object with what was found.
    package func complete(_ declared: NodeResource) -> NodeResource {
        var result = declared
        result.ipv4 = found[AddressFamily.ipv4.index] ?? declared.ipv4
        result.ipv6 = found[AddressFamily.ipv6.index] ?? declared.ipv6
        if detects(.ipv4, for: declared) { result.routerID = declared.routerID ?? identifier }
        return result
    }

    /// The resources with this node's object completed.
    package func complete(_ loaded: LoadedConfiguration) -> LoadedConfiguration {
        guard let declared = loaded.resources.node(node) else { return loaded }
        var result = loaded
        result.resources.replace(complete(declared), named: node)
        return result
    }

    /// What an operator should know of it.
    package var findings: [FindingCause] {
        AddressFamily.allCases.compactMap { family in
            failures[family.index].map { cause(family, $0, kept: found[family.index]) }
        }
    }

    /// One failure, as a finding.
    package func cause(
        _ family: AddressFamily, _ failure: DetectionFailure, kept: NodeResource.Address?
    ) -> FindingCause {
        .addressNotDetected(
            node: node, family: family.name, method: "\(settings.methods[family.index])", reason: failure,
            kept: kept.map { "\($0.address)" })
    }
}
