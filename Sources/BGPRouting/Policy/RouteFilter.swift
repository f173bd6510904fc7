public import BGPMessages
public import NetTypes

/// A community of either kind, as a rule names it.
public enum AnyCommunity: Sendable, Hashable, CustomStringConvertible {
    case standard(Community)
    case large(LargeCommunity)

    public init(_ value: CommunityValue) {
        switch value {
        case .standard(let value): self = .standard(Community(rawValue: value))
        case .large(let administrator, let data1, let data2):
            self = .large(
                LargeCommunity(globalAdministrator: administrator, localData1: data1, localData2: data2))
        }
    }

    public var description: String {
        switch self {
        case .standard(let value): value.description
        case .large(let value): value.description
        }
    }

    func isIn(_ attributes: PathAttributes) -> Bool {
        switch self {
        case .standard(let value): attributes.communities.contains(value)
        case .large(let value): attributes.largeCommunities.contains(value)
        }
    }
}

/// What a rule, or a rule of an RFC, changes in the attributes of a route.
public enum AttributeOperation: Sendable, Hashable {
    case addCommunity(AnyCommunity)
    /// In the order in which they are to stand in the path.
    case prependASPath([ASNumber])
    /// Contract 2.6: a kernel metric, carried as LOCAL_PREF.
    case setPriority(UInt32)
    case setLocalPref(UInt32)
    case setOnlyToCustomer(ASNumber)

    public func apply(to attributes: inout PathAttributes) {
        switch self {
        case .addCommunity(.standard(let value)):
            if !attributes.communities.contains(value) { attributes.communities.append(value) }
        case .addCommunity(.large(let value)):
            if !attributes.largeCommunities.contains(value) { attributes.largeCommunities.append(value) }
        case .prependASPath(let numbers):
            var path = attributes.asPath ?? ASPath()
            for number in numbers.reversed() { path = path.prepending(number) }
            attributes.asPath = path
        case .setPriority(let priority): attributes.localPref = RoutePriority.localPref(priority)
        case .setLocalPref(let value): attributes.localPref = value
        case .setOnlyToCustomer(let number): if attributes.onlyToCustomer == nil { attributes.onlyToCustomer = number }
        }
    }
}

/// A kernel metric carried by LOCAL_PREF (contract 2.6: `LOCAL_PREF = 2147483647 - metric`).
public enum RoutePriority {
    public static let normal: UInt32 = 1024
    /// Metrics that are told apart from an ordinary LOCAL_PREF.
    public static let range: ClosedRange<UInt32> = 1...65535
    private static let base: UInt32 = 2_147_483_647

    public static func localPref(_ priority: UInt32) -> UInt32 { base - min(base, priority) }

    /// The metric that a LOCAL_PREF carries; `normal` where it carries none.
    public static func priority(ofLocalPref value: UInt32) -> UInt32 {
        guard value <= base, range.contains(base - value) else { return normal }
        return base - value
    }
}

/// The rules that a peer's routes meet in one direction: its BGPFilter objects in their order (contract 2.4).
public struct RouteFilter: Sendable, Hashable {
    public enum Action: String, Sendable, Hashable {
        case accept = "Accept"
        case reject = "Reject"
    }
    public enum CIDROperator: String, Sendable, Hashable, CaseIterable {
        case equal = "Equal"
        case notEqual = "NotEqual"
        case isIn = "In"
        case notIn = "NotIn"
    }

    /// One rule. Everything that it names must match.
    public struct Rule: Sendable, Hashable {
        /// `BGPFilter/NAME importV4 rule 2`, as `apusctl why` prints it.
        public var label: String
        public var action = Action.accept
        public var cidr: Prefix?
        public var cidrOperator = CIDROperator.isIn
        /// Lengths of the route's prefix.
        public var lengths: ClosedRange<UInt8>?
        /// Only routes that a peer announced.
        public var onlyFromPeers = false
        /// The interface that the route leaves by; `*` stands for any characters, anywhere.
        public var interface: String?
        /// Only on sessions of this kind.
        public var isInternalPeer: Bool?
        public var community: AnyCommunity?
        /// The AS_PATH begins with these.
        public var asPathPrefix: [ASNumber] = []
        public var priority: UInt32?
        public var operations: [AttributeOperation] = []

        public init(label: String) { self.label = label }

        /// True where the rule looks at more than the prefix and the session.
        var needsAttributes: Bool { community != nil || !asPathPrefix.isEmpty }

        func matches(_ prefix: Prefix, route: RouteFacts, _ attributes: () -> PathAttributes) -> Bool {
            guard matchesPrefix(prefix) else { return false }
            if onlyFromPeers, route.isLocal { return false }
            if let isInternalPeer, isInternalPeer != route.isInternalPeer { return false }
            if let priority, priority != RoutePriority.priority(ofLocalPref: route.localPref) { return false }
            if let interface, !InterfacePattern.matches(interface, route.interface) { return false }
            guard needsAttributes else { return true }
            let set = attributes()
            if let community, !community.isIn(set) { return false }
            return asPathPrefix.isEmpty || Rule.begins(set.asPath, with: asPathPrefix)
        }

        /// The lengths belong to the CIDR: NotIn and NotEqual are the negation of both together, as BIRD's
        /// `net !~ [10.44.0.0/16{26,32}]`.
        private func matchesPrefix(_ prefix: Prefix) -> Bool {
            let hasLength = lengths?.contains(prefix.length) ?? true
            guard let cidr else { return hasLength }
            return switch cidrOperator {
            case .equal: prefix == cidr && hasLength
            case .notEqual: !(prefix == cidr && hasLength)
            case .isIn: cidr.contains(prefix) && hasLength
            case .notIn: !(cidr.contains(prefix) && hasLength)
            }
        }

        /// How a path is cut into segments carries no meaning: it begins with its sequences, one after the other, up to
        /// the first segment of another kind. A set at the beginning is no number.
        private static func begins(_ path: ASPath?, with wanted: [ASNumber]) -> Bool {
            var left = wanted[...]
            for segment in path?.segments ?? [] {
                guard segment.type == .sequence else { return false }
                for number in segment.numbers {
                    guard let next = left.popFirst() else { return true }
                    if next != number { return false }
                }
                if left.isEmpty { return true }
            }
            return left.isEmpty
        }
    }

    /// What a rule may ask of a route besides its prefix and attributes.
    public struct RouteFacts: Sendable {
        public var isLocal: Bool
        public var isInternalPeer: Bool
        public var localPref: UInt32
        /// Name of the interface that the route leaves by; empty where that is not known.
        public var interface: String
        public init(isLocal: Bool, isInternalPeer: Bool, localPref: UInt32, interface: String) {
            self.isLocal = isLocal
            self.isInternalPeer = isInternalPeer
            self.localPref = localPref
            self.interface = interface
        }
    }

    /// By family index, in order.
    public var rules: [[Rule]] = [[], []]

    public init() {}

    public var isEmpty: Bool { rules[0].isEmpty && rules[1].isEmpty }
    public func isEmpty(_ family: AddressFamily) -> Bool { rules[family.index].isEmpty }
    public var asksForInterface: Bool { rules.contains { $0.contains { $0.interface != nil } } }

    /// The position of the first rule that matches; nil where none does.
    public func firstMatch(_ prefix: Prefix, route: RouteFacts, _ attributes: () -> PathAttributes) -> Int? {
        rules[prefix.family.index].firstIndex { $0.matches(prefix, route: route, attributes) }
    }

    public func rule(_ position: Int, _ family: AddressFamily) -> Rule { rules[family.index][position] }
}
