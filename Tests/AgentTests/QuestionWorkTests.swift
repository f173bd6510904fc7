import BGPMessages
import BGPRouting
import BGPSpeaker
import FIB
import ForwardingPlane
import NetTypes
import StatusAPI
import Testing

@testable import Node
@testable import Status

/// What a question costs the routing thread, counted in places that were looked at, and that its pages together are
/// whole.
@Suite struct QuestionWorkTests {
    private static let count = 60_000
    private static let identity = AttributeTable.Identity(
        localAS: ASNumber(64512), identifier: BGPIdentifier(rawValue: 1), clusterID: BGPIdentifier(rawValue: 1))

    private static func prefix(_ number: Int) -> Prefix {
        Prefix(IPAddress(v4: 0x0B00_0000 + UInt32(number) << 8), length: 24)
    }

    /// A speaker with a large table of IPv4 and a small one of IPv6.
    private static func speaker() -> Speaker {
        var speaker = Speaker(
            identity: identity, tracksNextHops: false, maximumPaths: 16, recordsChanges: false, seed: 1,
            now: Instant(nanoseconds: 1))
        for number in 0..<count { speaker.originate(prefix(number), PathAttributes()) }
        for number in 0..<100 {
            speaker.originate(
                Prefix(IPAddress(high: 0xFD00_0000_0000_0000 | UInt64(number), low: 0), length: 64), PathAttributes())
        }
        _ = speaker.decide(budget: .max)
        return speaker
    }

    @Test func `routes come in pages that each go on where the one before ended`() throws {
        let speaker = Self.speaker()
        let limit = PageLimit()
        var seen: [String] = []
        var (looked, pages) = (0, 0)
        var cursor: PageCursor? = .start
        while let start = cursor {
            let page = speaker.routePage(nil, from: start, limit)
            #expect(page.rows.count <= limit.rows && page.looked <= limit.places)
            seen += page.rows.map(\.prefix)
            looked += page.looked
            pages += 1
            cursor = page.next.flatMap { PageCursor($0) }
        }
        #expect(seen.count == Self.count + 100 && Set(seen).count == seen.count)
        // Pages that began at the first entry again would look at pages / 2 times as many.
        #expect(looked <= Self.count + 100 + pages)
        #expect(seen.last?.hasPrefix("fd00:") ?? false)
    }

    @Test func `a question about one prefix does not look at the others`() throws {
        let speaker = Self.speaker()
        let host = speaker.routePage(Prefix("11.0.7.9/32"), from: .start, PageLimit())
        #expect(host.rows.map(\.prefix) == ["11.0.7.0/24"] && host.next == nil && host.looked <= 33)
        let block = speaker.routePage(Prefix("11.0.8.0/22"), from: .start, PageLimit())
        #expect(block.rows.count == 4 && block.next == nil && block.looked <= 64)
        let nothing = speaker.routePage(Prefix("fe80::/118"), from: .start, PageLimit())
        #expect(nothing.rows.isEmpty && nothing.next == nil && nothing.looked <= 129)
    }

    @Test func `a wide prefix with few routes takes several pages and no long one`() throws {
        let speaker = Self.speaker()
        let limit = PageLimit()
        var rows = 0
        var cursor: PageCursor? = .start
        while let start = cursor {
            let page = speaker.routePage(Prefix("11.0.0.0/16"), from: start, limit)
            #expect(page.looked <= limit.places)
            rows += page.rows.count
            cursor = page.next.flatMap { PageCursor($0) }
        }
        #expect(rows == 256)
    }

    @Test(arguments: [
        RouteQuery(community: "65000:1"), RouteQuery(originAS: 7), RouteQuery(isBestOnly: true, originAS: 7),
        RouteQuery(isBestOnly: true, community: "65000:1"),
    ]) func `a selection that few routes meet ends its pages at a bound, and misses none`(query: RouteQuery) throws {
        var speaker = Self.speaker()
        // Every route has a set of its own, so that none is decided by another's.
        for number in 0..<2_000 {
            var attributes = PathAttributes()
            attributes.multiExitDisc = UInt32(number)
            if number % 500 == 499 {
                attributes.communities = [Community(rawValue: 65000 << 16 | 1)]
                attributes.asPath = ASPath([7])
            }
            speaker.originate(Self.prefix(number), attributes)
        }
        _ = speaker.decide(budget: .max)
        let limit = PageLimit(rows: 64, places: 1024)
        var found: [String] = []
        var pages = 0
        var cursor: PageCursor? = .start
        while let start = cursor {
            let page = speaker.routePage(query, of: nil, from: start, limit)
            // The walk's places, and the selection's cost, which the last prefix may exceed by its own.
            #expect(page.looked <= 2 * limit.places + 64)
            found += page.rows.map(\.prefix)
            pages += 1
            cursor = page.next.flatMap { PageCursor($0) }
        }
        #expect(found == [499, 999, 1499, 1999].map { "\(Self.prefix($0))" })
        #expect(pages >= 2_000 * 16 / 1024)
    }

    @Test(arguments: [Int.max, Int.max - 3, 1 << 40, 3, 7])
    func `a cursor beyond the end of its table is answered`(position: Int) throws {
        let page = Self.speaker().routePage(nil, from: try #require(PageCursor(position)), PageLimit())
        #expect(page.looked <= PageLimit().places)
        #expect(position & 3 < 2 || page.rows.isEmpty)
    }

    @Test func `examples of missing routes do not cost the number of those that are missing`() {
        var delta = DeltaTracker(seed: 1)
        delta.beginDump()
        delta.endDump()
        for number in 0..<20_000 {
            let prefix = Self.prefix(number)
            delta.setDesired(prefix, FIBRoute(prefix: prefix, kind: .blackhole, metric: 1024, nextHops: []))
        }
        #expect(delta.dirtyCount == 20_000)
        #expect(delta.examplesOfMissing(most: 3) == (0..<3).map { Self.prefix($0) })
        // The kernel's side of a walk, from a cursor on.
        var budget = 100
        var seen: [Prefix] = []
        let next = delta.visitOwn(.ipv4, overlapping: nil, from: 19_950, budget: &budget) { prefix, _, _ in
            seen.append(prefix)
            return true
        }
        #expect(next == nil && seen.count == 50 && budget == 50)
    }
}
