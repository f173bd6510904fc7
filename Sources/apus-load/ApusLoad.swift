import ArgumentParser
import FoundationEssentials
import Glibc
import LinuxIO
import LoadGenerator
import NetTypes

/// The load generator. Exit codes: 0 every phase ended with exactly the routes that it must, 1 one did not, 2 wrong
/// use.
@main
struct ApusLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-load",
        abstract: "Emulates BGP speakers towards one speaker, and counts exactly what each of them receives.",
        discussion: "The speakers' addresses must be on this host. Only send load to speakers of your own.",
        version: apusVersion,
        subcommands: [RunCommand.self, FloorCommand.self], defaultSubcommand: RunCommand.self)

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            if code == .success || code.rawValue == 1 && error is ExitCode {
                if code == .success { print(fullMessage(for: error)) }
                Glibc.exit(code.rawValue)
            }
            printError(fullMessage(for: error) + "\n")
            Glibc.exit(2)
        }
    }
}

/// What sockets and copies alone cost: to be measured beside a real speaker.
struct FloorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floor", abstract: "Be a reflector that passes UPDATEs on without looking at them.",
        discussion:
            "Measure it with --expect transparent. It keeps no table, has no policy, and runs until it is ended.")

    @Option(help: "Address to listen on.") var listen: String
    @Option(help: "Port to listen on.") var port: UInt16 = 179
    @Option(name: .customLong("as"), help: "Our AS.") var asNumber: UInt32 = 64512

    func run() throws {
        guard let address = IPAddress(listen) else {
            throw ValidationError("--listen: \"\(listen)\" is not an address, such as 198.18.0.1")
        }
        let floor: FloorReflector
        do throws(LoadError) {
            floor = try FloorReflector(address, port: port, asNumber: ASNumber(asNumber))
        } catch {
            throw ValidationError(error.description)
        }
        floor.run()
    }
}

