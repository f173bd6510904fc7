import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes
import Testing

private func rule(_ label: String, _ action: RouteFilter.Action, _ change: (inout RouteFilter.Rule) -> Void = { _ in })
    -> RouteFilter.Rule
{
    var rule = RouteFilter.Rule(label: label)
    rule.action = action
    change(&rule)
    return rule
}

private func filter(_ rules: RouteFilter.Rule...) -> RouteFilter {
    var filter = RouteFilter()
    filter.rules = [rules, rules]
    return filter
}

@Suite struct FilterTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let change: @Sendable (inout RouteFilter.Rule) -> Void
        let matches: [String]
        var testDescription: String { name }
    }
    /// Routes of the sending side, and what is special of each.
    static let routes: [String: @Sendable (inout PathAttributes) -> Void] = [
        "10.65.0.0/16": { _ in }, "10.65.1.0/26": { $0.communities = [Community(65000, 7)] },
        "10.65.1.5/32": {
            $0.largeCommunities = [LargeCommunity(globalAdministrator: 1, localData1: 2, localData2: 3)]
        },
        "10.66.0.0/24": { $0.asPath = ASPath([65010, 65020]) },
        "10.67.0.0/24": { $0.localPref = RoutePriority.localPref(512) },
    ]

    @Test(arguments: [
        Row(
            name: "nothing matches everything", change: { _ in },
            matches: ["10.65.0.0/16", "10.65.1.0/26", "10.65.1.5/32", "10.66.0.0/24", "10.67.0.0/24"]),
        Row(
            name: "cidr Equal",
            change: {
                $0.cidr = Prefix("10.65.0.0/16")
                $0.cidrOperator = .equal
            }, matches: ["10.65.0.0/16"]),
        Row(
            name: "cidr NotEqual",
            change: {
                $0.cidr = Prefix("10.65.0.0/16")
                $0.cidrOperator = .notEqual
            }, matches: ["10.65.1.0/26", "10.65.1.5/32", "10.66.0.0/24", "10.67.0.0/24"]),
        Row(
            name: "cidr In", change: { $0.cidr = Prefix("10.65.0.0/16") },
            matches: ["10.65.0.0/16", "10.65.1.0/26", "10.65.1.5/32"]),
        Row(
            name: "cidr NotIn",
            change: {
                $0.cidr = Prefix("10.65.0.0/16")
                $0.cidrOperator = .notIn
            }, matches: ["10.66.0.0/24", "10.67.0.0/24"]),
        Row(
            name: "lengths",
            change: {
                $0.cidr = Prefix("10.65.0.0/16")
                $0.lengths = 24...30
            }, matches: ["10.65.1.0/26"]),
        Row(
            name: "community", change: { $0.community = CommunityValue("65000:7").map { AnyCommunity($0) } },
            matches: ["10.65.1.0/26"]),
        Row(
            name: "large community", change: { $0.community = CommunityValue("1:2:3").map { AnyCommunity($0) } },
            matches: ["10.65.1.5/32"]),
        Row(name: "AS path prefix", change: { $0.asPathPrefix = [ASNumber(65010)] }, matches: ["10.66.0.0/24"]),
        Row(
            name: "AS path prefix that goes on", change: { $0.asPathPrefix = [ASNumber(65010), ASNumber(65021)] },
            matches: []),
        Row(name: "priority", change: { $0.priority = 512 }, matches: ["10.67.0.0/24"]),
        Row(
            name: "normal priority", change: { $0.priority = 1024 },
            matches: ["10.65.0.0/16", "10.65.1.0/26", "10.65.1.5/32", "10.66.0.0/24"]),
        Row(
            name: "iBGP", change: { $0.isInternalPeer = true },
            matches: ["10.65.0.0/16", "10.65.1.0/26", "10.65.1.5/32", "10.66.0.0/24", "10.67.0.0/24"]),
        Row(name: "eBGP", change: { $0.isInternalPeer = false }, matches: []),
        Row(name: "interface", change: { $0.interface = "cali*" }, matches: []),
    ])
    func `a rule matches what it names, on the way in and on the way out (contract 2_4)`(row: Row) throws {
        for isImport in [true, false] {
            let net = Network()
            let a = net.add(1)
            let b = net.add(2)
            for (text, change) in Self.routes { net.originate(b, prefix(text), change) }
            let rejecting = filter(rule("r", .reject, row.change))
            net.peer(a, b) { own, settings in
                settings.importSettings.mode = .all
                if own == a, isImport { settings.importSettings.filter = rejecting }
                if own == b, !isImport { settings.exportFilter = rejecting }
            }
            for text in Self.routes.keys {
                #expect(
                    (net.best(a, prefix(text)) == nil) == row.matches.contains(text),
                    "\(isImport ? "import" : "export") \(text)")
            }
        }
    }

    @Test func `the first rule that matches decides, and names itself`() throws {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.originate(b, block)
        net.originate(b, prefix("10.65.2.0/26"))
        let rules = filter(
            rule("BGPFilter/f importV4[0]", .accept) { $0.cidr = block },
            rule("BGPFilter/f importV4[1]", .reject) { $0.cidr = prefix("10.65.0.0/16") })
        net.peer(a, b) { own, settings in if own == a { settings.importSettings.filter = rules } }
        #expect(net.best(a, block) != nil)
        #expect(net.best(a, prefix("10.65.2.0/26")) == nil)
        let found = net.nodes[a].speaker.find(prefix("10.65.2.0/26"))
        let index = try #require(found)
        let path = net.nodes[a].speaker.explainedPaths(index, .ipv4)[0]
        #expect(path.ineligible == .rejectedByFilter)
        #expect(path.importRule == "BGPFilter/f importV4[1]")
    }

    @Test
    func
        `operations change what is sent and what is taken, and taking the filter away brings the routes back as they were`()
        throws
    {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        let c = net.add(3, as: 65000)
        net.originate(b, block) { $0.communities = [Community(9, 9)] }
        net.peer(a, b)
        net.peer(a, c) { own, settings in if own == a { settings.exportMode = .all } }
        let index = try #require(net.nodes[a].peers[b])
        let toC = try #require(net.nodes[a].peers[c])
        let sets = net.attributeCount(a)
        let before = net.nodes[a].speaker.settings(index)
        var settings = try #require(before)
        let plain = settings
        settings.importSettings.filter = filter(
            rule("in", .accept) {
                $0.operations = [
                    .setPriority(512), .addCommunity(.standard(Community(1, 2))),
                    .addCommunity(.large(LargeCommunity(globalAdministrator: 1, localData1: 2, localData2: 3))),
                ]
            })
        net.nodes[a].speaker.updatePeer(index, settings, now: net.now)
        let outward = net.nodes[a].speaker.settings(toC)
        var export = try #require(outward)
        export.exportFilter = filter(
            rule("out", .accept) {
                $0.operations = [
                    .prependASPath([ASNumber(64999), ASNumber(64998)]), .addCommunity(.standard(Community(3, 4))),
                ]
            })
        net.nodes[a].speaker.updatePeer(toC, export, now: net.now)
        net.settle()
        #expect(net.best(a, block)?.localPref == 2_147_483_135)
        #expect(net.best(a, block)?.communities == [Community(9, 9), Community(1, 2)])
        #expect(net.best(c, block)?.asPath?.description == "64512 64999 64998")
        #expect(net.best(c, block)?.communities == [Community(9, 9), Community(1, 2), Community(3, 4)])
        net.nodes[a].speaker.updatePeer(index, plain, now: net.now)
        export.exportFilter = RouteFilter()
        net.nodes[a].speaker.updatePeer(toC, export, now: net.now)
        net.settle()
        #expect(net.best(a, block)?.communities == [Community(9, 9)])
        #expect(net.best(c, block)?.asPath?.description == "64512")
        #expect(net.isUp(a, b) && net.isUp(a, c))
        #expect(net.timesEstablished(a, index) == 1 && net.timesEstablished(a, toC) == 1)
        #expect(net.attributeCount(a) == sets, "attribute sets are left over")
    }

    @Test func `an accepting export rule lets transit pass, and never what an RFC forbids`() throws {
        let net = Network()
        let node = net.add(1)
        let other = net.add(2)
        let tor = net.add(3, as: 65000)
        net.peer(node, other)
        net.peer(node, tor) { own, settings in if own == node { settings.exportFilter = filter(rule("all", .accept)) } }
        net.originate(other, block)
        net.originate(other, prefix("10.65.2.0/26")) { $0.communities = [.noExport] }
        #expect(net.best(tor, block) != nil)
        #expect(net.best(tor, prefix("10.65.2.0/26")) == nil)
    }

    @Test func `interfaces of next hops and of own routes are matched, and a change is followed`() throws {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b) { own, settings in
            if own == a { settings.importSettings.filter = filter(rule("no eth1", .reject) { $0.interface = "eth1*" }) }
            if own == a { settings.exportFilter = filter(rule("no cali", .reject) { $0.interface = "cali*" }) }
        }
        net.originate(b, block)
        let hop = net.nodes[b].address
        #expect(net.best(a, block) != nil)
        net.nodes[a].speaker.changeNextHops([
            RIB.NextHopState(address: hop, isReachable: true, cost: 0, interface: "eth1.7")
        ])
        net.settle()
        #expect(net.best(a, block) == nil)
        net.nodes[a].speaker.changeNextHops([
            RIB.NextHopState(address: hop, isReachable: true, cost: 0, interface: "eth0")
        ])
        net.settle()
        #expect(net.best(a, block) != nil)
        var attributes = PathAttributes()
        attributes.origin = .igp
        attributes.asPath = ASPath()
        net.nodes[a].speaker.originate(prefix("10.65.9.1/32"), attributes, interface: "cali123")
        net.nodes[a].speaker.originate(prefix("10.65.9.2/32"), attributes, interface: "tap7")
        net.settle()
        #expect(net.best(b, prefix("10.65.9.1/32")) == nil && net.best(b, prefix("10.65.9.2/32")) != nil)
    }
}

