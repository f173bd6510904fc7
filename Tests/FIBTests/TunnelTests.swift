import FIB
import NetTypes
import Testing

/// A kernel in memory for tunnel devices, driven by what `TunnelTable` asks for.
struct TunnelKernel {
    var interfaces = InterfaceTable()
    var entries: [InterfaceIndex: Set<TunnelEntry>] = [:]
    var nextIndex: Int32 = 10

    init() {
        interfaces.set(Interface(index: InterfaceIndex(rawValue: 2), name: "eth0", isUp: true, hasCarrier: true))
        interfaces.add(
            InterfaceAddress(interface: InterfaceIndex(rawValue: 2), address: address("10.0.0.1"), prefixLength: 24))
    }

    /// False where the request makes no sense to a kernel.
    mutating func carryOut(_ operation: TunnelOperation, _ table: inout TunnelTable) -> Bool {
        switch operation {
        case .create(let device):
            guard interfaces.named(device.kind.deviceName) == nil else { return false }
            nextIndex += 1
            interfaces.set(
                Interface(
                    index: InterfaceIndex(rawValue: nextIndex), name: device.kind.deviceName, isUp: false,
                    hasCarrier: false, mtu: device.mtu, mac: device.mac,
                    alias: TunnelDevice.alias, tunnel: device.parameters))
        case .remove(_, let index):
            guard interfaces.remove(index) != nil else { return false }
            table.interfaceRemoved(index)
            entries[index] = nil
        case .adjust(let device, let index):
            guard var interface = interfaces[index] else { return false }
            interface.isUp = true
            interface.mtu = device.mtu
            interface.mac = device.mac
            interface.alias = TunnelDevice.alias
            interfaces.set(interface)
        case .retire(_, let index):
            guard var interface = interfaces[index] else { return false }
            interface.isUp = false
            interface.alias = ""
            interfaces.set(interface)
        case .disown(_, let index):
            guard var interface = interfaces[index] else { return false }
            interface.alias = ""
            interfaces.set(interface)
        case .addAddress(let address, let index):
            interfaces.add(
                InterfaceAddress(interface: index, address: address, prefixLength: UInt8(address.family.bits)))
        case .removeAddress(let address, let index):
            guard let known = interfaces.addresses.first(where: { $0.interface == index && $0.address == address })
            else { return false }
            interfaces.remove(known)
        case .addEntry(let entry, let index):
            guard interfaces[index] != nil else { return false }
            entries[index, default: []].insert(entry)
            table.entryAdded(entry, on: index)
        case .removeEntry(let entry, let index):
            guard entries[index]?.remove(entry) != nil else { return false }
            table.entryRemoved(entry, on: index)
        }
        return true
    }

    /// Rounds until nothing is left to do.
    mutating func settle(_ table: inout TunnelTable, mayRemove: Bool = true) -> [TunnelOperation] {
        var all: [TunnelOperation] = []
        for _ in 0..<10 {
            let operations = table.plan(interfaces, mayRemove: mayRemove)
            if operations.isEmpty { return all }
            for operation in operations { #expect(carryOut(operation, &table), "\(operation)") }
            all += operations
        }
        Issue.record("does not settle: \(table.plan(interfaces, mayRemove: mayRemove))")
        return all
    }
}

func address(_ text: String) -> IPAddress { IPAddress(text) ?? .any(.ipv4) }
func mac(_ last: Int) -> MACAddress? { MACAddress(bytes: [0x66, 0, 0, 0, 0, UInt8(last)]) }
func vxlan(local: String = "10.0.0.1", mtu: UInt32 = 1450, identifier: UInt32 = 4096) -> TunnelDevice {
    TunnelDevice(
        kind: .vxlanIPv4, local: address(local), address: address("10.65.1.1"), mac: mac(1),
        parent: InterfaceIndex(rawValue: 2), identifier: identifier, mtu: mtu)
}
func endpoint(_ last: Int) -> TunnelEndpoint {
    TunnelEndpoint(underlay: address("10.0.0.\(last)"), gateway: address("10.65.\(last).1"), mac: mac(last))
}

@Suite struct TunnelTests {
    @Test func `a device is made, filled, followed and removed`() throws {
        var table = TunnelTable()
        var kernel = TunnelKernel()
        table.configure([vxlan()], endpoints: [.vxlanIPv4: [endpoint(2), endpoint(3)]])
        #expect(table.usableDevice(.vxlanIPv4, kernel.interfaces) == nil)
        _ = kernel.settle(&table)
        let index = try #require(table.usableDevice(.vxlanIPv4, kernel.interfaces))
        #expect(kernel.entries[index]?.count == 4)
        #expect(kernel.interfaces.owns(address("10.65.1.1")))
        // A node goes, another changes its address in the tunnel: only that is touched.
        var moved = endpoint(3)
        moved.gateway = address("10.65.9.9")
        table.configure([vxlan()], endpoints: [.vxlanIPv4: [moved]])
        let operations = kernel.settle(&table)
        #expect(operations.count == 4, "\(operations)")
        // Nobody wants it any more.
        table.configure([], endpoints: [:])
        #expect(kernel.settle(&table, mayRemove: false).isEmpty)
        #expect(kernel.settle(&table) == [.remove(.vxlanIPv4, index)])
    }