/// `apus-load` without a subcommand. One property per option.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Open sessions, announce, count (the default).")

    @Option(help: "ADDRESS or ADDRESS:PORT ([ADDRESS]:PORT for IPv6) of the speaker under test.")
    var target: String
    @Option(help: "Address of the first speaker; the others have those that follow.")
    var source: String
    @Option(help: "Speakers.") var speakers = 2
    @Option(help: "The first so many announce.") var senders = 1
    @Option(help: "The last so many are counted: a number, or all.") var receivers = "all"
    @Option(name: .customLong("as"), help: "AS of the speaker under test, and of ours.") var asNumber: UInt32 = 64512
    @Option(name: .customLong("external-as"), help: "Speaker i has this AS + i: external sessions.")
    var externalAS: UInt32?
    @Option(help: "ipv4, ipv6, or ipv4,ipv6.") var families = "ipv4"
    @Option(help: "File with the TCP MD5 password of every session.") var passwordFile: String?
    @Flag(help: "Take several paths of a prefix (RFC 7911).") var addPath = false
    @Option(help: "Hold time in seconds: 0, or 3 to 65535.") var holdTime: UInt16 = 240
    @Option(help: "Prefixes a sender and family.") var prefixes = 1000
    @Option(help: "pod, blocks, internet, or mrt:FILE.") var shape = "pod"
    @Option(help: "Attribute sets a sender.") var sets: Int?
    @Option(help: "Different IPv4 next hops, by set; 0: each sender's own address.") var nextHops = 0
    @Option(help: "The first of them.") var firstNextHop = "198.18.64.1"
    @Flag(help: "All senders announce the same prefixes; the best path of each is counted.") var shared = false
    @Option(
        help:
            """
            What routes must look like: reflected, external, transparent. Default: reflected, with --external-as \
            external.
            """
    ) var expect: String?
    @Option(help: "Comma-separated: announce, withdraw, churn:RATE:SECONDS, latency:COUNT.") var phases =
        "announce,withdraw,announce"
    @Option(help: "Seed of all that is made up.") var seed: UInt64 = 1
    @Option(help: "Seconds that a phase may take.") var timeout = 120
    @Option(help: "Sessions that are being opened at a time.") var burst = 64
    @Option(help: "Seconds between the last session and the first phase.") var settle = 0.5
    @Option(name: .customLong("pid"), help: "Processes whose CPU time and memory are measured, comma-separated.")
    var processes: String?
    @Option(
        name: .customLong("fib-pid"),
        help: "A phase also waits until the kernel of this process's namespace has the routes.") var fibProcess: Int32?
    @Flag(help: "No progress line.") var quiet = false

    func run() throws {
        let scenario = try scenario()
        let showsProgress = !quiet && isTerminal(2)
        let load: LoadRun
        do throws(LoadError) {
            load = try LoadRun(scenario, version: apusVersion) { line in
                if showsProgress { printError("\r\u{1B}[K\(line)") }
            }
        } catch {
            throw ValidationError(error.description)
        }
        let report = load.run()
        if showsProgress { printError("\r\u{1B}[K") }
        for problem in report.problems { printError("apus-load: \(problem)\n") }
        for phase in report.phases where phase.isGeneratorBound {
            printError(
                "apus-load: \(phase.name): the generator was the bottleneck; the time says nothing of the speaker "
                    + "under test\n"
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
        if !report.ok { throw ExitCode(1) }
    }

    // MARK: Options to a scenario

    private func scenario() throws -> LoadScenario {
        let (address, port) = try target(target)
        guard let first = IPAddress(source) else {
            throw ValidationError("--source: \"\(source)\" is not an address, such as 198.18.1.1")
        }
        var result = LoadScenario(target: address, source: first)
        result.port = port
        result.speakers = speakers
        result.senders = senders
        if receivers != "all" {
            guard let count = Int(receivers) else {
                throw ValidationError("--receivers: \"\(receivers)\" is neither a number nor all")
            }
            result.receivers = count
        }
        result.targetAS = ASNumber(asNumber)
        result.externalAS = externalAS.map { ASNumber($0) }
        result.families = try families(families)
        if let passwordFile {
            guard let bytes = try? readWholeFile(passwordFile) else {
                throw ValidationError("--password-file: \(passwordFile) cannot be read")
            }
            result.password = bytes.last == UInt8(ascii: "\n") ? Array(bytes.dropLast()) : bytes
            guard (1...80).contains(result.password?.count ?? 0) else {
                throw ValidationError("--password-file: a TCP MD5 password has 1 to 80 bytes (RFC 2385)")
            }
        }
        result.receivesAddPath = addPath
        guard holdTime == 0 || holdTime >= 3 else {
            throw ValidationError("--hold-time \(holdTime): 0, or 3 to 65535 (RFC 4271 4.2)")
        }
        result.holdTime = holdTime
        result.prefixes = prefixes
        switch shape {
        case "pod": result.shape = .pod
        case "blocks": result.shape = .blocks
        case "internet": result.shape = .internet
        case let text where text.hasPrefix("mrt:"): result.shape = .mrt(String(text.dropFirst(4)))
        default: throw ValidationError("--shape: \"\(shape)\" is none of pod, blocks, internet, mrt:FILE")
        }
        result.sets = sets ?? (result.shape == .internet ? max(1, prefixes * 3 / 20) : 1)
        result.nextHops = nextHops
        guard let hop = IPAddress(firstNextHop), hop.family == .ipv4 else {
            throw ValidationError("--first-next-hop: \"\(firstNextHop)\" is not an IPv4 address, such as 198.18.64.1")
        }
        result.firstNextHop = hop
        result.isShared = shared
        let expectation = expect ?? (externalAS == nil ? "reflected" : "external")
        guard let expected = LoadScenario.Expectation(rawValue: expectation) else {
            throw ValidationError("--expect: \"\(expectation)\" is none of reflected, external, transparent")
        }
        result.expectation = expected
        result.phases = try phases.split(separator: ",").map { try phase(String($0)) }
        result.seed = seed
        result.timeout = timeout
        result.burst = burst
        guard settle >= 0, settle <= 3600 else { throw ValidationError("--settle \(settle): 0 to 3600 seconds") }
        result.settle = .milliseconds(Int64(settle * 1000))
        for number in (processes ?? "").split(separator: ",") {
            guard let process = Int32(number) else {
                throw ValidationError("--pid: \"\(number)\" is not the number of a process")
            }
            result.processes.append(process)
        }
        result.fibProcess = fibProcess
        if let problem = result.problem { throw ValidationError(problem) }
        return result
    }

    private func target(_ text: String) throws -> (IPAddress, UInt16) {
        if let address = IPAddress(text) { return (address, 179) }
        if let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0,
            let address = IPAddress(String(text[..<colon].filter { $0 != "[" && $0 != "]" }))
        {
            return (address, port)
        }
        throw ValidationError("--target: \"\(text)\" is neither ADDRESS nor ADDRESS:PORT, such as 198.18.0.1:179")
    }

    private func families(_ text: String) throws -> AddressFamilySet {
        var result: AddressFamilySet = []
        for name in text.split(separator: ",") {
            switch name {
            case "ipv4": result.insert(.ipv4)
            case "ipv6": result.insert(.ipv6)
            default: throw ValidationError("--families: \"\(name)\" is neither ipv4 nor ipv6")
            }
        }
        return result
    }

    private func phase(_ text: String) throws -> LoadScenario.Phase {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch (parts[0], parts.count) {
        case ("announce", 1): return .announce
        case ("withdraw", 1): return .withdraw
        case ("churn", 3):
            if let rate = Int(parts[1]), let seconds = Int(parts[2]) { return .churn(rate: rate, seconds: seconds) }
        case ("latency", 2): if let count = Int(parts[1]) { return .latency(count: count) }
        default: break
        }
        throw ValidationError("--phases: \"\(text)\" is none of announce, withdraw, churn:RATE:SECONDS, latency:COUNT")
    }
}
