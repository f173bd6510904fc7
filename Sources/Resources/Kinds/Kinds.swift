package import NetTypes

/// A reference to a secret: the file `name/key` below `--secrets`.
package struct SecretReference: Sendable, Hashable, CustomStringConvertible {
    package var name: String
    package var key: String
    package init(name: String, key: String) {
        self.name = name
        self.key = key
    }
    package var description: String { "\(name)/\(key)" }
}

/// BGPConfiguration (contract 2.2). One property per field of the object.
package struct BGPConfiguration: Sendable, Hashable {
    package var asNumber: ASNumber?
    package var nodeToNodeMeshEnabled: Bool?
    package var listenPort: UInt16?
    package var bindsToNodeIP: Bool?
    package var nodeMeshPassword: SecretReference?
    package var nodeMeshMaxRestartTime: Duration?
    package var maximumPaths: Int?
    package var tracksNextHops: Bool?
    package var communities: [String: CommunityValue] = [:]
    package var prefixAdvertisements: [PrefixAdvertisement] = []
    package var services = Services()
    /// By family index.
    package var localWorkloadPeering: [IPAddress?] = [nil, nil]
    package var programClusterRoutes: ClusterRoutes?
    /// Percent of the pools' routes that may go at once, 0 for no limit, and how many may always.
    package var massWithdrawalPercent = 50
    package var massWithdrawalMinimum = 20
    package var ignoredInterfaces: [String] = []
    package var logSeverity: LogSeverity?
    /// Kernel metric by family index.
    package var normalPriority: [UInt32] = [1024, 1024]

    /// Which learned routes inside our pools are ours to write (contract 2.7, 'Who writes remote routes').
    package enum ClusterRoutes: String, FieldChoice {
        case all = "Enabled"
        case none = "Disabled"
        case ipip = "EnabledIPIPOnly"
        case unencapsulated = "EnabledNoEncapOnly"

        package func includes(_ pool: IPPool) -> Bool {
            switch self {
            case .all: true
            case .none: false
            case .ipip: pool.encapsulation.map { !$0.isVXLAN } ?? false
            case .unencapsulated: pool.encapsulation == nil
            }
        }
    }

    /// What is said of services (contract 2.6).
    package struct Services: Sendable, Hashable {
        /// Announced whole.
        package var prefixes: [Prefix] = []
        /// Single addresses, as host prefixes: announced for a Service that has them, and never without.
        package var addresses: [Prefix] = []
        /// Fields with an entry that has no prefix.
        package var fieldsWithoutPrefix: [String] = []
    }

    /// Communities by their values that own routes inside a prefix bear.
    package struct PrefixAdvertisement: Sendable, Hashable {
        package var cidr: Prefix
        package var communities: [CommunityValue]
    }

    /// Communities that an own route has, each once, in the order of the entries.
    package func communities(of prefix: Prefix) -> [CommunityValue] {
        var result: [CommunityValue] = []
        for entry in prefixAdvertisements where entry.cidr.contains(prefix) {
            for value in entry.communities where !result.contains(value) { result.append(value) }
        }
        return result
    }
    package static let defaultASNumber = ASNumber(64512)
    package init() {}
}

