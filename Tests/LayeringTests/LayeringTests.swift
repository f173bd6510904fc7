import Foundation
import Resources
import Testing

/// The house rules that a machine can check (ARCHITECTURE, hard rules).
@Suite struct LayeringTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// All but the core.
    static let outerTargets = [
        "LinuxIO", "KernelRoutes", "Resources", "ResourceFiles", "Planning", "StatusAPI", "Crypto", "ForwardingPlane",
        "Dataplane", "Node", "Status", "Transport", "Edges", "NodeDaemon", "AgentDaemon",
        "ReflectorDaemon", "apusd", "apusctl",
    ]

    static func sources(_ target: String) throws -> [(name: String, text: String)] {
        let folder = root.appending(path: "Sources/\(target)")
        let files =
            FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }.filter {
                $0.hasSuffix(".swift")
            } ?? []
        #expect(!files.isEmpty, "\(target) has no sources")
        return try files.map { ($0, try String(contentsOf: folder.appending(path: $0), encoding: .utf8)) }
    }

    static func run(_ command: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = root
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    @Test func `nothing in the resolved package graph brings in SwiftNIO`() throws {
        // Its own scratch folder: the one in use is locked by the build that runs this test.
        let scratch = NSTemporaryDirectory() + "apus-graph-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let graph = try Self.run([
            "swift", "package", "--scratch-path", scratch, "show-dependencies", "--format", "json",
        ])
        #expect(
            graph.contains("swift-argument-parser") && graph.contains("swift-log"),
            "the graph could not be read: \(graph)")
        #expect(!graph.lowercased().contains("swift-nio"))
    }

    @Test(arguments: ["NetTypes", "BGPMessages", "BGPSession", "BGPRouting", "BGPSpeaker", "FIB", "BFD"])
    func `the core makes no system call, reads no clock and imports no Foundation`(target: String) throws {
        for (name, text) in try Self.sources(target) {
            let imports = text.split(separator: "\n").filter {
                $0.contains("import ") && !$0.hasPrefix("//") && !$0.hasPrefix(" ")
            }
            for line in imports {
                let module = line.split(separator: " ").last.map(String.init) ?? ""
                #expect(
                    ["NetTypes", "BGPMessages", "BGPSession", "BGPRouting", "FIB", "BFD", "Synchronization"].contains(
                        module), "\(target)/\(name): \(line)")
            }
            #expect(
                !text.contains("ContinuousClock") && !text.contains("SuspendingClock"),
                "\(target)/\(name) reads a clock")
        }
    }

    @Test(arguments: ["Planning", "Resources"])
    func `what is declared and what follows from it is decided without the operating system`(target: String) throws {
        for (name, text) in try Self.sources(target) {
            for word in ["LinuxIO", "CLinux", "Glibc", "Foundation", "ContinuousClock", "SuspendingClock"] {
                #expect(!text.contains(word), "\(target)/\(name): \(word)")
            }
        }
    }

    @Test(arguments: Self.outerTargets)
    func `no more of Foundation than FoundationEssentials, which brings no ICU`(target: String) throws {
        for (name, text) in try Self.sources(target) {
            for line in text.split(separator: "\n") {
                #expect(!line.hasSuffix("import Foundation"), "\(target)/\(name): \(line)")
            }
        }
    }

    /// What a target depends on, itself and through others.
    private static func everything(below target: String, _ graph: [String: [String]]) -> Set<String> {
        var (found, next) = (Set<String>(), [target])
        while let name = next.popLast() { next += (graph[name] ?? []).filter { found.insert($0).inserted } }
        return found
    }

    private struct Description: Decodable {
        struct Target: Decodable {
            var name: String
            var dependencies: [String]?
            enum CodingKeys: String, CodingKey {
                case name
                case dependencies = "target_dependencies"
            }
        }
        var targets: [Target]
    }

    /// The targets of the package with those that each depends on. A target can import no other:
    /// `--explicit-target-dependency-import-check error`.
    private static func dependencies() throws -> [String: [String]] {
        let scratch = NSTemporaryDirectory() + "apus-describe-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let text = try run(["swift", "package", "--scratch-path", scratch, "describe", "--type", "json"])
        let description = try JSONDecoder().decode(Description.self, from: Data(text.utf8))
        return Dictionary(uniqueKeysWithValues: description.targets.map { ($0.name, $0.dependencies ?? []) })
    }

    @Test
    func
        `a reflector reaches nothing that could write a kernel route, what decides reaches no operating system, and arrows only point down`()
        throws
    {
        let graph = try Self.dependencies()
        let kernel: Set = ["Dataplane", "KernelRoutes", "CLibMNL"]
        #expect(Self.everything(below: "AgentDaemon", graph).isSuperset(of: kernel))
        for target in ["ReflectorDaemon", "NodeDaemon", "ForwardingPlane"] {
            #expect(!graph[target, default: []].isEmpty)
            #expect(Self.everything(below: target, graph).isDisjoint(with: kernel), "\(target)")
        }
        #expect(Self.everything(below: "Dataplane", graph).isDisjoint(with: ["Node", "ResourceFiles"]))
        // A node runs without sockets, files and threads, and so do its answers.
        for target in ["Node", "Status"] {
            let around: Set = ["Transport", "Edges", "ResourceFiles", "Dataplane"]
            #expect(Self.everything(below: target, graph).isDisjoint(with: around), "\(target)")
        }
        for target in ["Transport", "Edges"] {
            #expect(Self.everything(below: target, graph).isDisjoint(with: ["Node", "Status"]), "\(target)")
        }
        let system: Set = ["LinuxIO", "CLinux", "KernelRoutes", "CLibMNL"]
        for target in [
            "Planning", "Forwarding", "ForwardingPlane", "Resources", "StatusAPI", "FIB", "BFD", "BGPSpeaker",
        ] {
            #expect(Self.everything(below: target, graph).isDisjoint(with: system), "\(target)")
        }
        #expect(
            !graph["BGPSession", default: []].contains("BGPRouting")
                && !graph["BGPRouting", default: []].contains("BGPSession"))
        #expect(Self.everything(below: "FIB", graph) == ["NetTypes"])
    }

    @Test func `no folder of sources has more than twelve files, but the list of path attributes`() throws {
        let sources = Self.root.appending(path: "Sources")
        let names =
            FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String }.filter {
                $0.hasSuffix(".swift")
            } ?? []
        let folders = Dictionary(grouping: names) { String($0[..<($0.lastIndex(of: "/") ?? $0.startIndex)]) }
        // A folder that is added here has to be a plain list of like things.
        let known: Set = ["BGPMessages/Attributes"]
        for (folder, files) in folders where !known.contains(folder) { #expect(files.count <= 12, "\(folder)") }
    }

    /// Forced unwrapping, casting and trying are refused by the formatter's rules (`.swift-format`, `make lint`).
    @Test func `sources have no fatalError and no TODO`() throws {
        for target in ["NetTypes", "BGPMessages", "BGPSession", "BGPRouting", "BGPSpeaker", "FIB", "BFD"]
            + Self.outerTargets
        {
            for (name, text) in try Self.sources(target) {
                for word in ["fatalError(", "TODO", "FIXME"] {
                    #expect(!text.contains(word), "\(target)/\(name): \(word)")
                }
            }
        }
    }

    @Test func `no pointer is a property that other code reads, and every target is checked for memory safety`() throws
    {
        let manifest = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        #expect(manifest.contains("let memorySafe: [SwiftSetting] = strict + [.strictMemorySafety()]"))
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
            .filter { !$0.hasPrefix("C") }
        #expect(folders.count > 10)
        for target in folders {
            for (name, text) in try Self.sources(target) {
                // A member is indented by 4 at least; a local variable in a function by 8.
                for line in text.split(separator: "\n")
                where line.utf8.contains(UInt8(ascii: ":")) && line.contains("Pointer")
                    && line.contains(
                        /^ {4}( {4})?(?!private )(\w+(\(set\))? )*(let|var) \w+ *: *(\[)?(Unsafe\w*Pointer|OpaquePointer)/
                    )
                {
                    Issue.record("\(target)/\(name): \(line)")
                }
            }
        }
        // Every target of Sources by `core` or with the same settings.
        let block =
            manifest.components(separatedBy: "let package = Package(").last?.components(
                separatedBy: "// A reader of BGP streams"
            ).first ?? ""
        #expect(!block.contains("swiftSettings: strict)"), "a target is built without strict memory safety")
    }

    @Test func `each page of docs_decisions has a number of its own, a date and a status`() throws {
        let folder = Self.root.appending(path: "docs/decisions")
        let pages = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }
            .sorted()
        #expect(pages.map { String($0.prefix(4)) } == pages.indices.map { String(10_001 + $0).dropFirst().description })
        for page in pages {
            let lines = try String(contentsOf: folder.appending(path: page), encoding: .utf8).split(separator: "\n")
            #expect(lines[0].hasPrefix("# ") && !lines[0].contains(page.prefix(4)), "\(page): \(lines[0])")
            let status = /Date: \d{4}-\d\d-\d\d\. Status: (accepted|superseded by \d{4})\./
            #expect(lines[1].wholeMatch(of: status) != nil, "\(page): \(lines[1])")
        }
    }

    @Test func `apus_resources 5 has every field as it is declared`() throws {
        let page = try String(contentsOf: Self.root.appending(path: "man/apus.resources.5"), encoding: .utf8)
        let begin = try #require(page.range(of: ".\\\" BEGIN GENERATED\n"))
        let end = try #require(page.range(of: ".\\\" END GENERATED"))
        #expect(String(page[begin.upperBound..<end.lowerBound]) == ManualFields.mdoc(), "run make man")
    }

    @Test(arguments: ["apusd.8", "apusctl.8", "apus-load.8", "apus.resources.5"])
    func `mandoc has nothing to say of the man pages`(page: String) throws {
        let said = try Self.run(["mandoc", "-Tlint", "-Wwarning", Self.root.appending(path: "man/\(page)").path])
        #expect(said.isEmpty, "\(said)")
    }
}

