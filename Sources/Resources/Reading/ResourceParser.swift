import NetTypes

/// Text of a manifest to typed resources. Every object is judged by itself: a bad one does not take the others with it.
package enum ResourceParser {
    package struct Parsed: Sendable {
        package var resources: [Resource] = []
        package var problems: [Problem] = []
        /// Objects that were there but bad: their last good version stays.
        package var badKeys: Set<ResourceKey> = []
        /// Objects of Calico's kinds that say nothing about routes.
        package var others: [OtherObject] = []
        /// The file could not be read as YAML: everything that came from it stays as it was.
        package var isUnreadable = false
        package init() {}
    }

    /// As Kubernetes has it.
    private static let longestName = 253
    private static let calicoVersions = ["projectcalico.org/v3", "crd.projectcalico.org/v1"]
    private static let apiVersions = calicoVersions + ["v1"]

    package static func parse(_ text: String, file: String) -> Parsed {
        var result = Parsed()
        let documents: [YAMLNode]
        do throws(YAMLReader.SyntaxError) {
            documents = try YAMLReader.documents(text)
        } catch {
            result.isUnreadable = true
            result.problems.append(
                Problem(file: file, line: error.line, field: "", message: "not YAML: \(error.message)"))
            return result
        }
        for document in documents where document.scalar?.isEmpty != true {
            parseDocument(document, file: file, into: &result)
        }
        return result
    }

    /// What an item of a list has from the list where it does not say so itself: the Kubernetes API writes items of a
    /// NodeList without kind and apiVersion.
    private struct ListType {
        var kind: String
        var apiVersion: String?
    }

    private static func parseDocument(
        _ document: YAMLNode, of list: ListType? = nil, file: String, into result: inout Parsed
    ) {
        // A list without anything around it, as a JSON array has it.
        if let items = document.sequence { return parseItems(items, of: list, file: file, into: &result) }
        guard let mapping = document.mapping else {
            result.problems.append(
                Problem(
                    file: file, line: document.line, field: "",
                    message: "must be an object with apiVersion, kind, metadata and spec, or a list of such"))
            return
        }
        let reader = FieldReader(node: mapping, path: "", line: document.line, problems: ProblemList(file: file))
        let kind = reader.string("kind") ?? list?.kind ?? ""
        // calicoctl get -o yaml: a list of objects. Its metadata says nothing.
        if kind.hasSuffix("List"), let items = mapping.first(where: { $0.key.scalar == "items" })?.value,
            items.sequence != nil || items.isNull
        {
            let type = ListType(kind: String(kind.dropLast(4)), apiVersion: reader.string("apiVersion"))
            parseItems(items.sequence ?? [], of: type.kind.isEmpty ? nil : type, file: file, into: &result)
            return
        }
        let version = reader.string("apiVersion") ?? list?.apiVersion
        if OtherObject.kinds.contains(kind), version.map(calicoVersions.contains) ?? false {
            let name = reader.object("metadata")?.string("name") ?? ""
            result.others.append(OtherObject(kind: kind, name: FieldReader.shown(name), file: file, line: reader.line))
            return
        }
        parseObject(reader, kind, version: version, file: file, into: &result)
    }

    /// After an item that is no object nothing more is looked at: a list of numbers is one problem, not one each.
    private static func parseItems(
        _ items: [YAMLNode], of list: ListType?, file: String, into result: inout Parsed
    ) {
        for item in items {
            parseDocument(item, of: list, file: file, into: &result)
            if item.scalar != nil { return }
        }
    }

    private static func parseObject(
        _ reader: FieldReader, _ kind: String, version: String?, file: String, into result: inout Parsed
    ) {
        let problems = reader.problems
        let name = reader.object("metadata")?.string("name") ?? ""
        problems.object = kind.isEmpty ? "" : FieldReader.shown("\(kind)/\(name)")
        if let version {
            if !apiVersions.contains(version) {
                reader.complain(
                    "apiVersion", "\"\(FieldReader.shown(version))\" is unknown; it must be projectcalico.org/v3")
            }
        } else {
            reader.complain("apiVersion", "is missing; it must be projectcalico.org/v3")
        }
        guard let schema = Schemas.kind(kind) else {
            let kinds = Schemas.all.map(\.kind)
            let guess =
                Suggestion.nearest(to: kind, among: kinds).map { "did you mean \($0)?" }
                ?? "known kinds are \(kinds.joined(separator: ", "))"
            reader.complain(
                "kind",
                kind.isEmpty
                    ? "is missing; known kinds are \(kinds.joined(separator: ", "))"
                    : "\"\(FieldReader.shown(kind))\" is unknown; \(guess)")
            result.problems += problems.problems
            return
        }
        if name.isEmpty { reader.complain("metadata", "metadata.name is missing") }
        let namespace = reader.object("metadata")?.string("namespace") ?? "default"
        for (field, text) in [("name", name), ("namespace", namespace)] where text.utf8.count > longestName {
            reader.complain(
                "metadata", "metadata.\(field) has \(text.utf8.count) bytes; at most \(longestName) are possible")
        }
        let namespaced = kind == "WorkloadEndpoint"
        let key = ResourceKey(kind: kind, namespace: namespaced ? namespace : "", name: name)
        let isKubernetes = kind == "Node" && version == KubernetesNode.apiVersion
        reader.validate([
            FieldSpec("apiVersion", .any, effect: .none, documentation: ""),
            FieldSpec("kind", .any, effect: .none, documentation: ""),
            FieldSpec("metadata", .any, effect: .none, documentation: ""),
            FieldSpec(
                "spec",
                schema.acceptsOtherFields || isKubernetes ? .objectWithOthers(schema.fields) : .object(schema.fields),
                effect: .none, documentation: ""
            ),
            FieldSpec("status", .any, effect: .none, documentation: ""),
        ])
        let spec = reader.object("spec") ?? FieldReader(node: [], path: "spec", line: reader.line, problems: problems)
        if !reader.has("spec") { spec.validate(schema.fields) }
        var value = build(kind, spec, object: reader)
        if isKubernetes, case .node(var node) = value {
            KubernetesNode.complete(&node, from: reader)
            value = .node(node)
        }
        if problems.problems.isEmpty, let value {
            result.resources.append(Resource(key: key, value: value, file: file, line: reader.line))
        } else {
            result.problems += problems.problems
            if !name.isEmpty { result.badKeys.insert(key) }
        }
    }

    // MARK: Objects

    private static func build(_ kind: String, _ spec: FieldReader, object: FieldReader) -> ResourceValue? {
        switch kind {
        case "BGPConfiguration": .bgpConfiguration(bgpConfiguration(spec))
        case "BGPPeer": .bgpPeer(bgpPeer(spec))
        case "BGPFilter": .bgpFilter(FilterParser.filter(spec))
        case "Node": .node(node(spec, object.object("metadata")?.labels("labels") ?? [:]))
        case "FelixConfiguration": .felixConfiguration(felixConfiguration(spec))
        case "IPPool": spec.prefix("cidr").map { .ipPool(pool($0, spec)) }
        case "BlockAffinity": blockAffinity(spec)
        case "WorkloadEndpoint": workloadEndpoint(spec, object.object("metadata")?.labels("labels") ?? [:])
        default: nil
        }
    }

    private static func secret(_ reader: FieldReader?) -> SecretReference? { secretKey(reader?.object("secretKeyRef")) }

    private static func secretKey(_ reader: FieldReader?) -> SecretReference? {
        guard let reference = reader, let name = reference.string("name"), let key = reference.string("key") else {
            return nil
        }
        for (field, part) in [("name", name), ("key", key)] where part.contains("/") || part == ".." || part == "." {
            reference.complain(field, "\"\(FieldReader.shown(part))\" must be a plain name")
        }
        return SecretReference(name: name, key: key)
    }

    private static func bgpConfiguration(_ spec: FieldReader) -> BGPConfiguration {
        var result = BGPConfiguration()
        result.asNumber = spec.asNumber("asNumber")
        result.nodeToNodeMeshEnabled = spec.bool("nodeToNodeMeshEnabled")
        result.listenPort = spec.number("listenPort")
        result.bindsToNodeIP = spec.choice("bindMode", of: BGPConfiguration.BindMode.self).map { $0 == .nodeIP }
        result.nodeMeshPassword = secret(spec.object("nodeMeshPassword"))
        result.nodeMeshMaxRestartTime = spec.duration("nodeMeshMaxRestartTime")
        result.maximumPaths = spec.number("maximumPaths")
        result.tracksNextHops = spec.choice("nextHopTracking", of: BGPConfiguration.NextHopTracking.self).map {
            $0 == .kernel
        }
        advertisements(spec, &result)
        for name in ["serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs"] {
            for entry in spec.objects(name) {
                guard let prefix = entry.prefix("cidr") else {
                    if !result.services.fieldsWithoutPrefix.contains(name) {
                        result.services.fieldsWithoutPrefix.append(name)
                    }
                    continue
                }
                if prefix.isHost, name != "serviceClusterIPs" {
                    result.services.addresses.append(prefix)
                } else {
                    result.services.prefixes.append(prefix)
                }
            }
        }
        result.localWorkloadPeering = [
            address(spec, "localWorkloadPeeringIPV4", family: .ipv4),
            address(spec, "localWorkloadPeeringIPV6", family: .ipv6),
        ]
        result.programClusterRoutes = spec.choice("programClusterRoutes")
        if let limit = spec.object("massWithdrawal") {
            result.massWithdrawalPercent = limit.number("percent") ?? result.massWithdrawalPercent
            result.massWithdrawalMinimum = limit.number("minimum") ?? result.massWithdrawalMinimum
        }
        result.ignoredInterfaces = spec.strings("ignoredInterfaces") ?? []
        result.logSeverity = spec.choice("logSeverityScreen")
        result.normalPriority = ["ipv4NormalRoutePriority", "ipv6NormalRoutePriority"].map { spec.number($0) ?? 1024 }
        return result
    }

    /// Names of communities become their values; a name that nobody declared is the operator's slip.
    private static func advertisements(_ spec: FieldReader, _ result: inout BGPConfiguration) {
        for entry in spec.objects("communities") {
            guard let name = entry.string("name"), let value = entry.community("value") else { continue }
            if result.communities.updateValue(value, forKey: name) != nil {
                entry.complain("name", "\"\(FieldReader.shown(name))\" stands twice")
            }
        }
        if result.communities.count > 500 { spec.complain("communities", "has more than 500 entries") }
        let entries = spec.objects("prefixAdvertisements")
        if entries.count > 500 { spec.complain("prefixAdvertisements", "has more than 500 entries") }
        for entry in entries {
            guard let cidr = entry.prefix("cidr"), let names = entry.strings("communities") else { continue }
            if names.count > 50 { entry.complain("communities", "has more than 50 entries") }
            let values = names.compactMap { name -> CommunityValue? in
                if let value = result.communities[name] ?? CommunityValue(name) { return value }
                entry.complain(
                    "communities",
                    "\"\(FieldReader.shown(name))\" is neither a community nor a name in spec.communities")
                return nil
            }
            result.prefixAdvertisements.append(BGPConfiguration.PrefixAdvertisement(cidr: cidr, communities: values))
        }
    }

    private static func bgpPeer(_ spec: FieldReader) -> BGPPeer {
        var result = BGPPeer()
        result.node = spec.string("node")
        result.nodeSelector = spec.selector("nodeSelector")
        result.peer = spec.string("peerIP").flatMap { PeerEndpoint($0) }
        result.peerSelector = spec.selector("peerSelector")
        result.listenRange = spec.prefix("listenRange")
        result.interface = spec.string("interface")
        result.localWorkloadSelector = spec.selector("localWorkloadSelector")
        result.localASNumber = spec.asNumber("localASNumber")
        result.minRouteAdvertisementInterval = spec.duration("minRouteAdvertisementInterval")
        result.filters = spec.strings("filters") ?? []
        result.maxDynamicPeers = spec.number("maxDynamicPeers") ?? 1000
        result.asNumber = spec.asNumber("asNumber")
        result.routeReflectorClient = spec.bool("routeReflectorClient")
        result.passive = spec.bool("passive")
        result.holdTime = spec.duration("holdTime")
        result.keepaliveTime = spec.duration("keepaliveTime")
        result.connectRetryTime = spec.duration("connectRetryTime")
        result.idleHoldTime = spec.duration("idleHoldTime")
        if let names = spec.strings("families") {
            var families: AddressFamilySet = []
            for name in names {
                switch BGPPeer.FamilyName(rawValue: name) {
                case .ipv4: families.insert(.ipv4)
                case .ipv6: families.insert(.ipv6)
                case nil: spec.complain("families", "\"\(FieldReader.shown(name))\" is neither ipv4 nor ipv6")
                }
            }
            if families.isEmpty { spec.complain("families", "must name ipv4, ipv6 or both") }
            result.families = families
        }
        result.importMode = spec.choice("import") ?? .safe
        result.exportMode = spec.choice("export")
        result.reexportPrepend = spec.number("reexportPrepend")
        result.password = secret(spec.object("password"))
        result.ttlSecurity = spec.number("ttlSecurity")
        switch spec.string("sourceAddress") {
        case nil, "UseNodeIP": result.source = .useNodeIP
        case "None": result.source = .none
        case let text?:
            if let address = IPAddress(text) {
                result.source = .address(address)
            } else {
                spec.complain(
                    "sourceAddress", "\"\(FieldReader.shown(text))\" is neither UseNodeIP, None nor an IP address")
            }
        }
        result.maxRestartTime = spec.duration("maxRestartTime")
        result.gracefulRestart = spec.choice("gracefulRestart") ?? .on
        result.extendedMessages = spec.bool("extendedMessages")
        result.numAllowedLocalASNumbers = spec.number("numAllowedLocalASNumbers") ?? 0
        result.nextHopMode = spec.choice("nextHopMode") ?? (spec.bool("keepOriginalNextHop") ?? false ? .keep : .auto)
        result.nextHopAddresses = [
            nextHop(spec, "nextHopAddressIPv4", family: .ipv4), nextHop(spec, "nextHopAddressIPv6", family: .ipv6),
        ]
        result.isMultihop = spec.bool("multihop") ?? false
        result.longLivedStaleTime = spec.duration("longLivedStaleTime")
        result.extendedNextHop = spec.bool("extendedNextHop")
        if let addPath = spec.object("addPath") {
            result.addPath = BGPPeer.AddPath(
                send: addPath.pathCount("send"),
                receives: addPath.bool("receive") ?? false)
        }
        result.role = spec.choice("role")
        result.isRoleStrict = spec.bool("strictRole") ?? false
        result.acceptsBlackhole = spec.bool("acceptBlackhole") ?? false
        result.reachableBy = spec.address("reachableBy")
        result.routeTable = spec.number("routeTable")
        result.routeSource = spec.address("routeSourceAddress")
        result.bfd = spec.object("bfd").map(bfd)
        if let ao = spec.object("tcpAO"), let secret = secretKey(ao.object("secretKeyRef")) {
            result.tcpAO = BGPPeer.TCPAO(
                secret: secret, sendID: ao.number("sendID") ?? 0, receiveID: ao.number("receiveID") ?? 0,
                algorithm: ao.choice("algorithm") ?? .hmacSHA1)
        }
        if let limits = spec.object("maxPrefixes") {
            result.maxPrefixes = limits.number("limit") ?? result.maxPrefixes
            result.maxPrefixesWarnAt = limits.number("warnAt")
            result.maxPrefixesAction = limits.choice("action") ?? .restart
            if let warnAt = result.maxPrefixesWarnAt, warnAt > result.maxPrefixes {
                limits.complain("warnAt", "is beyond limit, \(result.maxPrefixes)")
            }
            result.maxPrefixesRestart = limits.duration("restartAfter") ?? result.maxPrefixesRestart
        }
        result.isReversePeeringManual = spec.choice("reversePeering") == BGPPeer.ReversePeering.manual
        result.shutdown = spec.string("shutdown")
        checkPeer(result, spec)
        return result
    }

    private static func bfd(_ reader: FieldReader) -> BGPPeer.BFD {
        var result = BGPPeer.BFD()
        result.minTransmitInterval = reader.duration("minTransmitInterval") ?? result.minTransmitInterval
        result.minReceiveInterval = reader.duration("minReceiveInterval") ?? result.minReceiveInterval
        result.detectMultiplier = reader.number("detectMultiplier") ?? 3
        result.isMultihop = reader.bool("multihop")
        return result
    }

    /// Rules between fields (contract 2.3).
    private static func checkPeer(_ peer: BGPPeer, _ spec: FieldReader) {
        if peer.node != nil && spec.has("nodeSelector") {
            spec.complain("nodeSelector", "excludes node; keep one of them")
        }
        let targets = ["peerIP", "peerSelector", "listenRange", "interface", "localWorkloadSelector"].filter {
            spec.has($0) && !($0 == "peerIP" && spec.string($0) == "")
        }
        if targets.isEmpty {
            spec.complain(
                "peerIP",
                "is missing: one of peerIP, peerSelector, listenRange, interface, localWorkloadSelector is needed")
        }
        if targets.count > 1 { spec.complain(targets[1], "excludes \(targets[0]); keep one of them") }
        // What dumps of Calico's own tools contain: 0 stands for no AS.
        if spec.has("peerSelector"), spec.has("asNumber"), peer.asNumber != .zero {
            spec.complain("asNumber", "excludes peerSelector; the AS comes from the Node objects")
        }
        // With peerIP it may be missing: then the address is a Node's, whose AS it is.
        if !targets.isEmpty, !spec.has("peerSelector"), !spec.has("peerIP"), !spec.has("asNumber") {
            spec.complain("asNumber", "is missing: the AS of the peer")
        }
        if peer.asNumber == .zero, !["listenRange", "interface", "peerSelector"].contains(where: spec.has) {
            spec.complain("asNumber", "0 (any AS) is only possible with listenRange or interface")
        }
        if let name = peer.interface, name.utf8.count > 15 || name.contains("/") {
            spec.complain(
                "interface", "\"\(FieldReader.shown(name))\" is no interface name: at most 15 characters, no slash")
        }
        if spec.has("tcpAO"), spec.has("password") { spec.complain("tcpAO", "excludes password; keep one of them") }
        if peer.isRoleStrict, peer.role == nil { spec.complain("strictRole", "needs role") }
        if let gateway = peer.reachableBy {
            if let address = peer.peer?.address {
                if address.family != gateway.family {
                    spec.complain("reachableBy", "\(gateway) is not of the family of peerIP")
                }
            } else {
                spec.complain("reachableBy", "needs peerIP")
            }
        }
        if case .address(let source) = peer.source, let address = peer.peer?.address, address.family != source.family {
            spec.complain("sourceAddress", "\(source) is not of the family of peerIP")
        }
        if let hold = peer.holdTime {
            let seconds = hold.nanoseconds / 1_000_000_000
            if hold != .seconds(seconds) || (seconds != 0 && seconds < 3) {
                spec.complain("holdTime", "must be 0s, or whole seconds from 3s to 65535s (RFC 4271 4.2)")
            }
            if let keepalive = peer.keepaliveTime, seconds > 0, keepalive >= hold {
                spec.complain("keepaliveTime", "must be below holdTime")
            }
        }
    }

    private static func node(_ spec: FieldReader, _ labels: [String: String]) -> NodeResource {
        let bgp = spec.object("bgp")
        var result = NodeResource(
            labels: labels, asNumber: bgp.flatMap { $0.asNumber("asNumber") },
            ipv4: bgp.flatMap { interfaceAddress($0, "ipv4Address", family: .ipv4) },
            ipv6: bgp.flatMap { interfaceAddress($0, "ipv6Address", family: .ipv6) },
            routeReflectorClusterID: bgp.flatMap { identifier($0, "routeReflectorClusterID") },
            routerID: bgp.flatMap { identifier($0, "routerID") },
            podCIDRs: spec.prefixes("podCIDRs"))
        result.ipipTunnelAddress = bgp.flatMap { self.address($0, "ipv4IPIPTunnelAddr", family: .ipv4) }
        result.vxlanTunnelAddresses = [
            self.address(spec, "ipv4VXLANTunnelAddr", family: .ipv4),
            self.address(spec, "ipv6VXLANTunnelAddr", family: .ipv6),
        ]
        result.vxlanTunnelMACs = ["vxlanTunnelMACAddr", "vxlanTunnelMACAddrV6"].map {
            spec.mac($0)
        }
        return result
    }

    /// A node's address, of a family, with the subnet that its prefix length gives.
    static func interfaceAddress(
        _ reader: FieldReader, _ name: String, family: AddressFamily
    ) -> NodeResource.Address? {
        guard let text = reader.string(name) else { return nil }
        // What is no address at all the schema has complained of.
        guard let parsed = Prefix.parse(text) ?? IPAddress(text).map({ ($0, Prefix(host: $0)) }) else { return nil }
        guard parsed.address.family == family else {
            let example = family == .ipv4 ? "10.0.0.1/24" : "2001:db8::1/64"
            reader.complain(
                name, "\"\(FieldReader.shown(text))\" is not an \(family.name) address; write it as \(example)")
            return nil
        }
        return NodeResource.Address(address: parsed.address, subnet: parsed.prefix)
    }

    static func identifier(_ reader: FieldReader, _ name: String) -> BGPIdentifier? {
        guard let value = reader.address(name) else { return nil }
        guard value.family == .ipv4, value.v4 != 0 else {
            reader.complain(name, "must be a dotted quad other than 0.0.0.0")
            return nil
        }
        return BGPIdentifier(rawValue: value.v4)
    }

    private static func pool(_ cidr: Prefix, _ spec: FieldReader) -> IPPool {
        var result = IPPool(cidr: cidr, disableBGPExport: spec.bool("disableBGPExport") ?? false)
        for (name, isVXLAN) in [("ipipMode", false), ("vxlanMode", true)] {
            guard let mode = spec.choice(name, of: IPPool.EncapsulationMode.self), mode != .never else { continue }
            if result.encapsulation != nil { spec.complain(name, "excludes ipipMode; set one of them to Never") }
            if !isVXLAN, cidr.family == .ipv6 {
                spec.complain(name, "IPIP carries IPv4 only; for an IPv6 pool use vxlanMode")
            }
            result.encapsulation = IPPool.Encapsulation(isVXLAN: isVXLAN, isCrossSubnet: mode == .crossSubnet)
        }
        result.routeTable = spec.number("routeTable")
        result.routeSource = address(spec, "routeSourceAddress", family: cidr.family)
        return result
    }

    /// An address that must be of a family.
    static func address(_ spec: FieldReader, _ name: String, family: AddressFamily) -> IPAddress? {
        guard let address = spec.address(name) else { return nil }
        if address.family != family { spec.complain(name, "\(address) is not an \(family.name) address") }
        return address
    }

    /// An address that every receiver takes as a next hop (RFC 4271 6.3, RFC 2545 3).
    private static func nextHop(_ spec: FieldReader, _ name: String, family: AddressFamily) -> IPAddress? {
        guard let address = address(spec, name, family: family) else { return nil }
        if address.isUnspecified || address.isLoopback || address.isMulticast || address.isReserved
            || address.isLinkLocal
        {
            spec.complain(name, "\(address) is no address that others could send to")
        }
        return address
    }

    private static func felixConfiguration(_ spec: FieldReader) -> FelixConfiguration {
        var result = FelixConfiguration()
        func number(_ name: String) -> UInt32? { spec.number(name) }
        result.vxlanIdentifier = number("vxlanVNI")
        result.vxlanPort = spec.number("vxlanPort")
        result.ipipMTU = number("ipipMTU")
        result.vxlanMTU = [number("vxlanMTU"), number("vxlanMTUV6")]
        if let text = spec.string("interfacePrefix") {
            let prefixes = text.split(separator: ",").map(String.init)
            if prefixes.isEmpty { spec.complain("interfacePrefix", "names no prefix; the default is cali") }
            result.interfacePrefixes = prefixes
        }
        result.deviceRouteProtocol = spec.number("deviceRouteProtocol")
        result.deviceRouteSource = [
            address(spec, "deviceRouteSourceAddress", family: .ipv4),
            address(spec, "deviceRouteSourceAddressIPv6", family: .ipv6),
        ]
        result.elevatedPriority = [number("ipv4ElevatedRoutePriority"), number("ipv6ElevatedRoutePriority")]
        result.forwardsPackets = spec.choice("ipForwarding", of: FelixConfiguration.Switch.self).map { $0 == .enabled }
        if let pattern = spec.string("mtuIfacePattern") {
            // One that is too long was refused already.
            if pattern.utf8.count <= FieldType.longestString, (try? Regex(pattern)) == nil {
                spec.complain("mtuIfacePattern", "\"\(FieldReader.shown(pattern))\" is not a regular expression")
            }
            result.mtuInterfacePattern = pattern
        }
        result.migrationConvergence = spec.duration("liveMigrationRouteConvergenceTime")
        result.routeRefreshInterval = spec.duration("routeRefreshInterval")
        if spec.choice("routeLocalnet") == FelixConfiguration.Switch.enabled {
            spec.complain(
                "routeLocalnet", "Enabled is not supported: \(Schemas.routeLocalnetRefusal); it must be Disabled")
        }
        result.allowsSpoofing = spec.choice("workloadSourceSpoofing", of: FelixConfiguration.SourceSpoofing.self).map {
            $0 == .any
        }
        return result
    }

    private static func blockAffinity(_ spec: FieldReader) -> ResourceValue? {
        guard let node = spec.string("node"), let cidr = spec.prefix("cidr") else { return nil }
        return .blockAffinity(
            BlockAffinity(
                node: node, cidr: cidr,
                // Old objects have no state: they are confirmed.
                isConfirmed: (spec.choice("state") ?? BlockAffinity.State.confirmed) == .confirmed
                    && spec.string("deleted") != "true"))
    }

    private static func workloadEndpoint(_ spec: FieldReader, _ labels: [String: String]) -> ResourceValue? {
        guard let node = spec.string("node"), let interface = spec.string("interfaceName") else { return nil }
        if interface.utf8.count > 15 || interface.contains("/") {
            spec.complain(
                "interfaceName",
                "\"\(FieldReader.shown(interface))\" is no interface name: at most 15 characters, no slash")
        }
        var addresses: [IPAddress] = []
        for (index, prefix) in spec.prefixes("ipNetworks").enumerated() {
            guard prefix.isHost else {
                spec.complain("ipNetworks", "entry \(index + 1), \(prefix), must be a /32 or a /128")
                continue
            }
            addresses.append(prefix.address)
        }
        return .workloadEndpoint(
            WorkloadEndpoint(
                node: node, interfaceName: interface, addresses: addresses,
                mac: spec.mac("mac"),
                labels: labels, routePriority: spec.choice("routePriority") ?? .normal,
                hasFloatingAddresses: spec.has("ipNATs")))
    }
}