@Suite struct RoleTests {
    /// A route goes from the first to the second and on to the third; each role is that of the middle one towards its
    /// neighbor.
    @Test(
        arguments: [
            (BGPRole.customer, BGPRole.provider, true), (.customer, .customer, false), (.customer, .peer, false),
            (.peer, .provider, true), (.peer, .customer, false),
            (.peer, .peer, false), (.provider, .customer, true), (.provider, .peer, true), (.provider, .provider, true),
        ] as [(BGPRole, BGPRole, Bool)])
    func `a route from a provider or a peer goes to customers only (RFC 9234 5)`(
        towardsSource: BGPRole, towardsTarget: BGPRole, passes: Bool
    ) {
        let net = Network()
        let source = net.add(1, as: 65001)
        let middle = net.add(2, as: 65002)
        let target = net.add(3, as: 65003)
        net.peer(source, middle) { own, settings in
            settings.session.role = own == middle ? towardsSource : towardsSource.counterpart
        }
        net.peer(middle, target) { own, settings in
            settings.session.role = own == middle ? towardsTarget : towardsTarget.counterpart
            settings.exportMode = .all
        }
        net.originate(source, prefix("203.0.113.0/24"))
        #expect((net.best(target, prefix("203.0.113.0/24")) != nil) == passes)
        if towardsSource != .provider {
            #expect(net.best(middle, prefix("203.0.113.0/24"))?.onlyToCustomer == ASNumber(65001))
        }
    }

