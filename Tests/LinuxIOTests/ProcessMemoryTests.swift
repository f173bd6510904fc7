import Foundation
import LinuxIO
import Testing

@Suite struct ProcessMemoryTests {
    @Test func `code that only the start needed is given back, and comes again when it is called`() throws {
        let process = ProcessInfo.processInfo.processIdentifier
        /// Bytes of this program's code that are in memory.
        func code() throws -> Int {
            let text = String(
                decoding: try #require(FileManager.default.contents(atPath: "/proc/\(process)/smaps")), as: UTF8.self)
            var isCode = false
            var total = 0
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words[0].contains("-") {
                    isCode = words.count > 5 && words[1] == "r-xp" && words[5] == CommandLine.arguments[0]
                }
                if isCode, words[0] == "Rss:" { total += (Int(words[1]) ?? 0) * 1024 }
            }
            return total
        }
        let before = try code()
        ProcessMemory.giveBack()
        let after = try code()
        #expect(before > 0 && after < before, "\(before) bytes before, \(after) after")
    }
}
