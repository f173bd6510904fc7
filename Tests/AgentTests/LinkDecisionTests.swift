import BFD
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
import StatusAPI
import Testing

@testable import Node

/// What peering makes of the links that the forwarding plane knows, and of not knowing any.
@Suite struct LinkDecisionTests {
    /// A plane that knows one link.
    private final class Links: ForwardingPlane {
        var onLink: Set<IPAddress>
        var shared: Set<IPAddress> = []
        init(_ onLink: Set<IPAddress>) { self.onLink = onLink }
        func link(to peer: IPAddress, from local: IPAddress?) -> PeerLink? {
            var result = PeerLink()
            if onLink.contains(peer) {
                result.interface = InterfaceIndex(rawValue: 3)
                result.shared = shared
            }
            return result
        }
        var descriptors: [Int32] { [] }
        var programsRoutes: Bool { false }
        var tracksNextHops: Bool { false }
        var preservedFamilies: AddressFamilySet { .all }
        var nextDeadline: Instant? { nil }
        var isStarting: Bool { false }
        var programming: Programming { .all }
        func releaseHeld(_ speaker: borrowing Speaker) -> Int { 0 }
        func trim(now: Instant) -> Bool { true }
        func examine(_ round: inout DoctorRound) { round.walk = nil }
        func apply(_ change: NodeChange, _ speaker: inout Speaker, now: Instant) {}
        func link(_ name: String) -> (link: LinkState, address: IPAddress?)? { nil }
        func read(_ speaker: inout Speaker) {}
        func resolve(_ speaker: inout Speaker) {}
        func take(_ changes: [LocRIBChange], _ speaker: inout Speaker, now: Instant) {}
        func reconcile(_ speaker: inout Speaker, now: Instant, breathe: (inout Speaker) -> Void) -> Bool { false }
        func fill(_ status: inout DaemonStatus) {}
        func findings() -> [Finding] { [] }
        func endpointStatus() -> [EndpointStatus] { [] }
        func fibPage(_ wanted: Prefix?, from start: PageCursor, _ limit: PageLimit) -> Page<FIBStatus> { Page() }
        func fibRow(_ prefix: Prefix) -> FIBStatus? { nil }
    }

    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))
    private static let second = IPAddress(v4: 0xC000_0202)
    private static let far = IPAddress(v4: 0xCB00_7109)
    private static let own = IPAddress(v4: 0x0A00_0009)

    /// Peers with BFD: on a second subnet of this host, behind a router, and on the Node's subnet.
    private static func loaded() -> LoadedConfiguration {
        let peers = ["second": second, "far": far, "own": own].map { name, address in
            "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: \(name)}\nspec: {peerIP: \(address), "
                + "asNumber: 65000, bfd: {}}\n---\n"
        }
        let node =
            "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n}\nspec: {bgp: {ipv4Address: "
            + "10.0.0.1/24, ipv6Address: 'fd00::1/64', ipv4IPIPTunnelAddr: 10.65.0.1}}\n"
        let configuration =
            "---\napiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\nspec: {bindMode: "
            + "NodeIP, localWorkloadPeeringIPV4: 127.0.0.9}\n"
        let resources = ResourceSet(
            [ResourceParser.parse(peers.joined() + node + configuration, file: "x.yaml")], files: ["x.yaml"],
            previous: ResourceSet())
        return LoadedConfiguration(resources: resources, secrets: Secrets())
    }

    /// Peering over a plane, with its speaker.
    private static func targets(
        _ plane: any ForwardingPlane, isReflector: Bool, _ body: (Peering, inout Speaker) -> Void
    ) throws {
        let now = Instant(nanoseconds: 1_000_000_000)
        let transport = MemoryTransport()
        var speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 16, recordsChanges: false, restart: RestartState(),
            seed: 1, now: now)
        let peering = Peering(
            node: "n", isReflector: isReflector, identity: identity, first: loaded(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        peering.apply(ResourceChange(whole: loaded()), speaker: &speaker, plane: plane, transport: transport, now: now)
        body(peering, &speaker)
    }

    @Test func `BFD is single hop to whom the kernel has on a link, whatever the Node's subnet is`() throws {
        let plane = Links([Self.second])
        try Self.targets(plane, isReflector: false) { peering, _ in
            #expect(
                peering.bfdTargets(plane).mapValues(\.isMultihop) == [
                    Self.second: false, Self.far: true, Self.own: true,
                ])
        }
    }

    @Test func `a reflector, which does not know routes, goes by the subnets of its host's addresses and of its Node`()
        throws
    {
        let blind = NoForwarding()
        try Self.targets(blind, isReflector: true) { peering, _ in
            #expect(
                peering.bfdTargets(blind).mapValues(\.isMultihop) == [
                    Self.second: true, Self.far: true, Self.own: false,
                ])
        }
        let plane = NoForwarding(addresses: {
            [
                InterfaceAddress(
                    interface: InterfaceIndex(rawValue: 3), address: IPAddress(v4: 0xC000_0201), prefixLength: 24)
            ]
        })
        try Self.targets(plane, isReflector: true) { peering, _ in
            #expect(
                peering.bfdTargets(plane).mapValues(\.isMultihop) == [
                    Self.second: false, Self.far: true, Self.own: false,
                ])
        }
    }

    @Test
    func
        `a BFD session that is up stays what it is while its link fails, and is another one when it has reported that`()
        throws
    {
        let plane = Links([Self.second])
        try Self.targets(plane, isReflector: false) { peering, _ in
            func report(_ state: BFDState) {
                let report = BFDReport(
                    peer: Self.second, state: state, isFailure: state == .down, diagnostic: .none, isIndependent: false)
                _ = peering.take(report)
            }
            #expect(peering.bfdTargets(plane)[Self.second]?.isMultihop == false)
            report(.up)
            plane.onLink = []
            #expect(peering.bfdTargets(plane)[Self.second]?.isMultihop == false)
            let revision = peering.revision
            report(.down)
            #expect(peering.revision > revision && peering.bfdTargets(plane)[Self.second]?.isMultihop == true)
        }
    }

    @Test(arguments: [false, true])
    func `the Node's addresses, inside tunnels too, and those of listeners are our own in every mode`(isReflector: Bool)
        throws
    {
        try Self.targets(NoForwarding(), isReflector: isReflector) { _, speaker in
            let wanted = ["10.0.0.1", "fd00::1", "10.65.0.1", "127.0.0.9"].compactMap { IPAddress($0) }
            let known = speaker.importPolicy.ownAddresses
            #expect(known == Set(wanted))
        }
    }
}
