import BGPMessages
import BGPRouting
import BGPSpeaker
import Dataplane
import FIB
import Forwarding
import Logging
import NetTypes
import Planning
import Testing

@Suite struct TunnelsTests {
    private static func speaker() -> Speaker {
        Speaker(
            identity: AttributeTable.Identity(
                localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1)),
            tracksNextHops: true, maximumPaths: 1, recordsChanges: true, seed: 1, now: .zero)
    }

    @Test func `entries that could not be read are read again with back-off, and what nobody wants of them goes then`()
        throws
    {
        let local = try #require(IPAddress("10.0.0.1"))
        let mac = try #require(MACAddress("66:00:00:00:00:01"))
        let wanted = TunnelEndpoint(
            underlay: try #require(IPAddress("10.0.0.2")), gateway: try #require(IPAddress("10.65.2.1")),
            mac: MACAddress("66:00:00:00:00:02"))
        let host = MemoryHost()
        let eth0 = host.addInterface("eth0")
        host.addAddress(local, length: 24, to: "eth0")
        let device = TunnelDevice(
            kind: .vxlanIPv4, local: local, address: nil, mac: mac, parent: eth0, identifier: 4096, port: 4789,
            mtu: 1450)
        #expect(host.apply(.create(device)) == 0)
        let index = try #require(host.index(of: TunnelKind.vxlanIPv4.deviceName))
        // An earlier process left an entry of a node that is gone.
        let gone = TunnelEntry.forwarding(
            try #require(MACAddress("66:00:00:00:00:09")), try #require(IPAddress("10.0.0.9")))
        #expect(host.apply(.addEntry(gone, index)) == 0)
        host.errors.entries = [KernelError.noBuffers, KernelError.noBuffers]

        var state = NodeState()
        state.tunnels.devices = [
            TunnelSettings.Device(kind: .vxlanIPv4, local: local, address: nil, mac: mac, mtu: 1450)
        ]
        state.tunnels.encapsulation.endpoints = [.vxlanIPv4: [wanted.underlay: wanted]]
        let plane = try KernelForwarding(
            ForwardingSettings(isDryRun: false, maximumPaths: 1, restartTime: .zero), host: host,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: .zero)
        var speaker = Self.speaker()
        plane.apply(NodeChange(state: state, isWhole: true), &speaker, now: .zero)
        func turn(_ milliseconds: Int) {
            _ = plane.reconcile(&speaker, now: .zero + .milliseconds(milliseconds), breathe: { _ in })
        }
        func entries() -> Set<TunnelEntry> { host.entries[index] ?? [] }
        func failures() -> [String] { plane.core.tunnels.pendingFailures.map { "\($0.attempt)" } }

        turn(0)
        #expect(plane.core.tunnels.usable == [.vxlanIPv4: index])
        // What is wanted goes in, and what is not known stays.
        #expect(entries().count == 3 && entries().contains(gone))
        #expect(failures() == ["read the entries of vxlan.calico"])
        #expect(plane.core.tunnels.retryAt == .zero + .milliseconds(250))
        turn(249)
        #expect(host.errors.entries.count == 1)
        // Refused once more: twice the time.
        turn(250)
        #expect(host.errors.entries.isEmpty && failures().count == 1)
        #expect(plane.core.tunnels.retryAt == .zero + .milliseconds(750))
        turn(750)
        #expect(failures().isEmpty && plane.core.tunnels.retryAt == nil)
        #expect(entries().count == 2 && !entries().contains(gone))
        let count = host.operations.count
        turn(2000)
        #expect(host.operations.count == count)
    }
}
