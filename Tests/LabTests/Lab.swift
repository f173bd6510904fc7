import Foundation
import StrictWire
import Testing

/// Processes and namespaces of a lab: unique per run, torn down however the test ends.
final class Lab {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    /// The folder with apusd and apusctl: beside the test bundle.
    static var products: String {
        if let folder = ProcessInfo.processInfo.environment["APUS_BIN"] { return folder }
        var folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path
        if !FileManager.default.fileExists(atPath: folder + "/apusd") { folder = root + "/.build/debug" }
        return folder
    }

    let id = "t\(ProcessInfo.processInfo.processIdentifier)x\(UInt32.random(in: 0...0xFFFF))"
    let folder: String
    private var namespaces: [String] = []
    private var processes: [Process] = []

    init() throws {
        folder = NSTemporaryDirectory() + "apus-\(id)"
        try FileManager.default.createDirectory(atPath: folder + "/resources", withIntermediateDirectories: true)
    }

    deinit {
        let recorders = Set(captures.values.map(\.processIdentifier))
        for process in processes where process.isRunning && !recorders.contains(process.processIdentifier) {
            kill(process.processIdentifier, SIGKILL)
        }
        readCaptures()
        for process in processes { process.waitUntilExit() }
        for name in namespaces { _ = try? Lab.run(["ip", "netns", "del", name]) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    struct Output {
        var status: Int32
        var text: String
    }

    @discardableResult
    static func run(_ command: [String], environment: [String: String] = [:]) throws -> Output {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Output(status: process.terminationStatus, text: String(decoding: data, as: UTF8.self))
    }

    func name(_ short: String) -> String { "\(id)-\(short)" }

    /// Runs `ip` and the like; the test fails where it fails.
    @discardableResult
    func must(_ command: String, in namespace: String? = nil) throws -> String {
        let words = command.split(separator: " ").map(String.init)
        let output = try Lab.run((namespace.map { ["ip", "netns", "exec", name($0)] } ?? []) + words)
        try #require(output.status == 0, "\(command): \(output.text)")
        return output.text
    }

    func addNamespace(_ short: String) throws {
        try must("ip netns add \(name(short))")
        namespaces.append(name(short))
        try must("ip link set lo up", in: short)
    }

    /// A namespace that a command of the test makes under `name(short)`: it goes with the lab.
    func adopt(_ short: String) { namespaces.append(name(short)) }

    func link(_ a: String, _ interfaceA: String, _ b: String, _ interfaceB: String) throws {
        try must("ip link add \(interfaceA) type veth peer name \(interfaceB) netns \(name(b))", in: a)
        try must("ip link set \(interfaceA) up", in: a)
        try must("ip link set \(interfaceB) up", in: b)
    }

    /// A pod as a CNI plugin makes it: a namespace with an interface whose other end is `interface` of the node, its
    /// addresses, and its way out by 169.254.1.1 and by the node's link-local address.
    func addPod(_ short: String, of node: String, _ interface: String, _ addresses: [String]) throws {
        try addNamespace(short)
        try must("ip link add \(interface) type veth peer name eth0 netns \(name(short))", in: node)
        // Before it is up: its link-local address follows from it.
        try must("ip link set \(interface) address ee:ee:ee:ee:ee:ee up", in: node)
        try must("ip link set eth0 up", in: short)
        for address in addresses {
            try must("ip addr add \(address) dev eth0\(address.contains(":") ? " nodad" : "")", in: short)
        }
        try must("ip route add 169.254.1.1 dev eth0 scope link", in: short)
        try must("ip route add default via 169.254.1.1 dev eth0", in: short)
        try must("ip -6 route add default via fe80::ecee:eeff:feee:eeee dev eth0", in: short)
    }

    /// Starts a process in a namespace; its output goes to a file of the lab's folder.
    @discardableResult
    func start(_ command: [String], in namespace: String, log: String) throws -> Process {
        if command.contains(Lab.products + "/apusd") { try capture(namespace) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["ip", "netns", "exec", name(namespace)] + command
        let path = folder + "/" + log
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let handle = FileHandle(forWritingAtPath: path)
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        // A worker thread of the test runner blocks most signals, and a child would inherit that: tcpdump would never
        // hear that it is to end.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        processes.append(process)
        return process
    }

    func write(_ name: String, _ text: String) throws {
        // Whole, and then moved in: it is never seen half.
        let hidden = folder + "/resources/." + name
        try text.write(toFile: hidden, atomically: false, encoding: .utf8)
        try must("mv \(hidden) \(folder)/resources/\(name)")
    }

    // MARK: What the daemon sends

    /// Captures by namespace: everything that goes by port 179, until the lab ends.
    private var captures: [String: Process] = [:]

    /// Begins to record what a daemon in the namespace sends.
    private func capture(_ namespace: String) throws {
        guard captures[namespace] == nil else { return }
        let log = "tcpdump-\(namespace).txt"
        // As root: the folder is ours alone. 32 MB of buffer, so that a full table leaves no hole.
        let command = [
            "tcpdump", "-i", "any", "-n", "-Z", "root", "-B", "32768", "-w", folder + "/\(namespace).pcap",
            "tcp port 179",
        ]
        captures[namespace] = try start(command, in: namespace, log: log)
        try wait(20, "tcpdump listens in \(namespace)") { self.log(log).contains("listening on") }
    }

    /// Stops the captures and reads them strictly: every byte of every BGP stream that a daemon sent. Returns how many
    /// messages there were.
    @discardableResult
    func readCaptures() -> Int {
        var messages = 0
        for (namespace, process) in captures {
            // Not SIGINT, which is ignored below a shell's background job.
            if process.isRunning { process.terminate() }
            let end = Date().addingTimeInterval(10)
            while process.isRunning, Date() < end { Thread.sleep(forTimeInterval: 0.01) }
            if process.isRunning {
                Issue.record("tcpdump in \(namespace) does not end")
                kill(process.processIdentifier, SIGKILL)
            }
            process.waitUntilExit()
            do {
                let file = try Data(contentsOf: URL(filePath: folder + "/\(namespace).pcap"))
                let result = try Capture.read([UInt8](file))
                messages += result.messages
                for violation in result.violations {
                    Issue.record("a strict reader does not take what was sent in \(namespace): \(violation)")
                }
            } catch {
                Issue.record("the capture in \(namespace) cannot be read: \(error)")
            }
        }
        captures = [:]
        return messages
    }

    private var agents: [String: (process: Process, namespace: String, arguments: [String], mode: String)] = [:]

    @discardableResult
    func startAgent(_ node: String, in namespace: String, arguments: [String] = [], mode: String = "agent") throws
        -> Process
    {
        let process = try start(
            [
                Lab.products + "/apusd", mode, "--node", node, "--resources", folder + "/resources", "--secrets",
                folder + "/secrets", "--state-dir", folder + "/state-\(node)",
                "--socket", folder + "/\(node).sock",
            ] + arguments, in: namespace, log: "\(node).log")
        agents[node] = (process, namespace, arguments, mode)
        return process
    }

    /// Stops a daemon as it stands, without killing it, and lets it go on.
    func signalAgent(_ node: String, _ signal: Int32) throws {
        kill(try #require(agents[node]).process.processIdentifier, signal)
    }

    /// Kills a daemon as it stands and starts it again.
    func restartAgent(_ node: String) throws {
        let agent = try #require(agents[node])
        kill(agent.process.processIdentifier, SIGKILL)
        agent.process.waitUntilExit()
        try startAgent(node, in: agent.namespace, arguments: agent.arguments, mode: agent.mode)
    }

    func ctl(_ node: String, _ arguments: String...) throws -> Output {
        try Lab.run([Lab.products + "/apusctl"] + arguments + ["--socket", folder + "/\(node).sock"])
    }

    func log(_ name: String) -> String { (try? String(contentsOfFile: folder + "/" + name, encoding: .utf8)) ?? "" }

    /// Waits for a state, with a deadline.
    func wait(_ seconds: Double = 20, _ what: String, until condition: () throws -> Bool) throws {
        let end = Date().addingTimeInterval(seconds)
        while try !condition() {
            if Date() >= end { try #require(Bool(false), "\(what): not within \(seconds) s\n\(state())") }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    /// What a reader of a failure wants to see: the agents' routes, and the ends of all logs.
    private func state() -> String {
        var text = ""
        for (node, agent) in agents.sorted(by: { $0.key < $1.key }) {
            for family in ["-4", "-6"] {
                text +=
                    "\(node) \(family):\n"
                    + ((try? Lab.run(["ip", "netns", "exec", name(agent.namespace), "ip", family, "route"]).text.suffix(
                        1500)) ?? "")
            }
            text += (try? ctl(node, "fib").text.suffix(1500)) ?? ""
        }
        let logs =
            (try? FileManager.default.contentsOfDirectory(atPath: folder))?.filter {
                $0.hasSuffix(".log") || $0.hasSuffix(".json")
            } ?? []
        return text + logs.map { "\($0):\n" + log($0).suffix(1500) }.joined(separator: "\n")
    }

    static func object(_ kind: String, _ name: String, _ spec: String) -> String {
        "apiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name)}\nspec: {\(spec)}\n---\n"
    }
}
