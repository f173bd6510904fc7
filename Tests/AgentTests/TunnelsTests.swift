import FIB
import KernelRoutes
import LinuxIO
import Logging
import NetTypes
import Planning
import Testing

@testable import Dataplane

/// A kernel with one VXLAN device, which carries out everything and answers the reading of entries as a test says.
private struct OneDevice: TunnelKernel {
    static let index = InterfaceIndex(rawValue: 7)
    /// Errors of the next readings.
    var errors: [Int32] = []
    var entries: Set<TunnelEntry> = []
    var done: [TunnelOperation] = []

    mutating func apply(_ operation: TunnelOperation) -> Int32 {
        done.append(operation)
        switch operation {
        case .addEntry(let entry, _): entries.insert(entry)
        case .removeEntry(let entry, _): entries.remove(entry)
        default: break
        }
        return 0
    }
    mutating func link(named name: String) -> Interface? { nil }
    mutating func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(SystemError) -> Set<
        TunnelEntry
    > {
        if !errors.isEmpty { throw SystemError(code: errors.removeFirst(), operation: "netlink dump") }
        return entries
    }
}

@Suite struct TunnelsTests {
    @Test func `entries that could not be read are read again with back-off, and what nobody wants of them goes then`()
        throws
    {
        let local = try #require(IPAddress("10.0.0.1"))
        let mac = try #require(MACAddress("66:00:00:00:00:01"))
        let wanted = TunnelEndpoint(
            underlay: try #require(IPAddress("10.0.0.2")), gateway: try #require(IPAddress("10.65.2.1")),
            mac: MACAddress("66:00:00:00:00:02"))
        var settings = TunnelSettings()
        settings.devices = [TunnelSettings.Device(kind: .vxlanIPv4, local: local, address: nil, mac: mac, mtu: 1450)]
        settings.encapsulation.endpoints = [.vxlanIPv4: [wanted.underlay: wanted]]
        let eth0 = InterfaceIndex(rawValue: 2)
        var interfaces = InterfaceTable()
        interfaces.set(Interface(index: eth0, name: "eth0", isUp: true, hasCarrier: true))
        interfaces.add(InterfaceAddress(interface: eth0, address: local, prefixLength: 24))
        let device = TunnelDevice(
            kind: .vxlanIPv4, local: local, address: nil, mac: mac, parent: eth0, identifier: 4096, port: 4789,
            mtu: 1450)
        interfaces.set(
            Interface(
                index: OneDevice.index, name: TunnelKind.vxlanIPv4.deviceName, isUp: true, hasCarrier: true, mtu: 1450,
                mac: mac, alias: TunnelDevice.alias,
                tunnel: device.parameters))
        // An earlier process left an entry of a node that is gone.
        let gone = TunnelEntry.forwarding(
            try #require(MACAddress("66:00:00:00:00:09")), try #require(IPAddress("10.0.0.9")))
        var kernel = OneDevice(errors: [KernelError.noBuffers, KernelError.noBuffers], entries: [gone])
        var tunnels = Tunnels()
        tunnels.configure(settings)
        tunnels.allowRemoval()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        func turn(_ milliseconds: Int) -> Bool {
            tunnels.reconcile(
                &interfaces, &kernel, isDryRun: false, now: Instant(nanoseconds: 0) + .milliseconds(milliseconds),
                logger: logger)
        }
        #expect(turn(0) && tunnels.usable == [.vxlanIPv4: OneDevice.index])
        // What is wanted goes in, and what is not known stays.
        #expect(kernel.entries.count == 3 && kernel.entries.contains(gone))
        #expect(
            tunnels.problems.count == 1
                && tunnels.problems[0].hasPrefix("tunnel: cannot read the entries of vxlan.calico: "),
            "\(tunnels.problems)")
        #expect(tunnels.retryAt == Instant(nanoseconds: 0) + .milliseconds(250))
        _ = turn(249)
        #expect(kernel.errors.count == 1)
        // Refused once more: twice the time.
        _ = turn(250)
        #expect(kernel.errors.isEmpty && tunnels.problems.count == 1)
        #expect(tunnels.retryAt == Instant(nanoseconds: 0) + .milliseconds(750))
        _ = turn(750)
        #expect(tunnels.problems.isEmpty && tunnels.retryAt == nil)
        #expect(kernel.entries.count == 2 && !kernel.entries.contains(gone))
        let count = kernel.done.count
        _ = turn(2000)
        #expect(kernel.done.count == count)
    }
}
