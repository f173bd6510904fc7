package import LinuxIO
package import Resources

/// Reads resources and secrets from disk. Blocking: for an edge thread.
package struct ResourceLoader: Sendable {
    /// A file, or a folder with files.
    package let path: String
    package let secretsPath: String

    package init(path: String, secretsPath: String) {
        self.path = path
        self.secretsPath = secretsPath
    }

    /// Bytes of one file, and of all files of a folder together; files in a folder. Resources of ten thousand nodes are
    /// a tenth of that. Read as text, parsed and kept, a byte takes some five of memory.
    package static let largestFile = 16 << 20
    package static let largestFolder = 64 << 20
    package static let mostFiles = 65536
    /// A password has at most 80 bytes.
    private static let largestSecret = 4096

    /// What the path holds now, over what was in force before. Returns nil with a problem where the path itself cannot
    /// be read.
    package func load(previous: ResourceSet, cache: inout ResourceCache) -> (resources: ResourceSet?, problem: Problem?)
    {
        guard let status = FileStatus(path) else {
            return (
                nil,
                Problem(
                    file: path, line: 0, field: "",
                    message: "no such file or folder; --resources names where the resources are")
            )
        }
        var files = [path]
        if status.isFolder {
            guard let names = directoryNames(path, limit: ResourceLoader.mostFiles + 1) else {
                return (nil, Problem(file: path, line: 0, field: "", message: "the folder cannot be read"))
            }
            guard names.count <= ResourceLoader.mostFiles else {
                return (
                    nil,
                    Problem(
                        file: path, line: 0, field: "",
                        message:
                            "the folder holds more than \(ResourceLoader.mostFiles) files; a file may hold many objects"
                    )
                )
            }
            files = names.filter(ResourceLoader.isResourceFile).sorted().map { path + "/" + $0 }
        }
        var parsed: [ResourceParser.Parsed] = []
        cache.keep(files)
        var total: Int64 = 0
        for file in files {
            // What is too large by itself is refused by itself.
            let size = FileStatus(file).map { $0.isRegular && $0.size <= ResourceLoader.largestFile ? $0.size : 0 } ?? 0
            if total + size > ResourceLoader.largestFolder {
                parsed.append(
                    ResourceLoader.unreadable(
                        file,
                        "is not read: all files of the folder together may have "
                            + "\(ResourceLoader.largestFolder >> 20) MB"
                    ))
                continue
            }
            total += size
            parsed.append(cache.parsed(file) { read(file) })
        }
        return (ResourceSet(parsed, files: files, previous: previous), nil)
    }

    /// What a file, which was just written or moved in, makes of the set: nothing else is looked at.
    package func load(_ change: DirectoryWatcher.WholeFile, into current: ResourceSet) -> ResourceSet.FileChange {
        if FileStatus(path)?.isFolder == true {
            guard change.folder == path, ResourceLoader.isResourceFile(change.name) else { return .none }
            let file = path + "/" + change.name
            return current.change(read(file), of: file)
        }
        guard change.folder == parent, path == change.name || path.hasSuffix("/" + change.name) else { return .none }
        return current.change(read(path), of: path)
    }

    /// The folder that a single file is in.
    private var parent: String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// Hidden files are such as are being written, or an editor's.
    private static func isResourceFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    private func read(_ file: String) -> ResourceParser.Parsed {
        do throws(FileError) {
            let bytes = try readRegularFile(file, limit: ResourceLoader.largestFile).bytes
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return ResourceLoader.unreadable(file, "is not UTF-8 text")
            }
            return ResourceParser.parse(text, file: file)
        } catch {
            return ResourceLoader.unreadable(file, error.description)
        }
    }

    /// A file of which nothing is known: what came from it before stays.
    private static func unreadable(_ file: String, _ message: String) -> ResourceParser.Parsed {
        var bad = ResourceParser.Parsed()
        bad.isUnreadable = true
        bad.problems = [Problem(file: file, line: 0, field: "", message: message)]
        return bad
    }

    /// Folders to watch with inotify.
    package var watchedFolders: [String] {
        var folders = [FileStatus(path)?.isFolder == true ? path : parent]
        if FileStatus(secretsPath) != nil {
            folders.append(secretsPath)
            for name in directoryNames(secretsPath, limit: 4096) ?? [] where !name.hasPrefix(".") {
                folders.append(secretsPath + "/" + name)
            }
        }
        return folders
    }

    /// The secrets, each read or with the reason why not. Line ends at the end of a file are not part of the secret.
    package func loadSecrets(_ references: Set<SecretReference>) -> Secrets {
        var secrets = Secrets()
        for reference in references {
            let file = "\(secretsPath)/\(reference.name)/\(reference.key)"
            var bytes: [UInt8]
            let status: FileStatus
            do throws(FileError) {
                (bytes, status) = try readRegularFile(file, limit: ResourceLoader.largestSecret)
            } catch {
                switch error {
                case .system: secrets.failures[reference] = .missing(file: file)
                case .notRegular, .tooLarge: secrets.failures[reference] = .unreadable(file: file, why: "\(error)")
                }
                continue
            }
            guard status.permissions & 0o007 == 0 else {
                secrets.failures[reference] = .readableByOthers(file: file)
                continue
            }
            while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
            if bytes.isEmpty {
                secrets.failures[reference] = .empty(file: file)
            } else if bytes.count > 80 {
                secrets.failures[reference] = .tooLong
            } else {
                secrets.values[reference] = bytes
            }
        }
        return secrets
    }
}
