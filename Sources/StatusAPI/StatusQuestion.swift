package import NetTypes

/// A request that was validated: nothing in it has to be checked again before it is used.
///
/// Whoever may open the socket chooses what a request holds. A number from outside is never used as an index, and a
/// text never reaches the routing loop, before it was turned into one of these; what cannot be is refused with a
/// sentence.
package enum StatusQuestion: Sendable, Hashable {
    case status, endpoints, doctor
    /// What a shadow found.
    case shadow
    /// What files would change.
    case plan(PlanRequest)
    /// From an event's number on.
    case events(PageCursor)
    case peers(PageCursor)
    /// By address or name.
    case peer(String, PageCursor)
    /// Routes from a place on.
    case routes(RouteQuery, PageCursor)
    case fib(Prefix?, PageCursor)
    /// The prefix, and the peers of a page.
    case why(Prefix, PageCursor)
    /// A pod of this node, a block or a peer, by its name.
    case whyNamed(String, PageCursor)
    case order(StatusOrder)
}

/// A request that changes something.
package enum StatusOrder: Sendable, Hashable {
    /// Peer by address or name; `all`: each of several.
    case refresh(String, all: Bool)
    /// The text is what the peer is sent (RFC 9003).
    case reset(String, all: Bool, text: String)
    case releaseRoutes

    package var name: String {
        switch self {
        case .refresh: "refresh"
        case .reset: "reset"
        case .releaseRoutes: "fib release"
        }
    }
}

/// Where a page of a long answer begins: 0 or more. It may lie beyond the end; then nothing follows.
///
/// An answer has up to four sections, one after the other: a table each. The cursor is a place in one of them, so that
/// what comes or goes in one section moves nothing in another.
package struct PageCursor: Sendable, Hashable {
    package let position: Int
    package static let start = PageCursor(clamping: 0)

    package init?(_ position: Int) {
        guard position >= 0 else { return nil }
        self.position = position
    }
    private init(clamping position: Int) { self.position = max(0, position) }

    private static let sectionBits = 2
    /// A place of a section: both from `PrefixTable.visit`, or from a cursor.
    package init(section: Int, place: Int) { self.init(clamping: place << PageCursor.sectionBits | section) }
    /// 0 to 3.
    package var section: Int { position & (1 << PageCursor.sectionBits - 1) }
    package var place: Int { position >> PageCursor.sectionBits }
}

/// Why a request is refused, as a sentence.
package struct RequestError: Error, Sendable, Hashable {
    package let text: String
    package init(text: String) { self.text = text }
}

extension StatusQuestion {
    /// An address, a prefix, or a name of a Kubernetes object with its kind and namespace.
    private static let longestArgument = 600

    package init(_ request: StatusRequest) throws(RequestError) {
        if let argument = request.argument, argument.utf8.count > StatusQuestion.longestArgument {
            throw RequestError(
                text: "the argument is longer than \(StatusQuestion.longestArgument) bytes; nothing has such a name")
        }
        switch request.command {
        case .status: self = .status
        case .peers: self = .peers(try StatusQuestion.cursor(request.cursor))
        case .endpoints: self = .endpoints
        case .events: self = .events(try StatusQuestion.cursor(request.cursor))
        case .doctor: self = .doctor
        case .shadow: self = .shadow
        case .plan:
            guard let plan = request.plan else { throw RequestError(text: "plan needs files") }
            self = .plan(plan)
        case .peer: self = .peer(request.argument ?? "", try StatusQuestion.cursor(request.cursor))
        case .routes:
            self = .routes(try RouteQuery(request), try StatusQuestion.cursor(request.cursor))
        case .fib: self = .fib(try StatusQuestion.prefix(request.argument), try StatusQuestion.cursor(request.cursor))
        case .why:
            guard let argument = request.argument, !argument.isEmpty else {
                throw RequestError(text: "why needs a prefix, an address, or the name of a pod, a block or a peer")
            }
            let cursor = try StatusQuestion.cursor(request.cursor)
            if let wanted = Prefix(argument) ?? IPAddress(argument).map({ Prefix(host: $0) }) {
                self = .why(wanted, cursor)
            } else {
                self = .whyNamed(argument, cursor)
            }
        case .refresh: self = .order(.refresh(request.argument ?? "", all: request.all ?? false))
        case .reset:
            let text = request.text ?? ""
            // RFC 9003 2: the length is one byte.
            guard text.utf8.count <= 255 else {
                throw RequestError(text: "the message has \(text.utf8.count) bytes; at most 255 can be sent (RFC 9003)")
            }
            self = .order(.reset(request.argument ?? "", all: request.all ?? false, text: text))
        case .releaseRoutes: self = .order(.releaseRoutes)
        }
    }

