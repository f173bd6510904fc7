import Foundation
import LinuxIO
import ResourceFiles
import Resources
import Testing

/// A folder of resources with things in it that are no files of resources.
@Suite final class HostileFolderTests {
    let folder =
        NSTemporaryDirectory()
        + "apus-hostile-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0...UInt32.max))"
    init() throws { try FileManager.default.createDirectory(atPath: folder + "/r", withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func loader() -> ResourceLoader { ResourceLoader(path: folder + "/r", secretsPath: folder + "/s") }
    private func sparse(_ name: String, megabytes: Int) {
        #expect(
            FileManager.default.createFile(atPath: folder + "/r/" + name, contents: nil)
                && truncate(folder + "/r/" + name, megabytes << 20) == 0)
    }

    @Test func `a FIFO, an endless device and a file without measure stop nothing, and are named`() throws {
        // As Kubernetes mounts a ConfigMap: a link to a file below another link.
        try FileManager.default.createDirectory(atPath: folder + "/r/..2026", withIntermediateDirectories: true)
        try object("IPPool", "p", "cidr: 10.65.0.0/16").write(
            toFile: folder + "/r/..2026/pool.yaml", atomically: false, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: folder + "/r/..data", withDestinationPath: "..2026")
        try FileManager.default.createSymbolicLink(
            atPath: folder + "/r/pool.yaml", withDestinationPath: "..data/pool.yaml")
        #expect(mkfifo(folder + "/r/fifo.yaml", 0o600) == 0)
        try FileManager.default.createSymbolicLink(atPath: folder + "/r/zero.yaml", withDestinationPath: "/dev/zero")
        try FileManager.default.createDirectory(atPath: folder + "/r/folder.yaml", withIntermediateDirectories: true)
        sparse("large.yaml", megabytes: 200)
        var cache = ResourceCache()
        let resources = try #require(loader().load(previous: ResourceSet(), cache: &cache).resources)
        #expect(resources.pools.count == 1)
        let problems = resources.problems.map(\.description)
        for (name, words) in [
            ("fifo", "is not a regular file"), ("zero", "is not a regular file"), ("folder", "is not a regular file"),
            ("large", "is larger than 16 MB"),
        ] {
            #expect(problems.contains { $0.hasPrefix("\(folder)/r/\(name).yaml: \(words)") }, "\(name): \(problems)")
        }
        #expect(problems.count == 4)
    }

    @Test func `all files of a folder together are bounded, and what came from those beyond it stays`() throws {
        try object("IPPool", "p", "cidr: 10.65.0.0/16").write(
            toFile: folder + "/r/z.yaml", atomically: false, encoding: .utf8)
        var cache = ResourceCache()
        let before = try #require(loader().load(previous: ResourceSet(), cache: &cache).resources)
        for number in 0..<4 { sparse("\(number).yaml", megabytes: 16) }
        let after = try #require(loader().load(previous: before, cache: &cache).resources)
        #expect(after.pools.count == 1)
        #expect(
            after.problems.contains {
                $0.description.hasPrefix(
                    "\(folder)/r/z.yaml: is not read: all files of the folder together may have 64 MB")
            }, "\(after.problems)")
    }

    @Test func `a secret is a small regular file`() throws {
        try FileManager.default.createDirectory(atPath: folder + "/s/a", withIntermediateDirectories: true)
        #expect(mkfifo(folder + "/s/a/fifo", 0o600) == 0)
        try FileManager.default.createSymbolicLink(atPath: folder + "/s/a/zero", withDestinationPath: "/dev/zero")
        try String(repeating: "x", count: 5000).write(toFile: folder + "/s/a/long", atomically: false, encoding: .utf8)
        func file(_ key: String) -> String { folder + "/s/a/" + key }
        let failures: [String: Secrets.Failure] = [
            "fifo": .unreadable(file: file("fifo"), why: "is not a regular file, and is not read"),
            "zero": .unreadable(file: file("zero"), why: "is not a regular file, and is not read"),
            "long": .unreadable(file: file("long"), why: "is larger than 4096 bytes, and is not read"),
            "none": .missing(file: file("none")),
        ]
        let secrets = loader().loadSecrets(Set(failures.keys.map { SecretReference(name: "a", key: $0) }))
        #expect(secrets.values.isEmpty)
        for (key, expected) in failures {
            #expect(secrets.failures.first { $0.key.key == key }?.value == expected, "\(key)")
        }
    }
}
