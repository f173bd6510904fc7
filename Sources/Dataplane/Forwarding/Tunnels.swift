import FIB
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
import Planning
import StatusAPI

/// This node's tunnel devices in the kernel: brings them into step with what the pools want, and keeps them there.
///
/// `TunnelTable` says what is to be done; this carries it out, reads back what it made, and tries again what failed.
struct Tunnels {
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
    private(set) var retryAt: Instant?
    /// Devices that carry packets, by kind: routes name them.
    private(set) var usable: [TunnelKind: InterfaceIndex] = [:]
    private var mayRemove = false

    /// What may fail.
    private enum Attempt: Hashable, CustomStringConvertible {
        case carryOut(TunnelOperation)
        case readEntries(TunnelKind)
        var description: String {
            switch self {
            case .carryOut(let operation): "\(operation)"
            case .readEntries(let kind): "read the entries of \(kind.deviceName)"
            }
        }
    }

    var encapsulation: Encapsulation { settings.encapsulation }

    mutating func configure(_ new: TunnelSettings) {
        guard new != settings else { return }
        settings = new
        pattern = new.mtuInterfacePattern.flatMap { try? Regex($0) }
        needsWork = true
    }

    /// From now on what nobody wants goes.
    mutating func allowRemoval() {
        mayRemove = true
        needsWork = true
    }

    // MARK: The kernel speaks

    /// An interface came or changed. Pods' interfaces come and go all the time, and none of this depends on them.
    mutating func interfaceChanged(_ interface: Interface) { if concerns(interface.name) { needsWork = true } }
    mutating func interfaceRemoved(_ interface: Interface) {
        table.interfaceRemoved(interface.index)
        readIndices.remove(interface.index)
        if concerns(interface.name) { needsWork = true }
    }
    mutating func addressesChanged() { needsWork = true }

    private func isHostInterface(_ name: String) -> Bool {
        pattern.map { name.firstMatch(of: $0) != nil } ?? HostInterfaces.isOne(name)
    }

    private func concerns(_ name: String) -> Bool {
        parents.contains(name) || isHostInterface(name) || TunnelKind.allCases.contains { $0.deviceName == name }
    }
    mutating func entryAdded(_ entry: TunnelEntry, _ index: InterfaceIndex) {
        guard readIndices.contains(index) else { return }
        table.entryAdded(entry, on: index)
        needsWork = true
    }
    mutating func entryRemoved(_ entry: TunnelEntry, _ index: InterfaceIndex) {
        guard readIndices.contains(index) else { return }
        table.entryRemoved(entry, on: index)
        needsWork = true
    }
    mutating func neighborLost(_ address: IPAddress, _ index: InterfaceIndex) {
        guard readIndices.contains(index), table.neighborLost(address, on: index) else { return }
        needsWork = true
    }
    /// Notifications were lost: what is known of entries counts no more.
    mutating func forgetEntries() {
        readIndices = []
        needsWork = true
    }

    // MARK: Reconcile

    /// Brings the devices into step. True where what routes go by has changed: a device came, went or has another
    /// index.
    mutating func reconcile<Kernel: TunnelKernel & ~Copyable>(
        _ interfaces: inout InterfaceTable, _ kernel: inout Kernel, isDryRun: Bool, now: Instant, logger: Logger
    ) -> Bool {
        guard needsWork || retryAt.map({ $0 <= now }) ?? false else { return false }
        needsWork = false
        retryAt = nil
        var failed: [Attempt: Int32] = [:]
        // A device that was just made brings its own work: addresses and entries. Three rounds are make, fill, and a
        // last look.
        for _ in 0..<3 {
            failed = [:]
            want(interfaces)
            readEntries(interfaces, &kernel, &failed)
            let operations = table.plan(interfaces, mayRemove: mayRemove)
            if operations.isEmpty { break }
            if isDryRun {
                for operation in operations {
                    logger.notice("dry run: would \(operation)")
                    pretend(operation, &interfaces)
                }
                continue
            }
            for operation in operations { carryOut(operation, &interfaces, &kernel, &failed) }
            if !failed.isEmpty { break }
        }
        for (attempt, error) in failed where failures[attempt] != error {
            logger.warning(
                "the kernel refused a tunnel", metadata: ["operation": "\(attempt)", "reason": "\(errorText(error))"])
        }
        failures = failed
        attempts = failed.isEmpty ? 0 : attempts + 1
        if !failed.isEmpty { retryAt = now + min(.milliseconds(250) * (1 << min(attempts - 1, 7)), .seconds(30)) }
        var current: [TunnelKind: InterfaceIndex] = [:]
        for kind in table.wantedKinds { current[kind] = table.usableDevice(kind, interfaces) }
        defer { usable = current }
        return current != usable
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

    private mutating func readEntries<Kernel: TunnelKernel & ~Copyable>(
        _ interfaces: InterfaceTable, _ kernel: inout Kernel, _ failed: inout [Attempt: Int32]
    ) {
        for kind in table.wantedKinds where kind.isVXLAN {
            guard let interface = interfaces.named(kind.deviceName), interface.index.rawValue > 0,
                !readIndices.contains(interface.index)
            else { continue }
            do throws(SystemError) {
                table.setPresent(try kernel.tunnelEntries(on: interface.index, kind.family), on: interface.index)
                readIndices.insert(interface.index)
            } catch {
                failed[.readEntries(kind)] = error.code
            }
        }
    }

    private mutating func carryOut<Kernel: TunnelKernel & ~Copyable>(
        _ operation: TunnelOperation, _ interfaces: inout InterfaceTable, _ kernel: inout Kernel,
        _ failed: inout [Attempt: Int32]
    ) {
        var error = kernel.apply(operation)
        switch operation {
        // Our own requests cause no notification: what they did is entered here.
        case .create(let device):
            // Loading the module makes tunl0: it is there, and is taken as it is.
            if error == KernelError.exists, device.kind == .ipip { error = 0 }
            readBack(device.kind, &interfaces, &kernel)
        case .adjust(let device, _): readBack(device.kind, &interfaces, &kernel)
        case .retire(let kind, _): readBack(kind, &interfaces, &kernel)
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

    /// Dry run: enters what would have been done.
    private mutating func pretend(_ operation: TunnelOperation, _ interfaces: inout InterfaceTable) {
        switch operation {
        case .create(let device), .adjust(let device, _):
            let known = interfaces.named(device.kind.deviceName)
            interfaces.set(
                Interface(
                    index: known?.index ?? InterfaceIndex(rawValue: -1 - Int32(device.kind.rawValue)),
                    name: device.kind.deviceName, isUp: true, hasCarrier: true,
                    mtu: device.mtu, mac: device.mac, alias: TunnelDevice.alias, tunnel: device.parameters))
        case .remove(_, let index), .retire(_, let index): interfaces.remove(index)
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

    private func readBack<Kernel: TunnelKernel & ~Copyable>(
        _ kind: TunnelKind, _ interfaces: inout InterfaceTable, _ kernel: inout Kernel
    ) {
        if let interface = kernel.link(named: kind.deviceName) { interfaces.set(interface) }
    }

    // MARK: Status

    /// The device as it is wanted; nil for a kind that no pool wants.
    func device(_ kind: TunnelKind) -> TunnelDevice? { table.device(kind) }

    /// Why a kind's routes are not in the kernel; nil where its device is as it is to be.
    func failure(_ kind: TunnelKind) -> TunnelReason? {
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

    var problems: [String] { failures.map { "tunnel: cannot \($0.key): \(errorText($0.value))" }.sorted() }
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
