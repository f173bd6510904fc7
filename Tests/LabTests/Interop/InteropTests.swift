import Foundation
import Synchronization
import Testing

/// A feature, shown with another daemon in both directions.
struct Feature: Sendable, CustomTestStringConvertible {
    let name: String
    let run: @Sendable (InteropLab, any InteropPeer) throws -> Void
    var testDescription: String { name }
}

enum Interop {
    /// What was seen is appended to this file; `scripts/interop-table.sh` makes docs/interop.md of it.
    static func record(_ peer: String, _ feature: String, _ outcome: String) {
        guard let path = ProcessInfo.processInfo.environment["APUS_INTEROP_RESULTS"] else { return }
        lock.withLock { _ in
            if !FileManager.default.fileExists(atPath: path) {
                _ = FileManager.default.createFile(atPath: path, contents: nil)
            }
            guard let file = FileHandle(forWritingAtPath: path) else { return }
            file.seekToEndOfFile()
            file.write(Data("\(peer)\t\(feature)\t\(outcome)\n".utf8))
            try? file.close()
        }
    }
    private static let lock = Mutex(0)

    static let ours = ["10.65.1.0/26", "fd00:65:1::/122"]
    static let theirs = ["10.9.0.0/24", "fd00:9::/48"]

    /// Both tables are as they should be: prefixes, next hops, paths and communities, and the kernel's routes.
    static func compare(
        _ lab: InteropLab, _ peer: any InteropPeer, _ s: Scenario, nextHop4: String = "10.0.0.2",
        ourHop4: String = "10.0.0.1", hop6: String? = nil
    ) throws {
        let isOn = [s.hasIPv4, s.hasIPv6]
        let hops = [nextHop4, hop6 ?? "fd00::2"]
        try lab.lab.wait(40, "\(type(of: peer).name): we have its routes") {
            let routes = try lab.routes()
            return (0...1).allSatisfy { family in
                guard isOn[family] else { return routes[theirs[family]] == nil }
                guard let route = routes[theirs[family]]?.first else { return false }
                return route.asPath == (s.isInternal ? [] : [s.peerAS]) && route.nextHop.hasPrefix(hops[family])
                    && route.communities.contains("65000:7") && route.largeCommunities == ["65000:1:2"]
                    && !route.isStale
            }
        }
        for (family, prefix) in [("-4", theirs[0]), ("-6", theirs[1])] where isOn[family == "-4" ? 0 : 1] {
            try lab.lab.wait(20, "the kernel has \(prefix)") {
                try lab.lab.must("ip \(family) route show \(prefix) proto 73", in: "apus").contains("dev eth0")
            }
        }
        let ourHops = [ourHop4, hop6 == nil ? "fd00::1" : "fe80"]
        try lab.lab.wait(40, "\(type(of: peer).name): it has our routes") {
            let routes = try peer.routes()
            return (0...1).allSatisfy { family in
                guard isOn[family] else { return routes[ours[family]] == nil }
                guard let route = routes[ours[family]]?.first else { return false }
                return route.asPath == (s.isInternal ? [] : [64512]) && route.nextHop.hasPrefix(ourHops[family])
                    && route.communities == ["64512:65"]
                    && route.largeCommunities == ["64512:6:5"]
            }
        }
    }

    /// Starts both sides and compares.
    static func both(
        _ lab: InteropLab, _ peer: any InteropPeer, _ s: Scenario, nextHop4: String = "10.0.0.2",
        ourHop4: String = "10.0.0.1", hop6: String? = nil
    ) throws {
        var s = s
        if !s.isInternal, !s.overIPv6, !s.isUnnumbered, type(of: peer).externalIPv6Fault != nil {
            s.families = ["ipv4"]
        }
        try peer.start(s)
        try lab.startApus(s)
        try lab.waitUntilUp(type(of: peer).name)
        try compare(lab, peer, s, nextHop4: nextHop4, ourHop4: ourHop4, hop6: hop6)
    }

    static func times(_ lab: InteropLab) throws -> Int { try lab.peer()?["timesEstablished"] as? Int ?? 0 }

