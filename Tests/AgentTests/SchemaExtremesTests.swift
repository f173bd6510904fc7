import BFD
import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import Forwarding
import ForwardingPlane
import LinuxIO
import Logging
import NetTypes
import Planning
import Resources
import Testing

@testable import Node
@testable import Transport

/// Every field of every kind with values that nobody means. What is out of bounds is refused with file, line, field and
/// what would be right; what is accepted goes through everything that is planned from it, because a number that fits
/// its field may not fit what is computed from it.
@Suite struct SchemaExtremesTests {
    @Test(arguments: Schemas.all.map(\.kind)) func `no value of any field traps, and each beyond its bounds is refused`(
        kind: String
    ) throws {
        let spec = try #require(Schemas.kind(kind))
        var (fields, accepted) = (0, 0)
        for field in Field.all(spec) {
            fields += 1
            for value in Extremes.values(field.type) {
                for text in Manifest.texts(kind, field, value.text) {
                    let parsed = ResourceParser.parse(text, file: "x.yaml")
                    if value.isOutOfBounds {
                        let place = "x.yaml:4: \(kind)/\(Manifest.name(kind)): \(field.path): "
                        #expect(
                            parsed.problems.contains {
                                $0.description.hasPrefix(place) && $0.message.contains("it must be")
                            }, "\(text): \(parsed.problems)")
                    }
                    for problem in parsed.problems {
                        #expect(
                            problem.description.utf8.count < 2000,
                            "\(field.path): a problem of \(problem.description.utf8.count) bytes")
                    }
                    guard !parsed.resources.isEmpty else { continue }
                    accepted += 1
                    try Plans.carryOut(parsed)
                }
            }
        }
        #expect(fields > 0 && accepted > fields, "\(kind): \(accepted) values of \(fields) fields were accepted")
    }

    @Test(arguments: [
        ("BGPPeer", "holdTime", "153722868m"), ("BGPPeer", "holdTime", "1e400"),
        ("BGPPeer", "keepaliveTime", "9223372036854775808ns"), ("BGPPeer", "idleHoldTime", "2562048h"),
        ("BGPPeer", "connectRetryTime", "2562047h2562047h2562047h2562047h"),
        ("FelixConfiguration", "routeRefreshInterval", "2562048h"),
        ("FelixConfiguration", "liveMigrationRouteConvergenceTime", "2562048h"),
        ("BGPConfiguration", "nodeMeshMaxRestartTime", "153722868m"),
    ]) func `a duration whose number fits and whose nanoseconds do not is refused`(
        kind: String, field: String, value: String
    ) throws {
        let spec = try #require(Schemas.kind(kind))
        let found = try #require(Field.all(spec).first { $0.path == "spec.\(field)" })
        for text in Manifest.texts(kind, found, value) {
            let problems = ResourceParser.parse(text, file: "x.yaml").problems.map(\.description)
            #expect(
                problems.contains {
                    $0.hasPrefix("x.yaml:4: \(kind)/\(Manifest.name(kind)): spec.\(field): ")
                        && $0.contains("it must be")
                }, "\(problems)")
        }
    }
}

/// A field that holds a value, and the fields around it.
private struct Field {
    /// `spec.bfd.minTransmitInterval`
    var path: String
    var type: FieldType
    /// The outermost first; the last is the field's own.
    var chain: [FieldSpec]

    static func all(_ kind: KindSpec) -> [Field] { kind.fields.flatMap { all($0, [], "spec.") } }

    private static func all(_ spec: FieldSpec, _ outer: [FieldSpec], _ prefix: String) -> [Field] {
        let path = prefix + spec.name
        let chain = outer + [spec]
        let own = Field(path: path, type: spec.type, chain: chain)
        switch spec.type {
        case .object(let inner), .objectWithOthers(let inner):
            return [own] + inner.flatMap { all($0, chain, path + ".") }
        case .list(.object(let inner)): return [own] + inner.flatMap { all($0, chain, path + "[0].") }
        case .list(let element): return [own, Field(path: path + "[0]", type: element, chain: chain)]
        default: return [own]
        }
    }

    /// The field with a value, and with what is required around it, as `name: …`.
    func text(_ value: String) -> String {
        var text = value
        if case .list(let element)? = chain.last?.type, path.hasSuffix("[0]") {
            if case .object = element {} else { text = "[\(value)]" }
        }
        for (place, spec) in chain.enumerated().reversed() {
            text = "\(spec.name): \(text)"
            guard place > 0 else { break }
            switch chain[place - 1].type {
            case .object(let inner), .objectWithOthers(let inner):
                text = "{\(([text] + Field.required(inner, but: spec.name)).joined(separator: ", "))}"
            case .list(.object(let inner)):
                text = "[{\(([text] + Field.required(inner, but: spec.name)).joined(separator: ", "))}]"
            default: break
            }
        }
        return text
    }

    private static func required(_ fields: [FieldSpec], but name: String) -> [String] {
        fields.filter { $0.isRequired && $0.name != name }.map { "\($0.name): \(sample($0.type))" }
    }

