import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 48 to 64: UPDATE framing
extension Conformance {
    static func mandatory(_ more: [UInt8] = []) -> [UInt8] {
        WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(2) + WireBytes.localPref(100) + more
    }

    private static func resets(_ bytes: [UInt8], _ code: UInt8, _ subcodes: [UInt8], _ what: String) throws {
        let (wire, remote) = try session()
        wire.send(remote, bytes)
        guard let message = remote.inbox.last, message[18] == 3 else { throw Deviation("\(what): no reset") }
        try require(message[19] == code && subcodes.contains(message[20]), "\(what): \(Wire.text(message))")
    }

    /// The bytes are treated as a withdrawal of 10.9.0.0/24, and the session stays.
    static func withdraws(_ bytes: [UInt8], as number: UInt32 = 64512, _ what: String) throws {
        let wire = Wire()
        let remote = wire.add(2, as: number)
        try wire.establish(remote)
        wire.announce(remote, ["10.9.0.0/24"])
        try require(wire.paths("10.9.0.0/24").count == 1, "\(what): the route was not there")
        wire.send(remote, bytes)
        try require(wire.isUp(remote), "\(what): reset by \(remote.inbox.last.map { Wire.text($0) } ?? "")")
        try require(wire.paths("10.9.0.0/24").isEmpty, "\(what): the route stays")
    }

    static let target = WireBytes.nlri(prefix("10.9.0.0/24"))

