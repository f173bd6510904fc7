import Foundation
import Testing

/// docs/migrating-from-calico.md says of each statement which test shows it.
@Suite struct MigrationPageTests {
    @Test func `every test that the page names is there`() throws {
        let root = LayeringTests.root
        var names: Set<String> = []
        let folder = root.appending(path: "Tests")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /func\s+`([^`]+)`/) { names.insert(String(match.1)) }
        }
        let page = try String(
            contentsOf: root.appending(path: "docs/migrating-from-calico.md"), encoding: .utf8)
        let named = page.matches(of: /<!-- test: (.+?) -->/).map { String($0.1) }
        for name in named { #expect(names.contains(name), "\(name)") }
        #expect(named.count > 30)
        let conformance = try String(contentsOf: root.appending(path: "docs/conformance.md"), encoding: .utf8)
        for match in page.matches(of: /<!-- conformance: (.+?) -->/) {
            #expect(conformance.contains("| \(match.1) |"), "\(match.1)")
        }
        // Each row of the table of differences says its reason and a way to Calico's behavior, and names a test.
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| Apus") }
        #expect(rows.count > 20 && rows.allSatisfy { $0.split(separator: "|").count == 3 })
        #expect(rows.allSatisfy { $0.contains("<!-- ") })
    }
}
