import AgentDaemon
import ArgumentParser
import Edges
import FIB
import Glibc
import LinuxIO
import NetTypes
import NodeDaemon
import Planning
import ReflectorDaemon
import Resources

// `unsafe` here: calls of the C library with the address of a variable for the length of the call; what they return is
// copied at once.

/// The daemon. Exit codes: 0 stopped by a signal, 2 a start that cannot succeed or a wrong use, with one line that says
/// why.
@main
struct Apusd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apusd", abstract: "BGP route distribution for container hosts.",
        discussion:
            "Every option has an environment variable: --node is APUS_NODE, --log-level is APUS_LOG_LEVEL, and so on.",
        version: apusVersion,
        subcommands: [AgentCommand.self, ReflectorCommand.self, CleanupCommand.self, ManFieldsCommand.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if code == .success {
                print(message)
                Glibc.exit(0)
            }
            var text = error is StartError ? "apusd: \(error)" : message
            if !text.hasSuffix("\n") { text += "\n" }
            printError(text)
            Glibc.exit(2)
        }
    }
}

/// A flag's default: its environment variable, else what the documentation says.
private func fromEnvironment(_ flag: String, _ fallback: String) -> String {
    let name = "APUS_" + flag.uppercased().replacing("-", with: "_")
    return unsafe getenv(name).map { unsafe String(cString: $0) } ?? fallback
}

/// The default of a flag that stands for one of calico/node's variables: our own variable, then Calico's.
private func fromCalico(_ flag: String, _ variable: String, else fallback: String) -> String {
    fromEnvironment(flag, unsafe getenv(variable).map { unsafe String(cString: $0) } ?? fallback)
}

private func isSet(_ flag: String) -> Bool { ["1", "true", "yes"].contains(fromEnvironment(flag, "").lowercased()) }

struct ProcessOptions: ParsableArguments {
    @Option(help: "Name of this host's Node object.")
    var node: String = {
        var name = [CChar](repeating: 0, count: 256)
        let host =
            unsafe gethostname(&name, 255) == 0
            ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
        return fromEnvironment("node", host)
    }()
    @Option(help: "File or folder with the resources.")
    var resources: String = fromEnvironment("resources", "/etc/apus/resources.d")
    @Option(help: "Folder with the secrets: NAME/KEY below it.")
    var secrets: String = fromEnvironment("secrets", "/etc/apus/secrets")
    @Option(help: "Folder for what outlives the process.")
    var stateDir: String = fromEnvironment("state-dir", "/var/lib/apus")
    @Option(help: "Unix socket of the status API.")
    var socket: String = fromEnvironment("socket", "/run/apus/apusd.sock")
    @Option(help: "Members of this group may use the socket; the default one need not exist.")
    var socketGroup: String = fromEnvironment("socket-group", "apus")
    @Option(help: "ADDRESS:PORT of the Prometheus metrics; empty: off.")
    var metrics: String = fromEnvironment("metrics", "127.0.0.1:9091")
    @Option(help: "ADDRESS:PORT of /liveness and /readiness; empty: off.")
    var health: String = fromEnvironment("health", "127.0.0.1:9099")
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = fromEnvironment("log-level", "notice")
    @Option(help: "text or json.")
    var logFormat: String = fromEnvironment("log-format", "text")
    @Flag(help: "Leave bad objects out at the first start instead of stopping.")
    var lenient = false

    func settings(
        isDryRun: Bool, programming: Programming = .all, takeOver: Set<Predecessor> = [], user: String?
    ) throws -> ProcessSettings {
        guard ["text", "json"].contains(logFormat) else {
            throw StartError("--log-format: \"\(logFormat)\" is unknown; it must be text or json")
        }
        let group = FileOwner(group: socketGroup) == nil ? nil : socketGroup
        guard group != nil || ["", "apus"].contains(socketGroup) else {
            throw StartError("--socket-group: this host has no group \"\(socketGroup)\"")
        }
        return ProcessSettings(
            node: node, resources: resources, secrets: secrets, stateDirectory: stateDir, socket: socket,
            socketGroup: group, metrics: metrics, health: health,
            logLevel: logLevel, isJSONLog: logFormat == "json", isDryRun: isDryRun,
            isLenient: lenient || isSet("lenient"), programming: programming,
            takeOver: takeOver, user: user)
    }
}

