/// A question to the daemon: one line of JSON on its unix socket.
package struct StatusRequest: Codable, Sendable {
    package enum Command: String, Codable, Sendable {
        case status, peers, peer, routes, endpoints, fib, why, refresh, reset, doctor, events, shadow, plan
        case releaseRoutes = "fib release"

        /// It changes something, and does not only ask.
        package var isOrder: Bool { [.refresh, .reset, .releaseRoutes].contains(self) }
    }
    package var command: Command
    /// `reset`: what the peer is sent (RFC 9003).
    package var text: String?
    /// `refresh` and `reset`: each of several peers that the argument means; else the order is refused.
    package var all: Bool?
    /// `peer`, `refresh` and `reset`: an address or a name. `routes`, `fib` and `why`: a prefix or an address; nil for
    /// all.
    package var argument: String?
    /// `peers`, `peer`, `routes`, `fib`, `why` and `events`: where to go on, from `next` of the answer before.
    package var cursor: Int?
    package var plan: PlanRequest?

    /// `routes`: which of them; nil for all.
    package var select: RouteSelect?

    package init(
        _ command: Command, argument: String? = nil, cursor: Int? = nil, text: String? = nil, all: Bool? = nil,
        select: RouteSelect? = nil
    ) {
        self.select = select
        self.command = command
        self.all = all
        self.text = text
        self.argument = argument
        self.cursor = cursor
    }
}

/// Which routes `routes` is asked for; what is nil restricts nothing.
package struct RouteSelect: Codable, Sendable, Hashable {
    /// A peer's address, with its port where that is not 179.
    package var peer: String?
    /// What of that peer; nil for `received`.
    package var side: RouteSide?
    /// Best paths only.
    package var best: Bool?
    /// `65000:100`, `65000:1:2`, or a name as `no-export`.
    package var community: String?
    /// The rightmost AS number of the AS_PATH; where that is empty, our own.
    package var originAS: UInt32?
    package init(
        peer: String? = nil, side: RouteSide? = nil, best: Bool? = nil, community: String? = nil,
        originAS: UInt32? = nil
    ) {
        self.peer = peer
        self.side = side
        self.best = best
        self.community = community
        self.originAS = originAS
    }
}

/// Where a route of a peer is looked at.
package enum RouteSide: String, Codable, Sendable, CaseIterable {
    /// As the peer sent it, before any policy.
    case received
    /// What of it takes part in the decision, as import policy left it.
    case accepted
    /// As we send it, after any policy.
    case advertised
}

/// The answer: one line of JSON. Field names are stable; apusctl(8) lists them.
package struct StatusAnswer: Codable, Sendable {
    /// Nil where the question was answered.
    package var error: String?
    /// True where there were too many clients or requests at once: the request was not carried out, and can be sent
    /// again on a new connection.
    package var isBusy: Bool?
    package var status: DaemonStatus?
    package var peers: [PeerStatus]?
    package var routes: [RouteStatus]?
    package var endpoints: [EndpointStatus]?
    package var fib: [FIBStatus]?
    package var findings: [Finding]?
    package var events: [EventStatus]?
    package var shadow: ShadowReport?
    package var plan: PlanReport?
    /// What was done, of orders.
    package var done: String?
    /// Ask again with this cursor for what follows.
    package var next: Int?

    package init() {}
}