    static let updates: [Item] = [
        Item(48, "lengths beyond the message → N(3,1)", "RFC 4271 6.3, 7606 3 b") {
            try resets(WireBytes.message(2, [0, 9, 0, 0]), 3, [1], "withdrawn")
            try resets(WireBytes.message(2, [0, 0, 0, 9, 0x40]), 3, [1], "attributes")
        },
        Item(49, "an attribute that overruns the total, or fewer than 3 bytes left → withdraw", "RFC 7606 4") {
            try withdraws(WireBytes.update(mandatory([0x80, 4, 200, 0]), nlri: target), "overrun")
            try withdraws(WireBytes.update(mandatory([0x80, 4]), nlri: target), "two bytes")
            try withdraws(WireBytes.update(mandatory([0x90, 4, 0]), nlri: target), "three bytes of an extended one")
        },
        Item(50, "the same without reachable NLRI → reset", "RFC 7606 5.2") {
            try resets(WireBytes.update(mandatory([0x80, 4, 200, 0])), 3, [1], "overrun")
        },
        Item(51, "an NLRI longer than 32 bits, or that overruns → N(3,10)", "RFC 4271 6.3, 7606 5.3") {
            try resets(WireBytes.update(mandatory(), nlri: [33, 10, 0, 0, 0, 0]), 3, [10], "33 bits")
            try resets(WireBytes.update(mandatory(), nlri: [24, 10, 0]), 3, [10], "overrun")
        },
        Item(52, "the withdrawn routes are checked likewise", "RFC 7606 3 i") {
            try resets(WireBytes.update(withdrawn: [33, 10, 0, 0, 0, 0]), 3, [1, 10], "33 bits")
            try resets(WireBytes.update(withdrawn: [24, 10, 0]), 3, [1, 10], "overrun")
        },
        Item(53, "host bits are ignored; /0 and /32 are fine", "RFC 4271 4.3") {
            let (wire, remote) = try session()
            wire.send(remote, WireBytes.update(mandatory(), nlri: [20, 10, 1, 0xFF, 0, 32, 10, 2, 3, 4]))
            try require(
                wire.paths("10.1.240.0/20").count == 1 && wire.paths("0.0.0.0/0").count == 1
                    && wire.paths("10.2.3.4/32").count == 1, "not all")
        },
        Item(54, "a multicast prefix is ignored, the session stays", "RFC 4271 6.3") {
            let (wire, remote) = try session()
            wire.announce(remote, ["224.1.0.0/16"])
            try require(wire.isUp(remote) && wire.best("224.1.0.0/16") == nil, "used")
        },
        Item(55, "an unexpected next hop length in MP_REACH_NLRI → reset", "RFC 7606 7.11") {
            for length in [0, 4, 15, 17, 24] {
                try resets(
                    WireBytes.update(mandatory() + WireBytes.reach6([UInt8](repeating: 0x20, count: length), [0])), 3,
                    [1, 9], "\(length)")
            }
        },
        Item(
            56,
            "MP_REACH_NLRI below 5, MP_UNREACH_NLRI below 3 bytes, wrong flags, IPv6 lengths beyond 128, overruns "
                + "→ reset",
            "RFC 7606 5.3"
        ) {
            try resets(
                WireBytes.update(mandatory() + WireBytes.attribute(0x80, 14, [0, 2, 1, 0])), 3, [1, 9], "4 bytes")
            try resets(WireBytes.update(WireBytes.attribute(0x80, 15, [0, 2])), 3, [1, 9], "2 bytes")
            try resets(
                WireBytes.update(
                    mandatory() + WireBytes.attribute(0xC0, 14, [0, 2, 1, 16] + WireBytes.hop6 + [0, 0])), 3,
                [1, 4, 9], "flags")
            try resets(
                WireBytes.update(
                    mandatory() + WireBytes.reach6(WireBytes.hop6, [129] + [UInt8](repeating: 1, count: 17))), 3,
                [1, 9, 10], "129 bits")
            try resets(WireBytes.update(WireBytes.unreach6([64, 1])), 3, [1, 9, 10], "overrun")
            // The data is the attribute.
            let (wire, remote) = try session()
            let bad = WireBytes.attribute(0x80, 15, [0, 2])
            wire.send(remote, WireBytes.update(bad))
            try wire.expectNotification(remote, 3, 9, data: bad)
        },
        Item(57, "two MP_REACH_NLRI or two MP_UNREACH_NLRI → N(3,1)", "RFC 7606 3 g") {
            let reach = WireBytes.reach6(WireBytes.hop6, [0])
            try resets(WireBytes.update(mandatory() + reach + reach), 3, [1], "reach")
            try resets(WireBytes.update(WireBytes.unreach6([]) + WireBytes.unreach6([])), 3, [1], "unreach")
        },
        Item(58, "of any other repeated attribute the first one counts", "RFC 7606 3 g") {
            let (wire, remote) = try session()
            wire.send(remote, WireBytes.update(mandatory(WireBytes.med(5) + WireBytes.med(6)), nlri: target))
            try require(
                wire.isUp(remote) && wire.best("10.9.0.0/24")?.multiExitDisc == 5,
                "\(wire.best("10.9.0.0/24")?.multiExitDisc ?? 0)")
        },
        Item(59, "NLRI of a family that was not agreed on is ignored, the session stays", "RFC 4760 7, 8") {
            let (wire, remote) = try session([.multiprotocol(AFISAFI(.ipv4))])
            wire.send(
                remote,
                WireBytes.update(
                    mandatory() + WireBytes.reach6(WireBytes.hop6, WireBytes.nlri(prefix("2001:db8:9::/48")))))
            try require(wire.isUp(remote) && wire.paths("2001:db8:9::/48").isEmpty, "taken")
        },
        Item(60, "withdrawals and announcements in one UPDATE, MP attributes anywhere", "RFC 7606 5.1") {
            let (wire, remote) = try session()
            wire.announce(remote, ["10.8.0.0/24"])
            wire.send(
                remote,
                WireBytes.update(
                    withdrawn: WireBytes.nlri(prefix("10.8.0.0/24")),
                    WireBytes.origin + WireBytes.reach6(WireBytes.hop6, WireBytes.nlri(prefix("2001:db8:9::/48")))
                        + WireBytes.asPath([]) + WireBytes.nextHop(2)
                        + WireBytes.unreach6(WireBytes.nlri(prefix("2001:db8:8::/48"))) + WireBytes.localPref(100),
                    nlri: target)
            )
            try require(wire.isUp(remote) && wire.paths("10.8.0.0/24").isEmpty, "not withdrawn")
            try require(wire.best("10.9.0.0/24") != nil && wire.best("2001:db8:9::/48") != nil, "not announced")
        },
        Item(61, "a prefix that is withdrawn and announced in one UPDATE is announced", "RFC 4271 4.3") {
            let (wire, remote) = try session()
            wire.send(remote, WireBytes.update(withdrawn: target, mandatory(), nlri: target))
            try require(wire.best("10.9.0.0/24") != nil, "withdrawn")
        },
        Item(
            62, "our UPDATEs have the MP attribute first, and one of withdrawn, NLRI, MP_REACH, MP_UNREACH",
            "RFC 7606 5.1"
        ) {
            let (wire, remote) = try session()
            wire.originate("10.65.0.0/26")
            wire.originate("fd00:65::/122")
            wire.speaker.withdrawOwn(prefix("10.65.0.0/26"))
            wire.speaker.withdrawOwn(prefix("fd00:65::/122"))
            wire.run()
            let updates = try wire.sent(remote)
            try require(updates.count == 4, "\(updates.count) UPDATEs")
            for update in updates {
                let isMP = update.types.contains(14) || update.types.contains(15)
                try require(!isMP || update.types[0] == 14 || update.types[0] == 15, "MP is not first: \(update.types)")
                try require(update.announced.isEmpty != update.withdrawn.isEmpty, "both kinds")
                try require(update.types == update.types.sorted() || isMP, "order \(update.types)")
            }
        },
        Item(63, "of several errors the strongest action counts", "RFC 7606 3 h") {
            try withdraws(
                WireBytes.update(
                    mandatory(WireBytes.attribute(0x40, 6, [1]) + WireBytes.attribute(0xC0, 8, [1])), nlri: target),
                "discard and withdraw")
            try resets(
                WireBytes.update(
                    mandatory(WireBytes.attribute(0xC0, 8, [1])) + WireBytes.attribute(0x80, 15, [0]), nlri: target), 3,
                [1, 9], "withdraw and reset")
        },
        Item(64, "an empty UPDATE and an empty MP_UNREACH_NLRI are End-of-RIB", "RFC 4724 2") {
            let (wire, remote) = try session()
            wire.send(remote, WireBytes.update())
            wire.send(remote, WireBytes.update(WireBytes.unreach6([])))
            try require(
                remote.events.contains(.endOfRIB(.ipv4)) && remote.events.contains(.endOfRIB(.ipv6))
                    && wire.isUp(remote), "\(remote.events)")
        },
    ]
}
