import NetTypes
import Resources
import Testing

@Suite struct SelectorTests {
    static let labels = ["role": "rr", "rack": "a-7", "x/y": ""]

    @Test(arguments: [
        ("", true), ("all()", true), ("role == 'rr'", true), ("role == \"rr\"", true), ("role != 'rr'", false),
        ("nolabel != 'x'", true),
        ("has(role)", true), ("!has(role)", false), ("has(x/y)", true), ("role in {'a', 'rr'}", true),
        ("role not in {'a'}", true), ("nolabel in {'a'}", false),
        ("nolabel not in {'a'}", true), ("rack contains '-'", true), ("rack starts with 'a'", true),
        ("rack ends with '7'", true), ("rack ends with '8'", false),
        ("has(no) || has(role) && has(rack)", true), ("(has(no) || has(role)) && has(no)", false),
        ("!(role == 'rr' && has(no))", true), ("global()", false),
        ("!!has(role)", true),
    ])
    func `a selector matches as Calico's does`(text: String, expected: Bool) throws {
        #expect(try Selector(text).matches(Self.labels) == expected)
    }

    @Test(arguments: [
        "role", "role ==", "role == rr", "role = 'rr'", "has(", "has()", "in {'a'}", "role in 'a'", "&& has(a)",
        "has(a) has(b)", "'x' == 'y'", "role == 'x", "foo()",
        "a == 'b' ||", "role starts 'x'", "§",
    ])
    func `what is no selector is refused`(text: String) { #expect((try? Selector(text)) == nil) }

    @Test func `nesting is bounded`() {
        #expect((try? Selector(String(repeating: "(", count: 50) + "all()" + String(repeating: ")", count: 50))) != nil)
        #expect((try? Selector(String(repeating: "!", count: 100_000) + "all()")) == nil)
    }

    @Test(arguments: [("90s", 90.0), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("0", 0), ("1.5s", 1.5)])
    func `durations are Go's`(text: String, seconds: Double) { #expect(GoDuration.parse(text)?.inSeconds == seconds) }
    @Test(arguments: ["", "90", "s", "-5s", "5 s", "1x", "NaN", "infs", "1e400"]) func `other durations are refused`(
        text: String
    ) { #expect(GoDuration.parse(text) == nil) }
    @Test(arguments: [
        "9999999999h", "153722868m", "2562048h", "9223372036854775808ns", "1000000000000000000000000000000s",
    ])
    func `durations beyond all bounds count as very long`(text: String) {
        #expect(GoDuration.parse(text).map { $0 >= .seconds(1_000_000_000) } == true)
    }
    @Test(arguments: ["100ms", "65535s", "24h", "0s", "1us", "7ns"]) func `durations are written as they are read`(
        text: String
    ) {
        #expect(GoDuration.parse(text).map { GoDuration.text($0) } == text)
    }
}
