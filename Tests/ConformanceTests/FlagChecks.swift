import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: Attribute flags of what is passed on
extension Conformance {
    /// A reflector with a client that announces, and three peers that hear of it: another client, an external one, and
    /// an old external one without four-octet AS numbers.
    private static func heard(_ attributes: [UInt8], from number: UInt32 = 64512) throws -> [(String, [UInt8])] {
        let wire = Wire()
        let source = wire.add(2, as: number) {
            $0.isClient = true
            $0.exportMode = .all
        }
        let client = wire.add(3) { $0.isClient = true }
        let external = wire.add(4, as: 65004) { $0.exportMode = .all }
        let old = wire.add(5, as: 65005) { $0.exportMode = .all }
        for remote in [source, client, external] { try wire.establish(remote) }
        try wire.establishOld(old)
        for remote in [source, client, external, old] { remote.inbox = [] }
        wire.announce(source, ["10.9.0.0/24"], attributes)
        return try [("client", client), ("external", external), ("old external", old)].map { name, remote in
            let update = try require(
                remote.inbox.last { $0[18] == 2 && $0.count > 23 }, "nothing is announced to the \(name)")
            return (name, update)
        }
    }

    /// Type, value, and what follows the flags on the wire.
    private static let optionalTransitive: [(type: UInt8, value: [UInt8])] = [
        (7, [0, 0, 0xFD, 0xE8, 10, 9, 9, 9]), (8, [0xFD, 0xE9, 0, 1]), (16, [0, 2, 0xFD, 0xE9, 0, 0, 0, 1]),
        (25, [0, 2] + [UInt8](repeating: 7, count: 18)), (32, [0, 0, 0xFD, 0xE9, 0, 0, 0, 1, 0, 0, 0, 2]),
        (35, [0, 0, 0xFD, 0xE9]),
        (99, [1, 2, 3]),
    ]

    static let flags: [Item] = [
        Item(
            128,
            "the Partial bit of a recognized optional transitive attribute is never cleared: to eBGP, to iBGP, "
                + "when reflected, to an old speaker",
            "RFC 4271 5"
        ) {
            for (type, value) in optionalTransitive {
                for number in [64512, 65002] as [UInt32] {
                    for (name, update) in try heard(WireBytes.attribute(0xE0, type, value), from: number) {
                        let flags = try require(
                            try SentUpdate(update, isFourOctetAS: name != "old external").flags[type],
                            "type \(type) is not passed on to the \(name)")
                        try require(flags == 0xE0, "type \(type) leaves to the \(name) as \(String(flags, radix: 16))")
                    }
                }
                guard type != 99 else { continue }
                // And never set where it was not.
                for (name, update) in try heard(WireBytes.attribute(0xC0, type, value)) {
                    let flags = try SentUpdate(update, isFourOctetAS: name != "old external").flags[type]
                    try require(flags == 0xC0, "type \(type) leaves to the \(name) as \(flags ?? 0)")
                }
            }
        },
        Item(
            129, "AS4_AGGREGATOR with Partial from an old speaker leaves with it, as AGGREGATOR and as AS4_AGGREGATOR",
            "RFC 4271 5, 6793 4.2.3"
        ) {
            let wire = Wire()
            let source = wire.add(2, as: 65002)
            let client = wire.add(3) { $0.isClient = true }
            let old = wire.add(5, as: 65005) { $0.exportMode = .all }
            try wire.establishOld(source)
            try wire.establish(client)
            try wire.establishOld(old)
            wire.send(
                source,
                WireBytes.update(
                    WireBytes.origin + WireBytes.attribute(0x40, 2, [2, 1, 0xFD, 0xEA]) + WireBytes.nextHop(2)
                        + WireBytes.attribute(0xC0, 7, [0x5B, 0xA0, 10, 9, 9, 9])
                        + WireBytes.attribute(0xE0, 18, [0, 1, 0, 1, 10, 9, 9, 9]),
                    nlri: target))
            let inside = try require(client.inbox.last { $0[18] == 2 }, "nothing to the client")
            try require(inside.windows(of: [0xE0, 7, 8, 0, 1, 0, 1, 10, 9, 9, 9]), "AGGREGATOR: \(inside)")
            let outside = try require(old.inbox.last { $0[18] == 2 }, "nothing to the old speaker")
            try require(
                outside.windows(of: [0xE0, 7, 6, 0x5B, 0xA0, 10, 9, 9, 9]), "AGGREGATOR to the old one: \(outside)")
            try require(outside.windows(of: [0xE0, 18, 8, 0, 1, 0, 1, 10, 9, 9, 9]), "AS4_AGGREGATOR: \(outside)")
        },
        Item(130, "the four low-order flag bits leave as zero, whatever came", "RFC 4271 4.3") {
            for (type, value) in optionalTransitive {
                for (name, update) in try heard(WireBytes.attribute(0xC5, type, value)) {
                    let flags = try SentUpdate(update, isFourOctetAS: name != "old external").flags[type]
                    try require(
                        flags == (type == 99 ? 0xE0 : 0xC0),
                        "type \(type) leaves to the \(name) as \(String(flags ?? 0, radix: 16))")
                }
            }
        },
    ]
}

extension Wire {
    /// A session with a speaker that does not know four-octet AS numbers.
    func establishOld(_ remote: Remote) throws {
        try require(connect(remote), "the connection is refused")
        send(
            remote,
            OpenMessage(
                asNumber: ASNumber(remote.asNumber), holdTime: 90,
                identifier: BGPIdentifier(rawValue: remote.identifier),
                capabilities: [.multiprotocol(AFISAFI(.ipv4)), .routeRefresh]
            ).encoded())
        send(remote, WireBytes.keepalive)
        try require(isUp(remote), "no session: \(remote.inbox.map { Wire.text($0) })")
        remote.inbox = []
    }
}
