import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 65 to 89: attributes, in and out
extension Conformance {
    static func external(_ attributes: [UInt8]) -> [UInt8] { WireBytes.update(attributes, nlri: target) }
    static let externalMandatory = WireBytes.origin + WireBytes.asPath([65000]) + WireBytes.nextHop(2)

    /// The attribute is discarded: the route is there without it.
    static func discards(
        _ attributes: [UInt8], as number: UInt32, _ what: String, _ isGone: (PathAttributes) -> Bool
    ) throws {
        let wire = Wire()
        let remote = wire.add(2, as: number)
        try wire.establish(remote)
        wire.send(remote, WireBytes.update(attributes, nlri: target))
        let best = try require(wire.best("10.9.0.0/24"), "\(what): the route is not there")
        try require(wire.isUp(remote) && isGone(best), "\(what): kept")
    }

    static func without(_ type: UInt8, _ instead: [UInt8]) -> [UInt8] {
        (type == 1 ? instead : WireBytes.origin) + (type == 2 ? instead : WireBytes.asPath([]))
            + (type == 3 ? instead : WireBytes.nextHop(2))
            + (type == 5 ? instead : WireBytes.localPref(100))
    }

    /// A node with an internal and an external peer, and what each hears.
    static func between(_ change: (inout PeerSettings) -> Void = { _ in }) throws -> (
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

    static let attributes: [Item] = receivedAttributes + sentAttributes

    private static let receivedAttributes: [Item] = [
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
            let sent = try require(try wire.sent(b).last, "not announced")
            try require(sent.bytes.windows(of: [0xE0, 99, 3, 1, 2, 3]), "not passed on")
            try require(!sent.types.contains(98), "98 is passed on")
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
