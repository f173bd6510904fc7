import Resources
import Testing

@Suite struct YAMLReaderTests {
    @Test func `nesting without end is refused before it costs a stack`() {
        for text in [String(repeating: "[", count: 20_000), String(repeating: "- ", count: 20_000)] {
            #expect(problems(text) == ["r.yaml:1: not YAML: more than 100 objects and lists within each other"])
        }
    }

    @Test func `aliases that multiply are refused before they cost anything`() throws {
        let tower = (1...9).map { level in
            "a\(level): &a\(level) ["
                + Array(repeating: level == 1 ? "x" : "*a\(level - 1)", count: 10).joined(separator: ",") + "]"
        }
        let found = problems(tower.joined(separator: "\n"))
        #expect(found.count == 1 && found[0].hasPrefix("r.yaml:6: not YAML: more than 1000000 values"), "\(found)")
    }

    @Test func `an anchor stands for its value, JSON is YAML, and what is quoted is text`() throws {
        let yaml = """
            kind: WorkloadEndpoint
            apiVersion: projectcalico.org/v3
            metadata: {name: &name "a"}
            spec: {node: *name, interfaceName: "cali1", ipNetworks: &nets [10.65.1.1/32], mac: null, ipNATs: ~}
            """
        let json =
            "\u{FEFF}"
            + #"{"kind": "WorkloadEndpoint", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "a"}, "spec": {"node": "a", "interfaceName": "cali1", "ipNetworks": ["10.65.1.1/32"]}}"#
        let parsed = [yaml, json].map { ResourceParser.parse($0, file: "r.yaml") }
        #expect(parsed.allSatisfy { $0.problems.isEmpty && $0.resources.count == 1 }, "\(parsed.map(\.problems))")
        #expect(parsed[0].resources[0].value == parsed[1].resources[0].value)
        #expect(
            problems(
                object(
                    "WorkloadEndpoint", "b", "node: n, interfaceName: cali1, ipNetworks: [10.65.1.2/32], mac: \"null\"")
            ).count == 1)
    }
}
