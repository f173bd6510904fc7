package import FIB
package import NetTypes
package import Planning
package import StatusAPI

/// This node's tunnel devices: what is to be done so that they are as the pools want them, and what came of it.
///
/// One attempt is `begin`, then up to `rounds` times `unread` and `operations`, each carried out by the caller and
/// answered by `entriesRead` and `carriedOut`, then `finish`. What failed is tried again with back-off.
package struct Tunnels {
    private var settings = TunnelSettings()
    private var pattern: Regex<AnyRegexOutput>?
    private var table = TunnelTable()
    private var needsWork = false
    /// Devices whose entries were read.
    private var readIndices: Set<InterfaceIndex> = []
    /// Names of the interfaces that have this node's addresses.
    private var parents: Set<String> = []
    private var failures: [Attempt: Int32] = [:]
    private var attempts = 0
    package private(set) var retryAt: Instant?
    /// Devices that carry packets, by kind: routes name them.
    package private(set) var usable: [TunnelKind: InterfaceIndex] = [:]
    private var mayRemove = false

    /// What may fail.
    package enum Attempt: Hashable, CustomStringConvertible, Sendable {
        case carryOut(TunnelOperation)
        case readEntries(TunnelKind)
        package var description: String {
            switch self {
            case .carryOut(let operation): "\(operation)"
            case .readEntries(let kind): "read the entries of \(kind.deviceName)"
            }
        }
    }
    /// Of the attempt that goes on.
    private var failed: [Attempt: Int32] = [:]

    package init() {}

    package var encapsulation: Encapsulation { settings.encapsulation }

    package mutating func configure(_ new: TunnelSettings) {
        guard new != settings else { return }
        settings = new
        pattern = new.mtuInterfacePattern.flatMap { try? Regex($0) }
        needsWork = true
    }

    /// From now on what nobody wants goes.
    package mutating func allowRemoval() {
        mayRemove = true
        needsWork = true
    }

    // MARK: The kernel speaks

    /// An interface came or changed. Pods' interfaces come and go all the time, and none of this depends on them.
    package mutating func interfaceChanged(_ interface: Interface) { if concerns(interface.name) { needsWork = true } }
    package mutating func interfaceRemoved(_ interface: Interface) {
        table.interfaceRemoved(interface.index)
        readIndices.remove(interface.index)
        if concerns(interface.name) { needsWork = true }
    }
    package mutating func addressesChanged() { needsWork = true }

    private func isHostInterface(_ name: String) -> Bool {
        pattern.map { name.firstMatch(of: $0) != nil } ?? HostInterfaces.isOne(name)
    }

    private func concerns(_ name: String) -> Bool {
        parents.contains(name) || isHostInterface(name) || TunnelKind.allCases.contains { $0.deviceName == name }
    }
    package mutating func entryAdded(_ entry: TunnelEntry, _ index: InterfaceIndex) {
        guard readIndices.contains(index) else { return }
        table.entryAdded(entry, on: index)
        needsWork = true
    }
    package mutating func entryRemoved(_ entry: TunnelEntry, _ index: InterfaceIndex) {
        guard readIndices.contains(index) else { return }
        table.entryRemoved(entry, on: index)
        needsWork = true
    }
    package mutating func neighborLost(_ address: IPAddress, _ index: InterfaceIndex) {
        guard readIndices.contains(index), table.neighborLost(address, on: index) else { return }
        needsWork = true
    }
    /// Notifications were lost: what is known of entries counts no more.
    package mutating func forgetEntries() {
        readIndices = []
        needsWork = true
    }

    // MARK: Reconcile

    /// A device that was just made brings its own work, addresses and entries: make, fill, and a last look.
    package static let rounds = 3

    /// True where something is to be done: an attempt begins.
    package mutating func begin(now: Instant) -> Bool {
        guard needsWork || retryAt.map({ $0 <= now }) ?? false else { return false }
        needsWork = false
        retryAt = nil
        failed = [:]
        return true
    }

    /// Devices whose entries are to be read before `operations` are asked for.
    package mutating func unread(_ interfaces: InterfaceTable) -> [(kind: TunnelKind, index: InterfaceIndex)] {
        failed = [:]
        want(interfaces)
        return table.wantedKinds.filter(\.isVXLAN).compactMap { kind in
            guard let interface = interfaces.named(kind.deviceName), interface.index.rawValue > 0,
                !readIndices.contains(interface.index)
            else { return nil }
            return (kind, interface.index)
        }
    }
    package mutating func entriesRead(_ entries: Set<TunnelEntry>, on index: InterfaceIndex) {
        table.setPresent(entries, on: index)
        readIndices.insert(index)
    }
    package mutating func entriesNotRead(_ kind: TunnelKind, code: Int32) { failed[.readEntries(kind)] = code }

    /// What is to be done on the host now, in order.
    package func operations(_ interfaces: InterfaceTable) -> [TunnelOperation] {
        table.plan(interfaces, mayRemove: mayRemove)
    }

    /// What came of an operation: an errno or 0, and the device as it is now. Our own requests cause no notification:
    /// what they did is entered here.
    package mutating func carriedOut(
        _ operation: TunnelOperation, code: Int32, device: Interface?, _ interfaces: inout InterfaceTable
    ) {
        var error = code
        switch operation {
        case .create(let wanted):
            // Loading the module makes tunl0: it is there, and is taken as it is.
            if error == KernelError.exists, wanted.kind == .ipip { error = 0 }
            if let device { interfaces.set(device) }
        case .adjust, .retire, .disown: if let device { interfaces.set(device) }
        case .remove(_, let index):
            if error == KernelError.noSuchDevice { error = 0 }
            if error == 0, let gone = interfaces.remove(index) { interfaceRemoved(gone) }
        case .addAddress(let address, let index):
            if error == 0 {
                interfaces.add(
                    InterfaceAddress(interface: index, address: address, prefixLength: UInt8(address.family.bits)))
            }
        case .removeAddress(let address, let index):
            if error == KernelError.addressNotAvailable { error = 0 }
            if error == 0 {
                for known in interfaces.addresses where known.interface == index && known.address == address {
                    interfaces.remove(known)
                }
            }
        case .addEntry(let entry, let index): if error == 0 { table.entryAdded(entry, on: index) }
        case .removeEntry(let entry, let index):
            if error == KernelError.noEntry { error = 0 }
            if error == 0 { table.entryRemoved(entry, on: index) }
        }
        if error != 0 { failed[.carryOut(operation)] = error }
    }

    /// Nothing of the attempt failed so far.
    package var isGoingWell: Bool { failed.isEmpty }

    /// The attempt is over.
    ///
    /// Returns whether what routes go by has changed (a device came, went, or has another index), and what failed that
    /// did not fail in the same way before.
    package mutating func finish(_ interfaces: InterfaceTable, now: Instant) -> (
        hasChanged: Bool, newFailures: [(attempt: Attempt, code: Int32)]
    ) {
        let new = failed.filter { failures[$0.key] != $0.value }.map { (attempt: $0.key, code: $0.value) }
        failures = failed
        attempts = failed.isEmpty ? 0 : attempts + 1
        if !failed.isEmpty { retryAt = now + min(.milliseconds(250) * (1 << min(attempts - 1, 7)), .seconds(30)) }
        var current: [TunnelKind: InterfaceIndex] = [:]
        for kind in table.wantedKinds { current[kind] = table.usableDevice(kind, interfaces) }
        defer { usable = current }
        return (current != usable, new)
    }

    /// Devices as they are wanted on the host's interfaces as they are now.
    private mutating func want(_ interfaces: InterfaceTable) {
        parents = Set(settings.devices.compactMap { interfaces.holder($0.local)?.name })
        let devices = settings.devices.compactMap { device -> TunnelDevice? in
            guard let parent = interfaces.holder(device.local) else { return nil }
            let host = interfaces.hostMTU(holding: device.local, isHostInterface: isHostInterface) ?? parent.mtu
            let mtu = device.mtu != 0 ? device.mtu : max(host, device.kind.overhead + 68) - device.kind.overhead
            return TunnelDevice(
                kind: device.kind, local: device.local, address: device.address, mac: device.mac, parent: parent.index,
                identifier: settings.identifier,
                port: settings.port, mtu: mtu)
        }
        table.configure(devices, endpoints: settings.encapsulation.endpoints.mapValues { Array($0.values) })
    }

    /// Dry run: enters what would have been done.
    package mutating func pretend(_ operation: TunnelOperation, _ interfaces: inout InterfaceTable) {
        switch operation {
        case .create(let device), .adjust(let device, _):
            let known = interfaces.named(device.kind.deviceName)
            interfaces.set(
                Interface(
                    index: known?.index ?? InterfaceIndex(rawValue: -1 - Int32(device.kind.rawValue)),
                    name: device.kind.deviceName, isUp: true, hasCarrier: true,
                    mtu: device.mtu, mac: device.mac, alias: TunnelDevice.alias, tunnel: device.parameters))
        case .remove(_, let index), .retire(_, let index): interfaces.remove(index)
        case .disown(_, let index):
            guard var device = interfaces[index] else { return }
            device.alias = ""
            interfaces.set(device)
        case .addAddress(let address, let index):
            interfaces.add(
                InterfaceAddress(interface: index, address: address, prefixLength: UInt8(address.family.bits)))
        case .removeAddress(let address, let index):
            for known in interfaces.addresses where known.interface == index && known.address == address {
                interfaces.remove(known)
            }
        case .addEntry(let entry, let index): table.entryAdded(entry, on: index)
        case .removeEntry(let entry, let index): table.entryRemoved(entry, on: index)
        }
    }

    // MARK: Status

    /// The device as it is wanted; nil for a kind that no pool wants.
    package func device(_ kind: TunnelKind) -> TunnelDevice? { table.device(kind) }

    /// Why a kind's routes are not in the kernel; nil where its device is as it is to be.
    package func failure(_ kind: TunnelKind) -> TunnelReason? {
        if usable[kind] != nil { return nil }
        guard let device = table.device(kind) else {
            let local = settings.devices.first { $0.kind == kind }?.local
            return local.map { .noInterfaceWithAddress(device: kind.deviceName, address: "\($0)") }
                ?? .noNodeAddress(family: kind.family.name)
        }
        if let error = failures[.carryOut(.create(device))] {
            if error == KernelError.notSupported {
                return .notSupported(tunnel: kind.name, module: kind.isVXLAN ? "vxlan" : "ipip", code: error)
            }
            return .cannotBeMade(device: kind.deviceName, code: error)
        }
        return .notUp(device: kind.deviceName)
    }

    /// What failed and is tried again, with an errno.
    package var pendingFailures: [(attempt: Attempt, code: Int32)] {
        failures.map { (attempt: $0.key, code: $0.value) }.sorted { "\($0.attempt)" < "\($1.attempt)" }
    }
}

/// Names of interfaces that lead to other hosts (contract 2.7, `mtuIfacePattern`): Ethernet, WLAN, WWAN, serial and
/// InfiniBand by systemd's and the kernel's names.
enum HostInterfaces {
    static func isOne(_ name: String) -> Bool {
        if ["eth", "wlan", "wwan"].contains(where: name.hasPrefix) { return true }
        guard ["en", "wl", "ww", "sl", "ib"].contains(where: name.hasPrefix), let third = name.dropFirst(2).first else {
            return false
        }
        return "Pcopsvx".contains(third)
    }
}
