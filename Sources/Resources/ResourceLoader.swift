import Foundation

/// Reads resources and secrets from disk. Blocking: for an edge thread.
package struct ResourceLoader: Sendable {
    package let path: String
    package let secretsPath: String

    package init(path: String, secretsPath: String) {
        self.path = path
        self.secretsPath = secretsPath
    }

    /// What the path holds now, over what was in force before. Answers nil with a problem where the path itself cannot be read.
    package func load(previous: ResourceSet, cache: inout ResourceCache) -> (resources: ResourceSet?, problem: Problem?) {
        let manager = FileManager.default
        var isFolder: ObjCBool = false
        guard manager.fileExists(atPath: path, isDirectory: &isFolder) else {
            return (nil, Problem(file: path, line: 0, field: "", message: "no such file or folder; --resources names where the resources are"))
        }
        var files = [path]
        if isFolder.boolValue {
            guard let names = try? manager.contentsOfDirectory(atPath: path) else {
                return (nil, Problem(file: path, line: 0, field: "", message: "the folder cannot be read"))
            }
            files = names.filter { name in !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }.sorted()
                .map { path + "/" + $0 }
        }
        var parsed: [ResourceParser.Parsed] = []
        cache.keep(files)
        for file in files { parsed.append(cache.parsed(file) { read(file) }) }
        return (ResourceSet(parsed, files: files, previous: previous), nil)
    }

    private func read(_ file: String) -> ResourceParser.Parsed {
        var bad = ResourceParser.Parsed()
        bad.isUnreadable = true
        guard let data = FileManager.default.contents(atPath: file) else {
            bad.problems = [Problem(file: file, line: 0, field: "", message: "cannot be read")]
            return bad
        }
        guard let text = String(data: data, encoding: .utf8) else {
            bad.problems = [Problem(file: file, line: 0, field: "", message: "is not UTF-8 text")]
            return bad
        }
        return ResourceParser.parse(text, file: file)
    }

    /// Folders to watch with inotify.
    package var watchedFolders: [String] {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        var folders = [exists && isFolder.boolValue ? path : (path as NSString).deletingLastPathComponent]
        if folders[0].isEmpty { folders[0] = "." }
        if FileManager.default.fileExists(atPath: secretsPath) {
            folders.append(secretsPath)
            for name in (try? FileManager.default.contentsOfDirectory(atPath: secretsPath)) ?? [] where !name.hasPrefix(".") {
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
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: (file as NSString).resolvingSymlinksInPath),
                let mode = attributes[.posixPermissions] as? NSNumber, let data = FileManager.default.contents(atPath: file)
            else {
                secrets.failures[reference] = "secret \(reference) is missing: \(file)"
                continue
            }
            guard mode.intValue & 0o007 == 0 else {
                secrets.failures[reference] = "secret \(reference) is readable by others: chmod o= \(file)"
                continue
            }
            var bytes = [UInt8](data)
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
