import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 65 to 89: attributes, in and out
extension Conformance {
    private static func external(_ attributes: [UInt8]) -> [UInt8] { WireBytes.update(attributes, nlri: target) }
    private static let externalMandatory = WireBytes.origin + WireBytes.asPath([65000]) + WireBytes.nextHop(2)

    /// The attribute is discarded: the route is there without it.
    private static func discards(
        _ attributes: [UInt8], as number: UInt32, _ what: String, _ isGone: (PathAttributes) -> Bool
    ) throws {
        let wire = Wire()
        let remote = wire.add(2, as: number)
        try wire.establish(remote)
        wire.send(remote, WireBytes.update(attributes, nlri: target))
        let best = try require(wire.best("10.9.0.0/24"), "\(what): the route is not there")
        try require(wire.isUp(remote) && isGone(best), "\(what): kept")
    }

    private static func without(_ type: UInt8, _ instead: [UInt8]) -> [UInt8] {
        (type == 1 ? instead : WireBytes.origin) + (type == 2 ? instead : WireBytes.asPath([]))
            + (type == 3 ? instead : WireBytes.nextHop(2))
            + (type == 5 ? instead : WireBytes.localPref(100))
    }

    /// A node with an internal and an external peer, and what each hears.
    private static func between(_ change: (inout PeerSettings) -> Void = { _ in }) throws -> (
        Wire, internalPeer: Wire.Remote, external: Wire.Remote, otherExternal: Wire.Remote
    ) {
        let wire = Wire()
        let a = wire.add(2)
        let b = wire.add(3, as: 65003) {
            $0.exportMode = .all
            change(&$0)
        }
        let c = wire.add(4, as: 65004) { $0.exportMode = .all }
        for remote in [a, b, c] { try wire.establish(remote) }
        for remote in [a, b, c] { remote.inbox = [] }
        return (wire, a, b, c)
    }

