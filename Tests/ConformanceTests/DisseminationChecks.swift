import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import NetTypes

// MARK: 119 to 122: what is sent, and when
extension Conformance {
    static let dissemination: [Item] = [
        Item(
            119,
            "with an interval set, announcements of a prefix are that far apart, the last choice is sent, "
                + "withdrawals do not wait",
            "RFC 4271 9.2.1.1"
        ) {
            let wire = Wire(cluster: 9)
            let source = wire.add(2, reflecting)
            let taker = wire.add(3) {
                $0.isClient = true
                $0.minimumInterval = .seconds(30)
            }
            try wire.establish(source)
            try wire.establish(taker)
            wire.announce(source, ["10.9.0.0/24"], WireBytes.med(1))
            try require(try wire.last(taker, "10.9.0.0/24")?.attributes.multiExitDisc == 1, "the first one waits")
            for med in 2...4 as ClosedRange<UInt32> { wire.announce(source, ["10.9.0.0/24"], WireBytes.med(med)) }
            // With a jitter of a quarter (RFC 4271 10).
            wire.advance(22, alive: [source, taker])
            try require(try wire.sent(taker).isEmpty, "sent early")
            wire.advance(9, alive: [source, taker])
            let sent = try wire.sent(taker)
            try require(
                sent.count == 1 && sent[0].attributes.multiExitDisc == 4,
                "\(sent.map { $0.attributes.multiExitDisc ?? 0 })")
            wire.send(source, WireBytes.update(withdrawn: target))
            try require(try wire.sent(taker).contains { !$0.withdrawn.isEmpty }, "the withdrawal waits")
        },
        Item(120, "the same selection again sends nothing, and what was never sent is not withdrawn", "RFC 4271 9.2") {
            let (wire, clients, _) = try reflector()
            wire.announce(clients[0], ["10.9.0.0/24"])
            clients[1].inbox = []
            wire.announce(clients[0], ["10.9.0.0/24"])
            wire.send(clients[0], WireBytes.update(withdrawn: WireBytes.nlri(prefix("10.7.0.0/24"))))
            try require(try wire.sent(clients[1]).isEmpty, "sent again")
        },
        Item(
            121, "a peer that stops reading delays nobody and has a bound on its memory",
            "promise 10"
        ) {
            let (wire, clients, _) = try reflector()
            wire.speaker.setBacklogged(clients[1].index, true)
            wire.announce(clients[0], (0..<200).map { "10.9.\($0).0/24" })
            try require(try wire.sent(clients[1]).isEmpty, "sent in spite of its full queue")
            wire.send(clients[0], WireBytes.update(withdrawn: WireBytes.nlri(prefix("10.9.7.0/24"))))
            wire.speaker.setBacklogged(clients[1].index, false)
            wire.run()
            let announced = try wire.sent(clients[1]).flatMap(\.announced).map(\.prefix)
            try require(
                announced.count == 199 && !announced.contains(prefix("10.9.7.0/24")),
                "\(announced.count) after it read again")
        },
        Item(122, "the whole table precedes End-of-RIB", "RFC 4724 2") {
            let wire = Wire()
            for i in 0..<3000 as Range<UInt32> {
                wire.speaker.originate(Prefix(IPAddress(v4: 0x0B00_0000 + i * 256), length: 24), ownRoute())
            }
            wire.run()
            let remote = wire.add(2)
            wire.connect(remote)
            wire.send(remote, wire.openBytes(remote))
            wire.send(remote, WireBytes.keepalive)
            let marker = try require(remote.inbox.firstIndex { $0.count == 23 && $0[18] == 2 }, "no End-of-RIB")
            let before = try remote.inbox[..<marker].filter { $0[18] == 2 }.map { try SentUpdate($0) }.flatMap(
                \.announced
            )
            .count
            try require(before == 3000, "\(before) before End-of-RIB")
        },
    ]
}
