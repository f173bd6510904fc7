import NetTypes
import StatusAPI
import Testing

/// Requests as nobody's apusctl sends them. Whatever the line, it becomes a validated question or a sentence, and
/// nothing traps.
@Suite struct HostileRequestTests {
    private func refusal(_ line: String) -> String? {
        do throws(RequestError) {
            _ = try StatusCodec.question(Array(line.utf8))
            return nil
        } catch {
            return error.text
        }
    }

    @Test(arguments: ["routes", "fib"], [-1, .min, -2_147_483_649]) func `a negative cursor is refused`(
        command: String, cursor: Int
    ) throws {
        let text = try #require(refusal("{\"command\":\"\(command)\",\"cursor\":\(cursor)}"))
        #expect(text.contains("negative"))
    }

    @Test func `a cursor beyond every table is taken as it is`() throws {
        #expect(
            try StatusCodec.question(Array("{\"command\":\"fib\",\"cursor\":\(Int.max)}".utf8))
                == .fib(nil, try #require(PageCursor(.max))))
    }

    @Test(arguments: [
        "", "{", "[]", "null", "0", "\"routes\"", "{\"command\":\"shutdown\"}", "{\"command\":7}",
        "{\"command\":\"routes\",\"cursor\":1.5}",
        "{\"command\":\"routes\",\"cursor\":1e400}", "{\"command\":\"routes\",\"cursor\":9223372036854775808}",
        "{\"command\":\"routes\",\"cursor\":\"0\"}",
        "{\"command\":\"routes\",\"argument\":[]}", "{\"command\":\"routes\",\"argument\":\"10.0.0.0/33\"}",
        "{\"command\":\"why\"}", "{\"command\":\"why\",\"argument\":\"\"}",
        "{\"command\":\"fib\",\"argument\":\"10.0.0.0/99999999999999999999\"}",
        "{\"command\":\"routes\",\"argument\":\"::/-1\"}",
    ]) func `what is no question is refused with a sentence`(line: String) throws {
        let text = try #require(refusal(line))
        #expect(!text.isEmpty)
    }

    @Test func `sizes are bounded: the line, the argument, the message to a peer, and how deep objects lie`() throws {
        let long = String(repeating: "x", count: 3000)
        #expect(try #require(refusal("{\"command\":\"peer\",\"argument\":\"\(long)\"}")).contains("longer"))
        #expect(
            try #require(refusal("{\"command\":\"reset\",\"argument\":\"a\",\"text\":\"\(long)\"}")).contains("255"))
        #expect(
            try #require(refusal("{\"command\":\"peer\",\"argument\":\"\(long + long)\"}")).contains("longer than 4096")
        )
        for nesting in ["[", "{\"command\":"] {
            #expect(refusal(String(repeating: nesting, count: 4000 / nesting.count)) != nil)
        }
        #expect(
            try StatusCodec.question(Array("{\"command\":\"reset\",\"argument\":\"a\",\"text\":\"later\"}".utf8))
                == .order(.reset("a", all: false, text: "later")))
    }

    @Test(
        arguments: [[0xFF, 0xFE], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0, 0, 0, 0x7B], [0xEF, 0xBB, 0xBF]] as [[UInt8]])
    func `bytes that are no UTF-8 are refused`(bytes: [UInt8]) {
        #expect(throws: RequestError.self) {
            try StatusCodec.question(Array("{\"command\":\"peer\",\"argument\":\"".utf8) + bytes + Array("\"".utf8))
        }
        #expect(throws: RequestError.self) { try StatusCodec.question(bytes) }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `requests made at random never trap`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var accepted = 0
        for _ in 0..<5000 {
            let line = HostileRequestTests.randomLine(&random)
            // What is accepted holds only values that can be used as they are.
            switch try? StatusCodec.question(line) {
            case .routes(_, let cursor)?: #expect(cursor.position >= 0, "seed \(seed): \(line)")
            case .fib(_, let cursor)?: #expect(cursor.position >= 0, "seed \(seed): \(line)")
            case .order(.reset(_, _, let text))?: #expect(text.utf8.count <= 255, "seed \(seed): \(line)")
            case nil: continue
            default: break
            }
            accepted += 1
        }
        #expect(accepted > 100, "seed \(seed): the generator makes hardly any valid request")
    }

    /// A request with hostile values, one in two with bytes that were changed, cut or doubled.
    private static func randomLine(_ random: inout SeededRandom) -> [UInt8] {
        let commands = [
            "status", "peers", "peer", "routes", "endpoints", "fib", "why", "refresh", "reset", "doctor", "fib release",
            "no such",
        ]
        let values = [
            "-1", "0", "2000", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e30", "1e400",
            "-0.0", "null", "true", "[]", "{}", "\"\"", "\"10.0.0.0/8\"",
            "\"::/0\"", "\"10.0.0.1\"", "\"fe80::1%eth0\"", "\"10.0.0.0/-1\"", "\"\\u0000\"", "\"\\ud800\"", "\"a/b\"",
            "\"\(String(repeating: "9", count: Int.random(in: 0...600, using: &random)))\"",
            String(repeating: "[", count: Int.random(in: 0...2000, using: &random)),
        ]
        var fields = ["\"command\":\"\(commands.randomElement(using: &random) ?? "")\""]
        for name in ["argument", "cursor", "text", "limit", "command"] where Int.random(in: 0..<3, using: &random) == 0
        {
            fields.append("\"\(name)\":\(values.randomElement(using: &random) ?? "")")
        }
        var line = Array("{\(fields.shuffled(using: &random).joined(separator: ","))}".utf8)
        guard Bool.random(using: &random) else { return line }
        for _ in 0...Int.random(in: 0...3, using: &random) where !line.isEmpty {
            let place = Int.random(in: 0..<line.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: line[place] = UInt8.random(in: 0...255, using: &random)
            case 1: line.remove(at: place)
            case 2: line.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default: line.removeSubrange(place...)
            }
        }
        return line
    }
}