/// Where the node's own addresses come from; Calico's variables are the fallback.
struct AddressOptions: ParsableArguments {
    @Option(
        help:
            """
            autodetect, none or ADDRESS/LENGTH: this node's IPv4 address, over that of the Node object; empty: the Node \
            object's, and where it has no address at all it is detected. Also IP.
            """
    )
    var ip: String = fromCalico("ip", "IP", else: "")
    @Option(
        help:
            "The same for IPv6; empty: the Node object's, and nothing is detected. Also IP6."
    )
    var ip6: String = fromCalico("ip6", "IP6", else: "")
    @Option(
        help:
            """
            first-found, can-reach=ADDRESS, interface=REGEX, skip-interface=REGEX, cidr=CIDR or \
            kubernetes-internal-ip: how the IPv4 address is detected. Also IP_AUTODETECTION_METHOD.
            """
    )
    var ipAutodetectionMethod: String = fromCalico(
        "ip-autodetection-method", "IP_AUTODETECTION_METHOD", else: "first-found")
    @Option(help: "The same for IPv6. Also IP6_AUTODETECTION_METHOD.")
    var ip6AutodetectionMethod: String = fromCalico(
        "ip6-autodetection-method", "IP6_AUTODETECTION_METHOD", else: "first-found")

    func settings() throws -> DetectionSettings {
        func parsed<Value>(_ flag: String, _ variable: String, by parse: () throws -> Value) throws -> Value {
            do { return try parse() } catch { throw StartError("--\(flag) (or \(variable)): \(error)") }
        }
        return DetectionSettings(
            sources: [
                try parsed("ip", "IP") { try AddressSource(ip, .ipv4) },
                try parsed("ip6", "IP6") { try AddressSource(ip6, .ipv6) },
            ],
            methods: [
                try parsed("ip-autodetection-method", "IP_AUTODETECTION_METHOD") {
                    try DetectionMethod(ipAutodetectionMethod)
                },
                try parsed("ip6-autodetection-method", "IP6_AUTODETECTION_METHOD") {
                    try DetectionMethod(ip6AutodetectionMethod)
                },
            ])
    }
}

struct AgentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Run on a node: peer, and program the kernel's routes.")
    @OptionGroup var options: ProcessOptions
    @Flag(help: "Read the kernel, write nothing to it, and say what would be written.")
    var dryRun = false

    @Option(
        help:
            """
            all, local (pods and own blocks only) or remote (beside Felix: other nodes' routes and own blocks; \
            host routes that Felix writes are learned).
            """
    )
    var program: String = fromEnvironment("program", "all")

    @Option(
        help:
            """
            bird, felix or bird,felix: routes that they left in the kernel are replaced where ours are wanted, and \
            removed otherwise once every peer has sent its table. Stop them first.
            """
    )
    var takeOver: String = fromEnvironment("take-over", "")
    @OptionGroup var addresses: AddressOptions

    @Flag(
        help:
            """
            Beside a Calico that runs: peer with nobody, write nothing, and compare what it has with what Apus would \
            have; apusctl shadow shows that.
            """
    )
    var shadow = false
    @Option(help: "With --shadow: the control sockets of Calico's BIRDs, with commas between them.")
    var birdSockets: String = fromEnvironment(
        "bird-sockets", "/var/run/calico/bird.ctl,/var/run/calico/bird6.ctl")

    func run() throws {
        guard let programming = Programming(rawValue: program) else {
            throw StartError("--program: \"\(program)\" is unknown; it must be all, local or remote")
        }
        if shadow || isSet("shadow") {
            let sockets = birdSockets.split(separator: ",").map { String($0.trimmingPrefix(while: \.isWhitespace)) }
            guard !sockets.isEmpty else { throw StartError("--bird-sockets: --shadow needs one at least") }
            return try ShadowMode.run(
                options.settings(isDryRun: true, programming: programming, user: nil), addresses: addresses.settings(),
                birds: sockets)
        }
        try AgentMode.run(
            options.settings(
                isDryRun: dryRun || isSet("dry-run"), programming: programming,
                takeOver: predecessors(programming), user: nil), addresses: addresses.settings())
    }

    private func predecessors(_ programming: Programming) throws -> Set<Predecessor> {
        let result = try readPredecessors(takeOver, option: "--take-over")
        if result.contains(.felix), programming == .remote {
            throw StartError("--take-over felix and --program remote: with the latter Felix's routes stay Felix's")
        }
        return result
    }
}

