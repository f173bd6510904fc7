import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 77 to 89: AS_PATH, LOCAL_PREF, MED and next hops, in and out
extension Conformance {
    static let sentAttributes: [Item] = [
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
            let (keeping, _, kept, other) = try between { $0.nextHop.mode = .keep }
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
            let peer = own.add(2) { $0.nextHop.mode = .itself }
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
            try require(try wire.last(b, "10.9.0.0/24") == nil, "sent")
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
            try require(try wire.last(unable, "10.9.0.0/24") == nil, "sent without the capability")
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
            let sent = try require(try wire.sent(old, isFourOctetAS: false).last, "not sent")
            try require(sent.bytes.windows(of: [0x40, 2, 4, 2, 1, 0x5B, 0xA0]), "no AS_TRANS")
            try require(sent.types.contains(17) && sent.attributes.asPath == ASPath([70000]), "AS4_PATH: \(sent.types)")
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
}