    static let features: [Feature] = [
        Feature(name: "both families, internal") { lab, peer in try both(lab, peer, Scenario()) },
        Feature(name: "both families, external, AS of four bytes") { lab, peer in
            var s = Scenario()
            s.peerAS = 4_200_000_001
            try both(lab, peer, s)
        },
        Feature(name: "IPv4 over an IPv6 session") { lab, peer in
            var s = Scenario()
            s.overIPv6 = true
            try both(lab, peer, s)
        },
        Feature(name: "TCP MD5") { lab, peer in
            var s = Scenario()
            s.password = "salt-and-pepper"
            try both(lab, peer, s)
        },
        Feature(name: "TTL security (GTSM)") { lab, peer in
            var s = Scenario()
            s.peerAS = 65002
            s.hasTTLSecurity = true
            try both(lab, peer, s)
        },
        Feature(name: "route refresh, asked by the peer") { lab, peer in
            try both(lab, peer, Scenario())
            let sessions = try times(lab)
            let before = try lab.peer()?["messagesReceived"] as? Int ?? 0
            try peer.requestRefresh()
            try lab.lab.wait(30, "the request comes") { (try lab.peer()?["messagesReceived"] as? Int ?? 0) > before }
            try compare(lab, peer, Scenario())
            #expect(try times(lab) == sessions, "\(lab.lab.log("apus.log")) \(peer.log.suffix(3000))")
        },
        Feature(name: "route refresh, asked by us") { lab, peer in
            try both(lab, peer, Scenario())
            let sessions = try times(lab)
            let before = try lab.peer()?["updatesReceived"] as? Int ?? 0
            let output = try lab.lab.ctl("apus", "refresh", "peer")
            #expect(output.status == 0, "\(output.text)")
            try lab.lab.wait(30, "its table comes again") {
                (try lab.peer()?["updatesReceived"] as? Int ?? 0) >= before + 2
            }
            try compare(lab, peer, Scenario())
            #expect(try times(lab) == sessions, "\(lab.lab.log("apus.log")) \(peer.log.suffix(3000))")
        },
        Feature(name: "graceful restart") { lab, peer in
            let s = Scenario()
            try both(lab, peer, s)
            try peer.kill()
            try lab.lab.wait(30, "its routes are stale") { try lab.routes()[theirs[0]]?.first?.isStale ?? false }
            #expect(try lab.lab.must("ip route show 10.9.0.0/24 proto 73", in: "apus").contains("dev eth0"))
            try peer.start(s)
            try lab.waitUntilUp("after its restart")
            try compare(lab, peer, s)
        },
        Feature(name: "graceful restart, our own") { lab, peer in
            let s = Scenario()
            try both(lab, peer, s)
            guard let apus = lab.apus else { return }
            kill(apus.processIdentifier, SIGKILL)
            apus.waitUntilExit()
            // The routes are there at every look until we are back.
            for _ in 0..<10 {
                #expect(try peer.routes()[ours[0]] != nil, "the peer dropped our routes")
                Thread.sleep(forTimeInterval: 0.1)
            }
            try lab.startApus(s)
            try lab.waitUntilUp("after our restart")
            try compare(lab, peer, s)
            #expect(try peer.routes()[ours[0]]?.contains { $0.isStale } == false)
        },
        Feature(name: "long-lived graceful restart") { lab, peer in
            var s = Scenario()
            s.hasLongLived = true
            s.restartTime = 3
            s.families = ["ipv4"]
            try both(lab, peer, s)
            try peer.kill()
            try lab.lab.wait(40, "the restart time is over and its routes are the last choice") {
                try lab.routes()[theirs[0]]?.first?.communities.contains("llgr-stale") ?? false
            }
            #expect(try lab.lab.must("ip route show 10.9.0.0/24 proto 73", in: "apus").contains("dev eth0"))
            try peer.start(s)
            try lab.waitUntilUp("after its restart")
            try compare(lab, peer, s)
        },
        Feature(name: "ADD-PATH, from the peer") { lab, peer in
            var s = Scenario()
            s.sendsPaths = true
            s.families = ["ipv4"]
            try both(lab, peer, s)
            try lab.lab.wait(30, "two paths of one prefix") {
                Set(try lab.routes()["10.9.1.0/24"]?.map(\.nextHop) ?? []) == ["10.0.0.22", "10.0.0.23"]
            }
        },
        Feature(name: "ADD-PATH and reflection, to the peer") { lab, peer in
            var s = Scenario()
            s.receivesPaths = true
            s.families = ["ipv4"]
            s.agents = [11, 12]
            try peer.start(s)
            try lab.startApus(s)
            try lab.waitUntilUp(type(of: peer).name)
            // Both agents announce 10.96.0.0/16; each has a block of its own.
            try lab.lab.wait(20, "every path, reflected") {
                let routes = try peer.routes()
                let hops = Set(routes["10.96.0.0/16"]?.map(\.nextHop) ?? [])
                guard let block = routes["10.65.11.0/26"]?.first, hops == ["10.0.0.11", "10.0.0.12"] else {
                    return false
                }
                return block.nextHop == "10.0.0.11" && block.originatorID == "10.0.0.11"
                    && block.clusterList == ["9.9.9.9"] && block.communities == ["64512:65"]
            }
            try lab.lab.wait(30, "the agents have its route") {
                try lab.routes(node: "n12")[theirs[0]]?.first?.nextHop == "10.0.0.2"
            }
        },
        Feature(name: "IPv4 with IPv6 next hops") { lab, peer in
            var s = Scenario()
            s.overIPv6 = true
            s.hasExtendedNextHop = true
            try both(lab, peer, s, nextHop4: "fd00::2", ourHop4: "fd00::1")
            #expect(try lab.lab.must("ip route show 10.9.0.0/24 proto 73", in: "apus").contains("via inet6 fd00::2"))
        },
        Feature(name: "unnumbered link") { lab, peer in
            var s = Scenario()
            s.peerAS = 65002
            s.isUnnumbered = true
            try both(lab, peer, s, nextHop4: "fe80::", ourHop4: "fe80::", hop6: "fe80::")
            #expect(try lab.lab.must("ip route show 10.9.0.0/24 proto 73", in: "apus").contains("via inet6 fe80::"))
        },
        Feature(name: "roles and OTC") { lab, peer in
            var s = Scenario()
            s.peerAS = 65002
            s.role = "provider"
            try both(lab, peer, s)
            let text = try lab.lab.ctl("apus", "peer", "peer").text
            #expect(text.contains("capability    role provider"), "\(text)")
            let routes = try lab.json("apus", "routes")
            #expect(routes.contains { $0["prefix"] as? String == theirs[0] && ($0["onlyToCustomer"] as? Int) == 65002 })
        },
        Feature(name: "BFD") { lab, peer in
            var s = Scenario()
            s.hasBFD = true
            try both(lab, peer, s)
            try lab.lab.wait(30, "BFD is up") { try lab.peer()?["bfd"] as? String == "Up" }
            try lab.lab.must("ip link set p2 down", in: "sw")
            let cut = Date()
            try lab.lab.wait(60, "the session is down") { try !lab.isUp() }
            // Three packets at 100 ms; BGP alone would need its hold time of 90 s.
            #expect(Date().timeIntervalSince(cut) < 30)
            try lab.lab.wait(20, "its routes are gone") { try lab.routes()[theirs[0]] == nil }
            try lab.lab.must("ip link set p2 up", in: "sw")
            try lab.waitUntilUp("after the cut")
            try compare(lab, peer, s)
        },
        Feature(name: "shutdown text") { lab, peer in
            var s = Scenario()
            // With N on both sides the text would travel inside a Hard Reset, which not every log takes apart.
            s.hasNotification = false
            s.families = ["ipv4"]
            try both(lab, peer, s)
            try lab.writeResources(s, extra: "shutdown: \"closed for stocktaking\"")
            let text = "closed for stocktaking"
            let bytes = text.utf8.map { String($0, radix: 16) }.joined()
            // Some logs show the bytes.
            try lab.lab.wait(30, "the peer hears of it") {
                peer.log.contains(text) || peer.log.lowercased().contains(bytes)
            }
            try lab.writeResources(s)
            try lab.waitUntilUp("after the shutdown")
            try compare(lab, peer, s)
        },
        Feature(name: "prefix limit") { lab, peer in
            var s = Scenario()
            s.families = ["ipv4"]
            s.morePrefixes = ["10.9.2.0/24", "10.9.3.0/24"]
            try peer.start(s)
            try lab.writeResources(s, extra: "maxPrefixes: {limit: 2, restartAfter: 1h}")
            _ = try lab.lab.startAgent("apus", in: "apus")
            try lab.lab.wait(20, "the session ends") {
                let peer = try lab.peer()
                return peer?["state"] as? String == "Idle"
                    && "\(peer?["lastError"] ?? "")".contains("Maximum Number of Prefixes Reached")
            }
            // A warning lets them in; the change of the limit begins the session again.
            try lab.writeResources(s, extra: "maxPrefixes: {limit: 2, action: warn}")
            try lab.lab.wait(20, "all three are there") { try lab.routes().count >= 3 }
        },
        Feature(name: "extended messages") { lab, peer in
            var s = Scenario()
            s.families = ["ipv4"]
            s.morePrefixes = (0..<1500).map { "10.\(100 + $0 / 250).\($0 % 250).0/24" }
            try both(lab, peer, s)
            #expect(try lab.lab.ctl("apus", "peer", "peer").text.contains("capability    extended message"))
            try lab.lab.wait(30, "all of them") { try lab.routes().count >= 1501 }
        },
        Feature(name: "policy without a reset") { lab, peer in
            let s = Scenario()
            try both(lab, peer, s)
            let sessions = try times(lab)
            try lab.lab.write(
                "filter.yaml",
                Lab.object(
                    "BGPFilter", "f",
                    "importV4: [{action: Reject, cidr: 10.9.0.0/24, matchOperator: Equal}], exportV4: [{action: "
                        + "Accept, cidr: 10.65.0.0/16, matchOperator: In, operations: [{addCommunity: {value: \"1:2\"}}, "
                        + "{prependASPath: {prefix: [64999]}}]}]"
                ))
            try lab.writeResources(s, extra: "filters: [f]")
            try lab.lab.wait(30, "the route is refused") {
                try lab.json("apus", "routes").contains {
                    $0["ineligible"] as? String == "rejectedByFilter"
                        && $0["importRule"] as? String == "BGPFilter/f importV4[0]"
                }
            }
            try lab.lab.wait(30, "ours has changed") {
                guard let route = try peer.routes()[ours[0]]?.first else { return false }
                return route.communities == ["64512:65", "1:2"] && route.asPath == [64999]
            }
            try lab.lab.wait(20, "the kernel's route is gone") {
                try lab.lab.must("ip route show 10.9.0.0/24 proto 73", in: "apus").isEmpty
            }
            try lab.writeResources(s)
            try compare(lab, peer, s)
            #expect(try times(lab) == sessions, "the session was reset")
        },
    ]