    static let attributes: [Item] = [
        Item(
            65,
            "ORIGIN of another length or value → withdraw; AS_PATH with a bad segment → withdraw, an empty one is "
                + "valid",
            "RFC 7606 7.1, 7.2"
        ) {
            try withdraws(
                WireBytes.update(without(1, WireBytes.attribute(0x40, 1, [0, 0])), nlri: target), "ORIGIN length")
            try withdraws(WireBytes.update(without(1, WireBytes.attribute(0x40, 1, [3])), nlri: target), "ORIGIN value")
            for (value, what) in [
                ([9, 1, 0, 0, 0, 1], "type"), ([2, 0], "count 0"), ([2, 2, 0, 0, 0, 1], "overrun"), ([2], "one byte"),
            ] as [([UInt8], String)] {
                try withdraws(
                    WireBytes.update(without(2, WireBytes.attribute(0x40, 2, value)), nlri: target), "AS_PATH \(what)")
            }
            let wire = Wire()
            let remote = wire.add(2)
            try wire.establish(remote)
            wire.announce(remote, ["10.9.0.0/24"])
            try require(wire.best("10.9.0.0/24")?.asPath == ASPath(), "the empty path")
        },
        Item(
            66,
            "NEXT_HOP of another length, 0.0.0.0, 127/8, 224/4, IPv6 ::a.b.c.d, ::ffff:a.b.c.d → withdraw; our own "
                + "address → not used, the session stays",
            "RFC 4271 6.3, 7606 7.3"
        ) {
            for value in [[10, 0, 0], [0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1]] as [[UInt8]] {
                try withdraws(
                    WireBytes.update(without(3, WireBytes.attribute(0x40, 3, value)), nlri: target), "\(value)")
            }
            // IPv4 inside IPv6 (RFC 4291 2.5.5), whose address of ours would go unseen; beside a good link-local one
            // too.
            for text in ["::ffff:10.0.0.2", "::10.0.0.2", "::", "::1", "ff02::1"] {
                for more in [[], IPAddress("fe80::2")?.bytes ?? []] {
                    let wire = Wire()
                    let remote = wire.add(2)
                    try wire.establish(remote)
                    let kept = WireBytes.reach6(WireBytes.hop6, WireBytes.nlri(prefix("2001:db8:9::/48")))
                    wire.send(
                        remote,
                        WireBytes.update(kept + WireBytes.origin + WireBytes.asPath([]) + WireBytes.localPref(100)))
                    try require(wire.best("2001:db8:9::/48") != nil, "the next hop 2001:db8::9 is not used")
                    let bad = WireBytes.reach6(
                        (IPAddress(text)?.bytes ?? []) + more, WireBytes.nlri(prefix("2001:db8:9::/48")))
                    wire.send(
                        remote,
                        WireBytes.update(bad + WireBytes.origin + WireBytes.asPath([]) + WireBytes.localPref(100)))
                    try require(
                        wire.isUp(remote) && wire.paths("2001:db8:9::/48").isEmpty, "\(text): not treated as withdraw")
                }
            }
            // Known from the kernel in an agent; from the Node, the listeners and the sessions in every mode.
            for source in OwnAddressSource.allCases.map(Optional.some) + [nil] {
                let wire = Wire()
                let remote = wire.add(2)
                if let source {
                    wire.speaker.setOwnAddresses([IPAddress(v4: 0x0A00_0001)], of: source)
                } else {
                    remote.local = IPAddress(v4: 0x0A00_0001)
                }
                try wire.establish(remote)
                wire.send(remote, WireBytes.update(without(3, WireBytes.nextHop(1)), nlri: target))
                try require(
                    wire.isUp(remote) && wire.paths("10.9.0.0/24").count == 1,
                    "\(source.map { "\($0)" } ?? "session"): not kept")
                try require(
                    wire.reason("10.9.0.0/24") == .nextHopIsOurselves && wire.best("10.9.0.0/24") == nil,
                    "our own address is used")
            }
        },
        Item(
            67,
            "MED of another length → withdraw; LOCAL_PREF from outside → discard, inside of another length → withdraw",
            "RFC 7606 7.4, 7.5"
        ) {
            try withdraws(WireBytes.update(mandatory(WireBytes.attribute(0x80, 4, [1, 2, 3])), nlri: target), "MED")
            try discards(externalMandatory + WireBytes.localPref(900), as: 65000, "LOCAL_PREF") { $0.localPref == nil }
            try withdraws(WireBytes.update(without(5, WireBytes.attribute(0x40, 5, [1])), nlri: target), "LOCAL_PREF")
        },
        Item(
            68, "ATOMIC_AGGREGATE with a value, AGGREGATOR of another length or of AS 0 → discard",
            "RFC 7606 7.6, 7.7, RFC 7607"
        ) {
            try discards(mandatory(WireBytes.attribute(0x40, 6, [1])), as: 64512, "ATOMIC_AGGREGATE") {
                !$0.atomicAggregate
            }
            try discards(mandatory(WireBytes.attribute(0xC0, 7, [0, 1, 10, 0, 0, 1])), as: 64512, "6 bytes") {
                $0.aggregator == nil
            }
            try discards(mandatory(WireBytes.attribute(0xC0, 7, [0, 0, 0, 0, 10, 0, 0, 1])), as: 64512, "AS 0") {
                $0.aggregator == nil
            }
        },
        Item(
            69, "communities whose length is 0 or no multiple → withdraw; an unknown extended type is no error",
            "RFC 7606 7.8, 7.14, 7.15, 8092 6"
        ) {
            for (type, unit) in [(8, 4), (16, 8), (25, 20), (32, 12)] as [(UInt8, Int)] {
                for length in [0, unit - 1, unit + 1] {
                    try withdraws(
                        WireBytes.update(
                            mandatory(WireBytes.attribute(0xC0, type, [UInt8](repeating: 1, count: length))),
                            nlri: target),
                        "\(type) of \(length)")
                }
            }
            try discards(
                mandatory(WireBytes.attribute(0xC0, 16, [0x3F, 0xEE, 1, 2, 3, 4, 5, 6])), as: 64512, "unknown type"
            ) { $0.extendedCommunities.count == 1 }
        },
        Item(
            70, "ORIGINATOR_ID and CLUSTER_LIST from outside → discard; inside of a wrong length → withdraw",
            "RFC 7606 7.9, 7.10"
        ) {
            try discards(externalMandatory + WireBytes.attribute(0x80, 9, [1, 1, 1, 1]), as: 65000, "ORIGINATOR_ID") {
                $0.originatorID == nil
            }
            try discards(externalMandatory + WireBytes.attribute(0x80, 10, [1, 1, 1, 1]), as: 65000, "CLUSTER_LIST") {
                $0.clusterList.isEmpty
            }
            try withdraws(WireBytes.update(mandatory(WireBytes.attribute(0x80, 9, [1])), nlri: target), "ORIGINATOR_ID")
            try withdraws(
                WireBytes.update(mandatory(WireBytes.attribute(0x80, 10, [])), nlri: target), "CLUSTER_LIST 0")
            try withdraws(
                WireBytes.update(mandatory(WireBytes.attribute(0x80, 10, [1, 2, 3])), nlri: target), "CLUSTER_LIST 3")
        },
        Item(
            71,
            "ORIGIN, AS_PATH or NEXT_HOP missing → withdraw; a missing LOCAL_PREF counts as 100 (Differs, as BIRD "
                + "does)",
            "RFC 7606 3 d, 4271 5"
        ) {
            for type in [1, 2, 3] as [UInt8] {
                try withdraws(WireBytes.update(without(type, []), nlri: target), "type \(type)")
            }
            let wire = Wire()
            let remote = wire.add(2)
            let other = wire.add(3, as: 65003) { $0.exportMode = .all }
            try wire.establish(remote)
            try wire.establish(other)
            wire.send(remote, WireBytes.update(without(5, []), nlri: target))
            try require(wire.best("10.9.0.0/24") != nil, "withdrawn")
        },
        Item(
            72, "AS 0 in AS_PATH → withdraw, inside too; AS4_PATH and AS4_AGGREGATOR from a new speaker → discard",
            "RFC 7607, 6793 4.1"
        ) {
            try withdraws(WireBytes.update(without(2, WireBytes.asPath([1, 0])), nlri: target), "internal")
            try withdraws(
                external(WireBytes.origin + WireBytes.asPath([65000, 0]) + WireBytes.nextHop(2)), as: 65000, "external")
            try discards(mandatory(WireBytes.attribute(0xC0, 17, [2, 1, 0, 0, 0, 9])), as: 64512, "AS4_PATH") {
                $0.asPath == ASPath() && $0.unknown.isEmpty
            }
            try discards(
                mandatory(WireBytes.attribute(0xC0, 18, [0, 0, 0, 9, 1, 1, 1, 1])), as: 64512, "AS4_AGGREGATOR"
            ) {
                $0.aggregator == nil && $0.unknown.isEmpty
            }
        },
        Item(
            73, "a confederation segment from any peer, alone or before others → withdraw: we are in no confederation",
            "RFC 5065 5, 7606 7.2"
        ) {
            let sequence: [UInt8] = [2, 1, 0, 0, 0xFD, 0xE9]
            for type in [3, 4] as [UInt8] {
                for rest in [[], sequence] {
                    let path = WireBytes.attribute(0x40, 2, [type, 1, 0, 0, 0xFE, 0x4C] + rest)
                    try withdraws(
                        external(WireBytes.origin + path + WireBytes.nextHop(2)), as: 65000, "external, type \(type)")
                    try withdraws(WireBytes.update(without(2, path), nlri: target), "internal, type \(type)")
                }
            }
        },
        Item(
            74, "an unknown well-known attribute → withdraw (Differs from RFC 4271, as RFC 7606 speakers do)",
            "RFC 7606 2"
        ) {
            try withdraws(WireBytes.update(mandatory(WireBytes.attribute(0x40, 99, [1])), nlri: target), "type 99")
        },
        Item(
            75,
            "an unknown optional transitive attribute goes on byte by byte with Partial set; a non-transitive "
                + "one is dropped",
            "RFC 4271 5, 9"
        ) {
            let (wire, a, b, _) = try between()
            wire.announce(
                a, ["10.9.0.0/24"], WireBytes.attribute(0xC0, 99, [1, 2, 3]) + WireBytes.attribute(0x80, 98, [7]))
            let told = try require(try wire.told(b).last, "not announced")
            try require(told.bytes.windows(of: [0xE0, 99, 3, 1, 2, 3]), "not passed on")
            try require(!told.types.contains(98), "98 is passed on")
        },
        Item(
            76, "a malformed UPDATE is reported whole, with what was wrong; OTC of another length → withdraw",
            "RFC 7606 6, 9234 5"
        ) {
            try withdraws(external(externalMandatory + WireBytes.attribute(0xC0, 35, [0, 0, 1])), as: 65000, "OTC")
            let wire = Wire()
            let remote = wire.add(2)
            try wire.establish(remote)
            let sent = WireBytes.update(mandatory(WireBytes.attribute(0x80, 4, [1])), nlri: target)
            wire.send(remote, sent)
            let isReported = remote.events.contains { event in
                if case .attributeFaults(let faults, true, let update) = event {
                    faults[0].type == .multiExitDisc && update == sent
                } else {
                    false
                }
            }
            try require(isReported, "\(remote.events)")
        },
        Item(77, "an external path that does not begin with the peer's AS → withdraw", "RFC 7606 7.2") {
            try withdraws(
                external(WireBytes.origin + WireBytes.asPath([65001, 65000]) + WireBytes.nextHop(2)), as: 65000,
                "another AS")
            try withdraws(external(WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(2)), as: 65000, "empty")
        },
        Item(
            78, "outside our AS is prepended once, in a new segment where it must be; inside the path is untouched",
            "RFC 4271 5.1.2"
        ) {
            let (wire, a, b, c) = try between()
            wire.originate("10.65.0.0/26")
            try require(try wire.last(a, "10.65.0.0/26")?.attributes.asPath == ASPath(), "inside")
            try require(try wire.last(b, "10.65.0.0/26")?.attributes.asPath == ASPath([64512]), "outside")
            wire.announce(c, ["10.9.0.0/24"], path: [65004] + [UInt32](repeating: 7, count: 254))
            let long = try wire.last(b, "10.9.0.0/24")?.attributes.asPath
            try require(long?.segments.count == 2 && long?.segments[0].numbers == [ASNumber(64512)], "a full segment")
            try require(try wire.last(a, "10.9.0.0/24")?.attributes.asPath?.segments.count == 1, "inside, learned")
            wire.send(
                c,
                WireBytes.update(
                    WireBytes.origin + WireBytes.attribute(0x40, 2, [2, 1, 0, 0, 0xFD, 0xEC, 1, 1, 0, 0, 0, 9])
                        + WireBytes.nextHop(4), nlri: target))
            try require(
                try wire.last(b, "10.9.0.0/24")?.attributes.asPath?.segments.first?.numbers.count == 2,
                "a sequence grows")
        },
        Item(79, "LOCAL_PREF in every internal UPDATE, never in an external one", "RFC 4271 5.1.5") {
            let (wire, a, b, c) = try between()
            wire.originate("10.65.0.0/26") { $0.localPref = 300 }
            wire.announce(c, ["10.9.0.0/24"])
            for text in ["10.65.0.0/26", "10.9.0.0/24"] {
                let inbox = (a.inbox, b.inbox)
                let inside = try wire.last(a, text)?.attributes.localPref
                try require(inside == (text == "10.9.0.0/24" ? 100 : 300), "inside \(inside ?? 0)")
                try require(try wire.last(b, text)?.types.contains(5) == false, "outside")
                (a.inbox, b.inbox) = inbox
            }
        },
        Item(80, "a neighbor's MED never goes to another AS, and stays inside", "RFC 4271 5.1.4") {
            let (wire, a, b, c) = try between()
            wire.announce(c, ["10.9.0.0/24"], WireBytes.med(7))
            try require(try wire.last(a, "10.9.0.0/24")?.attributes.multiExitDisc == 7, "inside")
            try require(try wire.last(b, "10.9.0.0/24")?.types.contains(4) == false, "outside")
        },
        Item(81, "outside the next hop is our address, or what nextHopMode: Keep leaves", "RFC 4271 5.1.3") {
            let (wire, _, b, c) = try between()
            wire.announce(c, ["10.9.0.0/24"])
            try require(try wire.last(b, "10.9.0.0/24")?.attributes.nextHop == IPAddress("10.0.0.1"), "not ours")
            let (keeping, _, kept, other) = try between { $0.nextHopMode = .keep }
            keeping.announce(other, ["10.9.0.0/24"])
            try require(try keeping.last(kept, "10.9.0.0/24")?.attributes.nextHop == IPAddress("10.0.0.4"), "not kept")
        },
        Item(
            82, "inside the next hop is unchanged unless asked for; nobody gets his own address as next hop",
            "RFC 4271 5.1.3"
        ) {
            let (wire, a, b, c) = try between()
            wire.announce(c, ["10.9.0.0/24"])
            try require(try wire.last(a, "10.9.0.0/24")?.attributes.nextHop == IPAddress("10.0.0.4"), "changed")
            wire.send(
                c,
                WireBytes.update(
                    WireBytes.origin + WireBytes.asPath([65004]) + WireBytes.nextHop(2),
                    nlri: WireBytes.nlri(prefix("10.8.0.0/24"))
                ))
            try require(try wire.last(a, "10.8.0.0/24") == nil, "its own address as next hop")
            _ = b
            let own = Wire()
            let peer = own.add(2) { $0.nextHopMode = .itself }
            let tor = own.add(3, as: 65003)
            try own.establish(peer)
            try own.establish(tor)
            own.announce(tor, ["10.9.0.0/24"])
            try require(try own.last(peer, "10.9.0.0/24")?.attributes.nextHop == IPAddress("10.0.0.1"), "next hop self")
        },
        Item(83, "internal routes do not go to internal peers without reflection", "RFC 4271 9.2") {
            let wire = Wire()
            let a = wire.add(2)
            let b = wire.add(3)
            try wire.establish(a)
            try wire.establish(b)
            wire.announce(a, ["10.9.0.0/24"])
            try require(try wire.last(b, "10.9.0.0/24") == nil, "told")
        },
        Item(84, "an IPv6 next hop has 16 bytes, or 32 where the peer shares the link", "RFC 2545 3") {
            let (wire, remote) = try pair { _ in }
            wire.originate("fd00:65::/122")
            try require(try wire.last(remote, "fd00:65::/122")?.nextHop.count == 16, "without a link")
            try linkLocalNextHops()
        },
        Item(
            85, "IPv4 routes with an IPv6 next hop only with capability 5; a reflected next hop is unchanged",
            "RFC 8950 4, 5"
        ) {
            let wire = Wire(cluster: 9)
            let extended: [Capability] = Wire.usual + [.extendedNextHop([AFISAFI(.ipv4)])]
            let source = wire.add(2) {
                $0.isClient = true
                $0.session.offersExtendedNextHop = true
            }
            let able = wire.add(3) {
                $0.isClient = true
                $0.session.offersExtendedNextHop = true
            }
            let unable = wire.add(4) { $0.isClient = true }
            try wire.establish(source, extended)
            try wire.establish(able, extended)
            try wire.establish(unable)
            let reach = WireBytes.attribute(0x80, 14, [0, 1, 1, 16] + WireBytes.hop6 + [0] + target)
            wire.send(
                source, WireBytes.update(reach + WireBytes.origin + WireBytes.asPath([]) + WireBytes.localPref(100)))
            try require(try wire.last(able, "10.9.0.0/24")?.nextHop == WireBytes.hop6, "changed")
            try require(try wire.last(unable, "10.9.0.0/24") == nil, "told without the capability")
            let strict = Wire()
            let plain = strict.add(2)
            try strict.establish(plain)
            strict.send(
                plain, WireBytes.update(reach + WireBytes.origin + WireBytes.asPath([]) + WireBytes.localPref(100)))
            try require(plain.inbox.last?[18] == 3, "taken without the capability")
        },
        Item(
            86, "towards an old speaker AS_TRANS and AS4_PATH where they are needed, from one the two are merged",
            "RFC 6793 4.2.2, 4.2.3"
        ) {
            let wire = Wire(as: 70000)
            let old = wire.add(2, as: 65002) { $0.exportMode = .all }
            let new = wire.add(3, as: 65003) { $0.exportMode = .all }
            try require(wire.connect(old), "refused")
            wire.send(old, open(as: 65002, parameters: parameter(capability(1, [0, 1, 0, 1]))))
            wire.send(old, WireBytes.keepalive)
            try wire.establish(new)
            old.inbox = []
            wire.originate("10.65.0.0/26")
            let told = try require(try wire.told(old, isFourOctetAS: false).last, "not told")
            try require(told.bytes.windows(of: [0x40, 2, 4, 2, 1, 0x5B, 0xA0]), "no AS_TRANS")
            try require(told.types.contains(17) && told.attributes.asPath == ASPath([70000]), "AS4_PATH: \(told.types)")
            let path = WireBytes.attribute(0x40, 2, [2, 2, 0xFD, 0xEA, 0x5B, 0xA0])
            let as4 = WireBytes.attribute(0xC0, 17, [2, 1, 0, 1, 0x11, 0x71])
            wire.send(old, WireBytes.update(WireBytes.origin + path + WireBytes.nextHop(2) + as4, nlri: target))
            try require(
                wire.best("10.9.0.0/24")?.asPath == ASPath([65002, 70001]),
                "merged \(wire.best("10.9.0.0/24")?.asPath?.description ?? "")")
            let aggregator =
                WireBytes.attribute(0xC0, 7, [0xFD, 0xEA, 1, 1, 1, 1])
                + WireBytes.attribute(0xC0, 18, [0, 1, 0x11, 0x71, 1, 1, 1, 1])
            wire.send(
                old,
                WireBytes.update(
                    WireBytes.origin + path + WireBytes.nextHop(2) + aggregator.prefix(9) + as4
                        + aggregator.dropFirst(9),
                    nlri: target))
            try require(
                wire.best("10.9.0.0/24")?.asPath == ASPath([65002, 23456]), "AS4_PATH in spite of the AGGREGATOR")
            let mild = wire.best("10.9.0.0/24")?.aggregator?.asNumber
            try require(mild == ASNumber(65002), "AGGREGATOR \(mild.map { "\($0)" } ?? "")")
        },
        Item(
            87, "NO_ADVERTISE to nobody, NO_EXPORT and NO_EXPORT_SUBCONFED not outside, without any policy", "RFC 1997"
        ) {
            for (community, inside) in [(Community.noAdvertise, false), (.noExport, true), (.noExportSubconfed, true)] {
                let (wire, a, b, _) = try between()
                wire.originate("10.65.0.0/26") { $0.communities = [community] }
                try require((try wire.last(a, "10.65.0.0/26") != nil) == inside, "\(community) inside")
                try require(try wire.last(b, "10.65.0.0/26") == nil, "\(community) outside")
            }
        },
        Item(
            88,
            "without a policy nothing dangerous passes outside: only own routes leave, and no default, martian or "
                + "own prefix is taken (RFC 8212 in spirit)",
            "RFC 8212, promise 10"
        ) {
            let wire = Wire()
            var policy = ImportPolicy()
            policy.ownBlocks = [prefix("10.65.0.0/26")]
            wire.speaker.setImportPolicy(policy)
            let a = wire.add(2, as: 65002) { $0.importSettings.mode = .safe }
            let b = wire.add(3, as: 65003)
            try wire.establish(a)
            try wire.establish(b)
            wire.announce(a, ["0.0.0.0/0", "127.0.0.0/8", "10.65.0.5/32", "10.9.0.0/24"])
            try require(
                wire.best("0.0.0.0/0") == nil && wire.best("127.0.0.0/8") == nil && wire.best("10.65.0.5/32") == nil,
                "taken")
            try require(wire.best("10.9.0.0/24") != nil, "refused")
            try require(try wire.last(b, "10.9.0.0/24") == nil, "transit")
        },
        Item(89, "GRACEFUL_SHUTDOWN from outside makes LOCAL_PREF 0", "RFC 8326 4") {
            let (wire, a, _, c) = try between()
            wire.announce(c, ["10.9.0.0/24"], WireBytes.communities(.gracefulShutdown))
            try require(try wire.last(a, "10.9.0.0/24")?.attributes.localPref == 0, "LOCAL_PREF stays")
        },
    ]

    static func pair(
        as number: UInt32 = 64512, _ capabilities: [Capability] = Wire.usual, _ change: (inout PeerSettings) -> Void
    ) throws -> (Wire, Wire.Remote) {
        let wire = Wire()
        let remote = wire.add(2, as: number, change)
        try wire.establish(remote, capabilities)
        return (wire, remote)
    }
}

extension [UInt8] {
    /// True where these bytes stand somewhere in a row.
    func windows(of part: [UInt8]) -> Bool {
        count >= part.count && (0...(count - part.count)).contains { Array(self[$0..<($0 + part.count)]) == part }
    }
}
