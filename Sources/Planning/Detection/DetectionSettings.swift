package import NetTypes

/// How an agent finds its node's address in a family: Calico's methods (`IP_AUTODETECTION_METHOD`).
package enum DetectionMethod: Sendable, Hashable, CustomStringConvertible {
    case firstFound
    /// Our end of the way to an address or a name.
    case canReach(String)
    case interface([NamePattern])
    /// Beside `NamePattern.neverFirst`.
    case skipInterface([NamePattern])
    case cidr([Prefix])
    /// The InternalIP of the v1 Node.
    case kubernetesInternalIP

    package init(_ text: String) throws(DetectionSyntaxError) {
        func list(_ value: Substring) -> [String] {
            value.split(separator: ",", omittingEmptySubsequences: false).map {
                String(
                    $0.trimmingPrefix(while: \.isWhitespace).reversed().trimmingPrefix(while: \.isWhitespace)
                        .reversed())
            }
        }
        func patterns(_ value: Substring) throws(DetectionSyntaxError) -> [NamePattern] {
            guard value.utf8.count <= 1024 else {
                throw DetectionSyntaxError("\"\(text.prefix(40))...\" is longer than 1024 bytes")
            }
            var result: [NamePattern] = []
            for each in list(value) {
                do throws(NamePattern.SyntaxError) { result.append(try NamePattern(each)) } catch {
                    throw DetectionSyntaxError(
                        "\"\(each)\" of \"\(text)\" is no regular expression: \(error); an example that is one: eth.*")
                }
            }
            return result
        }
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count > 1 ? parts[1] : ""
        switch (parts.first.map(String.init) ?? "", parts.count > 1) {
        case ("", false), ("first-found", false): self = .firstFound
        case ("kubernetes-internal-ip", false): self = .kubernetesInternalIP
        case ("can-reach", true):
            guard !value.isEmpty, value.utf8.count <= 255,
                IPAddress(String(value)) != nil
                    || value.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) })
            else {
                throw DetectionSyntaxError(
                    "\"\(text.prefix(60))\" needs an address or the name of a host, as can-reach=192.0.2.1")
            }
            self = .canReach(String(value))
        case ("interface", true): self = .interface(try patterns(value))
        case ("skip-interface", true): self = .skipInterface(try patterns(value))
        case ("cidr", true):
            var prefixes: [Prefix] = []
            for each in list(value) {
                guard let parsed = Prefix.parse(each) else {
                    throw DetectionSyntaxError(
                        "\"\(each)\" of \"\(text)\" is no prefix; write it as cidr=10.0.0.0/24,192.168.0.0/16")
                }
                prefixes.append(parsed.prefix)
            }
            self = .cidr(prefixes)
        default:
            throw DetectionSyntaxError(
                "\"\(text.prefix(60))\" is unknown; it must be first-found, can-reach=ADDRESS, interface=REGEX, "
                    + "skip-interface=REGEX, cidr=CIDR or kubernetes-internal-ip")
        }
    }

    package var description: String {
        switch self {
        case .firstFound: "first-found"
        case .canReach(let target): "can-reach=\(target)"
        case .interface(let patterns): "interface=" + patterns.map(\.text).joined(separator: ",")
        case .skipInterface(let patterns): "skip-interface=" + patterns.map(\.text).joined(separator: ",")
        case .cidr(let prefixes): "cidr=" + prefixes.map { "\($0)" }.joined(separator: ",")
        case .kubernetesInternalIP: "kubernetes-internal-ip"
        }
    }

    /// The name that has to be looked up; nil where there is none.
    package var hostName: String? {
        if case .canReach(let target) = self, IPAddress(target) == nil { target } else { nil }
    }
}

/// What is wrong with a flag of the detection; without the flag's name.
package struct DetectionSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// Where a node's address in a family comes from: Calico's `IP` and `IP6`.
package enum AddressSource: Sendable, Hashable {
    /// The Node object alone: `none`, and `IP6` where it is not set.
    case declared
    /// The Node object; the host where that has no address of either family: `IP` where it is not set.
    case declaredElseDetected
    /// The host, over what the Node object says: `autodetect`.
    case detected
    /// This address, over what the Node object says. Length nil: that of the host's address, else a host's.
    case fixed(IPAddress, length: Int?)

    package init(_ text: String, _ family: AddressFamily) throws(DetectionSyntaxError) {
        switch text {
        case "": self = family == .ipv4 ? .declaredElseDetected : .declared
        case "none": self = .declared
        case "autodetect": self = .detected
        default:
            let parsed = Prefix.parse(text)
            guard let address = parsed?.address ?? IPAddress(text), address.family == family, !address.isUnspecified,
                !address.isLoopback, !address.isMulticast, !address.isLinkLocal
            else {
                throw DetectionSyntaxError(
                    "\"\(text.prefix(60))\" is unknown; it must be autodetect, none or an \(family.name) address such as "
                        + (family == .ipv4 ? "10.0.0.1/24" : "2001:db8::1/64"))
            }
            self = .fixed(address, length: parsed.map { Int($0.prefix.length) })
        }
    }
}

/// What the flags say of the detection.
package struct DetectionSettings: Sendable, Hashable {
    /// By family index.
    package var sources: [AddressSource]
    package var methods: [DetectionMethod]

    package init(
        sources: [AddressSource] = [.declaredElseDetected, .declared],
        methods: [DetectionMethod] = [.firstFound, .firstFound]
    ) {
        self.sources = sources
        self.methods = methods
    }
}
