import Testing

@testable import NetTypes
@testable import Resources

/// Fields with a few names: typed values that come from the same declaration as the schema.
@Suite struct FieldChoiceTests {
    private static func peer(_ fields: String) throws -> BGPPeer {
        let parsed = ResourceParser.parse(
            "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 10.0.0.9, "
                + "asNumber: 65000, \(fields)}\n",
            file: "p.yaml")
        #expect(parsed.problems.isEmpty, "\(fields): \(parsed.problems)")
        guard case .bgpPeer(let peer)? = parsed.resources.first?.value else { throw Missing() }
        return peer
    }
    private struct Missing: Error {}

    @Test func `each name of a field becomes a value of its own`() throws {
        for role in BGPPeer.Role.allCases { #expect(try Self.peer("role: \(role.rawValue)").role == role) }
        for mode in BGPPeer.NextHopMode.allCases {
            #expect(try Self.peer("nextHopMode: \(mode.rawValue)").nextHopMode == mode)
        }
        for mode in BGPPeer.GracefulRestart.allCases {
            #expect(try Self.peer("gracefulRestart: '\(mode.rawValue)'").gracefulRestart == mode)
        }
        for action in BGPPeer.PrefixLimitAction.allCases {
            #expect(try Self.peer("maxPrefixes: {action: \(action.rawValue)}").maxPrefixesAction == action)
        }
        for algorithm in BGPPeer.TCPAO.Algorithm.allCases {
            let fields =
                "tcpAO: {secretKeyRef: {name: s, key: k}, sendID: 255, receiveID: 0, algorithm: \(algorithm.rawValue)}"
            #expect(try Self.peer(fields).tcpAO?.algorithm == algorithm)
        }
        #expect(try Self.peer("import: all, export: own").importMode == .all)
        #expect(try Self.peer("keepOriginalNextHop: true").nextHopMode == .keep)
    }

    /// What the parser makes of a field whose schema lets more pass than its type has.
    @Test func `a name that the schema knows and the type does not is a problem with file, line and field`() throws {
        enum Color: String, FieldChoice { case red }
        let documents = try YAMLReader.documents("a: red\nb: green\nnumber: 300\n")
        let list = ProblemList(file: "x.yaml")
        let reader = FieldReader(node: try #require(documents.first?.mapping), path: "", line: 1, problems: list)
        reader.validate([
            FieldSpec("a", .choice(["red", "green"]), effect: .live, documentation: ""),
            FieldSpec("b", .choice(["red", "green"]), effect: .live, documentation: ""),
            FieldSpec("number", .integer(0...1000), effect: .live, documentation: ""),
        ])
        #expect(list.problems.isEmpty)
        #expect(
            reader.choice("a", of: Color.self) == .red && reader.choice("b", of: Color.self) == nil
                && reader.number("number", as: UInt8.self) == nil)
        #expect(
            list.problems.map(\.description) == [
                "x.yaml:2: b: \"green\" is none of red", "x.yaml:3: number: 300 is out of range",
            ])
    }

    @Test func `no text that the schema let pass becomes a default or is left out`() throws {
        let text = """
            duration: soon
            address: 10.0.0
            prefix: 10.0.0.0/33
            selector: 'has('
            as: '1.70000'
            flag: maybe
            mac: '02:00'
            paths: many
            community: '65000:70000'
            prefixes: [10.0.0.0/8, 10.1.0.0/33]

            """
        let documents = try YAMLReader.documents(text)
        let list = ProblemList(file: "x.yaml")
        let reader = FieldReader(node: try #require(documents.first?.mapping), path: "", line: 1, problems: list)
        #expect(reader.duration("duration") == nil && reader.address("address") == nil)
        #expect(reader.prefix("prefix") == nil && reader.selector("selector") == nil)
        #expect(reader.asNumber("as") == nil && reader.bool("flag") == nil && reader.mac("mac") == nil)
        #expect(reader.pathCount("paths") == nil && reader.community("community") == nil)
        #expect(reader.prefixes("prefixes").map(\.description) == ["10.0.0.0/8"])
        #expect(
            list.problems.map(\.field) == [
                "duration", "address", "prefix", "selector", "as", "flag", "mac", "paths", "community", "prefixes[1]",
            ])
        #expect(list.problems.allSatisfy { $0.message.hasSuffix("cannot be read") })
    }

    @Test func `what the schema has complained of is not reported twice`() {
        let parsed = ResourceParser.parse(
            "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 10.0.0.9, "
                + "asNumber: 65000, role: boss}\n",
            file: "p.yaml")
        #expect(parsed.resources.isEmpty && parsed.problems.count == 1)
        #expect(
            parsed.problems.first?.description.hasPrefix(
                "p.yaml:4: BGPPeer/p: spec.role: \"boss\" is none of provider, customer") ?? false)
    }
}
