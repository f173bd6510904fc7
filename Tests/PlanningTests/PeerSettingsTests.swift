import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Planning
import Resources
import Testing

/// A BGPPeer as the speaker wants it.
@Suite struct PeerSettingsTests {
    private static let own = object("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}")

    private static func settings(
        _ fields: String, _ more: String = "", address: IPAddress? = IPAddress("10.0.0.9"), isReflector: Bool = false
    ) throws -> PeerSettings {
        let resources = load(own + more + object("BGPPeer", "p", "peerIP: 10.0.0.9, asNumber: 64999, \(fields)"))
        #expect(resources.problems.isEmpty, "\(resources.problems)")
        let planned = try #require(PeeringPlan.peers(of: "n", in: resources).first)
        let identity = try #require(AttributeTable.Identity(resources, node: "n"))
        return PeerSettings(
            planned, try #require(address), resources: resources, node: "n", identity: identity,
            source: IPAddress("10.0.0.1"),
            linkLocal: IPAddress("fe80::1"), isReflector: isReflector)
    }

    @Test func `what is not declared has the documented default`() throws {
        let settings = try Self.settings("holdTime: 90s")
        #expect(
            settings.session.holdTime == 90 && settings.session.restart.time == 120
                && settings.session.offersExtendedMessage)
        #expect(
            settings.nextHop.mode == .auto && settings.maximumPrefixes.action == .restart
                && settings.exportMode == .pools)
        #expect(
            settings.nextHop.addresses == [IPAddress("10.0.0.1"), IPAddress("fd00::1")]
                && settings.nextHop.linkLocal == nil)
        #expect(settings.name == "BGPPeer/p" && !settings.announcesOnlyItself)
    }

    @Test func `an agent passes on what is inside pools, with its AS once more; a reflector as before`() throws {
        let agent = try Self.settings("holdTime: 90s")
        #expect(agent.exportMode == .pools && agent.reexportPrepend == 1)
        let reflector = try Self.settings("holdTime: 90s", isReflector: true)
        #expect(reflector.exportMode == nil && reflector.reexportPrepend == 0)
        for isReflector in [false, true] {
            for (text, mode) in [("own", ExportMode.own), ("pools", .pools), ("all", .all)] {
                let settings = try Self.settings("export: \(text), reexportPrepend: 3", isReflector: isReflector)
                #expect(settings.exportMode == mode && settings.reexportPrepend == 3)
                // On the running session.
                #expect(settings.resetCauses(from: agent).isEmpty)
            }
        }
    }

    @Test func `ADD-PATH goes both ways between nodes, and elsewhere where it is asked for`() throws {
        let node = object("Node", "m", "bgp: {ipv4Address: 10.0.0.9/24}")
        let between = try Self.settings("holdTime: 90s", node)
        #expect(between.session.addPath.sends && between.session.addPath.receives && between.addPathLimit == .max)
        let off = try Self.settings("addPath: {}", node)
        #expect(!off.session.addPath.sends && !off.session.addPath.receives)
        let router = try Self.settings("holdTime: 90s")
        #expect(!router.session.addPath.sends && !router.session.addPath.receives)
        let asked = try Self.settings("addPath: {send: 4}")
        #expect(asked.session.addPath.sends && !asked.session.addPath.receives && asked.addPathLimit == 4)
    }

    @Test func `on a link of its own there is no IPv6 address but the link's`() throws {
        let settings = try Self.settings("holdTime: 90s", address: try #require(IPAddress("fe80::2")).scoped(2))
        #expect(
            settings.nextHop.linkLocal == IPAddress("fe80::1")
                && settings.nextHop.addresses[AddressFamily.ipv6.index] == nil)
        #expect(settings.session.offersExtendedNextHop)
    }

    @Test func `rules of filters keep their order, and the label names filter, field and place`() throws {
        let filter = object(
            "BGPFilter", "f",
            "importV4: [{action: Reject, cidr: 10.1.0.0/16, matchOperator: In}, {action: Accept}], exportV6: "
                + "[{action: Reject}]"
        )
        let settings = try Self.settings("filters: [f]", filter)
        let imports = settings.importSettings.filter
        #expect(
            (0..<2).map { imports.rule($0, .ipv4).label } == ["BGPFilter/f importV4[0]", "BGPFilter/f importV4[1]"])
        #expect(settings.exportFilter.rule(0, .ipv6).label == "BGPFilter/f exportV6[0]")
    }
}