/// What `apusctl status` shows. One property per field of the JSON object.
package struct DaemonStatus: Codable, Sendable {
    package var version: String
    package var mode: DaemonMode
    package var node: String
    package var routerID: String
    package var asNumber: UInt32
    package var clusterID: String?
    /// Seconds since the process started.
    package var uptime: Double
    package var userID: UInt32
    /// Effective capabilities by name, and whether the process has any way to the kernel's routes.
    package var capabilities: [String]
    package var programsRoutes: Bool
    package var dryRun: Bool
    package var peersEstablished: Int
    package var peersConfigured: Int
    /// Prefixes in the Loc-RIB and paths in the Adj-RIBs-In, by family.
    package var prefixesIPv4: Int
    package var prefixesIPv6: Int
    package var pathsIPv4: Int
    package var pathsIPv6: Int
    package var attributeSets: Int
    package var updateGroups: Int
    package var routesWanted: Int
    package var routesInKernel: Int
    /// Wanted routes that the kernel does not have as wanted: 0 when all is well.
    package var routesMissing: Int
    package var routesRepaired: Int
    /// Routes that are kept though nearly all were withdrawn at once.
    package var routesHeld = 0
    /// Routes that were found in the kernel at the start and that nobody has announced yet.
    package var routesWaiting = 0
    /// Audits of the kernel's routes, and what they found that no notification had reported.
    package var audits = 0
    package var auditFindings = 0
    /// Times that the kernel's notifications were lost and everything was read again.
    package var resyncs = 0
    package var ownPrefixes: [OwnPrefixStatus]
    /// What is wrong, and what somebody may want to know, the worst first. `doctor`, readiness, the log and the metric
    /// `apus_findings` are views of the same.
    package var findings: [Finding] = []
    /// Objects of Calico's kinds that say nothing about routes.
    package var otherObjects = 0
    /// Peers that are kept down on purpose, with the reason.
    package var peersHeldDown: [HeldPeer]
    /// No finding is a fault, and nothing is degraded.
    package var isHealthy: Bool
    package var load = LoadStatus()

    package init(
        version: String, mode: DaemonMode, node: String, routerID: String, asNumber: UInt32, clusterID: String?,
        uptime: Double, userID: UInt32,
        capabilities: [String], programsRoutes: Bool, dryRun: Bool, peersEstablished: Int, peersConfigured: Int,
        prefixesIPv4: Int,
        prefixesIPv6: Int, pathsIPv4: Int, pathsIPv6: Int, attributeSets: Int, updateGroups: Int, routesWanted: Int,
        routesInKernel: Int,
        routesMissing: Int, routesRepaired: Int, ownPrefixes: [OwnPrefixStatus],
        peersHeldDown: [HeldPeer], isHealthy: Bool
    ) {
        self.version = version
        self.mode = mode
        self.node = node
        self.routerID = routerID
        self.asNumber = asNumber
        self.clusterID = clusterID
        self.uptime = uptime
        self.userID = userID
        self.capabilities = capabilities
        self.programsRoutes = programsRoutes
        self.dryRun = dryRun
        self.peersEstablished = peersEstablished
        self.peersConfigured = peersConfigured
        self.prefixesIPv4 = prefixesIPv4
        self.prefixesIPv6 = prefixesIPv6
        self.pathsIPv4 = pathsIPv4
        self.pathsIPv6 = pathsIPv6
        self.attributeSets = attributeSets
        self.updateGroups = updateGroups
        self.routesWanted = routesWanted
        self.routesInKernel = routesInKernel
        self.routesMissing = routesMissing
        self.routesRepaired = routesRepaired
        self.ownPrefixes = ownPrefixes
        self.peersHeldDown = peersHeldDown
        self.isHealthy = isHealthy
    }
}

/// How much the speaker carries, and whether it keeps up.
package struct LoadStatus: Codable, Sendable {
    /// Route reflector clients whose session is up.
    package var clientsEstablished = 0
    /// Peers by update group, the largest first: each group is one encoding and one Adj-RIB-Out.
    package var groupMembers: [Int] = []
    /// Bytes that wait for peers to read them.
    package var queuedBytes = 0
    /// The peer with the most of them, where there are any.
    package var slowestPeer: String?
    package var slowestPeerQueuedBytes = 0
    /// Peers that get no routes until they have read what is queued.
    package var peersTooSlow = 0
    /// Prefixes that wait for a decision, and prefixes that wait to be sent.
    package var prefixesUndecided = 0
    package var prefixesUnsent = 0
    /// How late a keepalive left at most since the start, in seconds, and how often one was more than 100 ms late.
    package var keepaliveLatestSeconds = 0.0
    package var lateKeepalives: UInt64 = 0
    /// Bytes of memory: of the tables of prefixes and paths, of attribute sets, of what groups were sent.
    package var pathMemory = 0
    package var attributeMemory = 0
    package var groupMemory = 0
    package init() {}
}

package struct OwnPrefixStatus: Codable, Sendable {
    package var prefix: String
    package var kind: OwnPrefixKind
    package var isAnnounced: Bool
    /// Why it is not announced; nil where it is.
    package var reason: OwnPrefixReason?
    package init(prefix: String, kind: OwnPrefixKind, isAnnounced: Bool, reason: OwnPrefixReason?) {
        self.prefix = prefix
        self.kind = kind
        self.isAnnounced = isAnnounced
        self.reason = reason
    }
}

