package import LinuxIO

/// Reads resources and secrets from disk. Blocking: for an edge thread.
package struct ResourceLoader: Sendable {
    /// A file, or a folder with files.
    package let path: String
    package let secretsPath: String

    package init(path: String, secretsPath: String) {
        self.path = path
        self.secretsPath = secretsPath
    }

    /// What the path holds now, over what was in force before. Answers nil with a problem where the path itself cannot be read.
    package func load(previous: ResourceSet, cache: inout ResourceCache) -> (resources: ResourceSet?, problem: Problem?) {
        guard let status = FileStatus(path) else {
            return (nil, Problem(file: path, line: 0, field: "", message: "no such file or folder; --resources names where the resources are"))
        }
        var files = [path]
        if status.isFolder {
            guard let names = directoryNames(path) else { return (nil, Problem(file: path, line: 0, field: "", message: "the folder cannot be read")) }
            files = names.filter(ResourceLoader.isResourceFile).sorted().map { path + "/" + $0 }
        }
        var parsed: [ResourceParser.Parsed] = []
        cache.keep(files)
        for file in files { parsed.append(cache.parsed(file) { read(file) }) }
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
    private var parent: String { path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "." }

    /// Hidden files are such as are being written, or an editor's.
    private static func isResourceFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    private func read(_ file: String) -> ResourceParser.Parsed {
        var bad = ResourceParser.Parsed()
        bad.isUnreadable = true
        guard let octets = try? readWholeFile(file) else {
            bad.problems = [Problem(file: file, line: 0, field: "", message: "cannot be read")]
            return bad
        }
        guard let text = String(validating: octets, as: UTF8.self) else {
            bad.problems = [Problem(file: file, line: 0, field: "", message: "is not UTF-8 text")]
            return bad
        }
        return ResourceParser.parse(text, file: file)
    }

    /// Folders to watch with inotify.
    package var watchedFolders: [String] {
        var folders = [FileStatus(path)?.isFolder == true ? path : parent]
        if FileStatus(secretsPath) != nil {
            folders.append(secretsPath)
            for name in directoryNames(secretsPath) ?? [] where !name.hasPrefix(".") { folders.append(secretsPath + "/" + name) }
        }
        return folders
    }

    /// The secrets, each read or with the reason why not. Line ends at the end of a file are not part of the secret.
    package func loadSecrets(_ references: Set<SecretReference>) -> Secrets {
        var secrets = Secrets()
        for reference in references {
            let file = "\(secretsPath)/\(reference.name)/\(reference.key)"
            guard let status = FileStatus(file), var bytes = try? readWholeFile(file) else {
                secrets.failures[reference] = "secret \(reference) is missing: \(file)"
                continue
            }
            guard status.permissions & 0o007 == 0 else {
                secrets.failures[reference] = "secret \(reference) is readable by others: chmod o= \(file)"
                continue
            }
            while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
            if bytes.isEmpty {
                secrets.failures[reference] = "secret \(reference) is empty: \(file)"
            } else if bytes.count > 80 {
                secrets.failures[reference] = "secret \(reference) is longer than the 80 octets of a TCP MD5 password"
            } else {
                secrets.values[reference] = bytes
            }
        }
        return secrets
    }
}

/// Passwords by reference, and why some are not there.
package struct Secrets: Sendable, Hashable {
    package var values: [SecretReference: [UInt8]] = [:]
    package var failures: [SecretReference: String] = [:]
    package init() {}
}
