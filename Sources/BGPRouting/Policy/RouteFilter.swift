package import BGPMessages
package import NetTypes

/// A community of either kind, as a rule names it.
package enum AnyCommunity: Sendable, Hashable, CustomStringConvertible {
    case standard(Community)
    case large(LargeCommunity)

    /// `aa:nn` or `aa:nn:mm`, decimal (contract 2.2); nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { UInt32($0) }
        guard numbers.count == parts.count else { return nil }
        switch numbers.count {
        case 2:
            guard let high = UInt16(exactly: numbers[0]), let low = UInt16(exactly: numbers[1]) else { return nil }
            self = .standard(Community(high, low))
        case 3:
            self = .large(
                LargeCommunity(globalAdministrator: numbers[0], localData1: numbers[1], localData2: numbers[2]))
        default: return nil
        }
    }

    package var description: String {
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
package enum AttributeOperation: Sendable, Hashable {
    case addCommunity(AnyCommunity)
    /// In the order in which they are to stand in the path.
    case prependASPath([ASNumber])
    /// Contract 2.6: a kernel metric, carried as LOCAL_PREF.
    case setPriority(UInt32)
    case setLocalPref(UInt32)
    case setOnlyToCustomer(ASNumber)

    package func apply(to attributes: inout PathAttributes) {
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
package enum RoutePriority {
    package static let normal: UInt32 = 1024
    /// Metrics that are told apart from an ordinary LOCAL_PREF.
    package static let range: ClosedRange<UInt32> = 1...65535
    private static let base: UInt32 = 2_147_483_647

    package static func localPref(_ priority: UInt32) -> UInt32 { base - min(base, priority) }

    /// The metric that a LOCAL_PREF carries; `normal` where it carries none.
    package static func priority(ofLocalPref value: UInt32) -> UInt32 {
        guard value <= base, range.contains(base - value) else { return normal }
        return base - value
    }
}

/// The rules that a peer's routes meet in one direction: its BGPFilter objects in their order (contract 2.4).
package struct RouteFilter: Sendable, Hashable {
    package enum Action: String, Sendable, Hashable {
        case accept = "Accept"
        case reject = "Reject"
    }
    package enum CIDROperator: String, Sendable, Hashable, CaseIterable {
        case equal = "Equal"
        case notEqual = "NotEqual"
        case isIn = "In"
        case notIn = "NotIn"
    }

    /// One rule. Everything that it names must match.
    package struct Rule: Sendable, Hashable {
        /// `BGPFilter/NAME importV4 rule 2`, as `apusctl why` prints it.
        package var label: String
        package var action = Action.accept
        package var cidr: Prefix?
        package var cidrOperator = CIDROperator.isIn
        /// Lengths of the route's prefix.
        package var lengths: ClosedRange<UInt8>?
        /// Only routes that a peer announced.
        package var onlyFromPeers = false
        /// The interface that the route leaves by; `*` stands for any characters, anywhere.
        package var interface: String?
        /// Only on sessions of this kind.
        package var isInternalPeer: Bool?
        package var community: AnyCommunity?
        /// The AS_PATH begins with these.
        package var asPathPrefix: [ASNumber] = []
        package var priority: UInt32?
        package var operations: [AttributeOperation] = []

        package init(label: String) { self.label = label }

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
    package struct RouteFacts: Sendable {
        package var isLocal: Bool
        package var isInternalPeer: Bool
        package var localPref: UInt32
        /// Name of the interface that the route leaves by; empty where that is not known.
        package var interface: String
        package init(isLocal: Bool, isInternalPeer: Bool, localPref: UInt32, interface: String) {
            self.isLocal = isLocal
            self.isInternalPeer = isInternalPeer
            self.localPref = localPref
            self.interface = interface
        }
    }

    /// By family index, in order.
    package var rules: [[Rule]] = [[], []]

    package init() {}

    package var isEmpty: Bool { rules[0].isEmpty && rules[1].isEmpty }
    package func isEmpty(_ family: AddressFamily) -> Bool { rules[family.index].isEmpty }
    package var asksForInterface: Bool { rules.contains { $0.contains { $0.interface != nil } } }

    /// The position of the first rule that matches; nil where none does.
    package func firstMatch(_ prefix: Prefix, route: RouteFacts, _ attributes: () -> PathAttributes) -> Int? {
        rules[prefix.family.index].firstIndex { $0.matches(prefix, route: route, attributes) }
    }

    package func rule(_ position: Int, _ family: AddressFamily) -> Rule { rules[family.index][position] }
}