package struct HeldPeer: Codable, Sendable {
    package var name: String
    package var type: PeerOrigin
    package var address: String
    package var reason: HoldReason
    package init(name: String, type: PeerOrigin, address: String, reason: HoldReason) {
        self.type = type
        self.name = name
        self.address = address
        self.reason = reason
    }
}

/// What `apusctl peers` shows of one. One property per field of the JSON object.
package struct PeerStatus: Codable, Sendable {
    package var name: String
    package var address: String
    package var port: UInt16
    package var type: PeerOrigin
    package var isDynamic: Bool
    package var remoteAS: UInt32?
    package var state: PeerState
    /// Seconds since 1970 when the state was entered; nil while it never was up.
    package var since: Double?
    /// Why the session is not up; of one that is up, why the one before ended.
    package var lastError: PeerDownReason?
    /// Seconds since 1970.
    package var lastErrorAt: Double?
    /// True of a session that is up: the error is of the past.
    package var isLastErrorPast = false
    /// What connections have met since `lastError`, which was a NOTIFICATION, and when last.
    package var connectionErrorSince: PeerDownReason?
    package var connectionErrorAt: Double?
    /// The last ends of sessions, the newest first.
    package var ends: [PeerEnd] = []
    package var isReflectorClient: Bool
    package var routerID: String?
    package var holdTime: Double?
    package var families: [String]
    package var capabilities: [PeerCapability]
    package var prefixesReceived: [String: Int]
    package var prefixesAnnounced: [String: Int]
    package var staleFamilies: [String]
    package var messagesReceived: UInt64
    package var updatesReceived: UInt64
    package var timesEstablished: UInt64
    package var treatedAsWithdraw: UInt64
    package var queuedBytes: Int
    /// Our AS towards the peer.
    package var localAS: UInt32
    /// State of the BFD session; nil without one, or before its first change.
    package var bfd: BFDSessionState?
    /// Of an unnumbered peer.
    package var interface: String?
    /// We wait for the peer to open the session.
    package var isPassive = false

    package init(
        name: String, address: String, port: UInt16, type: PeerOrigin, isDynamic: Bool, remoteAS: UInt32?,
        state: PeerState, since: Double?,
        lastError: PeerDownReason?, isReflectorClient: Bool, routerID: String?, holdTime: Double?, families: [String],
        capabilities: [PeerCapability],
        prefixesReceived: [String: Int], prefixesAnnounced: [String: Int], staleFamilies: [String],
        messagesReceived: UInt64,
        updatesReceived: UInt64, timesEstablished: UInt64, treatedAsWithdraw: UInt64, queuedBytes: Int, localAS: UInt32,
        bfd: BFDSessionState?,
        interface: String?
    ) {
        self.name = name
        self.address = address
        self.port = port
        self.type = type
        self.isDynamic = isDynamic
        self.remoteAS = remoteAS
        self.state = state
        self.since = since
        self.lastError = lastError
        self.isReflectorClient = isReflectorClient
        self.routerID = routerID
        self.holdTime = holdTime
        self.families = families
        self.capabilities = capabilities
        self.prefixesReceived = prefixesReceived
        self.prefixesAnnounced = prefixesAnnounced
        self.staleFamilies = staleFamilies
        self.messagesReceived = messagesReceived
        self.updatesReceived = updatesReceived
        self.timesEstablished = timesEstablished
        self.treatedAsWithdraw = treatedAsWithdraw
        self.queuedBytes = queuedBytes
        self.localAS = localAS
        self.bfd = bfd
        self.interface = interface
    }
}

/// Something that happened, as the log said it.
package struct EventStatus: Codable, Sendable, Hashable {
    /// Counts up from 0; `events` is asked for what follows by the number after the last one.
    package var id: Int
    /// Seconds since 1970.
    package var at: Double
    /// `notice`, `warning`, `error` or `critical`.
    package var level: String
    package var message: String
    package var fields: [String: String]
    package init(id: Int, at: Double, level: String, message: String, fields: [String: String]) {
        self.id = id
        self.at = at
        self.level = level
        self.message = message
        self.fields = fields
    }
}

/// The end of a session that had come up.
package struct PeerEnd: Codable, Sendable {
    package var reason: PeerDownReason
    /// Seconds since 1970.
    package var at: Double
    package init(reason: PeerDownReason, at: Double) {
        self.reason = reason
        self.at = at
    }
}

