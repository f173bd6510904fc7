import NetTypes
import Resources
import Testing

/// What dumps of Calico's own tools contain is accepted as it is.
@Suite struct CalicoDumpTests {
    @Test(arguments: [
        ("BGPFilter", "importV4: [{action: Accept, source: RemotePeers}]"),
        ("BGPPeer", "peerSelector: has(rr), asNumber: 0"), ("BGPPeer", "peerIP: '', peerSelector: has(rr)"),
        ("BGPPeer", "peerIP: 10.0.0.9, asNumber: '65001'"),
        ("BlockAffinity", "node: n, cidr: 10.65.1.0/26"),
        ("BlockAffinity", "node: n, cidr: 10.65.1.0/26, state: confirmed, deleted: ''"),
    ])
    func `it is no problem`(kind: String, spec: String) {
        #expect(problems(object(kind, "x", spec)).isEmpty)
    }

    @Test func `a block without a state is confirmed, and one with an empty 'deleted' is there`() {
        let text =
            object("BlockAffinity", "a", "node: n, cidr: 10.65.1.0/26")
            + object("BlockAffinity", "b", "node: n, cidr: 10.65.2.0/26, state: confirmed, deleted: ''")
            + object("BlockAffinity", "c", "node: n, cidr: 10.65.3.0/26, state: pending")
        let set = ResourceSet([ResourceParser.parse(text, file: "r.yaml")], files: ["r.yaml"], previous: ResourceSet())
        #expect(set.blocks(of: "n").map { "\($0)" } == ["10.65.1.0/26", "10.65.2.0/26"])
    }

    @Test func `an empty peerIP alone names no peer`() {
        #expect(problems(object("BGPPeer", "x", "peerIP: '', asNumber: 65001"))[0].contains("spec.peerIP: is missing"))
    }

    @Test func `an AS other than 0 beside a selector stays a problem`() {
        #expect(problems(object("BGPPeer", "x", "peerSelector: has(rr), asNumber: 65001"))[0].contains("peerSelector"))
    }
}
