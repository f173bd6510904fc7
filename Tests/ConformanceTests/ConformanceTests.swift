import Foundation
import Synchronization
import Testing

@Suite(.serialized) struct ConformanceTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    @Test(arguments: Conformance.items, Wire.Mode.allCases) func `what peers can see of a BGP speaker`(
        item: Conformance.Item, mode: Wire.Mode
    ) throws {
        switch item.kind {
        case .check(let check):
            try Wire.$mode.withValue(mode) { try check() }
            let violations = Wire.violations.withLock { all in
                defer { all = [] }
                return all
            }
            #expect(violations.isEmpty, "what the speaker sent is not what a strict reader takes")
        case .lab(let name): #expect(Self.allTests.contains("`\(name)`"), "no test is named \(name)")
        case .notApplicable(let reason): #expect(!reason.isEmpty)
        }
    }

    /// The sources of all tests: a line that a lab shows names one that is there.
    static let allTests: String = {
        let folder = root + "/Tests"
        let files =
            FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }.filter {
                $0.hasSuffix(".swift")
            } ?? []
        return files.compactMap { try? String(contentsOfFile: folder + "/" + $0, encoding: .utf8) }.joined()
    }()

    @Test func `every line of the list is here once, in order`() {
        #expect(Conformance.items.map(\.number) == Array(1...Conformance.count))
    }

    @Test func `docs_conformance is what the checks say`() throws {
        var text = """
            # Conformance

            What a BGP speaker does that its peers can see: \(Conformance.count) behaviours, each with the check that \
            shows it. This page is written from what the checks
            in `Tests/ConformanceTests` did (`make conformance`); a test fails where the two differ. Every check is \
            made of an agent's speaker and of a reflector's.

            N(c,s) is a NOTIFICATION of code c and subcode s, after which the connection closes. *withdraw* and \
            *discard* are the outcomes of RFC 7606.

            | line | behaviour | source | outcome |
            |---|---|---|---|

            """
        for item in Conformance.items {
            let outcome: String
            switch item.kind {
            case .check(let check):
                let failures = Wire.Mode.allCases.compactMap { mode -> String? in
                    do {
                        try Wire.$mode.withValue(mode) { try check() }
                        return nil
                    } catch {
                        return "FAILS in an \(mode.rawValue): \(error)"
                    }
                }
                outcome = failures.isEmpty ? "holds" : failures.joined(separator: "; ")
            case .lab(let name): outcome = "shown by the test ‘\(name)’"
            case .notApplicable(let reason): outcome = "does not apply: \(reason)"
            }
            text +=
                "| \(item.number) | \(item.text.replacingOccurrences(of: "|", with: "\\|")) | \(item.source) | "
                + "\(outcome) |\n"
        }
        let path = Self.root + "/docs/conformance.md"
        if ProcessInfo.processInfo.environment["APUS_WRITE_DOCS"] != nil {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(
            try String(contentsOfFile: path, encoding: .utf8) == text,
            "docs/conformance.md is not up to date: make conformance")
    }
}
