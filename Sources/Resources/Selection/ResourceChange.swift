/// Where an object was declared.
package enum Origin: Sendable, Hashable, CustomStringConvertible {
    case file(String, line: Int)

    package var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        }
    }
}

/// What changed of the configuration: objects that came, changed or went, and everything in force afterwards.
///
/// The only currency of configuration. The first one of a process has everything in it; one pod's endpoint is a small
/// one.
package struct ResourceChange: Sendable {
    /// One object.
    package struct Item: Sendable, Hashable {
        package var key: ResourceKey
        /// Nil for one that came.
        package var old: ResourceValue?
        /// Nil for one that goes.
        package var new: ResourceValue?
        /// Of the new one, or where the old one was.
        package var origin: Origin

        package init(key: ResourceKey, old: ResourceValue?, new: ResourceValue?, origin: Origin) {
            self.key = key
            self.old = old
            self.new = new
            self.origin = origin
        }

        /// The endpoint before and after, where it is one.
        var endpoints: (old: WorkloadEndpoint?, new: WorkloadEndpoint?)? {
            func endpoint(_ value: ResourceValue?) -> WorkloadEndpoint? {
                if case .workloadEndpoint(let endpoint)? = value { endpoint } else { nil }
            }
            let (old, new) = (endpoint(old), endpoint(new))
            return old == nil && new == nil ? nil : (old, new)
        }
    }

    /// In the order of their keys.
    package private(set) var items: [Item]
    /// Nothing was known before: the items are all there is.
    package private(set) var isWhole: Bool
    /// Passwords, or the reasons why some are missing, are others than before.
    package private(set) var changesSecrets: Bool
    package private(set) var after: LoadedConfiguration

    /// Everything that is in force.
    package init(whole after: LoadedConfiguration) {
        items = after.resources.difference(from: ResourceSet())
        isWhole = true
        changesSecrets = true
        self.after = after
    }

    /// From one state to another. Cost: the number of objects.
    package init(from before: LoadedConfiguration, to after: LoadedConfiguration) {
        items = after.resources.difference(from: before.resources)
        isWhole = false
        changesSecrets = before.secrets != after.secrets
        self.after = after
    }

    /// Nothing but these objects changed. Cost: theirs.
    package init(_ items: [Item], after: LoadedConfiguration) {
        self.items = items
        isWhole = false
        changesSecrets = false
        self.after = after
    }

    /// The same change where an object is another one than was declared, before it and after: `after` has it so.
    package func replacing(
        _ key: ResourceKey, old: ResourceValue?, new: ResourceValue?, after: LoadedConfiguration
    ) -> ResourceChange {
        var result = self
        result.after = after
        let declared = result.items.first { $0.key == key }
        result.items.removeAll { $0.key == key }
        let old = isWhole ? nil : old
        if old != new, let origin = declared?.origin ?? after.resources.origin(of: key) {
            let place = result.items.firstIndex { key < $0.key } ?? result.items.endIndex
            result.items.insert(Item(key: key, old: old, new: new, origin: origin), at: place)
        }
        return result
    }

    /// Nothing but endpoints of pods changed.
    package var isOfEndpointsAlone: Bool {
        !isWhole && !changesSecrets && items.allSatisfy { $0.key.kind == ResourceKey.workloadEndpointKind }
    }

    /// Endpoints of a node that came, changed or went (nil), by `namespace/name`.
    package func endpoints(of node: String) -> [(name: String, endpoint: WorkloadEndpoint?)] {
        items.compactMap { item in
            guard let (old, new) = item.endpoints else { return nil }
            let name = "\(item.key.namespace)/\(item.key.name)"
            if let new, new.node == node { return (name, new) }
            return old?.node == node ? (name, nil) : nil
        }
    }
}

extension ResourceKey {
    static let workloadEndpointKind = "WorkloadEndpoint"
}

extension Resource {
    package var origin: Origin { .file(file, line: line) }
}

extension ResourceSet {
    /// Objects that came, changed or went, in the order of their keys; one that was only moved did not change.
    func difference(from before: ResourceSet) -> [ResourceChange.Item] {
        var items: [ResourceChange.Item] = []
        // Two sorted lists, side by side.
        var (old, new) = (before.resources[...], resources[...])
        while true {
            let (last, next) = (old.first, new.first)
            if let last, next.map({ last.key < $0.key }) ?? true {
                items.append(ResourceChange.Item(key: last.key, old: last.value, new: nil, origin: last.origin))
                old.removeFirst()
            } else if let next {
                let known = last?.key == next.key ? last : nil
                if known?.value != next.value {
                    items.append(
                        ResourceChange.Item(key: next.key, old: known?.value, new: next.value, origin: next.origin))
                }
                if known != nil { old.removeFirst() }
                new.removeFirst()
            } else {
                return items
            }
        }
    }
}
