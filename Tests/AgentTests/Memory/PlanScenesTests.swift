import BGPSpeaker
import Dataplane
import FIB
import Forwarding
import Foundation
import Logging
import NetTypes
import Node
import Rehearsal
import Resources
import Shadow
import Status
import StatusAPI
import Testing

/// `apusctl plan` is held against what happens: each change is forecast, made, and compared.
@Suite struct PlanScenesTests {
    private static let logger = Logger(label: "plan") { _ in SwiftLogNoOpLogHandler() }

    private struct Ground: RehearsalGround {
        nonisolated(unsafe) let host: MemoryHost
        func stage(_ loaded: LoadedConfiguration) throws(HostError) -> RehearsalStage {
            let copy = try HostCopy(of: host).host
            let plane = try KernelForwarding(
                ForwardingSettings(isDryRun: false, maximumPaths: 16, restartTime: .seconds(120)), host: copy,
                logger: logger, now: RehearsedNode.start)
            return RehearsalStage(plane: plane, hasNews: { copy.hasNews }, routes: { Array(copy.routes.own.values) })
        }
    }

    /// What is so: sessions, what their peers are sent, and the kernel's routes.
    private struct State {
        var established: [String: UInt64] = [:]
        var announced: [String: Set<String>] = [:]
        var routes: Set<String> = []
    }

    static let prefixes = ["10.65.1.0/26", "10.65.1.2/32", "10.65.2.0/26", "10.65.9.0/26"]

    private static func state(_ scene: HealthScene) throws -> State {
        let core = try #require(try scene.node.core)
        let builder = StatusBuilder(
            core, meter: LoopMeter(started: scene.network.now), mode: NodeMode(isReflector: false, isDryRun: false))
        var state = State()
        for peer in builder.answer(.peers(.start)).peers ?? [] where peer.state == .established {
            state.established[peer.address] = peer.timesEstablished
        }
        for index in core.speaker.peerIndices {
            guard let address = core.speaker.settings(index)?.address else { continue }
            state.announced["\(address)"] = Set(
                prefixes.filter { text in
                    Prefix(text).map { core.speaker.isAnnounced($0, to: index) } ?? false
                })
        }
        state.routes = Set(try scene.node.kernelRoutes.keys)
        return state
    }

    private static func plan(_ scene: HealthScene, _ text: String, without: [String] = []) throws -> StatusAnswer {
        let core = try #require(try scene.node.core)
        var round = PlanRound(core)
        while !round.isComplete { round.goOn(core) }
        let request = PlanRequest(
            files: text.isEmpty ? [] : [PlanFile(name: "new.yaml", text: text)], isWhole: false, without: without)
        return PlanForecast.run(
            request, round, on: Ground(host: try scene.node.host), logger: logger, secrets: { _ in Secrets() })
    }

    struct Change: Sendable, CustomTestStringConvertible {
        var name: String
        var text = ""
        var without: [String] = []
        var session: SessionChange = .stay
        var isDisruptive = false
        var testDescription: String { name }
    }

    static let changes: [Change] = [
        Change(name: "nothing", text: HealthScene.block(1)),
        Change(
            name: "another block",
            text: HealthScene.object("BlockAffinity", "b9", "node: node1, cidr: 10.65.9.0/26, state: confirmed")),
        Change(name: "a block goes", without: ["BlockAffinity/b1"], isDisruptive: true),
        Change(
            name: "an export filter",
            text: HealthScene.object(
                "BGPFilter", "x", "exportV4: [{action: Reject, matchOperator: In, cidr: 10.65.0.0/16}]")
                + HealthScene.peer(2, ", filters: [x]"), session: .refresh, isDisruptive: true),
        Change(
            name: "an import filter",
            text: HealthScene.object(
                "BGPFilter", "x", "importV4: [{action: Reject, matchOperator: In, cidr: 10.65.2.0/24}]")
                + HealthScene.peer(2, ", filters: [x]"), session: .refresh, isDisruptive: true),
        Change(
            name: "another AS", text: HealthScene.peer(2).replacing("64512", with: "64999"), session: .reset,
            isDisruptive: true),
        Change(name: "the peer goes", without: ["BGPPeer/p2"], session: .vanish, isDisruptive: true),
        Change(
            name: "communities",
            text: HealthScene.object(
                "BGPConfiguration", "default",
                "nodeToNodeMeshEnabled: false, prefixAdvertisements: [{cidr: 10.65.1.0/26, communities: ['65000:1']}]")),
    ]

