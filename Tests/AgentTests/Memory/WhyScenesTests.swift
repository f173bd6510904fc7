import FIB
import NetTypes
import Node
import Status
import StatusAPI
import Testing
import Wording

/// `apusctl why` of pods, blocks and peers, by address and by name, with whole agents in memory.
@Suite struct WhyScenesTests {
    private static func why(_ scene: HealthScene, _ text: String) throws -> StatusAnswer {
        let question = try StatusQuestion(StatusRequest(.why, argument: text))
        let builder = StatusBuilder(
            try #require(try scene.node.core), meter: LoopMeter(started: scene.network.now),
            mode: NodeMode(isReflector: false, isDryRun: false))
        return builder.answer(question)
    }

    @Test(arguments: ["10.65.1.2", "demo/a", "a"])
    func `a pod of this node, by address and by name, has its interface, its route and its announcement`(name: String)
        throws
    {
        let scene = try HealthScene()
        let answer = try Self.why(scene, name)
        #expect(answer.error == nil)
        let pod = try #require(answer.endpoints?.first)
        #expect(pod.name == "demo/a" && pod.interface == "calia" && pod.state == .up)
        #expect(answer.fib?.map(\.prefix) == ["\(pod.addresses[0])/32", "10.65.1.0/26"])
        let best = try #require(answer.routes?.first { $0.isBest })
        #expect(best.prefix == "10.65.1.0/26" && best.announcedTo == ["10.0.1.2"])
    }

    @Test func `a pod whose block is not exported is named all the same`() throws {
        let scene = try HealthScene()
        try scene.node.files["z.yaml"] = HealthScene.object(
            "IPPool", "pods", "cidr: 10.65.0.0/16, disableBGPExport: true")
        scene.network.run(for: .seconds(5))
        let answer = try Self.why(scene, "10.65.1.2")
        #expect(answer.endpoints?.map(\.name) == ["demo/a"] && answer.fib?.first?.prefix == "10.65.1.2/32")
    }

    @Test func `a pod that is not up has its finding`() throws {
        let scene = try HealthScene()
        try scene.node.host.setUp("calia", false)
        scene.network.run(for: .seconds(5))
        let answer = try Self.why(scene, "demo/a")
        #expect(answer.endpoints?.first?.state != .up)
        #expect(answer.findings?.map(\.cause.name) == ["podNotUp"])
    }

    @Test(arguments: ["b1", "BlockAffinity/b1", "10.65.1.0/26"]) func `a block by its name`(name: String) throws {
        let scene = try HealthScene()
        let answer = try Self.why(scene, name)
        #expect(answer.routes?.first?.prefix == "10.65.1.0/26" && answer.routes?.first?.from == "local")
    }

    @Test(arguments: ["p2", "BGPPeer/p2"]) func `a peer by its name, with what is found of it`(name: String) throws {
        let scene = try HealthScene()
        let answer = try Self.why(scene, name)
        #expect(answer.peers?.map(\.address) == ["10.0.1.2"] && answer.findings?.isEmpty ?? false)
        scene.network.cut("switch")
        scene.network.run(for: .seconds(200))
        let later = try Self.why(scene, name)
        #expect(later.findings?.map(\.cause.name) == ["peerDown"])
    }

    @Test func `a peer that is kept down is found, and what is not there is not`() throws {
        let scene = try HealthScene()
        try scene.node.files["more.yaml"] = HealthScene.peer(8, ", filters: [none]")
        scene.network.run(for: .seconds(5))
        let answer = try Self.why(scene, "p8")
        #expect(answer.error == nil && answer.findings?.map(\.cause.name) == ["peerHeldDown"])
        #expect(try Self.why(scene, "p9").error?.hasPrefix("nothing here is called p9") ?? false)
        #expect(throws: RequestError.self) { try StatusQuestion(StatusRequest(.why, argument: "")) }
    }

    @Test func `of two paths the other one says at which step it lost, to whom, and by what`() throws {
        let scene = try HealthScene()
        let third = scene.network.add(
            MemoryNode(
                "node3",
                files: [
                    "n.yaml": HealthScene.fixed + HealthScene.node(3) + HealthScene.peer(1)
                        + HealthScene.object(
                            "BlockAffinity", "b2", "node: node3, cidr: 10.65.2.0/26, state: confirmed")
                ]))
        try scene.network.attach("node3", "switch", interface: "eth0", "10.0.1.3/24")
        try third.start(now: scene.network.now)
        try scene.node.files["more.yaml"] = HealthScene.peer(3)
        let hasBoth = scene.network.run { ((try? Self.why(scene, "10.65.2.0/26").routes?.count) ?? 0) == 2 }
        #expect(hasBoth)
        let routes = try #require(try Self.why(scene, "10.65.2.0/26").routes)
        let best = try #require(routes.first { $0.isBest })
        let loss = try #require(routes.first { !$0.isBest }?.loss)
        #expect(best.from == "10.0.1.2" && best.loss == nil)
        #expect(loss.step == .identifier && loss.against == "10.0.1.2")
        #expect(loss.text == "step 9: router or originator id 10.0.1.3 against 10.0.1.2 of 10.0.1.2")
    }
}
