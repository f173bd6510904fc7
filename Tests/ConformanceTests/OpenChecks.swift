import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 1 to 28: header, framing, OPEN
extension Conformance {
    /// A session in OpenSent: the peer's OPEN is what comes next.
    private static func openSent(_ change: (inout PeerSettings) -> Void = { _ in }, as number: UInt32 = 64512) throws
        -> (Wire, Wire.Remote)
    {
        let wire = Wire()
        let remote = wire.add(2, as: number, change)
        try require(wire.connect(remote), "refused")
        remote.inbox = []
        return (wire, remote)
    }

    private static func established(
        as number: UInt32 = 64512, _ capabilities: [Capability] = Wire.usual,
        _ change: (inout PeerSettings) -> Void = { _ in }
    ) throws -> (Wire, Wire.Remote) {
        let wire = Wire()
        let remote = wire.add(2, as: number, change)
        try wire.establish(remote, capabilities)
        return (wire, remote)
    }

    /// Sends bytes to a fresh session and looks at the NOTIFICATION.
    private static func reset(
        by bytes: [UInt8], _ code: UInt8, _ subcode: UInt8, data: [UInt8]? = nil, _ what: String,
        _ capabilities: [Capability] = Wire.usual
    ) throws {
        let (wire, remote) = try established(capabilities)
        wire.send(remote, bytes)
        try wire.expectNotification(remote, code, subcode, data: data, what)
    }

    private static func refused(
        _ open: [UInt8], _ code: UInt8, _ subcode: UInt8, data: [UInt8]? = nil, _ what: String,
        _ change: (inout PeerSettings) -> Void = { _ in }, as number: UInt32 = 64512
    ) throws {
        let (wire, remote) = try openSent(change, as: number)
        wire.send(remote, open)
        try wire.expectNotification(remote, code, subcode, data: data, what)
    }

    /// An OPEN by hand.
    static func open(
        version: UInt8 = 4, as number: UInt16 = 64512, hold: UInt16 = 90, id: UInt32 = 0x0A00_0002,
        parameters: [UInt8] = []
    ) -> [UInt8] {
        WireBytes.message(
            1,
            [version] + WireBytes.u16(Int(number)) + WireBytes.u16(Int(hold)) + WireBytes.u32(id) + [
                UInt8(parameters.count)
            ]
                + parameters)
    }
    static func capability(_ code: UInt8, _ value: [UInt8]) -> [UInt8] { [code, UInt8(value.count)] + value }
    static func parameter(_ value: [UInt8], type: UInt8 = 2) -> [UInt8] { [type, UInt8(value.count)] + value }
    static let as4 = capability(65, [0, 0, 0xFC, 0])