    @Test func `a route leak is kept and not used, and reported as such`() throws {
        let net = Network()
        let customer = net.add(1, as: 65001)
        let provider = net.add(2, as: 65002)
        net.peer(customer, provider) { own, settings in
            // The customer knows of no roles and leaks.
            if own == provider { settings.session.role = .provider }
        }
        net.originate(customer, prefix("203.0.113.0/24")) { $0.onlyToCustomer = ASNumber(65009) }
        #expect(net.best(provider, prefix("203.0.113.0/24")) == nil)
        #expect(net.pathCount(provider, prefix("203.0.113.0/24")) == 1)
    }
}

@Suite struct LocalASTests {
    @Test func `towards a peer with a local AS that one is in the path, and a path with it is not taken back`() {
        let net = Network()
        let node = net.add(1)
        let tor = net.add(2, as: 65000)
        net.peer(node, tor) { own, settings in
            if own == node {
                settings.session.localAS = ASNumber(65111)
            } else {
                settings.session.remoteAS = ASNumber(65111)
            }
        }
        net.originate(node, block)
        #expect(net.best(tor, block)?.asPath?.description == "65111")
        net.originate(tor, prefix("203.0.113.0/24")) { $0.asPath = ASPath([65111, 9]) }
        #expect(net.best(node, prefix("203.0.113.0/24")) == nil)
        #expect(net.pathCount(node, prefix("203.0.113.0/24")) == 1)
    }
}

@Suite struct BFDAndRestartTests {
    @Test
    func
        `BFD takes a session down at once, a peer that restarts is left to it, and one whose forwarding is gone is not (RFC 5882 4)`()
        throws
    {
        let net = Network()
        let a = net.add(1)
        let b = net.add(2)
        net.peer(a, b)
        net.originate(b, block)
        let peer = try #require(net.nodes[a].peers[b])
        net.nodes[a].speaker.bfdDown(peer, isIndependent: false, now: net.now)
        net.settle()
        // Both speak N: what was sent is a Hard Reset, and nobody keeps anything.
        #expect(net.best(a, block) == nil)
        #expect(
            net.nodes[b].events.contains {
                if case .down(.notificationReceived(.hardReset(.bfdDown))) = $0.1 { true } else { false }
            })
        net.advance(5)
        #expect(net.best(a, block) != nil)
        net.cut = [[a, b]]
        net.disconnect(a, b)
        net.nodes[a].speaker.bfdDown(peer, isIndependent: false, now: net.now)
        net.settle()
        #expect(net.best(a, block) != nil, "the routes of a restarting peer are gone")
        net.nodes[a].speaker.bfdDown(peer, isIndependent: true, now: net.now)
        net.settle()
        #expect(net.best(a, block) == nil, "routes over dead forwarding are kept")
    }
}
