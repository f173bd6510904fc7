package import NetTypes

/// Tunnel devices and their entries, wanted and present, and the difference: pure memory.
///
/// Problems it exists for: a device may be there from an earlier process, from another programmer, or half made; it may
/// go and come back with another index at any time; the entries of a VXLAN device go with it; nothing of others is to
/// be removed.
package struct TunnelTable: Sendable {
    private var devices: [TunnelKind: TunnelDevice] = [:]
    /// Wanted entries.
    private var entries: [TunnelKind: Set<TunnelEntry>] = [:]
    /// What the kernel has, by device index.
    private var present: [InterfaceIndex: Set<TunnelEntry>] = [:]

    package init() {}

    /// Wants these devices and no others of ours, with an entry for each endpoint.
    package mutating func configure(_ wanted: [TunnelDevice], endpoints: [TunnelKind: [TunnelEndpoint]]) {
        devices = Dictionary(wanted.map { ($0.kind, $0) }) { first, _ in first }
        entries = [:]
        for (kind, list) in endpoints where kind.isVXLAN && devices[kind] != nil {
            var set: Set<TunnelEntry> = []
            for endpoint in list {
                guard let mac = endpoint.mac else { continue }
                set.insert(.neighbor(endpoint.gateway, mac))
                set.insert(.forwarding(mac, endpoint.underlay))
            }
            entries[kind] = set
        }
    }

    package var wantedKinds: [TunnelKind] { TunnelKind.allCases.filter { devices[$0] != nil } }
    package func device(_ kind: TunnelKind) -> TunnelDevice? { devices[kind] }

    // MARK: The kernel speaks

    /// All entries of a device, as the kernel lists them.
    package mutating func setPresent(_ list: Set<TunnelEntry>, on index: InterfaceIndex) { present[index] = list }
    package mutating func entryAdded(_ entry: TunnelEntry, on index: InterfaceIndex) {
        // One MAC address an address: the new one takes the old one's place.
        if case .neighbor(let address, _) = entry { neighborLost(address, on: index) }
        present[index, default: []].insert(entry)
    }
    /// Whatever MAC address it had. Returns whether it was known.
    @discardableResult
    package mutating func neighborLost(_ address: IPAddress, on index: InterfaceIndex) -> Bool {
        guard let known = present[index]?.first(where: { if case .neighbor(address, _) = $0 { true } else { false } })
        else { return false }
        present[index]?.remove(known)
        return true
    }
    package mutating func entryRemoved(_ entry: TunnelEntry, on index: InterfaceIndex) { present[index]?.remove(entry) }
    package mutating func interfaceRemoved(_ index: InterfaceIndex) { present[index] = nil }

    // MARK: The difference

    /// The device that carries a kind's packets: there, as wanted and up; nil while it is not.
    package func usableDevice(_ kind: TunnelKind, _ interfaces: InterfaceTable) -> InterfaceIndex? {
        guard let device = devices[kind], let interface = interfaces.named(kind.deviceName), interface.isUp,
            matches(interface, device)
        else { return nil }
        return interface.index
    }

    private func matches(_ interface: Interface, _ device: TunnelDevice) -> Bool {
        switch (interface.tunnel, device.parameters) {
        // The one-to-many device takes packets for every address of this node.
        case (.ipip(_, let remote)?, .ipip): remote == nil || remote == .any(.ipv4)
        case (let known?, let wanted): known == wanted
        case (nil, _): false
        }
    }

    /// What is to be done, in order. With `mayRemove` devices and entries that nobody wants go too: not before the
    /// picture is whole.
    package func plan(_ interfaces: InterfaceTable, mayRemove: Bool) -> [TunnelOperation] {
        var operations: [TunnelOperation] = []
        for kind in TunnelKind.allCases {
            let interface = interfaces.named(kind.deviceName)
            guard let device = devices[kind] else {
                if let interface, mayRemove {
                    retire(kind, interface: interface, interfaces: interfaces, into: &operations)
                }
                continue
            }
            guard let interface else {
                operations.append(.create(device))
                continue
            }
            guard matches(interface, device) else {
                operations += [.remove(kind, interface.index), .create(device)]
                continue
            }
            if !interface.isUp || interface.mtu != device.mtu || interface.alias != TunnelDevice.alias
                || device.mac != nil && interface.mac != device.mac
            {
                operations.append(.adjust(device, interface.index))
            }
            settleAddresses(device, interface: interface, interfaces: interfaces, into: &operations)
            settleEntries(kind, interface: interface, mayRemove: mayRemove, into: &operations)
        }
        return operations
    }

    /// Only what has our mark goes.
    private func retire(
        _ kind: TunnelKind, interface: Interface, interfaces: InterfaceTable, into operations: inout [TunnelOperation]
    ) {
        guard interface.alias == TunnelDevice.alias else { return }
        if kind == .ipip {
            for address in hostAddresses(interface, interfaces) {
                operations.append(.removeAddress(address, interface.index))
            }
            operations.append(.retire(kind, interface.index))
        } else {
            operations.append(.remove(kind, interface.index))
        }
    }

    private func hostAddresses(_ interface: Interface, _ interfaces: InterfaceTable) -> [IPAddress] {
        interfaces.addresses.filter { $0.interface == interface.index && !$0.address.isLinkLocal }.map(\.address)
            .sorted()
    }

    private func settleAddresses(
        _ device: TunnelDevice, interface: Interface, interfaces: InterfaceTable,
        into operations: inout [TunnelOperation]
    ) {
        let known = hostAddresses(interface, interfaces).filter { $0.family == device.kind.family }
        if let address = device.address, !known.contains(address) {
            operations.append(.addAddress(address, interface.index))
        }
        for address in known where address != device.address {
            operations.append(.removeAddress(address, interface.index))
        }
    }

    private func settleEntries(
        _ kind: TunnelKind, interface: Interface, mayRemove: Bool, into operations: inout [TunnelOperation]
    ) {
        guard kind.isVXLAN else { return }
        let wanted = entries[kind] ?? []
        let known = present[interface.index] ?? []
        // A forwarding entry that is replaced must go first: the kernel would send frames to both nodes.
        if mayRemove {
            for entry in known.subtracting(wanted).sorted() { operations.append(.removeEntry(entry, interface.index)) }
        }
        for entry in wanted.subtracting(known).sorted() { operations.append(.addEntry(entry, interface.index)) }
    }
}