/// BGPPeer (contract 2.3, and our own fields). One property per field of the object.
package struct BGPPeer: Sendable, Hashable {
    package var node: String?
    package var nodeSelector: Selector?
    package var peer: PeerEndpoint?
    package var peerSelector: Selector?
    package var listenRange: Prefix?
    package var interface: String?
    package var localWorkloadSelector: Selector?
    package var maxDynamicPeers = 1000
    package var asNumber: ASNumber?
    package var localASNumber: ASNumber?
    package var routeReflectorClient: Bool?
    package var passive: Bool?
    package var holdTime: Duration?
    package var keepaliveTime: Duration?
    package var connectRetryTime: Duration?
    package var idleHoldTime: Duration?
    package var minRouteAdvertisementInterval: Duration?
    package var families: AddressFamilySet?
    /// Names of BGPFilter objects, in order.
    package var filters: [String] = []
    package var importMode = ImportMode.safe
    package var exportMode: ExportMode?
    package var reexportPrepend: Int?
    package var password: SecretReference?
    package var ttlSecurity: Int?
    package var source = SourceAddress.useNodeIP
    package var maxRestartTime: Duration?
    package var gracefulRestart = GracefulRestart.on
    package var extendedMessages: Bool?
    package var numAllowedLocalASNumbers = 0
    package var nextHopMode = NextHopMode.auto
    /// By family index.
    package var nextHopAddresses: [IPAddress?] = [nil, nil]
    package var isMultihop = false
    package var maxPrefixes: UInt32 = 1_000_000
    package var maxPrefixesWarnAt: UInt32?
    package var maxPrefixesAction = PrefixLimitAction.restart
    package var maxPrefixesRestart: Duration = .seconds(300)
    package var longLivedStaleTime: Duration?
    package var extendedNextHop: Bool?
    /// Nil: all paths both ways towards nodes, none towards others.
    package var addPath: AddPath?
    package var role: Role?
    package var isRoleStrict = false
    package var bfd: BFD?
    package var acceptsBlackhole = false
    package var routeTable: UInt32?
    package var routeSource: IPAddress?
    package var reachableBy: IPAddress?
    package var tcpAO: TCPAO?
    package init() {}

    /// RFC 7911.
    package struct AddPath: Sendable, Hashable {
        /// Paths of a prefix to send; nil: without ADD-PATH.
        package var send: Int?
        package var receives = false
        package init(send: Int? = nil, receives: Bool = false) {
            self.send = send
            self.receives = receives
        }
        /// Everything both ways.
        package static var all: AddPath { AddPath(send: .max, receives: true) }
    }

    package struct BFD: Sendable, Hashable {
        package var minTransmitInterval: Duration = .milliseconds(300)
        package var minReceiveInterval: Duration = .milliseconds(300)
        package var detectMultiplier: UInt8 = 3
        /// Nil: by the kernel's connected routes.
        package var isMultihop: Bool?
    }

    package struct TCPAO: Sendable, Hashable {
        package var secret: SecretReference
        package var sendID: UInt8
        package var receiveID: UInt8
        package var algorithm = Algorithm.hmacSHA1
    }
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

/// BGPFilter (contract 2.4): rules by direction and family.
package struct BGPFilter: Sendable, Hashable {
    /// By family index.
    package var importRules: [[Rule]] = [[], []]
    package var exportRules: [[Rule]] = [[], []]

    package struct Rule: Sendable, Hashable {
        package var isAccept: Bool
        package var cidr: Prefix?
        package var matchOperator = MatchOperator.isIn
        package var lengths: ClosedRange<UInt8>?
        package var onlyFromPeers = false
        package var interface: String?
        package var isInternalPeer: Bool?
        package var community: CommunityValue?
        package var asPathPrefix: [ASNumber] = []
        package var priority: UInt32?
        package var operations: [Operation] = []
    }

    package enum Operation: Sendable, Hashable {
        case addCommunity(CommunityValue)
        case prependASPath([ASNumber])
        case setPriority(UInt32)
    }
}

/// FelixConfiguration: what concerns routes (contract 2.7). Nil: not said, so that `node.NAME` can stand over `default`
/// field by field.
package struct FelixConfiguration: Sendable, Hashable {
    package var vxlanIdentifier: UInt32?
    package var vxlanPort: UInt16?
    /// 0: worked out from the host's interfaces.
    package var ipipMTU: UInt32?
    /// By family index.
    package var vxlanMTU: [UInt32?] = [nil, nil]
    package var interfacePrefixes: [String]?
    /// RTPROT number.
    package var deviceRouteProtocol: UInt8?
    package var deviceRouteSource: [IPAddress?] = [nil, nil]
    /// By family index.
    package var elevatedPriority: [UInt32?] = [nil, nil]
    package var forwardsPackets: Bool?
    package var allowsSpoofing: Bool?
    package var routeRefreshInterval: Duration?
    /// How long an elevated priority stays after it is no longer declared.
    package var migrationConvergence: Duration?
    package var mtuInterfacePattern: String?
    package init() {}

    /// This one's fields, and `other`'s where this one says nothing.
    package func over(_ other: FelixConfiguration) -> FelixConfiguration {
        var result = self
        result.vxlanIdentifier = vxlanIdentifier ?? other.vxlanIdentifier
        result.vxlanPort = vxlanPort ?? other.vxlanPort
        result.ipipMTU = ipipMTU ?? other.ipipMTU
        result.interfacePrefixes = interfacePrefixes ?? other.interfacePrefixes
        result.deviceRouteProtocol = deviceRouteProtocol ?? other.deviceRouteProtocol
        result.forwardsPackets = forwardsPackets ?? other.forwardsPackets
        result.allowsSpoofing = allowsSpoofing ?? other.allowsSpoofing
        result.routeRefreshInterval = routeRefreshInterval ?? other.routeRefreshInterval
        result.migrationConvergence = migrationConvergence ?? other.migrationConvergence
        result.mtuInterfacePattern = mtuInterfacePattern ?? other.mtuInterfacePattern
        for family in AddressFamily.allCases {
            result.vxlanMTU[family.index] = vxlanMTU[family.index] ?? other.vxlanMTU[family.index]
            result.deviceRouteSource[family.index] =
                deviceRouteSource[family.index] ?? other.deviceRouteSource[family.index]
            result.elevatedPriority[family.index] =
                elevatedPriority[family.index] ?? other.elevatedPriority[family.index]
        }
        return result
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
    /// The node's addresses inside tunnels.
    package var ipipTunnelAddress: IPAddress?
    /// By family index.
    package var vxlanTunnelAddresses: [IPAddress?] = [nil, nil]
    package var vxlanTunnelMACs: [MACAddress?] = [nil, nil]
    /// Addresses of type InternalIP in the status of a `v1` Node, in its order.
    package var internalAddresses: [IPAddress] = []

    package struct Address: Sendable, Hashable {
        package var address: IPAddress
        package var subnet: Prefix
        package init(address: IPAddress, subnet: Prefix) {
            self.address = address
            self.subnet = subnet
        }
    }

    package static let exclusionLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
    /// The node announces no address of a service (contract 2.6).
    package var isExcludedFromServices: Bool { labels[NodeResource.exclusionLabel] == "true" }

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
    package var encapsulation: Encapsulation?
    package var routeTable: UInt32?
    package var routeSource: IPAddress?

    package init(cidr: Prefix, disableBGPExport: Bool) {
        self.cidr = cidr
        self.disableBGPExport = disableBGPExport
    }

    /// ipipMode and vxlanMode other than Never.
    package struct Encapsulation: Sendable, Hashable {
        package var isVXLAN: Bool
        package var isCrossSubnet: Bool
    }
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
    package var mac: MACAddress?
    package var labels: [String: String] = [:]
    package var routePriority = RoutePriority.normal

    /// Where a live migration stands.
    package enum RoutePriority: String, FieldChoice {
        case normal = "Normal"
        /// Other nodes prefer this one.
        case elevated = "Elevated"
        /// It is on its way to this node: no route until the guest speaks here, then as elevated.
        case target = "Target"
    }
    /// It has ipNATs, which nobody here handles.
    package var hasFloatingAddresses = false
}

/// One object, typed. Indirect: the largest kind has a kilobyte, and sets of thousands of small ones are copied and
/// compared.
package indirect enum ResourceValue: Sendable, Hashable {
    case bgpConfiguration(BGPConfiguration)
    case bgpPeer(BGPPeer)
    case bgpFilter(BGPFilter)
    case felixConfiguration(FelixConfiguration)
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
    package static func < (a: ResourceKey, b: ResourceKey) -> Bool {
        (a.kind, a.namespace, a.name) < (b.kind, b.namespace, b.name)
    }
}

/// An object and where it stands.
package struct Resource: Sendable, Hashable {
    package var key: ResourceKey
    package var value: ResourceValue
    package var file: String
    package var line: Int
}
