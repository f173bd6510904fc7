import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import FIB
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import NodeDaemon
import Planning
import Resources
import Testing

@testable import Node
@testable import Transport

/// What a reflector makes of the addresses of its host.
@Suite struct HostLinksTests {
    /// A host whose addresses change, and that counts how often it is asked.
    private final class Host {
        var addresses: [InterfaceAddress]
        private(set) var reads = 0
        init(_ texts: [(UInt32, String, UInt8)]) { addresses = texts.compactMap { Host.address($0.0, $0.1, $0.2) } }
        static func address(_ index: UInt32, _ text: String, _ length: UInt8) -> InterfaceAddress? {
            IPAddress(text).map {
                InterfaceAddress(interface: InterfaceIndex(rawValue: Int32(index)), address: $0, prefixLength: length)
            }
        }
        func read() -> [InterfaceAddress] {
            reads += 1
            return addresses
        }
    }

    private static let host: [(UInt32, String, UInt8)] = [
        (1, "127.0.0.1", 8), (1, "::1", 128), (1, "192.0.2.9", 32), (2, "10.0.0.1", 24), (2, "10.0.0.100", 24),
        (2, "fd00::1", 64), (2, "fd00::100", 64),
        (2, "fe80::1", 64), (3, "10.0.1.1", 24), (3, "fd01::1", 64), (3, "fe80::2", 64),
    ]
    private static let node =
        "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n}\nspec: {bgp: {ipv4Address: 10.0.0.1/24, "
        + "ipv6Address: 'fd00::1/64'}}\n"
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .any(.ipv4) }

    /// A reflector on that host, with its speaker.
    private static func reflector(
        _ host: Host, _ body: (NoForwarding, Peering, Transport, inout Speaker) throws -> Void
    ) throws {
        let now = Instant(nanoseconds: 1_000_000_000)
        let peers = ["10.0.0.7", "10.0.1.2", "fd01::7", "203.0.113.5"].enumerated().map { number, address in
            "---\napiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p\(number)}\nspec: {peerIP: "
                + "'\(address)', asNumber: 65000, passive: true}\n"
        }
        let parsed = ResourceParser.parse(node + peers.joined(), file: "x.yaml")
        #expect(parsed.problems.isEmpty)
        let loaded = LoadedConfiguration(
            resources: ResourceSet([parsed], files: ["x.yaml"], previous: ResourceSet()), secrets: Secrets())
        let transport = try Transport(openFiles: 1024)
        var speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 16, recordsChanges: false, restart: RestartState(),
            seed: 1, now: now)
        let peering = Peering(
            node: "n", isReflector: true, identity: identity, first: loaded,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let plane = NoForwarding(addresses: host.read)
        peering.apply(ResourceChange(whole: loaded), speaker: &speaker, plane: plane, transport: transport, now: now)
        try body(plane, peering, transport, &speaker)
    }

    @Test func `every address of the host is our own, and one that came is known when the next session comes up`()
        throws
    {
        let host = Host(Self.host)
        try Self.reflector(host) { plane, peering, _, speaker in
            let known = speaker.importPolicy.ownAddresses
            #expect(known.isSuperset(of: Self.host.map { Self.address($0.1) }))
            let new = Self.address("198.51.100.1")
            host.addresses += [Host.address(4, "198.51.100.1", 32)].compactMap { $0 }
            let indices = speaker.peerIndices
            let peer = try #require(indices.first)
            peering.updateReach(peer, from: new, plane: plane, speaker: &speaker)
            plane.resolve(&speaker)
            let later = speaker.importPolicy.ownAddresses
            #expect(later.contains(new))
            // A thousand sessions that come up cost one look, or as many as there are seconds.
            let reads = host.reads
            for _ in 0..<1000 { peering.updateReach(peer, from: new, plane: plane, speaker: &speaker) }
            #expect(host.reads - reads < 100, "\(host.reads) reads")
        }
    }

    @Test func `a peer on a link is sent this link's addresses, over a session of either family`() throws {
        try Self.reflector(Host(Self.host)) { plane, _, _, _ in
            for peer in ["10.0.1.2", "fd01::7"] {
                let link = try #require(plane.link(to: Self.address(peer), from: nil))
                #expect(
                    link.addresses == [Self.address("10.0.1.1"), Self.address("fd01::1")]
                        && link.shared.contains(Self.address("fe80::2")))
            }
            let first = try #require(plane.link(to: Self.address("10.0.0.7"), from: Self.address("10.0.0.100")))
            #expect(first.addresses == [Self.address("10.0.0.1"), Self.address("fd00::1")])
            // Behind a router: where our end is no address of the Node, its interface's.
            #expect(plane.link(to: Self.address("203.0.113.5"), from: Self.address("10.0.0.1")) == nil)
            let routed = try #require(plane.link(to: Self.address("203.0.113.5"), from: Self.address("10.0.1.1")))
            #expect(!routed.isOnLink && routed.addresses[1] == Self.address("fd01::1") && routed.shared.isEmpty)
            #expect(plane.link(to: Self.address("127.0.0.2"), from: nil) == nil)
        }
    }

    @Test func `addresses that change are handed on once, as a change of all links`() throws {
        let host = Host(Self.host)
        try Self.reflector(host) { plane, peering, transport, speaker in
            for _ in 0..<2 {
                #expect(!plane.takeLinkChanges().isEmpty)
                #expect(plane.takeLinkChanges().isEmpty)
                host.addresses.removeAll { $0.address == Self.address("fd01::1") }
                peering.apply(
                    ResourceChange(whole: peering.loaded), speaker: &speaker, plane: plane, transport: transport,
                    now: .zero)
            }
            #expect(plane.takeLinkChanges().isEmpty)
            #expect(plane.link(to: Self.address("10.0.1.2"), from: nil)?.addresses == [Self.address("10.0.1.1"), nil])
        }
    }
}
