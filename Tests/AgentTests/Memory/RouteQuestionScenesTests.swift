import BGPRouting
import FIB
import NetTypes
import Node
import Status
import StatusAPI
import Testing

/// `apusctl routes` with its selections: what one agent says that it sends another is what the other says that it
/// received.
@Suite struct RouteQuestionScenesTests {
    private static func rows(_ scene: HealthScene, _ select: RouteSelect?, node: String = "node1") throws
        -> StatusAnswer
    {
        let question = try StatusQuestion(StatusRequest(.routes, select: select))
        let builder = StatusBuilder(
            try #require(scene.network.nodes[node]?.core), meter: LoopMeter(started: scene.network.now),
            mode: NodeMode(isReflector: false, isDryRun: false))
        return builder.answer(question)
    }

    /// Node 1's block with a community and a path that filters change on both sides.
    private static func scene(peerAS: Int) throws -> HealthScene {
        let scene = try HealthScene()
        let filters =
            HealthScene.object(
                "BGPFilter", "out",
                "exportV4: [{action: Accept, cidr: 10.65.0.0/16, matchOperator: In, operations: [{addCommunity: "
                    + "{value: '65000:7'}}]}]")
            + HealthScene.object(
                "BGPFilter", "in",
                "importV4: [{action: Accept, cidr: 10.65.1.0/26, matchOperator: Equal, operations: [{addCommunity: "
                    + "{value: '65000:9'}}]}, {action: Reject, cidr: 10.65.1.0/24, matchOperator: In}]")
        for number in [1, 2] {
            let node = try #require(scene.network.nodes["node\(number)"])
            let ownAS = number == 1 ? 64512 : peerAS
            let otherAS = number == 1 ? peerAS : 64512
            node.files["filters.yaml"] = filters
            node.files["node.yaml"] = HealthScene.object(
                "Node", "node\(number)", "bgp: {ipv4Address: 10.0.1.\(number)/24, asNumber: \(ownAS)}")
            node.files["peers.yaml"] = HealthScene.object(
                "BGPPeer", "p\(3 - number)",
                "peerIP: 10.0.1.\(3 - number), asNumber: \(otherAS), filters: [\(number == 1 ? "out" : "in")]")
        }
        if peerAS != 64512 {
            // Another AS number of our own is taken over by a restart.
            let node = try #require(scene.network.nodes["node2"])
            node.kill()
            try node.start(now: scene.network.now)
        }
        try scene.node.files["more.yaml"] = HealthScene.object(
            "BlockAffinity", "more", "node: node1, cidr: 10.65.1.128/26, state: confirmed")
        let isReady = scene.network.run {
            (try? rows(scene, RouteSelect(peer: "10.0.1.1"), node: "node2").routes?.count) == 2
                && (try? rows(scene, RouteSelect(peer: "10.0.1.2"), node: "node1").routes?.count) == 1
        }
        #expect(isReady)
        return scene
    }

    private struct Seen: Equatable {
        var prefix, nextHop, asPath, origin: String
        var localPref, med: UInt32?
        var communities: [String]
        init(_ row: RouteStatus) {
            (prefix, nextHop, asPath, origin) = (row.prefix, row.nextHop ?? "", row.asPath, row.origin)
            (localPref, med, communities) = (row.localPref, row.med, row.communities)
        }
    }

    @Test(arguments: [64512, 65010]) func `what is advertised is what the peer received, attribute by attribute`(
        peerAS: Int
    ) throws {
        let scene = try Self.scene(peerAS: peerAS)
        func seen(_ node: String, _ select: RouteSelect) throws -> [Seen] {
            try #require(try Self.rows(scene, select, node: node).routes).map { Seen($0) }.sorted {
                $0.prefix < $1.prefix
            }
        }
        let sent = try seen("node1", RouteSelect(peer: "10.0.1.2", side: .advertised))
        let received = try seen("node2", RouteSelect(peer: "10.0.1.1", side: .received))
        #expect(sent == received && sent.count == 2)
        #expect(sent.allSatisfy { $0.communities == ["65000:7"] && $0.nextHop == "10.0.1.1" })
        #expect(sent.allSatisfy { $0.asPath == (peerAS == 64512 ? "" : "64512") })
        let waiting = try Self.rows(scene, RouteSelect(peer: "10.0.1.2", side: .advertised)).routes?.map(\.isWaiting)
        #expect(waiting == [false, false])
    }

    @Test func `what is accepted is what import policy left, as it changed it`() throws {
        let scene = try Self.scene(peerAS: 65010)
        let accepted = try #require(
            try Self.rows(scene, RouteSelect(peer: "10.0.1.1", side: .accepted), node: "node2").routes)
        #expect(accepted.map(\.prefix) == ["10.65.1.0/26"])
        #expect(accepted.first?.communities.contains("65000:9") ?? false)
        let refused = try #require(
            try Self.rows(scene, RouteSelect(peer: "10.0.1.1"), node: "node2").routes?.filter { $0.ineligible != nil })
        #expect(refused.map(\.prefix) == ["10.65.1.128/26"] && refused.first?.ineligible == .rejectedByFilter)
    }

    @Test func `best paths, a community and the AS that originates select`() throws {
        let scene = try Self.scene(peerAS: 65010)
        func prefixes(_ select: RouteSelect) throws -> Set<String> {
            Set(try Self.rows(scene, select, node: "node2").routes?.map(\.prefix) ?? [])
        }
        #expect(try prefixes(RouteSelect(best: true)) == ["10.65.1.0/26", "10.65.2.0/26"])
        #expect(try prefixes(RouteSelect(community: "65000:9")) == ["10.65.1.0/26"])
        #expect(try prefixes(RouteSelect(community: "65000:007")) == ["10.65.1.0/26", "10.65.1.128/26"])
        #expect(try prefixes(RouteSelect(community: "no-export")) == [])
        #expect(try prefixes(RouteSelect(originAS: 64512)) == ["10.65.1.0/26", "10.65.1.128/26"])
        // Our own routes have an empty AS_PATH.
        #expect(try prefixes(RouteSelect(originAS: 65010)) == ["10.65.2.0/26"])
        #expect(try prefixes(RouteSelect(best: true, originAS: 64512)) == ["10.65.1.0/26"])
    }

    @Test func `a peer that there is not, or that has no session, is said to be so`() throws {
        let scene = try HealthScene()
        #expect(try Self.rows(scene, RouteSelect(peer: "10.0.1.9")).error == "no peer has the address 10.0.1.9")
        scene.network.cut("switch")
        #expect(
            scene.network.run(.seconds(200)) {
                (try? Self.rows(scene, RouteSelect(peer: "10.0.1.2", side: .advertised)).error)
                    == "no session with 10.0.1.2 is up, so that nothing is advertised to it"
            })
    }

    @Test(arguments: ["", "65000", "65000:", "65536:1", "a:b", "1:2:3:4", "1:4294967296:3"])
    func `a community that is none is refused, with what would be right`(text: String) {
        #expect {
            try StatusQuestion(StatusRequest(.routes, select: RouteSelect(community: text)))
        } throws: {
            ($0 as? RequestError)?.text.contains("write it as 65000:100") ?? false
        }
    }

    @Test func `a side without a peer is refused`() {
        #expect(throws: RequestError.self) {
            try StatusQuestion(StatusRequest(.routes, select: RouteSelect(side: .advertised)))
        }
    }
}