    @Test func `a restarted process finds its device and does nothing`() throws {
        var table = TunnelTable()
        var kernel = TunnelKernel()
        table.configure([vxlan()], endpoints: [.vxlanIPv4: [endpoint(2)]])
        _ = kernel.settle(&table)
        let index = try #require(table.usableDevice(.vxlanIPv4, kernel.interfaces))
        var second = TunnelTable()
        second.configure([vxlan()], endpoints: [.vxlanIPv4: [endpoint(2)]])
        second.setPresent(kernel.entries[index] ?? [], on: index)
        #expect(kernel.settle(&second).isEmpty)
    }

    @Test func `what cannot be changed makes a new device, what can be changed does not`() throws {
        var table = TunnelTable()
        var kernel = TunnelKernel()
        table.configure([vxlan()], endpoints: [.vxlanIPv4: [endpoint(2)]])
        _ = kernel.settle(&table)
        let index = try #require(table.usableDevice(.vxlanIPv4, kernel.interfaces))
        table.configure([vxlan(mtu: 1400)], endpoints: [.vxlanIPv4: [endpoint(2)]])
        #expect(kernel.settle(&table) == [.adjust(vxlan(mtu: 1400), index)])
        table.configure([vxlan(mtu: 1400, identifier: 7)], endpoints: [.vxlanIPv4: [endpoint(2)]])
        _ = kernel.settle(&table)
        let second = try #require(table.usableDevice(.vxlanIPv4, kernel.interfaces))
        #expect(second != index)
        #expect(kernel.entries[second]?.count == 2)
    }

    @Test func `a device without our mark stays when no pool wants it, the IPIP module's is set down`() throws {
        var kernel = TunnelKernel()
        let foreign = Interface(
            index: InterfaceIndex(rawValue: 5), name: "vxlan.calico", isUp: true, hasCarrier: true,
            tunnel: vxlan().parameters)
        kernel.interfaces.set(foreign)
        var table = TunnelTable()
        #expect(kernel.settle(&table).isEmpty)
        // The one-to-many device is there as soon as the module is.
        kernel.interfaces.set(
            Interface(
                index: InterfaceIndex(rawValue: 6), name: "tunl0", isUp: false, hasCarrier: false,
                tunnel: .ipip(local: .any(.ipv4), remote: .any(.ipv4))))
        let device = TunnelDevice(
            kind: .ipip, local: address("10.0.0.1"), address: address("10.65.1.2"), mac: nil,
            parent: InterfaceIndex(rawValue: 2), mtu: 1480)
        table.configure([device], endpoints: [:])
        _ = kernel.settle(&table)
        #expect(table.usableDevice(.ipip, kernel.interfaces) == InterfaceIndex(rawValue: 6))
        table.configure([], endpoints: [:])
        #expect(
            kernel.settle(&table) == [
                .removeAddress(address("10.65.1.2"), InterfaceIndex(rawValue: 6)),
                .retire(.ipip, InterfaceIndex(rawValue: 6)),
            ])
    }

    @Test func `which attributes a route goes: by pool, mode, subnet and node`() {
        let here = prefix("10.0.0.0/24")
        let table = Encapsulation(
            pools: [
                .init(cidr: prefix("10.65.0.0/16"), kind: .vxlanIPv4, isCrossSubnet: false),
                .init(cidr: prefix("10.66.0.0/16"), kind: .vxlanIPv4, isCrossSubnet: true),
                .init(cidr: prefix("10.67.0.0/16"), kind: .ipip, isCrossSubnet: true),
            ], endpoints: [.vxlanIPv4: [address("10.0.0.2"): endpoint(2), address("10.0.9.3"): endpoint(3)]],
            subnets: [here, nil])
        #expect(table.pool(of: prefix("10.64.0.0/26")) == nil)
        #expect(table.pool(of: prefix("10.66.1.0/26")) == 1)
        #expect(table.verdict(pool: 0, nextHop: address("10.0.0.2")) == .tunnel(.vxlanIPv4, endpoint(2)))
        #expect(table.verdict(pool: 0, nextHop: address("10.0.0.77")) == .noEndpoint(.vxlanIPv4))
        #expect(table.verdict(pool: 1, nextHop: address("10.0.0.2")) == .plain)
        #expect(table.verdict(pool: 1, nextHop: address("10.0.9.3")) == .tunnel(.vxlanIPv4, endpoint(3)))
        #expect(table.verdict(pool: 2, nextHop: address("10.0.0.2")) == .plain)
        // IPIP needs nothing but an address.
        let other = address("10.0.9.9")
        #expect(
            table.verdict(pool: 2, nextHop: other)
                == .tunnel(.ipip, TunnelEndpoint(underlay: other, gateway: other, mac: nil)))
    }

    @Test func `names and indices of interfaces follow renames and reuse`() {
        var table = InterfaceTable()
        func set(_ index: Int32, _ name: String) {
            table.set(Interface(index: InterfaceIndex(rawValue: index), name: name, isUp: true, hasCarrier: true))
        }
        set(3, "cali0")
        set(4, "cali1")
        // cali0 is renamed, cali1 takes its name, a third the index of the first.
        set(3, "old")
        set(4, "cali0")
        #expect(table.named("cali0")?.index.rawValue == 4)
        #expect(table.named("cali1") == nil)
        table.remove(InterfaceIndex(rawValue: 3))
        set(3, "cali1")
        #expect(table.named("old") == nil)
        #expect(table.named("cali1")?.index.rawValue == 3)
    }
}
