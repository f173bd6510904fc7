import BGPMessages
import BGPRouting
import NetTypes
import Resources

/// BGPFilter objects as the routing core wants them.
extension RouteFilter {
    /// The rules of several filters in a row, each with the label by which `apusctl why` names it.
    init(_ filters: [(String, BGPFilter)], direction: String, _ rules: (BGPFilter) -> [[BGPFilter.Rule]]) {
        self.init()
        for (name, filter) in filters {
            for family in AddressFamily.allCases {
                let field = "\(direction)V\(family == .ipv4 ? 4 : 6)"
                for (position, rule) in rules(filter)[family.index].enumerated() {
                    self.rules[family.index].append(Rule(rule, label: "BGPFilter/\(name) \(field)[\(position)]"))
                }
            }
        }
    }
}

extension RouteFilter.Rule {
    fileprivate init(_ rule: BGPFilter.Rule, label: String) {
        self.init(label: label)
        action = rule.isAccept ? .accept : .reject
        cidr = rule.cidr
        switch rule.matchOperator {
        case .equal: cidrOperator = .equal
        case .notEqual: cidrOperator = .notEqual
        case .isIn: cidrOperator = .isIn
        case .notIn: cidrOperator = .notIn
        }
        lengths = rule.lengths
        onlyFromPeers = rule.onlyFromPeers
        interface = rule.interface
        isInternalPeer = rule.isInternalPeer
        community = rule.community.map { AnyCommunity($0) }
        asPathPrefix = rule.asPathPrefix
        priority = rule.priority
        operations = rule.operations.map { operation in
            switch operation {
            case .addCommunity(let value): .addCommunity(AnyCommunity(value))
            case .prependASPath(let numbers): .prependASPath(numbers)
            case .setPriority(let value): .setPriority(value)
            }
        }
    }
}
