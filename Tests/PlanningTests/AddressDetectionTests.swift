import FIB
import NetTypes
import Planning
import Resources
import StatusAPI
import Testing

/// Which address of a host becomes its node's.
@Suite struct AddressDetectionTests {
    /// `index name address/length`, with ` down` for an interface that is.
    private static func addresses(_ lines: String...) throws -> [NamedAddress] {
        try lines.map { line in
            let words = line.split(separator: " ").map(String.init)
            let parsed = try #require(Prefix.parse(words[2]))
            return NamedAddress(
                index: InterfaceIndex(rawValue: try #require(Int32(words[0]))), name: words[1], isUp: words.count < 4,
                address: parsed.address, prefixLength: parsed.prefix.length)
        }
    }
    private static func host() throws -> [NamedAddress] {
        try addresses(
            "1 lo 127.0.0.1/8", "1 lo 192.0.2.9/32", "2 docker0 172.17.0.1/16", "3 eth9 10.9.0.1/24 down",
            "5 eth1 192.168.7.2/20", "4 eth0 169.254.3.3/16", "4 eth0 10.0.0.1/24", "4 eth0 10.0.0.2/24",
            "6 cali1234 10.65.0.1/32", "7 ibmveth0 10.7.0.1/24", "1 lo ::1/128", "4 eth0 fe80::1/64",
            "4 eth0 2001:db8::1/64", "5 eth1 fd00::2/48")
    }
    private static func detect(
        _ method: String, _ family: AddressFamily = .ipv4, _ host: [NamedAddress]? = nil, source: String? = nil,
        resolved: [String]? = nil, internalAddresses: [String] = []
    ) throws -> Result<String, DetectionFailure> {
        let view = DetectionView(
            addresses: try host ?? Self.host(), sourceAddress: { _ in source.flatMap { IPAddress($0) } },
            resolved: resolved.map { ["a.example": $0.compactMap { IPAddress($0) }] } ?? [:],
            internalAddresses: internalAddresses.compactMap { IPAddress($0) })
        return try DetectionMethod(method).detect(family, view).map { "\($0.address) \($0.subnet)" }
    }

    @Test(arguments: [
        ("", "10.0.0.1 10.0.0.0/24"), ("first-found", "10.0.0.1 10.0.0.0/24"),
        ("interface=eth1", "192.168.7.2 192.168.0.0/20"), ("interface=nothing, ^cali", "10.65.0.1 10.65.0.1/32"),
        ("interface=docker.*", "172.17.0.1 172.17.0.0/16"), ("interface=eth", "10.0.0.1 10.0.0.0/24"),
        ("interface=^lo$", "192.0.2.9 192.0.2.9/32"),
        ("skip-interface=^eth0$", "192.168.7.2 192.168.0.0/20"), ("skip-interface=^eth", "10.7.0.1 10.7.0.0/24"),
        ("cidr=192.168.0.0/16", "192.168.7.2 192.168.0.0/20"),
        ("cidr=10.200.0.0/16,172.16.0.0/12", "172.17.0.1 172.17.0.0/16"),
        ("cidr=10.0.0.2/32", "10.0.0.2 10.0.0.0/24"),
    ])
    func `IPv4 addresses`(method: String, wanted: String) throws {
        #expect(try Self.detect(method) == .success(wanted))
    }

    @Test(arguments: [
        ("first-found", "2001:db8::1 2001:db8::/64"), ("interface=eth1", "fd00::2 fd00::/48"),
        ("skip-interface=eth0", "fd00::2 fd00::/48"), ("cidr=fd00::/8", "fd00::2 fd00::/48"),
    ])
    func `IPv6 addresses`(method: String, wanted: String) throws {
        #expect(try Self.detect(method, .ipv6) == .success(wanted))
    }

    @Test func `the interface with the lowest index comes first, whatever the order is`() throws {
        let host = try Self.addresses("9 eth9 10.0.9.1/24", "3 eth3 10.0.3.2/24", "3 eth3 10.0.3.1/24")
        #expect(try Self.detect("first-found", .ipv4, host) == .success("10.0.3.2 10.0.3.0/24"))
    }

    @Test(arguments: [
        "docker0", "cbr0", "dummy0", "virbr0", "lxcbr0", "veth1", "lo1", "cali1", "tunl0", "flannel.1", "kube-ipvs0",
        "cni0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali", "nodelocaldns",
    ])
    func `first-found and skip-interface never take Calico's list`(name: String) throws {
        let host = try Self.addresses("2 \(name) 10.0.0.1/24")
        for method in ["first-found", "skip-interface=x"] {
            #expect(try Self.detect(method, .ipv4, host) == .failure(.noInterface(interfaces: [name])))
        }
        #expect(try Self.detect("interface=.", .ipv4, host) == .success("10.0.0.1 10.0.0.0/24"))
    }

    @Test func `can-reach is the source of the way, with its interface's prefix length`() throws {
        #expect(
            try Self.detect("can-reach=8.8.8.8", source: "192.168.7.2") == .success("192.168.7.2 192.168.0.0/20"))
        #expect(
            try Self.detect("can-reach=a.example", source: "10.0.0.2", resolved: ["::1", "8.8.8.8"])
                == .success("10.0.0.2 10.0.0.0/24"))
        #expect(try Self.detect("can-reach=8.8.8.8") == .failure(.noRoute(destination: "8.8.8.8")))
        // Somebody's, but of no interface; of one that is down; loopback.
        for source in ["10.3.3.3", "10.9.0.1", "127.0.0.1"] {
            #expect(
                try Self.detect("can-reach=8.8.8.8", source: source) == .failure(.noRoute(destination: "8.8.8.8")))
        }
        for resolved in [nil, [], ["::1"]] {
            #expect(
                try Self.detect("can-reach=a.example", source: "10.0.0.1", resolved: resolved)
                    == .failure(.notResolved(host: "a.example")))
        }
    }

    @Test func `each family goes by its own name`() throws {
        let settings = DetectionSettings(
            sources: [.detected, .detected],
            methods: [try DetectionMethod("can-reach=four.example"), try DetectionMethod("can-reach=six.example")])
        var detector = AddressDetector(settings, node: "n")
        #expect(detector.hostNames == ["four.example", "six.example"])
        detector.resolved = ["four.example": [try #require(IPAddress("192.0.2.1"))]]
        let resources = load(object("Node", "n", ""))
        func detect() throws -> [String?] {
            let view = DetectionView(
                addresses: try Self.host(),
                sourceAddress: { IPAddress($0.family == .ipv4 ? "10.0.0.1" : "2001:db8::1") })
            _ = detector.detect(resources, view)
            let own = try #require(resources.node("n").map { detector.complete($0) })
            return [own.ipv4, own.ipv6].map { $0.map { "\($0.address)" } }
        }
        #expect(try detect() == ["10.0.0.1", nil])
        #expect(detector.failures == [nil, .notResolved(host: "six.example")])
        detector.resolved["six.example"] = [try #require(IPAddress("2001:db8:9::1"))]
        #expect(try detect() == ["10.0.0.1", "2001:db8::1"])
    }

    @Test func `kubernetes-internal-ip is the first of the family`() throws {
        let all = ["2001:db8::1", "10.0.0.2", "10.0.0.1"]
        #expect(
            try Self.detect("kubernetes-internal-ip", internalAddresses: all) == .success("10.0.0.2 10.0.0.0/24"))
        #expect(
            try Self.detect("kubernetes-internal-ip", .ipv6, internalAddresses: all)
                == .success("2001:db8::1 2001:db8::/64"))
        #expect(
            try Self.detect("kubernetes-internal-ip", internalAddresses: ["10.4.4.4"])
                == .success("10.4.4.4 10.4.4.4/32"))
        #expect(try Self.detect("kubernetes-internal-ip") == .failure(.noInternalAddress))
    }

    @Test func `what is not found says what was looked at`() throws {
        #expect(
            try Self.detect("interface=wlan0")
                == .failure(
                    .noInterface(interfaces: ["lo", "docker0", "eth9", "eth0", "eth1", "cali1234", "ibmveth0"])))
        #expect(
            try Self.detect("cidr=11.0.0.0/8")
                == .failure(
                    .notInside(
                        addresses: [
                            "192.0.2.9", "172.17.0.1", "10.0.0.1", "10.0.0.2", "192.168.7.2", "10.65.0.1", "10.7.0.1",
                        ])))
        #expect(try Self.detect("first-found", .ipv6, []) == .failure(.noInterface(interfaces: [])))
    }

    @Test(arguments: [
        ("first", "must be first-found"), ("first-found=x", "must be first-found"), ("interface", "must be first"),
        ("interface=", "is empty"), ("interface=eth0,", "is empty"), ("interface=eth[", "'[' has no ']'"),
        ("skip-interface=(", "'(' has no ')'"), ("cidr=10.0.0.0", "is no prefix"), ("cidr=", "is no prefix"),
        ("can-reach=", "needs an address"), ("can-reach=a b", "needs an address"),
    ])
    func `a method that is none is refused`(text: String, message: String) {
        let error = #expect(throws: DetectionSyntaxError.self) { try DetectionMethod(text) }
        #expect(error?.description.contains(message) ?? false, "\(String(describing: error))")
    }

    @Test func `IP is autodetect, none or an address`() throws {
        #expect(try AddressSource("", .ipv4) == .declaredElseDetected)
        #expect(try AddressSource("", .ipv6) == .declared)
        #expect(try AddressSource("none", .ipv4) == .declared)
        #expect(try AddressSource("autodetect", .ipv6) == .detected)
        let address: IPAddress = try #require(IPAddress("10.0.0.1"))
        #expect(try AddressSource("10.0.0.1/24", .ipv4) == .fixed(address, length: 24))
        #expect(try AddressSource("10.0.0.1", .ipv4) == .fixed(address, length: nil))
        for bad in ["auto", "10.0.0.1/33", "::1", "127.0.0.1", "0.0.0.0", "224.0.0.1"] {
            #expect(throws: DetectionSyntaxError.self) { try AddressSource(bad, .ipv4) }
        }
    }

    // MARK: The Node object

    private static func resources(_ own: String, _ other: String = "") throws -> ResourceSet {
        let text =
            "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n}\nspec: {\(own)}\n---\n"
            + "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: m}\nspec: {\(other)}\n"
        let parsed = ResourceParser.parse(text, file: "r.yaml")
        try #require(parsed.problems.isEmpty, "\(parsed.problems)")
        return ResourceSet([parsed], files: ["r.yaml"], previous: ResourceSet())
    }
    private static func completed(
        _ own: String, ip: String = "", ip6: String = "", other: String = ""
    ) throws -> (node: NodeResource, failures: [DetectionFailure?]) {
        let settings = DetectionSettings(sources: [try AddressSource(ip, .ipv4), try AddressSource(ip6, .ipv6)])
        var detector = AddressDetector(settings, node: "n")
        let resources = try resources(own, other)
        _ = detector.detect(resources, DetectionView(addresses: try host(), sourceAddress: { _ in nil }))
        let loaded = detector.complete(LoadedConfiguration(resources: resources, secrets: Secrets()))
        return (try #require(loaded.resources.node("n")), detector.failures)
    }
    private static func texts(_ node: NodeResource) -> [String] {
        [node.ipv4, node.ipv6].map { $0.map { "\($0.address)/\($0.subnet.length)" } ?? "-" }
    }

    @Test(arguments: [
        ("", "", "", ["10.0.0.1/24", "-"]), ("", "", "autodetect", ["10.0.0.1/24", "2001:db8::1/64"]),
        ("", "none", "autodetect", ["-", "2001:db8::1/64"]), ("", "none", "none", ["-", "-"]),
        ("", "10.0.0.2", "", ["10.0.0.2/24", "-"]), ("", "10.8.0.2/16", "", ["10.8.0.2/16", "-"]),
        ("", "10.8.0.2", "", ["10.8.0.2/32", "-"]), ("bgp: {ipv4Address: 10.5.0.1/24}", "", "", ["10.5.0.1/24", "-"]),
        ("bgp: {ipv4Address: 10.5.0.1/24}", "none", "", ["10.5.0.1/24", "-"]),
        ("bgp: {ipv4Address: 10.5.0.1/24}", "autodetect", "", ["10.0.0.1/24", "-"]),
        ("bgp: {ipv6Address: 'fd00::5/64'}", "", "", ["-", "fd00::5/64"]),
        ("bgp: {ipv6Address: 'fd00::5/64'}", "autodetect", "", ["10.0.0.1/24", "fd00::5/64"]),
    ])
    func `the Node object is completed`(own: String, ip: String, ip6: String, wanted: [String]) throws {
        let (node, failures) = try Self.completed(own, ip: ip, ip6: ip6)
        #expect(Self.texts(node) == wanted)
        #expect(failures == [nil, nil])
    }

    @Test func `another node's address is not taken`() throws {
        let (node, failures) = try Self.completed("", other: "bgp: {ipv4Address: 10.0.0.1/24}")
        #expect(Self.texts(node) == ["-", "-"])
        #expect(failures[0] == .ofOtherNode(address: "10.0.0.1", node: "m"))
    }

    @Test func `an address that was found stays where a later look finds none, and the router id stays at a move`()
        throws
    {
        var detector = AddressDetector(DetectionSettings(), node: "n")
        let resources = try Self.resources("")
        func look(_ lines: String...) throws -> [AddressDetector.Change] {
            var view = DetectionView(addresses: [], sourceAddress: { _ in nil })
            for line in lines { view.addresses += try Self.addresses(line) }
            return detector.detect(resources, view)
        }
        #expect(try look("2 eth0 10.0.0.1/24").count == 1)
        #expect(try look("2 eth0 10.0.0.1/24").isEmpty)
        let first = try #require(resources.node("n"))
        detector.identifier = BGPIdentifier(rawValue: 0x0A00_0001)
        #expect(try look().map(\.failure) == [.noInterface(interfaces: [])])
        #expect(Self.texts(detector.complete(first)) == ["10.0.0.1/24", "-"])
        #expect(detector.findings.count == 1)
        #expect(try look("2 eth0 10.0.0.7/25").map { $0.address.map { "\($0.address)" } } == ["10.0.0.7"])
        #expect(Self.texts(detector.complete(first)) == ["10.0.0.7/25", "-"])
        #expect(detector.complete(first).routerID == BGPIdentifier(rawValue: 0x0A00_0001))
        #expect(detector.findings.isEmpty)
    }
}