/// What comments cite can be read.
@Suite struct CitationTests {
    @Test func `no comment cites a document that is not in the repository`() throws {
        let root = LayeringTests.root
        let names = try LayeringTests.run(["git", "ls-files", "Sources", "Tests", "Benchmarks", "docs", "README.md"])
            .split(separator: "\n").map(String.init)
        #expect(names.count > 200)
        let contract = try String(contentsOf: root.appending(path: "docs/contract.md"), encoding: .utf8)
        let promises = try String(contentsOf: root.appending(path: "docs/promises.md"), encoding: .utf8)
        for name in names where name.hasSuffix(".swift") || name.hasSuffix(".md") {
            let text = try String(contentsOf: root.appending(path: name), encoding: .utf8)
            for word in ["SP" + "EC", "DES" + "IGN", "STY" + "LE.md", "reference" + "/calico"] {
                let cited = text.ranges(of: word).contains { range in
                    let before = range.lowerBound == text.startIndex ? " " : text[text.index(before: range.lowerBound)]
                    let after = range.upperBound == text.endIndex ? " " : text[range.upperBound]
                    return !before.isLetter && before != "_" && !after.isLetter && after != "_"
                }
                #expect(!cited, "\(name) cites \(word)")
            }
            for match in text.matches(of: /[Cc]ontract (\d\.\d)/) where name != "docs/contract.md" {
                #expect(contract.contains("\n## \(match.1) "), "\(name): contract \(match.1)")
            }
            for match in text.matches(of: /promises\.md, promise (\d+)/) {
                #expect(promises.contains("\n\(match.1). "), "\(name): promise \(match.1)")
            }
        }
    }
}
