package import NetTypes

/// A reference to a secret: the file `name/key` below `--secrets`.
package struct SecretReference: Sendable, Hashable, CustomStringConvertible {
    package var name: String
    package var key: String
    package var description: String { "\(name)/\(key)" }
}

/// BGPConfiguration (contract 2.2).
package struct BGPConfiguration: Sendable, Hashable {
    package var asNumber: ASNumber?
    package var nodeToNodeMeshEnabled: Bool?
    package var listenPort: UInt16?
    package var bindsToNodeIP: Bool?
    package var nodeMeshPassword: SecretReference?
    package var nodeMeshMaxRestartTime: Duration?
    package var maximumPaths: Int?
    package var tracksNextHops: Bool?
    package static let defaultASNumber = ASNumber(64512)
}

/// BGPPeer (contract 2.3 and SPEC's additions).
package struct BGPPeer: Sendable, Hashable {
    package var node: String?
    package var nodeSelector: Selector?
    package var peer: PeerEndpoint?
    package var peerSelector: Selector?
    package var listenRange: Prefix?
    package var maxDynamicPeers = 1000
    package var asNumber: ASNumber?
    package var routeReflectorClient: Bool?
    package var passive: Bool?
    package var holdTime: Duration?
    package var keepaliveTime: Duration?
    package var connectRetryTime: Duration?
    package var idleHoldTime: Duration?
    package var families: AddressFamilySet?
    package var importsAll = false
    package var exportsAll: Bool?
    package var password: SecretReference?
    package var ttlSecurity: Int?
    package var source = SourceAddress.useNodeIP
    package var maxRestartTime: Duration?
    package var gracefulRestart: String?
    package var extendedMessages: Bool?
    package var numAllowedLocalASNumbers = 0
    package var setsNextHopSelf = false
    package var maxPrefixes: UInt32 = 1_000_000
    package var maxPrefixesRestart: Duration = .seconds(300)
    package var isReversePeeringManual = false
    package var shutdown: String?

    package enum SourceAddress: Sendable, Hashable {
        case useNodeIP
        case none
        case address(IPAddress)
    }

    /// Neither node nor nodeSelector: every node has it.
    package var isGlobal: Bool { node == nil && nodeSelector == nil }
    package func applies(to name: String, _ labels: [String: String]) -> Bool {
        if let node { return node == name }
        return nodeSelector?.matches(labels) ?? true
    }
}

/// Node.
package struct NodeResource: Sendable, Hashable {
    package var labels: [String: String]
    package var asNumber: ASNumber?
    package var ipv4: Address?
    package var ipv6: Address?
    package var routeReflectorClusterID: BGPIdentifier?
    package var routerID: BGPIdentifier?
    package var podCIDRs: [Prefix]

    package struct Address: Sendable, Hashable {
        package var address: IPAddress
        package var subnet: Prefix
    }

    package func address(_ family: AddressFamily) -> IPAddress? { family == .ipv4 ? ipv4?.address : ipv6?.address }
    package var families: AddressFamilySet {
        var result: AddressFamilySet = []
        if ipv4 != nil { result.insert(.ipv4) }
        if ipv6 != nil { result.insert(.ipv6) }
        return result
    }
}

/// IPPool.
package struct IPPool: Sendable, Hashable {
    package var cidr: Prefix
    package var disableBGPExport: Bool
}

/// BlockAffinity.
package struct BlockAffinity: Sendable, Hashable {
    package var node: String
    package var cidr: Prefix
    package var isConfirmed: Bool
}

/// WorkloadEndpoint.
package struct WorkloadEndpoint: Sendable, Hashable {
    package var node: String
    package var interfaceName: String
    package var addresses: [IPAddress]
    package var mac: [UInt8]?
}

/// One object, typed.
package enum ResourceValue: Sendable, Hashable {
    case bgpConfiguration(BGPConfiguration)
    case bgpPeer(BGPPeer)
    case node(NodeResource)
    case ipPool(IPPool)
    case blockAffinity(BlockAffinity)
    case workloadEndpoint(WorkloadEndpoint)
}

/// Kind, namespace and name: what makes an object itself.
package struct ResourceKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var kind: String
    package var namespace: String
    package var name: String
    package init(kind: String, namespace: String = "", name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }
    package var description: String { namespace.isEmpty ? "\(kind)/\(name)" : "\(kind)/\(namespace)/\(name)" }
    package static func < (a: ResourceKey, b: ResourceKey) -> Bool { (a.kind, a.namespace, a.name) < (b.kind, b.namespace, b.name) }
}

/// An object and where it stands.
package struct Resource: Sendable, Hashable {
    package var key: ResourceKey
    package var value: ResourceValue
    package var file: String
    package var line: Int
}
