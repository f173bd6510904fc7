import BGPMessages
import BGPRouting
import BGPSession
import BGPSpeaker
import ForwardingPlane
import NetTypes
import StatusAPI
import Testing

@testable import Node
@testable import Status

/// What a question costs the routing thread of an agent with 5,000 peers, counted in peers that were asked about and
/// groups that were judged.
@Suite struct ManyPeersQuestionTests {
    private static let count = 5000
    private static let prefix = Prefix(IPAddress(v4: 0x0B00_0000), length: 24)

    /// A speaker with so many configured peers without a session, and one own route.
    private static func speaker() -> Speaker {
        let identity = AttributeTable.Identity(
            localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))
        var speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 1, recordsChanges: false, seed: 1, now: .zero)
        for number in 0..<count as Range<Int> {
            let session = SessionConfiguration(
                localAS: ASNumber(64512), remoteAS: ASNumber(64512), localIdentifier: BGPIdentifier(rawValue: 1))
            _ = speaker.addPeer(
                PeerSettings(
                    name: "p\(number)", address: IPAddress(v4: 0x0A01_0000 + UInt32(number)), session: session),
                now: .zero)
        }
        speaker.originate(prefix, PathAttributes())
        _ = speaker.decide(budget: .max)
        return speaker
    }

    @Test func `why lists every peer once, a page's peers at a time`() throws {
        let speaker = Self.speaker()
        let found = speaker.find(Self.prefix)
        let index = try #require(found)
        let limit = PageLimit(rows: Speaker.announcementsOfPage)
        var peers: Set<String> = []
        var (listed, pages) = (0, 0)
        var start: Int? = 0
        while let from = start {
            let page = speaker.announcementPage(index, .ipv4, from: from, limit: limit)
            #expect(page.looked <= Speaker.announcementsOfPage)
            #expect(page.notAnnouncedTo.values.allSatisfy { $0 == .sessionDown } && page.announcedTo.isEmpty)
            listed += page.notAnnouncedTo.count
            peers.formUnion(page.notAnnouncedTo.keys)
            pages += 1
            start = page.next
        }
        #expect(listed == Self.count && peers.count == Self.count)
        #expect(pages == (Self.count + Speaker.announcementsOfPage - 1) / Speaker.announcementsOfPage)
        for beyond in [Self.count + 1, .max] {
            let page = speaker.announcementPage(index, .ipv4, from: beyond, limit: limit)
            #expect(page.looked == 0 && page.next == nil)
        }
    }

    @Test func `metrics take the peers of a turn at a time, and all of them`() {
        let speaker = Self.speaker()
        var round = MetricsRound()
        var (turns, before) = (0, 0)
        while round.next != nil {
            round.goOn(speaker) { $0.index != 7 }
            #expect(round.peers.count - before <= MetricsRound.peersOfTurn)
            before = round.peers.count
            turns += 1
        }
        #expect(turns == (Self.count + MetricsRound.peersOfTurn - 1) / MetricsRound.peersOfTurn)
        // The seventh is none that is shown.
        #expect(Set(round.peers.map(\.address)).count == Self.count - 1)
    }
}
