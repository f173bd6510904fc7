import Planning
import Testing

/// Regular expressions for names of interfaces.
@Suite struct NamePatternTests {
    @Test(arguments: [
        ("eth0", "eth0", true), ("eth0", "eth1", false), ("eth", "veth3", true), ("^eth", "veth3", false),
        ("eth.*", "eth", true), ("^eth.+$", "eth", false), ("^eth[01]$", "eth1", true), ("^eth[01]$", "eth2", false),
        ("^eth[^01]$", "eth2", true), ("^(eth|ens)[0-9]+$", "ens192", true), ("^(?:eth|ens)\\d$", "ens1", true),
        ("^(eth|ens)[0-9]+$", "bond0", false), ("^en(p[0-9]s)?[0-9]$", "en1", true),
        ("^en(p[0-9]s)?[0-9]$", "enp3s0", true), ("^e\\.1$", "e.1", true), ("^e\\.1$", "ex1", false),
        ("^a{3}$", "aaa", true), ("^a{3}$", "aa", false), ("0$", "eth0", true), ("0$", "eth0.1", false),
        ("^$", "eth0", false), ("a|", "eth0", true), ("^[]a]$", "]", true), ("^[a-]$", "-", true),
        ("^\\w+$", "a_1", true), ("^\\W$", "-", true), ("^eth.*?$", "eth7", true), ("(a*)*b", "aaab", true),
        ("(|a)+$", "b", true), ("^ETH", "eth0", false),
    ])
    func `an expression matches a name as in Go`(pattern: String, name: String, matches: Bool) throws {
        #expect(try NamePattern(pattern).matches(name) == matches)
    }

    @Test(arguments: [
        ("", "empty"), ("eth[0", "'[' has no ']'"), ("(eth", "'(' has no ')'"), ("eth)", "')' has no '('"),
        ("*", "nothing to repeat"), ("a**", "repeated"), ("a\\", "ends with"), ("\\bx", "not supported"),
        ("[z-a]", "backwards"), ("a{2", "a comma separates"), ("a{0}", "1 to 100"), ("(?i)a", "'(?:' alone"),
        (String(repeating: "a", count: 257), "longer than 256"), ("((a{100}){100}){100}", "too large"),
        (String(repeating: "(", count: 20) + String(repeating: ")", count: 20), "too deeply"),
    ])
    func `what is no expression is named`(pattern: String, message: String) {
        let error = #expect(throws: NamePattern.SyntaxError.self) { try NamePattern(pattern) }
        #expect(error?.description.contains(message) ?? false, "\(String(describing: error))")
    }

    @Test func `an expression that makes others try for years is bounded`() throws {
        let pattern = try NamePattern("^(a+)+(a|aa)+(.*.*.*.*)*x$")
        #expect(!pattern.matches(String(repeating: "a", count: 4000)))
    }
}