    @Test(arguments: changes) func `what is forecast is what happens`(change: Change) throws {
        let scene = try HealthScene()
        let before = try Self.state(scene)
        #expect(before.announced == ["10.0.1.2": ["10.65.1.0/26"]])
        let answer = try Self.plan(scene, change.text, without: change.without)
        let report = try #require(answer.plan, "\(answer.error ?? "")")
        let peer = try #require(report.peers.first { $0.address == "10.0.1.2" })
        #expect(peer.change == change.session && report.isDisruptive == change.isDisruptive, "\(report)")
        // Nothing has changed so far.
        #expect(try Self.state(scene).announced == before.announced)
        for object in change.without {
            for (file, text) in try scene.node.files {
                let parts = text.components(separatedBy: "---\n").filter { part in
                    let names = object.split(separator: "/")
                    return !(part.contains("kind: \(names[0])") && part.contains("{name: \(names[1])}"))
                }
                try scene.node.files[file] = parts.joined(separator: "---\n")
            }
        }
        // The files in force have these objects already: they are replaced where they stand.
        if !change.text.isEmpty {
            let keys = change.text.components(separatedBy: "---\n").compactMap { part in
                part.firstMatch(of: /kind: (\w+)\nmetadata: \{name: (\w+)\}/).map { ("\($0.1)", "\($0.2)") }
            }
            for (file, text) in try scene.node.files {
                let parts = text.components(separatedBy: "---\n").filter { part in
                    !keys.contains { part.contains("kind: \($0.0)\n") && part.contains("{name: \($0.1)}") }
                }
                try scene.node.files[file] = parts.joined(separator: "---\n")
            }
            try scene.node.files["new.yaml"] = change.text
        }
        scene.network.run(for: .seconds(40))
        let after = try Self.state(scene)
        let (was, becomes) = (before.announced["10.0.1.2"] ?? [], after.announced["10.0.1.2"] ?? [])
        // A peer of another AS does not come up again; the plan says what it would be sent if it did.
        if change.session != .reset {
            #expect(
                Set(peer.gained.first) == becomes.subtracting(was) && Set(peer.lost.first) == was.subtracting(becomes))
        }
        let ended = after.established["10.0.1.2"] != before.established["10.0.1.2"]
        #expect(ended == [.reset, .vanish].contains(peer.change))
        if change.session != .reset {
            #expect(Set(report.routesGained.first) == after.routes.subtracting(before.routes))
            #expect(
                Set(report.routesLost.first) == before.routes.subtracting(after.routes), "\(report) \(after.routes)")
        }
    }

    @Test func `communities of a block change what is sent, and a peer that comes is sent it`() throws {
        let scene = try HealthScene()
        let last = try #require(Self.changes.last)
        let communities = try #require(try Self.plan(scene, last.text).plan)
        #expect(communities.peers.first?.changed.first == ["10.65.1.0/26"] && !communities.isSame)
        let comes = try #require(try Self.plan(scene, HealthScene.peer(8)).plan)
        let new = try #require(comes.peers.first { $0.address == "10.0.1.8" })
        #expect(
            new.change == .appear
                && new.gained.first == ["10.65.1.0/26", "10.65.2.0/26"].filter { new.gained.first.contains($0) })
        #expect(new.gained.first.contains("10.65.1.0/26") && !comes.isDisruptive)
    }

    @Test(arguments: [
        ("kind: BGPPeer", "apiVersion"),
        (
            "---\napiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: x}\nspec: {peerIP: 10.0.0.300}\n",
            "spec.peerIP"
        ),
        ("{", "new.yaml"),
    ]) func `a bad file is refused with file, line and field, and nothing is forecast`(text: String, words: String)
        throws
    {
        let answer = try Self.plan(try HealthScene(), text)
        #expect(answer.plan == nil && answer.error?.contains("new.yaml") ?? false, "\(answer.error ?? "")")
        #expect(answer.error?.contains(words) ?? false, "\(answer.error ?? "")")
    }

    @Test func `ranges and links are sessions too, and the process keeps its identity until it is started again`()
        throws
    {
        let scene = try HealthScene()
        let range = HealthScene.object("BGPPeer", "r", "listenRange: 10.9.0.0/24, asNumber: 65001")
        let comes = try #require(try Self.plan(scene, range).plan)
        #expect(comes.peers.first { $0.address == "10.9.0.0/24" }?.change == .appear)
        let link = try #require(
            try Self.plan(scene, HealthScene.object("BGPPeer", "l", "interface: eth9, asNumber: 0")).plan)
        #expect(link.peers.first { $0.address == "eth9" }?.change == .appear)
        let identity = HealthScene.object("Node", "node1", "bgp: {ipv4Address: 10.0.1.1/24, asNumber: 65077}")
        let report = try #require(try Self.plan(scene, identity).plan)
        #expect(report.findings.map(\.cause.name) == ["restartNeeded"])
        let secret = ", password: {secretKeyRef: {name: s, key: k}}"
        let held = try #require(try Self.plan(scene, HealthScene.peer(2, secret)).plan)
        let peer = try #require(held.peers.first { $0.address == "10.0.1.2" })
        #expect(peer.change == .vanish && peer.held == .secretMissing(secret: "s/k", file: "s/k"), "\(peer)")
    }

    @Test func `an object that is not there cannot be left out`() throws {
        let answer = try Self.plan(try HealthScene(), "", without: ["BGPPeer/none"])
        #expect(answer.error?.contains("--without BGPPeer/none: there is no such object") ?? false)
        let own = try Self.plan(try HealthScene(), "", without: ["Node/node1"])
        #expect(own.error?.contains("Node/node1 would be gone") ?? false)
    }
}