/// `bird`, `felix` or `bird,felix`; empty for none.
private func readPredecessors(_ text: String, option: String) throws -> Set<Predecessor> {
    var result: Set<Predecessor> = []
    for name in text.split(separator: ",").map({ $0.trimmingPrefix(while: \.isWhitespace) }) {
        guard let predecessor = Predecessor(rawValue: String(name)) else {
            throw StartError("\(option): \"\(name)\" is unknown; it must be bird, felix or bird,felix")
        }
        result.insert(predecessor)
    }
    return result
}

/// Exit codes: 0 done, 1 the kernel refused something, 2 as ever.
struct CleanupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cleanup",
        abstract: "Once an agent has ended: give its routes to BIRD and Felix, or remove what is left of it.")
    @Option(
        help:
            """
            bird, felix or bird,felix: rewrite the routes as theirs, each in one step, before they are started; \
            nothing is removed. Without it routes, next-hop objects and tunnel devices of the agent are removed.
            """
    )
    var leaveTo: String = fromEnvironment("leave-to", "")
    @Option(help: "Protocol of the agent's routes, where deviceRouteProtocol gave it another one.")
    var routeProtocol: UInt8 = Ownership.defaultProtocol
    @Option(help: "Protocol of the host routes that Felix is left: its deviceRouteProtocol.")
    var deviceProtocol: UInt8 = 3
    @Option(
        help:
            "Metric of the routes that BIRD and Felix write, where it is not that of the agent's; 0 before Calico 3.32."
    )
    var metric: UInt32?
    @Option(help: "Unix socket of the agent, which must have ended.")
    var socket: String = fromEnvironment("socket", "/run/apus/apusd.sock")
    @Flag(help: "Say what would be done, and do nothing.")
    var dryRun = false

    func run() throws {
        // 0 to 4: the kernel's, ICMP's and the administrator's routes bear them.
        guard routeProtocol > 4, routeProtocol != TakeOver.birdProtocol else {
            throw StartError("--route-protocol \(routeProtocol): routes of it are not the agent's; it has 73")
        }
        let heirs = Heirs(
            try readPredecessors(leaveTo, option: "--leave-to"), deviceProtocol: deviceProtocol, metric: metric)
        guard metric == nil || !heirs.names.isEmpty else {
            throw StartError(
                "--metric: is that of the routes that --leave-to leaves; name bird, felix or bird,felix there")
        }
        let isDryRun = dryRun || isSet("dry-run")
        let result = try CleanupMode.run(heirs, routeProtocol: routeProtocol, socket: socket, isDryRun: isDryRun)
        for line in result.lines { print(line) }
        if !result.isComplete { Glibc.exit(1) }
    }
}

struct ReflectorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reflector",
        abstract: "Run as a route reflector: control plane only, no way to the kernel's routes.")
    @OptionGroup var options: ProcessOptions
    @Option(help: "User to become after the port is bound, where started as root.")
    var user: String?

    func run() throws {
        let name = user ?? fromEnvironment("user", "")
        try ReflectorMode.run(options.settings(isDryRun: false, user: name.isEmpty ? nil : name))
    }
}

struct ManFieldsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "man-fields", abstract: "Print the resource fields as mdoc, for apus.resources(5).",
        shouldDisplay: false)
    func run() { print(ManualFields.mdoc(), terminator: "") }
}
