import Foundation
import LinuxIO
import Testing

/// Files that are none: whatever has the name, reading and writing end, and nothing but what is meant is touched.
@Suite final class FileTests {
    let folder =
        NSTemporaryDirectory()
        + "apus-files-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0...UInt32.max))"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func path(_ name: String) -> String { folder + "/" + name }
    private func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    }
    private func link(_ name: String, _ target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
    }

    private func refusal(_ name: String, limit: Int = 1000, followsLinks: Bool = true) -> FileError? {
        do throws(FileError) {
            _ = try readRegularFile(path(name), limit: limit, followsLinks: followsLinks)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a FIFO, a device, a folder and a socket are refused at once, by links too`() throws {
        #expect(mkfifo(path("fifo"), 0o600) == 0)
        try link("to-fifo", "fifo")
        try link("zero", "/dev/zero")
        _ = try UnixListener(path: path("gone"), mode: 0o600)
        let listener = try UnixListener(path: path("socket"), mode: 0o600)
        for name in ["fifo", "to-fifo", "zero", "socket", "."] { #expect(refusal(name) == .notRegular, "\(name)") }
        _ = listener.fd
    }

    @Test func `a file is read up to its limit, through links where they are followed`() throws {
        try write("file", "abc")
        try link("link", "file")
        #expect(try readRegularFile(path("link"), limit: 3).bytes == Array("abc".utf8))
        #expect(refusal("file", limit: 2) == .tooLarge(2))
        #expect(refusal("link", followsLinks: false) == .notRegular)
        #expect(refusal("file", followsLinks: false) == nil)
        try write("large", "")
        #expect(truncate(path("large"), 200 << 20) == 0)
        #expect(refusal("large", limit: 16 << 20) == .tooLarge(16 << 20))
        if case .system? = refusal("missing") {} else { Issue.record("a missing file is an error of the system") }
    }

    @Test func `a file is replaced whole, and a FIFO or a link in its place is never opened`() throws {
        try write("other", "untouched")
        try link("mark", "other")
        try replaceFile(path("mark"), Array("new".utf8))
        #expect(try String(contentsOfFile: path("mark"), encoding: .utf8) == "new")
        #expect(try String(contentsOfFile: path("other"), encoding: .utf8) == "untouched")
        #expect(mkfifo(path("fifo"), 0o600) == 0)
        // One in the way of the temporary name is no obstacle either.
        #expect(mkfifo(path("fifo.new"), 0o600) == 0)
        try replaceFile(path("fifo"), Array("new".utf8))
        #expect(FileStatus(path("fifo"), followsLinks: false)?.isRegular == true)
        #expect(FileStatus(path("fifo.new"), followsLinks: false) == nil)
    }

    @Test func `a listener replaces a dead socket and nothing else`() throws {
        try write("file", "mine")
        try link("link", "file")
        for name in ["file", "link", "."] {
            #expect(throws: SystemError(code: SystemError.notSocket, operation: path(name))) {
                _ = try UnixListener(path: self.path(name), mode: 0o600)
            }
        }
        #expect(try String(contentsOfFile: path("file"), encoding: .utf8) == "mine")
        #expect(FileStatus(path("link"), followsLinks: false) != nil)
        // A socket whose process is gone: bound, and closed without a farewell.
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(self.path("socket").utf8)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(dead, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        close(dead)
        let listener = try UnixListener(path: path("socket"), mode: 0o600)
        #expect(throws: SystemError(code: SystemError.addressInUse, operation: path("socket"))) {
            _ = try UnixListener(path: self.path("socket"), mode: 0o600)
        }
        let file = listener.file
        file.remove()
        #expect(FileStatus(path("socket"), followsLinks: false) == nil)
        // Somebody else's by now.
        try write("socket", "other")
        file.remove()
        #expect(FileStatus(path("socket")) != nil)
    }

    @Test func `a folder that is made has the mode and the owner asked for, one that was there keeps its own`() throws {
        let root = geteuid() == 0
        let owner = root ? FileOwner(user: "nobody") : FileOwner(group: nil)
        try makeFolder(path("a/b/"), mode: 0o750, owner: owner)
        #expect(FileStatus(path("a/b"))?.permissions == 0o750)
        #expect(FileStatus(path("a"))?.permissions == 0o755)
        var status = stat()
        #expect(stat(path("a/b"), &status) == 0)
        if root { #expect(status.st_uid == getpwnam("nobody")?.pointee.pw_uid && status.st_uid != 0) }
        try makeFolder(path("a"), mode: 0o700, owner: owner)
        #expect(FileStatus(path("a"))?.permissions == 0o755)
        #expect(stat(path("a"), &status) == 0 && status.st_uid == geteuid())
        try write("file", "")
        #expect(throws: SystemError.self) { try makeFolder(self.path("file"), mode: 0o750, owner: owner) }
        #expect(throws: SystemError.self) { try makeFolder(self.path("file/below"), mode: 0o750, owner: owner) }
    }

    @Test func `a socket belongs to the group that is named, and only it and the owner may write`() throws {
        #expect(FileOwner(group: "apus-no-such-group") == nil)
        let group = try #require(getgrgid(geteuid() == 0 ? 1 : getegid()))
        let name = String(cString: group.pointee.gr_name)
        let number = group.pointee.gr_gid
        let listener = try UnixListener(path: path("shared"), mode: 0o660, owner: FileOwner(group: name))
        var status = stat()
        #expect(stat(path("shared"), &status) == 0)
        #expect(status.st_gid == number && status.st_uid == geteuid() && status.st_mode & 0o7777 == 0o660)
        _ = listener.fd
    }
}
