import Foundation
import Testing

/// `make install` and `make uninstall`, into a folder of the test's own.
@Suite struct InstallLab {
    private static func make(_ target: String, _ folder: String) throws -> Lab.Output {
        try Lab.run([
            "make", "-s", "-C", Lab.root, target, "DESTDIR=\(folder)", "PREFIX=/usr", "BIN=\(Lab.products)",
        ])
    }

    private static func files(_ folder: String) -> Set<String> {
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return Set(
            names.filter { name in
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder)
                    && !isFolder.boolValue
            })
    }

    @Test func `what is installed works, a changed file is kept, and uninstall leaves nothing of ours`() throws {
        let lab = try Lab()
        let folder = lab.folder + "/root"
        let installed = try Self.make("install", folder)
        #expect(installed.status == 0, "\(installed.text)")
        let files = Self.files(folder)
        for file in [
            "usr/bin/apusd", "usr/bin/apusctl", "usr/share/man/man8/apusd.8", "usr/share/man/man8/apusctl.8",
            "usr/share/man/man5/apus.resources.5",
        ] { #expect(files.contains(file), "\(file) is missing: \(files.sorted())") }
        for suffix in ["apusd.service", "apusd-reflector.service", "sysusers.d/apus.conf", "tmpfiles.d/apus.conf"] {
            #expect(files.contains { $0.hasSuffix(suffix) }, "\(suffix) is missing: \(files.sorted())")
        }
        for shell in ["bash-completion", "zsh", "fish"] {
            #expect(files.contains { $0.contains(shell) && $0.contains("apusctl") }, "no completion for \(shell)")
        }
        let version = try Lab.run([folder + "/usr/bin/apusctl", "--version"])
        #expect(version.status == 0 && !version.text.isEmpty)

        // Units: the program is the one that was installed, and knows its options.
        for unit in files where unit.hasSuffix(".service") {
            let text = try String(contentsOfFile: folder + "/" + unit, encoding: .utf8)
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
            let words = line.dropFirst("ExecStart=".count).split(separator: " ").map(String.init)
            #expect(words[0] == "/usr/bin/apusd" && !text.contains("DIR@"), "\(unit): \(words)")
            let help = try Lab.run([folder + words[0], words[1], "--help"])
            #expect(help.status == 0)
            for option in words.dropFirst(2) where option.hasPrefix("--") {
                #expect(help.text.contains(option.prefix { $0 != "=" }), "\(unit): \(option)")
            }
        }

        // A second time it is the same, and a changed configuration file is nobody else's any more.
        let changed = try #require(files.first { $0.hasSuffix("apus/apusd.env") })
        try "APUS_NODE=mine\n".write(toFile: folder + "/" + changed, atomically: true, encoding: .utf8)
        #expect(try Self.make("install", folder).status == 0)
        #expect(Self.files(folder) == files)
        #expect(try String(contentsOfFile: folder + "/" + changed, encoding: .utf8) == "APUS_NODE=mine\n")
        try "not ours\n".write(toFile: folder + "/usr/bin/other", atomically: true, encoding: .utf8)
        let removed = try Self.make("uninstall", folder)
        #expect(removed.status == 0, "\(removed.text)")
        #expect(Self.files(folder) == [changed, "usr/bin/other"], "\(Self.files(folder).sorted())")
    }
}
