import Foundation
import LinuxIO
import NetTypes
import ResourceFiles
import Resources
import Testing

@Suite struct ResourceFileTests {
    @Test func `files that did not change are not read again, and those that did are`() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/apus-cache-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func write(_ name: String, _ text: String, age: Double) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.modificationDate: Date().addingTimeInterval(-age)], ofItemAtPath: "\(folder)/\(name)")
        }
        let loader = ResourceLoader(path: folder, secretsPath: folder)
        var cache = ResourceCache()
        func blocks() -> [String] {
            loader.load(previous: ResourceSet(), cache: &cache).resources?.blocks(of: "n").map(\.description) ?? []
        }
        func block(_ cidr: String) -> String {
            object("BlockAffinity", "b", "node: n, cidr: \(cidr), state: confirmed")
        }
        try write("a.yaml", block("10.65.1.0/26"), age: 100)
        #expect(blocks() == ["10.65.1.0/26"])
        // The same inode, size and time: it is taken for unchanged.
        try write("a.yaml", block("10.65.2.0/26"), age: 100)
        let time = try FileManager.default.attributesOfItem(atPath: folder + "/a.yaml")[.modificationDate] as? Date
        try write("a.yaml", block("10.65.3.0/26"), age: 50)
        #expect(blocks() == ["10.65.3.0/26"], "another time")
        try FileManager.default.setAttributes([.modificationDate: try #require(time)], ofItemAtPath: folder + "/a.yaml")
        #expect(blocks() == ["10.65.3.0/26"])
        // Two writes within one tick of the clock, of one size: a young file is read every time.
        try write("a.yaml", block("10.65.4.0/26"), age: 0)
        #expect(blocks() == ["10.65.4.0/26"])
        try write("a.yaml", block("10.65.5.0/26"), age: 0)
        #expect(blocks() == ["10.65.5.0/26"])
        try FileManager.default.removeItem(atPath: folder + "/a.yaml")
        #expect(blocks().isEmpty)
    }

    @Test func `a file that became whole is read alone, hidden and foreign ones not at all`() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/apus-whole-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let loader = ResourceLoader(path: folder, secretsPath: folder)
        for name in [".a.yaml", "a.yaml", "a.txt"] {
            try object("WorkloadEndpoint", "a", "node: n, interfaceName: cali0, ipNetworks: [10.65.1.1/32]").write(
                toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
        }
        func keys(_ name: String, in folder: String) -> [String]? {
            switch loader.load(DirectoryWatcher.WholeFile(folder: folder, name: name), into: ResourceSet()) {
            case .none: []
            case .objects(_, let items): items.map(\.key.name)
            case .other: nil
            }
        }
        #expect(keys("a.yaml", in: folder) == ["a"])
        #expect(
            keys(".a.yaml", in: folder) == [] && keys("a.txt", in: folder) == []
                && keys("a.yaml", in: "/elsewhere") == [])
        #expect(keys("gone.yaml", in: folder) == nil, "it is for the look at all of them")
        // One file for all.
        let single = ResourceLoader(path: folder + "/a.yaml", secretsPath: folder)
        #expect(single.watchedFolders.first == folder)
        if case .objects(_, let items) = single.load(
            DirectoryWatcher.WholeFile(folder: folder, name: "a.yaml"), into: ResourceSet())
        {
            #expect(items.map(\.key.name) == ["a"])
        } else {
            Issue.record("the file itself is not read")
        }
        if case .none = single.load(DirectoryWatcher.WholeFile(folder: folder, name: "b.yaml"), into: ResourceSet()) {
        } else {
            Issue.record("another file is read")
        }
    }

    @Test
    func `files are reported by name when they are whole, and a folder that takes the place of another is watched`()
        throws
    {
        let folder = FileManager.default.temporaryDirectory.path + "/apus-watch-\(UInt32.random(in: 0...UInt32.max))"
        let old = folder + "-old"
        let manager = FileManager.default
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { for path in [folder, old] { try? manager.removeItem(atPath: path) } }
        var watcher = try DirectoryWatcher()
        watcher.watch([folder, folder + "/absent"])
        func names(_ change: DirectoryWatcher.Change) -> [String]? {
            if case .folders(let whole) = change { whole.map(\.name) } else { nil }
        }
        /// All that comes until nothing does for a while.
        func reported() -> [String]? {
            var all: [String]?
            while let some = names(watcher.waitForChange(milliseconds: 200)) { all = (all ?? []) + some }
            return all
        }
        #expect(reported() == nil, "nothing has happened")
        try "x".write(toFile: folder + "/a.yaml", atomically: false, encoding: .utf8)
        #expect(reported() == ["a.yaml"])
        try manager.moveItem(atPath: folder + "/a.yaml", toPath: folder + "/b.yaml")
        #expect(reported() == ["b.yaml"])
        try manager.removeItem(atPath: folder + "/b.yaml")
        #expect(reported() == [], "something has happened, and no file is there to be read")
        // As a link to a folder is turned, or a ConfigMap is written.
        try manager.moveItem(atPath: folder, toPath: old)
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        #expect(reported() == [])
        watcher.watch([folder])
        _ = reported()
        try "x".write(toFile: old + "/c.yaml", atomically: false, encoding: .utf8)
        try "x".write(toFile: folder + "/d.yaml", atomically: false, encoding: .utf8)
        #expect(reported() == ["d.yaml"])
    }
}