/// A path of a prefix. One property per field of the JSON object.
package struct RouteStatus: Codable, Sendable {
    package var prefix: String
    /// Address of the peer, or `local`.
    package var from: String
    package var peer: String
    package var isBest: Bool
    package var isMultipath: Bool
    package var isStale: Bool
    /// Why it is no candidate; nil for one that is.
    package var ineligible: PathIneligibility?
    /// The step that decided, on the best path.
    package var bestReason: BestPathStep?
    /// On a candidate that is not the best.
    package var loss: RouteLoss?
    package var nextHop: String?
    package var localPref: UInt32?
    package var med: UInt32?
    package var asPath: String
    package var origin: String
    package var communities: [String]
    package var originatorID: String?
    package var clusterList: [String]
    /// The peer's path identifier (RFC 7911).
    package var pathID: UInt32?
    /// OTC (RFC 9234).
    package var onlyToCustomer: UInt32?
    /// The rule of the peer's import filters that the path met.
    package var importRule: String?
    /// `advertised` of a peer only: true where it is still to be sent, or to be sent again.
    package var isWaiting: Bool?
    /// `why` only, on the best path: peers that have it announced, and for the others why not. Where there are many, a
    /// page has some of them, and pages after the first have the best path alone.
    package var announcedTo: [String]?
    package var notAnnouncedTo: [String: NotAnnouncedReason]?

    package init(
        prefix: String, from: String, peer: String, isBest: Bool, isMultipath: Bool, isStale: Bool,
        ineligible: PathIneligibility?, bestReason: BestPathStep?,
        nextHop: String?, localPref: UInt32?, med: UInt32?, asPath: String, origin: String, communities: [String],
        originatorID: String?,
        clusterList: [String], pathID: UInt32?, onlyToCustomer: UInt32?, importRule: String?
    ) {
        self.prefix = prefix
        self.from = from
        self.peer = peer
        self.isBest = isBest
        self.isMultipath = isMultipath
        self.isStale = isStale
        self.ineligible = ineligible
        self.bestReason = bestReason
        self.nextHop = nextHop
        self.localPref = localPref
        self.med = med
        self.asPath = asPath
        self.origin = origin
        self.communities = communities
        self.originatorID = originatorID
        self.clusterList = clusterList
        self.pathID = pathID
        self.onlyToCustomer = onlyToCustomer
        self.importRule = importRule
    }
}

/// Why a path is not the best: the step that removed it, against whose path, and what each has there.
package struct RouteLoss: Codable, Sendable, Hashable {
    package var step: BestPathStep
    /// Address of the peer, or `local`.
    package var against: String
    package var own: DecisionValueStatus
    package var other: DecisionValueStatus
    package init(step: BestPathStep, against: String, own: DecisionValueStatus, other: DecisionValueStatus) {
        self.step = step
        self.against = against
        self.own = own
        self.other = other
    }
}

/// What a step of the decision compares.
package enum DecisionValueStatus: Codable, Sendable, Hashable {
    /// LOCAL_PREF, the length of AS_PATH or CLUSTER_LIST, MULTI_EXIT_DISC, the cost to the next hop.
    case number(value: UInt32)
    /// `IGP`, `EGP` or `incomplete`.
    case origin(name: String)
    /// BGP Identifier or ORIGINATOR_ID.
    case identifier(address: String)
    case peer(address: String, pathID: UInt32)
    /// Whether the path is what the step prefers: of this node, current, external.
    case isPreferred(value: Bool)
}

package struct EndpointStatus: Codable, Sendable {
    package var name: String
    package var interface: String
    package var addresses: [String]
    package var state: EndpointState
    /// What is to be said about the state; nil for nothing.
    package var reason: EndpointReason?
    package init(name: String, interface: String, addresses: [String], state: EndpointState, reason: EndpointReason?) {
        self.name = name
        self.interface = interface
        self.addresses = addresses
        self.state = state
        self.reason = reason
    }
}

package struct FIBStatus: Codable, Sendable {
    package var prefix: String
    /// As wanted; nil where the route is to go.
    package var wanted: String?
    /// As the kernel has it; nil where it has not.
    package var kernel: String?
    package var state: FIBState
    /// Nil where the state says all.
    package var reason: FIBReason?
    package init(prefix: String, wanted: String?, kernel: String?, state: FIBState, reason: FIBReason?) {
        self.prefix = prefix
        self.wanted = wanted
        self.kernel = kernel
        self.state = state
        self.reason = reason
    }
}