    static func test(_ feature: Feature, _ make: (InteropLab) -> any InteropPeer) throws {
        let lab = try InteropLab()
        let peer = make(lab)
        let name = type(of: peer).name
        if let reason = type(of: peer).missing[feature.name] {
            record(name, feature.name, "– \(reason)")
            return
        }
        do {
            try feature.run(lab, peer)
            let isExternal =
                feature.name.contains("external") || feature.name.contains("GTSM") || feature.name.contains("roles")
            record(
                name, feature.name,
                "holds" + (isExternal ? type(of: peer).externalIPv6Fault.map { " (\($0))" } ?? "" : ""))
        } catch {
            record(name, feature.name, "FAILS")
            throw error
        }
    }
}

/// Each feature with each daemon that has it. A daemon's features run one after another, the daemons side by side.
@Suite(.serialized, .enabled(if: getuid() == 0)) struct InteropWithBird {
    @Test(arguments: Interop.features) func `BIRD 2`(feature: Feature) throws {
        try Interop.test(feature) { BirdPeer($0) }
    }
}
@Suite(.serialized, .enabled(if: getuid() == 0)) struct InteropWithFRR {
    @Test(arguments: Interop.features) func `FRR`(feature: Feature) throws { try Interop.test(feature) { FRRPeer($0) } }
}
@Suite(.serialized, .enabled(if: getuid() == 0)) struct InteropWithGoBGP {
    @Test(arguments: Interop.features) func `GoBGP`(feature: Feature) throws {
        try Interop.test(feature) { GoBGPPeer($0) }
    }
}
@Suite(.serialized, .enabled(if: getuid() == 0)) struct InteropWithOpenBGPD {
    @Test(arguments: Interop.features) func `OpenBGPD`(feature: Feature) throws {
        try Interop.test(feature) { OpenBGPDPeer($0) }
    }
}
@Suite(.serialized, .enabled(if: getuid() == 0)) struct InteropWithExaBGP {
    @Test(arguments: Interop.features) func `ExaBGP`(feature: Feature) throws {
        try Interop.test(feature) { ExaBGPPeer($0) }
    }
}