    private static func sample(_ type: FieldType) -> String {
        switch type {
        case .bool: "true"
        case .integer(let range), .asNumber(let range): "\(range.lowerBound)"
        case .duration(let range): GoDuration.text(range.lowerBound)
        case .address, .endpoint: "10.0.0.9"
        case .cidr, .interfaceAddress: "10.65.9.0/24"
        case .mac: "02:00:00:00:00:01"
        case .community: "\"65000:1\""
        case .pathCount: "2"
        case .choice(let values): values[0]
        case .list(let element): "[\(sample(element))]"
        case .object(let fields), .objectWithOthers(let fields):
            "{\(required(fields, but: "").joined(separator: ", "))}"
        case .map, .any, .refused: "{}"
        case .string, .text, .selector: "all()"
        }
    }
}

private enum Extremes {
    static func values(_ type: FieldType) -> [(text: String, isOutOfBounds: Bool)] {
        var values = common.map { ($0, false) }
        switch type {
        case .integer(let range):
            values += [range.lowerBound, range.upperBound].map { ("\($0)", false) }
            values += [range.lowerBound - 1, range.upperBound + 1].map { ("\($0)", true) }
        case .asNumber(let range):
            values += ["\(range.lowerBound)", "\(range.upperBound)", "0.1", "65535.65535"].map { ($0, false) }
            values += ["\(range.lowerBound - 1)", "\(range.upperBound + 1)", "65536.0", "0.65536", "1.2.3"].map {
                ($0, true)
            }
        case .duration(let range):
            values += [range.lowerBound, range.upperBound].map { (GoDuration.text($0), false) }
            let around = ["\(range.upperBound.nanoseconds + 1)ns", "\(range.lowerBound.nanoseconds - 1)ns"]
            values += (around + ["153722868m", "2562048h", "9223372036854775807ns", "1" + zeros + "h"]).map {
                ($0, true)
            }
        case .choice(let choices): values += choices.map { ($0, false) }
        case .bool: values += [("true", false), ("false", false)]
        default: break
        }
        return values
    }

    private static let zeros = String(repeating: "0", count: 30)
    private static let nines = String(repeating: "9", count: 5000)
    private static let common: [String] = numbers + durations + texts + addresses + overlong

    private static let numbers = [
        "0", "-1", "1", "-0", "+1", "255", "256", "65535", "65536", "4294967295", "4294967296", "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808", "1e30", "1e400", "1" + zeros, nines, "NaN", "nan", "inf", "-inf", "0x7fffffff",
    ]
    private static let durations = [
        nines + "s", "0." + zeros + "1h", "0s", "-1s", "1ns", "1.5s", "0.5ms", "1e9s", ".s", "1h1m1s1ms1us1ns",
        String(repeating: "2562047h", count: 500),
    ]
    private static let texts = [
        "\"\"", "\" \"", "~", "[]", "{}", "[[]]", "[{}]", "[\"\"]", "true", "all", "\"all()\"", "\"\\u0000\"", "\"..\"",
        "\"/\"", "\"*\"", "\"[\"", "\"(a+)+$\"",
    ]
    private static let addresses = [
        "0.0.0.0", "\"::\"", "255.255.255.255", "\"fe80::1\"", "0.0.0.0/0", "\"::/0\"", "255.255.255.255/32",
        "10.0.0.0/33",
        "\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128\"", "\"[::1]:65535\"", "10.0.0.9:0", "10.0.0.9:65536", "\"0:0\"",
        "\"65535:65535\"",
        "\"4294967295:4294967295:4294967295\"", "\"65536:1\"", "\"ff:ff:ff:ff:ff:ff\"",
    ]
    private static let overlong = [
        String(repeating: "x", count: 100_000), quoted("(", 1000, ")", 1000), quoted("(", 50000, "", 0),
        quoted("!", 5000, "all()", 1), quoted("all() && ", 400, "all()", 1),
        quoted("all() && ", 20000, "all()", 1),
    ]
    private static func quoted(_ first: String, _ count: Int, _ last: String, _ lastCount: Int) -> String {
        "\"\(String(repeating: first, count: count))\(String(repeating: last, count: lastCount))\""
    }
}

private enum Manifest {
    static func name(_ kind: String) -> String {
        switch kind {
        case "Node": "n"
        case "BGPConfiguration", "FelixConfiguration": "default"
        default: "p"
        }
    }