    static let framing: [Item] = [
        Item(1, "marker not all ones → N(1,1)", "RFC 4271 6.1") {
            for position in [0, 7, 15] {
                var bytes = WireBytes.keepalive
                bytes[position] = 0xFE
                try reset(by: bytes, 1, 1, "byte \(position)")
            }
        },
        Item(2, "length below 19 or above 4096 → N(1,2) with the length", "RFC 4271 6.1") {
            for length in [0, 18, 4097, 65535] {
                // Longer ones are good where we announced RFC 8654.
                let (wire, remote) = try established { $0.session.offersExtendedMessage = false }
                wire.send(remote, WireBytes.message(2, [UInt8](repeating: 0, count: 100), length: length))
                try wire.expectNotification(remote, 1, 2, data: WireBytes.u16(length), "length \(length)")
            }
        },
        Item(3, "KEEPALIVE of another length than 19 → N(1,2)", "RFC 4271 6.1") {
            try reset(by: WireBytes.message(4, [0]), 1, 2, data: [0, 20], "20")
        },
        Item(
            4,
            "OPEN, UPDATE, NOTIFICATION below their least length → N(1,2); a bad NOTIFICATION is not answered with "
                + "another one in a loop",
            "RFC 4271 6.1, 6.4"
        ) {
            try reset(by: WireBytes.message(1, [UInt8](repeating: 0, count: 9)), 1, 2, data: [0, 28], "OPEN")
            try reset(by: WireBytes.message(2, [0, 0, 0]), 1, 2, data: [0, 22], "UPDATE")
            try reset(by: WireBytes.message(3, [6]), 1, 2, data: [0, 20], "NOTIFICATION")
        },
        Item(5, "unknown type → N(1,3) with the type", "RFC 4271 6.1") {
            for type in [0, 6, 255] as [UInt8] {
                try reset(by: WireBytes.message(type), 1, 3, data: [type], "type \(type)")
            }
        },
        Item(6, "messages in any portions decode identically", "RFC 4271 4.1") {
            for portion in [1, 2, 17, 19, 20, 1000] {
                let (wire, remote) = try established()
                let attributes =
                    WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(2) + WireBytes.localPref(100)
                var stream: [UInt8] = []
                for i in 0..<20 {
                    stream +=
                        WireBytes.update(attributes, nlri: WireBytes.nlri(prefix("10.65.\(i).0/24")))
                        + WireBytes.keepalive
                }
                var position = 0
                while position < stream.count {
                    wire.send(remote, Array(stream[position..<min(stream.count, position + portion)]))
                    position += portion
                }
                try require(
                    wire.speaker.counts.prefixes[0] == 20,
                    "portions of \(portion): \(wire.speaker.counts.prefixes[0])")
            }
        },
        Item(
            7, "with RFC 8654 an UPDATE of 65,535 bytes is accepted, OPEN and KEEPALIVE stay within 4096", "RFC 8654 4"
        ) {
            let (wire, remote) = try established(Wire.usual + [.extendedMessage])
            let attributes = WireBytes.origin + WireBytes.asPath([]) + WireBytes.nextHop(2) + WireBytes.localPref(100)
            var nlri: [UInt8] = []
            var index: UInt32 = 0
            while 23 + attributes.count + nlri.count + 5 <= 65535 {
                nlri += [32] + WireBytes.u32(0x0B00_0000 + index)
                index += 1
            }
            let pad = 65535 - 23 - attributes.count - nlri.count
            // The rest by shorter prefixes: one byte each for /0, two for a /8.
            nlri += [UInt8](repeating: 0, count: pad)
            let bytes = WireBytes.update(attributes, nlri: nlri)
            try require(bytes.count == 65535, "built \(bytes.count)")
            wire.send(remote, bytes)
            try require(wire.isUp(remote), "reset: \(remote.inbox.map { Wire.text($0) })")
            try require(
                wire.speaker.counts.prefixes[0] == Int(index) + (pad > 0 ? 1 : 0),
                "prefixes \(wire.speaker.counts.prefixes[0])")
            try refused(WireBytes.message(1, [UInt8](repeating: 0, count: 5000)), 1, 2, "an OPEN of 5019 bytes")
        },
        Item(8, "an extended message that we did not ask for → N(1,2)", "RFC 8654 4, 5") {
            let (wire, remote) = try established(Wire.usual + [.extendedMessage]) {
                $0.session.offersExtendedMessage = false
            }
            wire.send(remote, WireBytes.message(2, [UInt8](repeating: 0, count: 4078)))
            try wire.expectNotification(remote, 1, 2, data: WireBytes.u16(4097))
        },
        Item(9, "more than 4096 bytes leave only towards a peer that announced RFC 8654", "RFC 8654 4, 5") {
            for isExtended in [false, true] {
                let (wire, remote) = try established(isExtended ? Wire.usual + [.extendedMessage] : Wire.usual)
                for i in 0..<3000 as Range<UInt32> {
                    wire.speaker.originate(Prefix(IPAddress(v4: 0x0B00_0000 + i), length: 32), ownRoute())
                }
                wire.run()
                let longest = remote.inbox.map(\.count).max() ?? 0
                try require(isExtended ? longest > 4096 : longest > 3000 && longest <= 4096, "longest \(longest)")
            }
            let long = NotificationMessage(.cease, 2, data: [UInt8](repeating: 65, count: 9000)).encoded()
            try require(long.count <= 4096, "a NOTIFICATION of \(long.count)")
        },
        Item(
            10, "an UPDATE that is too large for a peer is not sent, and what was announced is withdrawn", "RFC 8654 4"
        ) {
            let wire = Wire()
            let small = wire.add(2)
            try wire.establish(small)
            let large = wire.add(3, as: 65003)
            try wire.establish(large, Wire.usual + [.extendedMessage])
            wire.announce(large, ["10.9.0.0/24"])
            try require(try wire.last(small, "10.9.0.0/24") != nil, "not announced")
            wire.announce(
                large, ["10.9.0.0/24"],
                WireBytes.attribute(0xC0, 8, (0..<1200).flatMap { WireBytes.u32(0x0001_0000 + UInt32($0)) }))
            let updates = try wire.sent(small)
            try require(
                updates.contains { $0.withdrawn.contains { $0.prefix == prefix("10.9.0.0/24") } }, "not withdrawn")
            try require(updates.allSatisfy(\.announced.isEmpty) && wire.isUp(small), "sent in spite of its size")
        },
        Item(11, "version other than 4 → N(2,1) with 00 04", "RFC 4271 6.2") {
            for version in [3, 5] as [UInt8] { try refused(open(version: version), 2, 1, data: [0, 4], "\(version)") }
        },
        Item(12, "an AS that is not the configured one → N(2,2), by the value of capability 65", "RFC 4271 6.2, 6793 3")
        {
            try refused(open(as: 64513), 2, 2, "two bytes")
            try refused(open(parameters: parameter(capability(65, [0, 1, 0, 0]))), 2, 2, "capability")
            let (wire, remote) = try openSent(as: 65000)
            wire.send(remote, open(as: 1, parameters: parameter(capability(65, [0, 0, 0xFD, 0xE8]))))
            try require(wire.state(remote) == .openConfirm, "the capability's AS does not count")
        },
        Item(13, "AS 0 in an OPEN → N(2,2)", "RFC 7607 2") {
            try refused(open(as: 0), 2, 2, "two bytes")
            try refused(open(parameters: parameter(capability(65, [0, 0, 0, 0]))), 2, 2, "capability")
            try refused(open(as: 0), 2, 2, "any AS", { $0.session.remoteAS = nil })
        },
        Item(
            14, "AS_TRANS with the real AS in capability 65 is accepted, and sent where our AS needs four bytes",
            "RFC 6793 4.2.1"
        ) {
            let (wire, remote) = try openSent(as: 70000)
            wire.send(remote, open(as: 23456, parameters: parameter(capability(65, [0, 1, 0x11, 0x70]))))
            try require(wire.state(remote) == .openConfirm, "refused")
            let large = Wire(as: 70001)
            let peer = large.add(2)
            large.connect(peer)
            let sent = try require(peer.inbox.first, "no OPEN")
            try require(Array(sent[20..<22]) == [0x5B, 0xA0], "My AS \(sent[20..<22])")
        },
        Item(15, "BGP Identifier 0.0.0.0 → N(2,3)", "RFC 4271 6.2, 6286 2.1") { try refused(open(id: 0), 2, 3, "0") },
        Item(16, "our own identifier → N(2,3) inside the AS, accepted outside", "RFC 6286 2.2") {
            try refused(open(id: 0x0A00_0001), 2, 3, "internal")
            let (wire, remote) = try openSent(as: 65000)
            wire.send(remote, open(as: 65000, id: 0x0A00_0001))
            try require(wire.state(remote) == .openConfirm, "refused outside")
        },
        Item(17, "any other identifier is accepted", "RFC 6286 2.1") {
            for id in [0xE000_0001, 0xFFFF_FFFF, 1] as [UInt32] {
                let (wire, remote) = try openSent()
                wire.send(remote, open(id: id))
                try require(wire.state(remote) == .openConfirm, "\(id)")
            }
        },
        Item(18, "unknown optional parameter → N(2,4)", "RFC 4271 6.2") {
            try refused(open(parameters: parameter([1, 2], type: 1)), 2, 4, "type 1")
        },
        Item(19, "malformed optional parameter or capability → N(2,0)", "RFC 4271 6.2") {
            for parameters in [
                [2, 6, 65, 4, 0, 0], [2], parameter([65, 4, 0]), parameter([65, 3, 0, 0, 1]),
                parameter([1, 3, 0, 1, 0]), parameter([64, 1, 0]),
            ] {
                try refused(open(parameters: parameters), 2, 0, "\(parameters)")
            }
            var short = open(parameters: parameter(as4))
            short[28] = 3
            try refused(short, 2, 0, "length byte")
        },
        Item(20, "hold time 1 and 2 → N(2,6); 0 is accepted and means no timers", "RFC 4271 4.2, 6.2") {
            for hold in [1, 2] as [UInt16] { try refused(open(hold: hold), 2, 6, "\(hold)") }
            let wire = Wire()
            let remote = wire.add(2)
            try wire.establish(remote, hold: 0)
            wire.advance(4000)
            try require(wire.isUp(remote) && remote.inbox.allSatisfy { $0[18] != 4 }, "timers run")
        },
        Item(
            21,
            "the smaller hold time counts; keepalives at most a third of it apart, and never more than one a second",
            "RFC 4271 4.2, 4.4"
        ) {
            for (hold, least, most) in [(9, 20, 28), (3, 45, 62), (90, 2, 3)] as [(UInt16, Int, Int)] {
                let wire = Wire()
                let remote = wire.add(2)
                try wire.establish(remote, hold: hold)
                let step = Double(min(hold, 60)) / 4
                var passed = 0.0
                while passed < 60 {
                    wire.send(remote, WireBytes.keepalive)
                    wire.advance(step)
                    passed += step
                }
                let count = remote.inbox.count { $0[18] == 4 }
                try require(
                    wire.isUp(remote) && (least...most).contains(count), "hold \(hold): \(count) keepalives in a minute"
                )
            }
        },
        Item(22, "an unknown capability is ignored", "RFC 5492 3") {
            let (wire, remote) = try openSent()
            wire.send(remote, open(parameters: parameter(capability(200, [1, 2, 3]) + as4)))
            try require(wire.state(remote) == .openConfirm, "refused")
        },
        Item(23, "a missing capability that we need → N(2,7) that lists it; no quick retry", "RFC 5492 5") {
            let (wire, remote) = try openSent { $0.session.families = .ipv6 }
            wire.send(remote, open(parameters: parameter(capability(1, [0, 1, 0, 1]))))
            try wire.expectNotification(remote, 2, 7, data: [1, 4, 0, 2, 0, 1])
            try require(!wire.connect(remote), "another connection is taken at once")
        },
        Item(24, "a repeated capability, and capabilities in several parameters, are accepted", "RFC 5492 4") {
            let (wire, remote) = try openSent()
            wire.send(
                remote,
                open(parameters: parameter(as4) + parameter(as4 + capability(2, [])) + parameter(capability(2, []))))
            try require(wire.state(remote) == .openConfirm, "refused")
        },
        Item(
            25, "after N(2,4) the next OPEN goes without capabilities, and what it did not offer is not used",
            "RFC 5492 3, 4760 8"
        ) {
            let (wire, remote) = try openSent()
            wire.send(remote, NotificationMessage(.openMessage, 4).encoded())
            wire.advance(5)
            try require(wire.connect(remote), "refused")
            let sent = try require(remote.inbox.last { $0[18] == 1 }, "no OPEN")
            try require(sent.count == 29 && sent[28] == 0, "parameters: \(sent[28])")
            wire.originate("10.9.0.0/24")
            wire.originate("2001:db8:9::/48")
            wire.send(remote, wire.openBytes(remote, Wire.usual + [.enhancedRouteRefresh]))
            wire.send(remote, WireBytes.keepalive)
            let updates = remote.inbox.filter { $0[18] == 2 }
            try require(wire.isUp(remote) && !updates.isEmpty, "no session")
            let readable = try updates.map { try SentUpdate($0, isFourOctetAS: false) }
            try require(
                readable.flatMap(\.announced).map(\.prefix) == [prefix("10.9.0.0/24")],
                "\(readable.flatMap(\.announced))")
        },
        Item(
            26, "the extended form of RFC 9072 is read also for short parameters, and sent only where they need it",
            "RFC 9072 2"
        ) {
            let (wire, remote) = try openSent()
            let inner: [UInt8] = [2, 0, UInt8(as4.count)] + as4
            wire.send(
                remote, WireBytes.message(1, [4, 0xFC, 0, 0, 90, 10, 0, 0, 2, 255, 255, 0, UInt8(inner.count)] + inner))
            try require(wire.state(remote) == .openConfirm, "refused: \(remote.inbox.map { Wire.text($0) })")
            let usual = Wire()
            let peer = usual.add(2)
            usual.connect(peer)
            let sent = try require(peer.inbox.first, "no OPEN")
            try require(sent[28] < 255 && sent[29] == 2, "the extended form for \(sent.count) bytes")
            let many = OpenMessage(
                asNumber: ASNumber(1), holdTime: 90, identifier: BGPIdentifier(rawValue: 1),
                capabilities: (0..<60).map { .unknown(CapabilityCode(rawValue: 200), [UInt8($0), 0, 0]) })
            try require(many.encoded()[28] == 255 && many.encoded()[29] == 255, "the short form for 300 bytes")
        },
        Item(
            27,
            "a first parameter of type 255 makes it the extended form whatever the length byte; 255 elsewhere → "
                + "N(2,4)",
            "RFC 9072 3"
        ) {
            let (wire, remote) = try openSent()
            let inner: [UInt8] = [2, 0, UInt8(as4.count)] + as4
            wire.send(
                remote, WireBytes.message(1, [4, 0xFC, 0, 0, 90, 10, 0, 0, 2, 77, 255, 0, UInt8(inner.count)] + inner))
            try require(wire.state(remote) == .openConfirm, "refused")
            try refused(open(parameters: parameter(as4) + [255, 1, 0]), 2, 4, "later")
        },
        Item(28, "a role that does not match, or several → N(2,11); strict without a role → N(2,11)", "RFC 9234 4.2") {
            func role(_ values: [UInt8], strict: Bool = false) throws -> (Wire, Wire.Remote) {
                let wire = Wire()
                let remote = wire.add(2, as: 65000) {
                    $0.session.role = .customer
                    $0.session.isRoleStrict = strict
                }
                wire.connect(remote)
                remote.inbox = []
                wire.send(remote, wire.openBytes(remote, Wire.usual + values.map { .role($0) }))
                return (wire, remote)
            }
            for values in [[3], [4], [0, 3], [77]] as [[UInt8]] {
                let (wire, remote) = try role(values)
                try wire.expectNotification(remote, 2, 11, "\(values)")
            }
            let (strict, silent) = try role([], strict: true)
            try strict.expectNotification(silent, 2, 11, "strict")
            for values in [[0], [0, 0], []] as [[UInt8]] {
                let (wire, remote) = try role(values)
                try require(wire.state(remote) == .openConfirm, "\(values) is refused")
            }
        },
    ]

    static func ownRoute() -> PathAttributes {
        var attributes = PathAttributes()
        attributes.origin = .igp
        attributes.asPath = ASPath()
        return attributes
    }
}
