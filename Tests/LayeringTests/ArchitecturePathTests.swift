import Foundation
import Testing

/// docs/ARCHITECTURE.md leads a reader to files: each must be where it says.
@Suite struct ArchitecturePathTests {
    @Test func `every path below a target is one of Sources`() throws {
        let root = LayeringTests.root
        let text = try String(contentsOf: root.appending(path: "docs/ARCHITECTURE.md"), encoding: .utf8)
        let targets = Set(try FileManager.default.contentsOfDirectory(atPath: root.path + "/Sources"))
        var found = 0
        for match in text.matches(of: /`([A-Z]\w+(?:\/[\w+]+)+)(?:\.swift|\.\w+)?`/) {
            let name = String(match.1)
            guard let target = name.split(separator: "/").first, targets.contains(String(target)) else { continue }
            found += 1
            let path = root.path + "/Sources/" + name
            #expect(
                FileManager.default.fileExists(atPath: path + ".swift") || FileManager.default.fileExists(atPath: path),
                "\(name)")
        }
        #expect(found > 50)
    }
}