    /// The field in each of the surroundings in which it may stand.
    static func texts(_ kind: String, _ field: Field, _ value: String) -> [String] {
        let own = field.chain[0].name
        let surroundings: [[String]]
        switch kind {
        case "BGPPeer":
            let targets = ["peerIP", "peerSelector", "listenRange", "interface", "localWorkloadSelector"]
            if targets.contains(own) {
                surroundings = [own == "peerSelector" ? [] : ["asNumber: 64999"]]
            } else {
                surroundings = [
                    ["peerIP: 10.0.0.9", "asNumber: 64999"], ["listenRange: 10.0.0.0/24", "asNumber: 0"],
                    ["interface: eth0", "asNumber: 0"], ["peerSelector: all()"],
                ]
            }
        case "Node": surroundings = [["bgp: {ipv4Address: 10.0.0.1/24}"], ["podCIDRs: [10.65.0.0/26]"]]
        case "IPPool": surroundings = [["cidr: 10.65.0.0/16"], ["cidr: \"fd00::/64\"", "vxlanMode: Always"]]
        case "BlockAffinity": surroundings = [["node: n", "cidr: 10.65.0.0/26", "state: confirmed"]]
        case "WorkloadEndpoint": surroundings = [["node: n", "interfaceName: cali1", "ipNetworks: [10.65.0.9/32]"]]
        default: surroundings = [[]]
        }
        return surroundings.map { around in
            let others = around.filter { !$0.hasPrefix("\(own):") }
            return
                "apiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: {name: \(name(kind))}\nspec: "
                + "{\(([field.text(value)] + others).joined(separator: ", "))}\n"
        }
    }
}

/// Everything that follows from resources, without a socket or a kernel.
private enum Plans {
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let base = """
        apiVersion: projectcalico.org/v3
        kind: Node
        metadata: {name: m}
        spec: {bgp: {ipv4Address: 10.0.0.2/24, ipv6Address: "fd00:1::2/64"}, podCIDRs: [10.66.0.0/26]}
        ---
        apiVersion: projectcalico.org/v3
        kind: Node
        metadata: {name: n}
        spec: {bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: "fd00:1::1/64"}, podCIDRs: [10.66.1.0/26]}
        ---
        apiVersion: projectcalico.org/v3
        kind: IPPool
        metadata: {name: q}
        spec: {cidr: 10.66.0.0/16, vxlanMode: CrossSubnet}
        """

    static func carryOut(_ parsed: ResourceParser.Parsed) throws {
        let resources = ResourceSet(
            [parsed, ResourceParser.parse(base, file: "base.yaml")], files: ["x.yaml", "base.yaml"],
            previous: ResourceSet())
        let loaded = LoadedConfiguration(resources: resources, secrets: Secrets())
        let start = Instant(nanoseconds: 1_000_000_000)
        for isReflector in [false, true] {
            for peer in PeeringPlan.peers(of: "n", in: resources) {
                for address in [IPAddress(v4: 0x0A00_0009), IPAddress("fe80::1")?.scoped(2)].compactMap({ $0 }) {
                    let settings = PeerSettings(
                        peer, address, resources: resources, node: "n", identity: identity, source: nil, linkLocal: nil)
                    #expect(settings.minimumInterval >= .zero)
                }
                if let bfd = peer.options.bfd { runBFD(bfd, start) }
            }
            try runPeering(loaded, isReflector: isReflector, start)
        }
        for programming in Programming.allCases {
            let state = NodeState(resources, node: "n", programming: programming)
            #expect(start + state.auditInterval > start && start + state.migration.convergence >= start)
            var tunnels = Tunnels()
            tunnels.configure(state.tunnels)
        }
    }

    private static func runBFD(_ bfd: BGPPeer.BFD, _ start: Instant) {
        let configuration = BFDConfiguration(
            desiredMinTX: bfd.minTransmitInterval, requiredMinRX: bfd.minReceiveInterval,
            detectMultiplier: bfd.detectMultiplier)
        var session = BFDSession(configuration, discriminator: 1, seed: 1, now: start)
        var actions: [BFDSession.Action] = []
        for interval in [0, 1, UInt32.max] {
            var packet = BFDPacket()
            packet.myDiscriminator = 2
            packet.state = .initializing
            packet.detectMultiplier = .max
            packet.desiredMinTX = interval
            packet.requiredMinRX = interval
            session.receive(packet, now: start, &actions)
            session.handleTimeout(now: session.nextDeadline ?? start, &actions)
        }
    }

    /// Sessions that are begun and fail, as far as their timers go.
    private static func runPeering(_ loaded: LoadedConfiguration, isReflector: Bool, _ start: Instant) throws {
        let transport = try Transport(openFiles: 1024)
        var speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 16, recordsChanges: false, restart: RestartState(),
            seed: 1, now: start)
        let peering = Peering(node: "n", isReflector: isReflector, identity: identity, first: loaded, logger: logger)
        var now = start
        peering.apply(
            ResourceChange(whole: loaded), speaker: &speaker, plane: NoForwarding(), transport: transport, now: now)
        #expect(peering.bfdTargets(NoForwarding()).allSatisfy { $0.value.configuration.detectMultiplier > 0 })
        for _ in 0..<12 {
            for peer in speaker.peerIndices { speaker.connectionFailed(peer, .active, now: now) }
            _ = speaker.takeActions()
            now = max(now + .milliseconds(1), speaker.nextDeadline ?? now)
            speaker.handleTimeouts(now: now)
            peering.handleTimeouts(&speaker, now: now)
        }
    }
}
