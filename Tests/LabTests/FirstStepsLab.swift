import Foundation
import Testing

/// `docs/first-steps.md`, command by command as it stands, on hosts that are namespaces on a switch.
///
/// Two things differ: the folders of a host are below the lab's, and a namespace that the page makes has a name of its
/// own.
@Suite struct FirstStepsLab {
    /// A block of the page.
    struct Block {
        var language: String
        /// Where it is run; `no-run` for what is another vendor's.
        var words: [String]
        var lines: [String]
        var number: Int
    }

    static func blocks(_ text: String) -> [Block] {
        var blocks: [Block] = []
        var open: Block?
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
            if line.hasPrefix("```") {
                if let block = open {
                    blocks.append(block)
                    open = nil
                } else {
                    let words = line.dropFirst(3).split(separator: " ").map(String.init)
                    open = Block(
                        language: words.first ?? "", words: Array(words.dropFirst()), lines: [], number: number + 1)
                }
            } else {
                open?.lines.append(line)
            }
        }
        return blocks
    }

    /// Whether an output is what the page says: `...` in a line stands for any text, a line of it for any lines.
    static func matches(_ expected: ArraySlice<String>, _ actual: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return actual.isEmpty }
        let rest = expected.dropFirst()
        if first == "..." {
            return (actual.startIndex...actual.endIndex).contains { matches(rest, actual[$0...]) }
        }
        guard let line = actual.first, isLike(line, first) else { return false }
        return matches(rest, actual.dropFirst())
    }
    /// Runs of spaces are one: columns are as wide as what is in them.
    static func isLike(_ line: String, _ pattern: String) -> Bool {
        func squeezed(_ text: String) -> String { text.split(separator: " ").joined(separator: " ") }
        var rest = squeezed(line)[...]
        let parts = squeezed(pattern).components(separatedBy: "...")
        for (index, part) in parts.enumerated() {
            if part.isEmpty { continue }
            guard let found = rest.firstRange(of: part), index > 0 || found.lowerBound == rest.startIndex else {
                return false
            }
            rest = rest[found.upperBound...]
        }
        return rest.isEmpty || parts.last?.isEmpty ?? false
    }

    private static let addresses = ["node1": "10.0.1.1", "node2": "10.0.1.2", "tor": "10.0.1.254", "rr1": "10.0.1.9"]

    private static func hosts() throws -> Lab {
        let lab = try Lab()
        try lab.addNamespace("switch")
        try lab.must("ip link add br0 type bridge", in: "switch")
        try lab.must("ip link set br0 up", in: "switch")
        for (host, address) in addresses.sorted(by: { $0.key < $1.key }) {
            try lab.addNamespace(host)
            try lab.link(host, "eth0", "switch", host)
            try lab.must("ip link set \(host) master br0", in: "switch")
            try lab.must("ip addr add \(address)/24 dev eth0", in: host)
            if host != "tor" { try lab.must("ip route add default via 10.0.1.254", in: host) }
            try lab.must("mkdir -p \(lab.folder)/\(host)")
        }
        // The pods that the page makes.
        for pod in ["web", "db"] { lab.adopt(pod) }
        return lab
    }

    /// The command as the lab runs it.
    private static func adapted(_ command: String, on host: String, _ lab: Lab) throws -> String {
        var text = command.replacing("/etc/apus", with: "\(lab.folder)/\(host)")
        for mode in ["agent", "reflector"] {
            text = text.replacing(
                "apusd \(mode)",
                with: "\(Lab.products)/apusd \(mode) --resources \(lab.folder)/\(host)/resources.d --state-dir "
                    + "\(lab.folder)/\(host)/state --secrets \(lab.folder)/\(host)/secrets --socket \(lab.folder)/\(host).sock"
            )
        }
        text = text.replacing("apusctl ", with: "\(Lab.products)/apusctl --socket \(lab.folder)/\(host).sock ")
            .replacing(/apusctl (--socket \S+) (\S+)/) { "apusctl \($0.2) \($0.1)" }
        for pod in ["web", "db"] {
            let places = try Regex("(netns add |netns exec |netns |ip -n )\(pod)\\b", as: (Substring, Substring).self)
            text = text.replacing(places) { "\($0.1)\(lab.name(pod))" }
        }
        return text
    }

    @Test func `every command does what the page says`() throws {
        let page = try String(contentsOfFile: Lab.root + "/docs/first-steps.md", encoding: .utf8)
        let blocks = Self.blocks(page)
        try #require(blocks.count { $0.language == "sh" } > 10)
        let lab = try Self.hosts()
        var commands: [(host: String, text: String)] = []
        for block in blocks where !block.words.contains("no-run") {
            if block.language == "sh" {
                commands = []
                for host in block.words {
                    try #require(Self.addresses[host] != nil, "line \(block.number): \(host) is no host")
                    var text = block.lines.joined(separator: "\n")
                    var daemon: String?
                    if let last = block.lines.last, last.hasSuffix(" &") {
                        daemon = String(last.dropLast(2))
                        text = block.lines.dropLast().joined(separator: "\n")
                    }
                    if !text.isEmpty { commands.append((host, text)) }
                    if !text.isEmpty,
                        blocks.first(where: { $0.number > block.number })?.language != "text" || daemon != nil
                    {
                        let output = try Self.run(text, on: host, lab)
                        #expect(output.status == 0, "line \(block.number): \(output.text)")
                    }
                    if let daemon {
                        let command = try Self.adapted(daemon, on: host, lab)
                        try lab.start(
                            ["bash", "-c", "exec " + command], in: host, log: "\(host).log")
                    }
                }
            } else if block.language == "text", let command = commands.last {
                var last = ""
                let isAsSaid = Self.wait {
                    last = (try? Self.run(command.text, on: command.host, lab).text) ?? ""
                    let lines = last.replacing(lab.name("web"), with: "web").split(
                        separator: "\n", omittingEmptySubsequences: false
                    ).map { $0.trimmingCharacters(in: .whitespaces) }
                    let wanted = block.lines.map { $0.trimmingCharacters(in: .whitespaces) }
                    return Self.matches(wanted[...], lines.filter { !$0.isEmpty }[...])
                }
                #expect(isAsSaid, "line \(block.number): \(command.text)\n\(last)")
            }
        }
    }

    private static func run(_ text: String, on host: String, _ lab: Lab) throws -> Lab.Output {
        // Not `ip netns exec`, which has mounts of its own: a namespace that a command makes would be gone with it.
        try Lab.run(["nsenter", "--net=/run/netns/\(lab.name(host))", "bash", "-e", "-c", adapted(text, on: host, lab)])
    }

    private static func wait(until condition: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(40)
        while Date() < end {
            if condition() { return true }
            Thread.sleep(forTimeInterval: 0.5)
        }
        return condition()
    }

    @Test func `an output is held against a pattern`() {
        #expect(Self.isLike("a  b c", "a b c") && !Self.isLike("a b c d", "a b c") && Self.isLike("a b c", "a ..."))
        #expect(Self.isLike("10.0 up 3s x", "10.0 ... x") && !Self.isLike("10.0 up", "10.0 down"))
        #expect(Self.matches(["a", "...", "z"], ["a", "b", "c", "z"]) && !Self.matches(["a"], ["a", "b"]))
        #expect(!Self.matches(["a", "..."], ["b"]) && Self.matches(["..."], []))
    }
}
