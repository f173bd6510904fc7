import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import Resources
import StatusAPI
import Testing
import Wording

@testable import Node
@testable import Transport

/// `shutdown` of a BGPPeer (RFC 9003).
@Suite struct ShutdownTests {
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private static func resources(_ fields: String) -> ResourceParser.Parsed {
        ResourceParser.parse(
            """
            apiVersion: projectcalico.org/v3
            kind: Node
            metadata: {name: n}
            spec: {bgp: {ipv4Address: 10.0.0.1/24}}
            ---
            apiVersion: projectcalico.org/v3
            kind: BGPPeer
            metadata: {name: p}
            spec: {peerIP: 10.0.0.9, asNumber: 64999\(fields)}
            """, file: "x.yaml")
    }

    @Test(
        arguments: [
            ("", nil), (", shutdown: \"\"", "shutdown"), (", shutdown: maintenance", "shutdown: maintenance"),
            (", shutdown: ~", nil),
        ] as [(String, String?)])
    func `an empty text keeps the peer down as any text does, and no text at all does not`(
        fields: String, reason: String?
    ) throws {
        let parsed = Self.resources(fields)
        #expect(parsed.problems.isEmpty)
        let loaded = LoadedConfiguration(
            resources: ResourceSet([parsed], files: ["x.yaml"], previous: ResourceSet()), secrets: Secrets())
        let now = Instant(nanoseconds: 1_000_000_000)
        var speaker = Speaker(
            identity: Self.identity, tracksNextHops: false, maximumPaths: 16, recordsChanges: false, seed: 1, now: now)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let peering = Peering(node: "n", isReflector: true, identity: Self.identity, first: loaded, logger: logger)
        peering.apply(
            ResourceChange(whole: loaded), speaker: &speaker, plane: NoForwarding(),
            transport: try Transport(openFiles: 1024), now: now)
        #expect(peering.plan.held.map(\.reason.text) == [reason].compactMap { $0 })
        #expect(speaker.peerIndices.count == (reason == nil ? 1 : 0))
    }

    @Test func `a text of more than one byte's length is refused`() {
        let problems = Self.resources(", shutdown: \"\(String(repeating: "x", count: 256))\"").problems.map(
            \.description)
        #expect(problems == ["x.yaml:9: BGPPeer/p: spec.shutdown: has 256 bytes; at most 255 are possible"])
        #expect(Self.resources(", shutdown: \"\(String(repeating: "x", count: 255))\"").problems.isEmpty)
    }
}