    fileprivate static func prefix(_ text: String?) throws(RequestError) -> Prefix? {
        guard let text else { return nil }
        guard let prefix = Prefix(text) ?? IPAddress(text).map({ Prefix(host: $0) }) else {
            throw RequestError(text: "\"\(text)\" is neither a prefix nor an address")
        }
        return prefix
    }

    private static func cursor(_ value: Int?) throws(RequestError) -> PageCursor {
        guard let value else { return .start }
        guard let cursor = PageCursor(value) else {
            throw RequestError(
                text: "cursor \(value) is negative; it is what next said in the answer before, or left out")
        }
        return cursor
    }
}

/// Which routes a question is about.
package struct RouteQuery: Sendable, Hashable {
    /// What overlaps it; nil for all.
    package var prefix: Prefix?
    /// Of one peer alone, by its address.
    package var peer: String?
    package var side: RouteSide
    package var isBestOnly: Bool
    /// As `RouteStatus.communities` has it.
    package var community: String?
    package var originAS: UInt32?

    package init(
        prefix: Prefix? = nil, peer: String? = nil, side: RouteSide = .received, isBestOnly: Bool = false,
        community: String? = nil, originAS: UInt32? = nil
    ) {
        self.prefix = prefix
        self.peer = peer
        self.side = side
        self.isBestOnly = isBestOnly
        self.community = community
        self.originAS = originAS
    }

    fileprivate init(_ request: StatusRequest) throws(RequestError) {
        let select = request.select ?? RouteSelect()
        guard select.side == nil || select.peer != nil else {
            throw RequestError(text: "received, accepted and advertised are asked of one peer: name it with --peer")
        }
        if let peer = select.peer, peer.utf8.count > 100 {
            throw RequestError(text: "the peer's address is longer than 100 bytes; no address is")
        }
        self.init(
            prefix: try StatusQuestion.prefix(request.argument), peer: select.peer, side: select.side ?? .received,
            isBestOnly: select.best ?? false, community: try select.community.map(RouteQuery.community),
            originAS: select.originAS)
    }

    /// Communities that have a name, by number.
    package static let namedCommunities = [
        "65535:0": "graceful-shutdown", "65535:6": "llgr-stale", "65535:7": "no-llgr", "65535:666": "blackhole",
        "65535:65281": "no-export", "65535:65282": "no-advertise", "65535:65283": "no-export-subconfed",
    ]

    /// A community as routes show it: without leading zeros, and by its name where it has one.
    private static func community(_ text: String) throws(RequestError) -> String {
        if namedCommunities.values.contains(text) { return text }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
        let numbers = parts.compactMap { $0 }
        let isValid =
            numbers.count == parts.count
            && (numbers.count == 3 || numbers.count == 2 && numbers.allSatisfy { $0 <= 65535 })
        guard isValid else {
            throw RequestError(
                text:
                    "\"\(text)\" is no community: write it as 65000:100, as 65000:1:2 (large), or by one of the names "
                    + namedCommunities.values.sorted().joined(separator: ", "))
        }
        let canonical = numbers.map { "\($0)" }.joined(separator: ":")
        return namedCommunities[canonical] ?? canonical
    }
}
